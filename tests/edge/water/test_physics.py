"""Compensation and correction against the check values of their standards."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vigil_edge.water import physics
from vigil_schemas.recordings.corrections import CRITERIA, Cleaning, Standard, Visit, corrected


@pytest.mark.parametrize(
    ("step", "factor"),
    list(enumerate((1.918, 1.643, 1.428, 1.256, 1.116, 1, 0.903, 0.822))),
)
def test_the_factor_to_25_degrees(step: int, factor: float) -> None:
    t = 5.0 * step
    assert physics.f25(t) == pytest.approx(factor, abs=0.001)
    assert physics.specific_conductance(500, t) == pytest.approx(500 * factor, abs=0.5)


@given(st.floats(0, 34.9))
def test_the_factor_falls_with_temperature_and_stays_near_the_linear_form(t: float) -> None:
    assert physics.f25(t + 0.1) < physics.f25(t)
    linear = physics.specific_conductance(1, t, 0.0191)
    assert -0.021 < linear / physics.f25(t) - 1 < 0.023


@pytest.mark.parametrize(
    ("t", "pressure", "mg_l"),
    [
        *[(0, 1, 14.621), (10, 1, 11.288), (20, 1, 9.092), (25, 1, 8.263), (30, 1, 7.559)],
        (20, 700 / physics.MMHG_PER_ATM, 8.358),
    ],
)
def test_oxygen_in_balance_with_air(t: float, pressure: float, mg_l: float) -> None:
    assert physics.oxygen_saturation(t, pressure) == pytest.approx(mg_l, abs=0.01)


def test_salt_drives_oxygen_out() -> None:
    # USGS DOTABLES: 20 °C, salinity 35, 760 mmHg.
    assert physics.oxygen_saturation(20, 1, 35) == pytest.approx(7.38, abs=0.02)


@pytest.mark.parametrize(("t", "mv"), [(0, 54.199), (20, 58.167), (25, 59.159), (35, 61.144)])
def test_the_slope_of_an_electrode(t: float, mv: float) -> None:
    assert physics.electrode_slope(t) == pytest.approx(mv, abs=0.001)
    assert physics.ph_at(mv, t) == pytest.approx(6, abs=1e-4)


def test_practical_salinity() -> None:
    assert physics.salinity(physics.SEA_WATER, 15) == pytest.approx(35, abs=1e-4)
    # Sea water of salinity 35 at 25 °C has 5.3065 S/m.
    assert physics.salinity(5.3065, 25) == pytest.approx(35, abs=0.01)


def test_fresh_water_has_a_salinity_without_a_step() -> None:
    assert physics.salinity(0, 20) == pytest.approx(0, abs=1e-3)
    assert physics.salinity(0.05, 25) == pytest.approx(0.24, abs=0.01)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: physics.f25(-1),
        lambda: physics.oxygen_saturation(20, 760),
        lambda: physics.salinity(5, 60),
        lambda: physics.specific_conductance(1, -80, 0.02),
    ],
)
def test_what_lies_outside_of_a_formula_has_no_number(wrong: object) -> None:
    assert callable(wrong)
    with pytest.raises(ValueError, match=r"outside|nothing"):
        wrong()


def test_fouling_and_drift_grow_from_visit_to_visit() -> None:
    times = [0.0, 50.0, 100.0, 150.0]
    cleaning = Cleaning(before=400, after=440, meter_before=430, meter_after=440)
    visits = [Visit(100.0, cleaning, (Standard(500, 490), Standard(1000, 980)))]
    found = corrected(times, [400.0, 400.0, 400.0, 400.0], visits, CRITERIA["specific_conductance"])
    # 30 of fouling and, at 430, 10 of drift; nothing at the beginning, nothing after the visit.
    assert found == [400.0, 420.0, 440.0, 400.0]


@pytest.mark.parametrize(
    ("name", "value", "error", "taken"),
    [
        ("temperature", 20, 0.19, False),
        ("temperature", 20, 0.21, True),
        ("specific_conductance", 100, 4.9, False),
        ("specific_conductance", 100, 5.1, True),
        ("specific_conductance", 1000, 29, False),
        ("specific_conductance", 1000, 31, True),
        ("dissolved_oxygen", 8, 0.31, True),
        ("pH", 7, 0.19, False),
        ("turbidity_FNU", 100, 4.9, False),
        ("turbidity_FNU", 100, 5.1, True),
    ],
)
def test_small_errors_are_left_alone(name: str, value: float, error: float, taken: bool) -> None:
    visit = Visit(10.0, standards=(Standard(value, value - error),))
    (found,) = corrected([10.0], [value - error], [visit], CRITERIA[name])
    assert found == pytest.approx(value if taken else value - error)


def test_missing_values_stay_and_visits_must_be_in_order() -> None:
    assert corrected([0, 1], [None, 2.0], [], CRITERIA["pH"]) == [None, 2.0]
    with pytest.raises(ValueError, match="order"):
        corrected([0], [1.0], [Visit(2), Visit(1)], CRITERIA["pH"])
