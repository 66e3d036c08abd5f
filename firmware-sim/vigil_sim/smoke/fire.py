"""How much smoke there is at an alarm: a pure function of the scenario and of time."""

from __future__ import annotations

import math
from collections.abc import Sequence

from vigil_sim.scenario_model import Scenario
from vigil_sim.smoke.scenario import Fire

_AIRING_S = 45.0
"""Time in which airing thins the smoke by a factor e."""


def fires(scenario: Scenario, device: str) -> list[Fire]:
    """The fires in the home of one alarm."""
    return [fire for fire in scenario.happenings(Fire) if fire.device == device]


def obscuration(burning: Sequence[Fire], t: float) -> float:
    """Smoke at world time ``t``, % per metre: exponential growth, then airing."""
    total = 0.0
    for fire in burning:
        since = t - fire.at_s
        if since <= 0:
            continue
        grown_for = min(since, fire.out_after_s)
        # Long before the exponent is 50 the air is as thick as it gets.
        peak = min(0.5 * math.expm1(min(grown_for / fire.growth_s, 50.0)), 25.0)
        aired = max(since - fire.out_after_s, 0.0)
        total += peak * math.exp(-aired / _AIRING_S)
    return total
