"""Which figure hangs on which assumption: the behaviour alone, without a cloud.

The cloud takes an hour for a week; its rules do not change with an assumption. So each unsure
assumption is set to its low and its high value and the behaviour is drawn again with the same
random streams, for several seeds at scale 1. ``alone`` for the values as they are is printed
beside what came out of the cloud: where the two differ by more than the interval, the model of
this file is not what the cloud does, and the table is worth nothing.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
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


def alone(given: Assumptions, seed: int, seeds: int = SEEDS) -> dict[str, float]:
    """Every figure, from behaviour alone."""
    plans = [behaviour.plan(seed + one, _WEEK, given) for one in range(seeds)]
    size = behaviour.sizes(1.0)
    start = datetime(2026, 3, 1, 16, tzinfo=UTC)
    open_always = []
    for one in range(seeds):
        people = Population(seed + one, size, given, start)
        open_always += [
            people.opening_hours(site) == "24/7" and not people.pads_expired(site)
            for site in range(size.aeds)
        ]
    passages = [one for plan in plans for one in plan.passages]
    return {
        "looked_first": _share(one.looks_first for plan in plans for one in plan.episodes),
        "aed_always": _share(open_always),
        "fires_early": _share(one.early for plan in plans for one in plan.fires),
        "days_saved": statistics.fmean(
            one.baseline_days - (one.decided_s - one.at_s) / DAY_S for one in passages
        ),
        "actionable": _share(one.fined for one in passages),
    }


def table(given: Assumptions, seed: int, base: Mapping[str, float]) -> list[Hangs]:
    """The figures that move, those that move most first."""
    found = []
    for key, low, high in given.unsure():
        at_low = alone(given.changed(key, low), seed)
        at_high = alone(given.changed(key, high), seed)
        found += [
            Hangs(key, low, high, figure, at_low[figure], at_high[figure])
            for figure in base
            if abs(at_high[figure] - at_low[figure]) > (0.5 if figure == "days_saved" else _LEAST)
        ]
    return sorted(found, key=lambda one: -abs(one.at_high - one.at_low) / (abs(base[one.figure])))


def _share(hits: Iterable[bool]) -> float:
    found = list(hits)
    return sum(found) / len(found) if found else 0.0
