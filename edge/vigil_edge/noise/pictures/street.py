"""Tells what moves in a passage from what belongs to the street or to the camera.

A time stamp in the picture, a shop's sign and a parked car's plate are rows of
characters too. They are in the picture before and after the passage; the plate of a
vehicle that passes is not. The street without the passage is, pixel by pixel, the
median over the passage's own pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, cast

import cv2
import numpy as np
import numpy.typing as npt

from vigil_edge.noise.plate.candidates import Grey, Plate, candidates

LEAST_PICTURES: Final = 5
"""With fewer, a vehicle that stays for two of them is already part of the median."""
_LEAST_CHANGE: Final = 14
"""Grey levels; above the noise of a camera at night and of JPEG, after smoothing."""
_SMALLER: Final = 4
"""The mask is made in a picture this many times smaller: it need not be sharper."""
_LEAST_WIDTH: Final = 32
_LEAST_HEIGHT: Final = 12
"""Of something that moves, in pixels: no plate on a smaller one could be read."""
_VEHICLE_HEIGHT: Final = 0.12
"""Of the picture's: taller than the digits of a time stamp, smaller than a scooter at 20 m."""
_LEAST_MOVED: Final = 0.5
_MOST_ALIKE: Final = 0.5


@dataclass(frozen=True, slots=True)
class Street:
    """The street as it looks without the passage."""

    still: Grey
    _small: npt.NDArray[Any]

    @classmethod
    def of(cls, pictures: Sequence[Grey]) -> Street | None:
        """From pictures spread over the passage; None if they are too few or differ."""
        alike = len({picture.shape for picture in pictures}) == 1
        if len(pictures) < LEAST_PICTURES or not alike:
            return None
        still = median(pictures)
        return cls(still, _smaller(still))

    def passing(self, picture: Grey) -> list[Plate]:
        """Rows of characters on what moves, in the coordinates of ``picture``."""
        mask = self.moved(picture)
        found = []
        for x, y, width, height in _regions(mask):
            if width < _LEAST_WIDTH or height < _LEAST_HEIGHT:
                continue
            part = picture[y : y + height, x : x + width]
            plates = (replace(plate, x=plate.x + x, y=plate.y + y) for plate in candidates(part))
            found += [plate for plate in plates if self.passes(plate, picture, mask)]
        return found

    def vehicle(self, picture: Grey) -> bool:
        """Whether something as tall as a vehicle nearby moves."""
        least = _VEHICLE_HEIGHT * picture.shape[0]
        return any(height >= least for *_, height in _regions(self.moved(picture)))

    def moved(self, picture: Grey) -> npt.NDArray[np.uint8]:
        """Non-zero where ``picture`` shows something else; smaller than it by ``_SMALLER``.

        A change of the camera's gain, which headlamps bring about, is taken out first.
        """
        small = _smaller(picture)
        gain = middle_level(small) / max(1.0, middle_level(self._small))
        change = cv2.absdiff(small, cv2.convertScaleAbs(self._small, alpha=gain))
        _, mask = cv2.threshold(change, _LEAST_CHANGE, 255, cv2.THRESH_BINARY)
        # A vehicle has parts as dark as the road; they lie between others that are not.
        closed = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((9, 9), np.uint8))
        return cast("npt.NDArray[np.uint8]", cv2.dilate(closed, np.ones((3, 3), np.uint8)))

    def passes(self, plate: Plate, picture: Grey, mask: npt.NDArray[np.uint8]) -> bool:
        """Whether the writing came with something that moves.

        Most of its box must have changed; and where a vehicle drives behind a time stamp,
        so that all but the stamp's strokes has, the same writing must not have stood there.
        """
        left, right = plate.x // _SMALLER, -(-(plate.x + plate.width) // _SMALLER)
        top, bottom = plate.y // _SMALLER, -(-(plate.y + plate.height) // _SMALLER)
        box = mask[max(0, top) : bottom, max(0, left) : right]
        if not box.size or np.count_nonzero(box) < _LEAST_MOVED * box.size:
            return False
        return self._alike(plate, picture) < _MOST_ALIKE

    def _alike(self, plate: Plate, picture: Grey) -> float:
        """Correlation of the writing with the same place of the street, −1 to 1."""
        rows = slice(max(0, plate.y), plate.y + plate.height)
        columns = slice(max(0, plate.x), plate.x + plate.width)
        now = _strokes(picture[rows, columns], plate.height)
        before = _strokes(self.still[rows, columns], plate.height)
        spread = float(now.std()) * float(before.std())
        if spread == 0.0:
            return 0.0
        return float(((now - now.mean()) * (before - before.mean())).mean()) / spread


def median(pictures: Sequence[Grey]) -> Grey:
    """Pixel by pixel, the middle one (of an even number the upper).

    Whole pictures are sorted with minimum and maximum, far faster than pixels one by one.
    """
    levels = list(pictures)
    for done in range(len(levels) - len(levels) // 2):
        for index in range(len(levels) - 1 - done):
            lower, upper = levels[index], levels[index + 1]
            levels[index] = cast(Grey, cv2.min(lower, upper))
            levels[index + 1] = cast(Grey, cv2.max(lower, upper))
    return levels[len(levels) // 2]


def middle_level(picture: npt.NDArray[np.uint8]) -> float:
    """The median of all its pixels, counted: numpy would sort them."""
    counts = cv2.calcHist([picture], [0], None, [256], [0, 256]).ravel()
    below = np.cumsum(counts, dtype=np.float64)
    lower, upper = np.searchsorted(below, [(picture.size - 1) // 2, picture.size // 2], "right")
    return (int(lower) + int(upper)) / 2


def _regions(mask: npt.NDArray[np.uint8]) -> list[tuple[int, int, int, int]]:
    """x, y, width, height of what hangs together, in pixels of the picture."""
    _, _, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    x, y, width, height = (stats[1:, :4] * _SMALLER).T
    return list(zip(x.tolist(), y.tolist(), width.tolist(), height.tolist(), strict=True))


def _smaller(picture: Grey) -> npt.NDArray[Any]:
    height, width = picture.shape
    size = (max(1, width // _SMALLER), max(1, height // _SMALLER))
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)


def _strokes(patch: Grey, height: int) -> npt.NDArray[np.float32]:
    """The patch less its surroundings' brightness: what is left are edges and strokes."""
    level = patch.astype(np.float32)
    return cast("npt.NDArray[np.float32]", level - cv2.blur(level, (height, height)))
