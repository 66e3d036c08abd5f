"""One ``alarm_id`` for every fire of a room: each fire is told all the same."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from cloud_city import NOON, City, alarm
from vigil_cloud.alerts.models import AlertRow
from vigil_schemas.smoke import SmokeAlarm, SmokeAlarmV1

ROOM = "smoke-bedroom"


def say(
    city: City, minute: float, *, active: bool = True, device: str = "alarm-1", **more: Any
) -> None:
    city.send(alarm(NOON + timedelta(minutes=minute), active=active, id=ROOM, **more), device)


def states(city: City, device: str = "alarm-1") -> list[tuple[str, bool]]:
    """What was raised and whether it is active, the oldest first."""
    with city.services.sessions() as session:
        rows = session.scalars(
            select(AlertRow).where(AlertRow.device == device).order_by(AlertRow.event_time)
        )
        return [(row.detail["condition"], row.active) for row in rows]


def test_the_second_fire_under_the_name_of_the_first_is_a_fire(city: City) -> None:
    for fire in range(3):
        say(city, 10 * fire)
        assert states(city) == [*[("smoke", False)] * fire, ("smoke", True)]
        say(city, 10 * fire + 5, active=False)
        assert states(city) == [("smoke", False)] * (fire + 1)

    rows = city.client("dispatcher").get("/api/v1/smoke/conditions").json()["conditions"]
    assert [(row["activated"][14:16], row["cleared"][14:16]) for row in rows] == [
        ("20", "25"),
        ("10", "15"),
        ("00", "05"),
    ]


def test_a_fire_in_the_very_second_of_the_clearing_is_a_fire(city: City) -> None:
    """Given a gateway whose times are whole seconds."""
    say(city, 0)
    say(city, 1, active=False)
    say(city, 1)
    assert states(city) == [("smoke", False), ("smoke", True)]


def test_a_name_is_that_of_one_device_and_one_condition(city: City) -> None:
    say(city, 0)
    say(city, 1, device="alarm-2")
    say(city, 2, condition="battery_alert")
    assert states(city) == [("smoke", True), ("battery_alert", True)]
    assert states(city, "alarm-2") == [("smoke", True)]

    say(city, 3, active=False, condition="battery_alert")
    say(city, 3, active=False, device="alarm-2")
    assert states(city) == [("smoke", True), ("battery_alert", False)], "no other end is this one's"
    assert states(city, "alarm-2") == [("smoke", False)]


@pytest.mark.parametrize("order", list(itertools.permutations(range(2))) * 2)
@pytest.mark.parametrize("same_second", [False, True])
def test_one_condition_stays_one_whatever_order_it_comes_in(
    city: City, order: tuple[int, ...], same_second: bool
) -> None:
    for active in (bool(order[0]), bool(order[1]), True, False, True):
        say(city, 0 if active or same_second else 5, active=active)
    assert states(city) == [("smoke", False)]


def test_what_is_learned_late_is_of_the_fire_that_it_began_with(city: City) -> None:
    say(city, 0)
    say(city, 5, active=False)
    say(city, 10)
    late = {"alarm_id": ROOM, "condition": "smoke", "active": True, "signs": ["density"]}
    city.send(SmokeAlarm.model_validate({**late, "since": NOON + timedelta(minutes=10)}), "alarm-1")
    assert states(city) == [("smoke", False), ("smoke", True)]


def test_an_old_report_that_comes_again_is_no_new_fire(city: City) -> None:
    old = {
        "alarm_id": ROOM,
        "condition": "smoke",
        "active": True,
        "since": NOON,
        "unconfirmed_since": NOON - timedelta(days=21),
    }
    city.send(SmokeAlarm.model_validate(old), "alarm-1")
    say(city, 5, active=False)
    city.send(SmokeAlarm.model_validate({**old, "since": NOON + timedelta(hours=1)}), "alarm-1")
    assert states(city) == [("smoke", False)]


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    fires=st.integers(1, 5),
    repeats=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 30)), max_size=6),
)
def test_every_fire_is_one_alert_however_often_it_is_said(
    city: City, fires: int, repeats: list[tuple[int, int]]
) -> None:
    """Each of a room's fires in its order, and old messages in between once more."""
    city.later(minutes=2)  # or it is a flood
    name = f"room-{next(_ROOMS)}"
    said = [
        SmokeAlarmV1.model_validate(
            {
                "alarm_id": name + "-smoke",
                "condition": "smoke",
                "active": not number % 2,
                "since": NOON + timedelta(minutes=number),
            }
        )
        for number in range(2 * fires)
    ]
    again = dict(repeats)
    for number, message in enumerate(said):
        city.send(message, name)
        if number in again:
            city.send(said[min(again[number], number)], name)
    assert states(city, name) == [("smoke", False)] * fires
    with city.services.sessions() as session:
        assert (
            session.scalar(
                select(func.count()).select_from(AlertRow).where(AlertRow.device == name)
            )
            == fires
        )


_ROOMS = itertools.count()
