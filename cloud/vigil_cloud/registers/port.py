"""What a register says of itself: its columns, and what adds, changes and retires an entry.

Rooms and domains describe theirs; routes, files and the page know no other than this. What an
entry means, and whether it may be, is decided by the room's own service, as it is for every other
way in.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import inf, isfinite
from typing import ClassVar, Final, Literal

from sqlalchemy.orm import Session

from vigil_cloud.api_errors import ApiError
from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.identity.reader import Reader
from vigil_cloud.parameters import NAME, ONE_LINE

Cell = str | bool | float | list[str] | None
"""One value: a text, yes or no, a number, several words, or nothing."""
Entry = Mapping[str, Cell]
"""By column."""
ColumnKind = Literal["text", "choice", "words", "flag", "number", "time"]
LONGEST_CELL: Final = 1000
LONGEST_KEY: Final = 200
_LINE: Final = re.compile(ONE_LINE)
_SEEN: Final = re.compile(NAME)
MOST_WORDS: Final = 200


class BadEntry(ApiError):
    """An entry that a register cannot take."""

    code: ClassVar[str] = "bad-entry"
    remedy: ClassVar[str] = "Correct the column that the message names."
    status: ClassVar[int] = 422

    def __init__(self, column: str, text: str) -> None:
        super().__init__(f"{column}: {text}")
        self.column = column


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column."""

    name: str
    title: str
    title_zh: str
    kind: ColumnKind = "text"
    required: bool = False
    fixed: bool = False
    """Given when an entry is added, and never changed."""
    shown: bool = False
    """Told by the service; nobody writes it."""
    secret: bool = False
    """Written and never shown again; empty in a change: as it is."""
    options: tuple[str, ...] = ()
    """Of a choice, and of words that are of a list."""
    beforehand: tuple[str, ...] = ()
    """Words that a form has chosen already; whoever sends none of them has chosen none."""
    longest: int = LONGEST_CELL
    """Characters of a text, as the table and the other ways in have it."""


@dataclass(frozen=True, slots=True)
class Act:
    """Who does something, and when."""

    session: Session
    cipher: Cipher
    reader: Reader
    now: datetime

    @property
    def by(self) -> str:
        """The account, as the log has it."""
        return self.reader.username


@dataclass(frozen=True, slots=True, kw_only=True)
class Register:
    """One register. ``key`` names the column that tells entries apart."""

    name: str
    title: str
    title_zh: str
    key: str
    columns: tuple[Column, ...]
    rows: Callable[[Act], Sequence[Entry]]
    """All of them, in order."""
    told_by: tuple[str, ...]
    """How the actions of the audit log begin that say something of its entries: a device and an
    account may have one name. Domains add theirs (``CloudDomain.told_by``)."""
    ended_by: tuple[str, ...] = ()
    """The actions after which the key may be given to somebody else: a history goes back to the
    last of them. None where what comes back under a key is the same thing (a gateway, a tag),
    or where a key is never given again (a person's, a home's)."""
    add: Callable[[Act, str, Entry], str | None] | None = None
    """Given the key and what was written; returns what is told once (a first password)."""
    change: Callable[[Act, str, Entry], None] | None = None
    """Given what was written alone: a column that is not there stays as it is."""
    retire: Callable[[Act, str], None] | None = None
    most_added: int = 500
    """At once, by a file: what takes long (a password's hash) would hold up everybody else."""
    people: bool = False
    """Its entries are people: their history is that of their person, and who took the register out
    is written down for each."""
    page: str = ""
    """Where more of an entry is shown; its key goes behind: ``/gateways/``."""

    def column(self, name: str) -> Column | None:
        """By its name."""
        return next((one for one in self.columns if one.name == name), None)


def written(register: Register, values: Mapping[str, Cell], *, new: bool) -> dict[str, Cell]:
    """What somebody wrote beside the key, each value of its column's kind. Raises ``BadEntry``."""
    found: dict[str, Cell] = {}
    for name, value in values.items():
        column = register.column(name)
        if column is None or column.shown:
            known = ", ".join(one.name for one in register.columns if not one.shown)
            raise BadEntry(name, f"is no column to be written; there are {known}")
        if column.fixed and not new:
            raise BadEntry(name, "cannot be changed later")
        if column.secret and value in (None, "") and not new:
            continue
        found[name] = _cell(column, value)
    for column in register.columns:
        asked = column.required and column.name != register.key and not column.shown
        if asked and (new or column.name in found) and found.get(column.name) in (None, "", []):
            raise BadEntry(column.name, "has to be given")
    return found


def new_key(register: Register, key: str) -> None:
    """What an entry that is added is told apart by, as a file has it. Raises ``BadEntry``."""
    if len(key) > LONGEST_KEY or not _SEEN.fullmatch(key):
        raise BadEntry(register.key, f"is one line of at most {LONGEST_KEY} characters")


def _number(column: Column, value: Cell) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadEntry(column.name, "is a number")
    try:
        number = float(value)
    except OverflowError:
        number = inf
    if not isfinite(number):
        raise BadEntry(column.name, "is a number")
    return number


def _cell(column: Column, value: Cell) -> Cell:
    if value is None:
        return [] if column.kind == "words" else None
    if column.kind == "flag":
        if not isinstance(value, bool):
            raise BadEntry(column.name, "is yes or no")
        return value
    if column.kind == "number":
        return _number(column, value)
    if column.kind == "words":
        words = value if isinstance(value, list) else None
        if words is None or not all(isinstance(one, str) for one in words):
            raise BadEntry(column.name, "is a list of words")
        if len(words) > MOST_WORDS:
            raise BadEntry(column.name, f"is a list of at most {MOST_WORDS} words")
        return [_text(column, one) for one in dict.fromkeys(words)]
    if not isinstance(value, str):
        raise BadEntry(column.name, "is a text")
    return _text(column, value)


def _text(column: Column, value: str) -> str:
    text = value.strip()
    if len(text) > column.longest or not _LINE.fullmatch(text):
        raise BadEntry(column.name, f"is one line of at most {column.longest} characters")
    if text and not _SEEN.fullmatch(text):
        raise BadEntry(column.name, "has nothing that can be seen")
    if column.options and text and text not in column.options:
        raise BadEntry(column.name, f"{text!r} is none of {', '.join(column.options)}")
    return text


def first_password() -> str:
    """For somebody's first sign-in: 80 bits, in groups that can be read out."""
    letters = "abcdefghjkmnpqrstuvwxyz23456789"
    groups = ("".join(secrets.choice(letters) for _ in range(4)) for _ in range(4))
    return "-".join(groups)
