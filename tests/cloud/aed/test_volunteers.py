"""Who is called: consent, certificate, being on call, and where somebody is."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from aed_town import (
    CABINET,
    GATEWAY,
    PATIENT,
    alert_of,
    callouts,
    calls_of,
    press,
    ready,
    rounds,
    say,
)
from cloud_city import City
from vigil_cloud.aed import live, register, volunteers
from vigil_cloud.aed.certificates_end import certificates_end
from vigil_cloud.aed.models import AedCallout
from vigil_cloud.aed.news import CALLS
from vigil_cloud.database.engine import writing
from vigil_cloud.identity import districts
from vigil_cloud.identity.models import Account, AuditEntry
from vigil_cloud.identity.reader import Reader
from vigil_cloud.identity.roles import Role
from vigil_cloud.jobs.port import Turn
from vigil_cloud.notify import ends_told
from webhook import Hook, channel


def test_a_lapsed_certificate_is_not_called_and_this_is_told(town: City) -> None:
    ready(town, "ann", 0.001, until=town.time.date().isoformat())
    town.later(days=1)
    town.sign_in_anew("ann")
    refused = town.client("ann").put(
        "/api/v1/aed/volunteer/on-call", json={"position": list(PATIENT)}
    )
    assert refused.json()["code"] == "volunteer-not-ready"
    assert refused.json()["data"] == {"bar": "certificate-lapsed"}
    with town.services.sessions() as session:
        tried = (AuditEntry.action == "aed.on-call-refused", AuditEntry.subject == "ann")
        (line,) = session.scalars(select(AuditEntry).where(*tried))
        assert (line.account, line.detail) == ("ann", {"bar": "certificate-lapsed"})
    standing = town.client("ann").get("/api/v1/aed/volunteer").json()
    assert "certificate-lapsed" in standing["bars"]
    town.sign_in_anew("administrator")
    press(town)
    rounds(town)
    assert alert_of(town)["detail"]["nobody_in_reach"] is True
    assert calls_of(town, "ann") == []


def test_who_lapses_while_on_call_is_counted_on_the_alert(town: City) -> None:
    ready(town, "ann", 0.001)
    town.client("administrator").put(
        "/api/v1/aed/volunteers/ann/certificate", json={"until": "2026-02-01"}
    ).raise_for_status()
    press(town)
    rounds(town)
    assert alert_of(town)["detail"]["lapsed_certificates"] == 1
    assert calls_of(town, "ann") == []


def test_where_a_volunteer_is_goes_with_being_on_call(town: City) -> None:
    ready(town, "ann", 0.001)
    ann = town.client("ann")
    assert ann.get("/api/v1/aed/volunteer").json()["bars"] == []
    town.later(minutes=31)
    assert ann.get("/api/v1/aed/volunteer").json()["bars"] == ["no-position"]
    ann.put("/api/v1/aed/volunteer/on-call", json={"position": None}).raise_for_status()
    with town.services.engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT position, located FROM aed_volunteers").all()
    assert rows == [(None, None)]
    ready(town, "ann", 0.001)
    ann.put("/api/v1/aed/volunteer/consent", json={"consent": False}).raise_for_status()
    with town.services.engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT position, located FROM aed_volunteers").all()
    assert rows == [(None, None)]


def test_who_goes_to_the_patient_sees_that_an_aed_is_on_the_way(town: City) -> None:
    for name, east in (("ann", 0.001), ("bo", 0.002), ("cy", 0.003)):
        ready(town, name, east)
    press(town)
    rounds(town)
    roles = {one["role"]: one["username"] for one in callouts(town)}
    assert calls_of(town, roles["patient"])[0]["aed_role"] == "unfilled"
    for word in ("accepted", "on-the-way", "arrived"):
        say(town, roles["aed"], word).raise_for_status()
        assert calls_of(town, roles["patient"])[0]["aed_role"] == word


def test_who_is_no_volunteer_any_more_is_not_called(town: City) -> None:
    ready(town, "ann", 0.001)
    with writing(town.services.sessions) as session:
        account = session.scalars(select(Account).where(Account.username == "ann")).one()
        account.roles = [Role.FAMILY.value]
    press(town)
    rounds(town)
    assert alert_of(town)["detail"]["nobody_in_reach"] is True
    assert callouts(town) == []


def test_a_position_of_a_phone_that_fell_silent_is_forgotten(town: City) -> None:
    ready(town, "ann", 0.001)
    (job,) = [one for one in live.jobs() if one.name == "aed-positions-forgotten"]
    assert job.waiting is not None
    town.later(minutes=29)
    with town.services.sessions() as session:
        assert not job.waiting(session, town.time)
    town.later(minutes=2)
    with town.services.sessions() as session:
        assert job.waiting(session, town.time)
    job.run(Turn(town.services, town.time))
    with town.services.engine.connect() as connection:
        rows = connection.exec_driver_sql("SELECT position, located FROM aed_volunteers").all()
    assert rows == [(None, None)]


def test_a_channel_that_fails_is_tried_again_after_pauses_that_grow(town: City, hook: Hook) -> None:
    ready(town, "ann", 0.001)
    channel(town, hook.url, name="ann's phone", username="ann")
    hook.status = 503
    press(town)
    rounds(town)
    tried = hook.requests

    for _ in range(60):
        town.later(seconds=1)
        rounds(town)

    assert 3 <= hook.requests - tried <= 6, "2, 4, 8, 16 and 32 s"
    hook.status = 200
    town.later(seconds=60)
    rounds(town)
    assert callouts(town)[0]["told"] == "sent"


def test_two_first_visits_at_once_are_one_row(town: City) -> None:
    """On PostgreSQL both would insert: neither may fail."""
    with town.services.sessions() as session:
        account = session.scalars(select(Account).where(Account.username == "cy")).one()
    with writing(town.services.sessions) as session:
        first = volunteers.own(session, account.id)
        again = volunteers.own(session, account.id)
        assert (first, first.on_call, first.speed_mps) == (again, False, 1.8)


def test_opening_hours_that_cannot_be_read_stop_no_call(town: City) -> None:
    ready(town, "ann", 0.001)
    with town.services.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE aed_sites SET opening_hours = 'whenever'")
    press(town)
    rounds(town)
    detail = alert_of(town)["detail"]
    assert detail["called"] == 1
    assert "hall" in detail["dispatch_trouble"]


def test_a_register_that_cannot_be_read_stops_no_call(
    town: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    ready(town, "ann", 0.001)

    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(register, "to_fetch", broken)
    press(town)
    rounds(town)
    detail = alert_of(town)["detail"]
    assert detail["called"] == 1
    assert "register" in detail["dispatch_trouble"]


def test_only_who_leads_in_its_district_is_told_of_a_call(town: City) -> None:
    ready(town, "ann", 0.001)
    with writing(town.services.sessions) as session:
        for name in ("north", "south"):
            districts.put(session, name, name, name, by="test", now=town.time)
        districts.place(session, "device", CABINET, "north", by="test", now=town.time)
    press(town)
    rounds(town)
    with town.services.sessions() as session:
        (change,) = CALLS.render(town.services, session, {f"{GATEWAY}:call-0001": 1})
        called = session.scalars(select(AedCallout.account_id)).one()
        assert called is not None

    def told(role: Role, *inside: str, id: int = 999) -> bool:
        assert change.shown_to is not None
        return change.shown_to(Reader(id, "one", frozenset({role}), districts=frozenset(inside)))

    assert told(Role.DISPATCHER)
    assert told(Role.DISPATCHER, "north")
    assert not told(Role.DISPATCHER, "south")
    assert not told(Role.VOLUNTEER)
    assert told(Role.VOLUNTEER, id=called)


def test_a_volunteer_whose_certificate_ends_is_told_before(town: City, hook: Hook) -> None:
    """Nobody was told before: the call of after that day went to others in silence."""
    ready(town, "ann", 0.001, until="2026-03-20")
    channel(town, hook.url, username="ann")
    for day, count in ((1, 1), (10, 1), (14, 2), (19, 2), (20, 3), (21, 3)):
        town.time = datetime(2026, 3, day, 4, 30, tzinfo=UTC)
        ends_told.send_waiting(town.services, threading.Event(), [certificates_end])
        assert len(hook.titles) == count, day
    assert "Your first-aid certificate ends on 2026-03-21 00:00" in hook.titles[0]
    assert "called no more" in hook.received[0]["message"]
