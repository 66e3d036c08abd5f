"""Where to send whom: segments of the map, and the best use of hours. Pure.

A segment is a square of the map's cells. What a team finds in ``t`` hours follows Koopman's
exponential law: POD = 1 − exp(−coverage), coverage = way swept / way there is. The hours are shared
out so that the probability of finding somebody is greatest (Charnes and Cooper 1958): each further
hour goes where it raises it most.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from vigil_cloud.search.area import CELL_M
from vigil_cloud.search.clues import Searched
from vigil_cloud.search.probability_map import SearchMap

_CELLS: Final = 5
"""Along a side of a segment: 250 m, what a team walks through within the hour."""
_MOST: Final = 60
_WORTH_SAYING: Final = 0.001
SWEEP_M_H: Final = 2_500.0
"""Of street, by one team that looks into yards and asks at doors."""
_SWEEP_WIDTH_M: Final = 50.0
"""Where there are no streets."""
_SHORTEST_M: Final = 100.0


class Segment(NamedTuple):
    """``name``: as said by radio, column and row. ``corners``: longitude and latitude."""

    name: str
    corners: list[list[float]]
    probability: float
    """That they are there now (POA)."""
    way_m: float
    """To be walked for a coverage of 1 (POD 63 %)."""
    covered: float
    """How probably they would have been found there already (POD), had they been there then."""


class Task(NamedTuple):
    """What a plan asks of one segment."""

    name: str
    hours: float
    detection: float
    """POD of these hours."""
    gain: float
    """By how much they raise the probability of finding them."""


def segments(drawn: SearchMap, searched: Sequence[Searched] = ()) -> list[Segment]:
    """The likeliest squares, the likeliest first."""
    raster = drawn.raster
    times = max(1, round(_CELLS * CELL_M / raster.cell_m))
    blocks = raster.coarser(times)
    order = np.argsort(-blocks.mass, axis=None)[:_MOST]
    street_m = _street_m(drawn, blocks.mass.shape, (blocks.west, blocks.south), blocks.cell_m)
    found = []
    for flat in order:
        column, row = (int(one) for one in np.unravel_index(flat, blocks.mass.shape))
        probability = float(blocks.mass[column, row])
        if probability < _WORTH_SAYING:
            break
        west = blocks.west + column * blocks.cell_m
        south = blocks.south + row * blocks.cell_m
        corner = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) * blocks.cell_m + [west, south]
        middle = corner.mean(axis=0, keepdims=True)
        missed = np.prod([1 - one.detection for one in searched if one.inside(middle)[0]])
        found.append(
            Segment(
                f"{_letters(column)}{row + 1}",
                drawn.centre.degrees(corner).round(6).tolist(),
                probability,
                float(street_m[column, row]),
                float(1 - missed),
            )
        )
    return found


def _street_m(drawn: SearchMap, shape: Any, corner: tuple[float, float], size: float) -> Any:
    """(columns, rows): how much way there is to sweep."""
    if not drawn.ground.streets:
        return np.full(shape, size**2 / _SWEEP_WIDTH_M)
    half = len(drawn.ground.begin) // 2
    at = np.floor((drawn.ground.middles[:half] - np.array(corner)) / size).astype(int)
    inside = ((at >= 0) & (at < shape)).all(axis=1)
    found = np.zeros(shape)
    np.add.at(found, tuple(at[inside].T), drawn.ground.length_m[:half][inside])
    return np.maximum(found, _SHORTEST_M)


def _letters(column: int) -> str:
    """A to Z, then AA."""
    found = ""
    column += 1
    while column:
        column, rest = divmod(column - 1, 26)
        found = chr(65 + rest) + found
    return found


def plan(found: Sequence[Segment], team_hours: float) -> list[Task]:
    """The hours shared out, the greatest gain first; none where there is nothing to gain."""
    if not found or team_hours <= 0:
        return []
    chance = np.array([one.probability for one in found])
    pace = SWEEP_M_H / np.array([one.way_m for one in found])
    low, high = 1e-12, float((chance * pace).max())
    for _ in range(80):  # the gain of the last minute is the same wherever anybody is sent
        least = (low * high) ** 0.5
        hours = np.maximum(0.0, np.log(chance * pace / least) / pace)
        low, high = (least, high) if hours.sum() > team_hours else (low, least)
    hours = np.maximum(0.0, np.log(chance * pace / high) / pace)
    detection = -np.expm1(-hours * pace)
    gain = chance * detection
    tasks = [
        Task(
            found[number].name, float(hours[number]), float(detection[number]), float(gain[number])
        )
        for number in np.argsort(-gain)
    ]
    return [task for task in tasks if task.hours * 60 >= 1]
