"""Times of recordings: written in every way, and in which zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.water.replaying import series, told
from vigil_schemas.recordings.times import TimeReader, decide_order
from vigil_schemas.recordings.zones import CENTRAL, TAIWAN, in_header


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


@pytest.mark.parametrize(
    ("head", "zone"),
    [
        ("時間(台灣標準時間),ph\n", "UTC+08:00"),
        ("時間（中原標準時間）,ph\n", "UTC+08:00"),
        ("Time (Taipei Standard Time),ph\n", "UTC+08:00"),
        ("時區：臺北標準時間\n時間,ph\n", "UTC+08:00"),
        ("time,ph\nUTC+8,-\n", "UTC+08:00"),
        ("time,ph\nyyyy-mm-dd (GMT+8),-\n", "UTC+08:00"),
        ("time,ph\nTS,-\n(UTC+8),Avg\n", "UTC+08:00"),
        ("time,ph\nUTC,-\n", "UTC"),
        ("time (UTC+8),ph\nUTC,-\n", "UTC+08:00"),
    ],
)
def test_a_zone_in_words_and_in_the_row_of_units(shown: Any, head: str, zone: str) -> None:
    time = next(line for line in head.splitlines() if ",ph" in line).removesuffix(",ph")
    rows, lines = shown(f"{head}2024-05-12 10:00,7\n", "--time", time, "--signals", "ph")
    assert rows[0]["t"] == f"2024-05-12T{'10' if zone == 'UTC' else '02'}:00:00Z"
    assert told(lines, f"times without a zone are {zone}, as the ")
    asked = ("--time", time, "--signals", "ph", "--utc-offset", "-01:00")
    rows, _ = shown(f"{head}2024-05-12 10:00,7\n", *asked)
    assert rows[0]["t"] == "2024-05-12T11:00:00Z"


@pytest.mark.parametrize(
    "head",
    [
        *("Time (local),ph\n", "local_time,ph\n", "Time (LST),ph\n", "時間(當地時間),ph\n"),
        *("time,ph\nlocal,-\n", "time,ph\nCST,-\n"),
    ],
)
def test_local_time_does_not_become_utc_in_silence(shown: Any, head: str) -> None:
    time = head.partition(",ph")[0]
    words = ("--time", time, "--signals", "ph", "--strict")
    rows, lines = shown(f"{head}2024-05-12 10:00,7\n", *words, status=3)
    assert rows[0]["t"] == "2024-05-12T10:00:00Z"
    assert told(lines, "is not known here; times are taken as UTC")
    _, lines = shown(f"{head}2024-05-12 10:00Z,7\n", *words, "--utc-offset", "+08:00")
    assert not told(lines, "not known here")
