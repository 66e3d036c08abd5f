"""Packages of version 2 as a gateway seals them, for tests and benches."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from vigil_edge.evidence.seal import seal
from vigil_schemas.evidence import (
    EvidenceClock,
    EvidenceFile,
    EvidenceLink,
    EvidenceManifest,
    EvidenceRole,
)
from vigil_schemas.types import ClockQuality

AT: Final = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)
ROLES: Final[dict[str, tuple[EvidenceRole, str]]] = {
    "audio.flac": ("audio", "audio/flac"),
    "video.webm": ("video", "video/webm"),
    "frame.jpg": ("frame", "image/jpeg"),
    "plate.jpg": ("plate", "image/jpeg"),
    "levels.json": ("levels", "application/json"),
    "octaves.csv": ("octaves", "text/csv"),
}


def contents(seed: int, scale: int = 1) -> dict[str, bytes]:
    """Random bytes where the true ones would be sound and pictures."""
    rng = random.Random(seed)
    return {
        "audio.flac": rng.randbytes(20_000 * scale),
        "video.webm": rng.randbytes(30_000 * scale),
        "frame.jpg": rng.randbytes(4_000 * scale),
        "plate.jpg": rng.randbytes(900 * scale),
        "levels.json": json.dumps({"LAF": [rng.random() for _ in range(40 * scale)]}).encode(),
        "octaves.csv": b"t,20\n" + b"0.0,55.1\n" * 30 * scale,
    }


def manifest_of(files: Mapping[str, bytes], gateway: str, device: str) -> EvidenceManifest:
    return EvidenceManifest(
        evidence_id="exceedance-1",
        gateway=gateway,
        device=device,
        sealed=AT,
        started=AT,
        ended=AT,
        chain=EvidenceLink(number=7, previous="5" * 64),
        software="vigil-city 1.0",
        configuration_sha256="6" * 64,
        clock=EvidenceClock(quality=ClockQuality.SYNCHRONISED, vouched=False, error_s=0.002),
        calibration={"pascal_per_unit": 20.0, "calibrated": "yes"},
        files=[
            EvidenceFile(
                name=name,
                role=ROLES.get(name, ("other", ""))[0],
                media_type=ROLES.get(name, ("other", "application/octet-stream"))[1],
                sha256=hashlib.sha256(content).hexdigest(),
                size=len(content),
            )
            for name, content in files.items()
        ],
    )


def sealed_package(
    folder: Path,
    files: Mapping[str, bytes],
    key: Ed25519PrivateKey,
    *,
    gateway: str = "gw-east",
    device: str = "mic-1",
) -> Path:
    """Written into ``folder`` by the edge's own program."""
    paths = {}
    for name, content in files.items():
        paths[name] = folder / name
        paths[name].write_bytes(content)
    target = folder / "package.zip"
    seal(target, manifest_of(files, gateway, device), paths, key)
    return target
