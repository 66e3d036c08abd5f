"""Is a zip the evidence that its gateway sealed? Checked before anything is kept.

Nothing is extracted: entries are read as streams and cut off at their stated
size, so neither a bomb nor a path in the archive reaches the disk.
"""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from pathlib import Path
from typing import ClassVar, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import ValidationError

from vigil_cloud.problem import ApiError
from vigil_schemas.evidence import MANIFEST_NAME, SIGNATURE_NAME, EvidenceFile, EvidenceManifest

LARGEST_ZIP: Final = 512 * 1024 * 1024
LARGEST_MANIFEST: Final = 256 * 1024
LARGEST_CONTENT: Final = 1024 * 1024 * 1024
"""Of all files together, unpacked."""
SIGNATURE_BYTES: Final = 64
LARGEST_READ: Final = 1024 * 1024
_CHUNK: Final = 256 * 1024
_ENCRYPTED: Final = 0x1
_METHODS: Final = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})


class EvidenceInvalid(ApiError):
    """The zip is not what it claims to be. Sending it again changes nothing."""

    code: ClassVar[str] = "evidence-invalid"
    status: ClassVar[int] = 422


class EvidenceTooLarge(ApiError):
    """Larger than any evidence may be."""

    code: ClassVar[str] = "evidence-too-large"
    status: ClassVar[int] = 413


class _Bounded(io.FileIO):
    """A file of which nobody takes more than a little at once: the list of contents is read
    in one piece, as long as the archive itself says, before anything can be checked."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:  # to the end
            size = os.fstat(self.fileno()).st_size - self.tell()
        if size > LARGEST_READ:
            raise zipfile.BadZipFile("its list of contents is longer than any evidence needs")
        return super().read(size) or b""


def verified(path: Path, *, gateway: str, public_key: bytes) -> EvidenceManifest:
    """The manifest of a zip whose seal and every file's digest hold.

    ``public_key`` is the gateway's, Ed25519, 32 bytes. Raises ``EvidenceInvalid``.
    """
    try:
        with _Bounded(path) as file, zipfile.ZipFile(file) as archive:
            return _verified(archive, gateway, public_key)
    except (zipfile.BadZipFile, NotImplementedError, EOFError, OSError, RuntimeError) as error:
        raise EvidenceInvalid(f"This is not a whole zip: {error}") from error
    except zipfile.zlib.error as error:  # type: ignore[attr-defined]  # zlib as zipfile found it
        raise EvidenceInvalid(f"A file inside cannot be unpacked: {error}") from error


def _verified(archive: zipfile.ZipFile, gateway: str, public_key: bytes) -> EvidenceManifest:
    entries = _entries(archive)
    text = _small(archive, entries, MANIFEST_NAME, LARGEST_MANIFEST)
    seal = _small(archive, entries, SIGNATURE_NAME, SIGNATURE_BYTES)
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(seal, text)
    except (InvalidSignature, ValueError) as error:
        raise EvidenceInvalid("The manifest's signature is not this gateway's.") from error
    try:
        manifest = EvidenceManifest.model_validate_json(text)
    except ValidationError as error:
        raise EvidenceInvalid(f"manifest.json: {error.errors()[0]['msg']}") from error
    if manifest.gateway != gateway:
        raise EvidenceInvalid(f"The manifest speaks of gateway {manifest.gateway!r}.")
    listed = [file.name for file in manifest.files]
    if len(set(listed)) != len(listed) or set(listed) & {MANIFEST_NAME, SIGNATURE_NAME}:
        raise EvidenceInvalid("The manifest lists a name twice.")
    if set(entries) - {MANIFEST_NAME, SIGNATURE_NAME} != set(listed):
        raise EvidenceInvalid("The zip holds other files than its manifest lists.")
    if sum(file.size for file in manifest.files) > LARGEST_CONTENT:
        raise EvidenceInvalid("The files together are larger than any evidence may be.")
    for file in manifest.files:
        _check_file(archive, entries[file.name], file)
    return manifest


def _entries(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    entries: dict[str, zipfile.ZipInfo] = {}
    for info in archive.infolist():
        if info.filename in entries:
            raise EvidenceInvalid(f"The zip holds {info.filename!r} twice.")
        if info.flag_bits & _ENCRYPTED or info.compress_type not in _METHODS:
            raise EvidenceInvalid(f"{info.filename!r} is encrypted or compressed in a strange way.")
        entries[info.filename] = info
    return entries


def _small(
    archive: zipfile.ZipFile, entries: dict[str, zipfile.ZipInfo], name: str, largest: int
) -> bytes:
    if name not in entries:
        raise EvidenceInvalid(f"The zip holds no {name}.")
    with archive.open(entries[name]) as stream:
        content = stream.read(largest + 1)
    if len(content) > largest:
        raise EvidenceInvalid(f"{name} is larger than {largest} bytes.")
    return content


def _check_file(archive: zipfile.ZipFile, info: zipfile.ZipInfo, file: EvidenceFile) -> None:
    if info.file_size != file.size:
        raise EvidenceInvalid(f"{file.name} is not {file.size} bytes long.")
    digest, size = hashlib.sha256(), 0
    with archive.open(info) as stream:
        while chunk := stream.read(_CHUNK):
            size += len(chunk)
            if size > file.size:
                raise EvidenceInvalid(f"{file.name} is longer than {file.size} bytes.")
            digest.update(chunk)
    if size != file.size or digest.hexdigest() != file.sha256:
        raise EvidenceInvalid(f"{file.name} is not what was sealed.")
