"""Which figure hangs on which assumption: the behaviour alone, without a cloud.

The cloud takes an hour for a week; its rules do not change with an assumption. So each unsure
assumption is set to its low and its high value and the behaviour is drawn again with the same
random streams, for several seeds at scale 1. ``alone`` for the values as they are is printed
beside what came out of the cloud: where the two differ by more than the interval, the model of
this file is not what the cloud does, and the table is worth nothing.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from vigil_sim.week import behaviour
from vigil_sim.week.assumptions import Assumptions
from vigil_sim.week.behaviour import DAY_S, Period
from vigil_sim.week.population import Population

SEEDS: Final = 6
_WEEK: Final = Period(7 * DAY_S, 1.0)
_LEAST: Final = 0.005
"""A figure that moves by less (days: by less than half a day) is not listed."""


@dataclass(frozen=True, slots=True)
class Hangs:
    """One figure under one assumption's low and high value."""

    assumption: str
    low: float
    high: float
    figure: str
    at_low: float
    at_high: float


def alone(given: Assumptions, seed: int, seeds: int = SEEDS, room: str = "") -> dict[str, float]:
    """Every figure, from behaviour alone; with ``room`` those that its assumptions can move."""
    numbers = range(seed, seed + seeds)
    return {
        figure: work(given, numbers) for figure, (of, work) in _FIGURES.items() if room in ("", of)
    }


def table(given: Assumptions, seed: int, base: Mapping[str, float]) -> list[Hangs]:
    """The figures that move, those that move most first."""
    found = []
    for key, low, high in given.unsure():
        room = key.partition(".")[0]
        at_low = alone(given.changed(key, low), seed, room=room)
        at_high = alone(given.changed(key, high), seed, room=room)
        found += [
            Hangs(key, low, high, figure, at_low[figure], at_high[figure])
            for figure in at_low
            if abs(at_high[figure] - at_low[figure]) > (0.5 if figure == "days_saved" else _LEAST)
        ]
    return sorted(found, key=lambda one: -abs(one.at_high - one.at_low) / abs(base[one.figure]))


def _looked_first(given: Assumptions, seeds: range) -> float:
    return _share(
        one.looks_first for seed in seeds for one in behaviour.episodes(seed, _WEEK, given)
    )


def _aed_always(given: Assumptions, seeds: range) -> float:
    size, start = behaviour.sizes(1.0), datetime(2026, 3, 1, 16, tzinfo=UTC)
    cities = [Population(seed, size, given, start) for seed in seeds]
    return _share(
        people.opening_hours(site) == "24/7" and not people.pads_expired(site)
        for people in cities
        for site in range(size.aeds)
    )


def _fires_early(given: Assumptions, seeds: range) -> float:
    return _share(one.early for seed in seeds for one in behaviour.fires(seed, _WEEK, given))


def _days_saved(given: Assumptions, seeds: range) -> float:
    return statistics.fmean(
        one.baseline_days - (one.decided_s - one.at_s) / DAY_S
        for seed in seeds
        for one in behaviour.passages(seed, _WEEK, given)
    )


def _actionable(given: Assumptions, seeds: range) -> float:
    return _share(one.fined for seed in seeds for one in behaviour.passages(seed, _WEEK, given))


_FIGURES: Final[Mapping[str, tuple[str, Callable[[Assumptions, range], float]]]] = {
    "looked_first": ("checkin", _looked_first),
    "aed_always": ("aed", _aed_always),
    "fires_early": ("smoke", _fires_early),
    "days_saved": ("noise", _days_saved),
    "actionable": ("noise", _actionable),
}
"""Each with the room whose assumptions move it."""


def _share(hits: Iterable[bool]) -> float:
    found = list(hits)
    return sum(found) / len(found) if found else 0.0
