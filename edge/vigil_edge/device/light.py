"""A lamp on the box, for whoever has it on their wall: does it work?

A short flash every two seconds: the device is read and the cloud is connected. Half a second on,
half a second off: one of the two is not so. Dark, or steadily on: the agent does not run; that is
why no trigger of the kernel blinks by itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Final, Protocol

import structlog

from vigil_edge.configuration.light import GpioLight, LedLight

if TYPE_CHECKING:
    from gpiod import LineRequest

FLASH_S: Final = 0.1
"""On, of a device that works."""
PAUSE_S: Final = 1.9
BLINK_S: Final = 0.5
"""On, and off, of one that does not."""
AGAIN_S: Final = 30.0
"""So long after a lamp that cannot be lit it is tried again."""
_log = structlog.get_logger("light")


class Lamp(Protocol):
    """On or off."""

    def set(self, on: bool) -> None:
        """Raises ``OSError``."""

    def close(self) -> None:
        """Others may have it. Raises ``OSError``."""


class Led:
    """Of the kernel's LED class (``Documentation/ABI/testing/sysfs-class-led``)."""

    def __init__(self, settings: LedLight) -> None:
        """Raises ``OSError``, ``ValueError``."""
        self._brightness = settings.path / "brightness"
        self._most = int((settings.path / "max_brightness").read_text("ascii"))
        (settings.path / "trigger").write_text("none", "ascii")

    def set(self, on: bool) -> None:
        """See ``Lamp``."""
        self._brightness.write_text(str(self._most if on else 0), "ascii")

    def close(self) -> None:
        """It stays without a trigger: whoever gave it one at boot gives it one again."""


class Pin:
    """A line of a GPIO chip as an output (libgpiod)."""

    def __init__(self, settings: GpioLight) -> None:
        """Raises ``OSError``, ``ValueError``, ``ImportError``."""
        import gpiod
        from gpiod.line import Direction, Value

        line = gpiod.LineSettings(
            direction=Direction.OUTPUT,
            active_low=settings.active_low,
            output_value=Value.INACTIVE,
        )
        self._line = settings.line
        self._values = {True: Value.ACTIVE, False: Value.INACTIVE}
        self._request: LineRequest = gpiod.request_lines(
            settings.chip, consumer="vigil-light", config={settings.line: line}
        )

    def set(self, on: bool) -> None:
        """See ``Lamp``."""
        self._request.set_value(self._line, self._values[on])

    def close(self) -> None:
        """See ``Lamp``."""
        self._request.release()


def open_lamp(settings: LedLight | GpioLight) -> Lamp:
    """Raises ``OSError``, ``ValueError``, ``ImportError``."""
    return Led(settings) if isinstance(settings, LedLight) else Pin(settings)


async def shine(
    settings: LedLight | GpioLight,
    works: Callable[[], bool],
    count: Callable[[str], None],
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Until cancelled; dark at its end. A lamp that cannot be lit is counted (``light-failed``),
    told in the log once, and tried again."""
    told = False
    while True:
        try:
            lamp = open_lamp(settings)
            try:
                told = False
                await _blink(lamp, works, sleep)
            finally:
                # What fails here hides neither the failure before it nor that this is cancelled.
                with suppress(OSError):
                    lamp.set(False)
                with suppress(OSError):
                    lamp.close()
        except (OSError, ValueError, ImportError) as error:
            count("light-failed")
            if not told:
                _log.warning("the light cannot be lit", driver=settings.driver, error=str(error))
            told = True
        await sleep(AGAIN_S)


async def _blink(
    lamp: Lamp, works: Callable[[], bool], sleep: Callable[[float], Awaitable[None]]
) -> None:
    while True:
        on_s, off_s = (FLASH_S, PAUSE_S) if works() else (BLINK_S, BLINK_S)
        lamp.set(True)
        await sleep(on_s)
        lamp.set(False)
        await sleep(off_s)
