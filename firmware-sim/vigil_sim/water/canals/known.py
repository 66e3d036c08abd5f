"""Illegal discharges with known truth: what the stations of a network saw of one, and what was
registered of the network, which is not how the water ran. Seeded."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from vigil_sim.water.canals.city_file import geojson, velocities_off
from vigil_sim.water.canals.flow import Waters
from vigil_sim.water.canals.plan import Plan, tree
from vigil_sim.water.canals.plume import Plume, Spill

Floats = NDArray[np.float64]
CELL_M: Final = 20.0
_DAY_S: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class Sampling:
    """How stations look, and how far the register is off."""

    every_s: float = 60.0
    noise: float = 0.05
    """Standard deviation of a value, as a share of it."""
    floor: float = 0.1
    """The same where there is nothing, g/m³."""
    velocity_off: float = 0.2


@dataclass(frozen=True, slots=True)
class KnownDischarge:
    """One discharge. Times in seconds, masses in grams, concentrations in g/m³."""

    plan: Plan
    spill: Spill
    registered: dict[str, Any]
    """GeoJSON, velocities off."""
    right: dict[str, Any]
    """The same with the velocities as they are."""
    times: Floats
    seen: Mapping[str, Floats]

    @property
    def mass_g(self) -> float:
        """All of it."""
        return self.spill.rate_g_s * (self.spill.until_s - self.spill.from_s)


def discharge(
    seed: int, sampling: Sampling | None = None, plan: Plan | None = None
) -> KnownDischarge:
    """A network of its own, unless one is given; one of its outfalls, for a quarter of an hour to
    two hours, 100 kg to 1 t of salt, stations watched for a day and a half."""
    how = sampling or Sampling()
    draw = random.Random(f"discharge {seed}")
    plan = plan or tree(seed)
    waters = Waters(plan, CELL_M)
    flow = waters.steady()
    outfall = draw.choice(plan.outfalls())
    starts = draw.uniform(6, 12) * 3600
    lasts = math.exp(draw.uniform(math.log(900), math.log(7200)))
    mass = math.exp(draw.uniform(math.log(1e5), math.log(1e6)))
    spill = Spill(outfall, mass / lasts, starts, starts + lasts)
    below = plan.below(outfall.canal)
    names = {one.id for one in below}
    stations = [one for one in plan.stations() if one.canal in names]
    until = starts + lasts + _passes_after_s(waters, [one.id for one in below])
    moments, found = Plume(waters, below).run(flow, [spill], stations, until, from_s=starts)
    times = np.arange(0.0, max(until, 1.5 * _DAY_S), how.every_s)
    noise = np.random.default_rng(draw.randrange(2**32))
    seen = {}
    passed = {one.id: found[:, number] for number, one in enumerate(stations)}
    for station in plan.stations():
        truth = np.zeros(len(times))
        if station.id in passed:
            truth = np.interp(times, moments, passed[station.id])
        seen[station.id] = truth + noise.standard_normal(len(times)) * np.hypot(
            how.noise * truth, how.floor
        )
    off = velocities_off(seed, plan, how.velocity_off)
    return KnownDischarge(plan, spill, geojson(plan, flow, off), geojson(plan, flow), times, seen)


def _passes_after_s(waters: Waters, canals: list[str]) -> float:
    """After so long everything has passed the outlet: twice the travel time and three hours, and
    what standing water gives back late."""
    flow = waters.steady()
    travel = sum(
        float((flow.areas[name] / flow.faces[name][1:]).mean()) * waters.plan.by_id[name].length_m
        for name in canals
    )
    late = max(
        (3 / one.exchange_1_s for name in canals if (one := waters.plan.by_id[name]).exchange_1_s),
        default=0.0,
    )
    return 2 * travel + 10_800 + min(late, 14_400)
