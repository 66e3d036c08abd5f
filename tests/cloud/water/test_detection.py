"""The detector: strictly causal, and able to tell a sensor fault from a discharge."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quiet_water import (
    DAY,
    INTERVAL,
    NAMES,
    START,
    Floats,
    changed,
    in_a_flood,
    judged,
    pulse,
    quiet,
    said,
    times,
)
from vigil_cloud.water.detection.course import Course
from vigil_cloud.water.detection.kinds import kind_of
from vigil_cloud.water.detection.station import Detector
from vigil_cloud.water.detection.tail import Tail
from vigil_cloud.water.detection.verdict import Setting, Verdict


def test_quiet_water_keeps_the_rate() -> None:
    flagged = [number for number, one in enumerate(judged(quiet())) if one.anomaly]
    assert len(flagged) <= 2


@pytest.mark.parametrize(
    "change",
    [
        {"cond": pulse(200)},
        {"ph": pulse(-1.2)},
        {"cond": pulse(120), "ph": pulse(-0.6), "do": pulse(-1.5)},
        {"do": pulse(-4)},
    ],
    ids=["saline", "acid", "industrial", "sewage"],
)
def test_a_discharge_is_a_water_event_within_two_samples(change: dict[str, Floats]) -> None:
    found = said(changed(**change), 3)
    assert {signal for _, signal, _, type_ in found if type_ == "water"} & set(change)


@pytest.mark.parametrize("size", [-380.0, 900.0])
def test_a_spike_is_the_sensors(size: float) -> None:
    found = said(changed(cond=np.array([size])))
    assert {type_ for _, _, _, type_ in found} == {"sensor"}
    assert found[0][0] <= 1


def test_what_is_missing_is_the_sensors() -> None:
    values = quiet().copy()
    values[START : START + 3, 0] = np.nan
    assert said(values) == [(row, "temp", "missing", "sensor") for row in range(3)]


@pytest.mark.parametrize(
    ("dead", "shows", "change"),
    [("temp", np.nan, {"cond": pulse(200)}), ("cond", 0.0, {"do": pulse(-4)})],
    ids=["no value", "empty"],
)
def test_a_dead_sensor_hides_no_discharge(
    dead: str, shows: float, change: dict[str, Floats]
) -> None:
    values = changed(**change)
    values[START - 2 * DAY :, NAMES.index(dead)] = shows
    found = said(values, 4)
    assert {signal for _, signal, _, type_ in found if type_ == "water"} == set(change)


@pytest.mark.parametrize(
    ("stage", "cond", "rain"),
    [(-0.4, 0.0, False), (0.4, 150.0, False), (0.4, -60.0, True)],
    ids=["a gate closes", "the discharge's own water", "rain"],
)
def test_only_water_that_dilutes_explains_turbidity(stage: float, cond: float, rain: bool) -> None:
    random = np.random.default_rng(4)
    rows = START + 12
    values = np.stack(
        [
            1.5 + random.normal(0, 0.01, rows),
            quiet()[:rows, 1],
            12 + random.normal(0, 0.5, rows),
        ],
        axis=1,
    )
    values[START:] += (stage, cond, 0.0)
    values[START + 2 :, 2] += 150
    detector = Detector(["stage", "cond", "turbidity"])
    found = [
        one
        for at, row in zip(times(rows).tolist(), values.tolist(), strict=True)
        for one in detector.step(at, row).findings
        if at >= times(rows)[START] and (one.signal, one.type) == ("turbidity", "water")
    ]
    assert bool(found) is not rain


def test_what_rain_does_not_explain_beside_it_is_no_rain() -> None:
    """The first water of a flood may raise conductance as far; it does not take the pH along."""
    assert in_a_flood(-0.1) == set()
    assert in_a_flood(-0.9) == {"cond", "ph"}


def test_rain_and_a_calibration_are_no_discharge() -> None:
    rows = np.arange(90) / 40
    rain = (rows / 0.25) * np.exp(1 - rows / 0.25)
    wet = changed(cond=-120 * rain, ph=-0.2 * rain)
    calibrated = changed(ph=np.full(DAY, 0.2))
    for values in (wet, calibrated):
        assert "water" not in {type_ for *_, type_ in said(values, 95)}


def test_a_probe_that_stands_still_is_stuck() -> None:
    values = quiet().copy()
    values[START:, 3] = values[START, 3]
    assert ("do", "stuck", "sensor") in {one[1:] for one in said(values, 120)}


def test_what_was_held_beside_a_missing_one_is_held_until_it_moves() -> None:
    """One fault, told without a pause: the logger goes on repeating it once the others are back."""
    values = quiet().copy()
    values[START : START + 12, 0] = np.nan
    values[START : START + 12, 1:] = values[START - 1, 1:]
    values[START + 12 : START + 60, 3] = values[START - 1, 3]
    rows = {
        row for row, signal, reason, _ in said(values, 70) if (signal, reason) == ("do", "held")
    }
    assert rows == set(range(min(rows), 60))
    assert min(rows) <= 9


def test_a_fall_that_is_over_within_the_hour_is_the_sensors() -> None:
    """Conductance that halves and comes back: no rain is over so soon, and no calibration."""
    values = quiet().copy()
    values[START : START + 2, 1] *= 0.55
    found = said(values, 8)
    assert [(row, signal, type_) for row, signal, reason, type_ in found if reason == "spike"] == [
        (2, "cond", "sensor")
    ]
    assert "water" not in {type_ for *_, type_ in found}


def test_a_slow_rise_is_held_against_where_it_began() -> None:
    """A quarter more conductance within three hours, which the level follows."""
    found = said(changed(cond=np.minimum(np.arange(24) / 12, 1) * 110), 24)
    assert ("cond", "excursion", "water") in {one[1:] for one in found}


def test_oxygen_that_rises_less_than_usual_is_no_discharge() -> None:
    """A dull day: it falls behind its usual course and still rises."""
    rows = np.arange(DAY)
    dull = -0.7 * np.sin(np.pi * np.minimum(rows, 48) / 48) * (rows < 48)
    values = changed(do=dull)
    assert values[START + 12, 3] > values[START, 3]
    assert not [one for one in said(values, 14) if one[1] == "do"]


@given(seed=st.integers(0, 99), pace=st.floats(0.1, 3.0))
def test_how_well_it_is_foretold_is_learnt(seed: int, pace: float) -> None:
    """Of a signal that wanders a twentieth, or about, is farther away than it says."""
    random = np.random.default_rng(seed)
    course, wander = Course(0.1), np.cumsum(random.normal(0, pace, 60 * DAY))
    for x in wander.tolist():
        course.take(x, 0.0, pace * 0.8, 0.0)
    off = np.abs(wander[6:] - wander[:-6]) / (pace * 0.8) / np.sqrt(6)
    assert 0.01 < float((off > course.foretold).mean()) < 0.13


def test_a_state_of_before_is_gone_on_with() -> None:
    rows = list(zip(times(8 * DAY).tolist(), quiet()[: 8 * DAY].tolist(), strict=True))
    first, second = Detector(NAMES), Detector(NAMES)
    for row in rows[:-DAY]:
        first.step(*row)
    stored = json.loads(json.dumps(first.state()))
    for one in stored["series"]:
        for name in ("left", "left_at", "onset", "onset_at", "hourly", "mean", "course"):
            del one[name]
    second.restore(stored)
    assert not [verdict for row in rows[-DAY:] if (verdict := second.step(*row)).anomaly]


def test_an_empty_probe_is_told_and_its_return_is_no_event() -> None:
    values = quiet().copy()
    values[START : START + 6, 1] = 0.0
    found = said(values, 30)
    assert {(signal, type_) for _, signal, _, type_ in found} == {("cond", "sensor")}


@settings(max_examples=12, deadline=None)
@given(cut=st.integers(26, 22 * DAY - 1), at=st.integers(30, 22 * DAY - 40), size=st.integers(1, 9))
def test_what_comes_later_changes_nothing(cut: int, at: int, size: int) -> None:
    values = quiet()[: 6 * DAY].copy()
    cut, at = cut % len(values), at % (len(values) - 30)
    values[at : at + 24, 1] += pulse(50.0 * size)
    values[at // 2 : at // 2 + size, 0] = np.nan
    assert judged(values)[:cut] == judged(values[:cut])


@settings(max_examples=6, deadline=None)
@given(cut=st.integers(0, 5 * DAY))
def test_stored_and_restored_it_goes_on_as_it_was(cut: int) -> None:
    values = quiet()[: 5 * DAY].copy()
    values[4 * DAY : 4 * DAY + 24, 1] += pulse(300.0)
    values[3 * DAY : 3 * DAY + 4, 0] = np.nan
    rows = list(zip(times(len(values)).tolist(), values.tolist(), strict=True))
    first = Detector(NAMES)
    for row in rows[:cut]:
        first.step(*row)
    stored = json.dumps(first.state(), allow_nan=False)
    assert len(stored) < 1_000_000
    second = Detector(NAMES)
    second.restore(json.loads(stored))
    for row in rows[cut:]:
        assert repr(first.step(*row)) == repr(second.step(*row))


def test_rows_out_of_order_teach_nothing() -> None:
    detector, other = Detector(NAMES), Detector(NAMES)
    for number, row in enumerate(quiet()[:200].tolist()):
        at = number * INTERVAL
        detector.step(at, row)
        other.step(at, row)
        assert other.step(at, [0.0] * 4) == Verdict()
        assert other.step(at - 5 * INTERVAL, [1e9] * 4) == Verdict()
    assert detector.state() == other.state()


@given(rate=st.floats(0.01, 50))
def test_a_higher_rate_never_raises_a_threshold(rate: float) -> None:
    few, many = (Detector(NAMES, 900, Setting(one)) for one in (rate, rate * 2))
    for one, another in zip(few.series, many.series, strict=True):
        assert one.tuning.y >= another.tuning.y
        assert one.tuning.granted <= another.tuning.granted


def test_days_with_a_discharge_move_a_threshold_little() -> None:
    def threshold(*unusual: float) -> float:
        tail = Tail(30.0, 6.0, 0.12, 5)
        for number in range(28):
            tail.highest = unusual[number] if number < len(unusual) else 3 + number % 3 / 10
            tail.end_day()
        return tail.threshold

    assert threshold(50, 80, 40, 60) < 1.3 * threshold()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        *[("Fm_2", "flow"), ("turbidity_FNU", "turbidity"), ("水溫(°C)", "temperature")],
        *[("pH", "ph"), ("SpCond (µS/cm)", "conductivity"), ("溶氧", "oxygen")],
        *[("Cl", "disinfectant"), ("Cl_2", "disinfectant"), ("自由餘氯", "disinfectant")],
        ("Redox", "other"),
    ],
)
def test_a_signal_is_known_by_its_name(name: str, kind: str) -> None:
    assert kind_of(name).name == kind


@pytest.mark.parametrize(("rows", "learnt"), [(1, False), (2, True)])
def test_one_high_reading_does_not_say_how_the_water_rises(rows: int, learnt: bool) -> None:
    """Of a standard that somebody held the probe into, a conductance is high once."""
    values = quiet().copy()
    values[START : START + rows, 1] *= 2
    detector = Detector(NAMES)
    for at, row in zip(times(START + rows).tolist(), values.tolist(), strict=False):
        detector.step(at, row)
    assert (detector.series[1].rising.highest > 50) == learnt
