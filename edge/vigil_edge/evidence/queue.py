"""Evidence: sealed, and queued on disk for its upload.

The seal is the contract's (``vigil_schemas.evidence``): a zip of the files, of
``manifest.json`` with their digests, and of ``manifest.sig``, an Ed25519 signature
over the manifest's bytes. The same files and manifest give the same zip, byte for
byte: stored uncompressed, sorted, with a fixed date. A folder is the queue.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import ClassVar, Final

import structlog
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from vigil_schemas.errors import VigilError
from vigil_schemas.evidence import (
    MANIFEST_NAME,
    SIGNATURE_NAME,
    EvidenceManifest,
    EvidenceReference,
)

_DATE: Final = (1980, 1, 1, 0, 0, 0)
_ANSWER: Final = ".answer"
_CHUNK: Final = 256 * 1024

_log = structlog.get_logger("evidence")


class EvidenceMismatch(VigilError):
    """The files are not those that the manifest lists."""

    code: ClassVar[str] = "evidence-mismatch"
    remedy: ClassVar[str] = "This is a mistake in the pipeline: report it with the message."


class EvidenceFull(VigilError):
    """No room for more evidence; the event can still be sent without it."""

    code: ClassVar[str] = "evidence-full"
    remedy: ClassVar[str] = (
        "Let the gateway reach the cloud so that its queue drains, or raise `[evidence] "
        "max_megabytes`."
    )


class EvidenceUnwritable(VigilError):
    """The disk refused the evidence; the event can still be sent without it."""

    code: ClassVar[str] = "evidence-unwritable"
    remedy: ClassVar[str] = "Free or replace the gateway's disk."


class EvidenceKeyMissing(VigilError):
    """There is no sealing key that could be read."""

    code: ClassVar[str] = "evidence-key-missing"
    remedy: ClassVar[str] = (
        "Restore the key from a backup of `data_dir`, or delete the rest of it so that a new "
        "one is made."
    )


KEY_NAME: Final = "evidence-key.pem"
"""The sealing key's file in the gateway's data folder."""


def public_key_of(folder: Path) -> str:
    """The public half of the key in a data folder, hexadecimal; makes none.

    Raises ``EvidenceKeyMissing``, ``OSError``.
    """
    path = folder / KEY_NAME
    if not path.exists():
        raise EvidenceKeyMissing(f"{path}: no key yet; the agent makes it at its first start")
    key = _read_key(path)
    if key is None:
        raise EvidenceKeyMissing(f"{path}: this is no key; the agent replaces it at its next start")
    return public_hex(key)


def load_key(path: Path, put_aside: Callable[[Path], None]) -> Ed25519PrivateKey:
    """This gateway's sealing key; made at the first start, readable by its owner alone.

    One that cannot be read any more is renamed, told of through ``put_aside``, and replaced:
    a gateway without evidence is better than none. Raises ``OSError`` for the disk.
    """
    if path.exists():
        key = _read_key(path)
        if key is not None:
            return key
        aside = path.with_name(f"{path.name}.damaged")
        path.rename(aside)
        put_aside(aside)
    return _new_key(path)


def _read_key(path: Path) -> Ed25519PrivateKey | None:
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, Ed25519PrivateKey) else None


def _new_key(path: Path) -> Ed25519PrivateKey:
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(pem)
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)
    _folder_to_disk(path.parent)
    return key


def public_hex(key: Ed25519PrivateKey) -> str:
    """Raw public key, as a birth message carries it."""
    return key.public_key().public_bytes_raw().hex()


def seal(
    target: Path, manifest: EvidenceManifest, files: Mapping[str, Path], key: Ed25519PrivateKey
) -> None:
    """Write the zip. Raises ``EvidenceMismatch`` where a file differs from the manifest."""
    if {entry.name for entry in manifest.files} != set(files):
        raise EvidenceMismatch("the manifest and the files given do not name the same files")
    listing = manifest.model_dump_json(exclude_none=True).encode()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(_entry(MANIFEST_NAME), listing)
        archive.writestr(_entry(SIGNATURE_NAME), key.sign(listing))
        for entry in sorted(manifest.files, key=lambda entry: entry.name):
            digest = hashlib.sha256()
            size = 0
            with (
                files[entry.name].open("rb") as source,
                archive.open(_entry(entry.name), "w", force_zip64=True) as sink,
            ):
                while chunk := source.read(_CHUNK):
                    digest.update(chunk)
                    size += len(chunk)
                    sink.write(chunk)
            if (digest.hexdigest(), size) != (entry.sha256, entry.size):
                raise EvidenceMismatch(f"{entry.name} changed after the manifest was written")


def _entry(name: str) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, date_time=_DATE)
    info.create_system = 3
    info.external_attr = 0o644 << 16
    return info


class EvidenceQueue:
    """Sealed zips in a folder, each named by its digest; what is refused moves to ``refused/``."""

    def __init__(
        self,
        folder: Path,
        key: Ed25519PrivateKey,
        max_bytes: int,
        count: Callable[[str], None],
    ) -> None:
        self._count = count
        self.folder = folder
        self.refused = folder / "refused"
        self.key = key
        self.max_bytes = max_bytes
        self.added = asyncio.Event()
        self.refused.mkdir(parents=True, exist_ok=True)
        for path in self.refused.glob("*.zip"):
            # Put aside before answers were kept, perhaps for a reason that passed: once more.
            if not path.with_suffix(_ANSWER).exists():
                path.rename(folder / path.name)
        for draft in folder.glob("*.part"):  # a crash cut these short; their events were not sent
            draft.unlink()

    async def deposit(
        self, manifest: EvidenceManifest, files: Mapping[str, Path]
    ) -> EvidenceReference:
        """As ``PipelineContext.deposit``.

        Raises ``EvidenceFull``, ``EvidenceMismatch``, ``EvidenceUnwritable``.
        """
        reference = await asyncio.to_thread(self._deposit, manifest, dict(files))
        self.added.set()
        return reference

    def _deposit(self, manifest: EvidenceManifest, files: Mapping[str, Path]) -> EvidenceReference:
        draft = self.folder / f"{manifest.evidence_id}-{manifest.device}.part"
        try:
            self._make_room(sum(entry.size for entry in manifest.files))
            seal(draft, manifest, files, self.key)
            with draft.open("rb") as sealed:
                sha256 = hashlib.file_digest(sealed, "sha256").hexdigest()
                os.fsync(sealed.fileno())
            reference = EvidenceReference(sha256=sha256, size=draft.stat().st_size)
            draft.rename(self.folder / f"{sha256}.zip")
            _folder_to_disk(self.folder)
        except OSError as error:
            raise EvidenceUnwritable(f"evidence could not be written: {error}") from error
        finally:
            draft.unlink(missing_ok=True)
        return reference

    def _make_room(self, size: int) -> None:
        excess = sum(map(_size, self.folder.rglob("*.zip"))) + size - self.max_bytes
        for path in sorted(self.refused.glob("*.zip"), key=_age):
            if excess <= 0:
                break
            excess -= _size(path)
            path.unlink()
            # A case that nobody can look at any more: counted in health, named in the log.
            self._count("evidence-refused-deleted")
            _log.error(
                "refused evidence was deleted to make room",
                code="evidence-refused-deleted",
                sha256=path.stem,
                answer=_answer(path),
            )
            path.with_suffix(_ANSWER).unlink(missing_ok=True)
        if excess > 0:
            raise EvidenceFull(
                "evidence that waits for its upload fills its share of the disk; "
                "mend the connection to the cloud or raise [evidence] max_megabytes"
            )

    def waiting(self) -> list[Path]:
        """What is to be uploaded, oldest first."""
        return sorted(self.folder.glob("*.zip"), key=_age)

    def refuse(self, path: Path, answer: str) -> None:
        """The cloud will never take it: keep it, and why, for a person to look at.

        Whoever has mended the reason moves the zip back into the folder above.
        """
        (self.refused / path.name).with_suffix(_ANSWER).write_text(answer or "no reason", "utf-8")
        path.rename(self.refused / path.name)

    def refused_count(self) -> int:
        """Packages that the cloud refused and that are kept here."""
        return sum(1 for _ in self.refused.glob("*.zip"))


def _answer(path: Path) -> str:
    """Why the cloud refused it, as far as that was kept."""
    try:
        return path.with_suffix(_ANSWER).read_text("utf-8")[:400]
    except OSError:
        return ""


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _age(path: Path) -> tuple[float, str]:
    try:
        return path.stat().st_mtime, path.name
    except FileNotFoundError:
        return 0.0, path.name


def _folder_to_disk(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
