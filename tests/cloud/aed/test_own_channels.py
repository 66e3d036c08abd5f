"""How messages to volunteers' own channels went: written down one by one, and what cannot be opened
is no "no channel"."""

from __future__ import annotations

import threading

import pytest
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError

from aed_town import callouts, press, ready, rounds
from cloud_city import City
from servers import eventually
from vigil_cloud.aed import live, summons
from vigil_cloud.aed.models import AedSite
from vigil_cloud.devices.models import Device
from vigil_cloud.notify.models import Channel
from vigil_cloud.notify.own_channels import UNREADABLE, given_up, next_try
from webhook import Hook, channel


def spoil(town: City, name: str) -> None:
    """As after another secret key."""
    with town.services.engine.begin() as connection:
        done = connection.execute(
            update(Channel).where(Channel.name == name).values(url=b"sealed under another key")
        )
        assert done.rowcount == 1


def told(town: City) -> dict[str, str]:
    return {one["username"]: one["told"] for one in callouts(town)}


def test_a_channel_that_cannot_be_opened_is_told_as_that(town: City, hook: Hook) -> None:
    for name, east in (("ann", 0.001), ("bo", 0.0012), ("cy", 0.0014)):
        ready(town, name, east)
    channel(town, hook.url, name="ann's phone", username="ann")
    for name in ("bo's phone", "bo's computer"):
        channel(town, hook.url, name=name, username="bo")
    spoil(town, "ann's phone")
    spoil(town, "bo's phone")
    press(town)
    rounds(town)
    found = told(town)
    assert found["ann"] == f"failed: 1 of their channels {UNREADABLE}"
    assert found["bo"] == "sent", "another one took it"
    assert found["cy"].startswith("no channel of their own")
    assert len(hook.received) == 1


def test_a_place_that_breaks_lines_or_turns_letters_does_not_in_the_title(
    town: City, hook: Hook
) -> None:
    """mlrun/mlrun#9457: people type names, and a title is one line of a mail's header."""
    name = "Hall\r\nBcc: x\u202e"
    with town.services.engine.begin() as connection:
        for table in (Device, AedSite):
            connection.execute(update(table).values(name=name, name_zh=name))
    ready(town, "ann", 0.001)
    channel(town, hook.url, name="ann's phone", username="ann")
    press(town)
    rounds(town)
    (message,) = hook.received
    assert "Hall Bcc: x" in message["title"]
    assert message["title"].isprintable()


def test_what_one_was_told_is_written_down_while_another_waits(town: City, hook: Hook) -> None:
    """Whoever dies meanwhile tells nobody a second time."""
    slow = Hook()
    slow.open.clear()
    for name, east, url in (("ann", 0.001, hook.url), ("bo", 0.0012, slow.url)):
        ready(town, name, east)
        channel(town, url, name=f"{name}'s phone", username=name)
    press(town)
    live.look(town.services)
    turn = threading.Thread(
        target=summons.send_waiting, args=(town.services, threading.Event()), daemon=True
    )
    turn.start()
    eventually(lambda: slow.requests == 1)
    eventually(lambda: told(town)["ann"] == "sent")
    assert told(town)["bo"] == ""
    slow.open.set()
    turn.join(30)
    assert not turn.is_alive()
    assert told(town) == {"ann": "sent", "bo": "sent"}
    slow.close()


def test_a_row_that_cannot_be_written_costs_no_other_its_outcome(town: City, hook: Hook) -> None:
    for name, east in (("ann", 0.001), ("bo", 0.0012)):
        ready(town, name, east)
        channel(town, hook.url, name=f"{name}'s phone", username=name)
    press(town)
    live.look(town.services)
    with town.services.engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TRIGGER full BEFORE UPDATE OF told ON aed_callouts WHEN old.account_id ="
            " (SELECT id FROM accounts WHERE username = 'ann')"
            " BEGIN SELECT RAISE(FAIL, 'no room'); END"
        )
    with pytest.raises(IntegrityError, match="no room"):  # the job is shown as failing
        summons.send_waiting(town.services, threading.Event())
    assert told(town) == {"ann": "", "bo": "sent"}


def test_pauses_double_and_end_where_it_did_not_fail(town: City) -> None:
    pauses = []
    tries = 0
    for _ in range(8):
        again = next_try("failed: 503", tries, town.time, 60, 3600)
        assert again.at is not None
        pauses.append((again.at - town.time).total_seconds())
        tries = again.tries
    assert pauses == [60, 120, 240, 480, 960, 1920, 3600, 3600]
    assert next_try("sent", 3, town.time, 60, 3600) == (4, None)
    assert next_try("failed", 10_000, town.time, 60, 3600).at is not None
    assert given_up(3, "failed: 503 there") == "given up after 3 tries: 503 there"
