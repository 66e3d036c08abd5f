"""Where each tag is at a time: the scenario's walks as straight legs. Pure functions of time."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

from vigil_sim.checkin.scenario import Walk, Way
from vigil_sim.scenario_model import Metres, Scenario


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
    """A walk as legs in time."""
    return legs_of(walk.path, walk.at_s, walk.speed_m_s)


def legs_of(path: Way, begins_s: float, speed_m_s: float) -> list[Leg]:
    """Each way at its speed, each stay where it was asked for."""
    result: list[Leg] = []
    t = begins_s
    points = [(point[0], point[1], point[2] if len(point) == 3 else 0.0) for point in path]
    if points[0][2]:
        here = points[0][:2]
        result.append(Leg(t, t + points[0][2], here, here))
        t += points[0][2]
    for (east, north, _), (to_east, to_north, stay_s) in pairwise(points):
        takes = math.hypot(to_east - east, to_north - north) / speed_m_s
        result.append(Leg(t, t + takes, (east, north), (to_east, to_north)))
        t += takes
        if stay_s:
            result.append(Leg(t, t + stay_s, (to_east, to_north), (to_east, to_north)))
            t += stay_s
    return result


class Drive:
    """Where a station that moves is: before its way at its begin, after it at its end."""

    def __init__(self, path: Way, speed_m_s: float) -> None:
        self._legs = legs_of(path, 0.0, speed_m_s)
        self._speed_m_s = speed_m_s

    def at(self, t: float) -> Metres:
        """At world time ``t``."""
        for leg in self._legs:
            if t <= leg.ends_s:
                return leg.at(max(t, leg.begins_s))
        return self._legs[-1].stop

    def speed(self, t: float) -> float:
        """Metres a second, then."""
        leg = next((one for one in self._legs if one.begins_s <= t <= one.ends_s), None)
        return 0.0 if leg is None or leg.start == leg.stop else self._speed_m_s


class Walks:
    """Everybody's walks of one scenario."""

    def __init__(self, scenario: Scenario) -> None:
        self._legs: dict[str, list[Leg]] = {}
        for walk in scenario.happenings(Walk):
            self._legs.setdefault(walk.tag, []).extend(legs(walk))

    @property
    def tags(self) -> list[str]:
        """Every tag that is carried at some time."""
        return sorted(self._legs)

    def position(self, tag: str, t: float) -> Metres | None:
        """Where a tag is; ``None`` while nobody carries it through the city."""
        for leg in self._legs.get(tag, ()):
            if leg.begins_s <= t <= leg.ends_s:
                return leg.at(t)
        return None

    def distance(self, tag: str, at: Metres, t: float) -> float | None:
        """Metres from a tag to a place; ``None`` while the tag is nowhere."""
        here = self.position(tag, t)
        return None if here is None else math.hypot(here[0] - at[0], here[1] - at[1])
