"""``vigil-cloud checkin locate``: a beacon carried along a line, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from vigil_cloud.cli import main

PLACES = {"a": (0, 0), "b": (12, 0), "c": (0, 8), "d": (12, 8), "e": (6, 0), "f": (6, 8)}


@pytest.fixture
def hall(tmp_path: Path) -> Path:
    """Twelve metres in twelve seconds, each sensor reading too high or too low."""
    rng = np.random.default_rng(4)
    rows = ["sensor,x,y"] + [f"{name},{x},{y}" for name, (x, y) in PLACES.items()]
    (tmp_path / "sensors.csv").write_text("\n".join(rows))
    lines = []
    bias = dict(zip(PLACES, rng.normal(0, 1.5, len(PLACES)), strict=True))
    for tenth in range(0, 120, 4):
        for name, (x, y) in PLACES.items():
            away = max(1.0, float(np.hypot(x - tenth / 10, y - 4)))
            strength = -60 - 18 * np.log10(away) + bias[name] + rng.normal(0, 2)
            lines.append(f"{1_000 + tenth / 10},{name},beacon,{strength:.0f},ignored")
    (tmp_path / "track.mbd").write_text("\n".join(lines))
    return tmp_path


def locate(folder: Path, *more: str) -> int:
    sensors = str(folder / "sensors.csv")
    return main(["checkin", "locate", str(folder / "track.mbd"), "--sensors", sensors, *more])


@pytest.mark.parametrize("more", [(), ("--causal",)])
def test_a_line_a_second(
    hall: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, ...]
) -> None:
    assert locate(hall, *more) == 0
    fixes = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [fix["t"] for fix in fixes] == list(range(1_000, 1_012))
    off = [np.hypot(fix["x"] - (fix["t"] - 999.5), fix["y"] - 4) for fix in fixes]
    assert np.median(off) < (4 if more else 3)  # without looking ahead biases are learned late
    assert {fix["nearest"] for fix in fixes} <= set(PLACES)


def test_the_logs_of_sensors_one_after_the_other_are_the_same_track(
    hall: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert locate(hall) == 0
    whole = capsys.readouterr().out
    track = (hall / "track.mbd").read_text().splitlines()
    by_sensor = sorted(track, key=lambda line: line.split(",")[1], reverse=True)
    (hall / "track.mbd").write_text("\n".join(by_sensor))
    assert locate(hall) == 0
    assert capsys.readouterr().out == whole


def test_tables_as_spreadsheets_write_them(hall: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert locate(hall) == 0
    whole = capsys.readouterr().out
    sensors = (hall / "sensors.csv").read_text().replace("sensor,x,y", "Sensor , X , Y")
    (hall / "sensors.csv").write_bytes(sensors.encode("utf-16"))
    track = (hall / "track.mbd").read_text()
    (hall / "track.mbd").write_bytes(f"時間,感測器,信標,強度\n{track}".encode("cp950"))
    assert locate(hall) == 0
    assert capsys.readouterr().out == whole


def test_rows_that_a_spreadsheet_left_empty_are_no_sensors(hall: Path) -> None:
    with (hall / "sensors.csv").open("a") as file:
        file.write("\n,,\n , ,\n")
    assert locate(hall) == 0


@pytest.mark.parametrize("more", [(), ("--causal",)])
def test_sensors_of_one_place_and_a_clock_that_goes_back(
    hall: Path, capsys: pytest.CaptureFixture[str], more: tuple[str, ...]
) -> None:
    (hall / "sensors.csv").write_text("sensor,x,y\na,3,4\nb,3,4\n")
    (hall / "track.mbd").write_text("5,a,beacon,-60\n3,b,beacon,-61\n4,a,beacon,nan\n")
    assert locate(hall, *more) == 0
    fixes = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [fix["t"] for fix in fixes] == [3, 4, 5]
    assert all(abs(fix["x"] - 3) < 2 and abs(fix["y"] - 4) < 2 for fix in fixes)


def test_what_is_ahead_is_not_used_by_causal(
    hall: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert locate(hall, "--causal") == 0
    whole = capsys.readouterr().out.splitlines()
    track = (hall / "track.mbd").read_text().splitlines()
    (hall / "track.mbd").write_text("\n".join(line for line in track if line < "1006"))
    assert locate(hall, "--causal") == 0
    assert capsys.readouterr().out.splitlines() == whole[:6]


def test_who_looks_ahead_looks_ahead_two_hours(
    hall: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (hall / "track.mbd").write_text("0,a,beacon,-60\n7201,b,beacon,-60\n")
    assert locate(hall) == 2
    assert "--causal" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("file", "text", "says"),
    [
        ("sensors.csv", "sensor,x,y\na,0,0\na,1,1\n", "a second sensor named 'a'"),
        ("sensors.csv", "sensor,x\na,0\n", "no column y"),
        ("sensors.csv", "sensor,x,y,x\na,0,0,9\nb,1,1,9\n", "a column twice: x"),
        ("sensors.csv", "sensor,x,y\na,0,0,5\nb,1,1\n", "line 2: more cells"),
        ("sensors.csv", "sensor,x,y\na,0,nan\nb,1,1\n", "no place in metres"),
        ("sensors.csv", 'sensor,x,y\na,0,0\n"' + "b,1,1\n" * 30_000, "field larger"),
        ("track.mbd", "", "holds no signal strength"),
        ("track.mbd", "1,a,beacon\n", "line 1"),
        ("track.mbd", "1,z,beacon,-60\n", "no sensor is named 'z'"),
        ("track.mbd", "2,a,beacon,-60\n86403,a,beacon,-60\n", "lasts longer than a day"),
        ("track.mbd", "nan,a,beacon,-60\n", "line 1: nan is no time"),
        ("track.mbd", "1e300,a,beacon,-60\n", "line 1: 1e300 is no time"),
        ("track.mbd", "1,a,beacon,nan\n2,b,beacon,-inf\n", "holds no signal strength"),
        (
            "sensors.csv",
            "sensor,x,y\n" + "".join(f"s{n},{n},0\n" for n in range(501)),
            "names more than 500 sensors",
        ),
        ("track.mbd", "1,a,beacon,-60\n2,a,other,-60\n", "line 2: a second beacon"),
    ],
)
def test_bad_input_is_one_clear_line(
    hall: Path, capsys: pytest.CaptureFixture[str], file: str, text: str, says: str
) -> None:
    (hall / file).write_text(text)
    assert locate(hall) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert says in err
    assert err.count("\n") == 1
