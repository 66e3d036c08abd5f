"""Readings that quality control calls suspect, and readings that come sooner than usual."""

from __future__ import annotations

import json

import numpy as np

from quiet_water import DAY, NAMES, START, quiet, times
from vigil_cloud.water.detection.doubts import Doubts
from vigil_cloud.water.detection.station import Detector
from vigil_cloud.water.detection.verdict import Finding, Verdict, verdict_of


def waits(at_s: float, *signals: str) -> Verdict:
    return verdict_of([Finding(one, "excursion", "water", 2.0, at_s, 3.0) for one in signals])


def test_suspect_signals_of_the_same_row_confirm_each_other() -> None:
    doubts, row = Doubts(NAMES), [18.0, 580.0, 7.1, 8.5]
    assert not doubts.weigh(0, waits(0, "cond"), row, {1}).anomaly
    both = doubts.weigh(900, waits(900, "cond", "ph"), row, {1, 2})
    assert [one.signal for one in both.findings] == ["cond", "ph"]
    assert doubts.state()["held"] == {}


def test_what_nothing_refutes_is_told_after_an_hour() -> None:
    doubts, gone = Doubts(NAMES), [18.0, np.nan, 7.9, 8.5]
    assert not doubts.weigh(0, waits(0, "cond"), [18.0, 580.0, 7.9, 8.5], {1}).anomaly
    restored = Doubts(NAMES)
    restored.restore(json.loads(json.dumps(doubts.state())))
    assert not restored.weigh(3600, Verdict(), gone, ()).anomaly
    (told,) = restored.weigh(4500, Verdict(), gone, ()).findings
    assert (told.signal, told.type) == ("cond", "water")
    assert restored.state()["held"] == {}


def suspected(interval_s: float, readings: int) -> list[tuple[str, str, str]]:
    """What is told of a conductance that is 200 higher for so many suspect readings."""
    detector = Detector(["cond"], interval_s)
    rows = quiet()[: 8 * DAY, 1]
    told: list[tuple[str, str, str]] = []
    for number, value in enumerate(rows.tolist()):
        out = 7 * DAY <= number < 7 * DAY + readings
        verdict = detector.step(
            1.7e9 + interval_s * number, [value + 200 * out], {0} if out else frozenset()
        )
        if number >= 7 * DAY:
            told += [(one.signal, one.reason, one.type) for one in verdict.findings]
    return told


def test_two_suspect_readings_a_quarter_of_an_hour_apart_are_believed() -> None:
    """Four would be longer than many a discharge; one by itself returns as a spike does."""
    assert ("cond", "excursion", "water") in suspected(900.0, 2)
    assert suspected(900.0, 1) == [("cond", "spike", "sensor")]


def test_where_readings_are_close_two_suspect_ones_that_return_are_a_spike() -> None:
    assert {type_ for *_, type_ in suspected(60.0, 2)} <= {"sensor"}


def sooner(change: dict[str, float], minutes: int) -> list[tuple[int, str, str, str]]:
    """A station of a reading each quarter of an hour that is read each minute once something
    changed: minute since, signal, reason, type."""
    detector, values = Detector(NAMES), quiet()
    for at, row in zip(times(START).tolist(), values[:START].tolist(), strict=True):
        detector.step(at, row)
    random = np.random.default_rng(2)
    found: list[tuple[int, str, str, str]] = []
    for minute in range(minutes):
        whole, part = divmod(minute, 15)
        row = values[START + whole] * (1 - part / 15) + values[START + whole + 1] * part / 15
        row = row + random.normal(0, 0.01, 4)
        for name, by in change.items():
            row[NAMES.index(name)] += by
        verdict = detector.step(times(START + 1)[-1] + 60.0 * minute, np.round(row, 2).tolist())
        found += [(minute, one.signal, one.reason, one.type) for one in verdict.findings]
    return found


def test_a_discharge_that_is_read_more_often_lasts_as_long() -> None:
    """The level follows by the clock, not by the number of readings; no signal is stuck."""
    found = sooner({"cond": 200.0}, 60)
    told = [
        minute for minute, signal, reason, _ in found if (signal, reason) == ("cond", "excursion")
    ]
    assert 4 <= told[0] <= 6
    assert told[-1] == 59
    assert {type_ for *_, type_ in found} == {"water"}


def test_quiet_water_that_is_read_more_often_is_quiet() -> None:
    assert sooner({}, 180) == []
