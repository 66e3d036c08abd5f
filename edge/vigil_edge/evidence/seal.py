"""Writes the sealed zip: the same manifest and files give the same zip, byte for byte
(``vigil_schemas.evidence_zip``)."""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, ClassVar, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from vigil_schemas.errors import VigilError
from vigil_schemas.evidence import (
    MANIFEST_NAME,
    SIGNATURE_NAME,
    EvidenceFile,
    EvidenceManifest,
)
from vigil_schemas.evidence_zip import Entry, Layout, directory, joined, local_header

_CHUNK: Final = 256 * 1024


class EvidenceMismatch(VigilError):
    """The files are not those that the manifest lists."""

    code: ClassVar[str] = "evidence-mismatch"
    remedy: ClassVar[str] = "This is a mistake in the pipeline: report it with the message."


def seal(
    target: Path, manifest: EvidenceManifest, files: Mapping[str, Path], key: Ed25519PrivateKey
) -> None:
    """Write the zip. Raises ``EvidenceMismatch`` where a file differs from the manifest,
    ``OSError``."""
    if {entry.name for entry in manifest.files} != set(files):
        raise EvidenceMismatch("the manifest and the files given do not name the same files")
    listing = manifest.model_dump_json(exclude_none=True).encode()
    listed = sorted(manifest.files, key=lambda entry: entry.name)
    with target.open("wb") as sink:
        entries = [
            _text(sink, MANIFEST_NAME, listing),
            _text(sink, SIGNATURE_NAME, key.sign(listing)),
            *(_file(sink, entry, files[entry.name]) for entry in listed),
        ]
        for _, fields in directory(Layout(entries)):
            sink.write(joined(fields))


def _text(sink: BinaryIO, name: str, content: bytes) -> Entry:
    entry = Entry(name, len(content), zlib.crc32(content))
    sink.write(joined(local_header(entry)) + content)
    return entry


def _file(sink: BinaryIO, listed: EvidenceFile, path: Path) -> Entry:
    """Its header is written twice: the checksum is known only behind the content."""
    at = sink.tell()
    sink.write(joined(local_header(Entry(listed.name, listed.size))))
    digest, size, crc = hashlib.sha256(), 0, 0
    with path.open("rb") as source:
        while chunk := source.read(_CHUNK):
            digest.update(chunk)
            crc = zlib.crc32(chunk, crc)
            size += len(chunk)
            sink.write(chunk)
    if (digest.hexdigest(), size) != (listed.sha256, listed.size):
        raise EvidenceMismatch(f"{listed.name} changed after the manifest was written")
    entry = Entry(listed.name, size, crc)
    sink.seek(at)
    sink.write(joined(local_header(entry)))
    sink.seek(0, os.SEEK_END)
    return entry
