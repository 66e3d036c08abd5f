"""Tables as people and spreadsheets leave them, through ``vigil-edge water replay``."""

from __future__ import annotations

import gzip
import json
import os
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from vigil_edge.cli import main
from vigil_edge.water.qc import SignalQc
from vigil_schemas.recordings import cells
from vigil_schemas.recordings.limits import Limits

ROWS = ["2020-01-01 00:00,7.1", "2020-01-01 00:15,7.2", "2020-01-01 00:30,7.3"]


def table(*rows: str, header: str = "t,ph", end: str = "\n") -> bytes:
    return (end.join([header, *rows]) + end).encode()


def played(
    capsys: pytest.CaptureFixture[str], path: Path, *options: str
) -> tuple[int, list[dict[str, Any]], list[str]]:
    status = main(["water", "replay", str(path), "--time", "t", "--signals", "ph", *options])
    out, err = capsys.readouterr()
    return status, [json.loads(line) for line in out.splitlines()], err.splitlines()


def read(capsys: pytest.CaptureFixture[str], path: Path, content: bytes) -> list[dict[str, Any]]:
    path.write_bytes(content)
    status, rows, _ = played(capsys, path)
    assert status == 0
    for row in rows:
        assert list(row)[:3] == ["t", "values", "flags"]
        assert row["flags"]["ph"] in (1, 2, 3, 4, 9)
        if "off_scale" in row:
            assert row["flags"]["ph"] == 4
        else:
            assert (row["flags"]["ph"] == 9) == (row["values"]["ph"] is None)
    return rows


def test_a_column_of_remarks_is_counted_and_not_kept(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cells, "MOST_WORDS", 3)
    remarks = [f"2020-01-02 00:{minute:02},cleaned no. {minute}" for minute in range(9)]
    path = tmp_path / "r.csv"
    path.write_bytes(table(*ROWS, *remarks))
    status, rows, err = played(capsys, path)
    assert (status, len(rows)) == (0, 12)
    assert any("9 cells cannot be read: '(others)' 6" in line for line in err)


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + table(*ROWS),
        table(*ROWS).decode().encode("utf-16"),
        b"t,ph\r\n" + ROWS[0].encode() + b"\r" + ROWS[1].encode() + b"\n" + ROWS[2].encode(),
        table(*(row.replace(",", ";") for row in ROWS), header="t;ph"),
        table(*(row.replace(",", "\t") for row in ROWS), header="t\tph"),
        table(*(row.replace(",", "\t").replace(".", ",") for row in ROWS), header="t\tph"),
        table(
            *(f'"{row.replace(",", chr(34) + "," + chr(34))}"' for row in ROWS), header='"t","ph"'
        ),
        table(*(row.replace(",", " , ") for row in ROWS), header=" t , ph "),
        table("", ROWS[0], "", "   ", *ROWS[1:], ""),
        table(*(f"{row},{row[-3:]}" for row in ROWS), header="t,ph,ph"),
        table(*ROWS, header="# sonde 7\n# at the weir\nt,ph"),
        # The same bytes in every process: they name the test.
        gzip.compress(table(ROWS[0]), mtime=0)
        + gzip.compress("\n".join(ROWS[1:]).encode(), mtime=0),
        "t,ph,Temp (°C)\n".encode("latin-1") + "\n".join(ROWS).encode(),
    ],
)
def test_the_same_three_rows_in_every_dress(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, content: bytes
) -> None:
    for name in ("a.csv", "a.csv.gz"):  # what is packed is seen from the bytes, not the name
        rows = read(capsys, tmp_path / name, content)
        assert [row["values"]["ph"] for row in rows] == [7.1, 7.2, 7.3]
        assert [row["t"] for row in rows] == [
            "2020-01-01T00:00:00Z",
            "2020-01-01T00:15:00Z",
            "2020-01-01T00:30:00Z",
        ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # Python's own reader takes this for the year 1612.
        ("1612010800500", "2021-01-30T12:46:40.500000Z"),
        ("1546300800.25", "2019-01-01T00:00:00.250000Z"),
        ("1546300800000001", "2019-01-01T00:00:00.000001Z"),
        ("1546300800000000000", "2019-01-01T00:00:00Z"),
        ("20200102030405", "2020-01-02T03:04:05Z"),
        ("202001020304", "2020-01-02T03:04:00Z"),
        ("20200102", "2020-01-02T00:00:00Z"),
        ("02-Jan-2020 03:04", "2020-01-02T03:04:00Z"),
        ("2 January 2020 03:04:05", "2020-01-02T03:04:05Z"),
        ('"Jan 2, 2020 3:04 PM"', "2020-01-02T15:04:00Z"),
        ("2020/1/2 下午 03:04:05", "2020-01-02T15:04:05Z"),
        ("2020/1/2 上午 12:04", "2020-01-02T00:04:00Z"),
        ("1/13/20 12:00 pm", "2020-01-13T12:00:00Z"),
        ("2020-01-02t03:04:05z", "2020-01-02T03:04:05Z"),
        ("2020-01-02 03:04:05+8", "2020-01-01T19:04:05Z"),
        ("2020-01-02 03:04:05 +0800", "2020-01-01T19:04:05Z"),
        ("2016-12-31 23:59:60", "2017-01-01T00:00:00Z"),
    ],
)
def test_more_ways_to_write_a_time(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, text: str, expected: str
) -> None:
    assert read(capsys, tmp_path / "a.csv", table(f"{text},7"))[0]["t"] == expected


@pytest.mark.parametrize(
    "text",
    ["0000-00-00 00:00", "2020-02-30", "2020-01-01 25:00", "2020-01-01 00:00:61", "31-Foo-2020",
     "2020-01-01 08:00 CST", "12", "99999999999", "9" * 5000, "²", "-", "٣"],
)  # fmt: skip
def test_what_is_no_time_keeps_its_row(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, text: str
) -> None:
    rows = read(capsys, tmp_path / "a.csv", table(ROWS[0], f"{text},7.5", ROWS[1]))
    assert [row["t"] for row in rows][1] is None
    assert [row["values"]["ph"] for row in rows] == [7.1, 7.5, 7.2]


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        *((cell, None) for cell in (
            "-9999", "-9999.0", "-9999.00", "-99999", "-9.999E3", "NULL", "null", "NaN", "nan",
            "NA", "N/A", "", " ", "---", "inf", "-inf", "Infinity", "1e999", "1_000", "0x10",
            "True", "1.2.3", "7.1*", '"-9,999"', "-999", "-7999", "9999", "-999.90",
        )),
        ("<0.1", 0.1), (">4000", 4000.0), ('"> 4,000.0"', 4000.0), ("≥14", 14.0),
        ('"1,234.5"', 1234.5), ("+7.1", 7.1), (".5", 0.5), ("1e300", 1e300), (" 7.1 ", 7.1),
    ],
)  # fmt: skip
def test_values_missing_or_not(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, cell: str, value: float | None
) -> None:
    (row,) = read(capsys, tmp_path / "a.csv", table(f"2020-01-01,{cell}"))
    assert row["values"]["ph"] == value


@pytest.mark.parametrize(
    ("cell", "value"),
    [("1.234,5", 1234.5), ("1234,5", 1234.5), ("1,234.5", 1234.5), ("1.234.567,8", 1234567.8),
     ("12.345", 12.345), ("7,35", 7.35), ("-7,0", -7.0), (",", None)],
)  # fmt: skip
def test_decimal_commas_where_the_comma_does_not_separate(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, cell: str, value: float | None
) -> None:
    (row,) = read(capsys, tmp_path / "a.csv", table(f"2020-01-01;{cell}", header="t;ph"))
    assert row["values"]["ph"] == value


@pytest.mark.parametrize(
    ("column", "value", "flag"),
    [
        ("ph", "15", 4), ("pH", "-1", 4), ("ph", "0", 4),
        ("temp", "-60", 4), ("Water_Temp (C)", "99", 4),
        ("cond", "-1", 4), ("spCond", "0", 3),
        ("do", "-8", 4), ("turb", "1e300", 4), ("Turbidity", "-999", 9),
    ],
)  # fmt: skip
def test_what_no_water_can_show_fails(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, column: str, value: str, flag: int
) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(table(f"2020-01-01,{value}", header=f"t,{column}"))
    assert main(["water", "replay", str(path), "--time", "t", "--signals", column]) == 0
    (row,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert row["flags"] == {column: flag}


def test_a_cell_of_several_lines_is_one_row_and_a_stray_quotation_is_not(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "a.csv"
    remark = b't,ph,remark\n2020-01-01,7,"cleaned\nand calibrated"\n2020-01-02,8,fine\n'
    assert [row["values"]["ph"] for row in read(capsys, path, remark)] == [7.0, 8.0]
    remark = b't,remark,ph\r\n2020-01-01,"a ""b""\r\n\r\nc",7\r\n2020-01-02,d,8\r\n'
    assert [row["values"]["ph"] for row in read(capsys, path, remark)] == [7.0, 8.0]
    stray = b't,ph\n2020-01-01,"7\n2020-01-02,8\n2020-01-03,"9\n2020-01-04,"10\n'
    assert [row["values"]["ph"] for row in read(capsys, path, stray)] == [7.0, 8.0, 9.0, 10.0]


def test_a_column_by_other_capitals_and_spaces_where_only_one_can_be_meant(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "a.csv"
    path.write_text("Date  Time, pH ,PH,Water  Temp\n2020-01-01,7,8,9\n")
    for time, signals, values in (
        ("date time", "water temp", {"water temp": 9.0}),
        ("Date  Time", "pH, PH", {"pH": 7.0, "PH": 8.0}),
        (" DATE TIME ", "PH", {"PH": 8.0}),
    ):
        assert main(["water", "replay", str(path), "--time", time, "--signals", signals]) == 0
        assert json.loads(capsys.readouterr().out)["values"] == values
    assert main(["water", "replay", str(path), "--time", "date time", "--signals", "ph"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("vigil-edge: column-unknown: ")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("offset", "hour"),
    [("-07:00", 7), ("-0700", 7), ("-7", 7), ("UTC-7", 7), ("+08:00", -8), ("8", -8), ("utc", 0)],
)
def test_offsets_from_utc_on_both_sides(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, offset: str, hour: int
) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(table("2020-01-02 00:00,7"))
    status, rows, _ = played(capsys, path, "--utc-offset", offset)
    assert status == 0
    assert datetime.fromisoformat(rows[0]["t"]) == datetime(2020, 1, 2, tzinfo=UTC) + timedelta(
        hours=hour
    )


def test_what_a_logger_writes_before_its_header(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    preface = b'"TOA5","weir","CR1000"\nSpCond,,\n\nserial;7;a;b;c;d\n'
    rows = read(capsys, tmp_path / "a.csv", preface + table(*ROWS))
    assert [row["values"]["ph"] for row in rows] == [7.1, 7.2, 7.3]
    (tmp_path / "a.csv").write_bytes(b"a,b\n1,2\n" * 60 + table(*ROWS))
    status, _, err = played(capsys, tmp_path / "a.csv")
    assert status == 2
    assert err[0].endswith("it has a, b"), "what looks like a header is named"


def test_a_line_without_an_end_is_not_taken_into_memory(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "a.csv"
    for content in (b"x" * (3 << 20), table(*ROWS) + b"7," * (1 << 20)):
        for packed in (content, gzip.compress(content)):
            path.write_bytes(packed)
            status, _, err = played(capsys, path)
            assert status == 2
            assert len(err) == 1
            assert "recording-unreadable" in err[0]
            assert "characters" in err[0]


def test_rows_without_a_reading_and_all_the_same(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "a.csv"
    rows = [f"2020-01-{day:02} {hour:02}:00" for day in range(1, 6) for hour in range(24)]
    nothing = read(capsys, path, table(*(f"{t},NULL" for t in rows)))
    assert [row["flags"]["ph"] for row in nothing] == [9] * len(rows)
    stuck = [row["flags"]["ph"] for row in read(capsys, path, table(*(f"{t},7" for t in rows)))]
    assert (stuck[0], stuck[-1]) == (1, 4)
    assert stuck == sorted(stuck)


def test_order_and_repeated_hours_are_kept(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    # Clocks go back one hour, and one row comes late.
    times = ["01:30", "01:00", "01:30", "02:00", "00:15", "02:30"]
    rows = read(capsys, tmp_path / "a.csv", table(*(f"2020-10-25 {t},7" for t in times)))
    assert [row["t"][11:16] for row in rows] == times


def test_one_date_far_ahead_does_not_stop_quality_control() -> None:
    qc = SignalQc(Limits(rate_suspect=0.01))
    qc.check(4e9, 7.0)  # the clock's battery was empty
    flags = [int(qc.check(900.0 * i, 7.0 + 0.01 * (i % 2))) for i in range(20)]
    assert flags[-10:] == [1] * 10
    assert int(qc.check(900.0 * 20, 700.0)) == 3


def test_broken_packing_and_devices_are_one_line_and_exit_2(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "a.csv.gz"
    whole = gzip.compress(table(*ROWS))
    for content in (whole[:-9], whole[:12], whole[:-8] + bytes(8), whole + b"junk", b"\x1f\x8b",
                    bytes(1000), b"RIFF\x24\0\1\0WAVEfmt \x10\0\x1b[31m" + bytes(range(256)),
                    b"\n\n", b"# nothing\n", table(), b"t,ph"):  # fmt: skip
        path.write_bytes(content)
        status, rows, err = played(capsys, path)
        assert (status, rows, len(err)) == (2, [], 1), content[:20]
        assert err[0].isprintable()
    for other in (Path("/dev/zero"), tmp_path, tmp_path / "absent", path / "below"):
        status, rows, err = played(capsys, other)
        assert (status, rows, len(err)) == (2, [], 1), other
    path.write_bytes(table(*ROWS))
    path.chmod(0)
    if os.access(path, os.R_OK):
        return  # to root nothing is forbidden
    assert played(capsys, path)[0] == 2


@pytest.mark.parametrize("head", [b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"])
def test_a_spreadsheet_is_called_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], head: bytes
) -> None:
    path = tmp_path / "river.xlsx"
    path.write_bytes(head + bytes(500))
    status, rows, err = played(capsys, path)
    assert (status, rows, len(err)) == (2, [], 1)
    assert "recording-unreadable" in err[0]
    assert "save the table as CSV" in err[0]


def test_numbers_at_both_ends_of_what_there_is_say_nothing_else(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "r.csv"
    path.write_bytes(table(*(f"2020-01-{n // 24 + 1:02} {n % 24:02}:00,{(-1) ** n * 1e308}"
                             for n in range(100))))  # fmt: skip
    status, rows, err = played(capsys, path)
    assert (status, len(rows)) == (0, 100)
    assert not [line for line in err if "Warning" in line]


def test_a_table_may_come_through_a_pipe(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(gzip.compress(table(*ROWS)),))
    writer.start()
    status, rows, _ = played(capsys, path)
    writer.join()
    assert status == 0
    assert len(rows) == 3
