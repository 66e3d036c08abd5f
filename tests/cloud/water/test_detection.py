"""The detector: strictly causal, and able to tell a sensor fault from a discharge."""

from __future__ import annotations

import csv
import gzip
import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from data import shared
from vigil_cloud.cli import main
from vigil_cloud.water.detection.course import Course
from vigil_cloud.water.detection.doubts import Doubts
from vigil_cloud.water.detection.kinds import kind_of
from vigil_cloud.water.detection.station import Detector
from vigil_cloud.water.detection.tail import Tail
from vigil_cloud.water.detection.verdict import Finding, Setting, Verdict, verdict_of

Floats = NDArray[np.float64]
NAMES = ["temp", "cond", "ph", "do"]
INTERVAL = 900.0
DAY = 96
START = 20 * DAY
"""What is put in begins here."""


@cache
def quiet() -> Floats:
    """Three weeks of a canal: a daily course, noise, and the steps of the probe."""
    random = np.random.default_rng(11)
    rows = 22 * DAY
    phase = 2 * np.pi * np.arange(rows) / DAY
    drift = np.cumsum(random.normal(0, 0.3, rows)) * 0.3
    found = np.stack(
        [
            18 + 2 * np.sin(phase) + random.normal(0, 0.02, rows),
            430 + 6 * np.sin(phase / 2) + drift + random.normal(0, 0.5, rows),
            7.9 + 0.15 * np.sin(phase) + random.normal(0, 0.006, rows),
            8.5 + 0.8 * np.sin(phase) + random.normal(0, 0.03, rows),
        ],
        axis=1,
    )
    rounded: Floats = np.round(found, 2)
    return rounded


def times(rows: int) -> Floats:
    return 1.7e9 + INTERVAL * np.arange(rows, dtype=np.float64)


def judged(values: Floats, setting: Setting | None = None) -> list[Verdict]:
    detector = Detector(NAMES, setting=setting)
    return [
        detector.step(at, row)
        for at, row in zip(times(len(values)).tolist(), values.tolist(), strict=True)
    ]


def changed(**by: Floats) -> Floats:
    values = quiet().copy()
    for name, change in by.items():
        values[START : START + len(change), NAMES.index(name)] += change
    return np.round(values, 2)


def pulse(size: float, rows: int = 24) -> Floats:
    return size * np.exp(-3 * np.arange(rows) / rows)


def said(values: Floats, rows: int = 8) -> list[tuple[int, str, str, str]]:
    """After the change: row, signal, reason, type."""
    return [
        (number, one.signal, one.reason, one.type)
        for number, verdict in enumerate(judged(values)[START : START + rows])
        for one in verdict.findings
    ]


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


def in_a_flood(ph: float) -> set[str]:
    """What is told as water where conductance and pH change within three hours of rain."""
    random = np.random.default_rng(4)
    rows = START + 24
    values = np.stack(
        [1.5 + random.normal(0, 0.01, rows), quiet()[:rows, 1], quiet()[:rows, 2]], axis=1
    )
    values[START:, 0] += 0.4
    values[START : START + 10, 1] *= 0.8
    rises = np.minimum(np.arange(12) / 4, 1.0)
    values[START + 12 :, 1] += 250 * rises
    values[START + 12 :, 2] += ph * rises
    detector = Detector(["stage", "cond", "ph"])
    return {
        one.signal
        for at, row in zip(times(rows).tolist(), values.tolist(), strict=True)
        for one in detector.step(at, row).findings
        if at >= times(rows)[START + 12] and one.type == "water"
    }


def test_what_rain_does_not_explain_beside_it_is_no_rain() -> None:
    """The first water of a flood may raise conductance as far; it does not take the pH along."""
    assert in_a_flood(-0.1) == set()
    assert in_a_flood(-0.9) == {"cond", "ph"}


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
        *[("pH", "ph"), ("SpCond (µS/cm)", "conductivity"), ("溶氧", "oxygen"), ("Cl", "other")],
    ],
)
def test_a_signal_is_known_by_its_name(name: str, kind: str) -> None:
    assert kind_of(name).name == kind


def run(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> tuple[int, str]:
    code = main(["water", "detect", *map(str, arguments)])
    said = capsys.readouterr()
    assert said.out == ""
    return code, said.err


def read(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text("utf-8").splitlines()))


def test_the_command_writes_a_row_for_each_row(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    values = changed(cond=pulse(250), ph=pulse(-0.8))
    moments = np.datetime64("2026-03-01T00:00:00") + np.arange(len(values)) * np.timedelta64(
        15, "m"
    )
    lines = ["at,cond,ph,note"]
    lines += [f"{at},{row[1]},{row[2]},x" for at, row in zip(moments, values, strict=True)]
    lines[100] = f"{moments[99]},-9999,{values[99, 2]}"
    lines.insert(300, lines[299])
    lines.insert(400, lines[200])
    lines.insert(500, "yesterday,1,2,x")
    lines.insert(600, "2999-01-01T00:00:00,430,8,x")
    recording, flags = tmp_path / "canal.csv.gz", tmp_path / "flags.csv"
    recording.write_bytes(gzip.compress("\r\n".join(lines).encode()))
    asked = (recording, "--time", "at", "--signals", "cond,ph", "--out", flags)
    code, err = run(capsys, *asked)
    found = read(flags)
    assert (code, len(found), list(found[0])) == (
        0, len(lines) - 1, ["time", "anomaly", "score", "type", "signals"],
    )  # fmt: skip
    assert [row["time"] for row in found] == [line.split(",")[0] for line in lines[1:]]
    assert len(err.splitlines()) == 5, "repeated, earlier, unreadable, future, of another age"
    first = next(row for row in found[START:] if row["type"] == "water")
    assert first["time"] <= str(moments[START + 2])
    assert (first["anomaly"], set(first["signals"].split(";"))) == ("1", {"cond", "ph"})
    assert (found[99]["type"], found[99]["signals"]) == ("sensor", "cond")

    code, err = run(capsys, *asked, "--train", str(moments[-1]))
    assert (code, {row["anomaly"] for row in read(flags)}) == (0, {"0"})
    assert "nothing was judged" in err


def written(days: list[str]) -> list[str]:
    """Four rows of each day."""
    return [f"{day} {hour}:00" for day in days for hour in (0, 6, 12, 18)]


def test_month_first_is_judged_to_the_end_and_empty_lines_are_no_rows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [f"{stamp},7.9" for stamp in written([f"1/{day}/2014" for day in range(1, 29)])]
    recording, flags = tmp_path / "r.csv", tmp_path / "flags.csv"
    recording.write_text("at,ph\n" + "\n".join([*rows[:50], "", *rows[50:]]) + "\n\n", "utf-8")
    code, err = run(capsys, recording, "--time", "at", "--signals", "ph", "--out", flags)
    assert (code, len(read(flags))) == (0, len(rows))
    assert err == ""


def test_a_torn_package_is_told_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    packed = bytearray(gzip.compress(b"at,cond\n" + b"2026-01-01T00:00,400\n" * 99))
    packed[12] ^= 0xFF
    recording = tmp_path / "r.csv.gz"
    recording.write_bytes(packed)
    asked = (recording, "--time", "at", "--signals", "cond", "--out", tmp_path / "out.csv")
    code, err = run(capsys, *asked)
    assert (code, err.count("\n")) == (2, 1)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--time", "when", "--signals", "cond"], "no column 'when'"),
        (["--time", "at", "--signals", "cond,salt"], "no column 'salt'; it has at, cond"),
        (["--time", "at", "--signals", ","], "names no column"),
        (["--time", "at", "--signals", "cond", "--train", "soon"], "is no time"),
        (["--time", "at", "--signals", "cond", "--false-per-week", "0"], "above 0"),
    ],
)
def test_what_cannot_be_done_is_told_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], says: str
) -> None:
    recording = tmp_path / "r.csv"
    recording.write_text("at,cond\n2026-01-01T00:00,400\n", "utf-8")
    code, err = run(capsys, recording, *options, "--out", tmp_path / "out.csv")
    assert (code, err.count("\n")) == (2, 1)
    assert says in err
    assert not (tmp_path / "out.csv").exists()


WEEK = [f"2026-03-{day:02d} {hour:02d}:00" for day in range(1, 8) for hour in range(24)]


def test_it_reads_tables_as_replay_does(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Big5 and semicolons, decimal commas, a row of units, years of the Republic, two columns of
    time; each row of the table has a row of flags, and what was guessed is told."""
    flags = tmp_path / "flags.csv"
    lines = ["日期;時間;導電度;酸鹼值", ";;μS/cm;"]
    lines += [
        f"115/{one[5:7]}/{one[8:10]};{one[11:]};{430 + n % 5},5;7,{n % 9}"
        for n, one in enumerate(WEEK)
    ]
    table = tmp_path / "table.csv"
    table.write_bytes("\r\n".join(lines).encode("big5"))
    asked = (table, "--time", "日期,時間", "--signals", "導電度,酸鹼值", "--out", flags)
    code, err = run(capsys, *asked)
    found = read(flags)
    assert (code, len(found)) == (0, len(lines) - 1)
    assert {row["signals"] for row in found} == {""}
    assert all(line.startswith("vigil-cloud: ") for line in err.splitlines())
    assert "not UTF-8" in err
    assert "1911" in err
    assert run(capsys, *asked, "--strict")[0] == 3


def test_stations_of_one_file_are_judged_apart(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table, flags = tmp_path / "table.csv", tmp_path / "flags.csv"
    lines = [f"{at},{name},{level + n % 3}" for n, at in enumerate(WEEK)
             for name, level in (("A", 400), ("B", 9000))]  # fmt: skip
    table.write_text("at,station,cond\n" + "\n".join(lines), "utf-8")
    code, err = run(capsys, table, "--time", "at", "--signals", "cond", "--out", flags)
    assert (code, {row["anomaly"] for row in read(flags)}) == (0, {"0"})
    assert "2 stations" in err


def test_a_column_that_is_no_station_takes_no_memory_without_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vigil_schemas.recordings.series.MOST_GROUPS", 3)
    table, flags = tmp_path / "r.csv", tmp_path / "flags.csv"
    rows = [f"2026-01-01T00:{minute:02},visit-{minute},400" for minute in range(9)]
    table.write_text("\n".join(["at,station,cond", *rows]), "utf-8")
    code, err = run(capsys, table, "--time", "at", "--signals", "cond", "--out", flags)
    assert (code, err.count("\n"), flags.exists()) == (2, 1, False)
    assert "'station' set more than 3 series apart" in err


def test_the_recording_is_never_written_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table, link = tmp_path / "r.csv", tmp_path / "link.csv"
    table.write_text("at,cond\n2026-01-01T00:00,400\n", "utf-8")
    link.symlink_to(table)
    for out in (table, link, tmp_path / "." / "r.csv"):
        code, err = run(capsys, table, "--time", "at", "--signals", "cond", "--out", out)
        assert (code, err.count("\n")) == (2, 1)
        assert "is the recording itself" in err
    assert table.read_text("utf-8").startswith("at,cond")
    part = table.rename(tmp_path / "flags.csv.part")
    asked = ("--time", "at", "--signals", "cond", "--out", tmp_path / "flags.csv")
    code, err = run(capsys, part, *asked)
    assert (code, err.count("\n")) == (2, 1)
    assert part.read_text("utf-8").startswith("at,cond")


def test_a_value_beyond_the_scale_keeps_its_direction(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table, flags = tmp_path / "r.csv", tmp_path / "flags.csv"
    at = np.datetime64("2026-03-01T00:00") + np.arange(6 * DAY) * np.timedelta64(15, "m")
    random = np.random.default_rng(3)
    cells = [f"{value:.1f}" for value in 12 + random.normal(0, 0.5, len(at))]
    cells[-4:] = [">4000"] * 4
    table.write_text(
        "at,turbidity\n" + "\n".join(map(",".join, zip(map(str, at), cells, strict=True)))
    )
    code, err = run(capsys, table, "--time", "at", "--signals", "turbidity", "--out", flags)
    assert code == 0
    assert "off scale in 4 cells, 4 above" in err
    assert "1" in {row["anomaly"] for row in read(flags)[-4:]}


def test_labelled_faults_of_a_river_are_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every labelled run of a station, with few rows flagged."""
    recording, flags = shared("water/lro_BlackSmithFork2020.csv.gz"), tmp_path / "flags.csv"
    signals = ("temp", "cond", "ph", "do")
    code, _ = run(capsys, recording, "--time", "datetime", "--signals", ",".join(signals),
                  "--out", flags)  # fmt: skip
    assert code == 0
    found = read(flags)
    with gzip.open(recording, "rt", newline=None) as file:
        rows = list(csv.DictReader(file))
    assert [row["time"] for row in found] == [row["datetime"] for row in rows]
    for name in signals:
        flagged = [name in row["signals"].split(";") for row in found]
        labelled = [n for n, row in enumerate(rows) if row[f"{name}_qual"] not in ("NULL", "")]
        if labelled:
            assert any(flagged[labelled[0] - 1 : labelled[-1] + 2]), name
        assert sum(flagged) < 0.05 * len(flagged)
