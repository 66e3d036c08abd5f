"""Where the person of an open search probably is: by the worker, on the case, as files."""

from __future__ import annotations

import json
from datetime import timedelta
from itertools import pairwise
from math import inf
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import delete

from cloud.search.conftest import LOOKS, Missing, lines, sighting
from cloud_city import GATEWAY, NAME
from vigil_cloud.checkin import port as checkins
from vigil_cloud.checkin.models import StationSilence, Visit
from vigil_cloud.database import clock as stored
from vigil_cloud.database.engine import writing
from vigil_cloud.identity.erasure import erase
from vigil_cloud.identity.roles import Role
from vigil_cloud.identity.whereabouts import Scope
from vigil_cloud.jobs import work
from vigil_cloud.search import ground, likely, planning, probability_map, reach, turns
from vigil_cloud.search.clues import Brought, Searched, Sighting, within
from vigil_cloud.search.models import SearchHit, SearchLikely
from vigil_cloud.search.replay_files import Listed, Seen
from vigil_schemas.types import isoformat_utc

STEP = 0.002
AREA = [[120.44, 23.47], [120.46, 23.47], [120.46, 23.49], [120.44, 23.49]]


@pytest.fixture(autouse=True)
def _coarse_ground(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lattice of a quarter of the points: what is asked here is the same on it, and a map is
    drawn in a fraction of the second that it takes. One test has the whole of it."""
    if request.node.name != test_a_map_is_drawn_once_and_again_when_something_is_known.__name__:
        monkeypatch.setattr(ground, "_MOST_NODES", 1_500)
    nothing_kept()


def nothing_kept() -> None:
    """Of maps before."""
    for kept in (ground.free_ground, ground._of_streets, turns.ways, reach._on):
        kept.cache_clear()


def drawn(missing: Missing) -> int:
    """What the job and the worker do, in this process."""
    services, count = missing.city.services, 0
    with writing(services.sessions) as session:
        for case_id in likely.due(session, missing.city.time):
            work.enqueue(session, likely.LIKELY, case_id, {"case": case_id}, now=missing.city.time)
    kinds = {likely.LIKELY.name: likely.LIKELY}
    while taken := work.take(services.sessions, kinds, "here", missing.city.time):
        (piece,) = taken
        result = likely.compute(likely.load(services, piece.payload))
        work.finish(services.sessions, likely.LIKELY, piece, result, missing.city.time)
        count += 1
    return count


def reported(missing: Missing) -> str:
    """Two hours after she was at the temple, and a police account has access."""
    missing.was_at("station-1", timedelta(hours=2), "visit-before")
    case: str = missing.report()["case_id"]
    missing.access("police", case)
    return case


def segments(missing: Missing, case: str) -> dict[str, dict[str, Any]]:
    found = missing.map("police", case)["likely"]["segments"]
    return {one["name"]: one for one in found}


def test_a_map_is_drawn_once_and_again_when_something_is_known(missing: Missing) -> None:
    case = reported(missing)
    assert missing.map("police", case)["likely"] is None
    assert drawn(missing) == 1
    shown = missing.map("police", case)["likely"]
    areas = [one["area_km2"] for one in shown["contours"]]
    assert [one["probability"] for one in shown["contours"]] == [0.5, 0.8, 0.95]
    assert areas == sorted(areas)
    assert "no-streets" in shown["notes"]
    assert {one["device"] for one in shown["next_stations"]} <= {"station-1", "station-2"}
    assert sum(one["probability"] for one in shown["segments"]) <= 1.0001

    missing.city.later(seconds=30)
    assert drawn(missing) == 0, "nothing is new"
    missing.city.send(sighting(missing.city), "station-2")
    assert drawn(missing) == 1
    near = missing.map("police", case)["likely"]
    assert near["contours"][0]["area_km2"] < areas[0], "she was heard just now"
    missing.city.later(minutes=6)
    assert drawn(missing) == 1, "time moves people"


def test_a_station_that_is_back_is_known_to_have_worked_before(missing: Missing) -> None:
    now, services = missing.city.time, missing.city.services
    silent, back = now - timedelta(minutes=65), now - timedelta(hours=1)
    with writing(services.sessions) as session:
        session.add(StationSilence(device="station-1", since=silent, noticed=silent, ended=back))
    with services.sessions() as session:
        found = {one.name: one for one in map(likely._listed, checkins.stations(session))}
    spans = [
        (one.online_since, one.online_until, one.worked_until)
        for one in (found["station-1"], found["station-2"])
    ]
    assert spans == [(back.timestamp(), inf, silent.timestamp()), (-inf, inf, -inf)]


def test_a_map_is_drawn_anew_after_the_clock_was_set_back(missing: Missing) -> None:
    """Else it would stand still until the clock has caught up, whatever is heard."""
    reported(missing)
    missing.city.later(hours=6)
    assert drawn(missing) == 1
    before, step = missing.city.time, timedelta(hours=-6)
    missing.city.later(hours=-6)
    with writing(missing.city.services.sessions) as session:
        stored.move(session, step, before)
    missing.city.later(seconds=30)
    missing.city.send(sighting(missing.city), "station-2")
    assert drawn(missing) == 1


def test_the_map_of_a_search_without_news_is_drawn_less_and_less_often(missing: Missing) -> None:
    """Each costs a second of the one worker: a search of yesterday keeps it from nobody's."""
    case = reported(missing)
    sessions = missing.city.services.sessions
    assert drawn(missing) == 1
    times = []
    for _ in range(24 * 12):
        now = missing.city.later(minutes=5)
        with writing(sessions) as session:
            if likely.due(session, now) == [case]:
                session.get_one(SearchLikely, case).at = now  # drawn, as the worker would
                times.append(now)
    gaps = [(later - sooner).total_seconds() / 60 for sooner, later in pairwise(times)]
    assert gaps[:10] == [5] * 10
    assert gaps == sorted(gaps)
    assert max(gaps) <= 60
    assert len(times) <= 80  # every five minutes would be 288

    missing.city.later(minutes=1)
    missing.city.send(sighting(missing.city), "station-2")
    assert drawn(missing) == 1, "news is drawn at once"


def test_what_people_saw_and_searched_moves_the_map(missing: Missing) -> None:
    case = reported(missing)
    drawn(missing)
    best = max(segments(missing, case).values(), key=lambda one: float(one["probability"]))
    missing.city.later(seconds=10)
    corners = best["corners"]
    missing.add("police", case, kind="searched", area=corners, text="Walked", worth=0.9)
    assert drawn(missing) == 1
    after = segments(missing, case).get(best["name"])
    assert after is None or after["probability"] < best["probability"] / 2
    assert after is None or after["covered"] == pytest.approx(0.9)

    missing.city.later(seconds=10)
    place = {"latitude": 23.4853, "longitude": 120.4553}
    missing.add("police", case, kind="seen", text="Shopkeeper", worth=0.95, **place)
    assert drawn(missing) == 1
    top = missing.map("police", case)["likely"]["segments"][0]
    middle = np.mean(np.array(top["corners"]), axis=0)
    assert middle == pytest.approx([place["longitude"], place["latitude"]], abs=0.004)
    entries = missing.map("police", case)["entries"]
    assert [one["worth"] for one in entries] == [0.9, 0.95]


def test_a_plan_says_how_probably_it_finds_her(missing: Missing) -> None:
    case = reported(missing)
    client = missing.city.client("police")
    refused = client.get(f"/api/v1/search/cases/{case}/plan")
    assert (refused.status_code, refused.json()["code"]) == (404, "no-search-map")
    drawn(missing)

    def plan(hours: float) -> dict[str, Any]:
        path = f"/api/v1/search/cases/{case}/plan"
        found: dict[str, Any] = client.get(path, params={"team_hours": hours}).json()
        return found

    few, many = plan(2), plan(20)
    assert 0 < few["found"] < many["found"] < 1
    assert sum(one["hours"] for one in many["tasks"]) == pytest.approx(20, rel=0.05)
    gains = [one["gain"] for one in many["tasks"]]
    assert gains == sorted(gains, reverse=True)
    assert client.get(f"/api/v1/search/cases/{case}/plan?team_hours=-1").status_code == 422


def test_exports_are_read_by_other_programs_and_name_nobody(missing: Missing) -> None:
    case = reported(missing)
    drawn(missing)
    client = missing.city.client("police")

    def file(form: str) -> bytes:
        answer = client.get(f"/api/v1/search/cases/{case}/export.{form}")
        assert answer.status_code == 200, answer.text
        assert f".{form}" in answer.headers["content-disposition"]
        return bytes(answer.content)

    shapes = json.loads(file("geojson"))["features"]
    shares = [one["properties"]["probability"] for one in shapes[:3]]
    assert shares == [0.5, 0.8, 0.95]
    assert {one["geometry"]["type"] for one in shapes} == {"MultiPolygon", "Point"}
    kml = ElementTree.fromstring(file("kml"))
    space = {"k": "http://www.opengis.net/kml/2.2"}
    assert len(kml.findall(".//k:Placemark", space)) == len(shapes)
    gpx = ElementTree.fromstring(file("gpx"))
    points = gpx.findall(".//{http://www.topografix.com/GPX/1/1}wpt")
    assert any("Temple gate" in str(one.findtext("{*}name")) for one in points)
    # Where somebody was seen was not searched.
    missing.add("police", case, kind="seen", area=AREA, text="Seen here", worth=0.4)
    missing.add("police", case, kind="searched", area=AREA, text="Walked", worth=0.9)
    titles = [one["properties"]["title"] for one in json.loads(file("geojson"))["features"]]
    assert [title for title in titles if title.startswith(("seen", "Searched"))] == [
        "seen (40%)",
        "Searched (POD 90%)",
    ]
    for form in ("geojson", "kml", "gpx"):
        assert NAME.encode() not in file(form)
    assert ("police", "location.exported") in [
        (who, what) for who, what, _ in lines(missing.city, "location.exported", *LOOKS)
    ]
    assert client.get(f"/api/v1/search/cases/{case}/export.csv").status_code == 422


def test_it_is_shown_like_the_footprint_and_gone_with_the_end(missing: Missing) -> None:
    case = reported(missing)
    drawn(missing)
    guardian = missing.map("family", case)
    assert guardian["footprint_withheld"] is True, "a guardian without a consent"
    assert guardian["likely"] is None
    assert missing.city.client("family").get(f"/api/v1/search/cases/{case}/plan").status_code == 404
    missing.end("police", case)
    with missing.city.services.sessions() as session:
        assert session.get(SearchLikely, case) is None
    assert drawn(missing) == 0


def test_a_guardian_sees_of_a_search_what_their_own_consent_opens(missing: Missing) -> None:
    city = missing.city
    missing.was_at("station-1", timedelta(hours=5), "visit-before")
    missing.was_at("station-2", timedelta(hours=2), "visit-after")
    case = missing.report()["case_id"]
    drawn(missing)
    shown = ("footprint", "footprint_withheld", "footprint_since", "likely")

    city.consent("family", days=0.5, scopes={Scope.LAST_PLACE})
    mine = missing.map("family", case)
    assert [mine[one] for one in shown] == [[], True, None, None]
    assert (mine["last_place"]["name"], mine["last_place"]["source"]) == ("Market", "visit")

    # From a moment on: nothing older, and nothing that is drawn from what is older.
    begin = city.time - timedelta(hours=3)
    city.consent("family", scopes={Scope.FOOTPRINT}, footprint_from=begin)
    mine = missing.map("family", case)
    assert [one["name"] for one in mine["footprint"]] == ["Market"]
    assert [mine[one] for one in shown[1:]] == [False, isoformat_utc(begin), None]
    for path in ("plan", "export.geojson"):
        answer = city.client("family").get(f"/api/v1/search/cases/{case}/{path}")
        assert answer.json()["code"] == "no-search-map", path

    city.consent("family", scopes={Scope.FOOTPRINT})
    mine = missing.map("family", case)
    assert (len(mine["footprint"]), mine["footprint_since"]) == (2, None)
    assert mine["likely"] is not None


def test_a_guardian_whose_footprint_begins_later_is_shown_a_map_of_that_alone(
    missing: Missing,
) -> None:
    city = missing.city
    missing.was_at("station-1", timedelta(hours=9), "visit-before")
    missing.was_at("station-2", timedelta(hours=2), "visit-after")
    begin = city.time - timedelta(hours=3)
    city.consent("family", scopes={Scope.FOOTPRINT}, footprint_from=begin)
    case = missing.report()["case_id"]
    missing.access("police", case)
    assert missing.map("family", case)["likely"] is None
    drawn(missing)

    whole, mine = (missing.map(who, case)["likely"] for who in ("police", "family"))
    assert (whole["footprint_since"], mine["footprint_since"]) == (None, isoformat_utc(begin))
    assert whole["contours"] != mine["contours"], "their habits are not in it"
    for path in ("plan", "export.geojson"):
        answer = city.client("family").get(f"/api/v1/search/cases/{case}/{path}")
        assert answer.status_code == 200, path
    shares = [one["properties"]["probability"] for one in answer.json()["features"][:3]]
    shapes = [one["geometry"]["coordinates"] for one in answer.json()["features"][:3]]
    assert shares == [0.5, 0.8, 0.95]
    assert shapes == [one["polygons"] for one in mine["contours"]], "not those of the whole"

    # What was before leaves no trace: drawn again without it, the map is the same.
    with writing(city.services.sessions) as session:
        gone = delete(Visit).where(Visit.last_seen < begin)
        assert session.execute(gone.returning(Visit.id)).all()
    loaded = likely.load(city.services, {"case": case})
    assert loaded is not None
    without = likely.compute(loaded)
    assert without is not None
    for name in ("contours", "segments", "notes"):
        assert without[name] == without["cuts"][likely.cut_of(begin)][name]
    assert [one["polygons"] for one in without["contours"]] == shapes


def test_a_part_of_the_map_is_drawn_of_what_is_open_and_for_guardians_alone(
    missing: Missing,
) -> None:
    city = missing.city
    for hours, station in ((9, "station-1"), (2, "station-2")):
        missing.was_at(station, timedelta(hours=hours), f"visit-{hours}-hours")
    case = missing.report()["case_id"]
    begin = city.time - timedelta(hours=3)
    city.consent("stranger", scopes={Scope.FOOTPRINT}, footprint_from=begin)
    loaded = likely.load(city.services, {"case": case})
    assert loaded is not None
    assert (loaded.cuts, {one.station for one in loaded.seen}) == ({}, {"station-1", "station-2"})

    city.guardian("stranger")
    city.consent("family", scopes={Scope.FOOTPRINT}, footprint_from=city.time)
    loaded = likely.load(city.services, {"case": case})
    assert loaded is not None
    assert set(loaded.cuts) == {likely.cut_of(begin)}, "of nothing known nothing is drawn"
    (part,) = loaded.cuts.values()
    assert {one.station for one in part.seen} == {"station-2"}
    assert min(one.at_s for one in part.seen) >= begin.timestamp()

    for number in range(3):
        city.account(f"uncle-{number}", Role.FAMILY)
        city.guardian(f"uncle-{number}")
        since = begin + timedelta(minutes=1 + number)
        city.consent(f"uncle-{number}", scopes={Scope.FOOTPRINT}, footprint_from=since)
    loaded = likely.load(city.services, {"case": case})
    assert loaded is not None
    assert set(loaded.cuts) == {
        likely.cut_of(begin + timedelta(minutes=minutes)) for minutes in range(3)
    }


def test_who_is_shown_less_from_now_on_sees_no_map_of_before(missing: Missing) -> None:
    city = missing.city
    case = reported(missing)
    consent = city.consent("family", scopes={Scope.FOOTPRINT})
    drawn(missing)
    assert missing.map("family", case)["likely"] is not None
    less = {"scopes": ["footprint"], "footprint_from": "now"}
    path = f"/api/v1/people/p1/consents/{consent}/scopes"
    assert city.client("family").put(path, json=less).status_code == 200
    assert missing.map("family", case)["likely"] is None, "at once"

    narrowed = city.time
    city.later(minutes=6)
    city.send(sighting(city), "station-2")
    drawn(missing)
    mine = missing.map("family", case)["likely"]
    assert mine["footprint_since"] == isoformat_utc(narrowed)
    assert mine["since"] == isoformat_utc(city.time), "it begins with the hit"
    # Whoever is shown less still is not shown that one.
    later = city.client("family").get("/api/v1/people/p1/consents").json()["consents"][0]["id"]
    path = f"/api/v1/people/p1/consents/{later}/scopes"
    assert city.client("family").put(path, json=less).status_code == 200
    assert missing.map("family", case)["likely"] is None


def test_it_is_destroyed_with_the_person(missing: Missing) -> None:
    case = reported(missing)
    drawn(missing)
    erase(missing.city.services, "p1", by="administrator")
    with missing.city.services.sessions() as session:
        assert session.get(SearchLikely, case) is None
    assert drawn(missing) == 0


def test_streets_that_an_operator_imported_are_followed(missing: Missing, tmp_path: Path) -> None:
    along = [[[120.43 + x * STEP, 23.47 + y * STEP] for x in range(12)] for y in range(12)]
    grid = along + [list(line) for line in zip(*along, strict=True)]
    as_lines = [[(x, y) for x, y in line] for line in grid]
    with writing(missing.city.services.sessions) as session:
        likely.put_streets(session, as_lines, missing.city.time)
    with missing.city.services.sessions() as session:
        kept = likely.streets(session)
        assert kept is not None
        assert len(kept) == 24
    case = reported(missing)
    drawn(missing)
    assert "no-streets" not in missing.map("police", case)["likely"]["notes"]


def test_nobody_knows_where_she_was(missing: Missing) -> None:
    case = missing.report()["case_id"]
    missing.access("police", case)
    assert drawn(missing) == 1
    assert missing.map("police", case)["likely"] is None
    assert drawn(missing) == 0, "asked again in a few minutes, not at once"


def test_a_replayed_identity_draws_nobody_there(missing: Missing) -> None:
    case = reported(missing)
    hit = {"gateway": GATEWAY, "received": missing.city.time, "at_once": True}
    with writing(missing.city.services.sessions) as session:
        for device, doubts in (("station-1", ["identity"]), ("station-2", ["time"])):
            heard = {"first": missing.city.time, "last": missing.city.time}
            session.add(SearchHit(case_id=case, device=device, doubts=doubts, **hit, **heard))
    asked = likely.load(missing.city.services, {"case": case})
    assert asked is not None
    now = missing.city.time.timestamp()
    assert [one.station for one in asked.seen if one.at_s == now] == ["station-2"]


@pytest.mark.parametrize(
    "brought",
    [
        Brought("seen", 600.0, 1.0, latitude=23.6, longitude=120.44),
        Brought("searched", 600.0, 1.0, latitude=23.48, longitude=120.44, radius_m=20_000.0),
    ],
    ids=["seen where nobody gets", "everything searched"],
)
def test_what_people_are_certain_of_leaves_a_map(brought: Brought) -> None:
    listed = [Listed("temple", 23.48, 120.44, 80.0, -inf, inf, 0.5)]
    found = probability_map.draw(listed, [Seen(0.0, "temple")], 900.0, None, brought=[brought])
    assert found.raster.mass.sum() == pytest.approx(1.0)
    assert [0 < one["area_km2"] < 100 for one in found.contours()] == [True] * 3


def test_who_was_heard_once_a_week_ago_lives_near_and_has_not_walked_for_a_week() -> None:
    """All of them were taken to be astray since then, wherever that leads."""
    listed = [Listed("temple", 23.48, 120.44, 80.0, -inf, inf, 0.5)]
    for days, home in ((0.1, False), (7.0, True)):
        found = probability_map.draw(listed, [Seen(0.0, "temple")], days * 86_400.0, None)
        assert ("home-first" in [note.code for note in found.notes]) is home


GRID = [
    [(120.43 + STEP * i, 23.47 + STEP * j) for i, j in ends]
    for at in range(11)
    for ends in ([(n, at) for n in range(11)], [(at, n) for n in range(11)])
]


@pytest.mark.parametrize("streets", [None, GRID], ids=["free ground", "streets"])
def test_what_is_kept_of_a_ground_changes_no_map(streets: Any) -> None:
    """Drawn in turn with those of another search, whose stations reach further or are silent."""
    temple = Listed("temple", 23.48, 120.44, 80.0, -inf, inf, 0.5)
    cities = [
        [temple, Listed("shop", 23.484, 120.444, range_m, -inf, until, rate)]
        for range_m, until, rate in ((80.0, inf, 0.5), (300.0, inf, 0.5), (80.0, 1_000.0, 0.1))
    ]

    def drawn(listed: list[Listed]) -> probability_map.SearchMap:
        return probability_map.draw(listed, [Seen(0.0, "temple")], 3_600.0, streets)

    kept = [drawn(listed) for _ in range(2) for listed in cities]
    assert len({id(one.ground) for one in kept}) == 1
    for one, listed in zip(kept, 2 * cities, strict=True):
        nothing_kept()
        alone = drawn(listed)
        assert (one.raster.mass == alone.raster.mass).all()
        assert one.next_stations == alone.next_stations
    assert len({one.raster.mass.tobytes() for one in kept}) == len(cities)


hours = st.floats(0.1, 500.0)
chances = st.lists(st.floats(1e-3, 0.1), min_size=1, max_size=30)


@settings(max_examples=60, deadline=None)
@given(chances, hours)
def test_no_hour_of_a_plan_is_better_spent_elsewhere(
    chance: list[float], team_hours: float
) -> None:
    """The gain of the last minute is the same wherever anybody is sent, and smaller elsewhere."""
    found = [planning.Segment(str(n), [], p, 500.0 + 37 * n, 0.0) for n, p in enumerate(chance)]
    tasks = planning.plan(found, team_hours)
    paces = {one.name: planning.SWEEP_M_H / one.way_m for one in found}
    spent = {one.name: one.hours for one in tasks}
    last = [
        one.probability * paces[one.name] * np.exp(-paces[one.name] * spent.get(one.name, 0.0))
        for one in found
    ]
    used = [last[n] for n, one in enumerate(found) if spent.get(one.name, 0.0) > 0.05]
    if used:
        assert max(used) <= min(used) * 1.05
        assert max(last) <= max(used) * 1.2
    assert sum(spent.values()) <= team_hours * 1.001


def test_a_sighting_that_may_be_wrong_leaves_the_rest_possible() -> None:
    box = (0.0, 0.0, 4_000.0, 4_000.0)
    points = np.array([[1_000.0, 1_000.0], [3_000.0, 3_000.0]])
    here, there = Sighting(0.0, (1_000.0, 1_000.0), 0.5).factors(points, box)
    assert there == pytest.approx(0.5)
    assert here > 50
    assert Sighting(0.0, (1_000.0, 1_000.0), 0.0).factors(points, box) == pytest.approx([1, 1])
    square = [(0.0, 0.0), (2_000.0, 0.0), (2_000.0, 2_000.0), (0.0, 2_000.0)]
    assert within(points, square).tolist() == [True, False]
    assert Searched(0.0, 0.7, corners=square).factors(points, box) == pytest.approx([0.3, 1.0])
