"""People with dementia in a small town, with the truth kept: what a search map is scored on.

Each has a home, places they like at their hours, and some weeks of days: they walk, or take a bus
where it is far, stay, and come back. Then, one day, they go astray: by a way that keeps roughly
straight, or to a place of old, for a distance drawn from Koester's quantiles for dementia in urban
terrain, with rests, some by bus; there they stay. Stations hear a beacon within their range at a
rate a minute while they are online, and write the same person again after ten minutes at the
soonest. Times are seconds since the first day's midnight, places are metres east and north of the
town's centre. Nothing here is shared with what draws the map.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import dijkstra

Floats = NDArray[np.float64]

HOLD_OFF_S: Final = 600.0
DETECTIONS_A_MINUTE: Final = 0.5
_SAMPLE_S: Final = 10.0
_DAY_S: Final = 86_400.0
_HOUR_S: Final = 3_600.0
_KOESTER_SHARES: Final = (0.0, 0.25, 0.5, 0.75, 0.95, 1.0)
_KOESTER_M: Final = (20.0, 322.0, 1_127.0, 3_219.0, 12_553.0, 20_000.0)
_OFF_STREET_M: Final = 15.0 / math.log(2)
"""Scale of an exponential whose median is 15 m."""
_BUS_M_S: Final = 5.5
_BUS_STOP_S: Final = 420.0
_DEGREE_M: Final = 111_195.0
CENTRE: Final = (23.4801, 120.4437)


@dataclass(frozen=True, slots=True)
class Town:
    """Crossings (n, 2) in metres, streets as pairs of them, stations (s, 2)."""

    crossings: Floats
    streets: NDArray[np.int64]
    stations: Floats
    range_m: Floats
    online_s: Floats
    """(s, 2): from and until when each is online; infinite where it always is."""
    lengths: csr_array

    def geojson(self) -> dict[str, Any]:
        """Its streets as lines."""
        points = [degrees(point) for point in self.crossings]
        features = [
            {
                "type": "Feature",
                "properties": {},
                "geometry": {
                    "type": "LineString",
                    "coordinates": [points[int(one)][::-1], points[int(other)][::-1]],
                },
            }
            for one, other in self.streets
        ]
        return {"type": "FeatureCollection", "features": features}


@dataclass(frozen=True, slots=True)
class Wanderer:
    """``checkins``: seconds and number of the station, until ``at_s``; ``place`` is where they
    are then, metres; ``home`` is where they live."""

    checkins: tuple[tuple[float, int], ...]
    at_s: float
    place: tuple[float, float]
    home: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Part:
    """A stay (one point) or a way, from ``begin_s`` to ``end_s``, at an even pace."""

    begin_s: float
    end_s: float
    points: Floats


def degrees(point: Sequence[float] | Floats) -> tuple[float, float]:
    """Latitude and longitude."""
    shrink = math.cos(math.radians(CENTRE[0]))
    east, north = float(point[0]), float(point[1])
    return CENTRE[0] + north / _DEGREE_M, CENTRE[1] + east / (_DEGREE_M * shrink)


def town(
    seed: int,
    *,
    width_m: float = 8_000.0,
    block_m: float = 140.0,
    stations: int = 188,
    range_m: tuple[float, float] = (50.0, 120.0),
    outages: float = 0.1,
) -> Town:
    """Bent streets of uneven blocks, a fifth of them missing, with stations along them."""
    rng = np.random.default_rng(seed)
    lines = [_uneven(rng, width_m, block_m) for _ in range(2)]
    across, up = len(lines[0]), len(lines[1])
    grid = np.stack(np.meshgrid(*lines, indexing="ij"), axis=-1).reshape(-1, 2)
    crossings = grid + rng.normal(0, block_m / 10, grid.shape)
    number = np.arange(across * up).reshape(across, up)
    streets = np.concatenate(
        [
            np.stack([number[:-1].ravel(), number[1:].ravel()], axis=1),
            np.stack([number[:, :-1].ravel(), number[:, 1:].ravel()], axis=1),
        ]
    )
    streets = streets[rng.random(len(streets)) > 0.2]
    crossings, streets = _largest(crossings, streets)
    along = rng.integers(len(streets), size=stations)
    share = rng.random((stations, 1))
    ends = crossings[streets[along]]
    places = ends[:, 0] * share + ends[:, 1] * (1 - share)
    online = np.tile([-np.inf, np.inf], (stations, 1))
    for one in np.flatnonzero(rng.random(stations) < outages):
        online[one, 0 if rng.random() < 0.5 else 1] = rng.uniform(15, 21) * _DAY_S
    return Town(
        crossings,
        streets,
        places + rng.normal(0, 5.0, places.shape),
        rng.uniform(*range_m, stations).round(),
        online,
        _lengths(crossings, streets),
    )


def wanderer(place: Town, seed: int, *, days: int = 21, longest_h: float = 6.0) -> Wanderer | None:
    """Somebody who went astray on the last day; ``None`` where no station ever heard them before
    they are looked for."""
    rng = np.random.default_rng(seed)
    pace = rng.uniform(0.6, 1.2)
    home = int(rng.integers(len(place.crossings)))
    near = np.hypot(*(place.crossings - place.crossings[home]).T)
    liked = rng.choice(len(near), size=int(rng.integers(2, 6)), p=_weights(near, 900.0))
    parts: list[Part] = []
    begin_hour = {int(one): rng.uniform(7, 17) for one in liked}
    here, now = home, 0.0
    for day in range(days):
        for goal in rng.permutation(liked)[: int(rng.integers(1, 4))]:
            leave = max(now, day * _DAY_S + (begin_hour[int(goal)] + rng.normal(0, 0.7)) * _HOUR_S)
            now = _stay(parts, place.crossings[here], now, leave)
            here, now = int(goal), _way(rng, place, parts, here, int(goal), now, pace)
            stay_s = float(np.clip(rng.lognormal(math.log(2_400), 0.6), 600, 3 * _HOUR_S))
            now = _stay(parts, place.crossings[here], now, now + stay_s)
            if rng.random() < 0.5:
                here, now = home, _way(rng, place, parts, here, home, now, pace)
        if here != home:
            here, now = home, _way(rng, place, parts, here, home, now, pace)
    astray_s = max(now, days * _DAY_S + rng.uniform(6, 19) * _HOUR_S)
    now = _stay(parts, place.crossings[here], now, astray_s)
    if rng.random() < 0.5:  # from somewhere they had gone to
        here, goal = int(rng.choice(liked)), here
        now = _way(rng, place, parts, goal, here, now, pace)
        now = _stay(parts, place.crossings[here], now, now + rng.uniform(300, 2_400))
        astray_s = now
    now = _astray(rng, place, parts, here, now, pace, liked)
    _stay(parts, parts[-1].points[-1], now, now + 2 * _DAY_S)
    at_s = astray_s + rng.uniform(0.4, longest_h) * _HOUR_S
    checkins = tuple((t, s) for t, s in _heard(rng, place, parts) if t <= at_s)
    if not checkins:
        return None
    spot = _place(parts, at_s) + _off_street(rng)
    lives = place.crossings[home]
    return Wanderer(
        checkins, at_s, (float(spot[0]), float(spot[1])), (float(lives[0]), float(lives[1]))
    )


def _uneven(rng: np.random.Generator, width_m: float, block_m: float) -> Floats:
    steps = rng.uniform(0.6, 1.4, int(width_m / block_m)) * block_m
    found = np.cumsum(steps)
    return np.asarray(found - found.mean())


def _lengths(crossings: Floats, streets: NDArray[np.int64]) -> csr_array:
    one, other = streets.T
    length = np.hypot(*(crossings[one] - crossings[other]).T)
    both = (np.r_[one, other], np.r_[other, one])
    return csr_array((np.r_[length, length], both), shape=(len(crossings), len(crossings)))


def _largest(crossings: Floats, streets: NDArray[np.int64]) -> tuple[Floats, NDArray[np.int64]]:
    from scipy.sparse.csgraph import connected_components

    _, label = connected_components(_lengths(crossings, streets), directed=False)
    kept = label == np.bincount(label).argmax()
    new = np.cumsum(kept) - 1
    return crossings[kept], new[streets[kept[streets[:, 0]]]]


def _weights(distance_m: Floats, scale_m: float) -> Floats:
    weight = np.where(distance_m > 150, np.exp(-distance_m / scale_m), 0.0)
    return np.asarray(weight / weight.sum())


def _stay(parts: list[Part], point: Floats, now: float, until: float) -> float:
    if until > now:
        parts.append(Part(now, until, point.reshape(1, 2)))
    return max(now, until)


def _way(  # noqa: PLR0913 - one trip, by name
    rng: np.random.Generator,
    place: Town,
    parts: list[Part],
    one: int,
    other: int,
    now: float,
    pace: float,
) -> float:
    """The shortest way; by bus (a wait first) where it is far, mostly."""
    if one == other:
        return now
    away, before = dijkstra(place.lengths, indices=other, return_predecessors=True)
    crossings = [one]
    while crossings[-1] != other:
        crossings.append(int(before[crossings[-1]]))
    if away[one] > 1_500 and rng.random() < 0.6:
        now = _stay(parts, place.crossings[one], now, now + rng.uniform(60, _BUS_STOP_S))
        pace = _BUS_M_S
    else:
        pace *= rng.uniform(0.85, 1.15)
    end = now + float(away[one]) / pace
    parts.append(Part(now, end, place.crossings[crossings]))
    return end


def _astray(  # noqa: PLR0913 - as _way
    rng: np.random.Generator,
    place: Town,
    parts: list[Part],
    here: int,
    now: float,
    pace: float,
    liked: NDArray[np.int64],
) -> float:
    """Until they are as far as Koester's people were found, or at the town's edge."""
    far = float(np.exp(np.interp(rng.random(), _KOESTER_SHARES, np.log(_KOESTER_M))))
    start = place.crossings[here]
    kind = rng.random()
    if kind < 0.2:  # somewhere they know
        return _way(rng, place, parts, here, int(rng.choice(liked)), now, pace)
    if kind < 0.35 and far > 1_000:  # by bus, and on from there on foot
        away = np.abs(np.hypot(*(place.crossings - start).T) - 0.8 * far)
        stop = int(rng.choice(np.argsort(away)[:20]))
        here, now = stop, _way(rng, place, parts, here, stop, now, pace)
    heading = rng.uniform(-math.pi, math.pi)
    before, walked = -1, 0.0
    while math.dist(place.crossings[here], start) < far and walked < 3 * far + 300:
        begin, end = place.lengths.indptr[here], place.lengths.indptr[here + 1]
        ways = place.lengths.indices[begin:end]
        forth = ways[ways != before]
        ways = forth if len(forth) else ways
        step = place.crossings[ways] - place.crossings[here]
        bearing = np.arctan2(step[:, 1], step[:, 0])
        liking = np.exp(2.5 * np.cos(bearing - heading))
        following = int(rng.choice(ways, p=liking / liking.sum()))
        length = math.dist(place.crossings[here], place.crossings[following])
        parts.append(
            Part(now, now + length / pace, place.crossings[[here, following]]),
        )
        now, walked = now + length / pace, walked + length
        before, here = here, following
        heading += rng.normal(0, 0.15)
        if rng.random() < 0.04:
            now = _stay(parts, place.crossings[here], now, now + rng.exponential(900.0))
    return now


def _at(part: Part, times: Floats) -> Floats:
    """(n, 2): where somebody is during a part."""
    if len(part.points) == 1:
        return np.repeat(part.points, len(times), axis=0)
    legs = np.hypot(*np.diff(part.points, axis=0).T)
    along = np.r_[0.0, np.cumsum(legs)]
    share = (times - part.begin_s) / (part.end_s - part.begin_s) * along[-1]
    return np.stack([np.interp(share, along, part.points[:, axis]) for axis in (0, 1)], axis=1)


def _place(parts: Sequence[Part], at_s: float) -> Floats:
    part = next(one for one in parts if one.begin_s <= at_s < one.end_s)
    return np.asarray(_at(part, np.array([at_s]))[0])


def _off_street(rng: np.random.Generator) -> Floats:
    angle = rng.uniform(-math.pi, math.pi)
    return np.asarray(rng.exponential(_OFF_STREET_M) * np.array([math.cos(angle), math.sin(angle)]))


def _heard(rng: np.random.Generator, place: Town, parts: Sequence[Part]) -> list[tuple[float, int]]:
    found: list[tuple[float, int]] = []
    quiet_until = -np.inf
    for part in parts:
        times = np.arange(part.begin_s, part.end_s, _SAMPLE_S)
        low, high = part.points.min(axis=0) - 200, part.points.max(axis=0) + 200
        close = np.flatnonzero(((place.stations > low) & (place.stations < high)).all(axis=1))
        if not len(close) or not len(times):
            continue
        spots = _at(part, times) if len(part.points) > 1 else part.points
        apart = np.hypot(
            spots[:, None, 0] - place.stations[None, close, 0],
            spots[:, None, 1] - place.stations[None, close, 1],
        )
        inside = apart <= place.range_m[close]
        if not inside.any():
            continue
        hears = 1 - math.exp(-DETECTIONS_A_MINUTE * _SAMPLE_S / 60)
        drawn = rng.random((len(times), len(close))) < hears
        online = (times[:, None] >= place.online_s[close, 0]) & (
            times[:, None] < place.online_s[close, 1]
        )
        for row, column in np.argwhere(drawn & online & inside):
            if times[row] >= quiet_until:
                found.append((float(times[row]), int(close[column])))
                quiet_until = times[row] + HOLD_OFF_S
    return found
