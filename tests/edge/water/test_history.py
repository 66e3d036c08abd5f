"""Climatology, attenuated signal and neighbour: QARTOD's tests against what is known beside the
last readings."""

from __future__ import annotations

import json
import math
import os
import subprocess
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from vigil_edge.water.judge import Judge
from vigil_edge.water.qc_history import (
    Attenuation,
    History,
    Liveliness,
    Neighbour,
    Season,
    Spread,
    climatology,
)
from vigil_edge.water.settings import WaterSettings
from vigil_edge.water.sonde import SondeQc
from vigil_schemas.recordings.limits import Limits
from vigil_schemas.types import QartodFlag
from vigil_schemas.water import WaterExcursion

GOOD, UNKNOWN, SUSPECT, FAIL, MISSING = (
    QartodFlag.GOOD, QartodFlag.NOT_EVALUATED, QartodFlag.SUSPECT, QartodFlag.FAIL,
    QartodFlag.MISSING,
)  # fmt: skip
NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)


def at(year: int, month: int, day: int = 15, hour: int = 12) -> float:
    return datetime(year, month, day, hour, tzinfo=UTC).timestamp()


SEASONS = (Season("month", 11, 2, 10, 20), Season("month", 6, 8, 24, 32))


@pytest.mark.parametrize(
    ("month", "value", "flag"),
    [
        (12, 15.0, GOOD), (1, 25.0, SUSPECT), (11, 9.9, SUSPECT), (2, 20.0, GOOD),
        (7, 25.0, GOOD), (7, 15.0, SUSPECT), (4, 99.0, UNKNOWN),
    ],
)  # fmt: skip
def test_a_season_over_the_end_of_the_year_is_one(
    month: int, value: float, flag: QartodFlag
) -> None:
    assert climatology(SEASONS, at(2026, month), value) is flag


def test_of_several_seasons_the_last_one_counts() -> None:
    seasons = (Season("quarter", 1, 4, 0, 10), Season("hour", 12, 13, 0, 20))
    assert climatology(seasons, at(2026, 5, hour=12), 15) is GOOD
    assert climatology(seasons, at(2026, 5, hour=11), 15) is SUSPECT
    leap = (Season("dayofyear", 366, 366, 0, 1),)
    assert climatology(leap, at(2024, 12, 31), 5) is SUSPECT
    assert climatology(leap, at(2025, 12, 31), 5) is UNKNOWN
    assert climatology(leap, 1e20, 5) is UNKNOWN


def batch(
    times: list[float], values: list[float], asked: Attenuation
) -> list[tuple[QartodFlag, float]]:
    """The definition, over the whole column: windows are (t - window_s, t]."""
    found = []
    for t in times:
        window = [v for u, v in zip(times, values, strict=True) if t - asked.window_s < u <= t]
        spread = math.nan
        if len(window) >= asked.readings:
            if asked.spread == "range":
                spread = max(window) - min(window)
            elif len(window) > 1:
                spread = float(np.std(window, ddof=1))
        flag = UNKNOWN
        if not math.isnan(spread):
            flag = FAIL if spread < asked.fail else SUSPECT if spread < asked.suspect else GOOD
        found.append((flag, spread))
    return found


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(st.integers(1, 900), min_size=1, max_size=80),
    values=st.lists(st.integers(-40, 40), min_size=80, max_size=80),
    level=st.sampled_from([0.0, 7.0, 1e6]),
    spread=st.sampled_from(["std", "range"]),
    window_s=st.sampled_from([60.0, 1800.0, 7200.0]),
    readings=st.integers(2, 12),
)
def test_one_by_one_it_is_what_the_whole_column_says(
    steps: list[int], values: list[int], level: float, spread: Spread, window_s: float,
    readings: int,
) -> None:  # fmt: skip
    asked = Attenuation(window_s, 0.9, 0.31, spread, readings)
    times = np.cumsum(steps).astype(float).tolist()
    column = [level + value / 20 for value in values[: len(times)]]
    one = Liveliness(asked)
    for t, value, (flag, exact) in zip(times, column, batch(times, column, asked), strict=True):
        said = one.check(t, value)
        near = min(abs(exact - asked.fail), abs(exact - asked.suspect)) < 1e-6
        assert said is flag or near


def test_a_reading_that_is_not_later_says_nothing_and_changes_nothing() -> None:
    one, other = (Liveliness(Attenuation(600, 1.0, 0.1, "std", 2)) for _ in range(2))
    for minute in range(30):
        value = 7.0 + minute % 3
        assert one.check(minute * 60, value) is other.check(minute * 60, value)
        assert one.check(minute * 60 - 30, 99.0) is UNKNOWN


def test_sums_do_not_drift_over_a_long_run() -> None:
    asked = Attenuation(900, 1.0, 1e-6, "std", 10)
    one = Liveliness(asked)
    random = np.random.default_rng(3)
    for row in range(20_000):
        one.check(row * 60, float(1e5 + random.normal(0, 100)))
    flags = [one.check((20_000 + row) * 60, 1e5) for row in range(20)]
    assert flags[-1] is FAIL, "nothing moves"


def test_a_window_that_is_not_whole_is_not_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vigil_edge.water.qc_history.MOST_READINGS", 10)
    one = Liveliness(Attenuation(3600, 5.0, 1.0, "range", 2))
    flags = [one.check(row * 60, 7.0) for row in range(100)]
    assert set(flags[:1]) == {UNKNOWN}
    assert set(flags[1:10]) == {FAIL}
    assert set(flags[11:]) == {UNKNOWN}


def test_what_failed_is_asked_nothing_and_nothing_is_held_against_it() -> None:
    limits = Limits(fail=(0, 14), flat_s=None, spike=False)
    twins = [History(neighbour=Neighbour(1, 0.3)), History(neighbour=Neighbour(0, 0.3))]
    qc = SondeQc([limits, limits], twins)
    assert qc.check(0.0, [7.0, 7.1]) == [GOOD, GOOD]
    assert qc.check(60.0, [7.0, 7.9]) == [SUSPECT, SUSPECT]
    assert qc.check(120.0, [7.0, 99.0]) == [GOOD, FAIL]
    assert qc.check(180.0, [7.0, None]) == [GOOD, MISSING]


def configured(**signal: Any) -> WaterSettings:
    return WaterSettings.model_validate(
        {
            "device": "sonde", "driver": "modbus-tcp", "address": "127.0.0.1:502",
            "signal": [{"name": "pH", "low": 6.0, "range_fail": [0, 14], **signal},
                       {"name": "pH_2", "register": 2}],
        }
    )  # fmt: skip


@pytest.mark.parametrize(
    "wrong",
    [
        {"climatology": [{"span": [0, 3], "usual": [1, 2]}]},
        {"climatology": [{"span": [1, 3], "usual": [2, 1]}]},
        {"climatology": [{"period": "hour", "span": [0, 24], "usual": [1, 2]}]},
        {"attenuated": {"window_s": 3600, "suspect": 0.1, "fail": 0.2}},
        {"attenuated": {"window_s": 604800, "suspect": 0.1}},
        {"neighbour": {"signal": "ph2", "within": 0.1}},
        {"neighbour": {"signal": "pH", "within": 0.1}},
    ],
)
def test_what_can_never_be_asked_is_refused(wrong: dict[str, Any]) -> None:
    settings = {"interval_s": 1.0} if "attenuated" in wrong else {}
    with pytest.raises(ValidationError):
        WaterSettings.model_validate(
            configured().model_dump(by_alias=True, exclude_unset=True)
            | settings
            | {"signal": [{"name": "pH", **wrong}, {"name": "pH_2", "register": 2}]}
        )


def onsets(settings: WaterSettings, rows: list[list[float | None]]) -> list[int]:
    judge = Judge(settings, None)
    found = []
    for number, row in enumerate(rows):
        found += [
            number
            for one in judge.outgoing([(NOON + timedelta(minutes=number), row)])
            if isinstance(one.data, WaterExcursion) and one.data.phase == "onset"
        ]
    return found


def test_out_of_season_by_itself_waits_and_a_discharge_is_called_all_the_same() -> None:
    """Suspect readings call nobody by themselves; four in a row do."""
    plain, seasonal = (
        configured(),
        configured(climatology=[{"span": [6, 8], "usual": [6.5, 9.0]}]),
    )
    calm: list[float | None] = [7.5, 7.5]
    low: list[float | None] = [5.0, 7.5]
    rows = [calm] * 5 + [low] * 6
    assert onsets(plain, rows) == [6]
    assert onsets(seasonal, rows) == [8]


def test_a_fouled_sensor_calls_nobody() -> None:
    asked = {"window_s": 600, "suspect": 0.05, "fail": 0.01, "readings": 5}
    quiet: list[list[float | None]] = [[5.5, 7.5 + n % 4 / 10] for n in range(30)]
    assert onsets(configured(), quiet) == [1]
    lively = configured(attenuated=asked)
    moving: list[list[float | None]] = [[7.5 + n % 3 / 5, 7.5] for n in range(30)]
    assert onsets(lively, moving + quiet[:5]) == [31], "a discharge is lively: it is called"
    standing: list[list[float | None]] = [[7.0, 7.5 + n % 4 / 10] for n in range(30)]
    assert onsets(lively, standing) == []


PEER = """
import json, sys
import numpy as np
from ioos_qc import qartod
t, v, spans, asked = json.load(sys.stdin)
t = np.array(t, dtype="datetime64[s]")
v = np.array(v)
c = qartod.ClimatologyConfig()
for first, last, low, high in spans:
    c.add(tspan=(first, last), vspan=(low, high), period="month")
season = qartod.climatology_test(config=c, inp=v, tinp=t, zinp=np.full(len(v), np.nan))
lively = [
    qartod.attenuated_signal_test(
        inp=v, tinp=t, suspect_threshold=s, fail_threshold=f, test_period=w, min_obs=n, check_type=k
    ).tolist()
    for w, s, f, k, n in asked
]
json.dump([season.tolist(), lively], sys.stdout)
"""


def test_ioos_qc_says_the_same_of_a_year() -> None:
    """Where ``VIGIL_PEER_PYTHON`` names a Python with ioos_qc. A season over the end of the year is
    left out: ioos_qc takes it for none."""
    peer = os.environ.get("VIGIL_PEER_PYTHON")
    if not peer:
        pytest.skip("VIGIL_PEER_PYTHON names no Python with ioos_qc")
    random = np.random.default_rng(7)
    times = np.arange(0, 365 * 86400, 21600) + 1767225600
    values = np.round(20 + 8 * np.sin(times / 5e6) + random.normal(0, 1, len(times)), 2)
    values[200:260] = values[200]
    spans = [(1, 3, 10, 24), (4, 9, 15, 27), (6, 6, 18, 26)]
    asked: list[tuple[float, float, float, Spread, int]] = [
        (86400 * 3, 0.8, 0.3, "std", 6), (86400 * 5, 3.0, 1.0, "range", 10),
    ]  # fmt: skip
    told = json.dumps([times.tolist(), values.tolist(), spans, asked])
    ran = subprocess.run([peer, "-c", PEER], input=told, capture_output=True, text=True, check=True)
    season, lively = json.loads(ran.stdout)
    seasons = [Season("month", *span) for span in spans]
    ours = [climatology(seasons, float(t), v) for t, v in zip(times, values, strict=True)]
    assert [int(one) for one in ours] == season
    for (window_s, suspect, fail, spread, readings), theirs in zip(asked, lively, strict=True):
        one = Liveliness(Attenuation(window_s, suspect, fail, spread, readings))
        mine = [int(one.check(float(t), v)) for t, v in zip(times, values.tolist(), strict=True)]
        assert mine == theirs
