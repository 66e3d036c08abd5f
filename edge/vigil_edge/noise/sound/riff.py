"""The chunks of a RIFF file, also where a writer forgot a pad byte or wrote a wrong length."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import BinaryIO, Final, NamedTuple

MOST_CHUNKS: Final = 10_000
"""No recorder writes more; a file of nothing but chunks must not be walked for ever."""
_NAME: Final = re.compile(rb"[A-Za-z][A-Za-z0-9_ ]{3}")
_TRAILING: Final = re.compile(rb"LIST|bext|iXML|axml|id3 |ID3 |cue |fact|JUNK|smpl|note|levl|afsp")
_TAIL_BYTES: Final = 1024 * 1024


class Chunk(NamedTuple):
    """``offset`` is that of its body; ``length`` is what its header says."""

    name: bytes
    offset: int
    length: int

    @property
    def end(self) -> int:
        """Where the next chunk would stand, unless this one is padded."""
        return self.offset + self.length


def chunk_at(stream: BinaryIO, at: int) -> Chunk | None:
    """What stands at this place, taken for a chunk; ``None`` at the end of the file."""
    stream.seek(at)
    head = stream.read(8)
    if len(head) < 8:
        return None
    name, length = struct.unpack("<4sI", head)
    return Chunk(name, at + 8, length)


def follows(stream: BinaryIO, chunk: Chunk, size: int) -> tuple[int, bool]:
    """Where the next chunk begins, and whether this one lacks the pad byte that RIFF asks for.

    A body of odd length is followed by one byte of padding; some writers leave it out.
    """
    end = chunk.end
    if not chunk.length & 1:
        return end, False
    if end + 1 >= size or _is_chunk(stream, end + 1, size) or not _is_chunk(stream, end, size):
        return end + 1, False
    return end, True


def trailing(stream: BinaryIO, at: int, size: int) -> Iterator[Chunk]:
    """The chunks from this place on, as long as what stands there can be one."""
    for _ in range(MOST_CHUNKS):
        if not _is_chunk(stream, at, size):
            return
        chunk = chunk_at(stream, at)
        if chunk is None:
            return
        yield chunk
        at, _ = follows(stream, chunk, size)


def end_of_sound(stream: BinaryIO, offset: int, size: int) -> int:
    """Where sound that begins at ``offset`` ends, going by the file and not by its header.

    That is the end of the file, or the first of the well-known chunks that lead up to it.
    """
    begin = max(offset, size - _TAIL_BYTES)
    stream.seek(begin)
    tail = stream.read(size - begin)
    for found in _TRAILING.finditer(tail):
        at = begin + found.start()
        ends = [follows(stream, chunk, size)[0] for chunk in trailing(stream, at, size)]
        if ends and size <= ends[-1] <= size + 1:
            return at
    return size


def _is_chunk(stream: BinaryIO, at: int, size: int) -> bool:
    """Whether a name and a length stand here that fit the file; sound may be cut short."""
    chunk = chunk_at(stream, at)
    if chunk is None or not _NAME.fullmatch(chunk.name):
        return False
    return chunk.end <= size or chunk.name == b"data"
