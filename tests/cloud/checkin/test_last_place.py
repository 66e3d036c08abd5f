"""Where somebody was last, in one answer: place, age, how far it is believed, usual places."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from cloud_city import GATEWAY, City, visit
from vigil_cloud.database.engine import writing
from vigil_cloud.devices.models import Gateway
from vigil_schemas.types import isoformat_utc


@pytest.fixture
def related(city: City) -> City:
    city.guardian("family")
    city.consent("family")
    return city


def asked(city: City, who: str = "family") -> Any:
    return city.client(who).get("/api/v1/people/p1/last-place")


def last_place(city: City) -> dict[str, Any]:
    answer = asked(city)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_nobody_has_heard_them(related: City) -> None:
    found = last_place(related)
    empty = {"last", "not_seen_since", "phone"}
    assert found == {"usual_places": [], **dict.fromkeys(empty)}


def test_at_the_temple_nine_minutes_ago_the_station_is_online(related: City) -> None:
    seen = related.time - timedelta(minutes=9)
    related.send(visit(seen), "station-1")
    found = last_place(related)
    last = found["last"]
    assert (last["name"], last["at"], last["age_s"]) == ("Temple gate", isoformat_utc(seen), 540)
    assert (last["station_online"], last["station_offline_since"]) == (True, None)
    assert last["confidence"] == "high"
    assert found["not_seen_since"] is None

    # An hour later it says how old that is
    related.later(hours=1)
    found = last_place(related)
    assert found["not_seen_since"] == isoformat_utc(seen)
    assert (found["last"]["confidence"], "old" in found["last"]["reasons"]) == ("medium", True)
    assert found["last"]["present"] is False

    # and in the evening that they may be anywhere
    related.later(hours=6)
    assert last_place(related)["last"]["confidence"] == "low"


def test_under_a_silent_station_nobody_is_still_there(related: City) -> None:
    related.send(visit(related.time), "station-1")
    related.later(minutes=2)
    with writing(related.services.sessions) as session:
        gateway = session.get_one(Gateway, GATEWAY)
        gateway.offline, gateway.last_seen = True, related.time
    last = last_place(related)["last"]
    assert (last["station_online"], last["confidence"]) == (False, "medium")
    assert last["station_offline_since"] == isoformat_utc(related.time)


def test_the_newest_sign_counts_whichever_visit_began_last(related: City) -> None:
    began = related.time - timedelta(hours=2)
    related.send(visit(began, id="visit-long"), "station-1")
    related.send(visit(began + timedelta(hours=1), "departed", id="visit-short"), "station-2")
    later = visit(began, id="visit-long").model_copy(
        update={"last_seen": related.time, "sightings": 99}
    )
    related.send(later, "station-1")
    assert last_place(related)["last"]["name"] == "Temple gate"


def test_usual_places_are_of_several_days_with_their_hours(related: City) -> None:
    for day in range(1, 8):
        at = related.time - timedelta(days=day)
        related.send(visit(at, "departed", id=f"visit-market-{day}"), "station-2")
    related.send(visit(related.time - timedelta(days=3, hours=5), id="visit-once"), "station-1")
    (usual,) = last_place(related)["usual_places"]
    assert (usual["name"], usual["days"], usual["visits"]) == ("Market", 7, 7)
    assert usual["hours"] == [related.time.hour]
    assert usual["usual_now"] is True


def test_one_morning_in_the_city_is_one_day(related: City) -> None:
    """Half past seven and half past eight in Taipei lie on two days of UTC."""
    midnight = related.time.replace(hour=0, minute=0)
    for number, minutes in enumerate((-30, 30)):
        at = midnight + timedelta(minutes=minutes)
        related.send(visit(at, "departed", id=f"visit-early-{number}"), "station-2")
    assert last_place(related)["usual_places"] == []


def test_without_a_consent_nothing_is_told_and_each_look_is_one_line(related: City) -> None:
    related.account("stranger")
    assert asked(related, "stranger").status_code == 403
    before = looks(related)
    last_place(related)
    related.client("family").get("/api/v1/people/p1/footprints")
    assert looks(related) == before + 1, "the page's two questions are one look"


def looks(city: City) -> int:
    entries = city.client("family").get("/api/v1/people/p1/audit").json()["entries"]
    return sum(one["action"] == "location.read" for one in entries)
