"""The fan-out after the commit: once, whoever dies in between, and in bounded batches."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cloud_city import City, alarm, visit
from households import add_households
from sql import statements
from vigil_cloud.alerts.models import AlertRow, OutboxEntry
from vigil_cloud.alerts.platform import standing
from vigil_cloud.alerts.service import Occurrence, record
from vigil_cloud.database.engine import writing
from vigil_cloud.identity.roles import Role
from vigil_cloud.notify import planning
from vigil_cloud.notify.directory import Directory
from vigil_cloud.notify.models import Channel, Delivery
from vigil_cloud.notify.people import KnownPeople, People
from vigil_cloud.notify.planning import plan
from webhook import channel

ACCOUNTS = 600


@pytest.fixture
def crowded(either_city: City) -> City:
    """Six hundred accounts with a channel each, fifteen of them dispatchers'."""
    with writing(either_city.services.sessions) as session:
        add_households(
            session, either_city.cipher, ACCOUNTS, either_city.time, url="json://127.0.0.1:1"
        )
    return either_city


def told(city: City) -> Counter[tuple[str, str]]:
    """How often each channel is to be told of each alert."""
    with city.services.sessions() as session:
        rows = session.execute(
            select(AlertRow.device, Channel.name)
            .select_from(Delivery)
            .join(AlertRow, AlertRow.id == Delivery.alert_id)
            .join(Channel, Channel.id == Delivery.channel_id)
        )
        return Counter((row.device, row.name) for row in rows)


def waiting(city: City) -> int:
    with city.services.sessions() as session:
        return session.scalar(select(func.count()).select_from(OutboxEntry)) or 0


def fire(city: City, number: int, gateway: str = "gw-east", severity: str = "critical") -> None:
    with writing(city.services.sessions) as session:
        occurrence = Occurrence(
            domain="smoke",
            reference=f"alarm-{number:04}",
            kind="smoke",
            gateway=gateway,
            device=f"alarm-{number}",
            title="Smoke",
            title_zh="煙霧",
            severity=severity,  # type: ignore[arg-type]  # as parametrized
            event_time=city.time,
            active=True,
        )
        record(session, occurrence, city.time)


def test_raising_an_alert_writes_one_row_and_knows_no_channel(crowded: City) -> None:
    with statements(crowded.services.engine) as asked:
        crowded.send(alarm(crowded.time), "alarm-1")

    assert waiting(crowded) == 1
    assert told(crowded) == Counter()
    assert not [text for text, _ in asked if "channels" in text or "deliveries" in text]


def test_a_fan_out_larger_than_a_transaction_continues_where_it_stopped(
    crowded: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "WRITTEN_AT_ONCE", 4)
    fire(crowded, 1)

    assert plan(crowded.services.sessions, crowded.time) == 1
    assert len(told(crowded)) == 4
    assert waiting(crowded) == 1
    while plan(crowded.services.sessions, crowded.time):
        pass

    assert len(told(crowded)) == 15
    assert set(told(crowded).values()) == {1}


def test_a_process_that_dies_while_it_plans_loses_and_doubles_nothing(
    crowded: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "WRITTEN_AT_ONCE", 4)
    for number in range(3):
        fire(crowded, number)
    real, calls = planning._write, [0]

    def dying(*arguments: object) -> None:
        """Every other transaction is rolled back after everything was written."""
        real(*arguments)  # type: ignore[arg-type]  # handed on
        calls[0] += 1
        if calls[0] % 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(planning, "_write", dying)
    while waiting(crowded):
        try:
            plan(crowded.services.sessions, crowded.time)
        except KeyboardInterrupt:
            continue

    assert len(told(crowded)) == 3 * 15
    assert set(told(crowded).values()) == {1}


def test_several_processes_plan_each_alert_once(
    crowded: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "WRITTEN_AT_ONCE", 20)
    for number in range(20):
        fire(crowded, number)

    def work() -> None:
        while plan(crowded.services.sessions, crowded.time):
            pass

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert waiting(crowded) == 0
    assert len(told(crowded)) == 20 * 15
    assert set(told(crowded).values()) == {1}


class _Overtaken(KnownPeople):
    """Between reading and writing another process works everything off, and a fire begins."""

    def __init__(self, city: City) -> None:
        super().__init__()
        self._city = city
        self.passed = False

    def get(self, session: Session, now: datetime) -> People:
        if not self.passed:
            self.passed = True
            assert plan(self._city.services.sessions, now) == 1
            fire(self._city, 2)
        return super().get(session, now)


def test_a_process_that_was_overtaken_removes_nothing_of_a_fire_that_began_meanwhile(
    crowded: City,
) -> None:
    fire(crowded, 1)
    slow = _Overtaken(crowded)

    plan(crowded.services.sessions, crowded.time, slow)
    while plan(crowded.services.sessions, crowded.time):
        pass

    assert slow.passed
    assert len(told(crowded)) == 2 * 15
    assert set(told(crowded).values()) == {1}


def test_a_fire_is_planned_before_what_waited_longer(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "AT_ONCE", 1)
    channel(city, "json://127.0.0.1:1", role=Role.DISPATCHER)
    for number in range(5):
        fire(city, number, severity="minor")
    fire(city, 9)

    plan(city.services.sessions, city.time)

    assert list(told(city)) == [("alarm-9", "hook")]


def test_another_gateways_flood_keeps_no_fire_waiting(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(planning, "AT_ONCE", 2)
    channel(city, "json://127.0.0.1:1", role=Role.DISPATCHER)
    for number in range(20):
        fire(city, number, gateway="gw-mad")
    fire(city, 99)

    plan(city.services.sessions, city.time)

    assert {device for device, _ in told(city)} == {"alarm-0", "alarm-99"}


def test_one_that_cannot_be_planned_keeps_no_other_waiting(city: City) -> None:
    channel(city, "json://127.0.0.1:1", role=Role.DISPATCHER)
    fire(city, 1)
    fire(city, 2)
    with writing(city.services.sessions) as session:
        row = session.scalars(select(OutboxEntry).order_by(OutboxEntry.id)).first()
        assert row is not None
        row.severity = "no such severity"

    plan(city.services.sessions, city.time)
    assert list(told(city)) == [("alarm-2", "hook")]
    assert waiting(city) == 2, "it is tried again, and an administrator is told"

    with writing(city.services.sessions) as session:
        wrong = select(OutboxEntry).where(OutboxEntry.severity == "no such severity")
        session.scalars(wrong).one().severity = "critical"
    city.later(minutes=1)
    plan(city.services.sessions, city.time)
    assert ("alarm-1", "hook") in told(city)


def test_planning_asks_as_much_for_two_thousand_channels_as_for_ten(city: City) -> None:
    def asked(number: int) -> int:
        city.send(visit(city.time, id=f"visit-{number:04}"), "station-1")
        with statements(city.services.engine) as found:
            assert plan(city.services.sessions, city.time) == 1
        return len(found)

    channel(city, "json://127.0.0.1:1", username="family")
    city.consent("family")
    few = asked(1)
    with writing(city.services.sessions) as session:
        add_households(session, city.cipher, 2_000, city.time, url="json://127.0.0.1:1")

    assert asked(2) == few


def test_an_alert_that_cannot_be_passed_on_is_told_to_an_administrator(
    either_city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Given a row that nothing can be worked out from: others are told, this is told of, and is
    over once it can be."""
    city = either_city
    real = Directory.hearers

    def broken(self: Directory, alert: AlertRow, **more: Any) -> Any:
        if alert.device == "alarm-1":
            raise ValueError("a subject of no shape")
        return real(self, alert, **more)

    channel(city, "json://127.0.0.1:1", name="admin", username="administrator")
    monkeypatch.setattr(Directory, "hearers", broken)
    fire(city, 1)
    fire(city, 2)
    for _ in range(3):
        plan(city.services.sessions, city.time)

    with city.services.sessions() as session:
        (alert,) = standing(session, "alert-untold")
        untold = session.scalar(select(AlertRow.id).where(AlertRow.device == "alarm-1"))
    assert (alert.severity, alert.detail["subject"]) == ("critical", untold)
    assert "a subject of no shape" in alert.detail["explanation"]
    assert any(kind == "alert-untold" for kind, _ in planned(city))

    monkeypatch.setattr(Directory, "hearers", real)
    city.later(seconds=31)
    while plan(city.services.sessions, city.time):
        pass
    with city.services.sessions() as session:
        assert standing(session, "alert-untold") == []
    assert waiting(city) == 0


def planned(city: City) -> list[tuple[str, str]]:
    with city.services.sessions() as session:
        rows = session.execute(
            select(AlertRow.kind, Channel.name)
            .join(Delivery, Delivery.alert_id == AlertRow.id)
            .join(Channel, Channel.id == Delivery.channel_id)
        )
        return [(row.kind, row.name) for row in rows]


def test_where_nothing_can_be_worked_out_the_alert_of_it_makes_no_others(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise ValueError("no directory at all")

    monkeypatch.setattr(Directory, "hearers", broken)
    fire(city, 1)
    for _ in range(5):
        plan(city.services.sessions, city.time)
        city.later(seconds=31)
    with city.services.sessions() as session:
        assert len(standing(session, "alert-untold")) == 1
