"""What can be wrong with a water probe, with what it answers, or with a recording of it."""

from __future__ import annotations

from typing import ClassVar

from vigil_edge.device.seam import SourceError
from vigil_schemas.errors import VigilError


class RecordingUnreadable(VigilError):
    """A file that cannot be opened, unpacked or read."""

    code: ClassVar[str] = "recording-unreadable"


class ColumnUnknown(VigilError):
    """A column was asked for that the file does not have. ``column`` names it."""

    code: ClassVar[str] = "column-unknown"

    def __init__(self, message: str, column: str) -> None:
        super().__init__(message)
        self.column = column


class ColumnAmbiguous(VigilError):
    """A column was asked for that the file has several times, with different cells."""

    code: ClassVar[str] = "column-ambiguous"

    def __init__(self, message: str, column: str) -> None:
        super().__init__(message)
        self.column = column


class StationUnknown(VigilError):
    """A station or an item was asked for that no row is of."""

    code: ClassVar[str] = "station-unknown"


class RecordingEmpty(VigilError):
    """A file without a single row of readings."""

    code: ClassVar[str] = "recording-empty"


class TimesUnreadable(VigilError):
    """Not one row has a time that can be read: most likely the wrong column."""

    code: ClassVar[str] = "times-unreadable"


class OptionWrong(VigilError):
    """An option's value cannot be read."""

    code: ClassVar[str] = "option-wrong"


class ProbeUnreachable(SourceError):
    """No connection, or no serial port."""

    code: ClassVar[str] = "probe-unreachable"


class ProbeTimeout(SourceError):
    """Connected, and no answer in time."""

    code: ClassVar[str] = "probe-timeout"


class ProbeLost(SourceError):
    """The connection broke before the answer."""

    code: ClassVar[str] = "probe-lost"


class ProbeGarbage(SourceError):
    """An answer that is no Modbus, or one that does not belong to the question."""

    code: ClassVar[str] = "probe-garbage"


class ProbeRefused(SourceError):
    """A Modbus exception answer. ``exception`` is its number (2 is an unknown address)."""

    code: ClassVar[str] = "probe-refused"

    def __init__(self, device: str, message: str, exception: int) -> None:
        super().__init__(device, message)
        self.exception = exception


class LoggerMismatch(SourceError):
    """A logger whose records are not laid out as the configuration says."""

    code: ClassVar[str] = "logger-mismatch"
