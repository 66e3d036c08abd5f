"""Fires: smoke grows in the home that burns, and is no number too large."""

from __future__ import annotations

from vigil_sim.scenario import load
from vigil_sim.smoke.fire import fires, obscuration
from vigil_sim.smoke.scenario import Fire

NIGHT = load("city-night")


def test_smoke_grows_only_in_the_home_that_burns() -> None:
    kitchen, hall = (fires(NIGHT, d) for d in ("smoke-lane88-kitchen", "smoke-lane88-14"))
    burning = [obscuration(kitchen, t) for t in range(0, 1440, 10)]
    assert burning[89] == 0
    assert max(burning) > 10
    assert burning[-1] < 0.5
    assert all(obscuration(hall, t) == 0 for t in range(0, 1440, 10))


def test_a_sudden_fire_is_no_number_too_large() -> None:
    sudden = Fire(what="fire", at_s=0.0, device="smoke-lane88-14", growth_s=0.01, out_after_s=900.0)
    assert obscuration([sudden], 800.0) == 25.0
