"""Where contacts are read: an I/O board on Modbus, or the gateway's own pins."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Final, Protocol

from vigil_edge.contacts.errors import (
    BoardGarbage,
    BoardLost,
    BoardRefused,
    BoardTimeout,
    BoardUnreachable,
    GpioUnavailable,
)
from vigil_edge.contacts.settings import Pins
from vigil_edge.modbus.client import Failures, ModbusClient
from vigil_edge.modbus.settings import ModbusSettings

if TYPE_CHECKING:
    from gpiod import LineRequest

FAILURES: Final = Failures(
    unreachable=BoardUnreachable,
    timeout=BoardTimeout,
    lost=BoardLost,
    garbage=BoardGarbage,
    refused=BoardRefused,
)


class Inputs(Protocol):
    """The wired contacts' lines. Any ``SourceError`` ends the connection for good."""

    async def read(self) -> dict[str, bool]:
        """By contact, all at one moment; 1 is a closed circuit. Raises ``SourceError``."""

    def close(self) -> None:
        """Let the lines go."""


async def open_inputs(
    settings: ModbusSettings | Pins, lines: Mapping[str, int], debounce_s: float
) -> Inputs:
    """``lines``: by contact. Raises ``SourceError``."""
    if isinstance(settings, Pins):
        return await asyncio.to_thread(GpioInputs, settings, lines, debounce_s)
    board = Board(settings, lines)
    try:
        await board.open()
    except BaseException:
        board.close()
        raise
    return board


class Board:
    """Discrete inputs of one Modbus slave, read in one question."""

    def __init__(self, settings: ModbusSettings, lines: Mapping[str, int]) -> None:
        self._lines = dict(lines)
        self._first = min(self._lines.values())
        self._count = max(self._lines.values()) - self._first + 1
        self._client = ModbusClient(settings, FAILURES)

    async def open(self) -> None:
        """Raises ``BoardUnreachable``."""
        await self._client.open()

    async def read(self) -> dict[str, bool]:
        """See ``Inputs``."""
        bits = await self._client.read_contacts(self._first, self._count)
        return {name: bits[line - self._first] for name, line in self._lines.items()}

    def close(self) -> None:
        """Hang up."""
        self._client.close()


class GpioInputs:
    """Lines of one GPIO chip, through the kernel's character device (libgpiod)."""

    def __init__(self, settings: Pins, lines: Mapping[str, int], debounce_s: float) -> None:
        """Raises ``GpioUnavailable``."""
        self._device = settings.device
        self._lines = dict(lines)
        self._request = _request(settings, tuple(self._lines.values()), debounce_s)

    async def read(self) -> dict[str, bool]:
        """See ``Inputs``."""
        from gpiod.line import Value

        try:  # one ioctl: it does not wait
            values = self._request.get_values(list(self._lines.values()))
        except OSError as error:
            raise GpioUnavailable(self._device, f"the lines cannot be read: {error}") from error
        return {
            name: value is Value.ACTIVE for name, value in zip(self._lines, values, strict=True)
        }

    def close(self) -> None:
        """Others may request the lines."""
        self._request.release()


def _request(settings: Pins, wanted: tuple[int, ...], debounce_s: float) -> LineRequest:
    try:
        import gpiod
        from gpiod.line import Bias, Direction
    except ImportError as error:
        message = "gpiod is not installed: `vigil-edge check` says which extra of the wheel has it"
        raise GpioUnavailable(settings.device, message) from error
    bias = {
        "pull-up": Bias.PULL_UP,
        "pull-down": Bias.PULL_DOWN,
        "disabled": Bias.DISABLED,
        "as-is": Bias.AS_IS,
    }[settings.bias]
    lines = gpiod.LineSettings(
        direction=Direction.INPUT,
        bias=bias,
        # Pulled up, a closed contact to ground is electrically low.
        active_low=settings.bias == "pull-up",
        debounce_period=timedelta(seconds=debounce_s),
    )
    try:
        return gpiod.request_lines(
            settings.chip, consumer=f"vigil-{settings.device}"[:31], config={wanted: lines}
        )
    except (OSError, ValueError, gpiod.ChipClosedError) as error:
        message = f"{settings.chip}, lines {', '.join(map(str, wanted))}: {error}"
        raise GpioUnavailable(settings.device, message) from error
