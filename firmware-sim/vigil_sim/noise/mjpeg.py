"""A network camera: MJPEG over HTTP, as traffic cameras serve it.

``GET /stream.mjpeg`` is multipart/x-mixed-replace; every part carries
``X-Timestamp``, seconds since 1970 UTC of its exposure. ``GET /snapshot.jpg``
is one picture.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from vigil_sim.faults import Faults
from vigil_sim.noise.clock import StreetClock
from vigil_sim.noise.serving import Broadcast

_BOUNDARY = "vigilframe"
_BEHIND_BYTES = 1024 * 1024
_PATIENCE_S = 10.0


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

    def __init__(  # noqa: PLR0913 - what a test may turn of a camera, by name
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
        self._world_time = world_time or clock.now
        self._faults = faults or Faults()
        self._server = Broadcast(
            host, port, self._greet, lambda: self._faults.rebooting(self._world_time())
        )

    @property
    def address(self) -> str:
        """The stream's URL."""
        return f"http://{self._server.address}/stream.mjpeg"

    async def start(self) -> None:
        """Listen, and begin to expose."""
        await self._server.start(self._tick(), "camera")

    async def stop(self) -> None:
        """Close every connection and the port."""
        await self._server.stop()

    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), _PATIENCE_S)
        words = head.split(b"\r\n", 1)[0].decode("latin-1").split()
        path = words[1].split("?")[0] if len(words) == 3 and words[0] == "GET" else ""
        if path in ("/", "/stream.mjpeg"):
            kind = f"multipart/x-mixed-replace; boundary={_BOUNDARY}"
            writer.write(_head("200 OK", kind, "Cache-Control: no-store\r\n"))
            return True
        if path == "/snapshot.jpg":
            t = self._clock.now()
            picture = await asyncio.to_thread(self._film.jpeg, t, self._clock.unix(t))
            length = f"Content-Length: {len(picture)}\r\n"
            writer.write(_head("200 OK", "image/jpeg", length) + picture)
        else:
            writer.write(_head("404 Not Found", "text/plain", "Content-Length: 0\r\n"))
        await writer.drain()
        return False

    async def _tick(self) -> None:
        frame = int(self._clock.now() * self._fps)
        while True:
            frame = max(frame + 1, int(self._clock.now() * self._fps))
            t = frame / self._fps
            await asyncio.sleep(t - self._clock.now())
            world = self._world_time()
            if self._faults.rebooting(world):
                self._server.hang_up()
            if self._server.listeners and not self._faults.drops(world):
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
        self.skipped_frames += self._server.send(part + picture + b"\r\n", _BEHIND_BYTES)


def _head(status: str, kind: str, more: str) -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\n{more}Connection: close\r\n\r\n".encode()
