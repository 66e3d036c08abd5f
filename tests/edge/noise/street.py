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
FONT = cv2.FONT_HERSHEY_SIMPLEX
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
    """A vehicle that stands and is loud: its plate does not move, only something small does."""
    rng = np.random.default_rng(number)
    frame = rng.integers(60, 110, (360, 640, 3)).astype(np.uint8)
    frame = cv2.GaussianBlur(frame, (9, 9), 0).astype(np.uint8)
    cv2.rectangle(frame, (40 + 10 * number, 90), (70 + 10 * number, 110), (40, 60, 120), -1)
    x, y, width, height = PLATE_BOX
    cv2.rectangle(frame, (x - 60, y - 90), (x + width + 60, y + height + 20), (35, 35, 35), -1)
    cv2.rectangle(frame, (x, y), (x + width, y + height), (235, 235, 235), -1)
    cv2.putText(
        frame, text, (x + 8, y + 33), cv2.FONT_HERSHEY_SIMPLEX, 0.78, (20, 20, 20), 2, cv2.LINE_AA
    )
    return frame


VEHICLE = (150, 110)
PLATE = (70, 26)
STAMP_BOX = (10, 12, 140, 34)


def passage_picture(
    number: int, at: tuple[int, int] | None, *, plate: str = "MKJ-8527", gain: float = 1.0
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """A night street with a time stamp, a sign and, if given, a vehicle with its corner ``at``.

    Stamp and sign are larger, cleaner rows of characters than the vehicle's plate.
    """
    rng = np.random.default_rng(number)
    ground = np.full((360, 640, 3), 48, np.uint8)
    cv2.line(ground, (0, 300), (640, 220), (120, 140, 140), 5)
    cv2.rectangle(ground, (420, 20), (620, 80), (220, 220, 220), -1)
    cv2.putText(ground, "HOT-4567", (436, 62), FONT, 1.0, (20, 20, 20), 2, cv2.LINE_AA)
    if at is not None:
        x, y = at
        cv2.rectangle(ground, at, (x + VEHICLE[0], y + VEHICLE[1]), (40, 30, 110), -1)
        left, top, width, height = vehicle_plate(at)
        cv2.rectangle(ground, (left, top), (left + width, top + height), (225, 225, 225), -1)
        cv2.putText(ground, plate, (left + 4, top + 18), FONT, 0.4, (25, 25, 25), 1, cv2.LINE_AA)
    frame = np.clip(ground * gain + rng.normal(0, 3, ground.shape), 0, 255).astype(np.uint8)
    second = 10 + number // 10
    stamp = f"22:41:{second:02d}"
    cv2.putText(frame, stamp, (14, 38), FONT, 0.9, (240, 240, 240), 2, cv2.LINE_AA)
    return frame


def vehicle_plate(at: tuple[int, int]) -> tuple[int, int, int, int]:
    """Where the plate of ``passage_picture``'s vehicle is."""
    return at[0] + 40, at[1] + 64, *PLATE


def encoded(frame: np.ndarray[tuple[int, ...], np.dtype[np.uint8]]) -> bytes:
    done, jpeg = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, 85])
    assert done
    return jpeg.tobytes()


def overlap(a: Sequence[float], b: Sequence[float]) -> float:
    """Intersection over union of two boxes x, y, width, height."""
    width = max(0.0, min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0]))
    height = max(0.0, min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1]))
    return width * height / (a[2] * a[3] + b[2] * b[3] - width * height)
