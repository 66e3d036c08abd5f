"""Networks of channels for tests, and a second solver that shares nothing with the first."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_matrix, identity
from scipy.sparse.linalg import splu


def reach(
    name: str, start: str, end: str, length: float, area: float, u: float, d: float, **more: float
) -> dict[str, Any]:
    """A LineString feature."""
    numbers = {"length_m": length, "area_m2": area, "velocity_m_s": u, "dispersion_m2_s": d}
    tags = {"id": name, "from": start, "to": end, **numbers, **more}
    line = {"type": "LineString", "coordinates": [[120.4, 23.4], [120.5, 23.5]]}
    return {"type": "Feature", "geometry": line, "properties": tags}


def point(name: str, kind: str, on: str, offset: float) -> dict[str, Any]:
    """A Point feature."""
    tags = {"id": name, "kind": kind, "reach": on, "offset_m": offset}
    place = {"type": "Point", "coordinates": [120.4, 23.4]}
    return {"type": "Feature", "geometry": place, "properties": tags}


class Fen(NamedTuple):
    """The discharge into the Fen River of the published inversions: an instantaneous release into
    one channel, of which the velocity and the dispersion are known."""

    mass_g: float = 4.32e6
    start_s: float = 7_200.0
    above_m: float = 16_000.0
    """Of the outfall above the station."""
    area_m2: float = 25.0
    velocity_m_s: float = 0.8
    dispersion_m2_s: float = 10.0

    def channels(self) -> dict[str, Any]:
        """One channel with an outfall each kilometre, named by its distance above the station."""
        where = 30_000.0
        stream = (50_000, self.area_m2, self.velocity_m_s, self.dispersion_m2_s)
        outfalls = [point(str(km), "outfall", "r", where - 1_000.0 * km) for km in range(8, 25)]
        known = {"velocity_within": 0.01, "dispersion_within": 0.01}
        return network(reach("r", "a", "b", *stream), *outfalls,
                       point("s", "station", "r", where)) | known  # fmt: skip

    def seen(self, times: NDArray[np.float64], noise: float, seed: int) -> NDArray[np.float64]:
        """g/m³ at the station: the analytic release, with noise of a share of it."""
        since = np.maximum(times - self.start_s, 1e-9)
        spread = 4 * self.dispersion_m2_s * since
        gone = self.above_m - self.velocity_m_s * since
        value = self.mass_g / (self.area_m2 * np.sqrt(np.pi * spread)) * np.exp(-(gone**2) / spread)
        random = np.random.default_rng(seed)
        shown: NDArray[np.float64] = value * (1 + noise * random.standard_normal(len(times)))
        return shown


def network(*features: dict[str, Any]) -> dict[str, Any]:
    """A FeatureCollection."""
    return {"type": "FeatureCollection", "features": list(features)}


class Section(NamedTuple):
    """A reach of one stream, for ``finite_volumes``."""

    length: float
    area: float
    dispersion: float
    storage: float
    exchange: float


def finite_volumes(
    sections: Sequence[Section],
    flow: float,
    inflow: Callable[[float], float],
    places: Sequence[float],
    seconds: float,
    *,
    dx: float,
    dt: float,
) -> NDArray[np.float64]:
    """Concentrations at places (m from the top) after each step: Crank-Nicolson in time, central
    differences in space. ``inflow``: the concentration at the top at a moment (s). Given at the
    top; nothing disperses out at the bottom."""
    cells = [round(one.length / dx) for one in sections]
    area, dispersion, storage, exchange = (
        np.repeat([one[index] for one in sections], cells) for index in (1, 2, 3, 4)
    )
    count = len(area)
    half = dx / 2 / (area * dispersion)
    between = np.zeros(count + 1)
    between[1:-1] = 1 / (half[:-1] + half[1:])
    between[0] = 1 / half[0]
    volume = area * dx
    moved = np.zeros((2 * count, 2 * count))
    for cell in range(count):
        first, last = cell == 0, cell == count - 1
        moved[cell, cell] = -between[cell] - (0 if last else between[cell + 1])
        moved[cell, cell] += (0 if first else flow / 2) - (flow if last else flow / 2)
        if not first:
            moved[cell, cell - 1] = between[cell] + flow / 2
        if not last:
            moved[cell, cell + 1] = between[cell + 1] - flow / 2
    moved[:count] /= volume[:, None]
    both = np.arange(count)
    moved[both, both] -= exchange
    moved[both, both + count] += exchange
    moved[both + count, both] += exchange * area / storage
    moved[both + count, both + count] -= exchange * area / storage
    given = np.zeros(2 * count)
    given[0] = (between[0] + flow) / volume[0]
    system, whole = csc_matrix(moved), identity(2 * count, format="csc")
    solve = splu((whole - dt / 2 * system).tocsc()).solve
    step = (whole + dt / 2 * system).tocsr()
    at = [min(round(place / dx), count - 1) for place in places]
    state, found = np.zeros(2 * count), []
    for number in range(round(seconds / dt)):
        state = solve(step @ state + dt * given * inflow((number + 0.5) * dt))
        found.append([(state[cell - 1] + state[cell]) / 2 for cell in at])
    return np.array(found)
