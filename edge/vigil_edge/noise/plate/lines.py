"""Rows of characters cut out of a picture and made level, to be read."""

from __future__ import annotations

from typing import Any, Final, cast

import cv2
import numpy as np

from vigil_edge.noise.plate.candidates import Grey, Picture, Plate, candidates

MARGINS: Final = ((0.02, 0.0), (0.2, 0.05), (0.08, -0.08))
"""Crops of the same row, in its heights: (sides, above and below)."""
_ROWS: Final = 8
"""Rows of characters that are read: the most plate-like ones."""
_SHORT: Final = 3.4
"""Width in heights below which a row may be a part of a plate: it is read wider, too."""
_WIDENED: Final = 4
"""Of the most plate-like rows."""
_OVERLAP: Final = 0.5


def rows_of(picture: Picture) -> list[Plate]:
    """The most plate-like rows, each once; a small picture may be a plate as a whole."""
    grey = cast(Grey, cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY))
    found = sorted(candidates(grey), key=lambda plate: -plate.score)
    kept: list[Plate] = []
    for plate in found:
        if len(kept) == _ROWS:
            break
        if all(shared(plate, other) < _OVERLAP for other in kept):
            kept.append(plate)
    kept += [_wider(plate) for plate in kept[:_WIDENED] if plate.width < _SHORT * plate.height]
    height, width = grey.shape
    if 1.4 * height <= width <= 8 * height and width <= 800:
        kept.append(Plate(0, 0, width, height, 0.0))
    return kept


def _wider(plate: Plate) -> Plate:
    """With room for as many characters on either side as might have been missed."""
    more = round(2.4 * plate.height)
    # The box of a sloping row grows in height with its width.
    rise = round(abs(plate.slope) * more)
    return Plate(
        plate.x - more,
        plate.y - rise,
        plate.width + 2 * more,
        plate.height + 2 * rise,
        0.5 * plate.score,
        plate.slope,
    )


def shared(one: Plate, other: Plate) -> float:
    """Area that both have, of the smaller one's."""
    wide = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
    high = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
    if wide <= 0 or high <= 0:
        return 0.0
    return wide * high / min(one.width * one.height, other.width * other.height)


def level_height(row: Plate) -> float:
    """Of the box once the row is level."""
    return max(0.4 * row.height, row.height - abs(row.slope) * row.width)


def cut(picture: Picture, row: Plate, sides: float, above: float) -> Picture:
    """The row made level by a shear, which keeps upright strokes upright."""
    width, height = row.width, row.height
    left, right = row.x - sides * height, row.x + width + sides * height
    half = level_height(row) / 2 * (1 + 2 * above)
    return sheared(picture, row, (left, right), half)


def sheared(picture: Picture, row: Plate, across: tuple[float, float], half: float) -> Picture:
    """From ``across[0]`` to ``across[1]``, ``half`` above and below the row's middle line."""
    left, right = across
    middle = row.y + row.height / 2 + row.slope * ((left + right) / 2 - row.x - row.width / 2)
    wide, high = max(8, round(right - left)), max(8, round(2 * half))
    shear = np.array(
        [[1, 0, left], [row.slope, 1, middle - half - row.slope * (right - left) / 2]],
        np.float64,
    )
    made: Any = cv2.warpAffine(
        picture,
        shear,
        (wide, high),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return cast(Picture, made)
