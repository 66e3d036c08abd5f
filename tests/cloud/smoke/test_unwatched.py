"""An alarm of a home that no gateway reads any more is told, whatever took it from the gateway."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from cloud_city import GATEWAY, City
from fire_town import BEDROOM, HOME, KITCHEN, Home, ring
from vigil_cloud.alerts import unread
from vigil_cloud.alerts.models import OutboxEntry
from vigil_cloud.database.engine import writing
from vigil_cloud.devices import removal
from vigil_cloud.identity import households
from vigil_cloud.jobs.port import Turn
from vigil_cloud.smoke import unwatched


def look(city: City) -> None:
    job = unwatched.unwatched_job()
    with city.services.sessions() as session:
        wanted = job.waiting is None or job.waiting(session, city.time)
    if wanted:
        job.run(Turn(city.services, city.time))


def told(home: Home, who: str) -> list[dict[str, Any]]:
    alerts = home.city.alerts(who, domain="smoke")
    return [one for one in alerts if one["kind"] == unread.KIND]


def shown(home: Home, who: str = "resident") -> dict[str, dict[str, Any]]:
    found = home.say(who, "GET", f"/homes/{HOME}/alarms").json()["alarms"]
    return {one["device"]: one for one in found}


def not_described(home: Home) -> None:
    """As by removing it on the gateway's page, going back to the file, or editing that."""
    home.city.later(seconds=60)
    home.city.birth(session=2, description=2)


def taken_off_the_list(home: Home) -> None:
    ring(home, BEDROOM, active=False)
    with writing(home.city.services.sessions) as session:
        removal.remove_device(session, BEDROOM, by="test", now=home.city.time)


def thrown_out(home: Home) -> None:
    with writing(home.city.services.sessions) as session:
        removal.revoke(session, GATEWAY, by="test", now=home.city.time)


@pytest.mark.parametrize("leaves", [not_described, taken_off_the_list, thrown_out])
def test_whoever_lives_there_and_maintainers_are_told_once(home: Home, leaves: Any) -> None:
    look(home.city)
    assert told(home, "resident") == []
    assert {one["watched"] for one in shown(home).values()} == {True}
    leaves(home)
    for _ in range(3):
        look(home.city)
        home.city.later(seconds=20)
    mine = [one for one in told(home, "resident") if one["device"] == BEDROOM]
    assert len(mine) == 1
    assert mine[0]["severity"] == "major"
    assert mine[0]["state"]["active"]
    assert BEDROOM in {one["device"] for one in told(home, "maintainer")}
    assert not shown(home)[BEDROOM]["watched"]
    assert shown(home)[BEDROOM]["acts"] == []
    with home.city.services.sessions() as session:
        ids = {one["id"] for one in told(home, "resident")}
        entries = session.scalars(select(OutboxEntry).where(OutboxEntry.alert_id.in_(ids))).all()
    assert {(one.purpose, one.audience) for one in entries} == {("raised", "home-and-maintainers")}


def test_it_ends_when_a_gateway_reads_it_again(home: Home) -> None:
    not_described(home)
    look(home.city)
    home.city.later(seconds=60)
    home.city.birth(session=3, description=3, also=(BEDROOM,))
    look(home.city)
    (mine,) = told(home, "resident")
    assert not mine["state"]["active"]
    assert shown(home)[BEDROOM]["watched"]
    not_described_again = home.city.later(seconds=60)
    home.city.birth(session=4, description=4)
    look(home.city)
    assert [one["state"]["active"] for one in told(home, "resident")].count(True) == 1
    assert not_described_again < home.city.later(seconds=1)


def test_it_ends_without_a_word_where_the_home_lists_it_no_more(home: Home) -> None:
    not_described(home)
    look(home.city)
    with writing(home.city.services.sessions) as session:
        households.take_device(session, HOME, BEDROOM, by="test", now=home.city.time)
    home.city.later(seconds=20)
    look(home.city)
    (mine,) = told(home, "resident")
    assert not mine["state"]["active"]
    with home.city.services.sessions() as session:
        query = select(OutboxEntry.purpose).where(OutboxEntry.alert_id == mine["id"])
        assert session.scalars(query).all() == ["raised"]
    assert set(shown(home)) == {KITCHEN}


def test_what_is_no_alarm_or_stands_in_no_home_is_not_told(home: Home) -> None:
    with writing(home.city.services.sessions) as session:
        households.give_device(session, HOME, "station-1", by="test", now=home.city.time)
        households.give_device(session, HOME, "never-heard", by="test", now=home.city.time)
        households.take_device(session, HOME, BEDROOM, by="test", now=home.city.time)
        removal.remove_device(session, "station-1", by="test", now=home.city.time)
    home.city.later(seconds=1)
    not_described(home)
    look(home.city)
    assert told(home, "resident") == []
    assert set(shown(home)) == {KITCHEN}


def test_many_at_once_are_told_in_turns(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that no alarm waits for all of them."""
    monkeypatch.setattr(unread, "AT_ONCE", 1)
    thrown_out(home)
    look(home.city)
    assert len(told(home, "resident")) == 1
    home.city.time += timedelta(seconds=20)
    look(home.city)
    assert {one["device"] for one in told(home, "resident")} == {KITCHEN, BEDROOM}
