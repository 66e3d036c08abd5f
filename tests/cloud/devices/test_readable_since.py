"""Whoever lives in a home reads its devices from the day on which both came there, not before."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from cloud_city import City
from vigil_cloud.database.engine import writing
from vigil_cloud.identity import households
from vigil_cloud.identity.reader import Relation
from vigil_cloud.identity.service import account_named
from vigil_cloud.timeseries.port import Point, Series
from vigil_schemas.senml import microseconds

SERIES = Series("smoke", "gw-east", "alarm-1", "battery")
DAY = timedelta(days=1)


def reading(city: City, at: datetime, value: float) -> None:
    city.services.timeseries.write([Point(SERIES, microseconds(at), value, 1)])


def told(city: City) -> dict[str, Any]:
    return {"by": "operator", "now": city.time}


@pytest.fixture
def home(city: City) -> City:
    """Given a home whose alarm has read since noon of the first of March."""
    with writing(city.services.sessions) as session:
        households.put(session, city.cipher, "h1", households.Described("Chen"), **told(city))
        households.give_device(session, "h1", "alarm-1", **told(city))
    reading(city, city.time + timedelta(hours=1), 90.0)
    reading(city, city.time + 10 * DAY, 80.0)
    return city


def moves_in(city: City, relation: Relation = Relation.RESIDENT) -> None:
    with writing(city.services.sessions) as session:
        account = account_named(session, "family")
        households.add_member(session, "h1", account=account, relation=relation, **told(city))


def seen(city: City, who: str = "family") -> tuple[list[float | None], float | None]:
    """Values of the last thirty days, and the newest that the list shows."""
    client = city.client(who)
    start = (city.time - 30 * DAY).isoformat().replace("+00:00", "Z")
    stop = (city.time + DAY).isoformat().replace("+00:00", "Z")
    path = "/api/v1/devices/alarm-1/series"
    course = client.get(f"{path}/battery", params={"start": start, "stop": stop})
    (entry,) = client.get(path).raise_for_status().json()["series"]
    latest = entry["latest"]
    return course.raise_for_status().json()["v"], latest["v"] if latest else None


def test_who_moved_in_later_reads_nothing_of_before(home: City) -> None:
    home.later(days=12)
    moves_in(home)
    assert seen(home) == ([], None)

    reading(home, home.time + timedelta(minutes=1), 70.0)
    home.later(minutes=2)
    assert seen(home) == ([70.0], 70.0)
    assert seen(home, "dispatcher") == ([90.0, 80.0, 70.0], 70.0), "a role opens all of it"


def test_who_lived_there_reads_all_since(home: City) -> None:
    moves_in(home)
    home.later(days=12)
    assert seen(home) == ([90.0, 80.0], 80.0)


def test_a_device_that_came_later_is_read_from_then_on(home: City) -> None:
    """Given one that stood elsewhere before."""
    moves_in(home)
    home.later(days=5)
    with writing(home.services.sessions) as session:
        households.take_device(session, "h1", "alarm-1", **told(home))
    home.later(days=1)
    with writing(home.services.sessions) as session:
        households.give_device(session, "h1", "alarm-1", **told(home))
    home.later(days=6)
    home.sign_in_anew("family") if "family" in home._clients else None
    assert seen(home) == ([80.0], 80.0)


def test_means_of_windows_hold_nothing_of_before(home: City) -> None:
    for number in range(40):
        reading(home, home.time + 2 * DAY + timedelta(seconds=number), 10.0)
    home.later(days=2, seconds=20)
    moves_in(home)
    home.later(minutes=1)
    client = home.client("family")
    start = (home.time - DAY).isoformat().replace("+00:00", "Z")
    answer = client.get(
        "/api/v1/devices/alarm-1/series/battery", params={"start": start, "points": 5}
    )
    found = answer.raise_for_status().json()
    assert found["window_s"] is not None
    assert found["v"]
    assert min(found["t"]) >= (home.time - timedelta(minutes=1)).timestamp()
