"""Tables of other software, as its users reported them: right, refused, or told; never silent."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from vigil_edge.cli import main


class Replayed:
    def __init__(self, status: int, out: str, err: str) -> None:
        self.status, self.err = status, err
        self.rows: list[dict[str, Any]] = [json.loads(line) for line in out.splitlines()]
        self.times = [row["t"] for row in self.rows]


class Replayer:
    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._path, self._capsys = folder / "x.csv", capsys

    def __call__(self, text: str, signals: str, *options: str, time: str = "Time") -> Replayed:
        self._path.write_bytes(text.encode())
        status = main(
            ["water", "replay", str(self._path), "--time", time, "--signals", signals, *options]
        )
        return Replayed(status, *self._capsys.readouterr())


@pytest.fixture
def replay(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Replayer:
    return Replayer(tmp_path, capsys)


def column(cells: list[str], name: str = "Turb") -> str:
    rows = [f'2024-05-12 10:{n:02d},"{cell}"' for n, cell in enumerate(cells)]
    return "\n".join([f"Time,{name}", *rows]) + "\n"


@pytest.mark.parametrize(
    ("cell", "bound", "side"),
    [
        *((cell, 4000.0, "high") for cell in ("4000+", ">4000 NTU", "*>4000", "> 4000*")),
        *((cell, 0.1, "low") for cell in ("<0.1*", "<0.1 mg/L", "(<0.1)")),
        *((cell, None, "high") for cell in (">>>>", "Ovrflw", "O.R.", "saturated", "1.#INF")),
        *((cell, None, "high") for cell in ("Offscale high", "> Range", "∞", "9.9E+37")),
        *((cell, None, "low") for cell in ("<<<<", "-1.#INF", "off scale low")),
    ],
)
def test_whatever_is_beyond_the_scale_keeps_its_direction(
    replay: Replayer, cell: str, bound: float | None, side: str
) -> None:
    row = replay(column(["12", cell]), "Turb").rows[1]
    assert row["off_scale"] == {"Turb": side}
    assert row["values"] == {"Turb": bound}


@pytest.mark.parametrize("fill", ["1e30", "9.96921E+36", "-1e34", "1E+20"])
def test_what_fills_a_gap_is_no_reading(replay: Replayer, fill: str) -> None:
    found = replay(column(["12", fill], "X"), "X")
    assert found.rows[1]["flags"] == {"X": 9}
    assert "taken for no reading" in found.err


@pytest.mark.parametrize(
    ("header", "text", "time"),
    [
        ("Time", "05/13/98 10:00", "1998-05-13T10:00:00Z"),
        ("Time", "98-05-13 10:00", "1998-05-13T10:00:00Z"),
        ("時間", "99/12/31 10:00", "2010-12-31T10:00:00Z"),
        ("Time", "12-May-24 10:00 PM", "2024-05-12T22:00:00Z"),
        ("Time", "12-May-98 10:00", "1998-05-12T10:00:00Z"),
        ("Time", '"Sunday, May 12, 2024 10:15 PM"', "2024-05-12T22:15:00Z"),
        ("Time (Asia/Taipei)", "2024-05-12 10:00", "2024-05-12T02:00:00Z"),
    ],
)
def test_dates_in_the_years_and_zones_that_they_are_of(
    replay: Replayer, header: str, text: str, time: str
) -> None:
    assert replay(f"{header},pH\n{text},7\n", "pH", time=header).times == [time]


def test_years_of_the_republic_run_on_from_two_digits_to_three(replay: Replayer) -> None:
    rows = "Time,pH\n99/12/31 23:00,7\n100/01/01 00:00,7\n100/01/13 00:00,7\n"
    assert replay(rows, "pH").times[:2] == ["2010-12-31T23:00:00Z", "2011-01-01T00:00:00Z"]


def test_a_zone_that_is_not_known_does_not_become_utc(replay: Replayer) -> None:
    rows = "Time,tz_cd,pH\n2024-07-03 00:45,PDT,7\n2024-07-03 01:45,XYZ,7\n2024-07-03 02:45,GST,7\n"
    found = replay(rows, "pH")
    assert found.times == ["2024-07-03T07:45:00Z", None, None]
    assert "cannot be read" in found.err


@pytest.mark.parametrize(
    ("rows", "time", "told"),
    [
        ("Time (CST),pH\n2024-05-12 10:00,7\n", "Time (CST)", "Chicago and of Taipei"),
        ("Time Zone: Station local\nTime,pH\n2024-05-12 10:00,7\n", "Time", "Station local"),
    ],
)
def test_a_zone_that_is_named_and_not_understood_is_told(
    replay: Replayer, rows: str, time: str, told: str
) -> None:
    found = replay(rows, "pH", "--strict", time=time)
    assert told in found.err
    assert found.status == 3


def test_the_zone_before_the_header_may_be_a_name_of_windows(replay: Replayer) -> None:
    rows = "Time Zone: Taipei Standard Time\nTime,pH\n2024-05-12 10:00,7\n"
    assert replay(rows, "pH").times == ["2024-05-12T02:00:00Z"]


def test_a_decimal_comma_without_quotation_marks_is_refused(replay: Replayer) -> None:
    found = replay("Time,pH\n2024-05-12 10:00,8,125\n2024-05-12 10:15,8,130\n", "pH")
    assert found.status == 2
    assert "decimal commas" in found.err


def test_a_row_with_more_cells_than_names_is_told(replay: Replayer) -> None:
    rows = "Time,pH\n2024-05-12 10:00,8,P\n2024-05-12 10:15,8,,\n"
    found = replay(rows, "pH", "--strict")
    assert "1 rows have more cells" in found.err
    assert found.status == 3


def test_readings_with_decimal_commas_are_no_rows_of_units(replay: Replayer) -> None:
    found = replay("Time;pH\n45424,416666667;7,1\n45424,427083333;7,2\n", "pH")
    assert found.times == ["2024-05-12T10:00:00Z", "2024-05-12T10:15:00Z"]


def test_doubled_columns_are_compared_to_the_end(replay: Replayer) -> None:
    rows = [f"2024-05-12 {n // 60:02d}:{n % 60:02d},25,{25 if n < 900 else 9}" for n in range(1000)]
    found = replay("\n".join(["Time,Temp,Temp", *rows]), "Temp")
    assert found.status == 2
    assert "Temp#1" in found.err


def test_time_that_runs_backward_is_told(replay: Replayer) -> None:
    clocks = ("01:30", "01:45", "01:00", "01:15")
    rows = "".join(f"2024-11-03 {clock},7\n" for clock in clocks)
    assert "1 rows are of an earlier time" in replay("Time,pH\n" + rows, "pH").err


def test_rows_under_a_header_of_other_columns_are_left_out(replay: Replayer) -> None:
    rows = (
        "Time,pH,Temp\n2024-05-12 10:00,7,25\nTime,Temp,pH\n2024-05-12 10:01,25,7\n"
        "Time,pH,Temp\n2024-05-12 10:02,7,25\n"
    )
    found = replay(rows, "pH")
    assert [row["values"]["pH"] for row in found.rows] == [7.0, 7.0]
    assert "1 rows under another header" in found.err


def test_headers_of_hobo_loggers(replay: Replayer) -> None:
    rows = (
        '"Plot Title: 1"\n"#","Date Time, GMT+08:00","Temp, °C (LGR S/N: 1, SEN S/N: 1)"\n'
        '1,"05/13/24 10:00:00 AM",25.1\n'
    )
    assert replay(rows, "Temp", time="Date Time").times == ["2024-05-13T02:00:00Z"]
    assert "Date Time, GMT+08:00" in replay(rows, "pH", time="Date Time").err


def test_rows_of_one_item_in_two_units_are_two_series(replay: Replayer) -> None:
    rows = ["Time,Item,Unit,Value"]
    for n in range(20):
        rows.append(f"2024-05-12 10:{n:02d},Temp,°F,{77 + n / 10}")
        rows.append(f"2024-05-12 10:{n:02d},Temp,°C,{25 + n / 18}")
    found = replay("\n".join(rows), "Temp", "--item", "Item", "--value", "Value")
    assert all("station" not in row for row in found.rows)
    assert {row["flags"]["Temp"] for row in found.rows[:1]} == {1}
    assert not any(row["flags"]["Temp"] == 4 for row in found.rows)


def test_an_encoding_that_was_guessed_is_named_where_no_column_fits(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes("时间,水温\n2024-05-12 10:00,25\n".encode("gb18030"))
    assert main(["water", "replay", str(path), "--time", "时间", "--signals", "水温"]) == 2
    assert "--encoding" in capsys.readouterr().err


def test_zeros_that_a_logger_fills_up_with_are_no_part_of_a_number(replay: Replayer) -> None:
    assert replay(column(["25\0\0"]), "Turb").rows[0]["values"] == {"Turb": 25.0}
    assert replay(column(["7\00045"]), "Turb").rows[0]["values"] == {"Turb": None}
