"""Hits of a search: stations that hear the person, told once and in the order of time."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select, update

from cloud.search.conftest import Missing, sighting
from cloud_city import visit
from vigil_cloud.database.engine import writing
from vigil_cloud.devices.models import Device
from vigil_cloud.notify.models import Delivery
from vigil_cloud.search.models import SearchHit
from vigil_schemas.types import isoformat_utc
from webhook import Hook, channel, plan


def test_a_visit_is_a_hit_where_the_gateway_knows_no_watch_list(missing: Missing) -> None:
    city = missing.city
    case = missing.report()["case_id"]
    city.later(minutes=3)
    city.send(visit(city.time, id="visit-hit"), "station-2")
    city.later(minutes=4)
    city.send(visit(city.time - timedelta(minutes=4), "departed", id="visit-hit"), "station-2")

    (hit,) = missing.map("family", case)["hits"]

    assert (hit["device"], hit["at_once"]) == ("station-2", False)
    assert hit["last"] > hit["first"]


def test_a_sighting_and_its_visit_are_one_hit_told_once(missing: Missing, hook: Hook) -> None:
    city = missing.city
    channel(city, hook.url, username="police")
    case = missing.report()["case_id"]
    missing.access("police", case)
    plan(city)
    city.later(minutes=1)
    city.send(sighting(city), "station-2")
    city.send(visit(city.time, id="visit-hit"), "station-2")
    city.later(seconds=70)
    city.send(sighting(city, "sighting-2"), "station-2")
    plan(city)

    assert len(missing.map("police", case)["hits"]) == 1
    with city.services.sessions() as session:
        told = [
            (one.purpose, one.step)
            for one in session.scalars(select(Delivery).order_by(Delivery.id))
            if one.step.startswith("hit")
        ]
    assert told == [("again", "hit 1")]


def test_a_hit_at_a_station_without_a_position_leaves_no_pin_at_an_earlier_one(
    missing: Missing,
) -> None:
    city = missing.city
    missing.report()
    city.send(sighting(city), "station-2")
    (alert,) = (one for one in city.alerts("family", domain="search") if one["kind"] == "missing")
    assert alert["latitude"] is not None

    with writing(city.services.sessions) as session:
        session.execute(
            update(Device).where(Device.device == "station-1").values(latitude=None, longitude=None)
        )
    city.later(minutes=5)
    city.send(sighting(city, "sighting-2"), "station-1")

    (alert,) = (one for one in city.alerts("family", domain="search") if one["kind"] == "missing")
    assert "Temple gate" in alert["title"]
    assert (alert["latitude"], alert["longitude"]) == (None, None)


def test_who_is_not_searched_for_leaves_no_trace(missing: Missing) -> None:
    city = missing.city
    city.send(sighting(city), "station-2")
    city.send(sighting(city, tag="epc:00112233445566778899aabb"), "station-2")
    case = missing.report()["case_id"]
    assert missing.end("family", case, "home").is_success
    city.send(sighting(city, "sighting-9"), "station-2")

    with city.services.sessions() as session:
        assert session.scalars(select(SearchHit)).all() == []


def test_what_is_told_late_does_not_move_the_last_place_back(missing: Missing) -> None:
    city = missing.city
    case = missing.report()["case_id"]
    city.later(hours=2)
    city.send(visit(city.time, id="visit-now0"), "station-2")
    city.send(visit(city.time - timedelta(hours=1), id="visit-late"), "station-1")

    shown = missing.map("family", case)

    assert [(one["name"], one["late"]) for one in shown["hits"]] == [
        ("Temple gate", True),
        ("Market", False),
    ]
    assert shown["last_place"]["name"] == "Market"
    (alert,) = [one for one in city.alerts("family", domain="search") if one["kind"] == "missing"]
    assert "Market" in alert["title"]


def test_a_station_whose_clock_is_behind_is_heard_all_the_same(missing: Missing) -> None:
    city = missing.city
    case = missing.report()["case_id"]
    city.later(minutes=5)
    slow = sighting(city).model_copy(update={"seen": city.time - timedelta(hours=3)})
    city.send(slow, "station-2")

    (hit,) = missing.map("family", case)["hits"]

    assert (hit["device"], hit["first"], hit["doubts"]) == (
        "station-2",
        isoformat_utc(city.time),
        ["time"],
    )
