"""uvicorn behind an accept loop of our own.

asyncio's accepts a whole backlog before anybody may say no, and where handles have run out it
writes one traceback for each that waits, every second. This one asks before each connection, and
keeps one spare handle, so that even then it can take what waits and turn it away.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
from collections.abc import Callable
from typing import Final

import structlog
import uvicorn

from vigil_cloud.http.guard import LOOK_S, SEND_BUFFER, Guard, connection_of

BACKLOG: Final = 512
_PAUSE_S: Final = 0.1
_EXHAUSTED: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_log = structlog.get_logger(__name__)


class GuardedServer(uvicorn.Server):
    """Serves one listening socket; ``ready`` is called once it does."""

    def __init__(
        self,
        config: uvicorn.Config,
        listener: socket.socket,
        guard: Guard,
        ready: Callable[[], None],
    ) -> None:
        super().__init__(config)
        self._listener = listener
        self._guard = guard
        self._ready = ready
        self._spare: int | None = None
        self._accepting: list[asyncio.Task[None]] = []

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:  # noqa: ARG002 - uvicorn's
        """Everything of uvicorn's but the accepting."""
        await super().startup([])
        self._listener.setblocking(False)
        self._listener.listen(BACKLOG)
        self._spare = _spare()
        self._accepting = [
            asyncio.create_task(self._accept_all()),
            asyncio.create_task(self._look()),
        ]
        self._ready()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:  # noqa: ARG002 - uvicorn's
        """No more connections; those that wait for their client are ended, as uvicorn does."""
        self._accepting[0].cancel()
        self._listener.close()
        await super().shutdown([])
        self._accepting[1].cancel()
        if self._spare is not None:
            os.close(self._spare)

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            try:
                self._guard.look()
            except Exception:  # noqa: BLE001 - one connection in a strange state must not end the looking
                _log.exception("guard-failed")

    async def _accept_all(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                accepted, address = await loop.sock_accept(self._listener)
            except OSError as error:
                if error.errno in _EXHAUSTED:
                    await self._turn_away(error)
                continue
            try:
                await self._take(accepted, address)
            except Exception:  # noqa: BLE001 - one strange connection must not end the accepting
                _log.exception("connection-not-taken")
                accepted.close()

    async def _take(self, accepted: socket.socket, address: tuple[str, int]) -> None:
        network = self._guard.admit(str(address[0]))
        if network is None:
            accepted.close()
            await asyncio.sleep(0)  # a flood must not keep everybody else from running
            return
        try:
            accepted.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            accepted.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: connection_of(
                    self.config, self.server_state, self.lifespan.state, self._guard, network
                ),
                accepted,
            )
        except OSError:  # gone before it was here
            accepted.close()

    async def _turn_away(self, error: OSError) -> None:
        """No handle is left: others of this process took more than their reserve. What waits is
        taken with the spare one and closed, or it would wait, and wake us, for ever."""
        self._guard.refuse("no-handles")
        if self._spare is not None:
            os.close(self._spare)
            self._spare = None
        with contextlib.suppress(OSError):
            self._listener.accept()[0].close()
        self._spare = _spare()
        if self._spare is None:
            _log.debug("no-spare-handle", error=str(error))
            await asyncio.sleep(_PAUSE_S)
        await asyncio.sleep(0)


def _spare() -> int | None:
    try:
        return os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
