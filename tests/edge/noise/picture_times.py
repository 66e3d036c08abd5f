"""How far the moments of a network camera's pictures are from when they were taken, by what the
pictures themselves show (``clock_camera.py``)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import cv2
import numpy as np

from vigil_edge.noise.pictures.frame import Frame

FIELD: Final = 20
_SPAN_MS: Final = 1 << 32


def taken_s(frame: Frame) -> float | None:
    """What the picture shows, seconds since 1970; ``None`` where it cannot be read."""
    picture = cv2.imdecode(np.frombuffer(frame.jpeg, np.uint8), cv2.IMREAD_GRAYSCALE)
    if picture is None or picture.shape != (240, 320):
        return None
    shown = 0
    for row in range(2):
        for column in range(16):
            field = int(picture[60 + 120 * row, FIELD * column + FIELD // 2])
            if 90 < field < 165:
                return None
            shown |= (field > 128) << (16 * row + column)
    now_ms = round(datetime.now(UTC).timestamp() * 1000)
    shown += now_ms // _SPAN_MS * _SPAN_MS
    return (shown - _SPAN_MS if shown > now_ms + _SPAN_MS // 2 else shown) / 1000.0


def errors_ms(frames: list[Frame], dated: str) -> list[float]:
    """Of the frames that are dated so: their moment less when they were taken."""
    found = []
    for frame in frames:
        taken = taken_s(frame) if frame.dated == dated else None
        if taken is not None:
            found.append(1000.0 * (frame.time_s - taken))
    return found
