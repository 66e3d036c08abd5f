"""The world is a function of its seed and of time; the canal obeys advection–dispersion."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate

from vigil_sim.scenario import Canal, Discharge, Fire, Walk, load
from vigil_sim.water.canal import continuous, instantaneous, share
from vigil_sim.world import World, legs

NIGHT = load("city-night")
TIMES = st.floats(0, NIGHT.duration_s)
CHANNEL = {"area": 2.5, "velocity": 0.6, "dispersion": 3.0}


@given(seed=st.integers(0, 2**40), t=TIMES)
def test_the_same_seed_is_the_same_world(seed: int, t: float) -> None:
    one, two = World(NIGHT, seed), World(NIGHT, seed)
    assert one.water(240.0, t) == two.water(240.0, t)
    assert [one.tag_position(tag, t) for tag in one.tags] == [
        two.tag_position(tag, t) for tag in two.tags
    ]
    assert one.smoke("smoke-lane88-kitchen", t) == two.smoke("smoke-lane88-kitchen", t)
    assert one.random("passage").random() == two.random("passage").random()


def test_another_seed_is_another_world() -> None:
    assert World(NIGHT, 1).water(240.0, 5.0) != World(NIGHT, 2).water(240.0, 5.0)


def test_an_instantaneous_release_has_the_published_concentration() -> None:
    # Fen River: 4320 kg, A 25 m², D 10 m²/s, u 0.8 m/s, 16 km, 20,000 s.
    value = instantaneous(4320e3, 16e3, 20e3, area=25.0, velocity=0.8, dispersion=10.0)
    assert value == pytest.approx(108.999, abs=1e-3)


@given(x=st.floats(1, 500), t=st.floats(1, 3000))
def test_a_continuous_release_is_the_integral_of_instantaneous_ones(x: float, t: float) -> None:
    whole, _ = integrate.quad(
        lambda tau: instantaneous(1.0, x, tau, **CHANNEL),
        0,
        t,
        limit=400,
        points=[min(max(x / 0.6, 1e-6), t)],
    )
    assert continuous(1.0, x, t, **CHANNEL) == pytest.approx(whole, rel=1e-5, abs=1e-9)


@given(x=st.floats(0, 2000), t=st.floats(0, 5000))
def test_the_share_of_waste_water_stays_a_share(x: float, t: float) -> None:
    canal = Canal()
    spill = Discharge(
        what="discharge", at_s=10, canal_m=0.0, duration_s=400, flow_m3_s=0.2, salt_kg_m3=9
    )
    part = share(canal, spill, x, t)
    assert 0 <= part <= 1
    if t <= 10:
        assert part == 0
    # After a long steady release it is the ratio of the flows.
    steady = spill.model_copy(update={"duration_s": 1e6})
    plateau = 0.2 / (canal.area_m2 * canal.velocity_m_s)
    assert share(canal, steady, 50.0, 5e5) == pytest.approx(plateau, rel=1e-6)


def test_upstream_of_the_pipe_nothing_is_noticed() -> None:
    spill = Discharge(what="discharge", at_s=0, canal_m=100.0, duration_s=400, flow_m3_s=0.2)
    assert share(Canal(), spill, 99.0, 300.0) == 0


def test_the_factory_s_discharge_crosses_the_bounds_that_the_gateway_is_given() -> None:
    from vigil_sim.water.sonde_map import HIGH, LOW

    world = World(NIGHT, NIGHT.seed)
    spill = next(h for h in NIGHT.schedule if isinstance(h, Discharge))
    before = world.water(240.0, spill.at_s)
    assert before.specific_conductance < HIGH["specific_conductance"]
    assert LOW["pH"] < before.pH < HIGH["pH"]
    during = [world.water(240.0, spill.at_s + dt) for dt in range(0, 1000, 10)]
    assert max(water.specific_conductance for water in during) > 2 * HIGH["specific_conductance"]
    assert min(water.pH for water in during) < LOW["pH"]
    assert all(0 <= water.pH <= 14 and water.dissolved_oxygen >= 0 for water in during)
    after = world.water(240.0, NIGHT.duration_s)
    assert after.specific_conductance < HIGH["specific_conductance"]


@given(
    points=st.lists(st.tuples(st.floats(-500, 500), st.floats(-500, 500)), min_size=2, max_size=6),
    speed=st.floats(0.3, 10),
)
def test_nobody_walks_faster_than_they_can(points: list[tuple[float, float]], speed: float) -> None:
    walk = Walk(what="walk", at_s=5, tag="epc:00000001", speed_m_s=speed, path=tuple(points))
    for leg in legs(walk):
        length = math.dist(leg.start, leg.stop)
        assert length <= speed * (leg.ends_s - leg.begins_s) + 1e-6
        assert leg.at(leg.begins_s) == pytest.approx(leg.start)


def test_a_walker_rests_where_it_is_written() -> None:
    walk = Walk(
        what="walk",
        at_s=10,
        tag="epc:00000001",
        speed_m_s=2,
        path=((0.0, 0.0, 5.0), (20.0, 0.0, 30.0), (20.0, 10.0)),
    )
    assert [(leg.begins_s, leg.ends_s) for leg in legs(walk)] == [
        (10, 15),
        (15, 25),
        (25, 55),
        (55, 60),
    ]


def test_smoke_grows_only_in_the_home_that_burns() -> None:
    world = World(NIGHT, NIGHT.seed)
    burning = [world.smoke("smoke-lane88-kitchen", t) for t in range(0, 1440, 10)]
    assert burning[89] == 0
    assert max(burning) > 10
    assert burning[-1] < 0.5
    assert all(world.smoke("smoke-lane88-14", t) == 0 for t in range(0, 1440, 10))


def test_a_sudden_fire_is_no_number_too_large() -> None:
    sudden = Fire(what="fire", at_s=0.0, device="smoke-lane88-14", growth_s=0.01, out_after_s=900.0)
    world = World(NIGHT.model_copy(update={"schedule": (sudden,)}), 0)
    assert world.smoke("smoke-lane88-14", 800.0) == 25.0


def test_places_lie_where_the_map_shows_them() -> None:
    world = World(NIGHT, 0)
    assert world.geographic((0.0, 0.0)) == (NIGHT.latitude, NIGHT.longitude)
    north, _ = world.geographic((0.0, 1112.0))
    assert north - NIGHT.latitude == pytest.approx(0.01, rel=1e-3)
    _, east = world.geographic((1020.0, 0.0))
    assert east - NIGHT.longitude == pytest.approx(0.01, rel=1e-3)
