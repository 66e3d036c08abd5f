"""Makes people and plates in a picture unrecognisable, whoever and wherever they are.

No detector is asked: one that overlooks a face publishes it. The whole picture is reduced to a grid
so coarse that neither a face nor a plate close to the camera survives, and enlarged again; only the
place that is given (the plate of the vehicle in question) stays as it was.
"""

from __future__ import annotations

from typing import Final, cast

import cv2
import numpy as np

from vigil_edge.noise.plate.candidates import Picture, Plate

GRID: Final = 26
"""Cells across the picture. A plate that fills a fifth of its width keeps five cells for seven
characters; a face as large, five by seven."""
PLATE_GRID: Final = 12
"""The same in pictures of a plate camera, where a plate may fill two fifths of the width, and a
face as much."""
_AROUND: Final = 0.6
"""Of the plate's own height: what stays sharp around it. No window and no rider is so near."""


def blurred(picture: Picture, keep: Plate | None = None, *, cells: int = GRID) -> Picture:
    """A copy, of the same size. ``cells``: across the picture."""
    height, width = picture.shape[:2]
    rows = max(1, round(cells * height / width))
    coarse = cv2.resize(picture, (cells, rows), interpolation=cv2.INTER_AREA)
    out = cast(Picture, cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC))
    if keep is not None:
        pad = int(_AROUND * keep.height)
        top, left = max(0, keep.y - pad), max(0, keep.x - pad)
        place = np.s_[top : keep.y + keep.height + pad, left : keep.x + keep.width + pad]
        out[place] = picture[place]
    return out
