"""Writes VP8 in WebM at a steady rate, which every browser plays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import cv2

from vigil_edge.noise.plate.candidates import Picture

_VP8: Final = cv2.VideoWriter.fourcc(*"VP80")
_UNHURRIED_FPS: Final = 1.0
"""libvpx is given a deadline of a second a picture, and where a picture lasts shorter than
its deadline takes that for "as well as you can", which costs three to six times as much
and is not seen. OpenCV passes no other deadline on, so the pictures are encoded as if
they lasted a second, and then packed again at their true rate."""
_KEY_INTERVAL: Final = 12
"""What OpenCV asks of the encoder."""


def write_video(path: Path, frames: Iterable[tuple[Picture, float]], fps: float) -> bool:
    """Pictures and their moments in seconds, in order; False if there was nothing to write.

    Each instant shows the newest picture, so the video stays with the sound.
    All of ``frames`` is consumed in any case. Sizes follow the first picture.
    """
    slow = path.with_suffix(".slow" + path.suffix)
    packed = path.with_suffix(".packed" + path.suffix)
    try:
        written = _encoded(slow, frames, fps)
        if not written or _packed(slow, packed, fps) != written:
            return False
        # Whoever is ended half way leaves no torn video under its name.
        packed.rename(path)
        return True
    finally:
        slow.unlink(missing_ok=True)
        packed.unlink(missing_ok=True)


def _encoded(path: Path, frames: Iterable[tuple[Picture, float]], fps: float) -> int:
    """Encode at ``_UNHURRIED_FPS`` the pictures that ``fps`` asks for; returns how many."""
    writer = cv2.VideoWriter()
    width = height = written = 0
    try:
        for picture in _steady(frames, fps):
            if not written:
                height, width = (side - side % 2 for side in picture.shape[:2])
                size = (width, height)
                writer.open(str(path), cv2.CAP_FFMPEG, _VP8, _UNHURRIED_FPS, size)
            fits = picture.shape[:2] == (height, width)
            writer.write(picture if fits else cv2.resize(picture, (width, height)))
            written += 1
    finally:
        opened = writer.isOpened()
        writer.release()
    return written if opened else 0


def _steady(frames: Iterable[tuple[Picture, float]], fps: float) -> Iterator[Picture]:
    """One picture every 1/fps seconds: the newest, at most half a period early."""
    shown: Picture | None = None
    first_s = last_s = 0.0
    step = 0
    for picture, time_s in frames:
        if shown is None:
            first_s = time_s
        else:
            while first_s + (step + 0.5) / fps < time_s:
                yield shown
                step += 1
        shown, last_s = picture, time_s
    while shown is not None and step - 0.5 < (last_s - first_s) * fps:
        yield shown
        step += 1


def _packed(encoded: Path, path: Path, fps: float) -> int:
    """Write the encoded pictures, as they are, at another rate; returns how many."""
    reader = cv2.VideoCapture(str(encoded), cv2.CAP_FFMPEG, [cv2.CAP_PROP_FORMAT, -1])
    size = tuple(
        int(reader.get(side)) for side in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT)
    )
    raw = [cv2.VIDEOWRITER_PROP_RAW_VIDEO, 1, cv2.VIDEOWRITER_PROP_KEY_INTERVAL, _KEY_INTERVAL]
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, _VP8, fps, size, raw)
    packed = 0
    try:
        while reader.isOpened() and writer.isOpened():
            more, picture = reader.read()
            if not more:
                break
            key = reader.get(cv2.CAP_PROP_LRF_HAS_KEY_FRAME)
            writer.set(cv2.VIDEOWRITER_PROP_KEY_FLAG, key)
            writer.write(picture)
            packed += 1
    finally:
        writer.release()
        reader.release()
    return packed
