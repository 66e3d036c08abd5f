"""A beacon carried through a hall of sensors, with the truth kept: what ``locate`` is judged on.

Strength falls with the logarithm of distance at an exponent of the hall's own; each sensor reads
too high or low, and lies behind walls and furniture of its own (a smooth random field over the
places of the beacon); the carrier's body dims what is behind it; each advert fades by itself and
may be lost. All constants are drawn for each hall, within what is published of BLE indoors
(exponents 1.4 to 2.6, shadowing of 3 to 5 dB over some metres, bodies of 3 to 12 dB, fading of 2
to 5 dB). Nothing is shared with what locates.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates

Floats = NDArray[np.float64]
_FIELD_M: Final = 0.25
_FLOOR_DBM: Final = -97.0


@dataclass(frozen=True, slots=True)
class Hall:
    """``sensors`` (s, 2) in metres; ``heard``: seconds, sensor, dBm in order of time;
    ``truth`` (seconds, 2): where the beacon was in the middle of each second from 0."""

    sensors: Floats
    heard: tuple[tuple[float, int, float], ...]
    truth: Floats


def hall(seed: int) -> Hall:
    """One walk through one hall, each seed another."""
    rng = np.random.default_rng(seed)
    size = rng.uniform((10.0, 8.0), (30.0, 24.0))
    sensors = _sensors(rng, size)
    times, places, headings = _walk(rng, size)
    exponent = rng.uniform(1.4, 2.6)
    at_1_m = rng.uniform(-72.0, -55.0)
    biases = rng.normal(0.0, rng.uniform(1.0, 3.5), len(sensors))
    fields = _shadows(rng, size, len(sensors))
    body_db, carried = rng.uniform(3.0, 12.0), rng.uniform(-math.pi, math.pi)
    fading_db, lost = rng.uniform(2.0, 5.0), rng.uniform(0.05, 0.5)
    height_m = rng.uniform(0.3, 1.8)
    adverts = np.cumsum(rng.exponential(1 / rng.uniform(1.0, 5.0), 4_000))
    adverts = adverts[adverts < times[-1]]
    heard: list[tuple[float, int, float]] = []
    for at in adverts:
        place = np.array([np.interp(at, times, places[:, axis]) for axis in (0, 1)])
        heading = headings[min(int(at / (times[1] - times[0])), len(headings) - 1)]
        step = sensors - place
        away = np.sqrt((step**2).sum(axis=1) + height_m**2)
        turned = np.arctan2(step[:, 1], step[:, 0]) - heading - carried
        dim = body_db * (1 - np.cos(turned)) / 2
        field = np.array([_field_at(one, place) for one in fields])
        strength = at_1_m - 10 * exponent * np.log10(np.maximum(away, 0.3)) + biases + field - dim
        strength = np.round(strength + rng.normal(0.0, fading_db, len(sensors)))
        got = (rng.random(len(sensors)) > lost) & (strength > _FLOOR_DBM)
        heard += [(float(at), int(one), float(strength[one])) for one in np.flatnonzero(got)]
    middles = np.arange(int(times[-1])) + 0.5
    truth = np.stack([np.interp(middles, times, places[:, axis]) for axis in (0, 1)], axis=1)
    return Hall(sensors, tuple(heard), truth)


def _sensors(rng: np.random.Generator, size: Floats) -> Floats:
    """On a lattice, each moved a little: what an installer can do."""
    count = rng.integers(2, 5, 2) + (size > 18)
    axes = [(np.arange(one) + 0.5) / one * side for one, side in zip(count, size, strict=True)]
    lattice = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
    return np.asarray(np.clip(lattice + rng.normal(0, 0.8, lattice.shape), 0, size))


def _walk(rng: np.random.Generator, size: Floats) -> tuple[Floats, Floats, Floats]:
    """Times, places and headings every tenth of a second: straight ways between points, stops."""
    here, now = rng.uniform(0.5, size - 0.5), 0.0
    times, places = [0.0], [here]
    until = rng.uniform(60.0, 240.0)
    while now < until:
        goal = rng.uniform(0.5, size - 0.5)
        now += float(np.hypot(*(goal - here))) / rng.uniform(0.6, 1.4)
        times.append(now)
        places.append(goal)
        here = goal
        if rng.random() < 0.3:
            now += rng.exponential(8.0)
            times.append(now)
            places.append(goal)
    even = np.arange(0.0, now, 0.1)
    track = np.stack([np.interp(even, times, np.array(places)[:, a]) for a in (0, 1)], axis=1)
    step = np.gradient(track, axis=0)
    return even, track, np.arctan2(step[:, 1], step[:, 0])


def _shadows(rng: np.random.Generator, size: Floats, sensors: int) -> Floats:
    """(sensors, x, y): dB, smooth over some metres."""
    shape = tuple(math.ceil(side / _FIELD_M) + 2 for side in size)
    smooth, strength = rng.uniform(0.8, 2.5) / _FIELD_M, rng.uniform(3.0, 5.0)
    fields = gaussian_filter(rng.normal(size=(sensors, *shape)), (0, smooth, smooth), mode="wrap")
    return np.asarray(fields / fields.std() * strength)


def _field_at(field: Floats, place: Floats) -> float:
    at = (place / _FIELD_M).reshape(2, 1)
    return float(map_coordinates(field, at, order=1, mode="nearest")[0])
