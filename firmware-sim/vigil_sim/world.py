"""The ground that every domain's world stands on: places, and chance that is repeatable.

Nothing here has state or a clock. What happens in a domain is a pure function of world time in
the domain's own room: same scenario and seed, same world.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

from vigil_sim.scenario_model import Metres, Scenario

EARTH_RADIUS_M = 6_371_008.8


@dataclass(frozen=True)
class World:
    """A city in which the scenario's schedule takes place."""

    scenario: Scenario
    seed: int

    def random(self, *purpose: str) -> random.Random:
        """A generator of its own for one purpose, independent of what else was drawn."""
        return random.Random("/".join((str(self.seed), *purpose)))

    def geographic(self, at: Metres) -> tuple[float, float]:
        """Latitude and longitude in degrees of a place in metres east and north."""
        latitude = self.scenario.latitude + math.degrees(at[1] / EARTH_RADIUS_M)
        shrink = math.cos(math.radians(self.scenario.latitude))
        longitude = self.scenario.longitude + math.degrees(at[0] / (EARTH_RADIUS_M * shrink))
        return round(latitude, 7), round(longitude, 7)
