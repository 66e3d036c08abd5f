"""What is kept of a passage: first a folder on disk, then pictures, then a sealed deposit.

The folder is complete before anything slow begins, so a gateway that loses power
during the encoding takes the case up again when it is back.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import hashlib
import json
import os
import shutil
import sys
import uuid
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

from pydantic import BaseModel

from vigil_edge.device.seam import Outgoing, PipelineContext
from vigil_edge.noise.listening import Recorded
from vigil_edge.noise.meter.signs import GAIN_CHANGE
from vigil_edge.noise.passage import Passage
from vigil_edge.noise.pictures.frame import Frame
from vigil_edge.noise.sound.clock import StreamTime
from vigil_edge.noise.sound.pcm import SLICES_PER_SECOND
from vigil_edge.noise.sound.wav import write_wav
from vigil_schemas.evidence import (
    EvidenceClock,
    EvidenceFile,
    EvidenceManifest,
    EvidenceReference,
    EvidenceRole,
)
from vigil_schemas.noise import LevelCurve, NoiseExceedance
from vigil_schemas.types import Lane, UtcDatetime

ENCODE_WITHIN_S: Final = 120.0
ENCODING_PRIORITY: Final = 5
"""Behind whatever tells of a danger; a case waits on disk."""
MOST_BYTES: Final = 2 * 1024**3
"""Of cases that wait. While the cloud is away the sealed ones fill their own queue first;
these must not fill the rest of the disk, which the outbox needs."""
_NAMESPACE: Final = uuid.UUID("5f0d8a4e-6a0b-4d0c-9b39-0d6f2f7c1e11")
_CONTENTS: Final[dict[str, tuple[EvidenceRole, str]]] = {
    "audio.wav": ("audio", "audio/wav"),
    "video.webm": ("video", "video/webm"),
    "overlay.webm": ("overlay", "video/webm"),
    "blurred.webm": ("blurred", "video/webm"),
    "frame.jpg": ("frame", "image/jpeg"),
    "thumbnail.jpg": ("thumbnail", "image/jpeg"),
    "plate.jpg": ("plate", "image/jpeg"),
    "votes.json": ("votes", "application/json"),
    "levels.json": ("levels", "application/json"),
    "octaves.csv": ("octaves", "text/csv"),
    "spectrogram.png": ("spectrogram", "image/png"),
    "spectrogram.json": ("spectrogram", "application/json"),
    "bearing.json": ("bearing", "application/json"),
    "weather.json": ("weather", "application/json"),
    "calibration.json": ("calibration", "application/json"),
    "uncertainty.json": ("uncertainty", "application/json"),
}
"""What of a case's folder is sealed, where it is there. Certificates beside it
(``certificate-1.pdf`` …) are those that the settings name."""
_CERTIFICATES: Final = {".pdf": "application/pdf", ".jpg": "image/jpeg", ".png": "image/png"}


class Case(BaseModel):
    """``case.json``: everything but the files."""

    device: str
    sound_started: UtcDatetime
    sound_ended: UtcDatetime
    calibration: dict[str, str | float]
    exceedance: NoiseExceedance
    clock: EvidenceClock | None = None
    """As the recording ended."""
    configuration_sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Spool:
    """Folders of cases that have not been sent yet."""

    directory: Path

    def waiting(self) -> list[Path]:
        """Complete cases, oldest first; leftovers of a crash are cleared away."""
        if not self.directory.is_dir():
            return []
        for torn in self.directory.glob("*.part"):
            shutil.rmtree(torn, ignore_errors=True)
        return sorted(
            path
            for path in self.directory.iterdir()
            if path.suffix != ".damaged" and (path / "case.json").is_file()
        )

    def _bytes(self) -> int:
        total = 0
        for path in self.directory.rglob("*"):
            with contextlib.suppress(FileNotFoundError):  # sent meanwhile
                total += path.stat().st_size
        return total

    def set_aside(self, folder: Path) -> None:
        """Keep a case that cannot be read for people to look at, out of the way."""
        if folder.is_dir():
            folder.rename(folder.with_suffix(".damaged"))

    def write(self, case: Case, recorded: Recorded, pictures: list[Frame], fps: float) -> Path:
        """Put a case on disk, whole or not at all. Raises ``OSError``, also for a full spool."""
        if self._bytes() > MOST_BYTES:
            raise OSError(errno.EDQUOT, f"cases of {MOST_BYTES / 1e9:.0f} GB wait already")
        started = case.exceedance.started.strftime("%Y%m%dT%H%M%S%f")
        folder = self.directory / f"{started}-{case.exceedance.exceedance_id[:8]}"
        part = folder.with_suffix(".part")
        shutil.rmtree(part, ignore_errors=True)
        (part / "frames").mkdir(parents=True)
        write_wav(part / "audio.wav", recorded.frames, recorded.time.rate_hz)
        (part / "levels.json").write_text(_levels(case, pictures))
        index = []
        for number, picture in enumerate(pictures):
            name = f"{number:05d}.jpg"
            (part / "frames" / name).write_bytes(picture.jpeg)
            index.append([name, picture.time_s])
        loudest_s = case.exceedance.LAFmax_time.timestamp()
        (part / "frames.json").write_text(
            json.dumps({"fps": fps, "LAFmax_s": loudest_s, "frames": index})
        )
        (part / "case.json").write_text(case.model_dump_json())
        for path in part.iterdir():
            _sync(path)
        shutil.rmtree(folder, ignore_errors=True)
        part.rename(folder)
        _sync(self.directory)
        return folder


def exceedance(
    gateway: str,
    device: str,
    threshold_db: float,
    calibrated: bool,
    passage: Passage,
    time: StreamTime,
) -> NoiseExceedance:
    """The event as it can be told at once. Its id follows from device and beginning."""
    started = time.at(passage.started_sample)
    name = f"{gateway}/{device}/{started.isoformat()}/exceedance"
    return NoiseExceedance(
        exceedance_id=str(uuid.uuid5(_NAMESPACE, name)),
        started=started,
        ended=time.at(passage.ended_sample),
        threshold_db=threshold_db,
        LAFmax=round(passage.LAFmax, 2),
        LAFmax_time=time.at(passage.LAFmax_sample),
        LAE=round(passage.LAE, 2),
        background_db=None if passage.background_db is None else round(passage.background_db, 2),
        # Contract v1 has one word for sound that no case may rest on; it fails closed.
        # A change of gain is a guess from the levels, and its false rate on passing vehicles is not
        # known: it is told with the seconds and bars no case.
        overload=passage.overload or bool(passage.flags - {GAIN_CHANGE}),
        calibrated=calibrated,
        phase="measured",
    )


def with_curve(event: NoiseExceedance, recorded: Recorded) -> NoiseExceedance:
    """The event with its picture of the level, before and after included."""
    curve = LevelCurve(
        start=recorded.time.at(recorded.curve_first_sample),
        interval_s=1.0 / SLICES_PER_SECOND,
        LAF=[round(level, 2) for level in recorded.curve],
    )
    return event.model_copy(update={"level_curve": curve, "phase": "sealed"})


def announcement(device: str, event: NoiseExceedance) -> Outgoing:
    """The event on its way."""
    return Outgoing(
        lane=Lane.EVENT,
        type=NoiseExceedance.TYPE,
        subject=device,
        time=event.ended,
        data=event,
        id=str(uuid.uuid5(_NAMESPACE, f"{event.exceedance_id}/{event.phase}")),
    )


async def send(context: PipelineContext, folder: Path) -> None:
    """Encode, deposit and announce one case, then remove it.

    May be repeated after a crash at any point: the event keeps its id, and a repeated
    deposit is the same zip. Raises ``OSError`` and what the context raises, and
    ``ValueError`` for a case that cannot be read.
    """
    case = Case.model_validate_json(await asyncio.to_thread((folder / "case.json").read_bytes))
    reference = await _deposited(context, folder, case)
    event = case.exceedance.model_copy(update={"evidence": reference})
    await context.accept([announcement(case.device, event)])
    await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


async def _deposited(context: PipelineContext, folder: Path, case: Case) -> EvidenceReference:
    done = folder / "deposited.json"
    with contextlib.suppress(FileNotFoundError):
        return EvidenceReference.model_validate_json(await asyncio.to_thread(done.read_bytes))
    manifest = await _prepared(context, folder, case)
    files = {file.name: folder / file.name for file in manifest.files}
    reference = await context.deposit(manifest, files)
    await asyncio.to_thread(_write_whole, done, reference.model_dump_json())
    return reference


async def _prepared(context: PipelineContext, folder: Path, case: Case) -> EvidenceManifest:
    """Encode and list the files, once: a deposit that is repeated is the same to the byte."""
    kept = folder / "manifest.json"
    with contextlib.suppress(FileNotFoundError):
        text = await asyncio.to_thread(kept.read_bytes)
        if json.loads(text).get("version") == 2:  # else prepared before an upgrade: once more
            return EvidenceManifest.model_validate_json(text)
    if not await _encoded(context, folder):
        context.count("encoding-failed")
    manifest = await asyncio.to_thread(_manifest, context.gateway, context.now(), folder, case)
    await asyncio.to_thread(_write_whole, kept, manifest.model_dump_json())
    return manifest


def _write_whole(path: Path, text: str) -> None:
    """So that a power failure leaves all of it or nothing."""
    part = path.with_suffix(".part")
    part.write_text(text)
    _sync(part)
    part.rename(path)


async def _encoded(context: PipelineContext, folder: Path) -> bool:
    """Run the encoder on the folder; without its files the case is still a case."""
    words = [sys.executable, "-m", "vigil_edge.noise.pictures.encode", str(folder)]
    quiet = {"OPENCV_LOG_LEVEL": "SILENT", "OPENCV_FFMPEG_LOGLEVEL": "-8"}
    return await context.work(
        words, priority=ENCODING_PRIORITY, within_s=ENCODE_WITHIN_S, environment=quiet
    )


def _manifest(gateway: str, now: datetime, folder: Path, case: Case) -> EvidenceManifest:
    files = []
    certificates: dict[str, tuple[EvidenceRole, str]] = {
        path.name: ("calibration", _CERTIFICATES[path.suffix])
        for path in sorted(folder.glob("certificate-*"))
    }
    for name, (role, media_type) in (_CONTENTS | certificates).items():
        path = folder / name
        if path.is_file() and path.stat().st_size:
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            size = path.stat().st_size
            files.append(
                EvidenceFile(name=name, role=role, media_type=media_type, sha256=digest, size=size)
            )
    return EvidenceManifest(
        evidence_id=case.exceedance.exceedance_id,
        gateway=gateway,
        device=case.device,
        sealed=now,
        started=case.sound_started,
        ended=case.sound_ended,
        software=f"vigil-city {version('vigil-city')}",
        configuration_sha256=case.configuration_sha256,
        clock=case.clock,
        calibration=case.calibration,
        files=files,
    )


def _levels(case: Case, pictures: list[Frame]) -> str:
    """``levels.json``: for people and programs that open the zip without the event."""
    content = {
        "exceedance": case.exceedance.model_dump(mode="json", exclude_none=True),
        "sound_started": case.sound_started.isoformat(),
        "calibration": case.calibration,
        "video_started_s": pictures[0].time_s if pictures else None,
    }
    return json.dumps(content, indent=1)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
