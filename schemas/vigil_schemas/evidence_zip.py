"""The zip of an evidence package, byte for byte, as its manifest's version 2 fixes it.

APPNOTE.TXT 6.3, and of the many ways in which it lets one write the same contents, one:

* ``manifest.json``, ``manifest.sig``, then the files by name, one behind the other from the first
  byte on, then the list of contents in the same order, then the end record;
* stored, with sizes and CRC-32 in the local header; no data descriptors, no extra fields, no
  comments, no ZIP64; names in ASCII;
* version needed 2.0, made by version 2.0 on Unix; dated 1980-01-01 00:00; rights 0644.

Pure: shared by who seals and who verifies.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from vigil_schemas.evidence import MANIFEST_NAME, SIGNATURE_NAME, EvidenceManifest

SIGNATURE_BYTES: Final = 64
_VERSION: Final = 20
_MADE_BY: Final = 3 << 8 | _VERSION
_DATE: Final = 1 << 5 | 1
_RIGHTS: Final = 0o100644 << 16


@dataclass(frozen=True, slots=True)
class HeaderField:
    """One field of a header: its name for people, and its little-endian bytes."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of the zip."""

    name: str
    size: int
    crc: int = 0


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything stands. Offsets and sizes in bytes."""

    entries: Sequence[Entry]

    def header_at(self, index: int) -> int:
        """Of an entry's local header."""
        before = self.entries[:index]
        return sum(_LOCAL_BYTES + len(entry.name) + entry.size for entry in before)

    def content_at(self, index: int) -> int:
        """Of an entry's first byte."""
        return self.header_at(index) + _LOCAL_BYTES + len(self.entries[index].name)

    @property
    def directory_at(self) -> int:
        """Of the list of contents."""
        return self.header_at(len(self.entries))

    @property
    def size(self) -> int:
        """Of the whole zip."""
        listed = sum(_CENTRAL_BYTES + len(entry.name) for entry in self.entries)
        return self.directory_at + listed + _END_BYTES


def layout(manifest: EvidenceManifest, manifest_bytes: int) -> Layout:
    """Of a package with this manifest, whose text is so long. CRCs are still 0."""
    return Layout(
        [
            Entry(MANIFEST_NAME, manifest_bytes),
            Entry(SIGNATURE_NAME, SIGNATURE_BYTES),
            *(
                Entry(file.name, file.size)
                for file in sorted(manifest.files, key=lambda file: file.name)
            ),
        ]
    )


def local_header(entry: Entry) -> list[HeaderField]:
    """What stands before an entry's content."""
    return [
        HeaderField("signature", b"PK\x03\x04"),
        *_common(entry),
        *_lengths(entry),
        _name(entry),
    ]


def central_header(entry: Entry, header_at: int) -> list[HeaderField]:
    """An entry's line in the list of contents."""
    return [
        HeaderField("signature", b"PK\x01\x02"),
        _short("version made by", _MADE_BY),
        *_common(entry),
        *_lengths(entry),
        _short("comment length", 0),
        _short("disk", 0),
        _short("internal attributes", 0),
        _long("external attributes", _RIGHTS),
        _long("offset", header_at),
        _name(entry),
    ]


def end_record(count: int, directory_at: int, end_at: int) -> list[HeaderField]:
    """The last bytes of the zip."""
    return [
        HeaderField("signature", b"PK\x05\x06"),
        _short("disk", 0),
        _short("disk of the list of contents", 0),
        _short("entries on this disk", count),
        _short("entries", count),
        _long("length of the list of contents", end_at - directory_at),
        _long("offset of the list of contents", directory_at),
        _short("comment length", 0),
    ]


def directory(found: Layout) -> Iterator[tuple[str | None, list[HeaderField]]]:
    """The list of contents, by entry's name, and the end record (``None``), in their order."""
    at = found.directory_at
    for index, entry in enumerate(found.entries):
        fields = central_header(entry, found.header_at(index))
        at += _CENTRAL_BYTES + len(entry.name)
        yield entry.name, fields
    yield None, end_record(len(found.entries), found.directory_at, at)


def joined(fields: Sequence[HeaderField]) -> bytes:
    """As they stand in the file."""
    return b"".join(field.content for field in fields)


def _common(entry: Entry) -> list[HeaderField]:
    return [
        _short("version needed", _VERSION),
        _short("flags", 0),
        _short("compression", 0),
        _short("time", 0),
        _short("date", _DATE),
        _long("CRC-32", entry.crc),
        _long("packed size", entry.size),
        _long("size", entry.size),
    ]


def _lengths(entry: Entry) -> list[HeaderField]:
    return [_short("name length", len(entry.name)), _short("extra length", 0)]


def _name(entry: Entry) -> HeaderField:
    return HeaderField("name", entry.name.encode("ascii"))


def _short(name: str, value: int) -> HeaderField:
    return HeaderField(name, struct.pack("<H", value))


def _long(name: str, value: int) -> HeaderField:
    return HeaderField(name, struct.pack("<L", value))


_LOCAL_BYTES: Final = len(joined(local_header(Entry("", 0))))
_CENTRAL_BYTES: Final = len(joined(central_header(Entry("", 0), 0)))
_END_BYTES: Final = len(joined(end_record(0, 0, 0)))
