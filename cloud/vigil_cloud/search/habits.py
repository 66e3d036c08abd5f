"""What a person's own earlier check-ins say: where home is, where they go at this hour, and how
fast they get about. Pure."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from vigil_cloud.search import reach
from vigil_cloud.search.ground import Floats, Ground

_NIGHT_S: Final = 5 * 3_600.0
"""A silence this long is mostly time at home."""
_NEAR_HOME_M: Final = 600.0
"""How far the first and last stations of days lie from home; a tenth of them anywhere."""
_ANYWHERE_M: Final = 2_000.0
_WITNESSES: Final = 1.2
"""So many independent stations one counts for, four or more twice as many: it is the same way home
every day, and neighbouring stations stand on the same way."""
_UNHEARD_M: Final = 600.0
_UNHEARD: Final = 0.5
"""How probably a station just beside a home is passed in some weeks; further off exponentially
less. One that never heard the person while it was online speaks against the homes around it."""
_HEARD_AGAIN_S: Final = 2 * 3_600.0
"""Whoever stays within a station's reach is written again sooner than this."""
_HOME_KNOWN_M: Final = 150.0
_NEW_VISIT_S: Final = 1_800.0
_FAST_M_S: Final = 2.2
_RIDE_M_S: Final = 5.0
_HOMES: Final = 4
_PLACES: Final = 5
_HOUR_SPREAD: Final = 2.0
_FEW_HOURS: Final = 0.2
"""Added to each hour's count of check-ins: nobody keeps to the hours of a week for ever."""


@dataclass(frozen=True, slots=True)
class Habits:
    """``goals``: nodes of the ground, with weights that sum to 1; homes come first."""

    goals: tuple[int, ...]
    weights: tuple[float, ...]
    homes: int
    ride_share: float
    ride_m_s: float
    at_home: Floats
    """(nodes,): how probably each is the nearest to home; all 0 where nothing tells."""
    hours: tuple[float, ...]
    """How much of their days' check-ins each hour (of the epoch's days) has, sum 1."""

    def about(self, ground: Ground, place_m: float) -> Floats:
        """(nodes, goals): where somebody is who stays at a goal, each column's sum 1."""
        found = np.zeros((len(ground.nodes), len(self.goals)))
        apart = (
            np.stack(
                [np.hypot(*(ground.nodes - ground.nodes[goal]).T) for goal in self.goals], axis=1
            )
            if self.goals
            else found
        )
        if self.homes:  # each stands for the corners that are nearest to it
            nearest = apart[:, : self.homes].argmin(axis=1)
            found[np.arange(len(nearest)), nearest] = self.at_home
        found[:, self.homes :] = np.exp(-apart[:, self.homes :] / place_m)
        return np.asarray(found / np.maximum(found.sum(axis=0), 1e-12))


def of(
    ground: Ground,
    stations: Sequence[Any],
    seen: Sequence[tuple[int, float]],
    until_s: float,
) -> Habits:
    """``seen``: station and time of each check-in, oldest first, the last being the newest;
    ``until_s``: until when nothing else was heard."""
    places = np.array([stations[number].place for number, _ in seen])
    times = np.array([at for _, at in seen])
    gaps = np.diff(times)
    share, speed = _rides(places, times)
    silent_s = max(0.0, until_s - seen[-1][1])
    at_home = _at_home(ground, stations, seen, np.r_[gaps, silent_s])
    homes, home_weights = _representatives(ground, at_home)
    goals, weights = _places(ground, stations, seen)
    home_share = 0.5 if len(goals) else 1.0
    if len(homes) == 0:
        home_share = 0.0
    found = [*homes, *goals]
    mass = [*(home_share * home_weights), *((1 - home_share) * weights)]
    total = sum(mass) or 1.0
    return Habits(
        tuple(int(one) for one in found),
        tuple(float(one / total) for one in mass),
        len(homes),
        share,
        speed,
        at_home,
        _hours(times),
    )


def _hours(times: Floats) -> tuple[float, ...]:
    """Each hour as busy as it and its neighbours were."""
    counts = np.bincount((times % 86_400 // 3_600).astype(int), minlength=24) + _FEW_HOURS
    smooth = counts + (np.roll(counts, 1) + np.roll(counts, -1)) / 2
    return tuple(float(one) for one in smooth / smooth.sum())


def _rides(places: Floats, times: Floats) -> tuple[float, float]:
    """Share of ways that are ridden, and how fast, from legs between stations."""
    away = np.hypot(*np.diff(places, axis=0).T) if len(places) > 1 else np.zeros(0)
    gaps = np.diff(times)
    legs = (away > 500) & (gaps > 0) & (gaps < 3_600)
    speeds = away[legs] / gaps[legs]
    fast = speeds > _FAST_M_S
    share = (fast.sum() + 1.2) / (len(speeds) + 8.0)
    ridden = np.r_[speeds[fast] * 1.3, np.full(2, _RIDE_M_S)]
    return float(share), float(np.clip(np.median(ridden), 3.0, 15.0))


def _at_home(
    ground: Ground,
    stations: Sequence[Any],
    seen: Sequence[tuple[int, float]],
    gaps: Floats,
) -> Floats:
    """(nodes,): near where long silences begin and end, and where no station hears them. The
    silence that goes on now is one as well: of whoever was heard once, a week ago, all that is
    known is that they came by there, and they did not walk for a week. Whoever is heard by one
    station for longer than by none lives within its reach."""
    nights = np.flatnonzero(gaps >= _NIGHT_S)
    heard = _all_night(stations, seen)
    if sum(heard.values()) > gaps[nights].sum():
        return _within_reach(ground, stations, heard)
    if not len(nights):
        return np.zeros(len(ground.nodes))
    online = _online(stations, seen[0][1], seen[-1][1] + gaps[-1])
    numbers = np.array([number for number, _ in seen])
    places = np.array([station.place for station in stations])
    after = nights[nights + 1 < len(numbers)] + 1
    ends, counts = np.unique(np.r_[numbers[nights], numbers[after]], return_counts=True)
    worth = np.sqrt(counts)
    worth *= _WITNESSES * np.sqrt(min(len(ends), 4)) / worth.sum()
    score = np.zeros(len(ground.nodes))
    for number, much in zip(ends, worth, strict=True):
        away = np.hypot(*(ground.nodes - places[number]).T)
        scaled = (_NEAR_HOME_M / _ANYWHERE_M) ** 2
        score += much * np.log(
            0.9 * np.exp(-away / _NEAR_HOME_M) + 0.1 * scaled * np.exp(-away / _ANYWHERE_M)
        )
    for number in np.setdiff1d(np.arange(len(stations)), numbers):
        away = np.hypot(*(ground.nodes - places[number]).T)
        score -= online[number] * _UNHEARD * np.exp(-away / _UNHEARD_M)
    score -= 5.0 * np.minimum(reach.on(ground, stations).nodes @ online, 1.0)
    chance = np.exp(score - score.max())
    return np.asarray(chance / chance.sum())


def _all_night(stations: Sequence[Any], seen: Sequence[tuple[int, float]]) -> dict[int, float]:
    """How long each station heard them again and again for the length of a night or more; of
    neighbours whose reach is one, in turn, the one that did so most often."""
    found: dict[int, float] = {}
    run = [seen[0]]
    for one in [*seen[1:], None]:
        if one is not None and _goes_on(stations, run[-1], one):
            run.append(one)
            continue
        span_s = run[-1][1] - run[0][1]
        if span_s >= _NIGHT_S:
            most = Counter(number for number, _ in run).most_common(1)[0][0]
            found[most] = found.get(most, 0.0) + span_s
        if one is not None:
            run = [one]
    return found


def _goes_on(stations: Sequence[Any], one: tuple[int, float], other: tuple[int, float]) -> bool:
    """Whether somebody may have stayed where both were heard."""
    here, there = stations[one[0]], stations[other[0]]
    near = math.dist(here.place, there.place) <= here.range_m + there.range_m
    return near and other[1] - one[1] <= _HEARD_AGAIN_S


def _within_reach(ground: Ground, stations: Sequence[Any], heard: Mapping[int, float]) -> Floats:
    found = np.zeros(len(ground.nodes))
    for number, span_s in heard.items():
        found += span_s * reach.around(ground.nodes, stations[number])
    return np.asarray(found / found.sum())


def _online(stations: Sequence[Any], begin_s: float, end_s: float) -> Floats:
    """(stations,): for which share of that time each was online."""
    since = np.array([max(begin_s, one.online_since) for one in stations])
    until = np.array([min(end_s, one.online_until) for one in stations])
    before = np.array([min(end_s, one.worked_until, one.online_since) for one in stations])
    online_s = np.maximum(until - since, 0.0) + np.maximum(before - begin_s, 0.0)
    return np.asarray(np.clip(online_s / max(end_s - begin_s, 1.0), 0.0, 1.0))


def _representatives(ground: Ground, at_home: Floats) -> tuple[NDArray[np.int64], Floats]:
    """Several corners that together stand for all that are likely, and how likely those are."""
    if not at_home.any():
        return np.zeros(0, dtype=np.int64), np.zeros(0)
    left, picks = at_home.copy(), []
    for _ in range(_HOMES):
        picks.append(int(left.argmax()))
        away = np.hypot(*(ground.nodes - ground.nodes[picks[-1]]).T)
        left = left * (1 - np.exp(-away / _HOME_KNOWN_M / 2))
    apart = np.stack([np.hypot(*(ground.nodes - ground.nodes[one]).T) for one in picks])
    weights = np.bincount(apart.argmin(axis=0), at_home, minlength=len(picks))
    return np.array(picks, dtype=np.int64), np.asarray(weights)


def _places(
    ground: Ground, stations: Sequence[Any], seen: Sequence[tuple[int, float]]
) -> tuple[list[int], Floats]:
    """Where they went from this station before, and where they are at this hour."""
    here, now = seen[-1]
    weight: dict[int, float] = {}
    for (one, begun), (other, ended) in itertools.pairwise(seen):
        if other == here or (one == other and ended - begun < _NEW_VISIT_S):
            continue
        apart_h = abs((ended - now + 43_200) % 86_400 - 43_200) / 3_600
        worth = np.exp(-0.5 * (apart_h / _HOUR_SPREAD) ** 2) + 0.1
        if one == here and ended - begun < 4 * 3_600:
            worth += 2.0
        weight[other] = weight.get(other, 0.0) + float(worth)
    best = sorted(weight, key=lambda one: -weight[one])[:_PLACES]
    goals = [
        int(np.hypot(*(ground.nodes - np.array(stations[one].place)).T).argmin()) for one in best
    ]
    weights = np.array([weight[one] for one in best])
    return goals, weights / weights.sum() if len(best) else weights
