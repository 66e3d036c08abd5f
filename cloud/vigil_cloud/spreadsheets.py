"""Tables as people's spreadsheets write and read them.

CSV in UTF-8, Big5 or UTF-16 ("Unicode text"), with commas, or with semicolons or tabs where the
first line has more of these; a line ``sep=;`` before it says so as well.
"""

from __future__ import annotations

import codecs
import contextlib
import csv
import io
import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

from vigil_schemas.recordings.encodings import detect

FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""A cell that begins so is a formula to a spreadsheet, one of full width to those of East Asia:
written with an apostrophe in front."""

_SEPARATORS: Final = (",", ";", "\t")
_SAID: Final = re.compile(r'\s*"?sep=([,;\t|])"?[\s,;]*', re.IGNORECASE)
_SHORTENED: Final = re.compile(r"[+-]?\d(?:[.,]\d+)?[eE]\+\d{2,3}")
_TOO_NARROW: Final = re.compile(r"#{2,}")
_FAILED: Final = frozenset(
    {"#N/A", "#REF!", "#VALUE!", "#NAME?", "#DIV/0!", "#NUM!", "#NULL!", "#SPILL!", "#CALC!"}
)
"""What stands in a cell whose formula found nothing."""
_REPUBLIC: Final = 1911
_FIRST_DAY, _LAST_DAY = date(1950, 1, 1), date(2199, 12, 31)
_DAY: Final = re.compile(
    r"(?P<roc>民國)?\s*(?P<year>\d{2,4})\s*[-/.年]\s*(?P<month>\d{1,2})\s*[-/.月]\s*"
    r"(?P<day>\d{1,2})日?"
)


class NoTable(Exception):
    """What was sent is no table of the columns that are known; the message says why."""


def text_of(content: bytes) -> str:
    """UTF-8, also with a byte order mark, UTF-16 with one, or Big5. Raises ``NoTable``."""
    marked = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    for encoding in ("utf-16",) if marked else ("utf-8-sig", "cp950"):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" in text:  # no text at all, or UTF-16 without its mark
            raise NoTable("It holds bytes that are no text: save it as CSV in UTF-8.")
        return text
    raise NoTable("It is neither UTF-8 nor Big5.")


def lines_of(content: bytes) -> list[tuple[int, list[str]]]:
    """The lines that say something, with their numbers; the first names columns, and is not longer
    than these. Raises ``NoTable``."""
    text = text_of(content)
    first, _, rest = text.partition("\n")
    said = _SAID.fullmatch(first)
    text = rest if said else text
    separator = said[1] if said else _separator(text)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=separator)
    before = 1 if said else 0
    try:
        lines = [(reader.line_num + before, cells) for cells in reader]
    except csv.Error as error:
        raise NoTable(f"Line {reader.line_num + before} is no CSV: {error}.") from error
    filled = [(line, cells) for line, cells in lines if any(cell.strip() for cell in cells)]
    if not filled:
        raise NoTable("The file is empty.")
    names = filled[0][1]
    while not names[-1].strip():  # columns that were emptied, and not deleted
        del names[-1]
    return filled


def _separator(text: str) -> str:
    """What the first line has most of; quoted names have none."""
    line = next((one for one in text.splitlines() if one.strip(" ,;\t\r\n")), "")
    bare = re.sub(r'"[^"]*"', "", line)
    return max(_SEPARATORS, key=bare.count)


def column_name(cell: str) -> str:
    """Of a header, without what only writing makes different: letters of full width, capitals."""
    return " ".join(unicodedata.normalize("NFKC", cell).casefold().split())


def spoilt(cell: str) -> str:
    """What a spreadsheet made of a text, as a clause; empty where it left it alone. A number of
    more than eleven digits is shortened as it is shown, a day in a narrow column is shown as signs
    alone, and what is saved is what is shown."""
    if _SHORTENED.fullmatch(cell):
        return f"{cell} was a longer number that the spreadsheet shortened: format cells as text"
    if _TOO_NARROW.fullmatch(cell):
        return f"{cell} stands for a value that was wider than its column: make it wider"
    return f"{cell} is a spreadsheet's mistake and no value" if cell in _FAILED else ""


def written(content: bytes) -> str:
    """The text of a file that people give to a command: also UTF-16, and what old loggers wrote.
    Raises ``NoTable``."""
    try:
        text = content.decode(detect(lambda: io.BytesIO(content)).name)
    except UnicodeDecodeError as error:
        raise NoTable("neither UTF-8, UTF-16 nor Big5") from error
    if "\0" in text:
        raise NoTable("no text")
    return text


def day(text: str) -> date:
    """A day as 2027-05-31, as spreadsheets here write it (2027/5/31), or of the Republic's
    calendar (116/5/31, 民國116年5月31日). Raises ``ValueError``."""
    found = _DAY.fullmatch(unicodedata.normalize("NFKC", text).strip())
    if found is not None:
        year = int(found["year"])
        # A year of three digits is the Republic's; one of two says neither century nor calendar.
        year += _REPUBLIC if found["roc"] or len(found["year"]) == 3 else 0
        if len(found["year"]) != 2 or found["roc"]:
            with contextlib.suppress(ValueError):
                read = date(year, int(found["month"]), int(found["day"]))
                if _FIRST_DAY <= read <= _LAST_DAY:
                    return read
    raise ValueError(f"{text[:20]!r} is no day: write it as 2027-05-31")


def named(names: Sequence[str] | None) -> list[str]:
    """The columns of a header, without what only writing makes different."""
    return [name.strip().lower() for name in names or ()]


def rows_of(
    content: bytes, columns: Sequence[str], translated: Mapping[str, str], most: int
) -> list[tuple[int, dict[str, str]]]:
    """The lines behind the header, with their numbers: every column is there, empty where the file
    has none. ``translated``: other names of columns. Raises ``NoTable``, also for a cell that a
    spreadsheet has spoilt."""
    filled = lines_of(content)
    known = {column_name(name): column for name, column in translated.items()}
    names = [known.get(name, name) for name in map(column_name, filled[0][1])]
    if set(names) - set(columns) or len(set(names)) < len(names):
        raise NoTable(f"The first line has to name columns, of {', '.join(columns)}; each once.")
    if len(filled) - 1 > most:
        raise NoTable(f"More than {most} lines: make several files of it.")
    return [(line, _row(line, names, columns, cells)) for line, cells in filled[1:]]


def twice(names: Sequence[str]) -> list[str]:
    """Columns that a header names more than once: of their cells the last would count alone."""
    return sorted({name for name in names if name and names.count(name) > 1})


def surplus(row: Mapping[Any, Any]) -> bool:
    """Whether a row of ``csv.DictReader`` has a cell that no column of the header is for: a text
    with a comma in it that nobody quoted. Commas at the end are none."""
    return any(cell.strip() for cell in row.get(None) or ())


def number(text: str) -> float:
    """Of a cell. Raises ``ValueError``, also for what Python alone takes for one (``1_000``)."""
    try:
        if "_" not in text:
            return float(text)
    except ValueError:
        pass
    raise ValueError("is no number")


def is_blank(row: Mapping[Any, Any]) -> bool:
    """Whether no cell of a row of ``csv.DictReader`` says anything: spreadsheets write such rows
    below a table."""
    cells = [*(row.get(None) or ()), *(cell for name, cell in row.items() if name is not None)]
    return not any(cell and cell.strip() for cell in cells)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """As ``rows_of`` takes it; no cell is a formula."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(header)
    writer.writerows([harmless(cell) for cell in row] for row in rows)
    return text.getvalue()


def _row(
    line: int, names: Sequence[str], columns: Sequence[str], cells: Sequence[str]
) -> dict[str, str]:
    if any(cell.strip() for cell in cells[len(names) :]):
        raise NoTable(f"Line {line} has more cells than the first line has columns.")
    found = {name: plain(cell) for name, cell in zip(names, cells, strict=False)}
    if wrong := next(filter(None, map(spoilt, found.values())), ""):
        raise NoTable(f"Line {line}: {wrong}.")
    return dict.fromkeys(columns, "") | found


def harmless(cell: str) -> str:
    """As it is written: no formula."""
    return f"'{cell}" if cell.startswith(FORMULA) else cell


def plain(cell: str) -> str:
    """As it was before ``harmless``."""
    cell = cell.strip()
    return cell[1:] if cell[:1] == "'" and cell[1:].startswith(FORMULA) else cell
