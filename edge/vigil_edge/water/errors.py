"""Why a probe cannot be read."""

from __future__ import annotations

from typing import ClassVar

from vigil_edge.device.seam import SourceError


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


class SamplerFailed(SourceError):
    """The automatic sampler could not be started."""

    code: ClassVar[str] = "sampler-failed"
    remedy: ClassVar[str] = "Check `[water.sampler]`: address, unit and register of its contact."


class SamplerFull(SourceError):
    """All bottles of the automatic sampler are filled."""

    code: ClassVar[str] = "sampler-full"
    remedy: ClassVar[str] = "Change the bottles, then send `take_sample` with `new_bottles`."


class SessionFolder(SourceError):
    """The folder of a hand-held probe's files cannot be looked into."""

    code: ClassVar[str] = "session-folder"
    remedy: ClassVar[str] = "Make the folder that `folder` names, readable for the agent."
