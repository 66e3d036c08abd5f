"""Who is connected, and who has kept us waiting for too long.

uvicorn has a deadline for the pause between two requests and none for a request's header,
its body, or a reader that does not read (ADR 14). One look a second
over all connections finds those, whatever they are in the middle of.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import ipaddress
import socket
import struct
import termios
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from enum import IntEnum
from typing import Any, Final, cast

import structlog
from uvicorn import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from vigil_cloud.capacity.connections import HttpLimits
from vigil_cloud.identity.attempts import client_network

LOOK_S: Final = 1.0
TELL_S: Final = 60.0
SEND_BUFFER: Final = 256 * 1024
"""In the kernel, which doubles it: left to itself, a reader that does not read takes 4 MB."""
_ACKED: Final = struct.Struct("@120xQ")
"""``tcpi_bytes_acked`` in Linux's ``struct tcp_info``."""
_RESET: Final = struct.pack("ii", 1, 0)
_log = structlog.get_logger(__name__)


class Phase(IntEnum):
    """What a connection waits for; those with the lower number make room first."""

    HEAD = 0
    """For its client: a request's header, or that it takes the end of its answer."""
    BODY = 1
    """For its client: the rest of a request."""
    ANSWER = 2
    """For us, or for a stream's next event."""


class Connection(H11Protocol):
    """uvicorn's protocol, which knows since when it has waited and for what."""

    def __init__(
        self,
        config: Config,
        state: ServerState,
        app_state: dict[str, Any],
        guard: Guard,
        network: str,
    ) -> None:
        super().__init__(config=config, server_state=state, app_state=app_state)
        self._guard = guard
        self.network = network
        self.since = guard.monotonic()
        """When the phase began."""
        self._again = False
        self._body_bytes = 0
        self._unread_since: float | None = None
        self._acked = 0
        self._sock: socket.socket | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Enter it into the guard's book."""
        self._sock = transport.get_extra_info("socket")
        self._guard.enter(self)
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Take it out again."""
        self._sock = None
        self._guard.leave(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Count the body, and begin a phase anew where it changes."""
        before = self.phase
        self._body_bytes += len(data)
        super().data_received(data)
        if self.phase != before:
            self.since = self._guard.monotonic()
            self._body_bytes = 0

    def on_response_complete(self) -> None:
        """From here on it waits for its next request."""
        self.since, self._again = self._guard.monotonic(), True
        super().on_response_complete()

    @property
    def phase(self) -> Phase:
        """Where it is."""
        if self.cycle is None or self.cycle.response_complete:
            return Phase.HEAD
        return Phase.BODY if self.cycle.more_body else Phase.ANSWER

    def overdue(self, limits: HttpLimits, now: float) -> str | None:
        """Which deadline has passed, if one has."""
        if self._is_stalled(limits, now):
            return "stalled"
        phase = self.phase
        if phase is Phase.HEAD and self._unread_since is not None:
            self.since = now  # it still reads its last answer
        waited = now - self.since
        if phase is Phase.HEAD:
            # The pause between requests is uvicorn's to end; one byte ends its count.
            longest = limits.head_s + (limits.keep_alive_s if self._again else 0.0)
            return "head" if waited > longest else None
        if phase is Phase.BODY:
            if self.flow.read_paused:  # it is we who are slow
                self.since = now
                self._body_bytes = 0
                return None
            longest = limits.body_s + self._body_bytes / limits.least_bytes_per_s
            return "body" if waited > longest else None
        return None

    def _is_stalled(self, limits: HttpLimits, now: float) -> bool:
        """Whether something has lain here for ``stall_s`` of which too little was taken."""
        unread, acked = self._outgoing()
        if not unread:
            self._unread_since = None
            return False
        if self._unread_since is None:
            self._unread_since, self._acked = now, acked
            return False
        waited = now - self._unread_since
        if waited < limits.stall_s:
            return False
        if acked - self._acked < limits.least_bytes_per_s * waited:
            return True
        self._unread_since, self._acked = now, acked
        return False

    def _outgoing(self) -> tuple[int, int]:
        """Bytes that the other side has not confirmed, and how many it has."""
        if self._sock is None or self._sock.fileno() < 0:
            return 0, 0
        waiting = self.transport.get_write_buffer_size()
        with contextlib.suppress(OSError, struct.error, AttributeError):
            number = struct.unpack(
                "i", fcntl.ioctl(self._sock.fileno(), termios.TIOCOUTQ, b"\0" * 4)
            )
            known = self._sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _ACKED.size)
            return waiting + number[0], int(_ACKED.unpack(known)[0])
        return waiting, 0

    def end(self) -> None:
        """At once: what waits to be sent is not sent. Does nothing twice."""
        self._guard.leave(self)
        if self._sock is not None and self._sock.fileno() >= 0:
            # Reset: or the kernel keeps what was not read, and offers it for minutes.
            with contextlib.suppress(OSError):
                self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self.transport.abort()


class Guard:
    """Belongs to one event loop."""

    def __init__(
        self,
        limits: HttpLimits,
        most: int,
        most_per_client: int,
        *,
        trusted: Iterable[str] = (),
        ended: Callable[[str], None] = lambda _reason: None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """``trusted`` are proxies, as ``FORWARDED_ALLOW_IPS`` names them; ``ended`` is told why a
        connection was ended or not taken."""
        self._limits = limits
        self.most = most
        self._most_per_client = most_per_client
        names = list(trusted)
        self._everybody = "*" in names
        self._trusted = [network for name in names for network in _network(name)]
        self._ended = ended
        self.monotonic = monotonic
        self.connections: set[Connection] = set()
        self._networks: Counter[str] = Counter()
        self._untold: Counter[str] = Counter()
        self._told_at = -TELL_S

    def enter(self, connection: Connection) -> None:
        """A connection has begun."""
        self.connections.add(connection)
        self._networks[connection.network] += 1

    def leave(self, connection: Connection) -> None:
        """A connection has ended."""
        if connection in self.connections:
            self.connections.discard(connection)
            self._networks[connection.network] -= 1
            if not self._networks[connection.network]:
                del self._networks[connection.network]

    def admit(self, address: str) -> str | None:
        """The network that a new connection from this address counts for, once there is room for
        it; ``None`` where nobody can be asked to make any."""
        network = client_network(address)
        if self._networks[network] >= self._most_per_client and not self._is_proxy(address):
            return network if self._make_room(self._of(network), reason="client-full") else None
        if len(self.connections) >= self.most:
            # Of the network that has most first: a flood makes room for the others.
            fullest, _ = self._networks.most_common(1)[0]
            room = self._make_room(self._of(fullest), self.connections, reason="full")
            return network if room else None
        return network

    def look(self) -> None:
        """End what is overdue, and tell how much that was."""
        now = self.monotonic()
        for connection in list(self.connections):
            reason = connection.overdue(self._limits, now)
            if reason is not None:
                self._count(reason)
                connection.end()
        if self._untold and now - self._told_at >= TELL_S:
            _log.warning("connections-ended", open=len(self.connections), **self._untold)
            self._untold.clear()
            self._told_at = now

    def refuse(self, reason: str) -> None:
        """A connection was not taken."""
        self._count(reason)

    def _count(self, reason: str) -> None:
        self._untold[reason.replace("-", "_")] += 1
        self._ended(reason)

    def _make_room(self, *groups: Iterable[Connection], reason: str) -> bool:
        """End the one of the first group, or the next, that has waited for longest."""
        for among in groups:
            waiting = [one for one in among if one.phase is not Phase.ANSWER]
            if waiting:
                self._count(reason)
                min(waiting, key=lambda one: (one.phase, one.since)).end()
                return True
        self._count(f"refused-{reason}")
        return False

    def _of(self, network: str) -> list[Connection]:
        return [one for one in self.connections if one.network == network]

    def _is_proxy(self, address: str) -> bool:
        if self._everybody:
            return True
        try:
            found = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            return False
        return any(found in network for network in self._trusted)


_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _network(name: str) -> list[_Network]:
    try:
        return [ipaddress.ip_network(name.strip(), strict=False)]
    except ValueError:  # a path or a name, as uvicorn lets them stand
        return []


def trusted_proxies(environment: Mapping[str, str]) -> list[str]:
    """What uvicorn reads ``FORWARDED_ALLOW_IPS`` as."""
    return [part.strip() for part in environment.get("FORWARDED_ALLOW_IPS", "127.0.0.1").split(",")]


def connection_of(
    config: Config, state: ServerState, app_state: dict[str, Any], guard: Guard, network: str
) -> asyncio.Protocol:
    """One protocol object for one accepted socket."""
    return cast(asyncio.Protocol, Connection(config, state, app_state, guard, network))
