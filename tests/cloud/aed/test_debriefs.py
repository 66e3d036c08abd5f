"""After a call: thanks to whoever came, and what they say of it."""

from __future__ import annotations

import threading
from typing import Any

from aed_town import (
    GATEWAY,
    alert_of,
    callouts,
    calls_of,
    end,
    press,
    ready,
    rounds,
    say,
)
from cloud_city import City
from vigil_cloud.aed import live, thanks
from webhook import Hook, channel

SAID = {"did": ["cpr", "aed-brought"], "feeling": "wants-to-talk", "note": "three minutes of CPR"}


def debrief(town: City, who: str, body: dict[str, Any] | None = None) -> Any:
    path = f"/api/v1/aed/calls/{GATEWAY}:call-0001/debrief"
    return town.client(who).put(path, json=body or SAID)


def over(town: City) -> None:
    end(town, alert_of(town)["id"])
    rounds(town)


def test_whoever_came_says_how_it_went_and_whoever_leads_sees_it(town: City) -> None:
    for name, east in (("ann", 0.001), ("bo", 0.002)):
        ready(town, name, east)
    press(town)
    rounds(town)
    assert say(town, "ann", "accepted").is_success
    early = debrief(town, "ann")
    assert (early.status_code, early.json()["code"]) == (409, "aed-debrief-not-yet")
    assert say(town, "ann", "arrived").is_success
    assert calls_of(town, "ann")[0]["debrief_due"] is True
    assert debrief(town, "ann").is_success
    assert calls_of(town, "ann")[0]["debrief_due"] is False
    assert debrief(town, "ann", {**SAID, "feeling": "well", "note": ""}).is_success
    assert debrief(town, "ann").is_success, "told again it is written anew"
    assert debrief(town, "cy").status_code == 404, "who was not called"
    said = {one["username"]: one["debrief"] for one in callouts(town)}
    assert said["ann"] == SAID
    with town.services.engine.connect() as connection:
        sealed = connection.exec_driver_sql("SELECT debrief FROM aed_callouts").all()
    assert all(b"three minutes" not in (one or b"") for (one,) in sealed)
    for bad in ({"did": ["flew"]}, {"feeling": "meh"}, {"note": "x" * 1001}):
        assert debrief(town, "ann", {**SAID, **bad}).status_code == 422


def test_who_declined_or_never_answered_owes_nothing(town: City) -> None:
    for name, east in (("ann", 0.001), ("bo", 0.002)):
        ready(town, name, east)
    press(town)
    rounds(town)
    assert say(town, "ann", "declined").is_success
    over(town)
    for name in ("ann", "bo"):
        assert calls_of(town, name)[0]["debrief_due"] is False
        assert debrief(town, name).status_code == 409


def test_whoever_came_is_thanked_once_and_how_that_went_is_shown(town: City, hook: Hook) -> None:
    (job,) = [one for one in live.jobs() if one.name == "aed-thanks"]
    assert job.waiting is not None
    for name, east in (("ann", 0.001), ("bo", 0.002)):
        ready(town, name, east)
        channel(town, hook.url, name=f"{name}'s phone", username=name)
    press(town)
    rounds(town)
    assert say(town, "ann", "accepted").is_success
    with town.services.sessions() as session:
        assert not job.waiting(session, town.time)
    over(town)
    hook.received.clear()
    hook.status = 503
    thanks.send_waiting(town.services, threading.Event())
    told = {one["username"]: one["thanked"] for one in callouts(town)}
    assert told["ann"].startswith("failed")
    hook.status = 200
    with town.services.sessions() as session:
        assert not job.waiting(session, town.time), "not before its pause is over"
    assert thanks.send_waiting(town.services, threading.Event()) == 0
    town.later(seconds=60)
    with town.services.sessions() as session:
        assert job.waiting(session, town.time)
    for _ in range(2):
        thanks.send_waiting(town.services, threading.Event())
    assert len(hook.received) == 1, "ann alone came, and once"
    assert "Thank you" in str(hook.received[0])
    told = {one["username"]: one["thanked"] for one in callouts(town)}
    assert told["ann"] == "sent"
    assert set(told.values()) <= {"sent", ""}


def test_thanks_that_fail_are_tried_ever_more_seldom_and_given_up_in_sight(
    town: City, hook: Hook
) -> None:
    ready(town, "ann", 0.001)
    channel(town, hook.url, name="ann's phone", username="ann")
    press(town)
    rounds(town)
    assert say(town, "ann", "accepted").is_success
    over(town)
    hook.status = 503
    before = hook.requests
    for _ in range(6 * 60 + 2):  # as the job looks, more often than anything is due
        thanks.send_waiting(town.services, threading.Event())
        town.later(minutes=1)
    assert 8 <= hook.requests - before <= 12, "1, 2, 4, 8, 16, 32 and 60 minutes"
    thanks.send_waiting(town.services, threading.Event())
    (told,) = [one["thanked"] for one in callouts(town)]
    assert told.startswith("given up after ")
    assert "503" in told
    with town.services.sessions() as session:
        assert not thanks.waiting(session, town.time)


def test_thanks_are_not_told_the_day_after(town: City) -> None:
    ready(town, "ann", 0.001)
    press(town)
    rounds(town)
    assert say(town, "ann", "accepted").is_success
    over(town)
    town.later(hours=7)
    with town.services.sessions() as session:
        assert not thanks.waiting(session, town.time)
