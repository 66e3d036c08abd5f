"""The canal is a function of its seed and of time, and obeys advection–dispersion."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate

from vigil_sim.scenario import load
from vigil_sim.water.canal import Reach, continuous, instantaneous, share
from vigil_sim.water.scenario import Canal, Discharge
from vigil_sim.water.sonde_map import HIGH, LOW
from vigil_sim.world import World

NIGHT = load("city-night")
TIMES = st.floats(0, NIGHT.duration_s)
CHANNEL = {"area": 2.5, "velocity": 0.6, "dispersion": 3.0}


@given(seed=st.integers(0, 2**40), t=TIMES)
def test_the_same_seed_is_the_same_water(seed: int, t: float) -> None:
    one, two = Reach(World(NIGHT, seed)), Reach(World(NIGHT, seed))
    assert one.water(240.0, t) == two.water(240.0, t)


def test_another_seed_is_another_water() -> None:
    assert Reach(World(NIGHT, 1)).water(240.0, 5.0) != Reach(World(NIGHT, 2)).water(240.0, 5.0)


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
    world = Reach(World(NIGHT, NIGHT.seed))
    spill = NIGHT.happenings(Discharge)[0]
    before = world.water(240.0, spill.at_s)
    assert before.specific_conductance < HIGH["specific_conductance"]
    assert LOW["pH"] < before.pH < HIGH["pH"]
    during = [world.water(240.0, spill.at_s + dt) for dt in range(0, 1000, 10)]
    assert max(water.specific_conductance for water in during) > 2 * HIGH["specific_conductance"]
    assert min(water.pH for water in during) < LOW["pH"]
    assert all(0 <= water.pH <= 14 and water.dissolved_oxygen >= 0 for water in during)
    after = world.water(240.0, NIGHT.duration_s)
    assert after.specific_conductance < HIGH["specific_conductance"]
