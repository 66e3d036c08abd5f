"""A fire when something else goes wrong: 119 is called, and whoever is concerned is told."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select

from aed_town import Line119
from cloud_city import alarm
from escalation_stage import put
from fire_town import HOME, Home, kinds, ring
from vigil_cloud.database.engine import writing
from vigil_cloud.emergency import service as emergency
from vigil_cloud.smoke.models import Fire
from webhook import Hook, channel


def broken(*_: object, **__: object) -> None:
    raise RuntimeError


@pytest.mark.parametrize("part", ["widen", "open_case"])
def test_nothing_that_fails_behind_a_call_undoes_it_and_it_is_tried_again(
    home: Home, line: Line119, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    hook = Hook()
    channel(home.city, hook.url, "neighbour", username="neighbour")
    ring(home)
    home.city.later(seconds=60)
    with monkeypatch.context() as patch:
        patch.setattr(f"vigil_cloud.smoke.live.{part}", broken)
        with pytest.raises(RuntimeError):
            home.watch.look(home.city.services)
        emergency.send_due(home.city.services)
        assert kinds(line) == ["Alert"]
    home.look()
    home.told()
    assert (kinds(line), home.card()["case"] is not None) == (["Alert"], True)
    assert any("119 is called" in one["message"] for one in hook.received)
    hook.close()


def test_a_voice_that_fails_keeps_nobody_waiting(
    home: Home, line: Line119, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vigil_cloud.smoke.voice.ask_home", broken)
    ring(home)
    with pytest.raises(RuntimeError):
        home.look()
    home.later(60)
    assert kinds(line) == ["Alert"]


def test_a_fire_that_this_release_cannot_read_keeps_no_other_waiting(
    home: Home, line: Line119
) -> None:
    home.city.send(alarm(home.city.time), "alarm-9")
    with writing(home.city.services.sessions) as session:
        (other,) = session.scalars(select(Fire)).all()
        other.state = {**other.state, "phase": "of a later release"}
    ring(home)
    home.city.later(seconds=60)
    with pytest.raises(ValueError, match="phase"):
        home.watch.look(home.city.services)
    emergency.send_due(home.city.services)
    assert kinds(line) == ["Alert"]


def test_that_an_alarm_fell_silent_is_no_all_clear_and_whoever_ends_the_fire_tells_it(
    home: Home,
) -> None:
    hook = Hook()
    channel(home.city, hook.url, "resident", username="resident", follow_ups=["all-clear"])
    ring(home)
    home.told()
    home.city.later(seconds=20)
    ring(home, active=False)
    home.told()
    home.later(40)
    home.told()
    assert not any("ALL CLEAR" in title for title in hook.titles)
    assert home.act("dispatcher", "lead/all-clear").status_code == 200
    home.look()
    home.told()
    assert [title for title in hook.titles if "ALL CLEAR" in title] == [hook.titles[-1]]
    hook.close()


def test_everybody_is_told_though_the_alarm_fell_silent_and_a_policy_begins_later(
    home: Home,
) -> None:
    hook = Hook()
    channel(home.city, hook.url, "neighbour", username="neighbour")
    channel(home.city, hook.url, "resident", username="resident")
    last = {"after_s": 300, "channel": "webhook", "persons": ["role:dispatcher"]}
    first = {"after_s": 30, "channel": "webhook", "persons": ["household:resident"]}
    put(home.city, step=[first], fallback=last)
    ring(home)
    home.city.later(seconds=20)
    ring(home, active=False)
    home.told()
    hook.received.clear()
    home.later(40)
    home.told()
    told = [one for one in hook.received if "119 is called" in one["message"]]
    assert len(told) == 2, "resident and neighbour"
    hook.close()


def test_residents_are_told_by_a_sender_that_comes_after_the_window_whatever_the_policy(
    home: Home,
) -> None:
    hook = Hook()
    channel(home.city, hook.url, "resident", username="resident")
    step = {"after_s": 0, "channel": "webhook", "persons": ["role:maintainer"]}
    put(home.city, step=[step], fallback={**step, "after_s": 300})
    ring(home)
    home.later(60)
    home.told()
    assert len(hook.received) == 1
    hook.close()


def test_that_119_does_not_answer_is_told_though_the_alarm_fell_silent(
    home: Home, line: Line119
) -> None:
    line.status = 503
    hook = Hook()
    channel(home.city, hook.url, "dispatcher", username="dispatcher")
    ring(home)
    home.later(60)
    ring(home, active=False)
    for _ in range(3):
        home.later(30)
    home.told()
    assert any("call by telephone" in one["message"] for one in hook.received)
    hook.close()


@pytest.mark.parametrize("options", [None, {"escalate_after_s": 600.0}, {"domains": ["water"]}])
def test_a_home_whose_residents_no_message_reaches_at_once_holds_nobody_back(
    home: Home, options: dict[str, Any] | None
) -> None:
    hook = Hook()
    channel(home.city, hook.url, "neighbour", username="neighbour")
    if options is not None:
        channel(home.city, hook.url, "resident", username="resident", **options)
    ring(home)
    home.told()
    assert len(hook.received) == 1
    hook.close()


def test_a_clock_that_is_set_back_delays_no_call_to_119(home: Home, line: Line119) -> None:
    line.status = 503
    ring(home)
    assert home.act("resident", "burns").status_code == 200
    home.watch.look(home.city.services)
    home.city.later(hours=-2)
    emergency.send_due(home.city.services)
    assert len(line.received) == 1, "the first try"
    home.city.later(hours=-2)
    emergency.send_due(home.city.services)
    assert len(line.received) == 2, "and the next"


def test_119_is_tried_on_though_its_alert_was_confirmed_until_the_fire_is_over(
    home: Home, line: Line119
) -> None:
    line.status = 503
    ring(home)
    home.later(60)
    (alert,) = home.city.alerts("dispatcher", domain="smoke")
    client = home.city.client("maintainer")
    for act in ("acknowledge", "confirm"):
        done = client.post(f"/api/v1/alerts/{alert['id']}/{act}", json={})
        assert done.status_code == 200, done.text
    home.later(60)
    home.later(60)
    assert home.card()["calls"][0]["again"] is not None
    assert home.act("dispatcher", "lead/all-clear").status_code == 200
    home.later(1)
    tried = len(line.received)
    home.later(600)
    assert (home.card()["calls"][0]["again"], len(line.received)) == (None, tried)


def test_one_alert_of_two_fires_is_told_of_each(home: Home, line: Line119) -> None:
    hook = Hook()
    channel(home.city, hook.url, "neighbour", username="neighbour")
    ring(home)
    home.later(60)
    home.told()
    assert home.act("dispatcher", "lead/all-clear").status_code == 200
    home.look()
    home.told()
    hook.received.clear()
    ring(home, signs=["heat"])
    home.later(60)
    home.told()
    assert kinds(line) == ["Alert", "Alert"]
    assert any("119 is called" in one["message"] for one in hook.received)
    assert home.act("dispatcher", "lead/all-clear").status_code == 200
    home.look()
    home.told()
    assert "ALL CLEAR" in hook.titles[-1]
    hook.close()


def test_a_lock_that_an_administrator_ends_ends_its_alert(home: Home) -> None:
    ring(home)
    for _ in range(5):
        home.act("resident", "safe", {"code": "0000"})
    home.say("administrator", "DELETE", f"/homes/{HOME}/code")
    (ended,) = [one for one in home.city.alerts("resident") if one["kind"] == "code_locked"]
    assert not ended["state"]["active"]
