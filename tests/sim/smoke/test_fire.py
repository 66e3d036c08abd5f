"""Fires: smoke grows in the home that burns, and is no number too large."""

from __future__ import annotations

import tomllib

from vigil_sim.demo import accounts
from vigil_sim.scenario import load
from vigil_sim.smoke.fire import fires, obscuration
from vigil_sim.smoke.scenario import Fire, Home

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


def test_the_night_has_a_home_whose_second_alarm_confirms_while_it_is_asked() -> None:
    (home,) = NIGHT.tables("home", Home)
    kitchen, bedroom = (fires(NIGHT, device) for device in home.alarms)
    rings = [
        next(t for t in range(1440) if obscuration(burning, t) >= 3.0)
        for burning in (kitchen, bedroom)
    ]
    assert 0 < rings[1] - rings[0] < 60


def test_a_resident_of_the_demo_belongs_to_the_home_and_sees_nobodys_whereabouts() -> None:
    seeded = tomllib.loads(accounts.seed({}, NIGHT, "2030-01-01T00:00:00Z"))
    (home,) = [one for one in seeded["household"] if "station" not in one["key"]]
    members = [one["account"] for one in seeded["member"] if one["household"] == home["key"]]
    assert members == ["resident", "neighbour"]
    assert "resident" in {one["username"] for one in seeded["account"]}
    assert "resident" not in {one["account"] for one in seeded["consent"]}
    assert all("resident" not in one["guardians"] for one in seeded["person"])
