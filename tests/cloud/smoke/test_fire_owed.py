"""An alarm is stored and called, whatever the book-keeping of its fire does."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from aed_town import Line119
from cloud_city import GATEWAY
from fire_town import BEDROOM, KITCHEN, Home, kinds, ring
from gateways import event
from ingest_bench import Bench, Recorder
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.database.engine import writing
from vigil_cloud.domain.aside import BESIDE_FAILED
from vigil_cloud.smoke.self_tests import end_outlasted_tests
from vigil_cloud.smoke.service import SmokeHandler
from vigil_schemas.smoke import SmokeAlarm
from webhook import Hook, channel

BOOK_KEEPING = [
    "vigil_cloud.smoke.fires.alarm_rings",
    "vigil_cloud.smoke.fires.is_called",
    "vigil_cloud.smoke.service.situation_of",
    "vigil_cloud.smoke.service.circumstances_of",
    "vigil_cloud.smoke.service.SmokeHandler._end_tests",
    "vigil_cloud.devices.clocks.behind",
]


def broken(*_: object, **__: object) -> Any:
    raise RuntimeError("a mistake of ours")


@pytest.mark.parametrize("part", BOOK_KEEPING)
def test_an_alarm_is_stored_and_called_whatever_its_book_keeping_does(
    home: Home, line: Line119, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    hook = Hook()
    channel(home.city, hook.url, "resident", username="resident")
    with monkeypatch.context() as patch:
        patch.setattr(part, broken)
        ring(home)
    home.told()
    assert hook.received, "whoever lives there hears of it"
    home.later(60)
    assert kinds(line)[:1] == ["Alert"]
    hook.close()


def test_what_failed_beside_an_alarm_is_a_dead_letter_and_no_refused_alarm(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vigil_cloud.smoke.fires.alarm_rings", broken)
    city = home.city
    told = SmokeAlarm(alarm_id="alarm-0001", condition="smoke", active=True, since=city.time)
    payload = event(GATEWAY, 1, told, subject=KITCHEN, time=city.time, lane="alarm")
    bench = Bench(city.services, Recorder(), [city.time])
    writer = bench.writer([SmokeHandler()])
    writer.store([bench.arrived(f"vigil/v1/{GATEWAY}/alarm", payload)])
    assert [one["kind"] for one in city.listed("administrator")] == ["smoke"]
    (letter,) = bench.dead_letters()
    assert letter.reason == BESIDE_FAILED
    assert "a mistake of ours" in letter.detail


def test_119_is_called_of_an_alarm_whose_fire_fails_again_and_the_fire_takes_it_back(
    home: Home, line: Line119, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("vigil_cloud.smoke.fires.alarm_rings", broken)
        ring(home)
        for _ in range(2):
            with pytest.raises(RuntimeError):
                home.look()
        home.look_119()
    assert kinds(line) == ["Alert"], "once"
    home.look()
    (fire,) = home.fires()
    assert fire["phase"] == "called"
    assert kinds(line) == ["Alert", "Alert"], "now with the home's address"
    assert home.act("dispatcher", "lead/stand-down").status_code == 200
    home.later(1)
    assert kinds(line).count("Cancel") == 2
    assert len(kinds(line)) == 4


def test_an_alarm_that_cannot_even_be_told_to_119_holds_up_no_other_fire(
    home: Home, line: Line119, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("vigil_cloud.smoke.fires.alarm_rings", broken)
        ring(home, KITCHEN)
    ring(home, BEDROOM)
    home.city.later(seconds=61)
    home.seconds.now += 61
    monkeypatch.setattr("vigil_cloud.smoke.owed.alarm_of", broken)
    monkeypatch.setattr("vigil_cloud.smoke.owed.call_119", broken)
    with pytest.raises(RuntimeError):
        home.look()
    home.look_119()
    assert kinds(line) == ["Alert"]


def test_a_home_that_could_not_be_asked_first_keeps_nobody_waiting(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = Hook()
    channel(home.city, hook.url, "resident", username="resident")
    channel(home.city, hook.url, "neighbour", username="neighbour")
    monkeypatch.setattr("vigil_cloud.smoke.fires.alarm_rings", broken)
    ring(home)
    home.told()
    urged = [one for one in hook.received if "call 119" in one["message"]]
    assert len(urged) == 2, "nothing counts the window: everybody hears at once"
    with home.city.services.sessions() as session:
        (alert,) = session.query(AlertRow).all()
        assert alert.audience == "all"
    hook.close()


def test_an_owed_fire_of_a_slow_gateway_is_of_now(
    home: Home, line: Line119, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its alarm has fallen silent meanwhile; by the gateway's own clock that was hours ago."""
    hours = timedelta(hours=3)
    monkeypatch.setattr("vigil_cloud.devices.clocks.behind", lambda *_: hours)
    city = home.city
    with monkeypatch.context() as patch:
        patch.setattr("vigil_cloud.smoke.fires.alarm_rings", broken)
        ring(home, since=city.time - hours, signs=["density"])
        city.later(seconds=20)
        ring(home, active=False, since=city.time - hours)
    rang = city.time - timedelta(seconds=20)
    home.later(60)
    (fire,) = home.fires()
    assert fire["phase"] == "called", "it is no report of what was over before"
    (alarm,) = home.card()["alarms"]
    assert (datetime.fromisoformat(alarm["began"]), alarm["signs"]) == (rang, ["density"])
    assert datetime.fromisoformat(alarm["over"]) == rang + timedelta(seconds=20)
    assert kinds(line) == ["Alert"]


def test_a_test_that_turns_out_a_fire_is_of_now_behind_a_slow_gateway_too(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    hours = timedelta(hours=3)
    monkeypatch.setattr("vigil_cloud.devices.clocks.behind", lambda *_: hours)
    since = home.city.time
    ring(home, since=since - hours, alarm_id="self-test-1", condition="test")
    ring(home, since=since - hours, during_test=True)
    home.city.later(minutes=10)
    with writing(home.city.services.sessions) as session:
        assert end_outlasted_tests(session, home.city.time)
    home.look()
    (alarm,) = home.card()["alarms"]
    assert datetime.fromisoformat(alarm["began"]) == since


def test_two_owed_fires_of_one_alarm_are_two_calls(
    home: Home, line: Line119, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second is taken back and the first is not: firefighters were there."""
    since = home.city.time

    def owed_fire(*signs: str) -> None:
        with monkeypatch.context() as patch:
            patch.setattr("vigil_cloud.smoke.fires.alarm_rings", broken)
            ring(home, since=since, signs=signs)
            with pytest.raises(RuntimeError):
                home.look()
            home.look_119()

    owed_fire()
    home.look()
    home.act("dispatcher", "lead/arrived").raise_for_status()
    home.act("dispatcher", "lead/all-clear").raise_for_status()
    home.later(1)
    assert kinds(line) == ["Alert", "Alert"]
    owed_fire("density")
    assert kinds(line) == ["Alert"] * 3, "119 hears of the second as well"
    home.look()
    assert kinds(line) == ["Alert"] * 4
    home.act("dispatcher", "lead/stand-down").raise_for_status()
    home.later(1)
    assert kinds(line)[4:] == ["Cancel", "Cancel"], "of the second alone"
    assert len(home.card()["calls"]) == 4


def test_an_owed_alarm_that_rings_again_knows_what_119_was_told(
    home: Home, line: Line119, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its fire is opened with the message, before the job has tried it again."""
    since = home.city.time
    with monkeypatch.context() as patch:
        patch.setattr("vigil_cloud.smoke.fires.alarm_rings", broken)
        ring(home, since=since)
        with pytest.raises(RuntimeError):
            home.look()
        home.look_119()
    ring(home, since=since, signs=["density"])
    home.look()
    (fire,) = home.fires()
    assert fire["phase"] == "called", "119 knows: nobody is asked first"
    assert home.act("dispatcher", "lead/stand-down").status_code == 200
    home.later(1)
    assert kinds(line) == ["Alert", "Alert", "Cancel", "Cancel"]
