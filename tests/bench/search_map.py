"""The search map on simulated wanderers whom no parameter has seen, beside Koester's rings.

Towns of 8 by 8 km with 188 stations, a new one for every 50 people. The regions of 50 and 95 %
should hold 50 and 95 %. Their areas are compared with circles around the last station that hold the
same share of people within each third of the elapsed times. MapScore (Sava and others 2016) is on
cells of 50 m over the streets' bounding box: 1 - 2 · (share of cells that are likelier than the
true one, ties half).

``VIGIL_WANDERERS`` people (1,000), ``VIGIL_SEARCH_SEED`` for other towns: parameters are chosen on
one seed and judged on another.
"""

from __future__ import annotations

import math
import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np
from numpy.typing import NDArray

from vigil_cloud.search import area, habits, reach, rings, whereabouts
from vigil_cloud.search.ground import Ground, streets
from vigil_cloud.search.regions import Raster
from vigil_sim.checkin import wanderers

Floats = NDArray[np.float64]
WANDERERS: Final = int(os.environ.get("VIGIL_WANDERERS", "1000"))
SEED: Final = int(os.environ.get("VIGIL_SEARCH_SEED", "9041"))
IN_A_TOWN: Final = 50
SHARES: Final = (0.5, 0.95)


@dataclass(frozen=True)
class Found:
    """How the map of one person did."""

    elapsed_s: float
    distance_m: float
    """From the last station to where they were."""
    rank: float
    """The probability of all cells that are at least as likely as theirs."""
    area_km2: tuple[float, ...]
    """Of the region of each share."""
    score: float
    rings: float
    """MapScore of Koester's rings."""
    seconds: float


class _Place:
    """One town as the cloud knows it."""

    def __init__(self, town: wanderers.Town) -> None:
        lines = [
            [(float(x), float(y)) for x, y in feature["geometry"]["coordinates"]]
            for feature in town.geojson()["features"]
        ]
        self.ground: Ground = streets(lines)
        self.stations = [
            reach.Station(
                str(number),
                self.metres(point),
                float(town.range_m[number]),
                *(float(moment) for moment in town.online_s[number]),
            )
            for number, point in enumerate(town.stations)
        ]

    def metres(self, point: Floats | tuple[float, float]) -> tuple[float, float]:
        latitude, longitude = wanderers.degrees(point)
        found = self.ground.centre.metres(np.array([latitude]), np.array([longitude]))[0]
        return float(found[0]), float(found[1])

    def judge(self, one: wanderers.Wanderer) -> Found:
        seen = [(station, moment) for moment, station in one.checkins]
        began = time.process_time()
        known = habits.of(self.ground, self.stations, seen, one.at_s)
        belief = whereabouts.believe(self.ground, self.stations, seen, known, one.at_s)
        raster = area.raster(self.ground, belief)
        seconds = time.process_time() - began
        truth, last = self.metres(one.place), self.stations[seen[-1][0]].place
        return judged(raster, one.at_s - seen[-1][1], truth, last, seconds)


def judged(
    raster: Raster,
    elapsed_s: float,
    truth: tuple[float, float],
    last: tuple[float, float],
    seconds: float,
) -> Found:
    """A map beside where the person was; both places in the map's metres."""
    whole = raster.coarser(round(area.CELL_M / raster.cell_m))
    return Found(
        elapsed_s,
        math.dist(truth, last),
        _rank(raster, truth),
        tuple(_area_km2(raster, share) for share in SHARES),
        _score(whole.mass, _cell(whole, truth)),
        _score(_density(whole, last), _cell(whole, truth)),
        seconds,
    )


def _cell(raster: Raster, point: tuple[float, float]) -> tuple[int, int] | None:
    """``None`` beyond the map."""
    found = (
        math.floor((point[0] - raster.west) / raster.cell_m),
        math.floor((point[1] - raster.south) / raster.cell_m),
    )
    inside = all(0 <= at < size for at, size in zip(found, raster.mass.shape, strict=True))
    return found if inside else None


def _rank(raster: Raster, point: tuple[float, float]) -> float:
    cell = _cell(raster, point)
    if cell is None or raster.mass[cell] <= 0:
        return 1.0
    return float(raster.mass[raster.mass >= raster.mass[cell]].sum())


def _area_km2(raster: Raster, share: float) -> float:
    likeliest = np.sort(raster.mass, axis=None)[::-1]
    cells = int(np.searchsorted(np.cumsum(likeliest), share)) + 1
    return cells * (raster.cell_m / 1000) ** 2


def _score(mass: Floats, cell: tuple[int, int] | None) -> float:
    value = 0.0 if cell is None else mass[cell]
    likelier = np.count_nonzero(mass > value) + np.count_nonzero(mass == value) / 2
    return float(1 - 2 * likelier / mass.size)


def _density(raster: Raster, last: tuple[float, float]) -> Floats:
    x, y = (
        start + (np.arange(size) + 0.5) * raster.cell_m - at
        for start, size, at in zip(
            (raster.west, raster.south), raster.mass.shape, last, strict=True
        )
    )
    return rings.density(np.hypot(x[:, None], y[None, :]))


def _less(found: list[Found], number: int) -> float:
    """By how much the mean region is smaller than circles that hold as many, by thirds."""
    elapsed = np.array([one.elapsed_s for one in found])
    distance = np.array([one.distance_m for one in found])
    inside = np.array([one.rank <= SHARES[number] for one in found])
    third = np.digitize(elapsed, np.quantile(elapsed, [1 / 3, 2 / 3]))
    circles = 0.0
    for number_of_third in range(3):
        those = third == number_of_third
        radius = np.quantile(distance[those], inside[those].mean())
        circles += math.pi * float(radius) ** 2 / 1e6 * np.count_nonzero(those)
    return 1 - sum(one.area_km2[number] for one in found) / circles


def main() -> int:
    found: list[Found] = []
    for start in range(0, WANDERERS, IN_A_TOWN):
        town = wanderers.town(SEED + start)
        place = _Place(town)
        for number in range(min(IN_A_TOWN, WANDERERS - start)):
            one = wanderers.wanderer(town, SEED * 1_000_000 + start + number)
            if one is not None:
                found.append(place.judge(one))
        sys.stderr.write(f"search_map: {start + IN_A_TOWN} of {WANDERERS}\n")
    told("search_map", found)
    return 0


def told(name: str, found: list[Found]) -> None:
    """Print the figures."""
    print(f"{name} people: {len(found)}")
    for number, share in enumerate(SHARES):
        percent = round(100 * share)
        inside = np.array([one.rank <= share for one in found])
        error = 100 * math.sqrt(share * (1 - share) / len(found))
        print(f"{name} inside_{percent}: {100 * inside.mean():.1f} (standard error {error:.1f})")
        print(f"{name} area_{percent}_km2: {np.mean([f.area_km2[number] for f in found]):.3f}")
        print(f"{name} smaller_than_rings_{percent}: {100 * _less(found, number):.1f} %")
    elapsed = np.array([one.elapsed_s for one in found])
    for third, low, high in (("first", 0, 1 / 3), ("second", 1 / 3, 2 / 3), ("last", 2 / 3, 1)):
        since, until = np.quantile(elapsed, [low, high])
        ranks = np.array([f.rank for f in found if since <= f.elapsed_s <= until])
        shares = ", ".join(f"{100 * np.mean(ranks <= share):.0f}" for share in SHARES)
        hours = f"{since / 3600:.1f} to {until / 3600:.1f} h"
        print(f"{name} inside_50_and_95_{third}_third: {shares} % ({hours})")
    print(f"{name} mapscore: {np.mean([one.score for one in found]):.3f}")
    print(f"{name} mapscore_of_rings: {np.mean([one.rings for one in found]):.3f}")
    seconds = [one.seconds for one in found]
    print(f"{name} processor_s_median: {np.median(seconds):.2f}")
    print(f"{name} processor_s_p95: {np.quantile(seconds, 0.95):.2f}")


if __name__ == "__main__":
    raise SystemExit(main())
