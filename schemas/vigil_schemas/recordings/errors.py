"""Why a recording cannot be read as it was asked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from vigil_schemas.errors import VigilError


class RecordingUnreadable(VigilError):
    """A file that cannot be opened, unpacked or read."""

    code: ClassVar[str] = "recording-unreadable"
    remedy: ClassVar[str] = "Check the path; give CSV, a table of text or a zip of one."

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class ColumnUnknown(VigilError):
    """A column was asked for that the file does not have. ``column`` names it."""

    code: ClassVar[str] = "column-unknown"
    remedy: ClassVar[str] = "Give one of the columns that the message lists."

    def __init__(self, path: Path, column: str, columns: Sequence[str], hint: str = "") -> None:
        there = ", ".join(columns)[:300]
        super().__init__(f"{path}: no column {column!r}; it has {there}{hint}")
        self.path = path
        self.column = column
        self.columns = list(columns)


class ColumnAmbiguous(VigilError):
    """A column was asked for that the file has several times, with different cells."""

    code: ClassVar[str] = "column-ambiguous"
    remedy: ClassVar[str] = "Name the column by its number."

    def __init__(self, path: Path, column: str, positions: Sequence[int], line: int) -> None:
        at = " and ".join(str(position) for position in positions)
        super().__init__(
            f"{path}: column {column!r} stands {len(positions)} times (positions {at}) with"
            f" different cells (line {line}); write {column}#1 for the first, {column}#2 for the"
            " second"
        )
        self.path = path
        self.column = column
        self.positions = list(positions)
        """Counted from 1."""
        self.line = line


class StationUnknown(VigilError):
    """A station or an item was asked for that no row is of."""

    code: ClassVar[str] = "station-unknown"
    remedy: ClassVar[str] = "Give one of the stations or items that the message lists."

    def __init__(self, path: Path, asked: str, there: Sequence[str]) -> None:
        super().__init__(f"{path}: no row is of {asked}; there are {', '.join(there)[:300]}")
        self.path = path
        self.asked = asked
        self.there = list(there)


class RecordingEmpty(VigilError):
    """A file without a single row of readings."""

    code: ClassVar[str] = "recording-empty"
    remedy: ClassVar[str] = "Export the recording again, with its rows."

    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class TimesUnreadable(VigilError):
    """Not one row has a time that can be read: most likely the wrong column."""

    code: ClassVar[str] = "times-unreadable"
    remedy: ClassVar[str] = "Name the column of times with `--time`."

    def __init__(self, path: Path, column: str, line: int, text: str, hint: str) -> None:
        super().__init__(
            f"{path}: no row has a time in column {column!r} (line {line}: {text[:60]!r}); {hint}"
        )
        self.path = path
        self.column = column
        self.line = line


class OptionWrong(VigilError):
    """An option's value cannot be read."""

    code: ClassVar[str] = "option-wrong"
    remedy: ClassVar[str] = "Correct the option that the message names."
