"""Evidence: a sealed zip that a gateway uploads, named by its own digest.

The zip holds ``manifest.json`` (an ``EvidenceManifest``), ``manifest.sig`` (Ed25519
over the exact bytes of ``manifest.json``, 64 bytes raw) and the files that the
manifest lists. The gateway's public key is in its birth message.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

from vigil_schemas.types import Count, DeviceId, GatewayId, Model, Sha256, UtcDatetime

MANIFEST_NAME: Final = "manifest.json"
SIGNATURE_NAME: Final = "manifest.sig"

FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]


class EvidenceReference(Model):
    """What an event says of its evidence, before the zip itself has arrived."""

    sha256: Sha256
    """Digest of the whole zip; also its name in the object store."""
    size: Annotated[int, Field(gt=0, le=512 * 1024 * 1024)]


class EvidenceFile(Model):
    """One file inside the zip."""

    name: FileName
    role: Literal["audio", "video", "frame", "plate", "levels", "other"]
    media_type: Annotated[str, Field(max_length=80)]
    sha256: Sha256
    size: Count


class EvidenceManifest(Model):
    """The sealed list of contents."""

    version: Literal[1] = 1
    evidence_id: Annotated[str, Field(min_length=8, max_length=64)]
    """Equals the event's own id (``exceedance_id``)."""
    gateway: GatewayId
    device: DeviceId
    sealed: UtcDatetime
    started: UtcDatetime
    ended: UtcDatetime
    calibration: dict[str, str | float] = Field(default_factory=dict)
    """What the level rests on: sensitivity, calibrator, date, software version."""
    files: Annotated[list[EvidenceFile], Field(min_length=1, max_length=64)]
