"""``vigil-cloud water trace``: networks and observations as people have them."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from channel_files import network, point, reach
from vigil_cloud.cli import main
from vigil_cloud.water import channels, trace_command
from vigil_cloud.water.channels import Channels, Point, read
from vigil_cloud.water.transport import Discharge, Transport, concentrations

TIMES = np.arange(0, 5 * 3600, 300.0)


def canal(*more: Any) -> dict[str, Any]:
    return network(
        reach("r1", "a", "b", 1_500, 2.0, 0.4, 3.0),
        point("mill", "outfall", "r1", 200),
        point("end", "station", "r1", 1_400),
        *more,
    )


@pytest.fixture
def rows() -> list[str]:
    truth = read(canal())
    source = Discharge(truth.points["mill"], 4.0, 3600.0, 2 * 3600.0)
    transport = Transport(truth, truth.points["end"], [source.outfall])
    values = concentrations(transport, TIMES, [source])
    return [
        "time,station,value",
        *(f"{t:g},end,{v:.6g}" for t, v in zip(TIMES, values, strict=True)),
    ]


def traced(
    folder: Path, document: dict[str, Any], data: bytes, capsys: pytest.CaptureFixture[str]
) -> tuple[int, str, str]:
    canal_file, seen_file = folder / "canal.geojson", folder / "seen.csv"
    canal_file.write_text(json.dumps(document), "utf-8")
    seen_file.write_bytes(data)
    code = main(["water", "trace", str(canal_file), str(seen_file)])
    said = capsys.readouterr()
    return code, said.out, said.err


@pytest.mark.parametrize(
    ("written", "told"),
    [
        (lambda text: text.encode("utf-8-sig"), ""),
        (lambda text: text.encode("utf-16"), ""),
        (lambda text: text.encode("utf-16-le"), "read as utf-16-le"),
        (lambda text: gzip.compress(text.encode()), ""),
        (lambda text: text.replace(",", ";").encode(), ""),
        (lambda text: text.replace(",", ";").replace(".", ",").encode(), ""),
        (lambda text: text.replace(",", "\t").replace("\n", "\r\n").encode(), ""),
        (lambda text: text.replace("time,station,value", "Time, Station ,VALUE").encode(), ""),
    ],
    ids=[
        "mark",
        "utf-16",
        "utf-16 without a mark",
        "packed",
        "semicolons",
        "decimal commas",
        "tabs",
        "header",
    ],
)
def test_observations_are_read_however_they_were_written(
    tmp_path: Path,
    rows: list[str],
    capsys: pytest.CaptureFixture[str],
    written: Callable[[str], bytes],
    told: str,
) -> None:
    code, out, err = traced(tmp_path, canal(), written("\n".join(rows) + "\n"), capsys)

    assert code == 0
    assert json.loads(out)["suspects"][0]["outfall"] == "mill"
    assert told in err
    assert err.count("\n") == bool(told)


@pytest.mark.parametrize(
    "data",
    [
        gzip.compress(b"time,station,value\n1,end,1\n")[:-9],
        b"\x1f\x8bnothing",
        b"time\0\xff\xfe" * 9,
    ],
    ids=["torn", "not packed", "binary"],
)
def test_what_is_no_table_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], data: bytes
) -> None:
    code, out, err = traced(tmp_path, canal(), data, capsys)

    assert (code, out, err.count("\n")) == (2, "", 1)
    assert err.startswith("vigil-cloud: bad-observations: ")


def test_an_island_is_told(
    tmp_path: Path, rows: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    island = reach("pond", "x", "y", 300, 2.0, 0.1, 1.0)
    code, out, err = traced(tmp_path, canal(island), "\n".join(rows).encode(), capsys)

    answer = json.loads(out)
    assert (code, answer["suspects"][0]["outfall"]) == (0, "mill")
    assert answer["notes"] == ["not connected with the rest: pond"]
    assert "pond" in err


def test_a_reader_that_has_seen_enough_is_no_error(tmp_path: Path) -> None:
    file = tmp_path / "canal.geojson"
    file.write_text(json.dumps(canal()), "utf-8")
    asked = ["--release", "mill,5,0", "--station", "end", "--until", "400000", "--step", "1"]
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as out:
        done = subprocess.run(
            [sys.executable, "-m", "vigil_cloud.cli", "water", "transport", str(file), *asked],
            stdout=out, stderr=subprocess.PIPE, check=False,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")


def test_what_unpacks_to_more_than_there_is_memory_is_refused(
    tmp_path: Path, rows: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    monkeypatch.setattr(trace_command, "_LARGEST", 2**20)
    text = "\n".join(rows).encode()
    bomb = gzip.compress(text + b"\n" * 2**20)
    assert len(bomb) < 2**14
    for data in (bomb, text + b"\n" * 2**20):
        code, _, err = traced(tmp_path, canal(), data, capsys)
        assert code != 0
        assert "seen.csv holds more than 1 MiB" in err
    code, _, err = traced(tmp_path, canal(), gzip.compress(text) + gzip.compress(b"\n"), capsys)
    assert code == 0, err


def test_what_no_water_holds_is_left_out_and_told(
    tmp_path: Path, rows: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A recorder's mark of a missing value counts for no water, however many there are."""
    marked = [*rows, *(f"{at},end,9.96921e36" for at in (5400.5, 5700.5)), "15000.5,end,-9999"]
    code, out, err = traced(tmp_path, canal(), "\n".join(marked).encode(), capsys)
    assert (code, json.loads(out)["suspects"][0]["outfall"]) == (0, "mill")
    assert "2 rows of more than 1e+08 g/m³" in err
    assert "1 rows without a value" in err
    code, out, err = traced(tmp_path, canal(), b"time,station,value\n0,end,-1e30\n", capsys)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "no value in it: 1 are more than 1e+08" in err


def test_a_file_of_mistakes_alone_is_not_read_to_its_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is told with the stations that there are, which takes its time."""
    asked = 0
    original = Channels.point

    def point_of(self: Channels, name: str, kind: str) -> Point:
        nonlocal asked
        asked += 1
        return original(self, name, kind)

    monkeypatch.setattr(Channels, "point", point_of)
    data = b"time,station,value\n" + b"1,nowhere,1\n" * 50_000
    code, out, err = traced(tmp_path, canal(), data, capsys)
    assert (code, out, err.count("\n"), asked) == (2, "", 1, 1000)
    assert "line 2: there is no station 'nowhere'; there are: end" in err


def test_a_network_of_more_than_there_is_memory_is_refused(
    tmp_path: Path, rows: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    monkeypatch.setattr(channels, "_LARGEST", 2**20)
    document = canal()
    document["name"] = "x" * 2**20
    code, out, err = traced(tmp_path, document, "\n".join(rows).encode(), capsys)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "canal.geojson holds more than 1 MiB" in err


def test_a_probe_on_an_island_clears_nobody(
    tmp_path: Path, rows: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """No release passes it and the others; where it alone saw something, its own water counts."""
    island = reach("pond", "x", "y", 300, 2.0, 0.1, 1.0), point("weir", "station", "pond", 200)
    bump = [f"{at:g},weir,{3 * np.exp(-(((at - 7200) / 900) ** 2)):.5f}" for at in TIMES]
    code, out, err = traced(tmp_path, canal(*island), "\n".join([*rows, *bump]).encode(), capsys)
    answer = json.loads(out)
    assert (code, answer["suspects"][0]["outfall"]) == (0, "mill")
    assert answer["suspects"][0]["explains"] == ["end"]
    assert "no single release can have reached weir and the other stations: left out" in err
    quiet = [f"{at:g},end,0" for at in TIMES]
    alone = "\n".join([rows[0], *quiet, *bump]).encode()
    code, out, err = traced(tmp_path, canal(*island), alone, capsys)
    assert json.loads(out)["suspects"][0]["reach"] == "pond"
    assert "no single release" not in err


def test_station_names_say_which_encoding_it_is(
    tmp_path: Path, rows: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """One letter alone is taken for anything."""
    document = json.loads(json.dumps(canal()).replace('"end"', '"站"'))
    data = "\n".join(rows).replace(",end,", ",站,").encode("big5")
    code, out, err = traced(tmp_path, document, data, capsys)
    assert (code, json.loads(out)["suspects"][0]["outfall"]) == (0, "mill")
    assert "not UTF-8; read as cp950" in err


def test_times_of_another_unit_or_without_a_zone_are_told(
    tmp_path: Path, rows: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    apart = [row.split(",") for row in rows[1:]]
    days = [f"{float(at) / 86400:.7f},{name},{value}" for at, name, value in apart]
    code, _, err = traced(tmp_path, canal(), "\n".join([rows[0], *days]).encode(), capsys)
    assert code == 0
    assert "all times lie within 0.205 s: are they in seconds?" in err
    milli = [f"{1.78e12 + 1000 * float(at):.0f},{name},{value}" for at, name, value in apart]
    code, out, err = traced(tmp_path, canal(), "\n".join([rows[0], *milli]).encode(), capsys)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert "is no time" in err
    day = np.datetime64("2026-05-01T00:00:00")
    named = [
        f"{day + np.timedelta64(int(float(at)), 's')}{'Z' if n % 2 else ''},{name},{value}"
        for n, (at, name, value) in enumerate(apart)
    ]
    code, _, err = traced(tmp_path, canal(), "\n".join([rows[0], *named]).encode(), capsys)
    assert (code, err) == (0, "vigil-cloud: 30 rows have no zone: read as UTC\n")


def test_a_value_by_itself_is_told(
    tmp_path: Path, rows: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A stamp that is a day late draws the whole search there."""
    late = "\n".join([*rows, "-86400,end,5"]).encode()
    assert "1 values of end stand hours from" in traced(tmp_path, canal(), late, capsys)[2]
    assert traced(tmp_path, canal(), "\n".join(rows).encode(), capsys)[2] == ""


@pytest.mark.parametrize("given", ["1e-300,1e-300", "0,1", "nan,nan", "1,1e300", "9,1"])
def test_a_duration_is_one_that_a_release_can_have(
    given: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main(["water", "trace", "n.geojson", "o.csv", "--lasting", given])
    assert left.value.code == 2
    assert "two numbers of seconds" in capsys.readouterr().err


def test_a_search_ends_and_says_what_it_left_out(
    tmp_path: Path, rows: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    """Outfalls are tried before reaches without one, eight in any case."""
    above = [reach(f"u{n}", f"x{n}", "a", 500, 1.0, 0.4, 3.0) for n in range(12)]
    monkeypatch.setattr(trace_command, "_SEARCHED_S", 0.0)
    code, out, err = traced(tmp_path, canal(*above), "\n".join(rows).encode(), capsys)
    assert (code, json.loads(out)["suspects"][0]["outfall"]) == (0, "mill")
    assert err == "vigil-cloud: the network is large: 5 possible sources were not tried\n"
