"""What the planner keeps of who there is to be told: never older than what was announced."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from cloud_city import City
from sql import statements
from vigil_cloud.database.engine import writing
from vigil_cloud.identity import districts, households
from vigil_cloud.identity.households import Described
from vigil_cloud.identity.reader import Relation
from vigil_cloud.identity.roles import Role
from vigil_cloud.identity.service import account_named
from vigil_cloud.notify.models import Channel
from vigil_cloud.notify.people import KnownPeople, People
from vigil_cloud.notify.removal import remove_channel
from webhook import channel

BY = "administrator"


def everything(people: People) -> Any:
    return people.groups, people.of_account, people.homes, people.at_home, people.devices_of


def known(city: City, kept: KnownPeople) -> People:
    with city.services.sessions() as session:
        return kept.get(session, city.time)


def afresh(city: City) -> People:
    with city.services.sessions() as session:
        return People(session, city.time)


def add_channel(city: City) -> None:
    channel(city, "json://127.0.0.1:1", "of family", username="family")
    channel(city, "json://127.0.0.1:1", "of inspectors", role=Role.INSPECTOR)


def change_channel(city: City) -> None:
    channel(city, "json://127.0.0.1:1", "of family", username="family", minimum="critical")


def switch_off(city: City) -> None:
    with writing(city.services.sessions) as session:
        session.query(Channel).filter_by(name="of inspectors").one().enabled = False


def remove(city: City) -> None:
    with writing(city.services.sessions) as session:
        remove_channel(session, "of inspectors", by=BY, now=city.time)


def other_roles(city: City) -> None:
    with writing(city.services.sessions) as session:
        account_named(session, "family").roles = [Role.INSPECTOR.value]


def move_in(city: City) -> None:
    with writing(city.services.sessions) as session:
        chen = Described(name="Chen")
        households.put(session, city.cipher, "chen", chen, by=BY, now=city.time)
        households.add_member(
            session,
            "chen",
            by=BY,
            now=city.time,
            account=account_named(session, "family"),
            relation=Relation.RESIDENT,
            until=city.time + timedelta(hours=1),
        )


def give_device(city: City) -> None:
    with writing(city.services.sessions) as session:
        until = city.time + timedelta(hours=2)
        households.give_device(session, "chen", "alarm-1", by=BY, now=city.time, until=until)


def an_hour_later(city: City) -> None:
    city.later(hours=1)


def limit(city: City) -> None:
    with writing(city.services.sessions) as session:
        districts.put(session, "east", "East", "東", by=BY, now=city.time)
        account = account_named(session, "family")
        districts.limit(session, account, ["east"], by=BY, now=city.time)


def close_account(city: City) -> None:
    with writing(city.services.sessions) as session:
        account_named(session, "family").active = False


STEPS: list[Callable[[City], None]] = [
    add_channel,
    change_channel,
    switch_off,
    add_channel,
    remove,
    other_roles,
    move_in,
    give_device,
    an_hour_later,
    an_hour_later,
    limit,
    close_account,
]


def test_what_is_kept_is_what_is_there_after_every_change(either_city: City) -> None:
    kept = KnownPeople()
    for step in STEPS:
        before = everything(afresh(either_city))
        assert everything(known(either_city, kept)) == before
        step(either_city)
        assert everything(known(either_city, kept)) == everything(afresh(either_city)), step


def test_nobody_is_read_again_while_nothing_changes(city: City) -> None:
    add_channel(city)
    kept = KnownPeople()
    known(city, kept)
    with writing(city.services.sessions) as session:
        session.query(Channel).filter_by(name="of family").one().paced = city.time

    with statements(city.services.engine) as asked:
        known(city, kept)

    assert [text for text, _ in asked if "channels" in text] == []


def test_a_role_of_a_later_release_keeps_nobody_from_hearing(city: City) -> None:
    add_channel(city)
    with writing(city.services.sessions) as session:
        account_named(session, "family").roles = ["astronaut"]

    people = known(city, KnownPeople())

    (inspectors,) = [reader for reader in people.groups if Role.INSPECTOR in reader.roles]
    assert [one.name for one in people.groups[inspectors]] == ["of inspectors"]


@pytest.mark.parametrize("back", [timedelta(days=-1)])
def test_a_clock_that_was_set_back_is_read_anew(city: City, back: timedelta) -> None:
    kept = KnownPeople()
    first = known(city, kept)
    city.time += back

    assert known(city, kept) is not first
