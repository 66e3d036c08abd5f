"""A single alert put aside where lives hang on it: with an end, for a while, and told."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from cloud_city import City, alarm, excursion
from vigil_cloud.alerts import aside
from vigil_cloud.alerts.amendments import Amendment, amend
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.database.engine import writing
from vigil_cloud.devices.in_a_row import LONGEST_SHELVED, REST
from vigil_cloud.identity.roles import Role
from vigil_cloud.notify.notification_sender import NotificationSender
from webhook import Hook, channel


def in_hours(city: City, hours: float) -> str:
    return (city.time + timedelta(hours=hours)).isoformat()


def out_of_service(city: City, alert: str, hours: float | None) -> Any:
    until = None if hours is None else in_hours(city, hours)
    body = {"out_of_service": True, "until": until}
    return city.client("everything").post(f"/api/v1/alerts/{alert}/service", json=body)


def shelve(city: City, alert: str, hours: float) -> Any:
    body = {"until": in_hours(city, hours)}
    return city.client("everything").post(f"/api/v1/alerts/{alert}/shelve", json=body)


def state(city: City, alert: str) -> dict[str, Any]:
    told = city.client("everything").get(f"/api/v1/alerts/{alert}").raise_for_status().json()
    found: dict[str, Any] = told["state"]
    return found


def later(city: City, hours: float) -> None:
    """Sessions end when nobody uses them for so long."""
    city.later(hours=hours)
    city.sign_in_anew("everything")


def sweep(city: City) -> None:
    with writing(city.services.sessions) as session:
        aside.sweep(session, city.time)


def told_again(city: City) -> list[str]:
    return [
        one["title"]
        for one in city.listed("everything", domain="platform")
        if one["kind"] == "aside-long" and one["state"]["active"]
    ]


@pytest.fixture
def fire(city: City) -> str:
    city.account("everything", *Role)
    city.send(alarm(city.time), "alarm-1")
    return str(city.listed("everything", domain="smoke")[0]["id"])


@pytest.fixture
def spill(city: City) -> str:
    city.account("everything", *Role)
    city.send(excursion(city.time), "sonde-1")
    return str(city.listed("everything", domain="water")[0]["id"])


@pytest.mark.parametrize("hours", [None, 0, 8.5, 24 * 365])
def test_a_fire_is_out_of_service_for_as_long_as_a_test(
    city: City, fire: str, hours: float | None
) -> None:
    refused = out_of_service(city, fire, hours)
    assert (refused.status_code, refused.json()["code"]) == (422, "bad-end")
    assert refused.json()["data"]["longest_hours"] == 8
    assert state(city, fire)["out_of_service"] is False


def test_of_what_no_life_hangs_on_nobody_asks_for_an_end(city: City, spill: str) -> None:
    assert out_of_service(city, spill, None).status_code == 200
    later(city, 24 * 400)
    sweep(city)
    assert state(city, spill)["out_of_service"] is True


def test_at_its_end_it_calls_again(city: City, fire: str, hook: Hook) -> None:
    channel(city, hook.url, role=Role.DISPATCHER)
    sender = NotificationSender(city.services)
    sender.deliver_due()
    assert out_of_service(city, fire, 8).status_code == 200
    city.later(hours=7)
    sender.remind()
    sender.deliver_due()
    assert len(hook.received) == 1
    assert state(city, fire)["out_of_service"] is True

    city.later(hours=1)
    assert state(city, fire)["out_of_service"] is False, "whether anybody sweeps or not"
    sender.remind()
    sender.deliver_due()
    assert len(hook.received) == 2
    sweep(city)
    sweep(city)
    history = city.client("everything").get(f"/api/v1/alerts/{fire}").json()["history"]
    assert [line["action"] for line in history].count("in-service") == 1


def test_a_fire_that_an_earlier_release_took_out_for_good_calls_again(
    city: City, fire: str, hook: Hook
) -> None:
    with writing(city.services.sessions) as session:
        session.get_one(AlertRow, fire).out_of_service = True
    channel(city, hook.url, role=Role.DISPATCHER)
    assert state(city, fire)["out_of_service"] is False
    sweep(city)
    NotificationSender(city.services).deliver_due()
    assert len(hook.received) == 1


def test_what_becomes_critical_is_not_silenced_by_what_it_was(
    city: City, fire: str, hook: Hook
) -> None:
    with writing(city.services.sessions) as session:
        row = session.get_one(AlertRow, fire)
        row.severity, row.out_of_service = "minor", True
        row.out_of_service_until = city.time + timedelta(days=300)
    assert state(city, fire)["out_of_service"] is True
    channel(city, hook.url, role=Role.DISPATCHER)
    NotificationSender(city.services).deliver_due()
    with writing(city.services.sessions) as session:
        amend(session, fire, Amendment(severity="critical"), city.time)
    assert state(city, fire)["out_of_service"] is False
    NotificationSender(city.services).deliver_due()
    assert len(hook.received) == 2


@pytest.mark.parametrize("put", [shelve, out_of_service])
def test_it_is_put_aside_again_and_again_for_so_long_and_no_longer(
    city: City, fire: str, put: Any
) -> None:
    begun = city.time
    for _ in range(9):
        assert put(city, fire, 8).status_code == 200
        later(city, 8)
    assert city.time - begun == LONGEST_SHELVED
    refused = put(city, fire, 1)
    assert (refused.status_code, refused.json()["code"]) == (422, "aside-too-long")
    latest = datetime.fromisoformat(refused.json()["data"]["latest"])
    assert latest == begun + LONGEST_SHELVED
    assert len(told_again(city)) == 1, "whoever runs the platform was told, once"
    later(city, REST / timedelta(hours=1) - 1)
    assert put(city, fire, 1).status_code == 422
    later(city, 1)
    assert put(city, fire, 8).status_code == 200, "it was in use for long enough"


def test_who_takes_it_back_ends_what_was_told(city: City, fire: str) -> None:
    shelve(city, fire, 4)
    assert told_again(city) == []
    city.later(hours=4)
    shelve(city, fire, 4)
    assert told_again(city) == ["Put aside again, 8 hours in a row: Smoke alarm at Chen home"]
    city.client("everything").post(f"/api/v1/alerts/{fire}/unshelve", json={})
    sweep(city)
    assert told_again(city) == []
