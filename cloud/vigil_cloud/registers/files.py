"""A register as a CSV file that spreadsheets open, and back: looked at first, taken whole or not.

The first line names columns, by their names or by their titles in either language. Encodings and
separators are those of ``spreadsheets``. Several words of one cell have ``;`` between them.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Final

from vigil_cloud.api_errors import ApiError
from vigil_cloud.registers.port import (
    Act,
    BadEntry,
    Cell,
    Column,
    Entry,
    Register,
    new_key,
    written,
)
from vigil_cloud.spreadsheets import NoTable, column_name, harmless, lines_of, plain, spoilt
from vigil_schemas.errors import VigilError

LARGEST: Final = 1024 * 1024
MOST_ROWS: Final = 500
"""Written in one transaction: whatever else is written waits for a second or two."""
MOST_MISTAKES: Final = 100
_BETWEEN: Final = str.maketrans({"；": ";", "、": ";"})
_YES: Final = frozenset({"yes", "true", "1", "是", "y"})
_NO: Final = frozenset({"no", "false", "0", "否", "n"})


class BadRegisterFile(ApiError):
    """A file that is no table of the register's columns."""

    code: ClassVar[str] = "bad-register-file"
    remedy: ClassVar[str] = (
        "Take the register out as a file, change that, and bring it in: CSV in UTF-8, UTF-16 or"
        f" Big5, of {MOST_ROWS} lines at most."
    )
    status: ClassVar[int] = 422


class RegisterChanged(ApiError):
    """Somebody changed what a file is about since it was looked at."""

    code: ClassVar[str] = "register-changed"
    remedy: ClassVar[str] = "Look at the file again: it may take back what somebody else wrote."
    status: ClassVar[int] = 409


@dataclass(frozen=True, slots=True)
class Mistake:
    """What is wrong with one line; the header is line 1."""

    line: int
    text: str


@dataclass(slots=True)
class Done:
    """What a file does, or would do."""

    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    same: int = 0
    told: dict[str, str] = field(default_factory=dict)
    """By key, what is told once."""
    mistakes: list[Mistake] = field(default_factory=list)
    met: list[tuple[str, Entry | None]] = field(default_factory=list)
    """By line: its key, and of the entry that is there what the line would change."""

    @property
    def looked(self) -> str:
        """Names what the lines met: the same as long as nobody changes that."""
        return hashlib.sha256(json.dumps(self.met, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Line:
    """One line as it was written, by column; a cell that is empty is not there."""

    number: int
    cells: Mapping[str, str]


def out(register: Register, rows: Sequence[Entry]) -> str:
    """The register as CSV; what is secret is no column of it."""
    text = io.StringIO()
    table = csv.writer(text)
    columns = [one for one in register.columns if not one.secret]
    table.writerow([one.name for one in columns])
    for row in rows:
        table.writerow([harmless(_said(row.get(one.name))) for one in columns])
    return text.getvalue()


def read(register: Register, content: bytes) -> list[Line]:
    """The lines of a file. Raises ``BadRegisterFile``."""
    try:
        filled = lines_of(content)
    except NoTable as error:
        raise BadRegisterFile(str(error)) from error
    names = [_column(register, cell) for cell in filled[0][1]]
    if len(set(names)) < len(names):
        raise BadRegisterFile("The first line names a column twice.")
    if register.key not in names:
        raise BadRegisterFile(f"The first line lacks the column {register.key}.")
    if len(filled) - 1 > MOST_ROWS:
        raise BadRegisterFile(f"More than {MOST_ROWS} lines: make several files of it.")
    return [_line(number, names, cells) for number, cells in filled[1:]]


def take(register: Register, act: Act, lines: Sequence[Line]) -> Done:
    """Everything that the lines ask for: entries that are not there are added, others changed.
    Where there is a mistake, the caller rolls back."""
    there = {str(row[register.key]): row for row in register.rows(act)}
    done, seen = Done(), set[str]()
    for line in lines:
        try:
            with act.session.begin_nested():
                _take(register, act, line, there, seen, done)
        except VigilError as error:
            if len(done.mistakes) < MOST_MISTAKES:
                done.mistakes.append(Mistake(line.number, str(error)))
    return done


def _take(
    register: Register,
    act: Act,
    line: Line,
    there: Mapping[str, Entry],
    seen: set[str],
    done: Done,
) -> None:
    key = line.cells.get(register.key, "")
    if not key:
        raise BadEntry(register.key, "has to be given")
    if wrong := spoilt(key):
        raise BadEntry(register.key, wrong)
    if key in seen:
        raise BadEntry(register.key, f"{key!r} stands in the file twice")
    seen.add(key)
    before = there.get(key)
    cells = {
        name: _read(column, text)
        for name, text in line.cells.items()
        if name != register.key
        and (column := register.column(name)) is not None
        and not column.shown
    }
    met = None if before is None else {name: before.get(name) for name in cells}
    done.met.append((key, met))
    if before is None:
        if register.add is None:
            raise BadEntry(register.key, f"there is no {key!r}, and none is added by a file")
        if len(done.added) >= register.most_added:
            most = register.most_added
            raise BadEntry(register.key, f"more than {most} new ones: make several files of it")
        new_key(register, key)
        told = register.add(act, key, written(register, cells, new=True))
        done.added.append(key)
        if told is not None:
            done.told[key] = told
        return
    news = {name: cell for name, cell in cells.items() if before.get(name) != cell}
    if not news:
        done.same += 1
        return
    if register.change is None:
        raise BadEntry(next(iter(news)), "is not changed by a file")
    register.change(act, key, written(register, news, new=False))
    done.changed.append(key)


def _column(register: Register, cell: str) -> str:
    said = column_name(cell)
    for one in register.columns:
        if said in map(column_name, (one.name, one.title, one.title_zh)):
            return one.name
    known = ", ".join(one.name for one in register.columns)
    raise BadRegisterFile(f"There is no column {cell.strip()[:40]!r}; there are {known}.")


def _line(number: int, names: Sequence[str], cells: Sequence[str]) -> Line:
    if any(cell.strip() for cell in cells[len(names) :]):
        raise BadRegisterFile(f"Line {number} has more cells than the first line has columns.")
    found = {name: plain(cell) for name, cell in zip(names, cells, strict=False)}
    return Line(number, {name: cell for name, cell in found.items() if cell})


def _read(column: Column, text: str) -> Cell:
    if column.kind == "flag":
        if text.lower() in _YES | _NO:
            return text.lower() in _YES
        raise BadEntry(column.name, "is yes or no")
    if column.kind == "number":
        number = unicodedata.normalize("NFKC", text)
        try:
            return float(number if "_" not in number else "")  # finite: ``port.written``
        except ValueError as error:
            raise BadEntry(column.name, "is a number") from error
    if wrong := spoilt(text):
        raise BadEntry(column.name, wrong)
    if column.kind == "words":
        words = (one.strip() for one in text.translate(_BETWEEN).split(";"))
        return [one for one in words if one]
    return text


def _said(cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "yes" if cell else "no"
    if isinstance(cell, list):
        return ";".join(cell)
    # Exactly: a position that was taken out and brought in is the same position.
    return repr(cell).removesuffix(".0") if isinstance(cell, float) else cell
