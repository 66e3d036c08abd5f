"""``vigil-cloud water detect``: the detector over a recording."""

from __future__ import annotations

import csv
import gzip
import os
import pty
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from data import shared
from quiet_water import DAY, START, changed, pulse
from vigil_cloud.cli import main


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
    assert len(err.splitlines()) == 6, "repeated, earlier, late, unreadable, future, another age"
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
        (["--time", "at", "--signals", "cond", "--false-per-week", "1e-300"], "above 0"),
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


def test_however_few_false_alarms_are_granted_there_is_a_threshold(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A chance of less than a number's last digit beside 1 is a chance still."""
    recording = tmp_path / "r.csv"
    rows = (f"2026-01-{1 + n // 24:02d}T{n % 24:02d}:00,{400 + n % 5}\n" for n in range(480))
    recording.write_text("at,cond\n" + "".join(rows), "utf-8")
    asked = ("--time", "at", "--signals", "cond", "--false-per-week", "1e-6")
    assert run(capsys, recording, *asked, "--out", tmp_path / "out.csv") == (0, "")


def test_a_signal_without_a_reading_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recording = tmp_path / "r.csv"
    rows = (f"2026-01-01T{n:02d}:00,{400 + n % 5},nan\n" for n in range(20))
    recording.write_text("at,cond,ph\n" + "".join(rows), "utf-8")
    asked = ("--time", "at", "--signals", "cond,ph", "--strict")
    code, err = run(capsys, recording, *asked, "--out", tmp_path / "out.csv")
    assert (code, err) == (3, "vigil-cloud: ph: there is no reading in any of 20 rows\n")


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
    code, _ = run(capsys, part, *asked)
    assert (code, len(read(tmp_path / "flags.csv"))) == (0, 1)
    assert part.read_text("utf-8").startswith("at,cond")


def test_a_wrong_stamp_does_not_end_the_recording(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A logger's clock that was years ahead for some rows of a recording of long ago."""
    values = changed(cond=pulse(250), ph=pulse(-0.8))
    at = np.datetime64("2014-03-01T00:00") + np.arange(len(values)) * np.timedelta64(15, "m")
    lines = [f"{one},{row[1]},{row[2]}" for one, row in zip(at, values, strict=True)]

    def flagged(rows: list[str]) -> tuple[list[dict[str, str]], str]:
        table, flags = tmp_path / "r.csv", tmp_path / "flags.csv"
        table.write_text("\n".join(["at,cond,ph", *rows]), "utf-8")
        asked = (table, "--time", "at", "--signals", "cond,ph", "--out", flags)
        code, err = run(capsys, *asked)
        assert code == 0
        return read(flags), err

    right, _ = flagged(lines)
    wrong, later = START // 2, [f"2019-01-01T00:{n:02},{430 + n},8" for n in range(3)]
    found, err = flagged([*lines[:wrong], *later, *lines[wrong:]])
    assert [row["anomaly"] for row in found[wrong + 3 :]] == [
        row["anomaly"] for row in right[wrong:]
    ]
    assert "1" in {row["anomaly"] for row in found[wrong + 3 :]}
    assert "3 rows are days ahead of what follows" in err
    whole = flagged([*lines[:wrong], *later])[0]
    assert whole == found[: len(whole)], "what is not there yet changes nothing"
    gap = [*lines[:wrong], *lines[START - 3 * DAY :], lines[wrong + 5]]
    assert "1 rows are earlier than one that was judged" in flagged(gap)[1]
    behind = [*lines[:wrong], *lines[START - 3 * DAY :]]
    behind.insert(wrong + 4, lines[START - 3 * DAY + 1])
    found, err = flagged(behind)
    assert "1 rows are earlier than one that was judged" in err
    assert "days ahead" not in err, "it is late by minutes, and the gap before it is one"
    del found[wrong + 4]
    assert found == flagged([*lines[:wrong], *lines[START - 3 * DAY :]])[0]


def test_a_terminal_is_told_how_far_it_is(tmp_path: Path) -> None:
    table, flags = tmp_path / "r.csv", tmp_path / "flags.csv"
    at = np.datetime64("2026-01-01T00:00") + np.arange(60_000) * np.timedelta64(1, "m")
    table.write_text("at,cond\n" + "".join(f"{one},{400 + n % 7}\n" for n, one in enumerate(at)))
    ours, theirs = pty.openpty()
    asked = ("water", "detect", table, "--time", "at", "--signals", "cond", "--out", flags)
    with subprocess.Popen([sys.executable, "-m", "vigil_cloud", *asked], stderr=theirs) as running:
        os.close(theirs)
        said = b""
        with suppress(OSError):  # the terminal is gone with the process
            while part := os.read(ours, 4096):
                said += part
    os.close(ours)
    assert running.returncode == 0
    assert b"vigil-cloud:  " in said
    assert b" %  r.csv: " in said
    assert said.endswith(b"\r\x1b[K")


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
