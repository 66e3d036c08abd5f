"""What the pictures show of a clap or a flash: where it is suddenly bright, and how much moves.
Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Grey = npt.NDArray[np.uint8]

BRIGHTER: Final = 50
"""Grey levels above the street: a flash, and no reflection of a cloud."""
_LEAST_PIXELS: Final = 6
_SUDDEN: Final = 3.0
"""So many times as many bright pixels as in the picture before."""
_MOVES: Final = 14
"""Grey levels between two pictures that are no noise of the camera."""
_STREET: Final = 15
"""Pictures, spread over all, of whose median the street without anybody is made."""


STILL_S: Final = 0.35
"""So long nothing moves after a clap."""
_STIRS: Final = 0.03
"""Of the largest motion: what is less is none."""
_CLAPS: Final = 0.3
"""Of the largest motion: hands that come together move so much before they stop."""


@dataclass(frozen=True, slots=True)
class Seen:
    """Something that happened between this picture and the one before it."""

    picture: int
    x: float
    y: float
    """Where, pixels of the picture: the middle of what is bright, or of what moved."""


def flashes(pictures: Sequence[Grey]) -> list[Seen]:
    """The first picture of each, of pictures of one size in their order."""
    if len(pictures) < 3:
        return []
    chosen = np.linspace(0, len(pictures) - 1, min(_STREET, len(pictures))).round().astype(int)
    street = np.median(np.stack([pictures[index] for index in chosen]), axis=0)
    bright = [picture - street > BRIGHTER for picture in pictures]
    counts = np.array([each.sum() for each in bright], float)
    usual = float(np.median(counts))
    found = []
    for index in range(1, len(pictures)):
        least = max(_LEAST_PIXELS, _SUDDEN * usual, _SUDDEN * counts[index - 1])
        if counts[index] < least:
            continue
        new = bright[index] & ~bright[index - 1]
        rows, columns = np.nonzero(new)
        if len(rows) >= _LEAST_PIXELS:
            found.append(Seen(index, float(np.median(columns)), float(np.median(rows))))
    return found


def stops(pictures: Sequence[Grey], pictures_s: Array) -> list[Seen]:
    """The last picture of each motion that was large and after which nothing moves: hands that
    came together. ``pictures_s`` (n,): moments of the pictures."""
    moved = _motion(pictures)
    largest = float(np.percentile(moved.amount, 98))
    stirs = moved.amount > _STIRS * largest
    found = []
    for index in np.flatnonzero(stirs):
        later = (pictures_s > pictures_s[index]) & (pictures_s <= pictures_s[index] + STILL_S)
        earlier = (pictures_s <= pictures_s[index]) & (pictures_s > pictures_s[index] - STILL_S)
        if not later.any() or stirs[later].any():
            continue
        most = int(np.flatnonzero(earlier)[np.argmax(moved.amount[earlier])])
        if moved.amount[most] >= _CLAPS * largest:
            found.append(Seen(int(index), float(moved.x[most]), float(moved.y[most])))
    return [seen for seen in found if seen.picture >= 1]


@dataclass(frozen=True, slots=True)
class _Motion:
    """Between each picture and the one before it; of the first there is none. Each (n,)."""

    amount: Array
    """Pixels that differ, as a share of the picture."""
    x: Array
    y: Array
    """Middle of what differs, pixels; NaN where nothing does."""


def _motion(pictures: Sequence[Grey]) -> _Motion:
    """Of pictures of one size, in their order."""
    amount, x, y = (np.zeros(len(pictures)) for _ in range(3))
    x[:], y[:] = np.nan, np.nan
    for index in range(1, len(pictures)):
        change = np.abs(pictures[index].astype(np.int16) - pictures[index - 1])
        rows, columns = np.nonzero(change > _MOVES)
        amount[index] = len(rows) / change.size
        if len(rows) >= _LEAST_PIXELS:
            x[index], y[index] = np.median(columns), np.median(rows)
    return _Motion(amount, x, y)
