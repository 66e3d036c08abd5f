"""Who looked: one line for each real look, with what was looked at, and none for anything else."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from cloud_city import NOON, City, visit
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.database.engine import writing
from vigil_cloud.identity import looks
from vigil_cloud.identity.audit import verify
from vigil_cloud.identity.models import AuditEntry
from vigil_cloud.identity.roles import Role
from vigil_schemas.types import isoformat_utc


@pytest.fixture
def home(either_city: City) -> City:
    """A guardian "family" and a relative "daughter" with consent; the person is at a station."""
    city = either_city
    city.account("daughter", Role.FAMILY)
    city.guardian("family")
    city.consent("daughter")
    city.send(visit(NOON), "station-1")
    city.later(minutes=1)
    return city


def told(city: City) -> list[dict[str, Any]]:
    """What the guardian is shown of looks, oldest first."""
    entries = city.client("family").get("/api/v1/people/p1/audit").json()["entries"]
    return [line for line in reversed(entries) if line["action"] == "location.read"]


def footprints(city: City, account: str = "daughter", **query: Any) -> None:
    answer = city.client(account).get("/api/v1/people/p1/footprints", params=query)
    assert answer.status_code == 200, answer.text


def test_repeated_looks_within_ten_minutes_are_one_line(home: City) -> None:
    began = home.time
    for _ in range(5):
        footprints(home)
        home.later(minutes=9)

    (line,) = told(home)
    assert (line["account"], line["subject"], line["count"]) == ("daughter", "footprints", 5)
    assert (line["at"], line["until"]) == (
        isoformat_utc(began),
        isoformat_utc(began + timedelta(minutes=36)),
    )
    assert line["stop"] == isoformat_utc(began)


def test_a_look_after_the_clock_was_set_back_is_another(home: City) -> None:
    """Else everything that is looked at until the clock has caught up would be one look."""
    footprints(home)
    home.later(hours=-1)
    footprints(home)

    assert [line["count"] for line in told(home)] == [1, 1]


def test_a_look_after_a_while_is_another(home: City) -> None:
    footprints(home)
    home.later(minutes=11)
    footprints(home)

    assert [line["count"] for line in told(home)] == [1, 1]


def test_looks_at_different_days_are_different_looks(home: City) -> None:
    footprints(home)
    footprints(home, start=isoformat_utc(home.time - timedelta(days=7)))
    for day in (2, 3):
        footprints(
            home,
            start=isoformat_utc(NOON - timedelta(days=day)),
            stop=isoformat_utc(NOON - timedelta(days=day - 1)),
        )

    assert len(told(home)) == 4


def test_two_people_are_two_lines(home: City) -> None:
    home.account("son", Role.FAMILY)
    home.consent("son")
    footprints(home)
    footprints(home, "son")

    assert [line["account"] for line in told(home)] == ["daughter", "son"]


def test_an_open_page_that_loads_by_itself_is_one_look_that_lasted(home: City) -> None:
    footprints(home)
    for _ in range(20):
        home.later(minutes=50)
        footprints(home, refresh=True)

    (line,) = told(home)
    assert line["count"] == 1
    assert line["until"] == isoformat_utc(home.time)


def test_whoever_calls_their_first_look_a_refresh_is_written_down(home: City) -> None:
    footprints(home, refresh=True)
    assert len(told(home)) == 1

    for _ in range(9):  # another page keeps the session alive
        home.later(hours=1)
        home.client("daughter").get("/api/v1/people/mine")
        told(home)
    footprints(home, refresh=True)
    assert len(told(home)) == 2


def test_listing_who_there_is_is_no_look(home: City) -> None:
    for _ in range(3):
        assert home.client("daughter").get("/api/v1/people/mine").status_code == 200
        assert home.client("family").get("/api/v1/people/p1/consents").status_code == 200
        assert home.client("daughter").get("/api/v1/devices").status_code == 200

    assert told(home) == []


def test_what_a_page_loads_at_first_is_no_look(home: City) -> None:
    """Devices, counts and what waits for somebody: check-ins ask for nothing and are not in it."""
    client = home.client("daughter")
    for _ in range(3):
        for path in ("devices", "alerts/open", "alerts?state=new&state=in_progress", "people/mine"):
            assert client.get(f"/api/v1/{path}").status_code == 200

    assert told(home) == []


def test_an_alert_with_a_place_is_a_look_at_that_alert(home: City) -> None:
    with home.services.sessions() as session:
        alert = session.scalar(select(AlertRow.id).where(AlertRow.domain == "checkin"))
    for _ in range(3):
        home.client("daughter").get(f"/api/v1/alerts/{alert}")

    (line,) = told(home)
    assert (line["subject"], line["count"]) == (f"alert {alert}", 3)


def test_count_and_end_of_a_look_stand_under_the_chains_hash(home: City) -> None:
    for _ in range(3):
        footprints(home)
    home.later(hours=13)

    with writing(home.services.sessions) as session:
        assert looks.close_old(session, home.time) == 1
        assert looks.close_old(session, home.time) == 0

    with home.services.sessions() as session:
        (closing,) = session.scalars(select(AuditEntry).where(AuditEntry.action == "look.closed"))
        verify(session)
    assert closing.detail["count"] == 3
    assert len(told(home)) == 1, "it is no line of its own for people"


def test_parts_of_a_film_are_one_look(city: City) -> None:
    for _ in range(30):
        with writing(city.services.sessions) as session:
            looks.note(
                session,
                account="inspector",
                action="evidence.read",
                subject="film.mp4",
                now=city.later(seconds=5),
            )

    with city.services.sessions() as session:
        lines = session.scalars(select(AuditEntry).where(AuditEntry.action == "evidence.read"))
        assert len(lines.all()) == 1
