"""Where samples are minutes apart: what leaves together is one event, and its end is none."""

from __future__ import annotations

import json
from functools import cache

import numpy as np
import pytest

from quiet_water import Floats
from vigil_cloud.water.detection.station import Detector
from vigil_cloud.water.detection.verdict import Verdict

MINUTE = 60.0
DAY = 1440
DAYS = 6
AT = 5 * DAY + 600
"""What is put in begins here."""
TREATED = ["temp", "ph", "cond", "turb", "Cl"]
OPEN = ["temp", "ph", "cond", "turb", "do"]


@cache
def still() -> Floats:
    """Six days of water in a pipe, as coarse as its sensors show it."""
    random = np.random.default_rng(3)
    rows = DAYS * DAY
    phase = 2 * np.pi * np.arange(rows) / DAY
    return np.stack(
        [
            np.round(8.6 + 0.1 * np.sin(phase) + random.normal(0, 0.02, rows), 1),
            np.round(8.4 + 0.02 * np.sin(phase) + random.normal(0, 0.004, rows), 2),
            np.round(211 + 2 * np.sin(phase) + random.normal(0, 1, rows), 0),
            np.round(0.3 + random.normal(0, 0.01, rows), 2),
            np.round(0.16 + 0.005 * np.sin(phase) + random.normal(0, 0.003, rows), 2),
        ],
        axis=1,
    )


def changed(rows: int, at: int = AT, of: Floats | None = None, **by: float | Floats) -> Floats:
    values = (still() if of is None else of).copy()
    for name, change in by.items():
        values[at : at + rows, TREATED.index(name)] += change
    return values


def judged(values: Floats, names: list[str] | None = None) -> list[Verdict]:
    detector = Detector(names or TREATED)
    times = 1.7e9 + MINUTE * np.arange(len(values))
    return [detector.step(at, row) for at, row in zip(times.tolist(), values.tolist(), strict=True)]


def flagged(values: Floats, names: list[str] | None = None) -> list[int]:
    """Minutes since the change began."""
    found = judged(values, names)
    return [number - AT for number in range(AT - 60, len(found)) if found[number].anomaly]


def test_a_plug_in_several_signals_is_one_event_and_its_end_is_none() -> None:
    values = changed(25, ph=0.13, cond=-16.0, turb=0.05)
    told = flagged(values)
    assert told, "it is found"
    assert 0 <= told[0] <= 6
    assert told[-1] < 25, "the way back is no event"
    verdict = judged(values)[AT + told[0]]
    assert verdict.type == "water"
    assert {"ph", "cond"} <= {one.signal for one in verdict.findings}
    assert {round(one.by, 2) for one in verdict.findings if one.signal == "ph"} <= {
        0.12, 0.13, 0.14,
    }  # fmt: skip


def test_whoever_discharges_again_is_told_again() -> None:
    values = changed(25, ph=0.13, cond=-16.0, turb=0.05)
    values = changed(25, at=AT + 300, of=values, ph=0.13, cond=-16.0, turb=0.05)
    told = flagged(values)
    assert any(one < 25 for one in told)
    assert any(300 <= one < 325 for one in told)
    assert not [one for one in told if 25 <= one < 300 or one >= 325]


def test_a_ph_that_rises_for_half_an_hour_is_told_before_it_ends() -> None:
    told = flagged(changed(29, ph=np.round(np.linspace(0, 0.5, 29), 2)))
    assert told
    assert 0 < told[0] < 29
    assert told[-1] < 29


def test_what_stays_is_news_for_an_hour_and_then_where_it_is() -> None:
    values = changed(DAYS * DAY - AT, ph=0.13, cond=-16.0, turb=0.05)
    told = flagged(values)
    assert told
    assert told[-1] < 75
    later = changed(DAYS * DAY - AT - 500, at=AT + 500, of=values, ph=-0.13, cond=16.0, turb=-0.05)
    assert any(one >= 500 for one in flagged(later)), "the next change is news again"


def test_one_signal_that_moves_like_a_calibration_is_none() -> None:
    assert flagged(changed(40, ph=0.1)) == []


def test_rain_into_open_water_is_no_event() -> None:
    rows = np.arange(240) / 240
    shape = rows / 0.25 * np.exp(1 - rows / 0.25)
    rain = changed(
        240,
        cond=np.round(-40 * shape),
        turb=np.round(2 * shape, 2),
        ph=np.round(-0.1 * shape, 2),
    )
    assert flagged(rain, OPEN) == []
    assert flagged(rain, TREATED), "no rain comes into a pipe"


@pytest.mark.parametrize("cut", [AT - 7, AT + 5, AT + 15, AT + 27])
def test_stored_and_restored_it_goes_on_as_it_was(cut: int) -> None:
    values = changed(25, ph=0.13, cond=-16.0, turb=0.05)
    times = 1.7e9 + MINUTE * np.arange(len(values))
    first, other = Detector(TREATED), Detector(TREATED)
    for at, row in zip(times[:cut].tolist(), values[:cut].tolist(), strict=True):
        first.step(at, row)
    other.restore(json.loads(json.dumps(first.state(), allow_nan=False)))
    rest = zip(times[cut : cut + 300].tolist(), values[cut : cut + 300].tolist(), strict=True)
    for at, row in rest:
        assert first.step(at, row) == other.step(at, row)
        assert first.lasting == other.lasting
