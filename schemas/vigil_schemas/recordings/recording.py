"""A table of readings in a text file: any line end, packed or not, none of its rows left out."""

from __future__ import annotations

import csv
import gzip
import io
import os
import re
import shutil
import stat
import tempfile
import unicodedata
import zlib
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import IO, Final, NamedTuple

from vigil_schemas.recordings.encodings import detect, known
from vigil_schemas.recordings.errors import (
    ColumnAmbiguous,
    ColumnUnknown,
    OptionWrong,
    RecordingEmpty,
    RecordingUnreadable,
)

_GZIP_MAGIC: Final = b"\x1f\x8b"
_DELIMITERS: Final = ",;\t|"
_CHUNK: Final = 1 << 20
_LINES_IN_A_CELL: Final = 20
_LINE_LIMIT: Final = 1 << 20
"""Characters. What has longer lines is no table, and must not be taken into memory whole."""
_PREFACE_LINES: Final = 50
_NO_TABLES: Final = {
    b"PK\x03\x04": "it is a spreadsheet (or a ZIP) and no text",
    b"\xd0\xcf\x11\xe0": "it is an old spreadsheet and no text",
}
"""By how the file begins."""
_PIECE: Final = 1 << 18
"""Characters that are taken into memory at once."""
_FIRST_PIECE: Final = 1 << 12
"""Where the rows that are no readings stand, as a rule."""
_ROWS: Final = 4096
_NUMBERED: Final = re.compile(r"(.+)#(\d{1,3})")


class Piece(NamedTuple):
    """Rows that follow each other, with the numbers of their lines."""

    numbers: Sequence[int]
    rows: list[list[str]]

    def halves(self) -> tuple[Piece, Piece]:
        """The same rows in two."""
        half = len(self.rows) // 2
        return Piece(self.numbers[:half], self.rows[:half]), Piece(
            self.numbers[half:], self.rows[half:]
        )


class Recording:
    """A file that is read from the start as often as needed, row by row.

    The header is the first line that has all of ``columns`` (loggers write a preface), or
    where none has, the first with anything on it but a remark.

    ``encoding`` is found out where none is given. Raises ``RecordingUnreadable`` where the
    file cannot be opened or, for a packed one, is broken anywhere; ``RecordingEmpty`` where
    it has no header; ``OptionWrong`` where there is no such encoding.
    """

    def __init__(
        self, path: Path, columns: Sequence[str] = (), encoding: str | None = None
    ) -> None:
        self.path = path
        self.preface: list[str] = []
        """The lines before the header."""
        self._copy: IO[bytes] | None = None
        self._reading: io.BufferedReader | None = None
        """The file in the present pass."""
        try:
            self._source = self._seekable()
            with self._source.open("rb") as file:
                head = file.read(4)
        except OSError as error:
            raise self._unreadable(error) from error
        self._packed = head.startswith(_GZIP_MAGIC)
        try:
            if head in _NO_TABLES:
                raise RecordingUnreadable(path, f"{_NO_TABLES[head]}: save the table as CSV")
            self._check_whole()
            self.encoding, self.encoding_certain = self._find_encoding(encoding)
            self._strict = encoding is not None
            self.header, self._delimiter, self._skip = self._read_header(columns)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go of what was copied from a pipe."""
        if self._copy is not None:
            self._copy.close()

    @property
    def delimiter(self) -> str:
        """What stands between two cells."""
        return self._delimiter

    def has(self, name: str) -> bool:
        """Whether there is such a column, or several."""
        return bool(_places(self.header, name))

    def column(self, name: str) -> int:
        """Its index; capitals, spaces and a unit in brackets only matter where several differ
        in nothing else. ``Temp#2`` is the second of that name.

        Raises ``ColumnUnknown``; ``ColumnAmbiguous`` where several have the name and not the
        same cells.
        """
        found = _places(self.header, name)
        if len(found) > 1:
            self._check_same(name, found)
        if found:
            return found[0]
        hint = ""
        if not self.encoding_certain:
            hint = f" (read as {self.encoding}; --encoding big5, gb18030 or another says otherwise)"
        raise ColumnUnknown(self.path, name, self.header, hint)

    def _check_same(self, name: str, places: list[int]) -> None:
        for number, cells in self.rows():
            if len({cells[at] for at in places if at < len(cells)}) > 1:
                raise ColumnAmbiguous(self.path, name, [at + 1 for at in places], number)

    def rows(self) -> Iterator[tuple[int, list[str]]]:
        """Line number and cells of each row; a line with nothing on it is not a row."""
        return self._rows(enumerate(self._lines(), 1))

    def pieces(self) -> Iterator[Piece]:
        """The same rows, many at once."""
        with self._text() as text:
            number, rest, size = 0, "", _FIRST_PIECE
            while part := text.read(size):
                lines = (rest + part).split("\n")
                rest, size = lines.pop(), _PIECE
                if len(rest) > _LINE_LIMIT:
                    raise self._no_table(number + len(lines) + 1)
                if '"' in part and any(line.count('"') % 2 for line in lines):
                    ahead = chain(lines, self._ends(text, rest))
                    yield from self._one_by_one(enumerate((f"{x}\n" for x in ahead), number + 1))
                    return
                yield self._piece(range(number + 1, number + 1 + len(lines)), lines)
                number += len(lines)
            yield self._piece(range(number + 1, number + 2), [rest])

    @property
    def progress(self) -> float:
        """How much of the file the present pass has read, from 0 to 1."""
        return 0.0 if self._reading is None else min(self._reading.tell() / self._size, 1.0)

    def _piece(self, numbers: Sequence[int], lines: list[str]) -> Piece:
        skipped = max(min(self._skip + 1 - numbers[0], len(lines)), 0) if lines else 0
        numbers, lines = numbers[skipped:], lines[skipped:]
        if not all(lines) or any(map(str.isspace, lines)):
            there = [at for at, line in enumerate(lines) if line.strip(" ")]
            numbers, lines = [numbers[at] for at in there], [lines[at] for at in there]
        delimiter, rows = self._delimiter, list[list[str]]()
        if '"' in "".join(lines):
            rows = _all_quoted(lines, delimiter)
        else:
            rows = [line.split(delimiter) for line in lines]
        return Piece(numbers, rows)

    def _one_by_one(self, lines: Iterator[tuple[int, str]]) -> Iterator[Piece]:
        rows = self._rows(lines)
        while some := list(islice(rows, _ROWS)):
            yield Piece([number for number, _ in some], [cells for _, cells in some])

    def _ends(self, text: io.TextIOWrapper, rest: str) -> Iterator[str]:
        """The lines that are not read yet, without their ends; ``rest`` begins the first."""
        while line := text.readline(_LINE_LIMIT):
            if len(line) == _LINE_LIMIT:
                raise self._no_table(None)
            yield rest + line.rstrip("\n")
            rest = ""
        if rest:
            yield rest

    def _rows(self, lines: Iterator[tuple[int, str]]) -> Iterator[tuple[int, list[str]]]:
        delimiter = self._delimiter
        ahead: deque[tuple[int, str]] = deque()
        while (numbered := ahead.popleft() if ahead else next(lines, None)) is not None:
            number, line = numbered
            if number <= self._skip or not line.strip(" \n"):
                continue
            if '"' not in line:
                yield number, line.rstrip("\n").split(delimiter)
                continue
            if line.count('"') % 2:
                line = self._continued(line, ahead, lines)
            yield number, _quoted(line, delimiter)

    def _continued(
        self, line: str, ahead: deque[tuple[int, str]], lines: Iterator[tuple[int, str]]
    ) -> str:
        """With the lines that its open quotation goes on over, such as a remark of two lines.

        Only where they make one row together and not each alone, so that a stray
        quotation mark cannot swallow the rows after it. What was read and does not
        belong to it is left in ``ahead``.
        """
        parts = [line]
        for at in range(_LINES_IN_A_CELL):
            if at == len(ahead) and (numbered := next(lines, None)) is not None:
                ahead.append(numbered)
            if at >= len(ahead):
                break
            parts.append(ahead[at][1])
            if parts[-1].count('"') % 2:
                break
        columns = len(self.header)
        joined = "".join(parts)
        alone = all(len(_quoted(part, self._delimiter)) == columns for part in parts)
        if joined.count('"') % 2 or alone or len(_quoted(joined, self._delimiter)) != columns:
            return line
        for _ in parts[1:]:
            ahead.popleft()
        return joined

    def _lines(self) -> Iterator[str]:
        """With every kind of line end made one."""
        with self._text() as text:
            number = 0
            while line := text.readline(_LINE_LIMIT):
                number += 1
                if len(line) == _LINE_LIMIT and not line.endswith("\n"):
                    raise self._no_table(number)
                yield line

    def _no_table(self, line: int | None) -> RecordingUnreadable:
        which = "a line" if line is None else f"line {line}"
        return RecordingUnreadable(
            self.path, f"{which} has more than {_LINE_LIMIT} characters; this is no table"
        )

    @contextmanager
    def _text(self) -> Iterator[io.TextIOWrapper]:
        """The file from its start. Raises ``RecordingUnreadable``, also of what is done with it."""
        errors, outer = "strict" if self._strict else "replace", self._reading
        try:
            with (
                self._source.open("rb") as file,
                self._unpacked(file) as data,
                io.TextIOWrapper(data, encoding=self.encoding, errors=errors) as text,
            ):
                self._size, self._reading = os.fstat(file.fileno()).st_size or 1, file
                yield text
        except UnicodeError as error:
            raise RecordingUnreadable(
                self.path,
                f"its bytes are not {self.encoding}: {error}; without --encoding it is found out",
            ) from error
        except (OSError, EOFError, zlib.error) as error:
            raise self._unreadable(error) from error
        finally:
            self._reading = outer

    def _unpacked(self, file: io.BufferedReader) -> gzip.GzipFile | io.BufferedReader:
        return gzip.GzipFile(fileobj=file) if self._packed else file

    def _bytes(self) -> gzip.GzipFile | io.BufferedReader:
        return gzip.open(self._source) if self._packed else self._source.open("rb")

    def _check_whole(self) -> None:
        """A packed file that breaks off in the middle is told of before its first row."""
        if not self._packed:
            return
        try:
            with self._bytes() as packed:
                while packed.read(_CHUNK):
                    pass
        except (OSError, EOFError, zlib.error) as error:
            raise self._unreadable(error) from error

    def _find_encoding(self, wanted: str | None) -> tuple[str, bool]:
        if wanted is not None:
            name = known(wanted)
            if name is None:
                raise OptionWrong(
                    f"--encoding: {wanted!r} is not known; such as utf-8, big5, cp1252, utf-16"
                )
            return ("utf-8-sig" if name == "utf-8" else name), True
        try:
            return detect(self._bytes)
        except (OSError, EOFError, zlib.error) as error:
            raise self._unreadable(error) from error

    def _read_header(self, columns: Sequence[str]) -> tuple[list[str], str, int]:
        first: tuple[list[str], str, int] | None = None
        most = -1
        for number, line in enumerate(self._lines(), 1):
            if line.strip() and not line.startswith("#"):
                delimiter = max(_DELIMITERS, key=line.count)
                cells = [cell.strip() for cell in _quoted(line, delimiter)]
                if all(_present(cells, name) for name in columns):
                    return cells, delimiter, number
                there = sum(_present(cells, name) for name in columns)
                if first is None or there > most:
                    first, most = (cells, delimiter, number), there
            self.preface.append(line.strip())
            if first is not None and number >= _PREFACE_LINES:
                break
        if first is not None:
            del self.preface[first[2] - 1 :]
            return first
        raise RecordingEmpty(self.path, "the file is empty; it should hold a header and rows")

    def _seekable(self) -> Path:
        """The file itself, or a copy of what comes through a pipe: it is read more than once."""
        mode = self.path.stat().st_mode
        if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
            raise RecordingUnreadable(self.path, "this is a device, not a file")
        if not stat.S_ISFIFO(mode):
            return self.path
        self._copy = tempfile.NamedTemporaryFile()  # noqa: SIM115  # lives until close()
        with self.path.open("rb") as pipe:
            shutil.copyfileobj(pipe, self._copy)
        self._copy.flush()
        return Path(self._copy.name)

    def _unreadable(self, error: Exception) -> RecordingUnreadable:
        return RecordingUnreadable(self.path, getattr(error, "strerror", None) or str(error))


def _places(header: Sequence[str], name: str) -> list[int]:
    """The columns that can be meant: none, one, or several of exactly the same name."""
    wanted = name.strip()
    if wanted in header:
        return [at for at, cell in enumerate(header) if cell == wanted]
    for simplified in (folded, _without_unit, _before_comma):
        cells = [simplified(cell) for cell in header]
        if cells.count(simplified(wanted)) == 1:
            return [cells.index(simplified(wanted))]
    numbered = _NUMBERED.fullmatch(wanted)
    if numbered is not None:
        places = _places(header, numbered[1])
        which = int(numbered[2])
        return places[which - 1 : which] if which else []
    return []


def _present(header: Sequence[str], name: str) -> bool:
    """Whether there is such a column, or those that ``Date,Time`` names together."""
    if _places(header, name):
        return True
    parts = next(csv.reader([name]), [])
    return len(parts) > 1 and all(_places(header, part) for part in parts)


def folded(name: str) -> str:
    """A column's name without what only writing makes different."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split()).strip("\ufeff")


def _without_unit(name: str) -> str:
    return folded(re.sub(r"\s*[(\[].*", "", unicodedata.normalize("NFKC", name)))


def _before_comma(name: str) -> str:
    """``Temp, °C (LGR S/N: 1)`` of HOBO loggers."""
    return folded(name.partition(",")[0])


def _all_quoted(lines: list[str], delimiter: str) -> list[list[str]]:
    """Each line a row, as ``_quoted`` reads it."""
    try:
        rows = list(csv.reader(lines, delimiter=delimiter))
    except csv.Error:
        rows = []
    # A quotation mark in the middle of a cell may have opened what goes on in the next line.
    return rows if len(rows) == len(lines) else [_quoted(line, delimiter) for line in lines]


def _quoted(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line.rstrip("\n")], delimiter=delimiter), [])
    except csv.Error:
        return line.rstrip("\n").split(delimiter)
