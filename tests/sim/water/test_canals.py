"""The network of canals: its flow against a published solution, its plume against exact ones."""

from __future__ import annotations

import math
from math import sqrt

import numpy as np
import pytest

from vigil_sim.water.canal import continuous
from vigil_sim.water.canals.city_file import geojson, velocities_off
from vigil_sim.water.canals.flow import GRAVITY, Flow, Waters, normal_depth, profile
from vigil_sim.water.canals.known import discharge
from vigil_sim.water.canals.plan import Canal, Gate, Place, Plan, tree
from vigil_sim.water.canals.plume import Plume, Spill


def test_depths_are_those_of_macdonald() -> None:
    """MacDonald et al. 1997 as in SWASHES 3.2.1: a subcritical flow of 2 m2/s over 1 km, whose bed
    was made for the depth that it has; Manning 0.033, walls that do not rub."""
    flow, manning = 2.0, 0.033

    def depth(x: float) -> float:
        return math.cbrt(4 / GRAVITY) * (1 + 0.5 * math.exp(-16 * (x / 1000 - 0.5) ** 2))

    def slope(x: float) -> float:
        h = depth(x)
        rises = (depth(x + 1e-3) - depth(x - 1e-3)) / 2e-3
        return (1 - flow**2 / (GRAVITY * h**3)) * rises + (manning * flow) ** 2 / math.pow(
            h, 10 / 3
        )

    places = np.linspace(0, 1000, 2001)
    found = profile(lambda _: flow, slope, depth(1000.0), places.tolist(), width=1.0,
                    manning=manning, walls=False)  # fmt: skip
    exact = np.array([depth(x) for x in places])
    assert np.abs(found / exact - 1).max() < 1e-6


def single(length: float = 6000.0, **more: float) -> tuple[Plan, Waters, Flow]:
    canal = Canal(
        "c1", "n1", "n0", length, 2.0, 5e-4, 0.03, more.pop("dispersion_m2_s", 3.0), **more
    )
    plan = Plan((canal,), {"n1": 1.0})
    waters = Waters(plan, 15.0)
    return plan, waters, waters.steady()


def test_a_uniform_canal_has_its_normal_depth_and_a_release_is_the_analytic_one() -> None:
    plan, waters, flow = single()
    area = float(flow.areas["c1"].mean())
    assert area == pytest.approx(2 * normal_depth(1.0, 2.0, 5e-4, 0.03), rel=1e-3)
    velocity = 1.0 / area
    spill = Spill(Place("o", "outfall", "c1", 1000.0), 4.0, 0.0, 900.0)
    moments, found = Plume(waters, plan.canals).run(
        flow, [spill], [Place("s", "station", "c1", 4000.0)], 12_000.0
    )
    exact = np.array(
        [
            sum(
                sign
                * continuous(4.0, 3000.0, t - since, area=area, velocity=velocity, dispersion=3.0)
                for sign, since in ((1, 0.0), (-1, 900.0))
            )
            for t in moments
        ]
    )
    assert np.abs(found[:, 0] - exact).max() < 0.01 * exact.max()


def test_mass_is_kept_through_confluences_storage_and_a_split() -> None:
    """What passes the outlet is what went in, whichever way it took."""
    canals = (
        Canal("a", "n4", "n3", 600, 1.5, 5e-4, 0.03, 2.0, 0.3, 2e-4),
        Canal("b", "n5", "n3", 500, 1.5, 5e-4, 0.03, 2.0),
        Canal("left", "n3", "n1", 700, 1.2, 5e-4, 0.03, 2.0),
        Canal("right", "n3", "n1", 500, 1.0, 5e-4, 0.03, 2.0),
        Canal("out", "n1", "n0", 600, 2.5, 5e-4, 0.03, 2.0),
    )
    plan = Plan(canals, {"n4": 0.3, "n5": 0.2})
    waters = Waters(plan, 15.0)
    flow = waters.steady()
    spill = Spill(Place("o", "outfall", "a", 100.0), 5.0, 0.0, 1200.0)
    moments, found = Plume(waters, plan.below("a")).run(
        flow, [spill], [Place("s", "station", "out", 580.0)], 40_000.0
    )
    passed = float(np.trapezoid(found[:, 0], moments)) * float(flow.faces["out"][0])
    assert passed == pytest.approx(6000.0, rel=0.005)
    assert float(flow.faces["out"][-1]) == pytest.approx(0.5)


def test_a_tide_turns_the_water_round_and_creates_nothing() -> None:
    """Water that is all alike stays so, and at flood it flows up the canal."""
    canal = Canal("c1", "n1", "n0", 3000, 4.0, 1e-4, 0.03, 5.0)
    plan = Plan((canal,), {"n1": 0.2}, tide_m=0.3)
    waters = Waters(plan, 50.0)
    hours = [waters.during(3600.0 * hour, 600.0) for hour in range(13)]
    outflow = [float(one.faces["c1"][-1]) for one in hours]
    assert min(outflow) < 0 < max(outflow)
    assert all(float(one.faces["c1"][0]) == pytest.approx(0.2) for one in hours)
    spill = Spill(Place("o", "outfall", "c1", 1500.0), 1.0, 0.0, 600.0)
    _, found = Plume(waters, plan.canals).run(
        lambda seconds: waters.during(seconds, 600.0),
        [spill],
        [Place("s", "station", "c1", 1700.0)],
        20_000.0,
        renewed_s=600.0,
    )
    assert found.min() >= -1e-9
    assert 0 < found.max() < 600.0


def test_a_gate_that_is_shut_sends_the_water_the_other_way() -> None:
    canals = (
        Canal("feed", "n2", "n1", 300, 2.0, 5e-4, 0.03, 2.0),
        Canal("fields", "n1", "n9", 300, 1.0, 5e-4, 0.03, 2.0),
        Canal("on", "n1", "n0", 300, 1.0, 5e-4, 0.03, 2.0),
    )
    plan = Plan(canals, {"n2": 0.5}, gates=(Gate("g", "fields", 21_600.0, 43_200.0),))
    waters = Waters(plan, 50.0)
    by_day, by_night = (waters.during(at, 60.0).faces["fields"][0] for at in (30_000.0, 80_000.0))
    assert by_day == pytest.approx(0.25, rel=0.05)
    assert by_night < 0.02


def test_plans_and_discharges_follow_from_their_seed() -> None:
    plan = tree(7)
    assert plan.canals == tree(7).canals != tree(8).canals
    assert (len(plan.canals), len(plan.outfalls()), len(plan.stations())) == (56, 24, 16)
    assert len({one.canal for one in plan.outfalls()}) == 24
    one, again = discharge(3), discharge(3)
    assert one.spill == again.spill
    assert all((one.seen[name] == again.seen[name]).all() for name in one.seen)
    assert max(float(values.max()) for values in one.seen.values()) > 1.0


def test_the_citys_file_has_velocities_that_are_off() -> None:
    plan = tree(2)
    flow = Waters(plan, 50.0).steady()
    off = velocities_off(2, plan, 0.2)
    registered = {
        one["properties"]["id"]: one["properties"]["velocity_m_s"]
        for one in geojson(plan, flow, off)["features"]
        if one["geometry"]["type"] == "LineString"
    }
    right = {
        one["properties"]["id"]: one["properties"]["velocity_m_s"]
        for one in geojson(plan, flow)["features"]
        if one["geometry"]["type"] == "LineString"
    }
    ratios = [registered[name] / right[name] for name in right]
    assert 0.64 <= min(ratios) < max(ratios) <= 1.44
    assert max(ratios) / min(ratios) <= 1.5 + 1e-9
    assert sqrt(np.var(ratios)) > 0.05
