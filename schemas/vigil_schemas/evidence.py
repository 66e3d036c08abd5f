"""Evidence: a sealed zip that a gateway uploads, named by its own digest.

The zip holds ``manifest.json`` (an ``EvidenceManifest``), ``manifest.sig`` (Ed25519
over the exact bytes of ``manifest.json``, 64 bytes raw) and the files that the
manifest lists. The gateway's public key is in its birth message.

From version 2 the manifest and the files' contents fix every byte of the zip
(``vigil_schemas.evidence_zip``): whoever verifies it builds it anew and compares. Packages of
version 1 are verified by their contents and signature.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import Field, model_validator

from vigil_schemas.types import ClockQuality, Count, DeviceId, GatewayId, Model, Sha256, UtcDatetime

MANIFEST_NAME: Final = "manifest.json"
SIGNATURE_NAME: Final = "manifest.sig"
SUMS_NAME: Final = "SHA256SUMS"
"""Of the files that a time stamp is asked for, as sha256sum(1) writes them."""
STAMP_NAME: Final = "SHA256SUMS.tsr"
"""The answer of an RFC 3161 server to the digest of ``SHA256SUMS``."""
LARGEST_STAMP: Final = 64 * 1024
LARGEST_PACKAGE: Final = 512 * 1024 * 1024

FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]


class EvidenceReference(Model):
    """What an event says of its evidence, before the zip itself has arrived."""

    sha256: Sha256
    """Digest of the whole zip; also its name in the object store."""
    size: Annotated[int, Field(gt=0, le=LARGEST_PACKAGE)]


EvidenceRole = Literal[
    "audio",
    "video",
    "overlay",
    "blurred",
    "frame",
    "plate",
    "thumbnail",
    "levels",
    "octaves",
    "spectrogram",
    "bearing",
    "votes",
    "ledger",
    "weather",
    "calibration",
    "uncertainty",
    "timestamp",
    "other",
]
"""What a file is. ``overlay``: the video with level, bearing and time written into it; ``blurred``:
as that, with everybody and every plate unrecognisable; ``thumbnail``: a picture of that kind;
``octaves``: levels by third octave; ``votes``: what each picture's plate was read as; ``ledger``:
what became of every block of sound, and the audio clock against UTC."""


CameraRole = Literal["overview", "plate"]
"""What a camera is there for. ``overview``: the whole road, on which vehicles are followed;
``plate``: near enough that a plate can be read."""


class EvidenceFileV1(Model):
    """One file inside a zip of version 1."""

    name: FileName
    role: Literal["audio", "video", "frame", "plate", "levels", "other"]
    media_type: Annotated[str, Field(max_length=80)]
    sha256: Sha256
    size: Count


class EvidenceFile(Model):
    """One file inside the zip."""

    name: FileName
    role: EvidenceRole
    media_type: Annotated[str, Field(max_length=80)]
    sha256: Sha256
    size: Annotated[int, Field(ge=0, le=LARGEST_PACKAGE)]
    camera: CameraRole | None = None
    """Of a place with two cameras, which of them it came from; ``None`` where there is one, and of
    what came from none: such a manifest is written as before there were two."""


class EvidenceManifestV1(Model):
    """The sealed list of contents, as gateways wrote it before version 2."""

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
    files: Annotated[list[EvidenceFileV1], Field(min_length=1, max_length=64)]


class EvidenceClock(Model):
    """How far the times in the package can be trusted: the gateway's clock as the recording
    ended."""

    quality: ClockQuality
    vouched: bool
    """Synchronised by the word of the gateway's settings alone."""
    error_s: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    """The kernel's own estimate of its largest error."""
    since_sync_s: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    """Since the kernel last said that its clock is disciplined."""
    sync_age_s: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None
    """Since the time service last took a measurement from its source, where it tells (chrony)."""
    sync_source: Annotated[str, Field(max_length=64)] | None = None
    """That source, as the time service names it."""


class EvidenceLink(Model):
    """Where the package stands in its gateway's chain: one that is taken out leaves a gap."""

    number: Annotated[int, Field(ge=1, le=2**53)]
    """1 for the first since the gateway's data folder was made."""
    previous: Sha256 | None = None
    """Of the whole zip before it; ``None`` for the first."""

    @model_validator(mode="after")
    def _first_has_none(self) -> EvidenceLink:
        if (self.number == 1) != (self.previous is None):
            raise ValueError("the first package, and no other, has no previous one")
        return self


class EvidenceManifest(Model):
    """The sealed list of contents, version 2. The zip around it is the one that
    ``vigil_schemas.evidence_zip`` gives, byte for byte."""

    version: Literal[2] = 2
    evidence_id: Annotated[str, Field(min_length=8, max_length=64)]
    """Equals the event's own id (``exceedance_id``)."""
    gateway: GatewayId
    device: DeviceId
    sealed: UtcDatetime
    started: UtcDatetime
    ended: UtcDatetime
    chain: EvidenceLink | None = None
    """Set as the package is sealed; ``None`` from a gateway that keeps no chain."""
    software: Annotated[str, Field(max_length=80)] | None = None
    """Name and version of what measured and sealed it."""
    configuration_sha256: Sha256 | None = None
    """Of the device's settings in force, as canonical JSON, without secrets."""
    clock: EvidenceClock | None = None
    calibration: dict[str, str | float] = Field(default_factory=dict)
    """What the level rests on: sensitivity, calibrator, date."""
    files: Annotated[list[EvidenceFile], Field(min_length=1, max_length=64)]

    @model_validator(mode="after")
    def _fits_a_zip(self) -> EvidenceManifest:
        names = [file.name.lower() for file in self.files]
        if len(set(names)) != len(names):
            raise ValueError("a file is listed twice, or two names differ in case alone")
        if {MANIFEST_NAME, SIGNATURE_NAME} & set(names):
            raise ValueError("the manifest lists itself or its signature")
        if sum(file.size for file in self.files) > LARGEST_PACKAGE:
            raise ValueError("its files together are larger than any package may be")
        return self


def sums(digests: Mapping[str, str]) -> bytes:
    """``SHA256SUMS`` of files, from their digests by name, as ``sha256sum -c`` reads it."""
    return "".join(f"{digest}  {name}\n" for name, digest in sorted(digests.items())).encode()
