"""One satellite receiver that is followed: gpsd or NMEA over TCP, NMEA over a serial line."""

from __future__ import annotations

import asyncio
import errno
import os
import termios
import tty
from collections.abc import Callable
from contextlib import suppress
from random import Random
from typing import Final, Protocol

from vigil_edge.backoff import Backoff
from vigil_edge.position.fix import Nmea, Said, of_gpsd
from vigil_edge.position.settings import PositionSettings

_WATCH: Final = b'?WATCH={"enable":true,"json":true};\n'
_LONGEST_LINE: Final = 64 << 10
SILENT_S: Final = 30.0
"""Receivers speak each second: one that says nothing for so long is asked anew."""
_CONNECT_S: Final = 5.0
_LAST_S: Final = 30.0
_SPEEDS: Final = {
    4800: termios.B4800,
    9600: termios.B9600,
    19200: termios.B19200,
    38400: termios.B38400,
    57600: termios.B57600,
    115200: termios.B115200,
}


class Follower(Protocol):
    """Who is told what the receiver says, and that it cannot be asked any more."""

    def take(self, said: Said) -> None:
        """One line of it."""

    def lost(self, why: str) -> None:
        """It went, or was not there; it is asked anew after a pause."""


async def follow(
    settings: PositionSettings,
    follower: Follower,
    *,
    random: Random | None = None,
    silent_s: float = SILENT_S,
) -> None:
    """Until cancelled: connect, listen, and begin anew where that fails."""
    backoff = Backoff(random or Random(), last_s=_LAST_S)
    while True:
        try:
            await _connected(settings, follower, backoff, silent_s)
        except (OSError, TimeoutError, ValueError, asyncio.IncompleteReadError) as error:
            follower.lost(_why(error, silent_s))
        await asyncio.sleep(backoff.next())


def _why(error: Exception, silent_s: float) -> str:
    if isinstance(error, asyncio.IncompleteReadError):
        return "it closed the connection"
    if isinstance(error, TimeoutError):
        return f"it has said nothing for {silent_s:g} s"
    return str(error) or type(error).__name__


async def _connected(
    settings: PositionSettings, follower: Follower, backoff: Backoff, silent_s: float
) -> None:
    reader, writer, close = await _open(settings)
    parse = of_gpsd if settings.source == "gpsd" else Nmea().take
    try:
        while True:
            async with asyncio.timeout(silent_s):
                line = await reader.readuntil(b"\n")
            said = parse(line)
            if said is not None:
                backoff.reset()
            follower.take(said)
    except asyncio.LimitOverrunError as error:  # a line without an end
        raise ValueError("it sends a line without an end: no receiver") from error
    finally:
        close()
        if writer is not None:
            with suppress(OSError):
                await writer.wait_closed()


async def _open(
    settings: PositionSettings,
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter | None, Callable[[], None]]:
    if settings.source == "nmea-serial":
        reader, close = await _serial(settings.address, _SPEEDS[settings.baudrate])
        return reader, None, close
    host, port = settings.endpoint
    async with asyncio.timeout(_CONNECT_S):
        reader, writer = await asyncio.open_connection(host, port, limit=_LONGEST_LINE)
    if settings.source == "gpsd":
        writer.write(_WATCH)
    return reader, writer, writer.close


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
