"""Hydrants: read from files as they come, told to 119 and to whoever leads."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import select

from aed_town import Line119
from cloud_city import City
from fire_town import BEDROOM, KITCHEN, Home, ring
from vigil_cloud import cli
from vigil_cloud.database.engine import writing
from vigil_cloud.smoke import hydrants
from vigil_cloud.smoke.hydrants import BadHydrants
from vigil_cloud.smoke.models import Hydrant

PLACE = (23.481, 120.441)
"""Of the home."""
NORTH = 1 / 111_195.0


def point(lon: Any, lat: Any, **tags: Any) -> dict[str, Any]:
    geometry = {"type": "Point", "coordinates": [lon, lat]}
    return {"type": "Feature", "properties": tags, "geometry": geometry}


def collection(*features: Any) -> bytes:
    return json.dumps({"type": "FeatureCollection", "features": features}).encode()


def names(content: bytes) -> list[str]:
    return [row["id"] for row in hydrants.parse(content)]


def kept(city: City) -> set[str]:
    with city.services.sessions() as session:
        return set(session.scalars(select(Hydrant.id)))


def test_openstreetmaps_points_and_ponds() -> None:
    pond = {
        "type": "Feature",
        "properties": {"emergency": "fire_water_pond", "@id": "way/7"},
        "geometry": {"type": "Polygon", "coordinates": [[[120.0, 23.0], [120.2, 23.4]]]},
    }
    found = hydrants.parse(
        collection(
            point(120.44, 23.48, emergency="fire_hydrant", ref="H1", **{"@id": "node/1"}),
            point(120.44, 23.48, ref="H1", **{"@id": "node/2", "fire_hydrant:type": "underground"}),
            point(120.44, 23.48, emergency="suction_point", id=12),
            pond,
        )
    )
    assert [(row["id"], row["kind"]) for row in found] == [
        ("H1", "hydrant"),
        ("node/2", "underground"),
        ("12", "suction_point"),
        ("way/7", "fire_water_pond"),
    ]
    assert (found[3]["longitude"], found[3]["latitude"]) == pytest.approx((120.1, 23.2))


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbfid,lat,lon,kind\r\nH-1,23.48,120.44,underground\r\n",
        "編號,經度,緯度,型式\nH-1,120.44,23.48,地下式\n".encode("cp950"),
        "編號,經度,緯度,型式\nH-1,120.44,23.48,地下式\n".encode(),
    ],
)
def test_spreadsheets_in_either_language_and_encoding(content: bytes) -> None:
    (row,) = hydrants.parse(content)
    assert row == {"id": "H-1", "kind": "underground", "latitude": 23.48, "longitude": 120.44}


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "empty"),
        (b"{", "no GeoJSON"),
        (b"[]", "no GeoJSON"),
        (b"\xff\xfe\x00", "neither UTF-8 nor Big5"),
        (collection(), "not one hydrant"),
        (collection(point(220.44, 23.48, ref="H1")), "feature 1: lon"),
        (collection(point(120.44, True, ref="H1")), "feature 1: lat"),
        (collection(point(120.44, 23.48)), "feature 1: id"),
        (collection(point(120.44, 23.48, ref="H\n1")), "feature 1: id"),
        (collection(point(1, 2, ref="H1"), point(1, 2, ref="H1")), "feature 2: 'H1' is there"),
        (collection(point(1, 2, ref="A", emergency="defibrillator")), "is no water"),
        (collection(None), "feature 1"),
        (collection({"properties": {"ref": "x"}, "geometry": None}), "feature 1"),
        (b"id,lon,lat,kind\nH,120,nan,\n", "line 2: lat"),
        (b"id,lon,lat\n,120,23\n", "line 2: id"),
    ],
)
def test_a_file_with_a_mistake_says_where(content: bytes, told: str) -> None:
    with pytest.raises(BadHydrants, match=told):
        hydrants.parse(content)


def test_119_and_whoever_leads_are_told_the_nearest(home: Home, line: Line119) -> None:
    away = {"H-far": 299.0, "H-near": 40.0, "H-third": 120.0, "H-fourth": 290.0, "H-out": 320.0}
    rows = [point(PLACE[1], PLACE[0] + north * NORTH, ref=name) for name, north in away.items()]
    with writing(home.city.services.sessions) as session:
        assert hydrants.replace(session, collection(*rows)) == len(away)
    ring(home)
    ring(home, BEDROOM)
    home.look()
    (told,) = line.received
    text = told.decode()
    assert "Hydrants: hydrant H-near, 40 m (23.48136, 120.44100); hydrant H-third, 120 m" in text
    assert "鄰近水源：消防栓 H-near，40 公尺" in text
    assert "H-far" not in text
    assert "H-out" not in text
    shown = home.card()["hydrants"]
    assert [(one["id"], one["away_m"]) for one in shown] == [
        ("H-near", 40),
        ("H-third", 120),
        ("H-fourth", 290),
    ]


def test_119_is_called_where_none_is_known(home: Home, line: Line119) -> None:
    ring(home, KITCHEN)
    ring(home, BEDROOM)
    home.look()
    assert len(line.received) == 1
    assert home.card()["hydrants"] == []


def test_the_command_takes_a_file_whole_or_not_at_all(
    city: City, tmp_path: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VIGIL_DATA_DIR", str(city.settings.data_dir))
    monkeypatch.setenv("VIGIL_SECRET_KEY", city.settings.secret)
    file = tmp_path / "hydrants.csv"
    file.write_text("id,lon,lat,kind\nH1,120.44,23.48,\nH2,120.44,23.49,wall\n", "utf-8")
    assert cli.main(["smoke", "hydrants", str(file)]) == 0
    assert capsys.readouterr().out.startswith("2 hydrants")
    assert kept(city) == {"H1", "H2"}
    file.write_text("id,lon,lat,kind\nH3,120.44,23.48,\nH4,1200,23.49,\n", "utf-8")
    assert cli.main(["smoke", "hydrants", str(file)]) == 2
    error = capsys.readouterr().err.strip().splitlines()
    assert len(error) == 1
    assert error[0].startswith("vigil-cloud: bad-hydrants: line 3: lon")
    assert cli.main(["smoke", "hydrants", str(tmp_path / "none.csv")]) == 2
    assert kept(city) == {"H1", "H2"}
    file.write_text("id,lon,lat,kind\nH3,120.44,23.48,\n", "utf-8")
    assert cli.main(["smoke", "hydrants", str(file)]) == 0
    assert kept(city) == {"H3"}
