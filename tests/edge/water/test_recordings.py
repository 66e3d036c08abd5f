"""Recordings as people have them: what each column, cell and time means, or why it is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from edge.water.replaying import case, replayed, told


def test_a_date_and_a_clock_beside_it_are_joined(capsys: pytest.CaptureFixture[str]) -> None:
    path = case("kor_sep.csv")
    for time in ("Date (MM/DD/YYYY)", "Date (MM/DD/YYYY),Time (HH:mm:ss)", "Time (HH:mm:ss)"):
        rows, lines = replayed(capsys, path, "--time", time, "--signals", "pH,Temp °C")
        times = [datetime.fromisoformat(row["t"]) for row in rows]
        start = datetime(2017, 10, 20, 8, tzinfo=UTC)
        assert times == [start + timedelta(minutes=15 * i) for i in range(20)]
        assert told(lines, "joined") == ("," not in time)


def test_years_of_the_republic(capsys: pytest.CaptureFixture[str]) -> None:
    for name, encoding in (("roc.csv", ()), ("roc_big5.csv", ()), ("roc_big5.csv", ("big5",))):
        words = ("--encoding", *encoding) if encoding else ()
        rows, lines = replayed(
            capsys, case(name), "--time", "監測時間", "--signals", "pH,水溫", *words
        )
        assert rows[10]["t"] == "2024-05-12T10:00:00Z"
        assert rows[10]["values"] == {"pH": 7.3, "水溫": 26.4}
        assert told(lines, "Republic", "1911")
        assert told(lines, "cp950", "--encoding") == ("big5" in name and not encoding)


def test_chinese_headers_have_their_limits(capsys: pytest.CaptureFixture[str]) -> None:
    rows, _ = replayed(
        capsys, case("tw_zh.csv"), "--time", "監測時間", "--signals", "酸鹼值,導電度"
    )
    assert rows[0]["t"] == "2024-05-12T00:00:00Z"
    (wrong,) = [row for row in rows if row["values"]["酸鹼值"] == 19.0]
    assert wrong["flags"]["酸鹼值"] == 4


def test_each_row_in_its_own_zone(capsys: pytest.CaptureFixture[str]) -> None:
    rows, lines = replayed(
        capsys, case("usgs.rdb"), "--time", "datetime", "--signals", "100001_00300,100002_63680"
    )
    truth = case("usgs_truth.txt").read_text().split()
    assert [row["t"][:16] for row in rows] == truth
    assert told(lines, "'Eqp' 1", "'***' 1")
    assert {"100002_63680": "high"} in [row.get("off_scale") for row in rows]


def test_minus_999_is_no_reading(capsys: pytest.CaptureFixture[str]) -> None:
    rows, lines = replayed(
        capsys, case("level999.csv"), "--time", "time", "--signals", "level,level_m"
    )
    assert sum(row["values"]["level"] is None for row in rows) == 40
    assert {row["flags"]["level"] for row in rows if row["values"]["level"] is None} == {9}
    assert told(lines, "level: 40 cells hold -999")


def test_off_scale_keeps_its_direction(capsys: pytest.CaptureFixture[str]) -> None:
    rows, lines = replayed(capsys, case("overrange.csv"), "--time", "time", "--signals", "turb,do")
    sides = [row.get("off_scale", {}) for row in rows]
    assert sum(side.get("turb") == "high" for side in sides) == 12
    assert sum(side.get("do") == "low" for side in sides) == 20
    for row, side in zip(rows, sides, strict=True):
        assert all(row["flags"][name] == 4 for name in side)
        assert not side or row["values"]["turb"] in (None, 4000.0, 9.0, 10.0, 11.0, 12.0)
    assert told(lines, "turb: off scale in 12 cells, 12 above")


def test_stations_are_judged_each_by_itself(capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--time", "phenomenonTime", "--signals", "pH,EC")
    alone, _ = replayed(capsys, case("one_station2.csv"), *words)
    both, lines = replayed(capsys, case("two_stations2.csv"), *words)
    mine = [row for row in both if row["station"] == "B-02"]
    assert [row["flags"] for row in mine] == [row["flags"] for row in alone]
    assert {row["flags"]["EC"] for row in mine if row["values"]["EC"] == 9000} == {3}
    assert told(lines, "2 stations", "A-01, B-02")
    only, _ = replayed(capsys, case("two_stations2.csv"), *words, "--station", "station_id=B-02")
    assert only == mine


def test_a_row_of_units_is_read(capsys: pytest.CaptureFixture[str]) -> None:
    rows, _ = replayed(capsys, case("unitrow.csv"), "--time", "time", "--signals", "do,cond")
    assert len(rows) == 40
    assert {row["flags"]["do"] for row in rows} == {1}, "72 is a saturation, and no 72 mg/L"


def test_two_values_for_one_moment(capsys: pytest.CaptureFixture[str]) -> None:
    rows, _ = replayed(capsys, case("dups.csv"), "--time", "time", "--signals", "ph,level")
    twice = [row for row in rows if "15:00" <= row["t"][11:16] <= "15:45" and row["t"][9] == "1"]
    assert len(twice) == 8
    assert {flag for row in twice for flag in row["flags"].values()} == {3}


def test_a_doubled_column_is_asked_about(capsys: pytest.CaptureFixture[str]) -> None:
    path = case("dupcol.csv")
    _, (line,) = replayed(capsys, path, "--time", "time", "--signals", "Temp", status=2)
    assert "column-ambiguous" in line
    assert "Temp#2" in line
    rows, _ = replayed(capsys, path, "--time", "time", "--signals", "Temp#1,Temp#2")
    assert rows[0]["values"] == {"Temp#1": 21.0, "Temp#2": 30.0}


def test_a_quoted_decimal_comma(capsys: pytest.CaptureFixture[str]) -> None:
    path = case("comma_quoted_decimal.csv")
    rows, lines = replayed(capsys, path, "--time", "time", "--signals", "ph,cond")
    assert rows[0]["values"] == {"ph": 8.125, "cond": 1200.5}
    assert told(lines, "8,125 is 8.125")
    replayed(capsys, path, "--time", "time", "--signals", "ph,cond", "--strict", status=3)
