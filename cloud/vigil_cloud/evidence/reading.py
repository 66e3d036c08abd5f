"""One file out of a sealed zip in the object store, any part of it, without unpacking the zip."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator
from contextlib import closing
from typing import ClassVar, Final

from vigil_cloud.api_errors import ApiError
from vigil_cloud.objects.port import Objects

_BLOCK: Final = 256 * 1024
_RANGE: Final = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


class BadRange(ApiError):
    """The range lies outside of the file (RFC 9110 14.1.2)."""

    code: ClassVar[str] = "range-not-satisfiable"
    remedy: ClassVar[str] = "Ask for a range inside the file."
    status: ClassVar[int] = 416

    def __init__(self, size: int) -> None:
        super().__init__(f"The file is {size} bytes long.", {"Content-Range": f"bytes */{size}"})
        self.size = size


class StoredObject(io.RawIOBase):
    """An object of the store as a seekable file."""

    def __init__(self, objects: Objects, name: str) -> None:
        self._objects, self._name = objects, name
        self._size = objects.size(name)
        self._at = 0

    def readable(self) -> bool:
        """Always."""
        return True

    def seekable(self) -> bool:
        """Always."""
        return True

    def tell(self) -> int:
        """Where the next byte is read."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """As of any file; never before its beginning."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # typeshed's Buffer
        """Fill the buffer as far as the object goes. Raises what ``Objects.read`` raises."""
        length = min(len(buffer), self._size - self._at)
        if length <= 0:
            return 0
        filled = 0
        for chunk in self._objects.read(self._name, self._at, length):
            buffer[filled : filled + len(chunk)] = chunk
            filled += len(chunk)
        self._at += filled
        return filled


def requested(header: str | None, size: int) -> tuple[int, int] | None:
    """First and last byte asked for; ``None`` means the whole file.

    Several ranges at once are answered with the whole, as RFC 9110 allows. Raises ``BadRange``.
    """
    match = _RANGE.fullmatch(header.strip()) if header else None
    if match is None or not any(match.groups()):
        return None
    first, last = match.groups()
    if not first:
        start, end = max(0, size - int(last)), size - 1
    else:
        start, end = int(first), min(int(last), size - 1) if last else size - 1
        if last and int(last) < start:
            return None
    if start >= size or start > end:
        raise BadRange(size)
    return start, end


def content(objects: Objects, object_name: str, file: str, most: int) -> bytes:
    """A small file of the zip as a whole, cut off at ``most`` bytes."""
    return b"".join(stream(objects, object_name, file, 0, most))


def stream(
    objects: Objects, object_name: str, file: str, start: int, length: int
) -> Iterator[bytes]:
    """The bytes ``[start, start + length)`` of one file in the zip."""
    source = io.BufferedReader(StoredObject(objects, object_name), _BLOCK)
    with closing(source), zipfile.ZipFile(source) as archive, archive.open(file) as entry:
        entry.seek(start)
        left = length
        while left > 0 and (chunk := entry.read(min(_BLOCK, left))):
            left -= len(chunk)
            yield chunk
