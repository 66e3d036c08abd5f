"""Is every byte of a zip accounted for? What stands between, before or after its files is not
seen by whoever unpacks it, and not covered by the manifest. And does everything that a header
says agree with the other places that say it? Then no changed byte goes unnoticed, also where it
changes nothing of what is unpacked.

A package is: its files one after the other from the first byte on, each behind its local
header; the list of contents; the end record, which is the end of the file. APPNOTE.TXT 6.3.
"""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Iterator, Sequence
from typing import BinaryIO, Final, NamedTuple

_LOCAL: Final = struct.Struct("<4s5H3L2H")
_CENTRAL: Final = struct.Struct("<4s6H3L5H2L")
_END: Final = struct.Struct("<4s4H2LH")
_ZIP64_RECORD: Final = struct.Struct("<4sQ2H2L4Q")
_ZIP64_LOCATOR: Final = struct.Struct("<4sLQL")
_SATURATED: Final = 0xFFFFFFFF
"""What stands in the place of a size that ZIP64 gives elsewhere."""
_OTHERWISE: Final = "is described otherwise in its own header"
_DESCRIPTOR: Final = b"PK\x07\x08"
_HAS_DESCRIPTOR: Final = 0x8
_HARMLESS_EXTRAS: Final = {0x0001: 28, 0x5455: 13, 0x7875: 15, 0x5855: 12, 0x000A: 36}
"""Extra fields with sizes, times and owners, and how long each may be. Nothing else hides
there."""
PACKAGE: Final = "package"


class Fault(NamedTuple):
    """What is wrong with which part of a package."""

    where: str
    what: str

    def __str__(self) -> str:
        return f"{printable(self.where)}: {printable(self.what)}"


def printable(text: str) -> str:
    """Names come out of a stranger's file and go to a terminal."""
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in text)[:200]


def faults(file: BinaryIO, archive: zipfile.ZipFile) -> Iterator[Fault]:
    """Every run of bytes that belongs to nothing, and headers that contradict the list."""
    size = file.seek(0, 2)
    at = 0
    for info in sorted(archive.infolist(), key=lambda info: info.header_offset):
        if info.header_offset > at:
            yield Fault(PACKAGE, _hidden(at, info.header_offset, f"before {info.filename!r}"))
        elif info.header_offset < at:
            yield Fault(info.filename, "overlaps the file before it")
        end, wrong = _entry_end(file, info)
        yield from wrong
        at = max(at, end)
    if archive.start_dir != at:
        where = (min(at, archive.start_dir), max(at, archive.start_dir))
        yield Fault(PACKAGE, _hidden(*where, "before the list of contents"))
    entries = archive.infolist()
    end, wrong = _listed(file, archive.start_dir, entries)
    yield from wrong
    yield from _tail(file, archive.start_dir, end, len(entries), size)
    for info in entries:
        if info.comment:
            yield Fault(info.filename, f"carries a comment of {len(info.comment)} bytes")
        yield from _extras(info.filename, info.extra)
    yield from _writers(entries)


def _hidden(start: int, stop: int, where: str) -> str:
    return f"hides {stop - start} bytes {where} (from byte {start})"


def _entry_end(file: BinaryIO, info: zipfile.ZipInfo) -> tuple[int, list[Fault]]:
    file.seek(info.header_offset)
    header = file.read(_LOCAL.size)
    if len(header) < _LOCAL.size or header[:4] != b"PK\x03\x04":
        return info.header_offset, [Fault(info.filename, "has no local header")]
    _, needed, flags, method, time, date, crc, packed, unpacked, name_size, extra_size = (
        _LOCAL.unpack(header)
    )
    name, extra = file.read(name_size), file.read(extra_size)
    wrong = list(_extras(info.filename, extra))
    if name != _name(info):
        wrong.append(Fault(info.filename, "has another name in its own header"))
    said = (needed, flags, method, time, date)
    if said != (_needed(info), info.flag_bits, info.compress_type, *_dos(info)):
        wrong.append(Fault(info.filename, _OTHERWISE))
    whole = (info.CRC, info.file_size, info.compress_size)
    end = info.header_offset + _LOCAL.size + name_size + extra_size + info.compress_size
    if flags & _HAS_DESCRIPTOR:
        file.seek(end)
        wide = (packed, unpacked) == (_SATURATED, _SATURATED) or _zip64(extra) is not None
        descriptor = struct.Struct("<LQQ" if wide else "<LLL")
        marked = file.read(4) == _DESCRIPTOR
        end += 4 if marked else 0
        file.seek(end)
        found = file.read(descriptor.size)
        end += descriptor.size
        if len(found) < descriptor.size or _crc_and_sizes(descriptor, found) != whole:
            wrong.append(Fault(info.filename, _OTHERWISE))
        return end, wrong
    sizes = _zip64_sizes(extra)
    if sizes is not None and (packed, unpacked) == (_SATURATED, _SATURATED):
        unpacked, packed = sizes
    if (crc, unpacked, packed) != whole:
        wrong.append(Fault(info.filename, _OTHERWISE))
    return end, wrong


def _crc_and_sizes(descriptor: struct.Struct, found: bytes) -> tuple[int, int, int]:
    crc, packed, unpacked = descriptor.unpack(found)
    return crc, unpacked, packed


def _name(info: zipfile.ZipInfo) -> bytes:
    """As written; its length in bytes is that of the encoding it came in."""
    return info.orig_filename.encode("utf-8" if info.flag_bits & 0x800 else "cp437")


def _needed(info: zipfile.ZipInfo) -> int:
    return info.extract_version | info.reserved << 8


def _dos(info: zipfile.ZipInfo) -> tuple[int, int]:
    year, month, day, hour, minute, second = info.date_time
    return hour << 11 | minute << 5 | second // 2, (year - 1980) << 9 | month << 5 | day


def _fields(extra: bytes) -> Iterator[tuple[int, bytes]]:
    while len(extra) >= 4:
        kind, size = struct.unpack_from("<HH", extra)
        if len(extra) < 4 + size:
            break
        yield kind, extra[4 : 4 + size]
        extra = extra[4 + size :]
    if extra:
        yield -1, extra


def _extras(name: str, extra: bytes) -> Iterator[Fault]:
    for kind, content in _fields(extra):
        if len(content) > _HARMLESS_EXTRAS.get(kind, -1):
            yield Fault(name, f"hides {len(content)} bytes in an extra field of its header")


def _zip64(extra: bytes) -> bytes | None:
    return next((content for kind, content in _fields(extra) if kind == 1), None)


def _zip64_sizes(extra: bytes) -> tuple[int, int] | None:
    content = _zip64(extra)
    if content is None or len(content) < 16:
        return None
    unpacked, packed = struct.unpack_from("<QQ", content)
    return int(unpacked), int(packed)


def _listed(file: BinaryIO, at: int, entries: Sequence[zipfile.ZipInfo]) -> tuple[int, list[Fault]]:
    """Where the list of contents ends, by what its own headers say."""
    wrong: list[Fault] = []
    for info in entries:
        file.seek(at)
        header = file.read(_CENTRAL.size)
        if len(header) < _CENTRAL.size:
            return at, [*wrong, Fault(PACKAGE, "its list of contents is cut off")]
        name, extra, comment, disk = _CENTRAL.unpack(header)[10:14]
        if (name, extra, comment) != (len(_name(info)), len(info.extra), len(info.comment)):
            wrong.append(Fault(info.filename, "is listed with other lengths than it has"))
        if disk:
            wrong.append(Fault(info.filename, "is listed as part of another disk"))
        at += _CENTRAL.size + name + extra + comment
    return at, wrong


def _tail(file: BinaryIO, start: int, at: int, count: int, size: int) -> Iterator[Fault]:
    """After the list of contents: at most ZIP64's two records, then the end record, then
    nothing."""
    length = at - start
    file.seek(at)
    records = file.read(_ZIP64_RECORD.size + _ZIP64_LOCATOR.size)
    if records[:4] == b"PK\x06\x06" and records[_ZIP64_RECORD.size :][:4] == b"PK\x06\x07":
        record = _ZIP64_RECORD.unpack_from(records)
        locator = _ZIP64_LOCATOR.unpack_from(records, _ZIP64_RECORD.size)
        told = (record[1], *record[4:], *locator[1:])
        if told != (_ZIP64_RECORD.size - 12, 0, 0, count, count, length, start, 0, at, 1):
            yield Fault(PACKAGE, "its end record is not that of its list of contents")
        at += len(records)
    file.seek(at)
    end = file.read(_END.size)
    if len(end) < _END.size or end[:4] != b"PK\x05\x06":
        yield Fault(PACKAGE, "hides bytes between the list of contents and the end record")
        return
    told = _END.unpack(end)[1:]
    if at + _END.size != size:
        yield Fault(PACKAGE, _hidden(at + _END.size, size, "after the end record"))
    elif told != (0, 0, count, count, length, start, 0):
        yield Fault(PACKAGE, "its end record is not that of its list of contents")


def _writers(entries: Sequence[zipfile.ZipInfo]) -> Iterator[Fault]:
    """One program wrote all of it: what nothing else tells (its version, the files' rights)
    is the same of each, or follows from what each needs."""
    told = {(info.create_system, info.internal_attr, info.external_attr) for info in entries}
    versions = {info.create_version for info in entries}
    if len(told) > 1 or (
        len(versions) > 1 and any(one.create_version != one.extract_version for one in entries)
    ):
        yield Fault(PACKAGE, "its files were not written by one program")
