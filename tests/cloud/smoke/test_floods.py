"""Many alarms at once, and one that will not stop: nothing is refused, and people read a count."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from city_ingest import CityIngest
from cloud_city import GATEWAY, City, alarm
from gateways import event
from vigil_cloud.identity.roles import Role
from vigil_cloud.notify.notification_sender import NotificationSender
from vigil_cloud.refusals.models import DeadLetter
from vigil_cloud.smoke.models import AlarmCondition
from webhook import Hook, channel

FULL = os.environ.get("VIGIL_FULL") == "1"
AT_ONCE = 500 if FULL else 120
IN_A_SECOND = 1_000 if FULL else 300
"""The long form is part of ``make faults``: as many as a whole district's alarms."""


@pytest.fixture
def hooks(city: City) -> Iterator[list[Hook]]:
    """Four people who are told of every fire."""
    found = [Hook() for _ in range(4)]
    for number, each in enumerate(found):
        channel(city, each.url, f"hook-{number}", role=Role.DISPATCHER)
    yield found
    for each in found:
        each.close()


def counted(hook: Hook) -> int:
    """How many alarms its messages speak of; a flood's own message counts all of it so far."""
    flood, others = 0, 0
    for title in hook.titles:
        count, _, rest = title.removeprefix("AGAIN: ").partition(" ")
        if rest.startswith("alarms at once"):
            flood = max(flood, int(count))
        else:
            others += int(count) if count.isdigit() else 1
    return flood + others


def deliver(city: City, seconds: int = 0) -> None:
    sender = NotificationSender(city.services)
    sender.deliver_due()
    for _ in range(seconds):
        city.later(seconds=1)
        sender.deliver_due()


def devices(city: City) -> list[str]:
    with city.services.sessions() as session:
        query = select(AlarmCondition.device).where(AlarmCondition.condition == "smoke")
        return sorted(session.scalars(query))


def test_alarms_at_once_are_one_message_with_a_count_and_not_one_each(
    city: City, hooks: list[Hook]
) -> None:
    for number in range(AT_ONCE):
        city.send(alarm(city.time, id=f"alarm-{number:04}"), f"alarm-{number:04}")
    deliver(city, 12)
    for hook in hooks:
        assert len(hook.titles) == 1
        assert counted(hook) == AT_ONCE
    assert len(devices(city)) == AT_ONCE, "each keeps its record"


def test_alarms_of_one_second_are_all_taken_and_read_as_a_count(
    city: City, hooks: list[Hook]
) -> None:
    """As ingest takes them, behind one gateway, while the sender looks all the time."""
    ingest = CityIngest(city, GATEWAY)
    began = city.time
    for first in range(0, IN_A_SECOND, 100):
        payloads = []
        for number in range(first + 1, first + 101):
            city.time = began + timedelta(milliseconds=number - 1)
            told = alarm(city.time, id=f"alarm-{number:04}")
            subject = f"alarm-{number:04}"
            payloads.append(
                event(GATEWAY, number, told, subject=subject, time=city.time, lane="alarm")
            )
        ingest.store(f"vigil/v1/{GATEWAY}/alarm", *payloads)
        deliver(city)
    assert city.time - began < timedelta(seconds=1)
    deliver(city, 12)
    _source, receipt = ingest.told(GATEWAY)[-1]
    assert (receipt.stored, receipt.refused) == (IN_A_SECOND, 0)
    with city.services.sessions() as session:
        assert session.scalar(select(func.count()).select_from(DeadLetter)) == 0
    assert devices(city) == [f"alarm-{number:04}" for number in range(1, IN_A_SECOND + 1)]
    for hook in hooks:
        assert len(hook.titles) <= 3, hook.titles
        assert counted(hook) == IN_A_SECOND, hook.titles


def test_a_flapping_alarm_is_one_message_with_a_counter(city: City, hooks: list[Hook]) -> None:
    for number in range(9):
        for active in (True, False):
            told = alarm(
                city.time, condition="battery_alert", active=active, id=f"flapping-{number:04}"
            )
            city.send(told, "alarm-1")
            deliver(city)
            city.later(seconds=20)
    deliver(city, 12)
    (alert,) = city.alerts("dispatcher", domain="smoke")
    assert alert["detail"]["times"] == 9
    raised = [title for title in hooks[0].titles if "over" not in title.lower()]
    assert len(raised) == 1
