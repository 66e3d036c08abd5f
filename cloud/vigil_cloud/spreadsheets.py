"""Tables as people's spreadsheets write and read them: CSV in UTF-8 or Big5."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Any, Final

from vigil_schemas.recordings.encodings import detect

FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""A cell that begins so is a formula to a spreadsheet, one of full width to those of East Asia:
written with an apostrophe in front."""


class NoTable(Exception):
    """What was sent is no table of the columns that are known; the message says why."""


def text_of(content: bytes) -> str:
    """UTF-8, also with a byte order mark, or Big5. Raises ``NoTable``."""
    for encoding in ("utf-8-sig", "cp950"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise NoTable("It is neither UTF-8 nor Big5.")


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


def named(names: Sequence[str] | None) -> list[str]:
    """The columns of a header, without what only writing makes different."""
    return [name.strip().lower() for name in names or ()]


def rows_of(
    content: bytes, columns: Sequence[str], translated: Mapping[str, str], most: int
) -> list[tuple[int, dict[str, str]]]:
    """The lines behind the header, with their numbers: every column is there, empty where the file
    has none. ``translated``: other names of columns. Raises ``NoTable``."""
    reader = csv.reader(io.StringIO(text_of(content), newline=""), strict=True)
    try:
        lines = [(reader.line_num, cells) for cells in reader]
    except csv.Error as error:
        raise NoTable(f"Line {reader.line_num} is no CSV: {error}.") from error
    filled = [(line, cells) for line, cells in lines if any(cell.strip() for cell in cells)]
    if not filled:
        raise NoTable("The file is empty.")
    names = [translated.get(cell.strip(), cell.strip().lower()) for cell in filled[0][1]]
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
    return dict.fromkeys(columns, "") | found


def harmless(cell: str) -> str:
    """As it is written: no formula."""
    return f"'{cell}" if cell.startswith(FORMULA) else cell


def plain(cell: str) -> str:
    """As it was before ``harmless``."""
    cell = cell.strip()
    return cell[1:] if cell[:1] == "'" and cell[1:].startswith(FORMULA) else cell
