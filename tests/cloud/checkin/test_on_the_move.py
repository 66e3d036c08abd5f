"""Stations that move: what they hear is shown where they were, and nothing is guessed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from cloud.search.conftest import Missing
from cloud_city import NOON, TAG, City, visit
from vigil_cloud.checkin import amulets
from vigil_cloud.database.engine import writing
from vigil_cloud.devices.models import Device
from vigil_cloud.search import likely
from vigil_cloud.search.models import Search
from vigil_schemas.checkin import CheckinSighting, StationPosition
from vigil_schemas.types import isoformat_utc

CAR = "station-2"
STICKER = "epc:30340789000c0e42dfdc1c35"
CODE = "A7K3M-92MDT"
UNKNOWN = ("no-fix", "too-old", "no-receiver")


@pytest.fixture
def street(city: City) -> City:
    """The market's station is a car now: it has no place of its own."""
    city.guardian("family")
    city.consent("family")
    with writing(city.services.sessions) as session:
        car = session.get_one(Device, CAR)
        car.latitude = car.longitude = None
    return city


def fix(at: datetime, latitude: float = 23.50, within_m: float | None = 4.0) -> StationPosition:
    return StationPosition(
        state="fixed", latitude=latitude, longitude=120.44, within_m=within_m, at=at
    )


def unknown(state: Any) -> StationPosition:
    return StationPosition(state=state)


def passes(
    city: City, position: StationPosition | None, id: str, *, tag: str = TAG, phase: str = "arrived"
) -> None:
    made = visit(city.time, phase, id=id, tag=tag)
    city.send(made.model_copy(update={"position": position}), CAR)


def footprint(city: City) -> list[dict[str, Any]]:
    city.later(seconds=1)  # what is of this very moment is not yet in the past
    found: list[dict[str, Any]] = (
        city.client("family").get("/api/v1/people/p1/footprints").json()["visits"]
    )
    return found


def test_a_visit_is_shown_where_the_station_was_and_how_well_it_knew(street: City) -> None:
    passes(street, fix(street.time), "visit-car-1")
    (shown,) = footprint(street)
    assert (shown["latitude"], shown["longitude"]) == (23.50, 120.44)
    assert shown["position"] == {
        "state": "fixed",
        "within_m": 4.0,
        "at": isoformat_utc(NOON),
    }
    assert (shown["name"], shown["name_zh"]) == ("Market (on the move)", "市場（移動中）")
    last = street.client("family").get("/api/v1/people/p1/last-place").json()["last"]
    assert (last["latitude"], last["position"]["state"]) == (23.50, "fixed")
    (alert,) = street.alerts("family")
    assert (alert["latitude"], alert["longitude"]) == (23.50, 120.44)


@pytest.mark.parametrize("state", UNKNOWN)
def test_a_place_that_is_not_known_is_said_and_not_guessed(street: City, state: str) -> None:
    passes(street, unknown(state), "visit-car-1")
    (shown,) = footprint(street)
    assert (shown["latitude"], shown["longitude"]) == (None, None)
    assert shown["position"]["state"] == state
    assert "on the move, " in shown["name"]
    (alert,) = street.alerts("family")
    assert (alert["latitude"], alert["longitude"]) == (None, None)


def test_the_place_of_the_strongest_sign_stays_when_the_receiver_fails(street: City) -> None:
    passes(street, fix(street.time), "visit-car-1")
    street.later(minutes=1)
    passes(street, unknown("no-receiver"), "visit-car-1", phase="departed")
    (shown,) = footprint(street)
    assert (shown["latitude"], shown["position"]["state"]) == (23.50, "fixed")


def test_visits_of_a_car_at_two_places_are_two_stays(street: City) -> None:
    for number, latitude in enumerate((23.50, 23.51)):
        passes(street, fix(street.time, latitude), f"visit-car-{number}", phase="departed")
        street.later(minutes=8)
    assert [one["latitude"] for one in footprint(street)] == [23.50, 23.51]


def test_a_car_is_no_place_at_which_anybody_usually_is(street: City) -> None:
    for day in range(3):
        passes(street, fix(street.time), f"visit-car-{day}", phase="departed")
        street.send(visit(street.time, "departed", id=f"visit-temple-{day}"), "station-1")
        street.later(days=1)
    places = street.client("family").get("/api/v1/people/p1/last-place").json()["usual_places"]
    assert [one["device"] for one in places] == ["station-1"]


def test_a_copy_shows_by_where_the_car_was(street: City) -> None:
    """Three hundred metres from the temple is no contradiction, thirty kilometres are."""
    street.send(visit(street.time, id="visit-temple"), "station-1")
    passes(street, fix(street.time, 23.483), "visit-car-1")
    assert [one["doubt"] for one in footprint(street)] == [None, None]
    passes(street, fix(street.time, 23.75), "visit-car-2")
    assert "too-fast" in {one["doubt"] for one in footprint(street)}


def test_a_zone_is_asked_of_where_the_car_was(street: City) -> None:
    street.rule("left-zone", latitude=23.50, longitude=120.44, radius_m=500.0)
    passes(street, fix(street.time, 23.501), "visit-car-1")
    passes(street, unknown("no-fix"), "visit-car-2")
    assert [one for one in street.listed("family") if one["kind"] == "person-rule"] == []
    passes(street, fix(street.time, 23.55), "visit-car-3")
    assert len([one for one in street.listed("family") if one["kind"] == "person-rule"]) == 1


def thing(city: City) -> str:
    with writing(city.services.sessions) as session:
        amulets.add(session, city.cipher, STICKER, by="operator", now=city.time, code=CODE)
    made = city.client("family").post(
        "/api/v1/people/p1/things", json={"kind": "bicycle", "name": "red", "code": CODE}
    )
    found: str = made.json()["id"]
    return found


def test_a_stolen_thing_is_shown_where_the_car_met_it(street: City) -> None:
    bicycle = thing(street)
    street.later(minutes=1)
    client = street.client("family")
    case = client.post(f"/api/v1/things/{bicycle}/theft", json={}).json()["case_id"]
    street.later(minutes=1)
    seen = CheckinSighting(
        sighting_id="sighting-1",
        tag=STICKER,
        carrier="uhf",
        seen=street.time,
        position=fix(street.time, 23.52),
    )
    street.send(seen, CAR)
    (alert,) = [one for one in street.alerts("family") if one["kind"] == "thing-seen"]
    assert (alert["latitude"], alert["title"].endswith("Market (on the move)")) == (23.52, True)
    passes(street, fix(street.time, 23.52), "visit-car-1", tag=STICKER)
    police = street.client("police")
    police.post(f"/api/v1/cases/{case}/access", json={"reason": "report 110-5"})
    (sign,) = police.get(f"/api/v1/things/cases/{case}").json()["signs"]
    assert (sign["latitude"], sign["position"]["within_m"]) == (23.52, 4.0)


def test_a_car_that_meets_a_stolen_thing_elsewhere_tells_of_it_anew(street: City) -> None:
    bicycle = thing(street)
    street.later(minutes=1)
    street.client("family").post(f"/api/v1/things/{bicycle}/theft", json={})
    for number, latitude in enumerate((23.52, 23.5205, 23.54, 23.5401)):
        street.later(minutes=3)
        passes(street, fix(street.time, latitude), f"visit-car-{number}", tag=STICKER)
    told = [one for one in street.alerts("family") if one["kind"] == "thing-seen"]
    assert sorted(one["latitude"] for one in told) == [23.52, 23.54]


@pytest.mark.parametrize("state", ["fixed", "no-fix"])
def test_a_guarded_thing_is_parked_where_the_car_saw_it_or_nowhere(
    street: City, state: str
) -> None:
    bicycle = thing(street)
    street.later(minutes=1)
    position = fix(street.time, 23.52) if state == "fixed" else unknown(state)
    passes(street, position, "visit-car-1", tag=STICKER)
    client = street.client("family")
    guarded = client.put(f"/api/v1/people/p1/things/{bicycle}/guard", json={})
    if state == "no-fix":
        assert guarded.json()["code"] == "thing-not-seen"
        return
    (shown,) = client.get("/api/v1/people/p1/things").json()["things"]
    assert shown["guarded"]["latitude"] == 23.52


def test_a_hit_from_a_car_stands_where_it_was_and_counts_in_the_estimate(street: City) -> None:
    missing = Missing(street)
    case = missing.report()["case_id"]
    missing.access("police", case)
    street.later(minutes=2)
    seen = CheckinSighting(
        sighting_id="sighting-1",
        tag=TAG,
        carrier="ble",
        seen=street.time,
        position=fix(street.time, 23.53, 30.0),
    )
    street.send(seen, CAR)
    (hit,) = missing.map("police", case)["hits"]
    assert (hit["latitude"], hit["name"]) == (23.53, "Market (on the move)")
    with street.services.sessions() as session:
        asked = likely._known(session, session.get_one(Search, case), street.time)
    assert asked is not None
    (car,) = [one for one in asked.stations if one.name.startswith("on-the-move")]
    assert (car.latitude, asked.seen[-1].station) == (23.53, car.name)

    street.later(minutes=20)
    gone = seen.model_copy(
        update={
            "sighting_id": "sighting-2",
            "seen": street.time,
            "position": unknown("no-fix"),
        }
    )
    street.send(gone, CAR)
    hits = missing.map("police", case)["hits"]
    assert [one["latitude"] for one in hits] == [23.53, None]


def test_late_word_of_a_weaker_sign_moves_nothing(street: City) -> None:
    """Messages may come in any order."""
    arrived = street.time
    street.later(minutes=5)
    for phase, latitude in (("departed", 23.52), ("arrived", 23.40)):
        told = visit(arrived, phase, id="visit-car-1")
        street.send(told.model_copy(update={"position": fix(arrived, latitude)}), CAR)
    assert [one["latitude"] for one in footprint(street)] == [23.52]
