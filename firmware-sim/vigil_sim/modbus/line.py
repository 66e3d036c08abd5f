"""The two ways a slave is wired: Modbus TCP and a serial line (RTU) on a pseudo-terminal."""

from __future__ import annotations

import asyncio
import contextlib
import os
import struct
import tty
from collections.abc import Callable
from typing import Protocol

from vigil_sim.modbus.codec import MAX_ADU_LENGTH, MBAP_BYTES, Frame, RtuRequests
from vigil_sim.tcp import TcpServer

Send = Callable[[bytes], None]
Serve = Callable[[Frame, Send], None]
"""Called for each request; answers, if at all, through ``Send``."""

_SILENCE_S = 0.1
"""A pause on the serial line after which an unfinished request is forgotten."""


class Line(Protocol):
    """A wire that requests come over."""

    @property
    def address(self) -> str:
        """Where a master finds it."""

    async def open(self) -> None:
        """Begin to listen."""

    def hang_up(self) -> None:
        """Break whatever connections there are, as a power cut does."""

    async def close(self) -> None:
        """Stop listening."""


class TcpLine:
    """Modbus TCP. A frame whose header makes no sense ends its connection, as real slaves do."""

    def __init__(self, host: str, port: int, serve: Serve, away: Callable[[], bool]) -> None:
        self._serve = serve
        self._away = away
        self._server = TcpServer(host, port, self._converse)

    @property
    def address(self) -> str:
        """``host:port``."""
        return self._server.address

    async def open(self) -> None:
        """Begin to listen; port 0 becomes a free one."""
        await self._server.start()

    def hang_up(self) -> None:
        """Reset every connection."""
        self._server.hang_up()

    async def close(self) -> None:
        """Stop listening and end every connection."""
        self._server.hang_up()
        await self._server.stop()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._away():
            writer.transport.abort()
            return

        def send(data: bytes) -> None:
            if not writer.is_closing():
                writer.write(data)

        # A master that goes away in mid-frame, or is reset, has simply gone.
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                header = await reader.readexactly(MBAP_BYTES)
                transaction, protocol, length, unit = struct.unpack(">HHHB", header)
                if protocol != 0 or not 2 <= length <= MAX_ADU_LENGTH:
                    return
                pdu = await reader.readexactly(length - 1)
                self._serve(Frame(transaction, unit, pdu), send)
                await writer.drain()


class RtuTcpLine(TcpLine):
    """A serial line behind a converter that passes its bytes over TCP as they are."""

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._away():
            writer.transport.abort()
            return

        def send(data: bytes) -> None:
            if not writer.is_closing():
                writer.write(data)

        requests = RtuRequests()
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(4096):
                for frame in requests.feed(data):
                    self._serve(frame, send)
                await writer.drain()


class PtyLine:
    """A serial line on a pseudo-terminal; ``address`` is its path, opened like any serial port."""

    def __init__(self, serve: Serve) -> None:
        self._serve = serve
        self._requests = RtuRequests()
        self._heard_at = 0.0
        self._master = -1
        self._slave = -1
        self._path = ""

    @property
    def address(self) -> str:
        """Path of the terminal, such as ``/dev/pts/3``."""
        return self._path

    async def open(self) -> None:
        """Make the terminal."""
        # The slave side stays open here too, so that the master side never reads end-of-file
        # between two openings of the port.
        self._master, self._slave = os.openpty()
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self._path = os.ttyname(self._slave)
        asyncio.get_running_loop().add_reader(self._master, self._readable)

    def hang_up(self) -> None:
        """A serial line has no connections; what was half received is lost."""
        self._requests = RtuRequests()

    async def close(self) -> None:
        """Remove the terminal."""
        if self._master < 0:
            return
        asyncio.get_running_loop().remove_reader(self._master)
        os.close(self._master)
        os.close(self._slave)
        self._master = self._slave = -1

    def _readable(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._heard_at > _SILENCE_S:
            self._requests = RtuRequests()
        self._heard_at = now
        try:
            data = os.read(self._master, 4096)
        except BlockingIOError:
            return
        for frame in self._requests.feed(data):
            self._serve(frame, self._send)

    def _send(self, data: bytes) -> None:
        if self._master >= 0:
            # A terminal whose buffer is full (nobody reads the answers) loses them, as a wire does.
            with contextlib.suppress(BlockingIOError):
                os.write(self._master, data)
