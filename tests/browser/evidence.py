"""What a gateway seals of a passage: a film, a sound, the plate and the levels."""

from __future__ import annotations

import hashlib
import io
import json
import tempfile
import wave
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np

from browser.town_seed import GATEWAY, KEY, MICROPHONE
from vigil_edge.evidence.seal import seal
from vigil_edge.noise import analysis
from vigil_edge.noise.evidence import CONTENTS
from vigil_edge.noise.pictures.blurred import blurred
from vigil_edge.noise.plate.candidates import Picture, Plate
from vigil_edge.noise.plate.votes import Vote, Voted
from vigil_edge.noise.plate_finding import votes_told
from vigil_schemas.evidence import (
    CameraRole,
    EvidenceFile,
    EvidenceLink,
    EvidenceManifest,
    EvidenceReference,
)


def sealed_evidence(evidence_id: str, device: str = MICROPHONE) -> bytes:
    """A film, a sound, a plate and the levels, sealed with the town's key."""
    files = {
        "video.webm": ("video", "video/webm", _film()),
        "audio.wav": ("audio", "audio/wav", _sound()),
        "plate.jpg": ("plate", "image/jpeg", _plate()),
        "levels.csv": ("levels", "text/csv", b"t,LAF\n0.0,58.0\n"),
    }
    now = datetime.now(UTC).isoformat()
    manifest = json.dumps(
        {
            "version": 1,
            "evidence_id": evidence_id,
            "gateway": GATEWAY,
            "device": device,
            "sealed": now,
            "started": now,
            "ended": now,
            "files": [
                {
                    "name": name,
                    "role": role,
                    "media_type": media_type,
                    "sha256": hashlib.sha256(content).hexdigest(),
                    "size": len(content),
                }
                for name, (role, media_type, content) in files.items()
            ],
        }
    ).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("manifest.json", manifest)
        archive.writestr("manifest.sig", KEY.sign(manifest))
        for name, (_, _, content) in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


PLATE_FILM_LATE_S = 0.4
"""So much later than the overview's the plate camera's film begins."""


def sealed_passage(
    evidence_id: str, began: datetime, plate: str, *, two_cameras: bool = False
) -> bytes:
    """A package of version 2 with everything that a page can show of a passage: two seconds, with
    the plate read in each picture and the source passing from left to right. ``two_cameras``: of an
    overview and a plate camera."""
    sound = analysis.Sound(0.2 * np.sin(2 * np.pi * 180 * np.arange(96_000) / 48_000), 48_000)
    drawn = analysis.spectrogram(sound)
    assert drawn is not None
    moments = [began + timedelta(seconds=0.04 * n) for n in range(50)]
    said: dict[str, Any] = {
        "sound_started": began.isoformat(),
        "sound_ended": (began + timedelta(seconds=2)).isoformat(),
        "video_started_s": began.timestamp(),
    }
    crop = Plate(10, 10, 40, 12, 0.9)
    each = tuple(Vote(n, crop, plate, 0.9, (0.9,) * len(plate)) for n in range(20, 30))
    voted = Voted(plate, 0.9, len(each), len(each), each[0].characters, None, each, None)
    votes = votes_told(voted, [one.timestamp() for one in moments])
    bearing = {
        "start": began.isoformat(),
        "interval_s": 0.04,
        "azimuth_deg": [None if n < 5 else 150.0 - 2.5 * n for n in range(50)],
    }
    thumbnail = blurred(cast("Picture", _scene(0.5)))
    files = {
        "audio.wav": _sound(),
        "video.webm": _film(),
        "blurred.webm": _film(),
        "plate.jpg": _plate(),
        "thumbnail.jpg": bytes(cv2.imencode(".jpg", thumbnail)[1]),
        "levels.json": json.dumps(said).encode(),
        "spectrogram.png": bytes(cv2.imencode(".png", drawn[0])[1]),
        "spectrogram.json": drawn[1].encode(),
        "bearing.json": json.dumps(bearing).encode(),
        "votes.json": json.dumps(votes).encode(),
    }
    taken_by: dict[str, CameraRole] = {}
    if two_cameras:
        late_s = began.timestamp() + PLATE_FILM_LATE_S
        said["plate_camera"] = {"video_started_s": late_s}
        files["levels.json"] = json.dumps(said).encode()
        files |= {"plate-video.webm": _film(), "plate-blurred.webm": _film()}
        taken_by = {name: "plate" for name in files if name.startswith("plate-")}
        taken_by |= dict.fromkeys(("video.webm", "blurred.webm"), "overview")
    with tempfile.TemporaryDirectory() as folder:
        paths = {name: Path(folder) / name for name in files}
        for name, content in files.items():
            paths[name].write_bytes(content)
        manifest = EvidenceManifest(
            evidence_id=evidence_id,
            gateway=GATEWAY,
            device=MICROPHONE,
            sealed=began,
            started=began,
            ended=began + timedelta(seconds=2),
            chain=EvidenceLink(number=1),
            files=[
                EvidenceFile(
                    name=name,
                    role=CONTENTS[name][0],
                    media_type=CONTENTS[name][1],
                    sha256=hashlib.sha256(content).hexdigest(),
                    size=len(content),
                    camera=taken_by.get(name),
                )
                for name, content in files.items()
            ],
        )
        seal(Path(folder) / "package.zip", manifest, paths, KEY)
        return (Path(folder) / "package.zip").read_bytes()


def reference(sealed: bytes) -> EvidenceReference:
    return EvidenceReference(sha256=hashlib.sha256(sealed).hexdigest(), size=len(sealed))


def _scene(moment: float) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """A street at night, (360, 640, 3) BGR, with a vehicle that crosses within a second."""
    picture = np.full((360, 640, 3), (40, 34, 30), np.uint8)
    cv2.rectangle(picture, (0, 250), (640, 360), (70, 66, 62), -1)
    left = int(-200 + 700 * moment)
    cv2.rectangle(picture, (left, 130), (left + 260, 300), (150, 120, 40), -1)
    picture[250:280, max(0, left + 80) : max(0, left + 180)] = 245
    return picture


def _film() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.webm"
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"VP80"), 20, (640, 360))
        for frame in range(40):
            writer.write(_scene(frame / 40))
        writer.release()
        return path.read_bytes()


def _plate() -> bytes:
    picture = np.full((120, 320, 3), 245, np.uint8)
    cv2.rectangle(picture, (4, 4), (315, 115), (30, 30, 30), 3)
    cv2.putText(picture, "MXK-2917", (22, 80), cv2.FONT_HERSHEY_DUPLEX, 1.8, (20, 20, 20), 4)
    return bytes(cv2.imencode(".jpg", picture)[1])


def _sound() -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as sound:
        sound.setparams((1, 2, 16000, 0, "NONE", ""))
        t = np.arange(32000) / 16000
        sound.writeframes((8000 * np.sin(2 * np.pi * 180 * t)).astype("<i2").tobytes())
    return buffer.getvalue()
