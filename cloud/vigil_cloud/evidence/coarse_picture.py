"""Makes a picture coarse: each pixel is the mean of its own part of the picture, and nothing else
of the file is kept."""

from __future__ import annotations

import io
import threading
from typing import Final

import structlog
from PIL import Image

MOST_PIXELS: Final = 36_000_000
_FORMATS: Final = ("JPEG", "PNG", "WEBP")
_QUALITY: Final = 80
_DECODED: Final = 4
"""A JPEG is decoded at a fraction of its size, at least so many times as large as what is made."""
_READING: Final = threading.BoundedSemaphore(2)
"""A picture in memory takes some hundred megabytes at most: so many at once."""
_log = structlog.get_logger(__name__)


def reduced(content: bytes, side: int) -> bytes:
    """A JPEG of at most ``side`` pixels along its longer side; empty where ``content`` is no
    picture."""
    with _READING:
        try:
            with Image.open(io.BytesIO(content), formats=_FORMATS) as picture:
                return _reduced(picture, side)
        except Exception as error:  # noqa: BLE001 - decoders stumble over damage each in its own way
            _log.info("coarse-picture-refused", error=f"{type(error).__name__}: {error}"[:300])
            return b""


def _reduced(picture: Image.Image, side: int) -> bytes:
    width, height = picture.size
    if width * height > MOST_PIXELS:
        raise ValueError(f"{width} x {height} pixels")
    factor = max(1, max(width, height) // (_DECODED * side))
    picture.draft("RGB", (max(1, width // factor), max(1, height // factor)))
    whole = picture.convert("RGB")
    scale = min(1.0, side / max(whole.size))
    size = max(1, int(whole.width * scale)), max(1, int(whole.height * scale))
    small = whole.resize(size, Image.Resampling.BOX)
    written = io.BytesIO()
    # Made of the pixels alone: comments of the file would be written with it.
    plain = Image.frombytes("RGB", size, small.tobytes())
    plain.save(written, "JPEG", quality=_QUALITY, optimize=True)
    return written.getvalue()
