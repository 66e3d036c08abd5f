"""An alarm is stored and called, whatever the book-keeping of its fire does."""

from __future__ import annotations

from typing import Any

import pytest

from aed_town import Line119
from cloud_city import GATEWAY
from fire_town import BEDROOM, KITCHEN, Home, kinds, ring
from gateways import event
from ingest_bench import Bench, Recorder
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.domain.aside import BESIDE_FAILED
from vigil_cloud.smoke.service import SmokeHandler
from vigil_schemas.smoke import SmokeAlarm
from webhook import Hook, channel

BOOK_KEEPING = [
    "vigil_cloud.smoke.fires.alarm_rings",
    "vigil_cloud.smoke.fires.is_called",
    "vigil_cloud.smoke.service.situation_of",
    "vigil_cloud.smoke.service._circumstances",
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
