"""What can be wrong with a water probe, with what it answers, or with a recording of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from vigil_edge.device.seam import SourceError
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


class ProbeUnreachable(SourceError):
    """No connection, or no serial port."""

    code: ClassVar[str] = "probe-unreachable"
    remedy: ClassVar[str] = "Check the address or the serial port and its rights."

    def __init__(self, device: str, address: str, reason: str) -> None:
        super().__init__(device, f"cannot reach {address}: {reason}")
        self.address = address
        self.reason = reason


class ProbeTimeout(SourceError):
    """Connected, and no answer in time."""

    code: ClassVar[str] = "probe-timeout"
    remedy: ClassVar[str] = "Check unit, baud rate and wiring, and whether the probe has power."


class ProbeLost(SourceError):
    """The connection broke before the answer."""

    code: ClassVar[str] = "probe-lost"
    remedy: ClassVar[str] = (
        "Nothing at first: it connects again by itself. If it recurs, look at the line."
    )


class ProbeGarbage(SourceError):
    """An answer that is no Modbus, or one that does not belong to the question."""

    code: ClassVar[str] = "probe-garbage"
    remedy: ClassVar[str] = (
        "Check unit, serial settings and wiring; look for a second master on the bus."
    )


class ProbeRefused(SourceError):
    """A Modbus exception answer. ``exception`` is its number (2 is an unknown address)."""

    code: ClassVar[str] = "probe-refused"
    remedy: ClassVar[str] = "Compare register, table and unit with the probe's manual."

    def __init__(self, device: str, message: str, exception: int) -> None:
        super().__init__(device, message)
        self.exception = exception


class LoggerMismatch(SourceError):
    """A logger whose records are not laid out as the configuration says."""

    code: ClassVar[str] = "logger-mismatch"
    remedy: ClassVar[str] = "Bring `[water.logger]` to the logger's own layout."
