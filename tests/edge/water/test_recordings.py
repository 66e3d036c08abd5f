"""Recordings as people have them: what each column, cell and time means, or why it is refused."""

from __future__ import annotations

import codecs
import gzip
import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from data import ROOT
from vigil_edge.cli import main
from vigil_edge.water.cells import SENTINELS, CellReader, decide_commas
from vigil_edge.water.encodings import detect
from vigil_edge.water.expected import (
    AMMONIA,
    ANYTHING,
    CONDUCTIVITY,
    DISSOLVED_OXYGEN,
    FAHRENHEIT,
    LEVEL,
    OXYGEN_DEMAND,
    OXYGEN_SATURATION,
    PH,
    REDOX,
    SOLIDS,
    TEMPERATURE,
    TURBIDITY,
    limits_for,
)
from vigil_edge.water.times import TimeReader, decide_order
from vigil_edge.water.zones import CENTRAL, TAIWAN, in_header

CASES = ROOT.parent / "shared" / "cases" / "water"
Shown = tuple[list[dict[str, Any]], list[str]]


def case(name: str) -> Path:
    path = CASES / name
    if not path.exists():
        pytest.skip(f"the case {name} is not here (expected beside the checkout)")
    return path


def replayed(capsys: pytest.CaptureFixture[str], path: Path, *words: str, status: int = 0) -> Shown:
    assert main(["water", "replay", str(path), *words]) == status
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert all(line.startswith("vigil-edge: ") for line in lines)
    return [json.loads(line) for line in out.splitlines()], lines


@pytest.fixture
def shown(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Any:
    """Writes a table and replays it."""

    def play(text: str | bytes, *words: str, status: int = 0) -> Shown:
        path = tmp_path / "a.csv"
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return replayed(capsys, path, *words, status=status)

    return play


def told(lines: list[str], *words: str) -> bool:
    return any(all(word in line for word in words) for line in lines)


def series(count: int, cells: str, step: int = 15) -> str:
    start = datetime(2024, 5, 1, tzinfo=UTC)
    return "".join(
        f"{start + timedelta(minutes=step * i):%Y-%m-%d %H:%M},{cells.format(i=i)}\n"
        for i in range(count)
    )


# -- the cases of the public reports


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


# -- their classes: times


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("民國113年5月12日 10時30分", "2024-05-12T10:30:00Z"),
        ("中華民國113年05月12日 下午 03:04", "2024-05-12T15:04:00Z"),
        ("１１３／０５／１２ １０：３０", "2024-05-12T10:30:00Z"),
        ("113-05-12T10:30", "2024-05-12T10:30:00Z"),
        ("0113-05-12 10:30", "2024-05-12T10:30:00Z"),
        ("113.5.12 10:30", "2024-05-12T10:30:00Z"),
        ("1130512", "2024-05-12T00:00:00Z"),
        ("1130112 1030", "2024-01-12T10:30:00Z"),
        ("11305121030", "2024-05-12T10:30:00Z"),
        ("2024年5月12日 10:30", "2024-05-12T10:30:00Z"),
        ("45424.4375", "2024-05-12T10:30:00Z"),
        ("45424.010416667", "2024-05-12T00:15:00Z"),
        ("45424", "2024-05-12T00:00:00Z"),
        ("1.7155098E+09", "2024-05-12T10:30:00Z"),
        ("1715509800000", "2024-05-12T10:30:00Z"),
        ("2024-05-12 06:30 EDT", "2024-05-12T10:30:00Z"),
        ("05/12/2024 05:30:00 AM (EST)", "2024-05-12T10:30:00Z"),
        ("2024-05-12 18:30 UTC+8", "2024-05-12T10:30:00Z"),
        ("2024-05-12 12:30 CEST", "2024-05-12T10:30:00Z"),
        ("2024-05-12 (日) 10:30", "2024-05-12T10:30:00Z"),
    ],
)
def test_ways_to_write_a_time(shown: Any, text: str, expected: str) -> None:
    order = "13/01/2023 00:00,7\n" if text[:2] == "05" else ""
    (*_, row), _ = shown(
        f"t (mm/dd/yyyy),ph\n{order and ''}{text},7\n", "--time", "t", "--signals", "ph"
    )
    assert row["t"] == expected


@given(st.integers(0, 80 * 366 * 86_400))
def test_every_day_of_the_republic_and_of_a_spreadsheet_comes_back(seconds: int) -> None:
    aware = datetime(1980, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
    moment, reader, year = aware, TimeReader(), aware.year - 1911
    assert reader.read(f"{year:03}/{moment:%m/%d %H:%M:%S}") == aware
    assert reader.read(f"民國{year}年{moment.month}月{moment.day}日 {moment:%H:%M:%S}") == aware
    serial = (moment - datetime(1899, 12, 30, tzinfo=UTC)) / timedelta(days=1)
    assert reader.read(f"{serial:.6f}") == aware
    assert reader.read(f"{moment:%Y-%m-%d %H:%M:%S}") == aware


def test_cst_is_asked_about_unless_the_file_tells(shown: Any) -> None:
    words = ("--time", "t", "--signals", "ph")
    _, lines = shown("t,ph\n2024-05-12 10:00 CST,7\n", *words, status=2)
    assert told(lines, "Chicago", "Taipei", "--utc-offset")
    rows, _ = shown("t,ph\n2024-05-12 10:00 CST,7\n", *words, "--utc-offset", "+08:00")
    assert rows[0]["t"] == "2024-05-12T02:00:00Z"
    rows, _ = shown("t,ph\n2024-11-02 10:00 CDT,7\n2024-11-04 10:00 CST,7\n", *words)
    assert [row["t"][11:16] for row in rows] == ["15:00", "16:00"]
    rows, lines = shown("t,ph\n2024-05-12 10:00,7\n2024-05-12 10:15 CST,7\n", *words)
    assert rows[1]["t"] is None
    assert told(lines, "Chicago", "Taipei")


def test_zones_of_columns_headers_and_prefaces(shown: Any) -> None:
    rows, lines = shown(
        '"Date Time, GMT-07:00",ph\n2024-05-12 10:00,7\n',
        *("--time", "Date Time, GMT-07:00", "--signals", "ph"),
    )
    assert rows[0]["t"] == "2024-05-12T17:00:00Z"
    assert told(lines, "header says")
    rows, _ = shown(
        "# Time zone: UTC-5\nt,ph\n2024-05-12 10:00,7\n", "--time", "t", "--signals", "ph"
    )
    assert rows[0]["t"] == "2024-05-12T15:00:00Z"
    table = "t,time_zone,ph\n2024-05-12 10:00,{},7\n2024-05-12 10:00,UTC,7\n"
    for name, hour in (("Asia/Taipei", "02"), ("+09:00", "01"), ("PDT", "17")):
        rows, _ = shown(table.format(name), "--time", "t", "--signals", "ph")
        assert rows[0]["t"][11:13] == hour
    rows, lines = shown(
        table.format("") + "2024-05-12 10:30,XYZ,7\n" + "2024-05-12 11:00,UTC,7\n" * 9,
        *("--time", "t", "--signals", "ph", "--utc-offset", "+01:00"),
    )
    assert (rows[0]["t"], rows[2]["t"]) == ("2024-05-12T09:00:00Z", None)
    assert told(lines, "1 rows have no zone")
    assert in_header("datetime") is None
    assert in_header("監測時間(UTC+8)") == in_header("台灣時間") == TAIWAN
    assert in_header("time_CST", CENTRAL) == CENTRAL


@pytest.mark.parametrize(
    ("texts", "order", "certain"),
    [
        (["03/01/2019", "03/02/2019", "03/03/2019"], "month", False),
        (["01/02/2019", "13/02/2019"], "day", True),
        (["05/05/2019", "05/05/2019"], "day", True),
        (["24/05/12", "24/05/13", "24/05/14"], "year", False),
        (["30.01.19", "31.01.19", "01.02.19"], "day", False),
    ],
)
def test_what_stands_first_in_a_date(texts: list[str], order: str, certain: bool) -> None:
    assert decide_order(texts) == (order, certain)


def test_a_guessed_order_is_told_and_a_stated_one_is_not(shown: Any) -> None:
    rows = "03/01/2019 0:00,7\n03/02/2019 0:00,7\n"
    _, lines = shown(f"t,ph\n{rows}", "--time", "t", "--signals", "ph", "--strict", status=3)
    assert told(lines, "day from month")
    found, lines = shown(
        f"t (DD/MM/YYYY),ph\n{rows}", "--time", "t (DD/MM/YYYY)", "--signals", "ph", "--strict"
    )
    assert [row["t"][:10] for row in found] == ["2019-01-03", "2019-02-03"]
    assert lines == []


@pytest.mark.parametrize(
    ("header", "row", "time"),
    [
        ("Date,Time,ph", "2024-05-12,10:{i:02}:00,7", "Date"),
        ("Time,Date,ph", "10:{i:02},2024-05-12,7", "Date"),
        ("日期,時間,ph", "113/05/12,上午 10:{i:02},7", "日期"),
        ("日期,x,時間,ph", "民國113年5月12日,1,10時{i:02}分,7", "日期"),
        ("Date,Time,ph", "2024-05-12,10{i:02},7", "Date,Time"),
        ("Time,Date,ph", "10:{i:02},20240512,7", "Time,Date"),
        ("Date,Time,ph", "2024-05-12 00:00:00,10:{i:02}:00,7", "Date"),
        ("Date,Time,ph", "12/5/2024 12:00:00 AM,1899-12-30 10:{i:02}:00,7", "Date"),
        ("Date,Time,ph", "45424,10:{i:02},7", "Date"),
        ("日期,時間,ph", "1130512,上午 10:{i:02},7", "日期"),
    ],
)
def test_two_columns_in_every_dress(shown: Any, header: str, row: str, time: str) -> None:
    text = "\n".join([header, *(row.format(i=i) for i in range(8))])
    rows, lines = shown(text, "--time", time, "--signals", "ph")
    assert [r["t"] for r in rows] == [f"2024-05-12T10:{i:02}:00Z" for i in range(8)]
    assert told(lines, "joined") == ("," not in time)


def test_a_wrong_default_is_never_silent(shown: Any) -> None:
    words = ("--time", "t", "--signals", "x", "--strict")
    _, lines = shown("t,h,x\n" + "2024-05-12,?,7\n" * 8, *words, status=3)
    assert told(lines, "8 rows have only 1 different times")
    _, lines = shown("t,x\n1899-12-31 00:00,7\n2024-01-01,7\n2169-01-01,7\n", *words, status=3)
    assert told(lines, "2 rows are of years outside 1970 to 2100", "line 2")
    _, lines = shown("t,x\n" + series(8, "{i}"), *words, "--range", "x=100,200", status=3)
    assert told(lines, "x: 8 of 8 readings fail")
    _, lines = shown("t,x\n" + series(3, "Ice"), *words, status=3)
    assert told(lines, "x: 3 cells cannot be read: 'Ice' 3")
    _, lines = shown("t,x\n" + series(8, "{i}.5"), *words)
    assert lines == []


# -- cells


@pytest.mark.parametrize(
    ("cell", "side", "value"),
    [
        (">4000", "high", 4000.0), ("> 4000", "high", 4000.0), ("＞4000", "high", 4000.0),
        (">=4000", "high", 4000.0), ("<0.1", "low", 0.1), ("≤0.1", "low", 0.1),
        ("ND<0.01", "low", 0.01), ("+++++", "high", None), ("OVER", "high", None),
        ("over range", "high", None), ("inf", "high", None), ("1e999", "high", None),
        ("-inf", "low", None), ("ND", "low", None), ("超出量程", "high", None),
        ("未檢出", "low", None), ('">4,000.0"', "high", 4000.0),
    ],
)  # fmt: skip
def test_text_that_keeps_its_direction(
    shown: Any, cell: str, side: str, value: float | None
) -> None:
    ((row,), _) = shown(f"t,x\n2024-05-12,{cell}\n", "--time", "t", "--signals", "x")
    assert row["off_scale"] == {"x": side}
    assert (row["values"]["x"], row["flags"]["x"]) == (value, 4)


@pytest.mark.parametrize(
    ("column", "before", "cell", "missing"),
    [
        ("level", 1.2, "-999", True), ("level", 1.2, "-999.00", True), ("ph", 7, "-7999", True),
        ("cond", 512, "9999", True), ("ph", 7, "9999", True), ("temp", 20, "-99.9", True),
        ("turb", 12, "999.9", True), ("orp", 250, "-999", True), ("x", 3, "-8888", True),
        ("cond", 990, "999", False), ("cond", 9900, "9999", False), ("orp", -960, "-999", False),
        ("flow", 8000, "9999", False), ("DO (%)", 98, "99.9", False),
        ("level", -980, "-999", False), ("cond", 512, "888", False), ("temp", 20, "99", False),
    ],
)  # fmt: skip
def test_repeated_digits_by_what_the_signal_showed(
    shown: Any, column: str, before: float, cell: str, missing: bool
) -> None:
    text = f"t,{column}\n2024-05-12 00:00,{before}\n2024-05-12 00:15,{cell}\n"
    rows, lines = shown(text, "--time", "t", "--signals", column)
    assert (rows[1]["values"][column] is None) == missing
    assert (rows[1]["flags"][column] == 9) == missing
    assert told(lines, "taken for no reading") == missing
    if missing:
        rows, _ = shown(text, "--time", "t", "--signals", column, "--keep", cell)
        assert rows[1]["values"][column] == float(cell)


@pytest.mark.parametrize(
    ("cells", "limits", "separator", "commas"),
    [
        (["8,125", "8,126"], PH, ",", "decimal"),
        (["1,234", "998"], CONDUCTIVITY, ",", "grouping"),
        (["1,234", "12.5"], CONDUCTIVITY, ",", "grouping"),
        (["1,234", "1,234,567"], ANYTHING, ",", "grouping"),
        (["1,234", "7,5"], ANYTHING, ",", "decimal"),
        (["1,234", "1,235"], ANYTHING, ",", "unclear"),
        (["1 200,5", "999,5"], CONDUCTIVITY, ",", "decimal"),
        (["1,234", "1,235"], ANYTHING, ";", "decimal"),
        (["0,512", "0,513"], CONDUCTIVITY, ",", "decimal"),
        (["1,010", "1.02"], ANYTHING, ";", "grouping"),
    ],
)
def test_what_a_comma_is(cells: list[str], limits: Any, separator: str, commas: str) -> None:
    assert decide_commas(cells, limits, separator)[0] == commas


def test_an_unclear_comma_is_left_out_with_the_reason_and_can_be_said(shown: Any) -> None:
    text = 't,x\n2024-05-12 00:00,"1,234"\n2024-05-12 00:15,"1,235"\n'
    words = ("--time", "t", "--signals", "x")
    rows, lines = shown(text, *words)
    assert [row["values"]["x"] for row in rows] == [None, None]
    assert told(lines, "--decimal comma or --decimal point")
    assert shown(text, *words, "--decimal", "comma")[0][0]["values"]["x"] == 1.234
    assert shown(text, *words, "--decimal", "point")[0][0]["values"]["x"] == 1234.0


@given(st.floats(-1e6, 1e6).map(lambda x: round(x, 2)), st.sampled_from([",", ";"]))
def test_numbers_come_back_from_european_writing(number: float, separator: str) -> None:
    assume(number not in SENTINELS)
    reader = CellReader("x", ANYTHING, decide=lambda _: ("decimal", True), kept=frozenset([number]))
    english = f"{number:,.2f}"
    for text in (
        english.translate(str.maketrans(",.", ".,")),
        english.translate(str.maketrans(",.", " ,")),
        english.translate(str.maketrans(",.", "\u202f,")),
    ):
        assert reader.read(text, None).value == pytest.approx(number)


# -- columns and rows


@pytest.mark.parametrize(
    ("column", "unit", "limits"),
    [
        ("水溫", None, TEMPERATURE), ("水溫（℃）", None, TEMPERATURE), ("酸鹼值", None, PH),
        ("ｐＨ", None, PH), ("導電度(μS/cm)", None, CONDUCTIVITY), ("電導度", None, CONDUCTIVITY),
        ("導電度 [µS/cm]", None, CONDUCTIVITY), ("溶氧(mg/L)", None, DISSOLVED_OXYGEN),
        ("溶氧(%)", None, OXYGEN_SATURATION), ("濁度(NTU)", None, TURBIDITY),
        ("化學需氧量", None, OXYGEN_DEMAND), ("懸浮固體(mg/L)", None, SOLIDS),
        ("氨氮", None, AMMONIA),
        ("氧化還原電位(mV)", None, REDOX), ("水位(m)", None, LEVEL),
        ("do", "%sat", OXYGEN_SATURATION),
        ("temp", "degF", FAHRENHEIT), ("00010", None, TEMPERATURE),
        ("SpCond µS/cm", None, CONDUCTIVITY),
    ],
)  # fmt: skip
def test_what_a_column_is(column: str, unit: str | None, limits: Any) -> None:
    assert limits_for(column, unit) is limits


def test_limits_follow_the_unit_of_the_same_parameter() -> None:
    for column, unit, high in (
        *(("cond", "mS/cm", 200.0), ("EC (S/m)", None, 20.0), ("EC (mS/m)", None, 20_000.0)),
        *(("DO (kg/m3)", None, 0.04), ("DO (µmol/L)", None, 1250.0), ("cond (dS/m)", None, 200.0)),
    ):
        fail = limits_for(column, unit).fail
        assert fail is not None
        assert fail[1] == pytest.approx(high)


def test_a_unit_that_does_not_fit_is_told(shown: Any) -> None:
    _, lines = shown("t,DO (NTU)\n2024-05-12,7\n", "--time", "t", "--signals", "DO (NTU)")
    assert told(lines, "no limits", "ntu")


def test_headers_in_the_middle_and_statistics_at_the_end_are_no_readings(shown: Any) -> None:
    text = (
        "TIMESTAMP,ph\nTS,pH\n,Avg\n" + series(4, "7.{i}") + "TIMESTAMP,ph\n"
        + series(2, "7.5") + "Min,7.0\nMax:,7.5\n平均值,7.2\nyesterday,7.9\n"
    )  # fmt: skip
    rows, lines = shown(text, "--time", "TIMESTAMP", "--signals", "ph")
    assert [row["values"]["ph"] for row in rows] == [7.0, 7.1, 7.2, 7.3, 7.5, 7.5, 7.9]
    assert rows[-1]["t"] is None, "a row with a reading stays, whatever its time"
    assert told(lines, "2 rows of units")
    assert told(lines, "1 headers once more")
    assert told(lines, "3 rows of statistics")


LONG = "time,測站,監測項目,數值,單位\n" + "".join(
    f"2024-05-12 {hour:02}:00,{station},{item},{value},{unit}\n"
    for hour in range(4)
    for station in ("A", "B")
    for item, value, unit in (("酸鹼值", 7.1, ""), ("導電度", 0.5, "mS/cm"), ("氨氮", "<0.02", ""))
)


def test_long_tables_by_item_and_value(shown: Any) -> None:
    words = ("--time", "time", "--item", "監測項目", "--value", "數值")
    rows, lines = shown(LONG, *words, "--signals", "酸鹼值,導電度")
    assert len(rows) == 16
    assert rows[0]["values"] == {"酸鹼值": 7.1}
    assert rows[1]["values"] == {"導電度": 0.5}
    assert {row["station"] for row in rows} == {"A", "B"}
    assert told(lines, "8 rows of other items")
    _, (line,) = shown(LONG, *words, "--signals", "鉛", status=2)
    assert "station-unknown" in line
    assert "氨氮" in line
    _, lines = shown(LONG, "--time", "time", "--signals", "數值")
    assert told(lines, "3 items", "--item")
    rows, _ = shown(LONG, *words, "--signals", "氨氮", "--station", "測站=B")
    assert [row["off_scale"] for row in rows] == [{"氨氮": "low"}] * 4


def test_stations_are_seen_in_a_column_of_any_name(shown: Any) -> None:
    rows = "".join(
        f"2024-05-12 {i // 60:02}:{i % 60:02},{place},{ph}\n"
        for i in range(200)
        for place, ph in (("weir", 7.2 + 0.01 * (i % 4)), ("gate", 8.0 + 0.01 * (i % 4)))
    )
    found, lines = shown("t,where,ph\n" + rows, "--time", "t", "--signals", "ph")
    assert {row["station"] for row in found} == {"weir", "gate"}
    assert {row["flags"]["ph"] for row in found} == {1}
    assert told(lines, "2 stations in column 'where'")


def test_columns_by_their_name_without_unit_and_in_full_width(shown: Any) -> None:
    rows, _ = shown(
        "時間,導電度（μS/cm）,ｐＨ\n2024-05-12,500,7\n", "--time", "時間", "--signals", "導電度,pH"
    )
    assert rows[0]["values"] == {"導電度": 500.0, "pH": 7.0}


# -- encodings


@pytest.mark.parametrize(
    ("encoding", "mark", "certain"),
    [
        ("utf-8", b"", True), ("utf-8", codecs.BOM_UTF8, True), ("utf-16", b"", True),
        ("utf-16-le", b"", False), ("utf-16-be", b"", False), ("cp950", b"", False),
        ("big5hkscs", b"", False),
    ],
)  # fmt: skip
def test_encodings_are_found_and_told(
    shown: Any, encoding: str, mark: bytes, certain: bool
) -> None:
    text = "監測時間,測站,水溫(℃),pH\n113/05/12 00:00,大圳一,26.0,7.3\n"
    rows, lines = shown(mark + text.encode(encoding), "--time", "監測時間", "--signals", "水溫,pH")
    assert rows[0]["values"] == {"水溫": 26.0, "pH": 7.3}
    assert rows[0]["station"] == "大圳一"
    assert told(lines, "not UTF-8", "--encoding") == (not certain)


def test_a_few_broken_bytes_do_not_make_it_another_encoding(shown: Any) -> None:
    text = "時間,水溫,備註\n" + series(4, "7.{i},清洗") + "2024-05-02,7.9,"
    rows, lines = shown(text.encode() + b"\xe6\xb8\n", "--time", "時間", "--signals", "水溫")
    assert len(rows) == 5
    assert told(lines, "not UTF-8 throughout", "utf-8")


@pytest.mark.parametrize(
    "header", ["Temp (°C),SpCond (µS/cm)", "Température,Débit", "Gewässer,Trübung", "±,x²"]
)
def test_western_letters_are_not_taken_for_chinese(header: str) -> None:
    data = f"t,{header}\n".encode("cp1252")
    assert detect(lambda: io.BytesIO(data)) == ("cp1252", False)


def test_an_encoding_that_is_wrong_or_unknown_is_refused(shown: Any) -> None:
    text = "時間,pH\n2024-05-12,7\n".encode("cp950")
    words = ("--time", "時間", "--signals", "pH")
    for name, code in (
        *(
            ("utf-8", "recording-unreadable"),
            ("klingon", "option-wrong"),
            ("base64", "option-wrong"),
        ),
    ):
        _, (line,) = shown(text, *words, "--encoding", name, status=2)
        assert code in line
    packed = gzip.compress(text)
    assert len(shown(packed, *words, "--encoding", "big5")[0]) == 1


@pytest.mark.parametrize(
    "words",
    [
        ("--station", "ph"), ("--station", "=x"), ("--item", "ph"), ("--value", "ph"),
        ("--station", "there-is-none=x"), ("--item", "a", "--value", "b"),
    ],
)  # fmt: skip
def test_bad_options_are_one_line(shown: Any, words: tuple[str, ...]) -> None:
    rows, lines = shown("t,ph\n2024-05-12,7\n", "--time", "t", "--signals", "ph", *words, status=2)
    assert (rows, len(lines)) == ([], 1)


@given(st.binary(max_size=400))
def test_any_bytes_are_rows_or_one_line(tmp_path_factory: Any, data: bytes) -> None:
    from vigil_edge.water.recording import Recording
    from vigil_edge.water.replay import replay
    from vigil_edge.water.tally import Tally
    from vigil_edge.water.telling import lines
    from vigil_schemas.errors import VigilError

    path = tmp_path_factory.getbasetemp() / "bytes.csv"
    path.write_bytes(b"t,ph,station\n2024-05-12,7,A\n" + data)
    tally = Tally()
    try:
        recording = Recording(path, ["t", "ph"])
        rows = list(replay(recording, "t", ["ph"], None, tally))
    except VigilError:
        return
    recording.close()
    assert len(rows) == tally.rows
    assert all("\n" not in line.text for line in lines(tally))
