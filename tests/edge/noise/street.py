"""The other ends of a noise camera's cables: a PCM server and an MJPEG camera, over real TCP."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import cv2
import numpy as np

from edge.noise.tones import Signal

RATE = 48000
PLATE_BOX = (250, 230, 140, 46)
"""x, y, width, height in the frames of ``picture``."""


@asynccontextmanager
async def pcm_server(
    signal: Signal, *, pascal_per_unit: float, channels: int = 2, odd: bool = False
) -> AsyncIterator[int]:
    """Serves s16le at real time, then hangs up; ``odd`` cuts packets inside samples."""
    units = np.clip(np.round(signal / pascal_per_unit * 32768), -32768, 32767).astype("<i2")
    payload = np.repeat(units[:, None], channels, axis=1).tobytes()
    frame = 2 * channels
    packet = int(0.05 * RATE) * frame + (1 if odd else 0)

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        begun = time.monotonic()
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
            for at in range(0, len(payload), packet):
                due = begun + min(at + packet, len(payload)) / frame / RATE
                await asyncio.sleep(due - time.monotonic())
                writer.write(payload[at : at + packet])
                await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


@asynccontextmanager
async def mjpeg_camera(
    *, fps: float = 10.0, stamped: bool = True, hang_up_after: int | None = None
) -> AsyncIterator[int]:
    """A camera that shows a plate; every fifth part is garbage when it hangs up early."""
    jpegs = [encoded(picture(number)) for number in range(10)]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(
            ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError
        ):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(
                b"HTTP/1.1 200 OK\r\n"
                b"Content-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n"
            )
            number = 0
            while hang_up_after is None or number < hang_up_after:
                body = jpegs[number % len(jpegs)]
                if hang_up_after is not None and number % 5 == 4:
                    body = b"garbage"
                writer.write(part(body, time.time() if stamped else None))
                await writer.drain()
                await asyncio.sleep(1 / fps)
                number += 1
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def part(body: bytes, stamp: float | None) -> bytes:
    head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(body)}\r\n"
    if stamp is not None:
        head += f"X-Timestamp: {stamp:.6f}\r\n"
    return head.encode() + b"\r\n" + body + b"\r\n"


def picture(number: int, text: str = "ABC-1234") -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """A grey street with one bright plate that does not move; the rest does."""
    rng = np.random.default_rng(number)
    frame = rng.integers(60, 110, (360, 640, 3)).astype(np.uint8)
    frame = cv2.GaussianBlur(frame, (9, 9), 0)
    cv2.rectangle(frame, (40 + 10 * number, 90), (180 + 10 * number, 190), (40, 60, 120), -1)
    x, y, width, height = PLATE_BOX
    cv2.rectangle(frame, (x - 60, y - 90), (x + width + 60, y + height + 20), (35, 35, 35), -1)
    cv2.rectangle(frame, (x, y), (x + width, y + height), (235, 235, 235), -1)
    cv2.putText(
        frame, text, (x + 8, y + 33), cv2.FONT_HERSHEY_SIMPLEX, 0.78, (20, 20, 20), 2, cv2.LINE_AA
    )
    return frame


def encoded(frame: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> bytes:
    done, jpeg = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, 85])
    assert done
    return jpeg.tobytes()


def overlap(a: Sequence[float], b: Sequence[float]) -> float:
    """Intersection over union of two boxes x, y, width, height."""
    width = max(0.0, min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1]))
    return width * height / (a[2] * a[3] + b[2] * b[3] - width * height)
