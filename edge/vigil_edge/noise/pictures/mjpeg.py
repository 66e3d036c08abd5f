"""MJPEG over HTTP: ``multipart/x-mixed-replace``, parsed without decoding a picture.

OpenCV could read such a stream, but it hides the parts' headers, and with them
``X-Timestamp``: when the camera took the picture.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from typing import Final

import httpx

from vigil_edge.noise.pictures.frame import MAX_FRAME_BYTES, Frame, as_jpeg

TIMEOUT_S: Final = 5.0
FRAME_S: Final = 15.0
"""A camera that sends a byte now and then never falls silent: so long it may take for a frame."""
MAX_HEADER_BYTES: Final = 8192
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


class MjpegStream:
    """One request to a camera."""

    def __init__(self, address: str) -> None:
        self._address = address

    def frames(self, wanted: Callable[[], bool]) -> Iterator[Frame | None]:
        """Raises ``httpx.HTTPError`` or ``ValueError`` where it is no MJPEG stream."""
        del wanted  # nothing is decoded here, so every frame may come
        with httpx.stream("GET", self._address, timeout=TIMEOUT_S) as response:
            response.raise_for_status()
            kind = response.headers.get("content-type", "")
            boundary = _BOUNDARY.search(kind)
            if not kind.lower().startswith("multipart/") or boundary is None:
                raise ValueError(f"content type {kind!r} is no MJPEG stream")
            parser = MultipartParser(boundary[1].strip())
            begun = time.monotonic()
            for payload in response.iter_raw():
                for frame in parser.feed(payload):
                    begun = time.monotonic()
                    yield frame
                if time.monotonic() - begun > FRAME_S:
                    raise ValueError(f"no whole frame for {FRAME_S:g} s, though bytes come")


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
    """``X-Timestamp`` in seconds since 1970; 0 where the camera gives none."""
    try:
        return max(0.0, float(headers.get("x-timestamp", "0")))
    except ValueError:
        return 0.0
