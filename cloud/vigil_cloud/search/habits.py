"""What a person's own earlier check-ins say: where home is, where they go at this hour, and how
fast they get about. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from vigil_cloud.search.ground import Floats, Ground

_NIGHT_S: Final = 5 * 3_600.0
"""A silence this long is mostly time at home."""
_HOME_SCALE_M: Final = 400.0
_NEW_VISIT_S: Final = 1_800.0
_FAST_M_S: Final = 2.2
_RIDE_M_S: Final = 5.0
_HOMES: Final = 4
_PLACES: Final = 5
_HOUR_SPREAD: Final = 2.0


@dataclass(frozen=True, slots=True)
class Habits:
    """``goals``: nodes of the ground, with weights that sum to 1; homes come first."""

    goals: tuple[int, ...]
    weights: tuple[float, ...]
    homes: int
    ride_share: float
    ride_m_s: float


def of(
    ground: Ground,
    stations: Sequence[Any],
    reach: Floats,
    seen: Sequence[tuple[int, float]],
) -> Habits:
    """``seen``: station and time of each check-in, oldest first, the last being the newest;
    ``reach`` (nodes,): how much of a beacon there some station hears."""
    places = np.array([stations[number].place for number, _ in seen])
    times = np.array([at for _, at in seen])
    gaps = np.diff(times)
    share, speed = _rides(places, times)
    homes, home_weights = _homes(ground, places, gaps, reach)
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
    )


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


def _homes(
    ground: Ground, places: Floats, gaps: Floats, reach: Floats
) -> tuple[np.ndarray, Floats]:
    """The likeliest corners for home: near where long silences begin and end, and unheard."""
    nights = np.flatnonzero(gaps >= _NIGHT_S)
    if not len(nights):
        return np.zeros(0, dtype=int), np.zeros(0)
    score = np.zeros(len(ground.nodes))
    for night in nights[-30:]:
        for place in (places[night], places[night + 1]):
            away = np.hypot(*(ground.nodes - place).T)
            score += np.log(0.85 * np.exp(-away / _HOME_SCALE_M) + 0.15 * np.exp(-away / 3_000))
    score /= max(1.0, len(nights[-30:]) / 4)  # the same way home every day is no new witness
    score[reach > 0.5] -= 5.0
    chance = np.exp(score - score.max())
    chance /= chance.sum()
    # Quantiles along the ranking: several corners stand for all that are likely.
    order = np.argsort(-chance)
    total = np.cumsum(chance[order])
    picks = np.unique(order[np.searchsorted(total, (np.arange(_HOMES) + 0.5) / _HOMES)])
    return picks, np.full(len(picks), 1.0 / len(picks))


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
