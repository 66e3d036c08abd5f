"""Recordings through ``vigil-edge water replay``: no row lost, whatever the file looks like."""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from data import shared
from vigil_edge.cli import main

NO_VALUE = {"", "NULL", "NaN", "NA", "-9999", "-9999.0"}


def replay(
    capsys: pytest.CaptureFixture[str], *words: str | Path, status: int = 0
) -> tuple[list[dict[str, Any]], str]:
    assert main(["water", "replay", *map(str, words)]) == status
    out, err = capsys.readouterr()
    return [json.loads(line) for line in out.splitlines()], err


def refused(capsys: pytest.CaptureFixture[str], code: str, *words: str | Path) -> str:
    rows, err = replay(capsys, *words, status=2)
    assert rows == []
    assert err.startswith(f"vigil-edge: {code}: ")
    assert err.count("\n") == 1
    return err


@pytest.mark.parametrize(
    ("file", "time", "signals"),
    [
        ("lro_Mendon2019.csv.gz", "datetime", "temp,cond,ph,do,turb,stage"),
        ("lro_Mendon2020.csv.gz", "datetime", "temp,cond,ph,do,turb,stage"),
        ("lro_BlackSmithFork2020.csv.gz", "datetime", "temp,cond,ph,do,turb,stage"),
        ("lro_MainStreet2020.csv.gz", "datetime", "temp,cond,ph,do,turb,stage"),
        ("lro_TonyGrove2014.csv.gz", "datetime", "temp,cond,ph,do,turb,stage"),
        ("gecco2018_train.csv.gz", "Time", "Tp,Cl,pH,Redox,Leit,Trueb,Cl_2,Fm,Fm_2"),
        ("oddwater_sandy_creek.csv.gz", "Timestamp", "Level,Cond,Tur"),
    ],
)
def test_every_row_of_a_recording_comes_out_in_order_with_its_values(
    capsys: pytest.CaptureFixture[str], file: str, time: str, signals: str
) -> None:
    path = shared(f"water/{file}")
    with gzip.open(path, "rt", newline="") as text:
        source = list(csv.DictReader(text))

    rows, err = replay(capsys, path, "--time", time, "--signals", signals)

    assert err == ""
    assert len(rows) == len(source)
    times = [row["t"] for row in rows]
    assert all(t.endswith("Z") for t in times)
    assert times == sorted(times)
    for name in signals.split(","):
        flags = [row["flags"][name] for row in rows]
        for given_row, row, flag in zip(source, rows, flags, strict=True):
            if given_row[name] in NO_VALUE:
                assert (row["values"][name], flag) == (None, 9)
            else:
                assert row["values"][name] == float(given_row[name])
                assert flag in (1, 2, 3, 4)
        present = [flag for flag in flags if flag != 9]
        flagged = sum(flag in (3, 4) for flag in present) / len(present)
        # Mendon's sonde was out of order for five weeks of 2019: zeros in three signals.
        assert flagged < (0.20 if "Mendon2019" in file else 0.02), name


def test_expert_labels_are_found_event_by_event(capsys: pytest.CaptureFixture[str]) -> None:
    """The river's stage at Mendon in 2019: 13 labelled events; the figures of docs/water.md."""
    path = shared("water/lro_Mendon2019.csv.gz")
    with gzip.open(path, "rt", newline="") as text:
        labelled = [row["stage_qual"] not in ("NULL", "") for row in csv.DictReader(text)]
    rows, _ = replay(capsys, path, "--time", "datetime", "--signals", "stage")
    bad = [row["flags"]["stage"] in (3, 4, 9) for row in rows]

    def touches(a: tuple[int, int], mask: list[bool]) -> bool:
        return any(mask[max(0, a[0] - 1) : a[1] + 2])

    def events(mask: list[bool]) -> list[tuple[int, int]]:
        found: list[tuple[int, int]] = []
        for at in (i for i, value in enumerate(mask) if value):
            if found and at - found[-1][1] <= 5:
                found[-1] = (found[-1][0], at)
            else:
                found.append((at, at))
        return found

    expert, own = events(labelled), events(bad)
    assert sum(touches(event, bad) for event in expert) >= 10
    assert sum(not touches(event, labelled) for event in own) <= 6


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r", "\r\r\n"])
@pytest.mark.parametrize("packed", [False, True])
def test_line_ends_and_packing(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, end: str, packed: bool
) -> None:
    lines = ["when,ph", "2020-01-01 00:00,7.1", "2020-01-01 00:15,NULL", "2020-01-01 00:30,7.3"]
    data = (end.join(lines) + end).encode()
    path = tmp_path / "a.csv"
    path.write_bytes(gzip.compress(data) if packed else data)

    rows, _ = replay(capsys, path, "--time", "when", "--signals", "ph")

    assert [row["values"]["ph"] for row in rows] == [7.1, None, 7.3]
    assert [row["flags"]["ph"] for row in rows] == [1, 9, 1]
    assert rows[1]["t"] == "2020-01-01T00:15:00Z"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2020-01-01 00:00:00.000", "2020-01-01T00:00:00Z"),
        ("2019-01-01 00:00", "2019-01-01T00:00:00Z"),
        ("2019-01-01T08:00:00+08:00", "2019-01-01T00:00:00Z"),
        ("2019-01-01T00:00:00Z", "2019-01-01T00:00:00Z"),
        ("2019-01-01T00:00:00.250Z", "2019-01-01T00:00:00.250000Z"),
        ("2019-01-01 00:00 UTC", "2019-01-01T00:00:00Z"),
        ("2019/1/2 3:04", "2019-01-02T03:04:00Z"),
        ("31/01/2019 3:04:05", "2019-01-31T03:04:05Z"),
        ("1/31/2019 3:04:05 PM", "2019-01-31T15:04:05Z"),
        ("31.01.19 24:00", "2019-02-01T00:00:00Z"),
        ("1546300800", "2019-01-01T00:00:00Z"),
        ("1546300800500", "2019-01-01T00:00:00.500000Z"),
    ],
)
def test_ways_to_write_a_time(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, text: str, expected: str
) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"t,ph\n{text},7\n")
    rows, _ = replay(capsys, path, "--time", "t", "--signals", "ph")
    assert rows[0]["t"] == expected


def test_day_or_month_first_is_decided_from_the_whole_file(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "a.csv"
    path.write_text("t,ph\n01/02/2019 0:00,7\n" + "01/02/2019 1:00,7\n" * 500 + "01/13/2019,7\n")
    rows, _ = replay(capsys, path, "--time", "t", "--signals", "ph")
    assert rows[0]["t"] == "2019-01-02T00:00:00Z"

    # No number above 12 anywhere, but only one order runs evenly: 1st, 2nd, 3rd of March.
    path.write_text("t,ph\n03/01/2019,7\n03/02/2019,7\n03/03/2019,7\n")
    rows, _ = replay(capsys, path, "--time", "t", "--signals", "ph")
    assert [row["t"][:10] for row in rows] == ["2019-03-01", "2019-03-02", "2019-03-03"]


def test_rows_with_bad_times_or_too_few_cells_are_still_there(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "a.csv"
    path.write_text(
        't,ph\nyesterday,7\n2020-01-02 00:00,"7.5\n2020-01-01 00:00\n,\n2020-01-02,7,,\n'
    )
    rows, err = replay(capsys, path, "--time", "t", "--signals", "ph")
    assert [row["t"] for row in rows] == [
        None,
        "2020-01-02T00:00:00Z",
        "2020-01-01T00:00:00Z",
        None,
        "2020-01-02T00:00:00Z",
    ]
    assert [row["values"]["ph"] for row in rows] == [7.0, 7.5, None, None, 7.0]
    assert "2 of 5 rows" in err
    assert "1 rows are of an earlier time" in err
    assert err.count("\n") == 2


def test_options(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("t;Wert;ph\n2020-01-01 08:00;7,5;-1\n2020-01-01 08:01;12;6\n")
    rows, _ = replay(
        capsys,
        path,
        *("--time", "t", "--signals", "Wert,ph", "--range", "Wert=0,10"),
        *("--utc-offset", "+08:00", "--sentinel", "-1"),
    )
    assert rows == [
        {
            "t": "2020-01-01T00:00:00Z",
            "values": {"Wert": 7.5, "ph": None},
            "flags": {"Wert": 1, "ph": 9},
        },
        {
            "t": "2020-01-01T00:01:00Z",
            "values": {"Wert": 12.0, "ph": 6.0},
            "flags": {"Wert": 4, "ph": 1},
        },
    ]


def test_what_cannot_be_read_is_one_line_and_exit_2(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "a.csv"
    asked = ("--time", "t", "--signals", "ph")
    refused(capsys, "recording-unreadable", path, *asked)
    refused(capsys, "recording-unreadable", tmp_path, *asked)
    path.write_bytes(b"")
    refused(capsys, "recording-empty", path, *asked)
    path.write_text("t,ph\n")
    refused(capsys, "recording-empty", path, *asked)
    path.write_text("t,ph\n2020-01-01,7\n")
    assert "'cond'" in refused(
        capsys, "column-unknown", path, "--time", "t", "--signals", "ph,cond"
    )
    assert "'at'" in refused(capsys, "column-unknown", path, "--time", "at", "--signals", "ph")
    refused(capsys, "option-wrong", path, *asked, "--range", "ph=9")
    refused(capsys, "option-wrong", path, *asked, "--range", "do=0,9")
    refused(capsys, "option-wrong", path, *asked, "--utc-offset", "Taipei")
    path.write_text("t,ph\n7,7\n8,8\n")
    refused(capsys, "times-unreadable", path, *asked)
    refused(capsys, "option-wrong", path, "--time", "t", "--signals", ",")


@pytest.mark.parametrize("keep", [10, -20, -4])
def test_a_broken_gzip_is_refused_before_its_first_row(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, keep: int
) -> None:
    whole = gzip.compress(b"t,ph\n" + b"2020-01-01 00:00,7.1\n" * 5000)
    path = tmp_path / "a.csv.gz"
    path.write_bytes(whole[:keep])
    rows, err = replay(capsys, path, "--time", "t", "--signals", "ph", status=2)
    assert rows == []
    assert err.startswith("vigil-edge: recording-unreadable: ")


@given(
    cells=st.lists(
        st.tuples(
            st.text(
                st.characters(
                    exclude_categories=["Cs", "Cc", "Zl", "Zp"], exclude_characters="\x85"
                ),
                max_size=8,
            ),
            st.one_of(
                st.floats(width=32).map(repr),
                st.sampled_from(sorted(NO_VALUE)),
                st.text("0.,-+eE\"'", max_size=5),
            ),
        ),
        min_size=1,
        max_size=30,
    )
)
def test_whatever_the_cells_hold_each_row_comes_out(
    tmp_path_factory: pytest.TempPathFactory, cells: list[tuple[str, str]]
) -> None:
    from vigil_edge.water.replay import replay as rows_of
    from vigil_edge.water.rows import Row
    from vigil_schemas.recordings.recording import Recording

    path = tmp_path_factory.getbasetemp() / "cells.csv"
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(["t", "ph"])
    # A row that names the time as the header does, and something else than it, is another header.
    assume(all(day.strip() != "t" or not cell.strip() for day, cell in cells))
    cells = [("2020-01-01", "7"), *cells]  # a table without any time is refused
    writer.writerows(cells)
    path.write_text(text.getvalue(), newline="")
    recording = Recording(path)
    rows = list(rows_of(recording, "t", ["ph"]))
    recording.close()
    assert len(rows) == len(cells)
    for row, (_, cell) in zip(rows, cells, strict=True):
        assert isinstance(row, Row)
        beyond = row.off_scale is not None
        assert (row.values["ph"] is None and not beyond) == (row.flags["ph"] == 9)
        if cell in NO_VALUE:
            assert row.flags["ph"] == 9


def test_a_torn_header_in_the_middle_costs_no_row(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A logger that lost its power while it wrote its header anew."""
    path = tmp_path / "a.csv"
    path.write_text("t,ph,do\n2020-01-01,7,9\nt\n2020-01-02,8,9\nt,,\n2020-01-03,7.5,9\n")
    rows, err = replay(capsys, path, "--time", "t", "--signals", "ph,do")
    assert [row["values"]["ph"] for row in rows if row["t"]] == [7, 8, 7.5]
    assert "2 of 5 rows" in err


def test_a_row_with_a_number_is_no_header(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "a.csv"
    path.write_text("t,ph\n2020-01-01,7\nt,7.5\n2020-01-02,8\n")
    rows, err = replay(capsys, path, "--time", "t", "--signals", "ph")
    assert [row["values"]["ph"] for row in rows] == [7, 7.5, 8]
    assert "time that cannot be read" in err
