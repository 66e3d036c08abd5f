"""A network camera: MJPEG over HTTP, as traffic cameras serve it.

``GET /stream.mjpeg`` is multipart/x-mixed-replace; every part carries
``X-Timestamp``, seconds since 1970 UTC of its exposure. ``GET /snapshot.jpg``
is one picture.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Protocol

from vigil_sim.clock import StreetClock
from vigil_sim.faults import Faults

_BOUNDARY = "vigilframe"
_BEHIND_BYTES = 1024 * 1024


class Film(Protocol):
    """What a camera looks at."""

    def jpeg(self, t: float, unix: float) -> bytes:
        """The picture at the street's time ``t`` seconds, with the time of day shown in it."""

    def moving(self, t: float) -> bool:
        """Whether something moves, so that the picture takes some work."""


class Camera:
    """One camera. ``await start()``, then ``address`` is the stream's URL.

    Faults: drop loses frames, clock_skew shifts ``X-Timestamp``, corrupt_frame
    cuts a picture short, reboot closes every connection and refuses new ones.
    """

    def __init__(
        self,
        film: Film,
        clock: StreetClock,
        *,
        fps: int = 10,
        host: str = "127.0.0.1",
        port: int = 0,
        world_time: Callable[[], float] | None = None,
        faults: Faults | None = None,
    ) -> None:
        self.skipped_frames = 0
        self._film = film
        self._clock = clock
        self._fps = fps
        self._host, self._port = host, port
        self._world_time = world_time or clock.now
        self._faults = faults or Faults()
        self._clients: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self._ticking: asyncio.Task[None] | None = None

    @property
    def address(self) -> str:
        """The stream's URL."""
        return f"http://{self._host}:{self._port}/stream.mjpeg"

    async def start(self) -> None:
        """Listen, and begin to expose."""
        self._server = await asyncio.start_server(self._connected, self._host, self._port)
        self._port = int(self._server.sockets[0].getsockname()[1])
        self._ticking = asyncio.create_task(self._tick(), name="camera")

    async def stop(self) -> None:
        """Close every connection and the port."""
        if self._ticking is not None:
            self._ticking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._ticking
        if self._server is not None:
            self._server.close()
        self._hang_up()
        if self._server is not None:
            await self._server.wait_closed()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._faults.rebooting(self._world_time()):
            writer.transport.abort()
            return
        try:
            head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)
            await self._answer(head, reader, writer)
        except (
            ConnectionError,
            TimeoutError,
            asyncio.IncompleteReadError,
            asyncio.LimitOverrunError,
        ):
            pass
        finally:
            self._clients.discard(writer)
            writer.close()

    async def _answer(
        self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        words = head.split(b"\r\n", 1)[0].decode("latin-1").split()
        path = words[1].split("?")[0] if len(words) == 3 and words[0] == "GET" else ""
        if path in ("/", "/stream.mjpeg"):
            writer.write(
                b"HTTP/1.1 200 OK\r\nCache-Control: no-store\r\nConnection: close\r\n"
                b"Content-Type: multipart/x-mixed-replace; boundary="
                + _BOUNDARY.encode()
                + b"\r\n\r\n"
            )
            self._clients.add(writer)
            while await reader.read(1024):
                pass
        elif path == "/snapshot.jpg":
            t = self._clock.now()
            picture = await asyncio.to_thread(self._film.jpeg, t, self._clock.unix(t))
            writer.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nConnection: close\r\n"
                + f"Content-Length: {len(picture)}\r\n\r\n".encode()
                + picture
            )
            await writer.drain()
        else:
            writer.write(
                b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            )
            await writer.drain()

    async def _tick(self) -> None:
        frame = int(self._clock.now() * self._fps)
        while True:
            frame = max(frame + 1, int(self._clock.now() * self._fps))
            t = frame / self._fps
            await asyncio.sleep(t - self._clock.now())
            world = self._world_time()
            if self._faults.rebooting(world):
                self._hang_up()
            if self._clients and not self._faults.drops(world):
                await self._send(t, world)

    async def _send(self, t: float, world: float) -> None:
        unix = self._clock.unix(t)
        if self._film.moving(t):
            picture = await asyncio.to_thread(self._film.jpeg, t, unix)
        else:
            picture = self._film.jpeg(t, unix)
        if self._faults.corruption(world):
            picture = picture[: self._faults.random.randrange(2, len(picture))]
        part = (
            f"--{_BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\n"
            f"X-Timestamp: {unix + self._faults.skew(world):.6f}\r\n\r\n"
        ).encode()
        for writer in tuple(self._clients):
            if writer.transport.get_write_buffer_size() > _BEHIND_BYTES:
                self.skipped_frames += 1
            else:
                writer.write(part + picture + b"\r\n")

    def _hang_up(self) -> None:
        for writer in tuple(self._clients):
            writer.transport.abort()
        self._clients.clear()
