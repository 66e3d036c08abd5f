"""From probability per cell to regions: the smallest that hold a share, with their outlines. Pure.

An outline follows the cells' edges, so that its area is the cells' area: outer rings run
anticlockwise and holes clockwise, as GeoJSON (RFC 7946) has it.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ring = list[tuple[int, int]]
SHARES: Final = (0.5, 0.8, 0.95)


@dataclass(frozen=True, slots=True)
class Raster:
    """``mass`` (columns, rows), sums to 1; cell (0, 0) begins at ``west``, ``south``, metres."""

    mass: Floats
    west: float
    south: float
    cell_m: float

    def coarser(self, times: int) -> Raster:
        """So many cells along each side become one."""
        columns, rows = (-(-size // times) for size in self.mass.shape)
        grown = np.zeros((columns * times, rows * times))
        grown[: self.mass.shape[0], : self.mass.shape[1]] = self.mass
        summed = grown.reshape(columns, times, rows, times).sum(axis=(1, 3))
        return Raster(summed, self.west, self.south, self.cell_m * times)


def region(raster: Raster, share: float) -> NDArray[np.bool_]:
    """The fewest cells that together hold ``share``."""
    ranked = np.sort(raster.mass, axis=None)[::-1]
    total = np.cumsum(ranked)
    least = ranked[min(int(np.searchsorted(total, share * total[-1])), len(ranked) - 1)]
    return np.asarray((raster.mass >= least) & (raster.mass > 0))


def outlines(cells: NDArray[np.bool_]) -> list[list[Ring]]:
    """Polygons, each its outer ring and its holes, closed, in corners of cells."""
    outer: list[Ring] = []
    holes: list[Ring] = []
    for ring in _rings(cells):
        (outer if _area(ring) > 0 else holes).append(ring)
    outer.sort(key=_area)  # a hole belongs to the smallest ring around it
    polygons = [[ring] for ring in outer]
    corners = [np.array(ring, dtype=float) for ring in outer]
    low = np.array([ring.min(axis=0) for ring in corners]).reshape(-1, 2)
    high = np.array([ring.max(axis=0) for ring in corners]).reshape(-1, 2)
    for hole in holes:
        point = _inside_of(hole)
        around = (low <= point).all(axis=1) & (point <= high).all(axis=1)
        for number in np.flatnonzero(around):
            if _contains(corners[number], point):
                polygons[number].append(hole)
                break
    return polygons


def _rings(cells: NDArray[np.bool_]) -> list[Ring]:
    """Edges between inside and outside, chained with the inside to their left."""
    padded = np.pad(cells, 1)
    inside = padded[1:-1, 1:-1]
    following: dict[tuple[int, int], list[tuple[int, int]]] = defaultdict(list)
    for (across, up), begin, end in (
        ((0, -1), (0, 0), (1, 0)),
        ((1, 0), (1, 0), (1, 1)),
        ((0, 1), (1, 1), (0, 1)),
        ((-1, 0), (0, 1), (0, 0)),
    ):
        columns, rows = inside.shape
        beside = padded[1 + across : 1 + across + columns, 1 + up : 1 + up + rows]
        for x, y in np.argwhere(inside & ~beside).tolist():
            following[x + begin[0], y + begin[1]].append((x + end[0], y + end[1]))
    rings = []
    while following:
        start = next(iter(following))
        ring, before = [start], (0, 0)
        while True:
            here = ring[-1]
            ways = following[here]
            choice = ways[0] if len(ways) == 1 else _leftmost(here, before, ways)
            ways.remove(choice)
            if not ways:
                del following[here]
            step = (choice[0] - here[0], choice[1] - here[1])
            if step == before:
                ring[-1] = choice
            else:
                ring.append(choice)
            before = step
            if choice == start:
                break
        rings.append(ring)
    return rings


def _leftmost(
    here: tuple[int, int], before: tuple[int, int], ways: list[tuple[int, int]]
) -> tuple[int, int]:
    """Where two cells touch at a corner alone, each keeps to its own."""
    return max(ways, key=lambda to: before[0] * (to[1] - here[1]) - before[1] * (to[0] - here[0]))


def _area(ring: Ring) -> float:
    points = np.array(ring, dtype=float)
    x, y = points[:, 0], points[:, 1]
    return float(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]) / 2)


def _inside_of(hole: Ring) -> tuple[float, float]:
    """A point just outside the hole, in the cells around it: right of its first edge's inside."""
    (x0, y0), (x1, y1) = hole[0], hole[1]
    across = (np.sign(x1 - x0), np.sign(y1 - y0))
    return x0 + 0.5 * across[0] - 0.25 * across[1], y0 + 0.5 * across[1] + 0.25 * across[0]


def _contains(points: Floats, point: tuple[float, float]) -> bool:
    x0, y0, x1, y1 = points[:-1, 0], points[:-1, 1], points[1:, 0], points[1:, 1]
    spans = (y0 <= point[1]) != (y1 <= point[1])
    with np.errstate(divide="ignore", invalid="ignore"):
        at = x0 + (point[1] - y0) / (y1 - y0) * (x1 - x0)
    return bool(np.count_nonzero(spans & (at > point[0])) % 2)
