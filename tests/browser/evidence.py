"""What a gateway seals of a passage: a film, a sound, the plate and the levels."""

from __future__ import annotations

import hashlib
import io
import json
import tempfile
import wave
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from browser.town import GATEWAY, KEY, MICROPHONE
from vigil_schemas.evidence import EvidenceReference


def sealed_evidence(evidence_id: str) -> bytes:
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
            "device": MICROPHONE,
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
