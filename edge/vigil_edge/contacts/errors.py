"""What goes wrong with the lines that contacts are on."""

from __future__ import annotations

from typing import ClassVar

from vigil_edge.device.seam import SourceError


class BoardUnreachable(SourceError):
    """No connection to the I/O board, or no serial port."""

    code: ClassVar[str] = "io-board-unreachable"
    remedy: ClassVar[str] = (
        "Go there: what is wired to it calls nobody now. Check power, cable and address."
    )

    def __init__(self, device: str, address: str, reason: str) -> None:
        super().__init__(device, f"cannot reach {address}: {reason}")
        self.address = address
        self.reason = reason


class BoardTimeout(SourceError):
    """Connected, and no answer in time."""

    code: ClassVar[str] = "io-board-timeout"
    remedy: ClassVar[str] = "Check unit, baud rate and wiring, and whether the board has power."


class BoardLost(SourceError):
    """The connection broke before the answer."""

    code: ClassVar[str] = "io-board-lost"
    remedy: ClassVar[str] = (
        "Nothing at first: it connects again by itself. If it recurs, look at the line."
    )


class BoardGarbage(SourceError):
    """An answer that is no Modbus, or one that does not belong to the question."""

    code: ClassVar[str] = "io-board-garbage"
    remedy: ClassVar[str] = "Check unit and serial settings; look for a second master on the line."


class BoardRefused(SourceError):
    """A Modbus exception answer. ``exception`` is its number (2 is an unknown address)."""

    code: ClassVar[str] = "io-board-refused"
    remedy: ClassVar[str] = "Compare the line numbers in gateway.toml with the board's manual."

    def __init__(self, device: str, message: str, exception: int) -> None:
        super().__init__(device, message)
        self.exception = exception


class GpioUnavailable(SourceError):
    """The GPIO character device cannot be opened, or has no such line."""

    code: ClassVar[str] = "gpio-unavailable"
    remedy: ClassVar[str] = (
        "Check `chip` and the line numbers with `gpioinfo`, and that the service's user is in the"
        " group `gpio`."
    )
