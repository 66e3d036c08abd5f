"""A right ends of somebody who has no channel: their page says so, and whoever keeps the accounts
is told in time to ring them up."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import timedelta

import pytest

from cloud_city import NOON, City
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.alerts.platform import standing
from vigil_cloud.database.engine import writing
from vigil_cloud.descriptor import cloud_domains
from vigil_cloud.identity import households
from vigil_cloud.identity.reader import Relation
from vigil_cloud.identity.roles import Role
from vigil_cloud.identity.service import account_named, set_active
from vigil_cloud.notify import ends_told
from vigil_cloud.notify.rights_end import PLATFORM_ENDS
from vigil_schemas.types import isoformat_utc
from webhook import Hook, channel

UNTIL = NOON + timedelta(days=90)


@pytest.fixture
def home(city: City) -> City:
    with writing(city.services.sessions) as session:
        households.put(session, city.cipher, "h1", households.Described("Chen"), by="op", now=NOON)
        account = account_named(session, "family")
        households.add_member(session, "h1", account=account, by="op", now=NOON, until=UNTIL)
        households.give_device(session, "h1", "alarm-1", by="op", now=NOON, until=UNTIL)
    return city


def round_at(city: City, days_before: float) -> Sequence[AlertRow]:
    """Tell whoever is to be told; what stands of those who could not be told."""
    city.time = UNTIL - timedelta(days=days_before)
    sources = [*PLATFORM_ENDS, *(one for each in cloud_domains() for one in each.ends_soon)]
    ends_told.send_waiting(city.services, threading.Event(), sources)
    with city.services.sessions() as session:
        return standing(session, "end-untold")


def test_a_member_without_a_channel_is_named_to_whoever_keeps_the_accounts(home: City) -> None:
    assert round_at(home, 29) == [], "there is time to look at the page"
    (told,) = round_at(home, 6)
    assert (told.title, told.severity) == (
        "Rights end on 2026-05-30, and nobody could be told",
        "minor",
    )
    assert told.detail["explanation"] == "family (alarm-1 in home h1), family (home h1)"
    assert "Chen" not in str(told.detail)
    assert told.id in {one["id"] for one in home.listed("administrator")}
    assert home.listed("family") == []
    (again,) = round_at(home, 5.9)
    assert again.id == told.id
    (near,) = round_at(home, 0.9)
    assert (near.id, near.severity) == (told.id, "major")
    assert round_at(home, -0.1) == []


def test_it_is_over_once_they_have_a_channel_or_it_goes_on(home: City, hook: Hook) -> None:
    (told,) = round_at(home, 6)
    with writing(home.services.sessions) as session:
        account = account_named(session, "family")
        households.add_member(session, "h1", account=account, by="op", now=home.time)
    (told,) = round_at(home, 5)
    assert told.detail["explanation"] == "family (alarm-1 in home h1)"
    channel(home, hook.url, username="family")
    assert round_at(home, 4.9) == [], "told at once, and not the day before alone"
    assert len(hook.titles) == 1
    assert round_at(home, 4.8) == []
    assert len(hook.titles) == 1


def test_one_resident_who_was_told_of_a_device_is_enough(home: City, hook: Hook) -> None:
    home.account("son", Role.FAMILY)
    channel(home, hook.url, username="son")
    with writing(home.services.sessions) as session:
        account = account_named(session, "son")
        households.add_member(session, "h1", account=account, by="op", now=NOON)
    (told,) = round_at(home, 6)
    assert told.detail["explanation"] == "family (home h1)"


def test_a_channel_that_fails_is_none_after_three_tries(home: City, hook: Hook) -> None:
    channel(home, hook.url, username="family")
    hook.status = 503
    assert [len(round_at(home, 6 - hours / 24)) for hours in (0, 1, 2, 3)] == [0, 0, 1, 1]


def test_a_closed_account_is_nobody_to_ring_up(home: City) -> None:
    with writing(home.services.sessions) as session:
        set_active(session, "family", active=False, by="op", now=NOON)
    assert round_at(home, 6) == []


def test_of_many_the_number_is_told(home: City) -> None:
    for number in range(40):
        name = f"resident-{number:02}"
        home.account(name, Role.FAMILY)
        with writing(home.services.sessions) as session:
            account = account_named(session, name)
            households.add_member(session, "h1", account=account, by="op", now=NOON, until=UNTIL)
    (told,) = round_at(home, 6)
    assert len(told.detail["explanation"]) <= 400
    named, rest = told.detail["explanation"].split(" … +")
    assert len(named.split(", ")) + int(rest) == 2 * 41


def test_their_page_says_what_ends_of_a_home(home: City) -> None:
    def mine() -> tuple[object, object]:
        (found,) = home.client("family").get("/api/v1/households/mine").json()["homes"]
        return found["ends_soon"], found["devices_end"]

    assert mine() == (None, [])
    home.time = UNTIL - timedelta(days=20)
    home.sign_in_anew("family")
    ends = isoformat_utc(UNTIL)
    assert mine() == (ends, [{"device": "alarm-1", "ends": ends}])
    with writing(home.services.sessions) as session:
        account = account_named(session, "family")
        now, contact = home.time, Relation.CONTACT
        households.give_device(session, "h1", "alarm-1", by="op", now=now)
        households.add_member(session, "h1", account=account, by="op", now=now, relation=contact)
    assert mine() == (None, [])
