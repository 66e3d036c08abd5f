"""What stands beside, above and below a row of characters in its own size.

A row that goes on is a part of a plate (the seals of a German one part it) or of a longer text; a
row above or below in the same size is the other line of a plate of two. A state's name, a slogan, a
dealer's frame and the letter in the blue band are smaller, and are left alone. Small letters one
above the other at an end belong to the number, and are too small to be read with it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final, cast

import cv2
import numpy as np
import numpy.typing as npt

from vigil_edge.noise.plate.candidates import Grey, Picture, Plate
from vigil_edge.noise.plate.lines import level_height, sheared

_PADDED: Final = 1.66
"""Height of a row's box in heights of its characters."""
_FINE: Final = 30
"""Pixels that a character is high where its surroundings are searched."""
_ASIDE: Final = 5.0
_APART: Final = 2.6
"""So far around the row is looked, in heights of its characters."""
_GAP: Final = 1.1
"""Between characters of one row, at most: a seal and its margins."""
_LIKE: Final = (0.8, 1.25)
"""Height of characters of one plate, compared with the row's."""
_OFFSET: Final = (1.12, 2.0)
"""Between the middles of a plate's two lines."""
_LINED: Final = 0.2
_ASPECT: Final = 1.1
"""Width of a character in its heights, at most."""
_TOUCHING: Final = 8.0
"""Width in heights of letters that touch in the picture, at most; they fill part of their box."""
_SMALL: Final = (0.28, 0.62)
"""Height of letters of which two stand one above the other in a row."""
_END: Final = 0.75
"""How far beyond the row's end they are looked for."""


@dataclass(frozen=True, slots=True)
class Around:
    """``row`` is as wide as its text; ``second`` is the other line, ``above`` or below."""

    row: Plate
    grown: bool
    second: Plate | None
    above: bool
    stacked: bool
    """Small letters, one above the other, stand at an end of the row."""


@dataclass(frozen=True, slots=True)
class _Pieces:
    """Of characters' size, in heights of the row's characters; the row's middle is the origin."""

    left: npt.NDArray[np.float64]
    right: npt.NDArray[np.float64]
    middle: npt.NDArray[np.float64]
    height: npt.NDArray[np.float64]

    @property
    def narrow(self) -> npt.NDArray[np.bool_]:
        """One character, not several that touch."""
        return np.asarray(self.right - self.left < _ASPECT * self.height)

    def at(self, keep: npt.NDArray[Any]) -> _Pieces:
        return _Pieces(self.left[keep], self.right[keep], self.middle[keep], self.height[keep])


def around(picture: Picture, row: Plate) -> Around:
    """``row`` as ``candidates`` gave it."""
    size = level_height(row) / _PADDED
    half = row.width / 2 / size - 0.33
    fine = _fine(picture, row, size, half)
    pieces = _pieces(fine, half)
    like = pieces.at(pieces.height > _LIKE[0])
    left, right = _grown(like.at(np.abs(like.middle) < _LINED), half)
    grown = left < -half or right > half
    whole = _boxed(row, size, (left, right), 0.0) if grown else row
    stacked = _stacked(fine, pieces, (left, right))
    letters = like.at(like.narrow)
    for above in (True, False):
        offset = -letters.middle if above else letters.middle
        line = _line(
            letters.at(
                (offset > _OFFSET[0])
                & (offset < _OFFSET[1])
                & (letters.left > left - 1.5)
                & (letters.right < right + 1.5)
            )
        )
        if line is not None:
            span, middle = line
            return Around(whole, grown, _boxed(row, size, span, middle), above, stacked)
    return Around(whole, grown, None, False, stacked)


def _grown(beside: _Pieces, half: float) -> tuple[float, float]:
    """The ends of the row with what goes on in its size at either."""
    left, right = -half, half
    for start, end in sorted(zip(beside.left, beside.right, strict=True)):
        if right - 0.1 < start < right + _GAP:
            right = float(end)
    for start, end in sorted(zip(beside.left, beside.right, strict=True), reverse=True):
        if left - _GAP < end < left + 0.1:
            left = float(start)
    return left, right


def _stacked(fine: Grey, pieces: _Pieces, span: tuple[float, float]) -> bool:
    """On the number's own ground: what stands in a country's band does not count."""
    small = pieces.at(pieces.narrow & (pieces.height > _SMALL[0]) & (pieces.height < _SMALL[1]))
    left, right = span
    for low, high in ((left - _END, left + 0.1), (right - 0.1, right + _END)):
        end = small.at((small.left > low) & (small.right < high))
        upper = end.at((end.middle > -0.45) & (end.middle < -0.1))
        lower = end.at((end.middle > 0.1) & (end.middle < 0.45))
        for index in range(len(upper.left)):
            centre = (upper.left[index] + upper.right[index]) / 2
            alike = np.abs(np.log(lower.height / upper.height[index])) < math.log(1.35)
            below = np.abs((lower.left + lower.right) / 2 - centre) < 0.15
            if bool((alike & below).any()) and _same_ground(fine, centre, span):
                return True
    return False


def _same_ground(fine: Grey, centre: float, span: tuple[float, float]) -> bool:
    high, wide = fine.shape
    lines = slice(high // 2 - _FINE // 2, high // 2 + _FINE // 2)

    def patch(start: float, end: float) -> Grey:
        columns = slice(max(0, round(wide / 2 + start * _FINE)), round(wide / 2 + end * _FINE))
        return fine[lines, columns]

    own, there = patch(*span), patch(centre - 0.25, centre + 0.25)
    if not own.size or not there.size:
        return False
    contrast = float(np.percentile(own, 95)) - float(np.percentile(own, 5))
    return abs(float(np.median(own)) - float(np.median(there))) < 0.35 * contrast


def _line(other: _Pieces) -> tuple[tuple[float, float], float] | None:
    """From where to where the pieces that are on one line go, and its middle."""
    if not len(other.left):
        return None
    middle = float(np.median(other.middle))
    on = other.at(np.abs(other.middle - middle) < _LINED)
    if not len(on.left):
        return None
    return (float(on.left.min()), float(on.right.max())), middle


def _boxed(row: Plate, size: float, span: tuple[float, float], middle: float) -> Plate:
    """A box like ``row``'s about characters from ``span[0]`` to ``span[1]``."""
    x = row.x + row.width / 2 + (span[0] - 0.33) * size
    width = (span[1] - span[0] + 0.66) * size
    rise = row.slope * (x + width / 2 - row.x - row.width / 2)
    height = _PADDED * size + abs(row.slope) * width
    y = row.y + row.height / 2 + rise + middle * size - height / 2
    return Plate(round(x), round(y), round(width), round(height), row.score, row.slope)


def _fine(picture: Picture, row: Plate, size: float, half: float) -> Grey:
    """The row's surroundings, level, its characters ``_FINE`` pixels high."""
    centre = row.x + row.width / 2
    reach = (half + _ASIDE) * size
    part = sheared(picture, row, (centre - reach, centre + reach), _APART * size)
    scale = _FINE / size
    made: Any = cv2.resize(
        cv2.cvtColor(part, cv2.COLOR_BGR2GRAY),
        None,
        fx=scale,
        fy=scale,
        interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC,
    )
    return cast(Grey, made)


def _pieces(fine: Grey, half: float) -> _Pieces:
    """Strokes darker than the ground, or lighter: whichever the row itself consists of."""
    mean = cv2.boxFilter(fine, -1, (_FINE, _FINE), borderType=cv2.BORDER_REPLICATE)
    best, most = _none(), -1
    for strokes in (cv2.subtract(mean, fine), cv2.subtract(fine, mean)):
        contrast = max(9.0, 0.3 * float(np.percentile(strokes[_own(fine, half)], 90)))
        ink = cv2.threshold(strokes, contrast, 255, cv2.THRESH_BINARY)[1]
        _, _, stats, _ = cv2.connectedComponentsWithStats(ink, connectivity=8)
        x, y, wide, high, area = stats[1:].T.astype(np.float64)
        filled = area / (wide * high)
        touching = (wide < _TOUCHING * high) & (filled < 0.75) & (high > _LIKE[0] * _FINE)
        kept = _Pieces(
            (x - fine.shape[1] / 2) / _FINE,
            (x + wide - fine.shape[1] / 2) / _FINE,
            (y + high / 2 - fine.shape[0] / 2) / _FINE,
            high / _FINE,
        ).at(
            (high > _SMALL[0] * _FINE)
            & (high < _LIKE[1] * _FINE)
            & ((wide < _ASPECT * high) | touching)
            & (wide > 0.1 * high)
            & (filled > 0.18)
        )
        inside = (np.abs(kept.middle) < _LINED) & (kept.left > -half) & (kept.right < half)
        count = int((inside & (kept.height > _LIKE[0])).sum())
        if count > most:
            best, most = kept, count
    return best


def _none() -> _Pieces:
    empty = np.empty(0)
    return _Pieces(empty, empty, empty, empty)


def _own(fine: Grey, half: float) -> tuple[slice, slice]:
    """Where the row itself is: a plate beside it has strokes of another contrast."""
    high, wide = fine.shape
    down, across = _FINE // 2, round(half * _FINE)
    return (
        slice(high // 2 - down, high // 2 + down),
        slice(max(0, wide // 2 - across), wide // 2 + across),
    )
