"""Is a zip the evidence that its gateway sealed? Asked by the cloud before anything is kept,
and by whoever was given the package, years later and without the cloud.

Nothing is extracted: entries are read as streams and cut off at their stated
size, so neither a bomb nor a path in the archive reaches the disk. Every fault is
named, not only the first.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import struct
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import BinaryIO, ClassVar, Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from pydantic import ValidationError

from vigil_cloud.api_errors import ApiError
from vigil_cloud.evidence import canonical
from vigil_cloud.evidence.canonical import LARGEST_MANIFEST
from vigil_cloud.evidence.layout import PACKAGE, Fault
from vigil_cloud.evidence.layout import faults as layout_faults
from vigil_schemas.evidence import (
    LARGEST_PACKAGE,
    MANIFEST_NAME,
    SIGNATURE_NAME,
    EvidenceFile,
    EvidenceFileV1,
    EvidenceManifest,
    EvidenceManifestV1,
)
from vigil_schemas.evidence_zip import SIGNATURE_BYTES

LARGEST_ZIP: Final = LARGEST_PACKAGE
LARGEST_CONTENT: Final = 1024 * 1024 * 1024
"""Of all files together, unpacked."""
LARGEST_READ: Final = 1024 * 1024
SEAL_AGAIN_S: Final = "600"
_CHUNK: Final = 256 * 1024
_ENCRYPTED: Final = 0x1
_Unpack: Final = zipfile.zlib.error  # type: ignore[attr-defined]  # zlib as zipfile found it
_BROKEN: Final = (
    *(zipfile.BadZipFile, NotImplementedError, EOFError, OSError, ValueError),
    *(OverflowError, struct.error),
)
"""What a file that is no zip raises, and one whose headers name places beyond any file."""
_OTHER_SEAL: Final = Fault(SIGNATURE_NAME, "The manifest's signature is not this gateway's.")
_METHODS: Final = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})


class EvidenceInvalid(ApiError):
    """The zip is not what it claims to be. Sending it again changes nothing."""

    code: ClassVar[str] = "evidence-invalid"
    remedy: ClassVar[str] = (
        "Look at the gateway's key and disk; the evidence stays on the gateway, marked as refused."
    )
    status: ClassVar[int] = 422


class SealUnknown(EvidenceInvalid):
    """Sealed with no key that the gateway has announced; a birth that tells it may still come."""

    def __init__(self) -> None:
        super().__init__(str(_OTHER_SEAL), {"Retry-After": SEAL_AGAIN_S})


class EvidenceTooLarge(ApiError):
    """Larger than any evidence may be."""

    code: ClassVar[str] = "evidence-too-large"
    remedy: ClassVar[str] = (
        "Shorten the recording (`before_s`, `after_s`) or lower the camera's resolution."
    )
    status: ClassVar[int] = 413

    def __init__(self, most_bytes: int) -> None:
        super().__init__(f"Evidence may have {most_bytes} bytes.")
        self.most_bytes = most_bytes


class Bounded(io.FileIO):
    """A file of which nobody takes more than a little at once: the list of contents is read
    in one piece, as long as the archive itself says, before anything can be checked."""

    def read(self, size: int | None = -1, /) -> bytes:
        """As of any file. Raises ``zipfile.BadZipFile`` for more than ``LARGEST_READ``."""
        if size is None or size < 0:  # to the end
            size = os.fstat(self.fileno()).st_size - self.tell()
        if size > LARGEST_READ:
            raise zipfile.BadZipFile("its list of contents is longer than any evidence needs")
        return super().read(size) or b""


Manifest = EvidenceManifest | EvidenceManifestV1


@dataclass(slots=True)
class Finding:
    """What a package is, as far as it could be read, and what is wrong with it."""

    manifest: Manifest | None = None
    faults: list[Fault] = field(default_factory=list)


def verified(
    path: Path, *, gateway: str, public_key: bytes, earlier: Sequence[bytes] = ()
) -> Manifest:
    """The manifest of a zip whose seal and every file's digest hold.

    ``public_key`` is the gateway's, Ed25519, 32 bytes, and ``earlier`` are those it had before.
    Raises ``EvidenceInvalid``, and ``SealUnknown`` where nothing is wrong but the key.
    """
    key = _sealed_with(path, [public_key, *earlier]) or public_key
    found = examine(path, gateway=gateway, public_key=key)
    if found.faults == [_OTHER_SEAL]:
        raise SealUnknown
    if found.faults or found.manifest is None:
        raise EvidenceInvalid("; ".join(str(fault) for fault in found.faults[:3]))
    return found.manifest


def _sealed_with(path: Path, public_keys: Sequence[bytes]) -> bytes | None:
    """The key of the seal, found before every file is read."""
    with contextlib.suppress(*_BROKEN):
        with Bounded(path) as file, zipfile.ZipFile(file) as archive:
            entries = {info.filename: info for info in archive.infolist()}
            text = _small(archive, entries, MANIFEST_NAME, LARGEST_MANIFEST, Finding())
            seal = _small(archive, entries, SIGNATURE_NAME, SIGNATURE_BYTES, Finding())
        if text is not None and seal is not None:
            return next((key for key in public_keys if holds(key, seal, text)), None)
    return None


def holds(public_key: bytes, seal: bytes, text: bytes) -> bool:
    """Whether ``seal`` is that key's signature over ``text``."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(seal, text)
    except (InvalidSignature, ValueError):
        return False
    return True


def examine(path: Path, *, public_key: bytes, gateway: str | None = None) -> Finding:
    """Everything that is wrong with a package. Raises ``OSError`` where the file cannot be
    opened."""
    found = Finding()
    with Bounded(path) as file:
        size = os.fstat(file.fileno()).st_size
        if size > LARGEST_ZIP:
            found.faults.append(Fault(PACKAGE, f"is larger than {LARGEST_ZIP} bytes"))
            return found
        head = canonical.head(file)
        if head is not None:
            _examine_canonical(file, size, head, (public_key, gateway), found)
            return found
        try:
            with zipfile.ZipFile(file) as archive:
                found.faults += layout_faults(file, archive)
                _examine(archive, public_key, gateway, found)
        except _BROKEN as error:
            found.faults.append(Fault(PACKAGE, f"is not a whole zip: {error}"))
        if isinstance(found.manifest, EvidenceManifest):
            found.faults.append(Fault(PACKAGE, canonical.difference(file, size)))
    return found


def _examine_canonical(
    file: BinaryIO,
    size: int,
    head: canonical.Head,
    asked: tuple[bytes, str | None],
    found: Finding,
) -> None:
    """A package of version 2. ``asked``: public key and gateway."""
    public_key, gateway = asked
    sealed = holds(public_key, head.seal, head.text)
    changed = "was changed after it was sealed (bytes {} to {} of the package)"
    if not sealed and head.text_changed:
        # What it lists may be what was changed: nothing else can be held against it.
        first, behind = head.text_span
        found.faults.append(Fault(MANIFEST_NAME, changed.format(first, behind - 1)))
        return
    if not sealed and head.seal_changed:
        first, behind = head.seal_span
        found.faults.append(Fault(SIGNATURE_NAME, changed.format(first, behind - 1)))
    elif not sealed:
        found.faults.append(_OTHER_SEAL)
    manifest = _manifest(head.text, gateway, found)
    if isinstance(manifest, EvidenceManifest):
        found.faults += canonical.faults(file, size, head, manifest, sealed=sealed)


def _examine(
    archive: zipfile.ZipFile, public_key: bytes, gateway: str | None, found: Finding
) -> None:
    entries: dict[str, zipfile.ZipInfo] = {}
    for info in archive.infolist():
        found.faults += _strange(info, entries)
        entries.setdefault(info.filename, info)
    text = _small(archive, entries, MANIFEST_NAME, LARGEST_MANIFEST, found)
    seal = _small(archive, entries, SIGNATURE_NAME, SIGNATURE_BYTES, found)
    if text is None:
        return
    if seal is not None and not holds(public_key, seal, text):
        found.faults.append(_OTHER_SEAL)
    manifest = _manifest(text, gateway, found)
    if manifest is not None:
        found.faults += _contents(archive, entries, manifest)


def _manifest(text: bytes, gateway: str | None, found: Finding) -> Manifest | None:
    """What it says, once it is understood; written down in ``found``."""
    try:
        model = EvidenceManifest if canonical.version_of(text) == 2 else EvidenceManifestV1
        manifest = found.manifest = model.model_validate_json(text, strict=True)
    except ValidationError as error:
        found.faults += [
            Fault(MANIFEST_NAME, f"{'.'.join(map(str, one['loc']))}: {one['msg']}")
            for one in error.errors(include_input=False)
        ]
        return None
    if gateway is not None and manifest.gateway != gateway:
        found.faults.append(Fault(MANIFEST_NAME, f"speaks of gateway {manifest.gateway!r}"))
    return manifest


def _strange(info: zipfile.ZipInfo, before: dict[str, zipfile.ZipInfo]) -> Iterator[Fault]:
    name = info.filename
    if name in before:
        yield Fault(name, "is there twice")
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in name or info.orig_filename != name:
        yield Fault(info.orig_filename, "leads out of the folder it is unpacked in")
    if info.flag_bits & _ENCRYPTED or info.compress_type not in _METHODS:
        yield Fault(name, "is encrypted or compressed in a strange way")


def _contents(
    archive: zipfile.ZipFile, entries: dict[str, zipfile.ZipInfo], manifest: Manifest
) -> Iterator[Fault]:
    own = {MANIFEST_NAME, SIGNATURE_NAME}
    listed: set[str] = set()
    for file in manifest.files:
        if file.name in listed or file.name in own:
            yield Fault(MANIFEST_NAME, f"lists {file.name!r} twice")
        listed.add(file.name)
    for name in sorted(set(entries) - listed - own):
        yield Fault(name, "is not in the manifest")
    if sum(file.size for file in manifest.files) > LARGEST_CONTENT:
        yield Fault(MANIFEST_NAME, "its files together are larger than any evidence may be")
        return
    for file in manifest.files:
        if file.name not in entries:
            yield Fault(file.name, "is missing")
        elif (wrong := _wrong(archive, entries[file.name], file)) is not None:
            yield Fault(file.name, wrong)


def _small(
    archive: zipfile.ZipFile,
    entries: dict[str, zipfile.ZipInfo],
    name: str,
    largest: int,
    found: Finding,
) -> bytes | None:
    if name not in entries:
        found.faults.append(Fault(name, "is missing"))
        return None
    try:
        with archive.open(entries[name]) as stream:
            content = stream.read(largest + 1)
    except (zipfile.BadZipFile, NotImplementedError, EOFError, RuntimeError, _Unpack) as error:
        found.faults.append(Fault(name, f"cannot be read: {error}"))
        return None
    if len(content) > largest:
        found.faults.append(Fault(name, f"is larger than {largest} bytes"))
        return None
    return content


def _wrong(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, file: EvidenceFile | EvidenceFileV1
) -> str | None:
    """What is wrong with one file; ``None`` where it is as it was sealed."""
    if info.file_size != file.size:
        return f"is not {file.size} bytes long"
    digest, size = hashlib.sha256(), 0
    try:
        with archive.open(info) as stream:
            while chunk := stream.read(_CHUNK):
                size += len(chunk)
                if size > file.size:
                    return f"is longer than {file.size} bytes"
                digest.update(chunk)
    except (zipfile.BadZipFile, NotImplementedError, EOFError, RuntimeError, _Unpack) as error:
        return f"was changed: {error}"
    if size != file.size or digest.hexdigest() != file.sha256:
        return "is not what was sealed: its SHA-256 is not the manifest's"
    return None
