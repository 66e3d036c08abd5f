"""``vigil-edge water replay --visits``: fouling and drift taken out, the raw value beside it."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from vigil_edge.cli import main

START = datetime(2024, 5, 1, tzinfo=UTC)
ROWS = 60


def recording(folder: Path, head: str = "Time,pH,Cond", rows: int = ROWS) -> Path:
    """A pH that drifts up by 0.4 within ten hours, and a conductance that falls by 40 µS/cm."""
    file = folder / "sonde.csv"
    lines = [head]
    for n in range(rows + 1):
        at = START + timedelta(minutes=10 * n)
        lines.append(f"{at:%Y-%m-%d %H:%M:%S},{7.0 + 0.4 * n / rows:.6f},{500 - 40 * n / rows:.6f}")
    file.write_text("\n".join(lines) + "\n", "utf-8")
    return file


VISITS = (
    "time,signal,before,after,standard,reading\n"
    "2024-05-01T10:00:00,pH,,,4.0,4.4\n"
    "2024-05-01T10:00:00,pH,,,7.0,7.4\n"
    "2024-05-01T10:00:00,Cond,460,500,,\n"
)


def run(
    capsys: pytest.CaptureFixture[str], file: Path, visits: str | bytes, *more: str
) -> tuple[int, list[dict[str, Any]], str]:
    table = file.with_name("visits.csv")
    table.write_bytes(visits.encode() if isinstance(visits, str) else visits)
    asked = [str(file), "--time", "Time", "--signals", "pH,Cond", "--visits", str(table), *more]
    code = main(["water", "replay", *asked])
    said = capsys.readouterr()
    return code, [json.loads(line) for line in said.out.split("\n") if line], said.err


def test_drift_and_fouling_are_prorated_and_the_raw_value_stays(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, rows, _ = run(capsys, recording(tmp_path), VISITS)

    assert code == 0
    assert list(rows[0])[:4] == ["t", "values", "corrected", "flags"]
    before = rows[:ROWS]
    assert [one["corrected"]["pH"] for one in before] == pytest.approx([7.0] * ROWS, abs=1e-6)
    assert [one["corrected"]["Cond"] for one in before] == pytest.approx([500.0] * ROWS, abs=1e-4)
    assert rows[30]["values"] == {"pH": 7.2, "Cond": 480.0}
    assert rows[ROWS]["corrected"] == rows[ROWS]["values"], "of the visit on it is as it was read"


def test_without_visits_a_line_is_as_it_always_was(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = recording(tmp_path)
    assert main(["water", "replay", str(file), "--time", "Time", "--signals", "pH,Cond"]) == 0
    assert '"corrected"' not in capsys.readouterr().out


def test_less_than_the_criterion_is_no_correction(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = "time,signal,standard,reading\n2024-05-01T10:00:00,pH,7.0,7.15\n"
    _, rows, _ = run(capsys, recording(tmp_path), small)
    assert all(one["corrected"] == one["values"] for one in rows)


def test_what_is_missing_or_beyond_the_scale_is_left(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = recording(tmp_path)
    lines = file.read_text("utf-8").split("\n")
    lines[5], lines[6] = f"{lines[5].split(',')[0]},,>2000", f"{lines[6].split(',')[0]},7.0,480"
    file.write_text("\n".join(lines), "utf-8")
    _, rows, _ = run(capsys, file, VISITS)
    assert rows[4]["corrected"] == {"pH": None, "Cond": 2000.0}
    assert rows[4]["off_scale"] == {"Cond": "high"}


def test_visits_of_one_station_change_no_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "two.csv"
    lines = ["Time,Site,pH,Cond"]
    for n in range(ROWS):
        at = f"{START + timedelta(minutes=10 * n):%Y-%m-%d %H:%M}"
        lines += [f"{at},{name},7.{n % 5},{500 + n % 7}" for name in "AB"]
    file.write_text("\n".join(lines) + "\n", "utf-8")
    visits = "time;station;signal;standard;reading\n2024-05-01T10:00;B;pH;7.0;7.5\n"
    _, rows, _ = run(capsys, file, visits.encode("utf-16"))
    changed = {one["station"] for one in rows if one["corrected"] != one["values"]}
    assert changed == {"B"}


@pytest.mark.parametrize(
    ("visits", "says"),
    [
        ("time,signal,standard,reading\n", "no visit"),
        ("time,signal,standard,reading\nsoon,pH,7,7.4\n", "line 2: 'soon' is no time"),
        ("time,signal,standard,reading\n2024-05-01,ORP,7,7.4\n", "'ORP' is not among"),
        ("time,signal,standard,reading\n2024-05-01,pH,7,\n", "belong together"),
        ("time,signal,standard,reading\n2024-05-01,pH,7,nan\n", "'nan' is no number"),
        ("time,signal,standard,reading\n2024-05-01,pH,,\n", "says nothing"),
        ("time,signal,before,after\n2024-05-01,pH,7,8\n2024-05-01,pH,7,8\n", "a second cleaning"),
        ("signal,standard,reading\npH,7,7.4\n", "no column 'time'"),
        ("", "visits.csv"),
    ],
)
def test_visits_that_are_none_are_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], visits: str, says: str
) -> None:
    code, rows, err = run(capsys, recording(tmp_path), visits)
    assert (code, rows, err.count("\n")) == (2, [], 1)
    assert says in err


def test_a_signal_without_a_criterion_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = recording(tmp_path, "Time,pH,Redox")
    table = tmp_path / "visits.csv"
    table.write_text("time,signal,standard,reading\n2024-05-01,Redox,220,300\n", "utf-8")
    asked = ["--time", "Time", "--signals", "pH,Redox", "--visits", str(table)]
    assert main(["water", "replay", str(file), *asked]) == 2
    assert "no criterion of TM1-D3" in capsys.readouterr().err
