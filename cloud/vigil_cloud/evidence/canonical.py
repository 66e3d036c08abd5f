"""Is a zip, byte for byte, the one that its manifest (version 2) fixes? It is built anew from the
manifest and the contents that are there, and compared: whatever differs is named by file, header
field and offset.

The manifest is looked for at its place, not by the zip's list of contents, so that a fault anywhere
else hides nothing. Memory is bounded: contents are read in pieces, each as long as the manifest
says.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Final

from vigil_cloud.evidence.layout import PACKAGE, Fault
from vigil_schemas.evidence import MANIFEST_NAME, SIGNATURE_NAME, EvidenceManifest
from vigil_schemas.evidence_zip import (
    SIGNATURE_BYTES,
    Entry,
    HeaderField,
    Layout,
    directory,
    joined,
    layout,
    local_header,
)

LARGEST_MANIFEST: Final = 256 * 1024
_TEXT_AT: Final = len(joined(local_header(Entry(MANIFEST_NAME, 0))))
_SEAL_HEADER: Final = len(joined(local_header(Entry(SIGNATURE_NAME, 0))))
_CRC_AT: Final = 14
_SIZES_AT: Final = 18
_CHUNK: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class Head:
    """Manifest and signature as they stand at the beginning of a file."""

    text: bytes
    seal: bytes
    text_crc: int
    """As its header says."""
    seal_crc: int

    @property
    def text_changed(self) -> bool:
        """Whether the manifest is not what its own header was written for."""
        return zlib.crc32(self.text) != self.text_crc

    @property
    def seal_changed(self) -> bool:
        """Whether the signature is not what its own header was written for."""
        return zlib.crc32(self.seal) != self.seal_crc

    @property
    def text_span(self) -> tuple[int, int]:
        """First byte of the manifest, and the one behind its last."""
        return _TEXT_AT, _TEXT_AT + len(self.text)

    @property
    def seal_span(self) -> tuple[int, int]:
        """Of the signature."""
        start = _TEXT_AT + len(self.text) + _SEAL_HEADER
        return start, start + SIGNATURE_BYTES


def head(file: BinaryIO) -> Head | None:
    """Where a manifest of version 2 stands at its place; ``None`` where none does."""
    file.seek(0)
    start = file.read(_TEXT_AT + LARGEST_MANIFEST + _SEAL_HEADER + SIGNATURE_BYTES)
    if len(start) < _TEXT_AT + _SEAL_HEADER:
        return None
    ends = [_TEXT_AT + size for size in struct.unpack_from("<2L", start, _SIZES_AT)]
    # Both sizes or this may be what was changed.
    ends.append(start.find(SIGNATURE_NAME.encode()) - (_SEAL_HEADER - len(SIGNATURE_NAME)))
    for end in dict.fromkeys(ends):
        text = start[_TEXT_AT:end]
        if _TEXT_AT < end <= len(start) - _SEAL_HEADER and version_of(text) == 2:
            seal = start[end + _SEAL_HEADER :][:SIGNATURE_BYTES]
            return Head(text, seal, _long(start, _CRC_AT), _long(start, end + _CRC_AT))
    return None


def version_of(text: bytes) -> object:
    """What a manifest says of its version; ``None`` where it is no JSON object."""
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return said.get("version") if isinstance(said, dict) else None


def faults(
    file: BinaryIO, size: int, head: Head, manifest: EvidenceManifest, *, sealed: bool
) -> Iterator[Fault]:
    """Everything in which the file is not the zip of its manifest. ``size``: of the file.
    ``sealed``: the signature holds."""
    planned = layout(manifest, len(head.text))
    found = _compared(file, min(size, planned.size), planned, head, manifest, sealed=sealed)
    if size != planned.size:
        yield Fault(PACKAGE, _other_size(size, planned.size))
        # Behind a byte that was taken out or put in nothing is where it belongs.
        found = itertools.islice(found, 1)
    yield from found


def difference(file: BinaryIO, size: int) -> str:
    """Of a zip with a manifest of version 2 that is not at its place."""
    file.seek(0)
    wanted = joined(local_header(Entry(MANIFEST_NAME, 0)))
    start = file.read(len(wanted))
    at = _first_difference(start, wanted)
    return f"is not the zip that a manifest of version 2 fixes, from byte {at} of {size} on"


def _other_size(size: int, planned: int) -> str:
    if size < planned:
        return f"is torn: {size} of its {planned} bytes are there"
    return f"is {size} bytes long instead of {planned}: {size - planned} do not belong to it"


def _compared(
    file: BinaryIO,
    size: int,
    planned: Layout,
    head: Head,
    manifest: EvidenceManifest,
    *,
    sealed: bool,
) -> Iterator[Fault]:
    """Up to ``size``."""
    digests = {one.name: one.sha256 for one in manifest.files}
    entries = [
        _with_crc(planned.entries[0], zlib.crc32(head.text) if sealed else head.text_crc),
        _with_crc(planned.entries[1], zlib.crc32(head.seal) if sealed else head.seal_crc),
    ]
    for index, entry in enumerate(planned.entries):
        at, start = planned.header_at(index), planned.content_at(index)
        if start + entry.size > size:
            return
        if index >= len(entries):
            digest, crc = _digests(file, start, entry.size)
            if digest != digests[entry.name]:
                span = f"bytes {start} to {start + entry.size - 1} of the package"
                yield Fault(
                    entry.name,
                    f"is not what was sealed: its SHA-256 is not the manifest's ({span})",
                )
                crc = _long(_read(file, at + _CRC_AT, 4), 0)
            entries.append(_with_crc(entry, crc))
        yield from _fields(file, at, local_header(entries[index]), entry.name, "its header")
    yield from _directory(file, size, Layout(entries))


def _directory(file: BinaryIO, size: int, found: Layout) -> Iterator[Fault]:
    at = found.directory_at
    for name, fields in directory(found):
        end = at + len(joined(fields))
        if end > size:
            return
        what = "its line in the list of contents" if name else "its end record"
        yield from _fields(file, at, fields, name or PACKAGE, what)
        at = end


def _fields(
    file: BinaryIO, at: int, wanted: Sequence[HeaderField], name: str, what: str
) -> Iterator[Fault]:
    there = _read(file, at, len(joined(wanted)))
    first = 0
    for field in wanted:
        last = first + len(field.content)
        if there[first:last] != field.content:
            byte = at + first + _first_difference(there[first:last], field.content)
            yield Fault(name, f"{what} has another {field.name} (byte {byte} of the package)")
        first = last


def _first_difference(there: bytes, wanted: bytes) -> int:
    pairs = enumerate(zip(there, wanted, strict=False))
    return next((index for index, (one, other) in pairs if one != other), len(there))


def _digests(file: BinaryIO, start: int, size: int) -> tuple[str, int]:
    """SHA-256 and CRC-32 of a part of the file."""
    digest, crc = hashlib.sha256(), 0
    file.seek(start)
    while size > 0 and (chunk := file.read(min(_CHUNK, size))):
        size -= len(chunk)
        digest.update(chunk)
        crc = zlib.crc32(chunk, crc)
    return digest.hexdigest(), crc


def _read(file: BinaryIO, at: int, size: int) -> bytes:
    file.seek(at)
    return file.read(size)


def _with_crc(entry: Entry, crc: int) -> Entry:
    return Entry(entry.name, entry.size, crc)


def _long(content: bytes, at: int) -> int:
    (value,) = struct.unpack_from("<L", content, at)
    return int(value)
