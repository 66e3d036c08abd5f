"""A device that is listed in another home while it is in a fire."""

from __future__ import annotations

from typing import Any

import pytest

from aed_town import Line119
from fire_town import ADDRESS, BEDROOM, HOME, KITCHEN, Home, kinds, ring
from vigil_cloud.database.engine import writing
from vigil_cloud.identity import households
from vigil_cloud.identity.reader import Relation
from vigil_cloud.identity.roles import Role
from vigil_cloud.identity.service import account_named
from webhook import Hook, channel

OTHER = "home-wu"
ELSEWHERE = "嘉義市東區民族路99號"


@pytest.fixture
def two(home: Home) -> Home:
    """A second home, with somebody who lives there."""
    home.city.account("other", Role.FAMILY)
    with writing(home.city.services.sessions) as session:
        described = households.Described("Wu", ELSEWHERE, None, (23.47, 120.46))
        now = home.city.time
        households.put(session, home.city.cipher, OTHER, described, by="test", now=now)
        account = account_named(session, "other")
        households.add_member(
            session, OTHER, by="test", now=now, account=account, relation=Relation.RESIDENT
        )
    home.city.later(seconds=1)
    return home


def move(home: Home, device: str, household: str, *, taken_first: bool = False) -> None:
    with writing(home.city.services.sessions) as session:
        now = home.city.time
        if taken_first:
            households.take_device(session, HOME, device, by="test", now=now)
        households.give_device(session, household, device, by="test", now=now)


def titles(hook: Hook) -> list[str]:
    return [one["title"] for one in hook.received]


def alerts(home: Home, who: str) -> list[dict[str, Any]]:
    return home.city.alerts(who, domain="smoke")


@pytest.mark.parametrize("taken_first", [False, True])
def test_a_fire_that_is_called_goes_with_its_device_and_both_homes_are_told(
    two: Home, line: Line119, taken_first: bool
) -> None:
    here, there = Hook(), Hook()
    channel(two.city, here.url, "resident", username="resident")
    channel(two.city, there.url, "other", username="other")
    ring(two)
    two.later(60)
    two.told()
    assert kinds(line) == ["Alert"]
    assert ADDRESS in line.received[0].decode()
    here.received.clear()

    move(two, KITCHEN, OTHER, taken_first=taken_first)
    two.later(1)
    two.told()

    assert kinds(line) == ["Alert", "Alert"], "119 hears the address; nothing is taken back"
    assert ELSEWHERE in line.received[1].decode()
    assert "先前之通報仍然有效" in line.received[1].decode()
    assert any("Smoke alarm" in one for one in titles(there))
    assert [one for one in titles(here) if "another home" in one], "told that it is not at theirs"
    assert (two.fires("resident"), len(two.fires("other"))) == ([], 1)
    (moved,) = alerts(two, "resident")
    assert (moved["kind"], moved["severity"]) == ("moved", "major")
    (fire,) = alerts(two, "other")
    assert "moved" in [one["action"] for one in fire["history"]]
    assert two.card()["address"] == ELSEWHERE, "the dispatcher's card as well"
    ring(two, active=False)
    assert two.act("dispatcher", "lead/all-clear").status_code == 200
    for hook in (here, there):
        hook.close()


def test_what_was_said_in_the_former_home_stays_there(two: Home) -> None:
    hook = Hook()
    channel(two.city, hook.url, "resident's own", username="resident")
    ring(two)
    (alert,) = alerts(two, "resident")
    two.told()
    client = two.city.client("maintainer")
    said = {"comment": "The Chens are at the hospital."}
    client.post(f"/api/v1/alerts/{alert['id']}/acknowledge", json=said).raise_for_status()
    two.city.later(seconds=5)
    move(two, KITCHEN, OTHER)
    two.city.later(seconds=1)
    seen = two.city.client("other").get(f"/api/v1/alerts/{alert['id']}").json()
    assert "hospital" not in str(seen)
    assert "resident's own" not in str(seen)
    assert seen["history"][0]["action"] == "moved"
    whole = two.city.client("maintainer").get(f"/api/v1/alerts/{alert['id']}").json()
    assert "hospital" in str(whole)
    hook.close()


def test_one_that_is_still_asked_about_is_asked_about_there(two: Home, line: Line119) -> None:
    there, stranger = Hook(), Hook()
    channel(two.city, there.url, "other", username="other")
    channel(two.city, stranger.url, "dispatcher", username="dispatcher")
    channel(two.city, stranger.url, "resident", username="resident")
    ring(two)
    two.later(20)
    move(two, KITCHEN, OTHER)
    two.later(1)
    two.told()
    assert titles(there), "those who live there are asked"
    assert [(one["phase"], one["household"]) for one in two.fires()] == [("asking", OTHER)]
    assert line.received == []
    two.later(60)
    assert ELSEWHERE in line.received[0].decode()
    there.close()
    stranger.close()


def test_where_another_device_rings_the_fire_stays_and_a_second_one_is_called(
    two: Home, line: Line119
) -> None:
    ring(two)
    ring(two, BEDROOM)
    two.later(1)
    assert kinds(line) == ["Alert"]

    move(two, BEDROOM, OTHER)
    two.later(1)

    by_home = {one["household"]: one for one in two.fires()}
    assert by_home.keys() == {HOME, OTHER}
    assert {one["phase"] for one in by_home.values()} == {"called"}
    assert by_home[HOME]["confirmed"], "what was confirmed stays so"
    assert [one["device"] for one in by_home[OTHER]["alarms"]] == [BEDROOM]
    assert [one["device"] for one in by_home[HOME]["alarms"]] == [KITCHEN]
    assert kinds(line) == ["Alert", "Alert"]
    assert ELSEWHERE in line.received[1].decode()
    ring(two, BEDROOM, active=False)
    ring(two, KITCHEN, active=False)
    for one in two.fires():
        two.say("dispatcher", "POST", f"/fires/{one['fire']}/lead/all-clear")
    two.later(1)
    assert two.fires() == [] or {one["phase"] for one in two.fires()} == {"over"}


def test_two_fires_of_what_becomes_one_home_confirm_each_other(two: Home, line: Line119) -> None:
    with writing(two.city.services.sessions) as session:
        households.give_device(session, OTHER, BEDROOM, by="test", now=two.city.time)
    two.city.later(seconds=1)
    ring(two)
    ring(two, BEDROOM)
    two.later(1)
    assert line.received == []
    move(two, KITCHEN, OTHER)
    two.later(1)
    fires = two.fires()
    assert {one["household"] for one in fires} == {OTHER}
    assert [(one["phase"], one["confirmed"]) for one in fires] == [("called", True)] * 2


def test_a_device_that_is_taken_away_leaves_its_fire_where_it_burns(
    two: Home, line: Line119
) -> None:
    ring(two)
    with writing(two.city.services.sessions) as session:
        households.take_device(session, HOME, KITCHEN, by="test", now=two.city.time)
    two.later(60)
    assert ADDRESS in line.received[0].decode()
    assert two.fires("resident")
