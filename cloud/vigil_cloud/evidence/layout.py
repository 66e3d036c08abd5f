"""Is every byte of a zip accounted for? What stands between, before or after its files is not
seen by whoever unpacks it, and not covered by the manifest.

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
_ZIP64_RECORD: Final = 56
_ZIP64_LOCATOR: Final = 20
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
    end = archive.start_dir + _central_size(archive.infolist())
    yield from _tail(file, end, size)
    for info in archive.infolist():
        if info.comment:
            yield Fault(info.filename, f"carries a comment of {len(info.comment)} bytes")
        yield from _extras(info.filename, info.extra)


def _hidden(start: int, stop: int, where: str) -> str:
    return f"hides {stop - start} bytes {where} (from byte {start})"


def _entry_end(file: BinaryIO, info: zipfile.ZipInfo) -> tuple[int, list[Fault]]:
    file.seek(info.header_offset)
    header = file.read(_LOCAL.size)
    if len(header) < _LOCAL.size or header[:4] != b"PK\x03\x04":
        return info.header_offset, [Fault(info.filename, "has no local header")]
    (_, _, flags, method, time, date, crc, packed, unpacked, name_size, extra_size) = _LOCAL.unpack(
        header
    )
    name, extra = file.read(name_size), file.read(extra_size)
    wrong = list(_extras(info.filename, extra))
    if name != info.orig_filename.encode("utf-8" if flags & 0x800 else "cp437"):
        wrong.append(Fault(info.filename, "has another name in its own header"))
    if (flags, method) != (info.flag_bits, info.compress_type) or (time, date) != _dos(info):
        wrong.append(Fault(info.filename, "is described otherwise in its own header"))
    end = info.header_offset + _LOCAL.size + name_size + extra_size + info.compress_size
    if flags & _HAS_DESCRIPTOR:
        file.seek(end)
        sizes = 8 if 0xFFFFFFFF not in (packed, unpacked) and not _zip64(extra) else 16
        end += 4 + sizes + (4 if file.read(4) == _DESCRIPTOR else 0)
        return end, wrong
    if 0xFFFFFFFF not in (packed, unpacked):
        if (crc, packed, unpacked) != (info.CRC, info.compress_size, info.file_size):
            wrong.append(Fault(info.filename, "is described otherwise in its own header"))
    elif _zip64_sizes(extra) != (info.file_size, info.compress_size) or crc != info.CRC:
        wrong.append(Fault(info.filename, "is described otherwise in its own header"))
    return end, wrong


def _dos(info: zipfile.ZipInfo) -> tuple[int, int]:
    year, month, day, hour, minute, second = info.date_time
    return hour << 11 | minute << 5 | second // 2, (year - 1980) << 9 | month << 5 | day


def _fields(extra: bytes) -> Iterator[tuple[int, bytes]]:
    while len(extra) >= 4:
        kind, size = struct.unpack_from("<HH", extra)
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


def _central_size(entries: Sequence[zipfile.ZipInfo]) -> int:
    # ``orig_filename`` is as written; its length in bytes is that of the encoding it came in.
    return sum(
        _CENTRAL.size
        + len(info.orig_filename.encode("utf-8" if info.flag_bits & 0x800 else "cp437"))
        + len(info.extra)
        + len(info.comment)
        for info in entries
    )


def _tail(file: BinaryIO, at: int, size: int) -> Iterator[Fault]:
    """After the list of contents: at most ZIP64's two records, then the end record, then
    nothing."""
    file.seek(at)
    records = file.read(_ZIP64_RECORD + _ZIP64_LOCATOR)
    if records[:4] == b"PK\x06\x06" and records[_ZIP64_RECORD:][:4] == b"PK\x06\x07":
        if struct.unpack_from("<Q", records, 4)[0] != _ZIP64_RECORD - 12:
            yield Fault(PACKAGE, "hides bytes in the end record")
        at += _ZIP64_RECORD + _ZIP64_LOCATOR
    file.seek(at)
    end = file.read(_END.size)
    if end[:4] != b"PK\x05\x06":
        yield Fault(PACKAGE, "hides bytes between the list of contents and the end record")
    elif at + _END.size != size:
        yield Fault(PACKAGE, _hidden(at + _END.size, size, "after the end record"))
