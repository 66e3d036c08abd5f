"""The register of waterways: what is imported, what is refused and why, who sees which owner."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cloud_city import City
from vigil_cloud.database.engine import writing
from waterways import features, geojson

IMPORT = "/api/v1/water/network/import"


def bring(city: City, text: str, format: str = "geojson", who: str = "inspector") -> Any:
    return city.client(who).post(IMPORT, params={"format": format}, content=text.encode())


def mistakes(city: City, text: str, format: str = "geojson") -> list[str]:
    answer = bring(city, text, format)
    assert answer.status_code == 422, answer.text
    problem = answer.json()
    assert problem["code"] == "bad-water-network"
    before = city.client("inspector").get("/api/v1/water/network").json()
    assert before == {"reaches": [], "points": [], "areas": []}, "nothing of it was taken"
    found: list[str] = problem["data"]["mistakes"]
    return found


def collection(changed: dict[str, Any] | None = None, **of: Any) -> str:
    """The canal with other properties of one feature, or with one feature more."""
    found = features()
    if changed is not None:
        found.append(changed)
    for one in found:
        one["properties"] |= of.get(one["properties"]["id"].replace("-", "_"), {})
    return json.dumps({"type": "FeatureCollection", "features": found})


def test_what_is_imported_is_exported_and_imported_again(city: City) -> None:
    answer = bring(city, geojson())
    assert answer.is_success, answer.text
    taken = answer.json()
    assert (taken["reaches"], taken["points"], taken["areas"]) == (4, 6, 1)
    assert taken["notes"] == ["no velocity_m_s and no travel_s: 2 reaches, taken as 0.5 m/s"]
    first = city.client("inspector").get("/api/v1/water/network").json()
    r3 = next(one for one in first["reaches"] if one["id"] == "r3")
    assert r3["length_m"] == pytest.approx(1020, abs=3)
    assert r3["travel_s"] == pytest.approx(2 * r3["length_m"])
    assert (r3["slope"], r3["flow_m3_s"]) == (0.001, 1.2)
    for shape in ("csv", "geojson"):
        out = city.client("inspector").get("/api/v1/water/network/export", params={"format": shape})
        assert bring(city, out.text, shape).is_success, out.text
        assert city.client("inspector").get("/api/v1/water/network").json() == first


def test_an_owner_who_is_a_person_is_sealed_and_shown_to_those_who_inspect(city: City) -> None:
    bring(city, geojson())

    def owners(who: str) -> dict[str, str | None]:
        found = city.client(who).get("/api/v1/water/network").json()["points"]
        return {one["id"]: one["owner"] for one in found if one["kind"] == "outfall"}

    assert owners("inspector")["o-yard"] == "林大明"
    assert owners("reviewer")["o-yard"] is None
    assert owners("reviewer")["o-plating"] == "Hsin Metals Ltd"
    assert bring(city, geojson(), who="reviewer").status_code == 403
    with writing(city.services.sessions) as session:
        connection = session.connection().connection.driver_connection
        assert connection is not None
        assert "林大明" not in "\n".join(connection.iterdump())


@pytest.mark.parametrize(
    ("text", "format", "said"),
    [
        ("ref,name\n1,x\n", "csv", "line 1: no column id, kind"),
        ("id,kind\nr1,reach\n", "csv", "line 1: no column wkt, and no columns lat and lon"),
        ("id,kind,lat,lon,colour\n", "csv", "line 1: unknown columns: colour"),
        ("id,kind,wkt\nr1,reach,CIRCLE (1)\n", "csv", "line 2: wkt is no POINT"),
        ("id,kind,wkt\n", "csv", "there is nothing in it"),
        ("id,kind,wkt,Name,name\n", "csv", "line 1: named twice: name"),
        ("{}", "geojson", "no GeoJSON FeatureCollection"),
        ('{"features": [3]}', "geojson", "feature 1: no feature"),
        (collection(r1={"to": "a"}), "geojson", "begins and ends at the same node"),
        (collection(r1={"length_m": 0}), "geojson", "feature 1: its length is 0"),
        (collection(r1={"velocity_m_s": 0}), "geojson", "feature 1: velocity_m_s"),
        (collection(r1={"from": "d"}), "geojson", "in a circle through the nodes b, c, d"),
        (collection(r2={"id": "r1"}), "geojson", "feature 2: id 'r1' is there already"),
        (collection(o_yard={"permit": ""}), "geojson", "feature 8: a registered outfall has a"),
        (collection(g1={"area": "f9"}), "geojson", "feature 10: there is no irrigation area 'f9'"),
        (collection(o_yard={"reach": "r9"}), "geojson", "feature 8: there is no reach 'r9'"),
        (collection(o_yard={"reach": "r4"}), "geojson", "feature 8: it lies on no canal: r4"),
        (collection(s1={"offset_m": 5000}), "geojson", "offset_m 5000 lies beyond r3"),
        (collection(s1={"kind": "pump"}), "geojson", "feature 5: kind 'pump'"),
        (
            collection(
                {
                    "type": "Feature",
                    "geometry": {"type": "Point", "coordinates": [120.5, 23.5]},
                    "properties": {"id": "o9", "kind": "outfall", "permit": "X"},
                }
            ),
            "geojson",
            "feature 12: it lies on no canal: r4, the nearest, is",
        ),
        (
            collection(
                {
                    "type": "Feature",
                    "geometry": {"type": "Point", "coordinates": [23.47, 120.44]},
                    "properties": {"id": "o9", "kind": "outfall", "permit": "X"},
                }
            ),
            "geojson",
            "feature 12: a position lies outside of the world: longitude first",
        ),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_taken(
    city: City, text: str, format: str, said: str
) -> None:
    assert any(said in one for one in mistakes(city, text, format)), mistakes(city, text, format)


def test_several_mistakes_are_named_at_once_and_bytes_are_no_text(city: City) -> None:
    both = collection(r1={"length_m": 0}, o_yard={"permit": ""})
    assert len(mistakes(city, both)) == 2
    answer = city.client("inspector").post(IMPORT, content=b"\xff\xfe\x00")
    assert answer.json()["data"]["mistakes"] == ["it is not UTF-8"]
    large = city.client("inspector").post(IMPORT, content=b" " * (8 * 1024 * 1024 + 1))
    assert large.status_code == 422


def test_a_reach_drawn_anew_does_not_leave_its_outfalls_behind(city: City) -> None:
    bring(city, geojson())
    moved = features()[2]
    moved["geometry"]["coordinates"] = [[120.44, 23.49], [120.45, 23.49]]
    answer = bring(city, json.dumps({"features": [moved]}))
    assert answer.status_code == 422
    assert "reach r3: outfall o-plating would lie" in answer.json()["detail"]


def test_on_the_command_line(
    city: City,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    from vigil_cloud.cli import main

    monkeypatch.setenv("VIGIL_DATA_DIR", str(city.settings.data_dir))
    monkeypatch.setenv("VIGIL_SECRET_KEY", city.settings.secret)
    file = tmp_path / "canal.geojson"
    file.write_text(geojson(), "utf-8")
    assert main(["water", "import", str(file)]) == 0
    assert main(["water", "export", str(tmp_path / "out.csv")]) == 0
    assert main(["water", "import", str(tmp_path / "out.csv")]) == 0
    capfd.readouterr()
    assert main(["water", "export", "-"]) == 0
    assert json.loads(capfd.readouterr().out)["type"] == "FeatureCollection"
    assert main(["water", "rules", "--join-minutes", "30"]) == 0
    assert main(["water", "rules", "--join-minutes", "-1"]) == 2
    assert main(["water", "remove", "r1", "g1"]) == 0
    found = city.client("inspector").get("/api/v1/water/network").json()
    assert [one["id"] for one in found["reaches"]] == ["r2", "r3", "r4"]
    assert "g1" not in {one["id"] for one in found["points"]}


def test_the_rules_of_incidents_are_decided_over_http(city: City) -> None:
    inspector = city.client("inspector")
    rules = inspector.get("/api/v1/water/rules").json()
    version = rules.pop("version")
    assert (
        rules.items()
        >= {
            "join_minutes": 60.0,
            "reopen_minutes": 120.0,
            "neighbour_m": 5000.0,
            "longest_hours": 24.0,
        }.items()
    )
    changed = {**rules, "join_minutes": 30.0}
    answer = inspector.put("/api/v1/water/rules", json={**changed, "version": version})
    assert answer.json().items() >= changed.items()
    # Somebody who looked before that does not undo it unseen
    late = inspector.put("/api/v1/water/rules", json={**rules, "version": version})
    assert (late.status_code, late.json()["code"]) == (409, "water-rules-changed")
    for wrong in ({**rules, "neighbour_m": 50_001}, {"join_minutes": 30}, {**rules, "limit": 1}):
        assert inspector.put("/api/v1/water/rules", json=wrong).status_code == 422
    assert inspector.get("/api/v1/water/rules").json()["join_minutes"] == 30.0
