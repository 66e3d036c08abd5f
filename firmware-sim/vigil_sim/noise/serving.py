"""A small TCP server whose listeners all get the same live stream."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from vigil_sim.supervised import cancel_and_wait, start_supervised
from vigil_sim.tcp import TcpServer

Greeting = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[bool]]


class Broadcast:
    """Listens, keeps who listens, and runs the ticker that sends.

    ``greet`` is called for each connection; those it returns true for become
    listeners until they hang up. Connections are refused while ``away()``.
    """

    def __init__(self, host: str, port: int, greet: Greeting, away: Callable[[], bool]) -> None:
        self.listeners: set[asyncio.StreamWriter] = set()
        self._greet = greet
        self._away = away
        self._server = TcpServer(host, port, self._answer)
        self._ticking: asyncio.Task[None] | None = None

    @property
    def address(self) -> str:
        """``host:port``."""
        return self._server.address

    async def start(self, ticker: Coroutine[Any, Any, None], name: str) -> None:
        """Listen (on a free port if none was given), and let the ticker run."""
        try:
            await self._server.start()
        except OSError:
            ticker.close()
            raise
        self._ticking = start_supervised(ticker, name)

    async def stop(self) -> None:
        """Stop the ticker, hang up on everybody, close the port."""
        self.hang_up()
        await self._server.stop()
        await cancel_and_wait(self._ticking)

    def hang_up(self) -> None:
        """Break every connection."""
        for writer in tuple(self.listeners):
            writer.transport.abort()
        self.listeners.clear()

    def send(self, data: bytes, behind_bytes: int) -> int:
        """To every listener that keeps up; returns how many did not and were passed over."""
        behind = 0
        for writer in tuple(self.listeners):
            if writer.transport.get_write_buffer_size() > behind_bytes:
                behind += 1
            else:
                writer.write(data)
        return behind

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._away():
            writer.transport.abort()
            return
        try:
            if await self._greet(reader, writer):
                self.listeners.add(writer)
                while await reader.read(1024):
                    pass
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError):
            pass  # whoever breaks off or babbles is simply gone
        finally:
            self.listeners.discard(writer)
