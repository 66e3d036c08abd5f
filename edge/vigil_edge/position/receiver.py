"""A satellite receiver that is listened to for as long as somebody needs it."""

from __future__ import annotations

import asyncio
import errno
import os
import termios
import tty
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Final

import structlog

from vigil_edge.backoff import Backoff
from vigil_edge.position.fix import Fix, Nmea, NoFix, Said, State, of_gpsd
from vigil_edge.position.settings import PositionSettings

_WATCH: Final = b'?WATCH={"enable":true,"json":true};\n'
_LONGEST_LINE: Final = 32 * 1024
_SILENT_S: Final = 30.0
"""Receivers speak each second: one that says nothing for so long is asked anew."""
_CONNECT_S: Final = 5.0
_SPEEDS: Final = {
    4800: termios.B4800,
    9600: termios.B9600,
    19200: termios.B19200,
    38400: termios.B38400,
    57600: termios.B57600,
    115200: termios.B115200,
}

_log = structlog.get_logger("position")


@dataclass(frozen=True, slots=True)
class Position:
    """Where a device is now, or why that is not known. Degrees, WGS 84."""

    state: State
    latitude: float | None = None
    longitude: float | None = None
    within_m: float | None = None
    at: datetime | None = None
    """When the gateway was told, by its own clock."""


class Receiver:
    """One receiver. It never raises: what it cannot tell is a state of the position."""

    def __init__(
        self,
        settings: PositionSettings,
        now: Callable[[], datetime],
        monotonic: Callable[[], float],
        random: Random | None = None,
    ) -> None:
        self._settings = settings
        self._now, self._monotonic = now, monotonic
        self._backoff = Backoff(random or Random(), last_s=30.0)
        self._fix: Fix | None = None
        self._at: tuple[datetime, float] | None = None
        """Of the fix: the wall clock, and the one for durations."""
        self._state: State = "no-receiver"
        self.heard = asyncio.Event()
        """Set with each line that says anything of where it is."""

    def position(self) -> Position:
        """Now. A fix that is older than the settings allow has a time and no place."""
        if self._fix is None or self._at is None:
            return Position(self._state)
        at, told_s = self._at
        if self._monotonic() - told_s > self._settings.max_age_s:
            return Position("too-old" if self._state == "fixed" else self._state, at=at)
        fix = self._fix
        return Position("fixed", fix.latitude, fix.longitude, fix.within_m, at)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Receiver]:
        """For as long as the block runs."""
        task = asyncio.create_task(self._listen())
        try:
            yield self
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _listen(self) -> None:
        while True:
            try:
                await self._connected()
            except (OSError, TimeoutError, ValueError, EOFError) as error:
                self._lost(error)
            await asyncio.sleep(self._backoff.next())

    def _lost(self, error: Exception) -> None:
        if self._state != "no-receiver":
            _log.warning("receiver-lost", address=self._settings.address, error=str(error)[:200])
        self._state = "no-receiver"

    async def _connected(self) -> None:
        reader, close = await self._open()
        try:
            take = of_gpsd if self._settings.source == "gpsd" else Nmea().take
            while True:
                async with asyncio.timeout(_SILENT_S):
                    line = await reader.readuntil(b"\n")
                self._take(take(line))
        except asyncio.LimitOverrunError as error:  # a line without an end
            raise ValueError("a line of more than 32 kB: no receiver") from error
        except asyncio.IncompleteReadError as error:
            raise EOFError("it hung up") from error
        finally:
            close()

    def _take(self, said: Said) -> None:
        if said is None:
            return
        self._backoff.reset()
        if isinstance(said, NoFix):
            self._state = "no-fix"
        else:
            self._state, self._fix = "fixed", said
            self._at = self._now(), self._monotonic()
        self.heard.set()

    async def _open(self) -> tuple[asyncio.StreamReader, Callable[[], None]]:
        if self._settings.source == "nmea-serial":
            return await _serial(self._settings.address, _SPEEDS[self._settings.baudrate])
        host, port = self._settings.endpoint
        async with asyncio.timeout(_CONNECT_S):
            reader, writer = await asyncio.open_connection(host, port, limit=_LONGEST_LINE)
        if self._settings.source == "gpsd":
            writer.write(_WATCH)
        return reader, writer.close


async def _serial(path: str, speed: int) -> tuple[asyncio.StreamReader, Callable[[], None]]:
    """A serial port as raw bytes, eight bits, no parity. Raises ``OSError``."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK)
    try:
        if not os.isatty(descriptor):
            raise OSError(errno.ENOTTY, "it is no serial port")
        tty.setraw(descriptor, termios.TCSANOW)
        attributes = termios.tcgetattr(descriptor)
        attributes[4] = attributes[5] = speed
        termios.tcsetattr(descriptor, termios.TCSANOW, attributes)
    except termios.error as error:
        os.close(descriptor)
        raise OSError(*error.args) from error
    except OSError:
        os.close(descriptor)
        raise
    reader = asyncio.StreamReader(limit=_LONGEST_LINE)
    file = os.fdopen(descriptor, "rb", buffering=0)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), file
    )
    return reader, transport.close
