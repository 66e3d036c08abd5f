"""The simulated city as pure functions of world time: same scenario and seed, same world.

Nothing here has state or a clock; devices ask what is true at a moment.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from itertools import pairwise

from vigil_sim.scenario import Discharge, Fire, Metres, Passage, Scenario, Walk
from vigil_sim.water.canal import Water, water_at

EARTH_RADIUS_M = 6_371_008.8


@dataclass(frozen=True, slots=True)
class Leg:
    """One straight piece of a path, or a stay (``start == stop``)."""

    begins_s: float
    ends_s: float
    start: Metres
    stop: Metres

    def at(self, t: float) -> Metres:
        """Where one is at world time ``t`` inside the leg."""
        span = self.ends_s - self.begins_s
        part = (t - self.begins_s) / span if span > 0 else 1.0
        return (
            self.start[0] + part * (self.stop[0] - self.start[0]),
            self.start[1] + part * (self.stop[1] - self.start[1]),
        )


def legs(walk: Walk) -> list[Leg]:
    """A walk as legs in time: each way at its speed, each stay where it was asked for."""
    result: list[Leg] = []
    t = walk.at_s
    points = [(point[0], point[1], point[2] if len(point) == 3 else 0.0) for point in walk.path]
    if points[0][2]:
        here = points[0][:2]
        result.append(Leg(t, t + points[0][2], here, here))
        t += points[0][2]
    for (east, north, _), (to_east, to_north, stay_s) in pairwise(points):
        takes = math.hypot(to_east - east, to_north - north) / walk.speed_m_s
        result.append(Leg(t, t + takes, (east, north), (to_east, to_north)))
        t += takes
        if stay_s:
            result.append(Leg(t, t + stay_s, (to_east, to_north), (to_east, to_north)))
            t += stay_s
    return result


@dataclass(frozen=True)
class World:
    """A city in which the scenario's schedule takes place."""

    scenario: Scenario
    seed: int
    _phases: tuple[float, ...] = field(init=False, repr=False)
    _walks: dict[str, list[Leg]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        draw = random.Random(f"{self.seed}/canal")
        object.__setattr__(self, "_phases", tuple(draw.random() for _ in range(6)))
        walks: dict[str, list[Leg]] = {}
        for happening in self.scenario.schedule:
            if isinstance(happening, Walk):
                walks.setdefault(happening.tag, []).extend(legs(happening))
        object.__setattr__(self, "_walks", walks)

    def random(self, *purpose: str) -> random.Random:
        """A generator of its own for one purpose, independent of what else was drawn."""
        return random.Random("/".join((str(self.seed), *purpose)))

    def geographic(self, at: Metres) -> tuple[float, float]:
        """Latitude and longitude in degrees of a place in metres east and north."""
        latitude = self.scenario.latitude + math.degrees(at[1] / EARTH_RADIUS_M)
        shrink = math.cos(math.radians(self.scenario.latitude))
        longitude = self.scenario.longitude + math.degrees(at[0] / (EARTH_RADIUS_M * shrink))
        return round(latitude, 7), round(longitude, 7)

    def passages(self, device: str) -> list[Passage]:
        """The vehicles that pass one noise camera, in time order."""
        found = [
            happening
            for happening in self.scenario.schedule
            if isinstance(happening, Passage) and happening.device == device
        ]
        return sorted(found, key=lambda passage: passage.at_s)

    def water(self, canal_m: float, t: float) -> Water:
        """The canal's water at one place."""
        discharges = [h for h in self.scenario.schedule if isinstance(h, Discharge)]
        return water_at(self.scenario.canal, discharges, canal_m, t, self._phases)

    @property
    def tags(self) -> list[str]:
        """Every tag that is carried at some time."""
        return sorted(self._walks)

    def tag_position(self, tag: str, t: float) -> Metres | None:
        """Where a tag is; ``None`` while nobody carries it through the city."""
        for leg in self._walks.get(tag, ()):
            if leg.begins_s <= t <= leg.ends_s:
                return leg.at(t)
        return None

    def distance(self, tag: str, at: Metres, t: float) -> float | None:
        """Metres from a tag to a place; ``None`` while the tag is nowhere."""
        here = self.tag_position(tag, t)
        return None if here is None else math.hypot(here[0] - at[0], here[1] - at[1])

    def smoke(self, device: str, t: float) -> float:
        """Obscuration at one home's alarm, % per metre: exponential growth, then airing."""
        total = 0.0
        for happening in self.scenario.schedule:
            if not isinstance(happening, Fire) or happening.device != device:
                continue
            since = t - happening.at_s
            if since <= 0:
                continue
            burning = min(since, happening.out_after_s)
            # Long before the exponent is 50 the air is as thick as it gets.
            peak = min(0.5 * math.expm1(min(burning / happening.growth_s, 50.0)), 25.0)
            aired = max(since - happening.out_after_s, 0.0)
            total += peak * math.exp(-aired / 45.0)
        return total
