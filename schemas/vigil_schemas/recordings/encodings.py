"""In which encoding a text file is written, where nothing in it says so. Pure but for reading.

A file with a byte-order mark, or one that is UTF-8 throughout, says so itself. What else
there is in this trade: UTF-16 without a mark, Big5 (spreadsheets in Taiwan), and cp1252
(a degree sign written by an old logger). A general detector needs more text than a table
with a dozen Chinese words in its header has, so this one knows only these.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from contextlib import closing
from typing import Final, NamedTuple, Protocol

_BOMS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
    (codecs.BOM_UTF8, "utf-8-sig"),
)
_CHUNK: Final = 1 << 20
_HEAD: Final = 4096
_SAMPLE: Final = 1 << 17
_SIGNS: Final = frozenset(b"\xa0\xb0\xb1\xb2\xb3\xb4\xb5\xb7\xba\x96\x97")
"""°, ±, ², ³, µ and their neighbours in cp1252."""
_BIG5_CHARACTER: Final = rb"[\x81-\xfe][\x40-\x7e\xa1-\xfe]"
_BIG5: Final = re.compile(_BIG5_CHARACTER)
_BIG5_WORD: Final = re.compile(rb"(?:" + _BIG5_CHARACTER + rb"){2,}")
_COMMON: Final = range(0xA1, 0xC7)
"""Lead bytes of Big5's punctuation and of its 5,401 frequent characters."""
_COMMON_SHARE: Final = 0.8
_WRITTEN: Final = {
    **{"big5": "cp950", "gb2312": "gb18030", "gbk": "gb18030"},
    **{"shift_jis": "cp932", "euc_kr": "cp949"},
}


class Encoding(NamedTuple):
    """The codec's name, and whether the file itself leaves no other."""

    name: str
    certain: bool


class Bytes(Protocol):
    """What is read of a file, packed or not."""

    def read(self, size: int, /) -> bytes:
        """The next bytes."""

    def close(self) -> None:
        """Let go of it."""


def detect(opened: Callable[[], Bytes]) -> Encoding:
    """``opened`` gives the bytes from their start, each time it is called."""
    with closing(opened()) as data:
        head = data.read(_HEAD)
    for mark, name in _BOMS:
        if head.startswith(mark):
            return Encoding(name, certain=True)
    for first, name in ((1, "utf-16-le"), (0, "utf-16-be")):
        if _zeros(head[first::2]) > 0.3 and _zeros(head[1 - first :: 2]) < 0.05:
            return Encoding(name, certain=False)
    strange = _not_utf8(opened)
    if strange is None:
        return Encoding("utf-8-sig", certain=True)
    return Encoding(_legacy(strange), certain=False)


def known(name: str) -> str | None:
    """The codec's own name, or ``None`` where there is no such text encoding.

    Of a national standard it is that of what spreadsheets write under its name, which has more
    characters."""
    try:
        b"a".decode(name, "replace")
        own = codecs.lookup(name).name
        return _WRITTEN.get(own, own)
    except (LookupError, ValueError):
        return None


def _zeros(data: bytes) -> float:
    return data.count(0) / len(data) if data else 0.0


def _not_utf8(opened: Callable[[], Bytes]) -> bytes | None:
    """Some of the lines with bytes beyond ASCII, or ``None`` where all of it is UTF-8."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    with closing(opened()) as data:
        try:
            while chunk := data.read(_CHUNK):
                decoder.decode(chunk)
            decoder.decode(b"", final=True)
            return None
        except UnicodeDecodeError:
            pass
    found = bytearray()
    with closing(opened()) as data:
        while len(found) < _SAMPLE and (chunk := data.read(_CHUNK)):
            found += b"\n".join(line for line in chunk.split(b"\n") if not line.isascii())
    return bytes(found)


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode()
    except UnicodeDecodeError:
        return False
    return True


def _legacy(lines: bytes) -> str:
    each = [line for line in lines.split(b"\n") if line]
    if 2 * sum(_is_utf8(line) for line in each) > len(each):
        return "utf-8-sig"  # and a few broken bytes
    high = {byte for byte in lines if byte >= 0x80}
    if not high <= _SIGNS and _BIG5_WORD.search(lines):
        # Each once: the rare character of a place's name stands in every row.
        characters = set(_BIG5.findall(lines))
        common = sum(character[0] in _COMMON for character in characters)
        if common >= _COMMON_SHARE * len(characters):
            return "cp950"
    return "cp1252"
