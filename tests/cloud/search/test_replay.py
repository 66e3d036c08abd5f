"""``vigil-cloud search replay``: a map from files, and what it refuses."""

from __future__ import annotations

import csv
import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from vigil_cloud.cli import main
from vigil_cloud.search import ground, regions
from vigil_sim.checkin import wanderers

BEGAN = datetime(2026, 3, 1, tzinfo=UTC)
STEP = 0.001
LATITUDE, LONGITUDE = 23.48, 120.44
STATIONS = "station,latitude,longitude,range_m,online_since,online_until\n"


def street_lines(size: int = 20) -> list[list[list[float]]]:
    """A grid whose lines share a point at each crossing, about 110 m apart."""
    steps = range(size + 1)
    along = [[[LONGITUDE + x * STEP, LATITUDE + y * STEP] for x in steps] for y in steps]
    return along + [list(line) for line in zip(*along, strict=True)]


def streets(path: Path, lines: Any) -> Path:
    shapes = [{"type": "LineString", "coordinates": line} for line in lines]
    path.write_text(json.dumps({"type": "GeometryCollection", "geometries": shapes}))
    return path


@pytest.fixture
def place(tmp_path: Path) -> Path:
    streets(tmp_path / "streets.geojson", street_lines())
    (tmp_path / "stations.csv").write_text(
        STATIONS
        + f"temple,{LATITUDE + 10 * STEP},{LONGITUDE + 10 * STEP},80,,\n"
        + f"market,{LATITUDE + 10 * STEP},{LONGITUDE + 14 * STEP},80,,\n"
        + f"school,{LATITUDE + 10 * STEP},{LONGITUDE + 6 * STEP},80,,\n"
    )
    (tmp_path / "checkins.csv").write_text(
        "time,person,station\n2026-03-01T08:00:00Z,a,temple\n2026-03-01T09:00:00Z,a,market\n"
    )
    return tmp_path


def replay(folder: Path, *more: str, at: str = "2026-03-01T09:30:00Z") -> int:
    files = [str(folder / "checkins.csv"), "--stations", str(folder / "stations.csv")]
    out = ["--out", str(folder / "map.geojson"), "--cells", str(folder / "cells.csv")]
    return main(["search", "replay", *files, "--at", at, *out, *more])


def with_streets(folder: Path) -> tuple[str, str]:
    return "--streets", str(folder / "streets.geojson")


def cells(folder: Path) -> tuple[Any, Any]:
    with (folder / "cells.csv").open() as file:
        rows = [(float(r["x"]), float(r["y"]), float(r["p"])) for r in csv.DictReader(file)]
    found = np.array(rows)
    return found[:, :2], found[:, 2]


@pytest.mark.parametrize("free", [True, False])
def test_a_map(place: Path, capsys: pytest.CaptureFixture[str], free: bool) -> None:
    assert replay(place, *(() if free else with_streets(place))) == 0
    said = json.loads(capsys.readouterr().out)
    areas = [contour["area_km2"] for contour in said["contours"]]
    assert [contour["probability"] for contour in said["contours"]] == [0.5, 0.8, 0.95]
    assert areas == sorted(areas)
    assert 0 < areas[0] < 4
    assert {one["station"] for one in said["next_stations"]} <= {"temple", "market", "school"}
    assert sum(one["probability"] for one in said["next_stations"]) == pytest.approx(1, abs=1e-3)
    shapes = json.loads((place / "map.geojson").read_text())["features"]
    assert [shape["properties"]["probability"] for shape in shapes] == [0.5, 0.8, 0.95]
    assert {shape["geometry"]["type"] for shape in shapes} == {"MultiPolygon"}
    where, mass = cells(place)
    assert mass.sum() == pytest.approx(1, abs=1e-3)
    mean = mass @ where
    assert mean == pytest.approx([LONGITUDE + 14 * STEP, LATITUDE + 10 * STEP], abs=6 * STEP)


def test_a_map_on_standard_output_stands_there_alone(
    place: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert replay(place, "--out", "-") == 0
    said = capfd.readouterr()
    assert json.loads(said.out)["type"] == "FeatureCollection"
    assert json.loads(said.err)["next_stations"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "cp950"])
def test_tables_as_spreadsheets_write_them(
    place: Path, capsys: pytest.CaptureFixture[str], encoding: str
) -> None:
    for name in ("stations.csv", "checkins.csv"):
        header, _, rows = (place / name).read_text("utf-8").partition("\n")
        text = f"{header.title().replace(',', ' , ')}\n{rows}".replace("temple", "城隍廟")
        (place / name).write_bytes(text.replace("\n", "\r\n").encode(encoding))
    assert replay(place) == 0
    said = json.loads(capsys.readouterr().out)
    assert "城隍廟" in {one["station"] for one in said["next_stations"]}
    (place / "checkins.csv").write_bytes(b"time,person\xff\xfe\x00,station\n\x00")
    assert replay(place) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_station_that_is_online_and_silent_rules_its_surroundings_out(place: Path) -> None:
    """Somebody near the temple for an hour would have been heard; not while it is offline."""

    def near_temple() -> float:
        where, mass = cells(place)
        apart = np.abs(where - [LONGITUDE + 10 * STEP, LATITUDE + 10 * STEP]).max(axis=1)
        return float(mass[apart < 0.5 * STEP].sum())

    at = "2026-03-01T11:00:00Z"
    assert replay(place, *with_streets(place), at=at) == 0
    online = near_temple()
    text = (place / "stations.csv").read_text()
    text = text.replace("80,,\nmarket", "80,2026-01-01T00:00:00Z,2026-03-01T08:30:00Z\nmarket")
    (place / "stations.csv").write_text(text)
    assert replay(place, *with_streets(place), at=at) == 0
    assert near_temple() > 3 * online


@pytest.mark.parametrize(
    ("station", "at"),
    [
        ("far,23.52,120.44,80,,", "2026-03-01T09:01:00Z"),
        ("far,24.0,120.44,80,,", "2026-03-01T10:00:00Z"),
        (f"hears,{LATITUDE},{LONGITUDE},9000,,,60", "2026-12-01T09:00:00Z"),
    ],
    ids=["a minute from the streets", "beyond the rings", "nobody can have been silent"],
)
def test_what_cannot_be_is_a_map_all_the_same(
    place: Path, capsys: pytest.CaptureFixture[str], station: str, at: str
) -> None:
    name = station.partition(",")[0]
    header = STATIONS.strip() + ",detection_per_minute\n"
    (place / "stations.csv").write_text(header + station + "\n")
    (place / "checkins.csv").write_text(f"time,person,station\n2026-03-01T09:00:00Z,a,{name}\n")
    streets(place / "streets.geojson", street_lines(5))
    assert replay(place, *with_streets(place), at=at) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["contours"][0]["area_km2"] > 0
    assert cells(place)[1].sum() == pytest.approx(1, abs=1e-3)
    assert ("from all streets" in err) == (name == "far")


@pytest.mark.parametrize("more", [(), ("--prior", "koester")])
@pytest.mark.parametrize(
    "place_of",
    ["0,0", "48.85,2.35", f"{LATITUDE + 40},{LONGITUDE - 60}", "-23.48,120.44"],
    ids=["nowhere", "another country", "swapped", "south"],
)
def test_a_last_station_of_another_map_is_refused(
    place: Path, capsys: pytest.CaptureFixture[str], place_of: str, more: tuple[str, ...]
) -> None:
    """A map of a fourteenth of a square kilometre was drawn at the streets' edge, 12,000 km off;
    the rings took all memory."""
    with (place / "stations.csv").open("a") as file:
        file.write(f"far,{place_of},80,,\n")
    assert replay(place, *with_streets(place), *more) == 0, "nobody was there"
    capsys.readouterr()
    with (place / "checkins.csv").open("a") as file:
        file.write("2026-03-01T09:10:00Z,a,far\n")
    assert replay(place, *with_streets(place), *more) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert "'far'" in err
    assert "from all streets" in err
    assert err.count("\n") == 1


def test_rows_that_a_spreadsheet_left_empty_are_none(place: Path) -> None:
    for name in ("stations.csv", "checkins.csv"):
        with (place / name).open("a") as file:
            file.write(",,,\n , ,\n")
    assert replay(place) == 0


def test_that_home_was_looked_at_is_told(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever has not must not take the map for the whole of it."""
    assert replay(place, *with_streets(place)) == 0
    assert capsys.readouterr().err == ""  # an hour's check-ins know no home
    night = "2026-02-28T20:00:00Z,a,school\n2026-03-01T08:00:00Z,a,temple\n"
    (place / "checkins.csv").write_text("time,person,station\n" + night)
    assert replay(place, *with_streets(place)) == 0
    assert "look there first" in capsys.readouterr().err


def test_rings_alone(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert replay(place, *with_streets(place), "--prior", "koester") == 0
    half, most, _ = json.loads(capsys.readouterr().out)["contours"]
    assert half["area_km2"] == pytest.approx(np.pi * 1.1265**2, rel=0.1)
    assert most["area_km2"] < np.pi * 12.55**2


@pytest.mark.parametrize(
    ("file", "text", "says"),
    [
        ("stations.csv", STATIONS + "a,23,120,80,,\na,23,120,80,,\n", "line 3: a second station"),
        ("stations.csv", STATIONS, "names no station"),
        ("stations.csv", STATIONS + "a,23,220,80,,\n", "no latitude and longitude"),
        ("stations.csv", STATIONS + "a,23,120,nan,,\n", "a range of nan m"),
        ("stations.csv", STATIONS + "a,23,120,9,yesterday,\n", "yesterday"),
        (
            "stations.csv",
            STATIONS + "".join(f"s{number},23,120,80,,\n" for number in range(5_001)),
            "line 5002: more than 5000 stations",
        ),
        ("checkins.csv", "time,person,station\n", "no check-in"),
        ("checkins.csv", "time,person\n", "no column station"),
        ("checkins.csv", "time,person,station,time\n", "a column twice: time"),
        (
            "checkins.csv",
            "time,person,station\n2026-03-01T08:00:00Z,a,temple,gate\n",
            "line 2: more cells",
        ),
        ("checkins.csv", "time,person,station\n2026-03-01T08:00:00Z,a\n", "a cell is missing"),
        ("checkins.csv", "time,person,station\n2026-03-01T08:00:00Z,a,bar\n", "named 'bar'"),
        (
            "checkins.csv",
            "time,person,station\n2026-03-01T08:00:00Z,a,temple\n2026-03-01T09:00:00Z,b,temple\n",
            "--person",
        ),
        ("streets.geojson", "{", "not JSON"),
        ("streets.geojson", '{"type": "FeatureCollection"}', "no GeoJSON"),
        ("streets.geojson", '{"type": "GeometryCollection", "geometries": []}', "no LineString"),
    ],
)
def test_bad_input_is_one_clear_line(
    place: Path, capsys: pytest.CaptureFixture[str], file: str, text: str, says: str
) -> None:
    (place / file).write_text(text)
    assert replay(place, *with_streets(place)) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert says in err
    assert err.count("\n") == 1


def test_the_order_of_a_files_lines_means_nothing(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    head, *lines = (place / "checkins.csv").read_text().splitlines()
    assert len(lines) > 1
    said = []
    for ordered in (lines, lines[::-1]):
        (place / "checkins.csv").write_text("\n".join([head, *ordered]) + "\n")
        assert replay(place, *with_streets(place)) == 0
        said.append((capsys.readouterr().out, (place / "map.geojson").read_text()))
    assert said[0] == said[1]


def test_a_person_who_is_not_there(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert replay(place, "--person", "nobody") == 2
    assert "'nobody'" in capsys.readouterr().err
    assert replay(place, at="2026-02-01T00:00:00Z") == 2
    assert replay(place, at="noon") == 2


def test_islands(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Half of a town that no street leads to is refused; a courtyard is joined, and told."""
    far = [[[x + 0.5, y] for x, y in line] for line in street_lines(10)]
    streets(place / "streets.geojson", street_lines(10) + far)
    assert replay(place, *with_streets(place)) == 2
    assert "islands" in capsys.readouterr().err
    yard = [[[LONGITUDE + 0.0003, LATITUDE + 0.0003], [LONGITUDE + 0.0006, LATITUDE + 0.0003]]]
    streets(place / "streets.geojson", street_lines() + yard)
    assert replay(place, *with_streets(place)) == 0
    assert "1 small islands" in capsys.readouterr().err


def test_streets_that_cross_everywhere_are_refused(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Eight hundred lines took minutes: of each two that cross four pieces are made."""
    span, step = 20 * STEP, STEP / 20
    across = [[[LONGITUDE, y], [LONGITUDE + span, y]] for y in LATITUDE + step * np.arange(400)]
    up = [[[x, LATITUDE], [x, LATITUDE + span]] for x in LONGITUDE + step * np.arange(400)]
    streets(place / "streets.geojson", across + up)
    assert replay(place, *with_streets(place)) == 2
    assert "cross without a common point more than" in capsys.readouterr().err


def test_streets_that_cross_without_a_common_point_are_joined() -> None:
    ends = [(line[0], line[-1]) for line in street_lines(5)]
    found = ground.streets([[(a[0], a[1]), (b[0], b[1])] for a, b in ends])
    assert found.notes
    whole = ground.streets([[(p[0], p[1]) for p in line] for line in street_lines(5)])
    assert found.length_m.sum() == pytest.approx(whole.length_m.sum(), rel=1e-3)
    assert len(found.nodes) == len(whole.nodes)


@pytest.mark.parametrize("seed", range(5))
def test_outlines_have_the_area_of_their_cells(seed: int) -> None:
    inside = np.random.default_rng(seed).random((12, 9)) < 0.6
    area = 0.0
    for polygon in regions.outlines(inside):
        rings = [np.array(ring, dtype=float) for ring in polygon]
        turned = [float(np.sum(r[:-1, 0] * r[1:, 1] - r[1:, 0] * r[:-1, 1]) / 2) for r in rings]
        assert turned[0] > 0
        assert all(hole < 0 for hole in turned[1:])
        assert all((ring[0] == ring[-1]).all() for ring in rings)
        area += sum(turned)
    assert area == inside.sum()


def test_the_simulated_town_keeps_its_own_rules() -> None:
    """Nobody is heard out of reach, or twice within ten minutes; the truth is kept."""
    town = wanderers.town(3, width_m=3_000, stations=30)
    assert town.geojson()["features"]
    found = [one for seed in range(5) if (one := wanderers.wanderer(town, seed, days=5))]
    assert found
    for one in found:
        times = [BEGAN + timedelta(seconds=at) for at, _ in one.checkins]
        assert all(b - a >= timedelta(seconds=600) for a, b in pairwise(times))
        assert one.at_s >= one.checkins[-1][0]
    again = [wanderers.wanderer(town, seed, days=5) for seed in range(5)]
    assert found == [one for one in again if one]
