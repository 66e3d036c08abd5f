"""How often a person's usual life brings them past each station, and where it begins. Pure.

Whoever is heard where they always come by at this hour is most probably about their day; at a
station that never heard them before, most probably not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from vigil_cloud.search import rings
from vigil_cloud.search.ground import Floats, Ground, Numbers
from vigil_cloud.search.habits import Habits

_FASTEST_M_S: Final = 6.0
_NOTHING: Final = 1e-250
_DAY_S: Final = 86_400.0
_HOUR_SPREAD_S: Final = 2 * 3_600.0
_ANY_HOUR: Final = 0.2
"""Share of what people do that keeps to no hour."""
_NEAR_M: Final = 1_000.0
"""How far from where they were before people are heard for the first time."""
_NEW: Final = 0.5
"""So many new stations more are expected than were new in the history."""


@dataclass(frozen=True, slots=True)
class Daily:
    """``rates`` (stations,) is asked at a time; ``near`` (stations,): where somebody is heard who
    is not about their usual day, sum 1."""

    stations: Numbers
    times: Floats
    days: float
    near: Floats
    new_a_day: float

    def rate(self, station: int, at_s: float) -> float:
        """Check-ins a second at that station at that hour."""
        those = self.times[self.stations == station]
        apart_s = (those - at_s + _DAY_S / 2) % _DAY_S - _DAY_S / 2
        kept = np.exp(-0.5 * (apart_s / _HOUR_SPREAD_S) ** 2) / (
            _HOUR_SPREAD_S * np.sqrt(2 * np.pi)
        )
        known = ((1 - _ANY_HOUR) * kept + _ANY_HOUR / _DAY_S).sum() / self.days
        return float(known + self.new_a_day / _DAY_S * self.near[station])


def daily(stations: Sequence[Any], seen: Sequence[tuple[int, float]], until_s: float) -> Daily:
    """From the check-ins before ``until_s``."""
    past = [one for one in seen if one[1] < until_s]
    numbers = np.array([number for number, _ in past], dtype=np.int64)
    times = np.array([at for _, at in past])
    counts = np.bincount(numbers, minlength=len(stations))
    days = max(1.0, (until_s - times[0]) / _DAY_S) if past else 1.0
    places = np.array([station.place for station in stations])
    around = places[counts > 0] if past else places[[seen[-1][0]]]
    weights = np.sqrt(counts[counts > 0]) if past else np.ones(1)
    apart = np.hypot(*(places[:, None, :] - around[None, :, :]).transpose(2, 0, 1))
    near = np.exp(-apart / _NEAR_M) @ weights + 1e-6
    once = int(np.count_nonzero(counts == 1))
    return Daily(numbers, times, days, near / near.sum(), (once + _NEW) / days)


def around_home(ground: Ground, habits: Habits) -> Floats:
    """(nodes,): Koester's distances from where they may live, sum 1."""
    found = np.zeros(len(ground.nodes))
    homes = habits.goals[: habits.homes]
    for home, weight in zip(homes, habits.weights, strict=False):
        found += weight * rings.density(np.hypot(*(ground.nodes - ground.nodes[home]).T))
    return np.asarray(found / max(float(found.sum()), _NOTHING))


def rings_of(
    ground: Ground, last: tuple[float, float], habits: Habits, usual: float, elapsed_s: float
) -> Floats:
    """(nodes,): Koester's distances alone, as far as anybody gets, from where they went astray:
    the last station, or home of the share that was about its ``usual`` day there."""
    away = np.hypot(*(ground.nodes - np.array(last)).T)
    dense = rings.density(away)
    dense /= max(float(dense.sum()), _NOTHING)
    if habits.homes:
        dense = (1 - usual) * dense + usual * around_home(ground, habits)
    dense[away > _FASTEST_M_S * elapsed_s + 300.0] = 0.0
    if not dense.any():  # the last station stands far from all streets
        dense[away.argmin()] = 1.0
    return np.asarray(dense / dense.sum())


def heading(
    stations: Sequence[Any], last: tuple[int, float], before: tuple[int, float] | None
) -> Floats | None:
    """In which direction they came to the last station, a unit vector."""
    if before is None or last[1] - before[1] > 3_600 or before[0] == last[0]:
        return None
    way = np.array(stations[last[0]].place) - np.array(stations[before[0]].place)
    far = float(np.hypot(*way))
    return way / far if far > 1 else None
