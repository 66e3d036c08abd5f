"""A TCP server of a simulated device: no connection outlives it, whenever it arrived."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

Converse = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@dataclass(slots=True)
class _Connection:
    socket: socket.socket
    writer: asyncio.StreamWriter | None = None
    """Once there is a transport, the socket is its own."""


class TcpServer:
    """Each connection is a task of ``converse``; when that returns, the connection is closed.

    Not ``asyncio.start_server``: what that has accepted but not yet told of when it is closed
    is left open (before Python 3.13), and our tests take that for the leak that it is.
    """

    def __init__(self, host: str, port: int, converse: Converse) -> None:
        self._host = host
        self._port = port
        self._converse = converse
        self._listener: socket.socket | None = None
        self._connections: dict[asyncio.Task[None], _Connection] = {}

    @property
    def host(self) -> str:
        """Where it listens."""
        return self._host

    @property
    def port(self) -> int:
        """What was asked for; once started, the one that is open."""
        return self._port

    @property
    def address(self) -> str:
        """``host:port``."""
        return f"{self._host}:{self._port}"

    @property
    def listening(self) -> bool:
        """Between ``start`` and ``stop``."""
        return self._listener is not None

    async def start(self) -> None:
        """Listen; port 0 becomes a free one. Raises ``OSError``."""
        listener = socket.create_server((self._host, self._port))
        listener.setblocking(False)
        self._port = int(listener.getsockname()[1])
        self._listener = listener
        asyncio.get_running_loop().add_reader(listener, self._accept, listener)

    def hang_up(self) -> None:
        """Reset every connection."""
        for task, connection in self._connections.items():
            if connection.writer is None:
                task.cancel()
            else:
                connection.writer.transport.abort()

    async def stop(self) -> None:
        """Close the port and end every connection."""
        listener, self._listener = self._listener, None
        if listener is None:
            return
        asyncio.get_running_loop().remove_reader(listener)
        listener.close()
        for task in tuple(self._connections):
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    def _accept(self, listener: socket.socket) -> None:
        with contextlib.suppress(BlockingIOError, ConnectionAbortedError):
            connection = _Connection(listener.accept()[0])
            connection.socket.setblocking(False)
            task = asyncio.get_running_loop().create_task(self._serve(connection))
            self._connections[task] = connection
            task.add_done_callback(self._ended)

    async def _serve(self, connection: _Connection) -> None:
        reader, writer = await asyncio.open_connection(sock=connection.socket)
        connection.writer = writer
        await self._converse(reader, writer)

    def _ended(self, task: asyncio.Task[None]) -> None:
        # Here and not in a ``finally``: a task cancelled before its first step runs none.
        connection = self._connections.pop(task)
        if connection.writer is None:
            connection.socket.close()
        else:
            connection.writer.close()
