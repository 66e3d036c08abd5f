"""MJPEG over HTTP: ``multipart/x-mixed-replace``, parsed without decoding a picture.

OpenCV could read such a stream, but it hides the parts' headers, and with them
``X-Timestamp``: when the camera took the picture.
"""

from __future__ import annotations

import os
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Final

import httpx

from vigil_edge.noise.pictures.frame import MAX_FRAME_BYTES, Frame, as_jpeg

TIMEOUT_S: Final = 5.0
FRAME_S: Final = 15.0
"""A camera that sends a byte now and then never falls silent: so long it may take for a frame,
the first one from when it was connected to, headers and all."""
MAX_HEADER_BYTES: Final = 8192
_NO_TIME_S: Final = 253_402_300_800.0
"""The year 10000, which no clock shows."""
_NO_FRAME: Final = "no whole frame for {:g} s, though bytes come"
_BOUNDARY = re.compile(r'boundary="?([^";,]+)"?', re.IGNORECASE)


class MultipartParser:
    """Bytes in, frames out; keeps what is not finished. Raises ``ValueError`` out of step."""

    def __init__(self, boundary: str) -> None:
        # Some cameras write the dashes into the announced boundary, some do not.
        self._delimiter = b"--" + boundary.lstrip("-").encode("latin-1")
        self._buffer = bytearray()

    def feed(self, payload: bytes) -> Iterator[Frame | None]:
        """Frames completed by ``payload``; None for a part that is no JPEG."""
        self._buffer += payload
        while True:
            part = self._next_part()
            if part is None:
                break
            headers, body = part
            jpeg = as_jpeg(body)
            yield Frame(_timestamp(headers), jpeg) if jpeg else None
        if len(self._buffer) > MAX_FRAME_BYTES + MAX_HEADER_BYTES:
            raise ValueError("the stream has no part boundary where one should be")

    def _next_part(self) -> tuple[dict[str, str], bytes] | None:
        start = self._buffer.find(self._delimiter)
        if start < 0:
            return None
        head_at = self._buffer.find(b"\n", start)
        end, gap = _blank_line(self._buffer, head_at)
        if head_at < 0 or end < 0:
            return None
        headers = _headers(bytes(self._buffer[head_at:end]))
        body_at = end + gap
        length = headers.get("content-length", "")
        if length.isdecimal():
            if int(length) > MAX_FRAME_BYTES:
                raise ValueError(f"a frame of {length} bytes; the limit is {MAX_FRAME_BYTES}")
            body_end = body_at + int(length)
            if len(self._buffer) < body_end:
                return None
        else:
            body_end = self._buffer.find(self._delimiter, body_at)
            if body_end < 0:
                return None
        body = bytes(self._buffer[body_at:body_end])
        del self._buffer[:body_end]
        return headers, body


class _Patience:
    """Shuts a connection down where ``renew`` was not called for ``FRAME_S``.

    The client's own time-outs count from byte to byte, and dripped headers and lengths of chunks
    do not come out of it. It then meets the end of the connection, in whatever it is at.
    """

    def __init__(self) -> None:
        self.over = False
        self._lock = threading.Lock()
        self._connection: socket.socket | None = None
        self._done = threading.Event()
        self.renew()

    def renew(self) -> None:
        """A frame has come."""
        self._until = time.monotonic() + FRAME_S

    def trace(self, event: str, details: Mapping[str, Any]) -> None:
        """``httpx``'s ``trace`` extension: it tells of the connection once that stands."""
        if event == "connection.connect_tcp.complete":
            # A duplicate: its shutdown ends both, also under TLS, and its closing neither.
            number = os.dup(details["return_value"].get_extra_info("socket").fileno())
            with self._lock:
                self._connection = socket.socket(fileno=number)

    @contextmanager
    def watching(self) -> Iterator[None]:
        watch = threading.Thread(target=self._watch, name="camera patience", daemon=True)
        watch.start()
        try:
            yield
        finally:
            self._done.set()
            watch.join()
            if self._connection is not None:
                self._connection.close()

    def _watch(self) -> None:
        while not self._done.wait(max(0.0, self._until - time.monotonic())):
            if time.monotonic() < self._until:
                continue
            with self._lock:
                if self._connection is not None:
                    self.over = True
                    with suppress(OSError):
                        self._connection.shutdown(socket.SHUT_RDWR)
                    return
            self.renew()  # not connected yet, which has a limit of its own


class MjpegStream:
    """One request to a camera."""

    def __init__(self, address: str) -> None:
        self._address = address

    def frames(self, wanted: Callable[[], bool]) -> Iterator[Frame | None]:
        """Raises ``httpx.HTTPError`` or ``ValueError`` where it is no MJPEG stream."""
        del wanted  # nothing is decoded here, so every frame may come
        patience = _Patience()
        with patience.watching():
            try:
                yield from self._frames(patience)
            except httpx.HTTPError as error:
                if not patience.over:
                    raise
                raise ValueError(_NO_FRAME.format(FRAME_S)) from error
            if patience.over:  # what was cut off may look like its own end
                raise ValueError(_NO_FRAME.format(FRAME_S))

    def _frames(self, patience: _Patience) -> Iterator[Frame | None]:
        traced = {"trace": patience.trace}
        with (
            httpx.Client(timeout=TIMEOUT_S) as client,
            client.stream("GET", self._address, extensions=traced) as response,
        ):
            response.raise_for_status()
            kind = response.headers.get("content-type", "")
            boundary = _BOUNDARY.search(kind)
            if not kind.lower().startswith("multipart/") or boundary is None:
                raise ValueError(f"content type {kind!r} is no MJPEG stream")
            parser = MultipartParser(boundary[1].strip())
            for payload in response.iter_raw():
                for frame in parser.feed(payload):
                    yield frame
                    patience.renew()


def _blank_line(buffer: bytearray, start: int) -> tuple[int, int]:
    """Where the headers end, and how long the blank line is; -1 where it has not come."""
    found = [
        (at, len(blank))
        for blank in (b"\r\n\r\n", b"\n\n")
        if (at := buffer.find(blank, max(start - 1, 0))) >= 0
    ]
    # The other kind may stand by chance inside the picture, but only behind the true one.
    return min(found, default=(-1, 0))


def _headers(text: bytes) -> dict[str, str]:
    headers = {}
    for line in text.decode("latin-1").splitlines():
        name, colon, value = line.partition(":")
        if colon:
            headers[name.strip().lower()] = value.strip()
    return headers


def _timestamp(headers: dict[str, str]) -> float:
    """``X-Timestamp`` in seconds since 1970; 0 where the camera gives none, or what is no time."""
    try:
        told = float(headers.get("x-timestamp", "0"))
    except ValueError:
        return 0.0
    return told if 0.0 < told < _NO_TIME_S else 0.0
