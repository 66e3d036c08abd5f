"""Finds the number plate in a picture: a row of characters on a plain ground.

Classical image processing, no model: strokes are cut out by local thresholds,
pieces of a character's shape are kept, and rows of pieces of one height at even
spacing are looked for. The ground between the strokes of a plate is plain; that of
a fence, a shelf or foliage is not. The text itself is not read here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, cast

import cv2
import numpy as np
import numpy.typing as npt

Picture = npt.NDArray[np.uint8]
"""Shape (height, width, 3), BGR."""

Grey = npt.NDArray[np.uint8]
"""Shape (height, width)."""

WORKING_WIDTH: Final = 1280
_SIZES: Final = (1.0, 0.5)
"""Of the working width. Strokes of a plate close by are wider than the thresholds' windows;
in the smaller picture they are not, and dirt and bolts are gone."""
_DOUBTFUL: Final = 0.1
_CLOSER: Final = 2.0
"""Where no row scores more than that, a plate far away is looked for in a larger picture."""
_MOST_ENLARGED: Final = 2.0
_CONTRAST: Final = 9
"""Grey levels between strokes and the mean around them."""
_LEAST_CHARACTERS: Final = 4
_MOST_CHARACTERS: Final = 9
_UNEVEN: Final = 0.5
"""Spread of the ground's brightness in units of the contrast of the strokes. Plates in
daylight have 0.1 to 0.35, with a shadow across them 0.5; railings and foliage more."""


@dataclass(frozen=True, slots=True)
class Plate:
    """A box in pixels of the picture it was found in, and how plate-like it is (0 to 1)."""

    x: int
    y: int
    width: int
    height: int
    score: float
    slope: float = 0.0
    """Of the row, downwards to the right: pixels per pixel."""

    def crop(self, picture: Picture, margin: float = 0.25) -> Picture:
        """The box with a margin, in heights of the box."""
        pad = int(margin * self.height)
        top, left = max(0, self.y - pad), max(0, self.x - pad)
        return picture[top : self.y + self.height + pad, left : self.x + self.width + pad]


@dataclass(frozen=True, slots=True)
class _Piece:
    x: float
    y: float
    width: float
    height: float

    @property
    def middle(self) -> tuple[float, float]:
        return self.x + self.width / 2, self.y + self.height / 2


def find_plate(picture: Picture) -> Plate | None:
    """The most plate-like row of characters, or None."""
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    scale = WORKING_WIDTH / grey.shape[1]
    found = candidates(cast(Grey, grey), scale)
    if max((plate.score for plate in found), default=0.0) < _DOUBTFUL:
        found += candidates(cast(Grey, grey), _CLOSER * scale)
    return max(found, key=lambda plate: plate.score, default=None)


def candidates(grey: Grey, scale: float | None = None) -> list[Plate]:
    """All rows of characters, in no order; the same row may come more than once.

    ``scale`` is how much the picture is enlarged (or reduced) for the search. Without it
    the working width is used, but small pictures are not enlarged more than twice.
    """
    if scale is None:
        scale = min(_MOST_ENLARGED, WORKING_WIDTH / grey.shape[1])
    found = []
    for size in _SIZES:
        factor = scale * size
        method = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
        scaled = cv2.resize(grey, None, fx=factor, fy=factor, interpolation=method)
        found += [_unscaled(plate, factor) for plate in _candidates(scaled)]
    return found


def _candidates(grey: npt.NDArray[Any]) -> Iterator[Plate]:
    for window in (15, 31):
        for strokes in _strokes(grey, window):
            for row in _rows(_pieces(strokes)):
                yield _plate(row, grey, strokes)


def _strokes(grey: npt.NDArray[Any], window: int) -> Iterator[npt.NDArray[Any]]:
    """Dark characters on a light ground, then the reverse: what differs by ``_CONTRAST`` from the
    mean around it (OpenCV's adaptive threshold of both kinds, with one mean for the two)."""
    mean = cv2.boxFilter(grey, -1, (window, window), borderType=cv2.BORDER_REPLICATE)
    yield cv2.threshold(cv2.subtract(mean, grey), _CONTRAST - 1, 255, cv2.THRESH_BINARY)[1]
    yield cv2.threshold(cv2.subtract(grey, mean), _CONTRAST, 255, cv2.THRESH_BINARY)[1]


def _unscaled(plate: Plate, scale: float) -> Plate:
    x, y = round(plate.x / scale), round(plate.y / scale)
    size = round(plate.width / scale), round(plate.height / scale)
    return Plate(x, y, *size, plate.score, plate.slope)


def _pieces(strokes: npt.NDArray[Any]) -> list[_Piece]:
    """Connected strokes of a character's proportions."""
    _, _, stats, _ = cv2.connectedComponentsWithStats(strokes, connectivity=8)
    x, y, width, height, area = stats[1:].T
    filled = area / (width * height)
    keep = (
        (height >= 11)
        & (height <= 110)
        & (width <= 1.1 * height)
        & (width >= 0.1 * height)
        & (filled >= 0.18)
    )
    boxes = np.stack([x, y, width, height], axis=1)[keep]
    # Lists of floats: rows are sought by comparing pieces one with another, thousands of times.
    return [_Piece(*box) for box in boxes[np.argsort(boxes[:, 0])].astype(np.float64).tolist()]


def _rows(pieces: list[_Piece]) -> list[list[_Piece]]:
    """Chains of pieces, left to right, that may be one line of characters."""
    rows: list[list[_Piece]] = []
    used: set[int] = set()
    for begin, first in enumerate(pieces):
        if begin in used:
            continue
        row, last = [begin], first
        for index in range(begin + 1, len(pieces)):
            piece = pieces[index]
            if _follows(last, piece):
                row.append(index)
                last = piece
            elif piece.x > last.x + 3 * last.height:
                break
        if _LEAST_CHARACTERS <= len(row) <= _MOST_CHARACTERS:
            used.update(row)
            rows.append([pieces[index] for index in row])
    return rows


def _follows(left: _Piece, right: _Piece) -> bool:
    """What most often says no is asked first."""
    height = left.height if left.height > right.height else right.height
    if not left.height > 0.75 * height < right.height:
        return False
    aside = right.x + right.width / 2 - (left.x + left.width / 2)
    return (
        0.25 * height < aside < 1.7 * height
        and right.x > left.x + 0.6 * left.width
        and abs(right.y + right.height / 2 - (left.y + left.height / 2)) < 0.25 * height
    )


def _plate(row: list[_Piece], grey: npt.NDArray[Any], strokes: npt.NDArray[Any]) -> Plate:
    left, top = min(p.x for p in row), min(p.y for p in row)
    right, bottom = max(p.x + p.width for p in row), max(p.y + p.height for p in row)
    height = float(np.median([p.height for p in row]))
    # Plates carry six or seven characters; a margin of a third of their height surrounds them.
    count = math.exp(-(((len(row) - 6.5) / 1.8) ** 2))
    heights = np.array([p.height for p in row])
    even_height = math.exp(-float(heights.std() / height) * 8)
    middles = np.array([p.middle for p in row])
    along, across = (middles - middles.mean(axis=0)).T
    slope = float(along @ across / (along @ along))
    off_line = float(np.abs(slope * along - across).mean() / height)
    aspect = (right - left) / height
    shape = math.exp(-(((aspect - 5.0) / 2.5) ** 2))
    inside = slice(int(top), int(bottom) + 1), slice(int(left), int(right) + 1)
    size = min(1.0, height / 16.0)
    score = count * even_height * math.exp(-10 * off_line) * shape * size
    score *= _writing(grey[inside], strokes[inside] > 0)
    pad = 0.33 * height
    return Plate(
        int(left - pad),
        int(top - pad),
        int(right - left + 2 * pad),
        int(bottom - top + 2 * pad),
        float(score),
        slope,
    )


def _writing(patch: npt.NDArray[Any], ink: npt.NDArray[np.bool_]) -> float:
    """How much a patch looks like writing: strong contrast on a plain ground, 0 to 1."""
    ground, strokes = patch[~ink], patch[ink]
    if not ground.size or not strokes.size:
        return 0.0
    contrast = abs(float(ground.mean()) - float(strokes.mean()))
    unevenness = float(ground.std()) / max(contrast, 1.0)
    return min(1.0, float(patch.std()) / 50.0) * math.exp(-((unevenness / _UNEVEN) ** 2))
