"""Registers as the API shows them."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from vigil_cloud.parameters import ONE_LINE
from vigil_cloud.registers.port import ColumnKind
from vigil_schemas.types import UtcDatetime

CellValue = str | bool | Annotated[float, Field(allow_inf_nan=False)] | list[str] | None
EntryKey = Annotated[str, Field(min_length=1, max_length=200, pattern=ONE_LINE)]


class ColumnEntry(BaseModel):
    """One column of a register."""

    name: str
    title: str
    title_zh: str
    kind: ColumnKind
    required: bool
    fixed: bool
    """Given when an entry is added, and never changed."""
    shown: bool
    """Told by the service; nobody writes it."""
    secret: bool
    """Written, and never shown again."""
    options: list[str]
    beforehand: list[str]
    """Words that a form has chosen already."""


class RegisterEntry(BaseModel):
    """What a register is."""

    name: str
    title: str
    title_zh: str
    key: str
    """The column that tells entries apart."""
    page: str
    """Where more of an entry is shown, with its key behind; empty: nowhere."""
    columns: list[ColumnEntry]
    may_add: bool
    may_change: bool
    may_retire: bool


class RegisterList(BaseModel):
    """Those that the reader may see."""

    registers: list[RegisterEntry]


class RegisterRows(BaseModel):
    """A register with all its entries."""

    register_: Annotated[RegisterEntry, Field(alias="register")]
    rows: list[dict[str, CellValue]]

    model_config = ConfigDict(populate_by_name=True)


class EntryRequest(BaseModel):
    """An entry to be added, or what is to be changed of one."""

    model_config = ConfigDict(strict=True, extra="forbid", use_attribute_docstrings=True)

    key: EntryKey
    new: bool
    values: Annotated[dict[str, CellValue], Field(max_length=40)]
    """By column; of a change those alone that are written."""


class EntryTold(BaseModel):
    """What was added or changed."""

    key: str
    told: str | None
    """Told once: a first password."""


class RetireRequest(BaseModel):
    """Which entry is taken out of use."""

    model_config = ConfigDict(strict=True, extra="forbid")

    key: EntryKey


class HistoryLine(BaseModel):
    """One line of the audit log about an entry."""

    number: int
    at: UtcDatetime
    account: str
    action: str


class RegisterHistory(BaseModel):
    """The newest first."""

    lines: list[HistoryLine]


class FileMistake(BaseModel):
    """What is wrong with one line; the header is line 1."""

    line: int
    text: str


class FileDone(BaseModel):
    """What a file did; with `dry_run` or a mistake: what it would do, and nothing was done."""

    done: bool
    rows: int
    added: list[str]
    changed: list[str]
    same: int
    told: dict[str, str]
    """By key, what is told once: first passwords."""
    mistakes: list[FileMistake]
    looked: str
    """Names what the lines met in the register; to be sent with the file that is taken."""
