"""A fire that nobody has ended goes on calling: policies, 119, a home that becomes known."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from aed_town import Line119
from escalation_stage import put, standing
from fire_town import ADDRESS, BEDROOM, CODE, HOME, KITCHEN, Home, kinds, ring
from vigil_cloud.database.engine import writing
from vigil_cloud.identity import districts, households
from vigil_cloud.identity.models import AuditEntry
from vigil_cloud.identity.roles import Role
from vigil_cloud.identity.service import account_named, set_active, set_roles
from vigil_cloud.notify.reminders import remind
from webhook import Hook, channel

STEPS: dict[str, Any] = {
    "remind_s": 120,
    "step": [{"after_s": 0, "channel": "webhook", "persons": ["role:dispatcher"]}],
    "fallback": {"after_s": 180, "channel": "webhook", "persons": ["role:maintainer"]},
}


def give(home: Home, device: str, household: str = HOME) -> None:
    with writing(home.city.services.sessions) as session:
        households.give_device(session, household, device, by="test", now=home.city.time)


@pytest.mark.parametrize("silent_after_s", [20, 70])
def test_a_policy_keeps_its_steps_while_its_fire_is_called_though_the_alarm_fell_silent(
    home: Home, silent_after_s: int
) -> None:
    first, last = Hook(), Hook()
    channel(home.city, first.url, "dispatcher", username="dispatcher")
    channel(home.city, last.url, "maintainer", username="maintainer")
    put(home.city, **STEPS)
    ring(home)
    home.later(silent_after_s)
    ring(home, active=False)
    home.later(90 - silent_after_s)
    home.told()
    assert first.received
    last.received.clear()
    home.later(200)
    home.told()
    assert last.received, "nobody has accepted: the fallback is called"
    home.told()
    assert "unanswered" in standing(home.city)
    told = len(last.received)
    home.later(121)
    home.told()
    home.told()
    assert len(last.received) > told, "and reminded"
    assert home.act("dispatcher", "lead/all-clear").status_code == 200
    home.later(1)
    home.told()
    home.told()
    told = len(last.received)
    home.later(600)
    home.told()
    home.told()
    assert len(last.received) == told, "over is over"
    assert "unanswered" not in standing(home.city)
    first.close()
    last.close()


def test_a_fire_whose_leader_leaves_is_led_by_the_next(home: Home) -> None:
    """Given a dispatcher whose account is closed in the middle of it."""
    city = home.city
    city.account("second", Role.DISPATCHER)
    ring(home)
    home.later(61)
    fire = home.fires()[0]["fire"]
    assert home.act("dispatcher", "lead/acknowledge").status_code == 200
    second = city.client("second")

    def leader() -> str | None:
        found: str | None = second.get(f"/api/v1/smoke/fires/{fire}").json()["leader"]
        return found

    assert leader() == "dispatcher"
    with writing(city.services.sessions) as session:
        set_active(session, "dispatcher", False, by="operator", now=city.time)
    assert leader() is None
    last = second.get(f"/api/v1/smoke/fires/{fire}").json()["steps"][-1]
    assert (last["what"], last["who"]) == ("leader-left:closed", "dispatcher")
    with city.services.sessions() as session:
        line = session.scalars(
            select(AuditEntry).where(AuditEntry.action == "fire.leader-left")
        ).one()
    assert (line.account, line.subject) == ("operator", fire)
    assert line.detail == {"leader": "dispatcher", "why": "closed"}
    arrived = second.post(f"/api/v1/smoke/fires/{fire}/lead/arrived")
    assert (arrived.status_code, leader()) == (200, "second")


@pytest.mark.parametrize(
    ("roles", "districts_", "left"),
    [
        ([Role.INSPECTOR], [], "leader-left:roles"),
        ([Role.DISPATCHER, Role.INSPECTOR], [], None),
        ([Role.DISPATCHER], ["west"], "leader-left:districts"),
        ([Role.DISPATCHER], ["east"], None),
    ],
    ids=["role taken away", "role added", "limited to elsewhere", "limited to here"],
)
def test_a_leader_who_may_lead_it_no_longer_leaves_it_to_others(
    home: Home, roles: list[Role], districts_: list[str], left: str | None
) -> None:
    city = home.city
    city.account("second", Role.DISPATCHER)
    with writing(city.services.sessions) as session:
        for name in ("east", "west"):
            districts.put(session, name, name, name, by="operator", now=city.time)
        districts.place(session, "device", KITCHEN, "east", by="operator", now=city.time)
    ring(home)
    home.later(61)
    fire = home.fires()[0]["fire"]
    assert home.act("dispatcher", "lead/acknowledge").status_code == 200
    with writing(city.services.sessions) as session:
        account = account_named(session, "dispatcher")
        set_roles(session, account, roles, by="operator", now=city.time)
    with writing(city.services.sessions) as session:
        account = account_named(session, "dispatcher")
        districts.limit(session, account, districts_, by="operator", now=city.time)
    card = city.client("second").get(f"/api/v1/smoke/fires/{fire}").json()
    assert card["leader"] == (None if left else "dispatcher")
    found = [one["what"] for one in card["steps"] if one["what"].startswith("leader-left")]
    assert found == ([left] if left else [])
    (alert,) = city.alerts("second", domain="smoke")
    assert alert["state"]["acknowledged"] is (left is None), "its people are called again"


def test_without_a_policy_reminders_go_on_as_well(
    home: Home,
) -> None:
    hook = Hook()
    channel(home.city, hook.url, "neighbour", username="neighbour")
    ring(home)
    home.later(20)
    ring(home, active=False)
    home.later(40)
    home.told()
    told = len(hook.received)
    home.city.later(seconds=700)
    services = home.city.services
    assert remind(services.sessions, services.now(), timedelta(seconds=600)) == 1
    home.told()
    assert len(hook.received) == told + 1
    assert home.act("dispatcher", "lead/all-clear").status_code == 200
    home.look()
    home.city.later(seconds=700)
    assert remind(services.sessions, services.now(), timedelta(seconds=600)) == 0
    hook.close()


def test_119_is_tried_on_though_its_alert_was_confirmed_and_its_alarm_fell_silent(
    home: Home, line: Line119
) -> None:
    line.status = 503
    ring(home)
    home.later(60)
    ring(home, active=False)
    home.look_119()
    (alert,) = home.city.alerts("dispatcher", domain="smoke")
    client = home.city.client("maintainer")
    for act in ("acknowledge", "confirm"):
        client.post(f"/api/v1/alerts/{alert['id']}/{act}", json={}).raise_for_status()
    tried = len(line.received)
    home.later(61)
    assert len(line.received) > tried
    assert home.card()["calls"][0]["again"] is not None
    assert home.act("dispatcher", "lead/all-clear").status_code == 200
    home.later(1)
    tried = len(line.received)
    home.later(600)
    assert len(line.received) == tried


def test_a_cancellation_that_119_does_not_take_reaches_who_can_telephone(
    home: Home, line: Line119
) -> None:
    desk, house = Hook(), Hook()
    for who in ("dispatcher", "administrator"):
        channel(home.city, desk.url, who, username=who)
    channel(home.city, house.url, "resident", username="resident")
    ring(home)
    home.later(60)
    assert kinds(line) == ["Alert"]
    line.status = 503
    assert home.act("resident", "safe", {"code": CODE}).status_code == 200
    home.later(1)
    home.told()
    heard = [one for one in desk.received if "119 was not told" in one["title"]]
    assert len(heard) == 2, "the dispatcher and the administrator"
    assert not any("119 was not told" in one["title"] for one in house.received)
    line.status = 200
    home.later(61)
    (alert,) = [
        one
        for one in home.city.alerts("dispatcher", domain="smoke")
        if one["kind"] == "cancel-unheard"
    ]
    assert not alert["state"]["active"], "taken in the end"
    desk.close()
    house.close()


def test_a_device_that_is_given_to_a_home_during_its_fire_takes_the_fire_along(
    home: Home, line: Line119
) -> None:
    hook = Hook()
    channel(home.city, hook.url, "resident", username="resident")
    with writing(home.city.services.sessions) as session:
        for device in (KITCHEN, BEDROOM):
            households.take_device(session, HOME, device, by="test", now=home.city.time)
    home.city.later(seconds=1)
    ring(home)
    home.later(60)
    assert ADDRESS not in line.received[0].decode()
    give(home, KITCHEN)
    home.later(1)
    home.told()
    assert ADDRESS in line.received[1].decode(), "119 hears the address"
    assert home.fires("resident"), "whoever lives there sees it"
    assert hook.received, "and is told"
    give(home, BEDROOM)
    home.city.later(seconds=1)
    ring(home, BEDROOM)
    (fire,) = home.fires()
    assert fire["confirmed"], "a second alarm of the same home"


def test_two_fires_of_what_becomes_one_home_confirm_each_other(home: Home) -> None:
    with writing(home.city.services.sessions) as session:
        households.take_device(session, HOME, BEDROOM, by="test", now=home.city.time)
    home.city.later(seconds=1)
    ring(home)
    ring(home, BEDROOM)
    assert {fire["phase"] for fire in home.fires()} == {"asking"}
    give(home, BEDROOM)
    home.later(1)
    fires = home.fires()
    assert [(fire["phase"], fire["confirmed"]) for fire in fires] == [("called", True)] * 2


def test_what_a_slow_gateway_tells_now_is_no_report_of_before(home: Home, line: Line119) -> None:
    slow = timedelta(minutes=40)
    home.city.birth(also=(BEDROOM,), session=2, said=home.city.time - slow)
    ring(home, since=home.city.time - slow)
    home.later(20)
    ring(home, active=False, since=home.city.time - slow)
    home.later(40)
    assert kinds(line) == ["Alert"]
