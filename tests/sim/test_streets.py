"""The streets of the simulated city: one graph, the same each time, that the cloud can draw."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vigil_cloud.street_map import geojson_file, pmtiles_file, tiling
from vigil_sim import cli, scenario
from vigil_sim.streets import ATTRIBUTION, streets, write
from vigil_sim.world import World

NIGHT = scenario.load("city-night")


def test_whoever_walks_reaches_nearly_every_crossing() -> None:
    city = streets(World(NIGHT, NIGHT.seed))
    beside: dict[tuple[int, int], list[tuple[int, int]]] = {key: [] for key in city.crossings}
    for one, other in city.edges:
        beside[one].append(other)
        beside[other].append(one)
    reached, ahead = {(0, 0)}, [(0, 0)]
    while ahead:
        for key in beside[ahead.pop()]:
            if key not in reached:
                reached.add(key)
                ahead.append(key)
    assert len(reached) > 0.98 * len(city.crossings)


def test_the_main_roads_cross_at_the_origin_with_their_names() -> None:
    city = streets(World(NIGHT, NIGHT.seed))
    through = {way.tags.get("name:en") for way in city.ways if (0.0, 0.0) in way.points}
    assert through == {"Zhongshan Road", "Minzu Road"}
    drawn = [way for way in city.ways if way.tags.get("highway") in {"primary", "secondary"}]
    assert all("name" in way.tags and "name:en" in way.tags for way in drawn)


def test_the_same_seed_writes_the_same_file_and_another_does_not(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("one", "two", "three")]
    write(NIGHT, files[0])
    write(NIGHT, files[1])
    write(NIGHT.model_copy(update={"seed": 7}), files[2])
    one, two, three = (file.read_bytes() for file in files)
    assert one == two != three


def test_the_cloud_draws_every_feature_of_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "streets.geojson"
    assert cli.main(["streets", "city-night", "--out", str(path)]) == 0
    count = json.loads(capsys.readouterr().out)["features"]

    found = geojson_file.read(path)

    assert (found.left_out, found.attribution, found.said) == (0, ATTRIBUTION, True)
    assert len(found.things) >= count > 300
    tiling.write(found, tmp_path / "streets.pmtiles")
    west, south, east, north = pmtiles_file.read(tmp_path / "streets.pmtiles").bounds
    for device in NIGHT.devices:
        latitude, longitude = World(NIGHT, NIGHT.seed).geographic(device.at)
        assert west < longitude < east
        assert south < latitude < north
