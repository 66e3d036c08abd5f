"""What is kept of a passage: first a folder on disk, then pictures, then a sealed deposit.

The folder is complete before anything slow begins, so a gateway that loses power
during the encoding takes the case up again when it is back.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import errno
import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, astuple, dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from vigil_edge.device.seam import PipelineContext
from vigil_edge.evidence.stamp import MEDIA_REPLY
from vigil_edge.noise import case_process
from vigil_edge.noise.case import FINDINGS, Case, Findings
from vigil_edge.noise.event import announcement
from vigil_edge.noise.listening import Recorded
from vigil_edge.noise.pictures.case_folder import FRAMES, SHOWN
from vigil_edge.noise.pictures.frame import Frame, Shots
from vigil_edge.noise.pictures.moments import worst
from vigil_edge.noise.sound.ledger import told
from vigil_edge.noise.sound.wav import write_wav
from vigil_schemas.evidence import (
    STAMP_NAME,
    SUMS_NAME,
    CameraRole,
    EvidenceFile,
    EvidenceManifest,
    EvidenceReference,
    EvidenceRole,
    sums,
)

ENCODE_WITHIN_S: Final = 120.0
"""For each camera's pictures."""
ENCODING_PRIORITY: Final = 5
"""Behind whatever tells of a danger; a case waits on disk."""
MOST_BYTES: Final = 2 * 1024**3
"""Of cases that wait. While the cloud is away the sealed ones fill their own queue first;
these must not fill the rest of the disk, which the outbox needs."""
CONTENTS: Final[dict[str, tuple[EvidenceRole, str]]] = {
    "audio.wav": ("audio", "audio/wav"),
    "video.webm": ("video", "video/webm"),
    "overlay.webm": ("overlay", "video/webm"),
    "blurred.webm": ("blurred", "video/webm"),
    "plate-video.webm": ("video", "video/webm"),
    "plate-blurred.webm": ("blurred", "video/webm"),
    "frame.jpg": ("frame", "image/jpeg"),
    "thumbnail.jpg": ("thumbnail", "image/jpeg"),
    "plate.jpg": ("plate", "image/jpeg"),
    "votes.json": ("votes", "application/json"),
    "levels.json": ("levels", "application/json"),
    "octaves.csv": ("octaves", "text/csv"),
    "spectrogram.png": ("spectrogram", "image/png"),
    "spectrogram.json": ("spectrogram", "application/json"),
    "bearing.json": ("bearing", "application/json"),
    "ledger.json": ("ledger", "application/json"),
    SUMS_NAME: ("timestamp", "text/plain"),
    STAMP_NAME: ("timestamp", MEDIA_REPLY),
}
"""What of a case's folder is sealed, where it is there."""


_LIBC: Final = ctypes.CDLL(None, use_errno=True)


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

    def write(self, case: Case, recorded: Recorded, shots: Mapping[CameraRole, Shots]) -> Path:
        """Put a case on disk, whole or not at all. Raises ``OSError``, also for a full spool.

        ``shots``: what each camera that there is saw of it.
        """
        if self._bytes() > MOST_BYTES:
            raise OSError(errno.EDQUOT, f"cases of {MOST_BYTES / 1e9:.0f} GB wait already")
        started = case.exceedance.started.strftime("%Y%m%dT%H%M%S%f")
        folder = self.directory / f"{started}-{case.exceedance.exceedance_id[:8]}"
        part = folder.with_suffix(".part")
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        write_wav(part / "audio.wav", recorded.frames, recorded.time.rate_hz)
        (part / "levels.json").write_text(_levels(case, shots))
        (part / "ledger.json").write_text(_ledger(recorded))
        loudest_s = case.exceedance.LAFmax_time.timestamp()
        for role, seen in {"overview": _NOTHING_SEEN, **shots}.items():
            _write_pictures(part, FRAMES[role], seen, loudest_s)
        (part / "case.json").write_text(case.model_dump_json())
        _all_to_disk(part)
        shutil.rmtree(folder, ignore_errors=True)
        part.rename(folder)
        _sync(self.directory)
        return folder


_NOTHING_SEEN: Final = Shots([], 10.0)


def _write_pictures(part: Path, name: str, seen: Shots, loudest_s: float) -> None:
    (part / name).mkdir()
    index = []
    for number, picture in enumerate(seen.pictures):
        file = f"{number:05d}.jpg"
        (part / name / file).write_bytes(picture.jpeg)
        index.append([file, picture.time_s])
    said = {
        "fps": seen.fps,
        "LAFmax_s": loudest_s,
        "known_s": astuple(worst(each.known for each in seen.pictures)),
        "frames": index,
    }
    (part / f"{name}.json").write_text(json.dumps(said))


async def send(context: PipelineContext, folder: Path) -> None:
    """Encode, deposit and announce one case, then remove it.

    May be repeated after a crash at any point: the event keeps its id, and a repeated
    deposit is the same zip. Raises ``OSError`` and what the context raises, and
    ``ValueError`` for a case that cannot be read.
    """
    reference = await _deposited(context, folder)
    case = await asyncio.to_thread(_read_case, folder)
    event = case.exceedance.model_copy(update={"evidence": reference, "phase": "sealed"})
    await context.accept([announcement(case.device, event)])
    await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


def _read_case(folder: Path) -> Case:
    return Case.model_validate_json((folder / "case.json").read_bytes())


async def _deposited(context: PipelineContext, folder: Path) -> EvidenceReference:
    done = folder / "deposited.json"
    with contextlib.suppress(FileNotFoundError):
        return EvidenceReference.model_validate_json(await asyncio.to_thread(done.read_bytes))
    manifest = await _prepared(context, folder)
    files = {file.name: folder / file.name for file in manifest.files}
    reference = await context.deposit(manifest, files)
    await asyncio.to_thread(_write_whole, done, reference.model_dump_json())
    return reference


async def _prepared(context: PipelineContext, folder: Path) -> EvidenceManifest:
    """Look at the case, list its files, once: a repeated deposit is the same to the byte."""
    kept = folder / "manifest.json"
    with contextlib.suppress(FileNotFoundError):
        text = await asyncio.to_thread(kept.read_bytes)
        if json.loads(text).get("version") == 2:  # else prepared before an upgrade: once more
            return EvidenceManifest.model_validate_json(text)
    case = await asyncio.to_thread(_read_case, folder)
    if not await _encoded(context, folder):
        context.count("encoding-failed")
    case = await asyncio.to_thread(_with_findings, context, folder, case)
    await _stamped(context, folder)
    manifest = await asyncio.to_thread(_manifest, context.gateway, context.now(), folder, case)
    await asyncio.to_thread(_write_whole, kept, manifest.model_dump_json())
    return manifest


async def _stamped(context: PipelineContext, folder: Path) -> None:
    """Where an authority is configured: ``SHA256SUMS`` of everything that is sealed, and the stamp
    of it. Without a stamp neither is there."""
    for name in (SUMS_NAME, STAMP_NAME):  # of a try that a crash cut short
        (folder / name).unlink(missing_ok=True)
    if not context.stamped:
        return
    text = sums(
        {name: digest for name, (digest, _) in (await asyncio.to_thread(_contents, folder)).items()}
    )
    stamp = await context.time_stamp(text)
    if stamp is not None:
        await asyncio.to_thread((folder / SUMS_NAME).write_bytes, text)
        await asyncio.to_thread((folder / STAMP_NAME).write_bytes, stamp)


def _contents(folder: Path) -> dict[str, tuple[str, int]]:
    """SHA-256 and size of each file that is sealed, by name."""
    found = {}
    for name in CONTENTS:
        path = folder / name
        if path.is_file() and path.stat().st_size:
            content = path.read_bytes()
            found[name] = (hashlib.sha256(content).hexdigest(), len(content))
    return found


def _write_whole(path: Path, text: str) -> None:
    """So that a power failure leaves all of it or nothing."""
    part = path.with_suffix(".part")
    part.write_text(text)
    _sync(part)
    part.rename(path)


def _with_findings(context: PipelineContext, folder: Path, case: Case) -> Case:
    """The case with what was found in its sound and pictures, kept with it."""
    try:
        findings = Findings.model_validate_json((folder / FINDINGS).read_bytes())
    except (FileNotFoundError, ValueError):
        context.count("findings-failed")
        findings = Findings.failed()
    found = case.model_copy(update={"exceedance": findings.told(case.exceedance)})
    _write_whole(folder / "case.json", found.model_dump_json())
    content = json.loads((folder / "levels.json").read_bytes())
    content["exceedance"] = _as_told(found)
    _write_whole(folder / "levels.json", json.dumps(content, indent=1))
    return found


async def _encoded(context: PipelineContext, folder: Path) -> bool:
    """Have somebody look at the folder; without findings and pictures the case is still a case.

    What is found and the films are made at once, so what ends the process (a codec that crashes, a
    lack of memory) ends both: then everything is done once more, one by one, the findings first.
    """
    if await _looked_at(context, folder):
        return True
    if (folder / FINDINGS).is_file():
        return False
    context.count("case-looked-at-again")
    return await _looked_at(context, folder, one_by_one=True)


async def _looked_at(context: PipelineContext, folder: Path, *, one_by_one: bool = False) -> bool:
    films = 2 if (folder / f"{FRAMES['plate']}.json").is_file() else 1
    return await context.work(
        case_process.words(folder, one_by_one=one_by_one),
        priority=ENCODING_PRIORITY,
        within_s=films * ENCODE_WITHIN_S,
        environment=case_process.ENVIRONMENT,
    )


def _manifest(gateway: str, now: datetime, folder: Path, case: Case) -> EvidenceManifest:
    taken_by = cameras_of(folder)
    files = [
        EvidenceFile(
            name=name,
            role=CONTENTS[name][0],
            media_type=CONTENTS[name][1],
            sha256=digest,
            size=size,
            camera=taken_by.get(name),
        )
        for name, (digest, size) in _contents(folder).items()
    ]
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


def cameras_of(folder: Path) -> dict[str, CameraRole]:
    """Of a case's files, which of two cameras each came from; empty where there is one camera.
    ``cameras.json`` says it of what may come from either."""
    if not (folder / f"{FRAMES['plate']}.json").is_file():
        return {}
    found: dict[str, CameraRole] = {
        **dict.fromkeys(("video.webm", "overlay.webm", "blurred.webm"), "overview"),
        **dict.fromkeys(("plate-video.webm", "plate-blurred.webm"), "plate"),
    }
    with contextlib.suppress(FileNotFoundError):
        said = json.loads((folder / SHOWN).read_text())
        found |= {name: role for name, role in said.items() if role in FRAMES}
    return found


def _levels(case: Case, shots: Mapping[CameraRole, Shots]) -> str:
    """``levels.json``: for people and programs that open the zip without the event. What is said of
    the pictures is the overview's; the plate camera's stands in a table of its own."""
    content = {
        "exceedance": _as_told(case),
        "sound_started": case.sound_started.isoformat(),
        "calibration": case.calibration,
        **_dated(shots.get("overview", _NOTHING_SEEN).pictures),
    }
    if "plate" in shots:
        content["plate_camera"] = _dated(shots["plate"].pictures)
    return json.dumps(content, indent=1)


def _dated(pictures: list[Frame]) -> dict[str, Any]:
    offsets = [each.offset_s for each in pictures if each.offset_s is not None]
    return {
        "video_started_s": pictures[0].time_s if pictures else None,
        "pictures_dated_by": sorted({each.dated for each in pictures}),
        "pictures_known": _known(pictures),
        # Arrival less the camera's own moment, least and most, s: what its clock may be off by.
        "camera_offset_s": [round(min(offsets), 4), round(max(offsets), 4)] if offsets else None,
    }


def _known(pictures: list[Frame]) -> dict[str, float] | None:
    """At most so much earlier or later than is said they were taken."""
    if not pictures:
        return None
    said = asdict(worst(each.known for each in pictures))
    return {name: round(seconds, 3) for name, seconds in said.items()}


def _ledger(recorded: Recorded) -> str:
    """``ledger.json``: every block that the sound came in, and how its samples are dated: sample n
    of ``audio.wav`` lies at ``first_sample`` + n."""
    time = recorded.time
    content = {
        "first_sample": recorded.first_sample,
        "samples": len(recorded.frames),
        "clock": {
            "rate_hz": time.rate_hz,
            "origin_s": time.origin_s,
            "anchor": time.anchor,
            "drift": time.drift,
            "residual_s": recorded.residual_s,
        },
        "blocks": list(told(recorded.ledger)),
    }
    return json.dumps(content)


def _as_told(case: Case) -> dict[str, Any]:
    return case.exceedance.model_dump(mode="json", exclude_none=True)


def _all_to_disk(folder: Path) -> None:
    """Whatever is in it, with one wait for the disk: its hundreds of pictures one by one would take
    a card seconds, and each that is missing after a power failure is missing in the film."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        if _LIBC.syncfs(descriptor):
            raise OSError(ctypes.get_errno(), "the disk did not take a case", str(folder))
    finally:
        os.close(descriptor)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
