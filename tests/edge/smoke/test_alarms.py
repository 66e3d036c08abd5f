"""Conditions that begin and end, however often they are repeated."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vigil_edge.smoke.alarms import Alarms, event_id
from vigil_edge.smoke.settings import Settings
from vigil_edge.smoke.zigbee2mqtt import AlarmReport
from vigil_schemas.smoke import SmokeAlarm

START = datetime(2026, 1, 1, tzinfo=UTC)
truth = st.sampled_from([True, False, None])
reports = st.builds(AlarmReport, smoke=truth, test=truth, fault=truth, battery_low=truth)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def feed(alarms: Alarms, said: list[AlarmReport], first: int = 0) -> list[SmokeAlarm]:
    found: list[SmokeAlarm] = []
    for i, report in enumerate(said, first):
        found += alarms.take("kitchen", report, at(i))
    return found


def test_a_stuck_alarm_is_one_event_and_a_new_fire_another() -> None:
    smoke, clear = AlarmReport(smoke=True), AlarmReport(smoke=False)
    found = feed(Alarms(), [clear, smoke, smoke, smoke, clear, clear, smoke])
    assert [(e.condition, e.active) for e in found] == [
        ("smoke", True),
        ("smoke", False),
        ("smoke", True),
    ]
    assert found[0].alarm_id == found[1].alarm_id != found[2].alarm_id
    assert len({event_id(e) for e in found}) == 3
    assert found[0].since == at(1)


def test_what_a_message_does_not_say_stays_as_it_was() -> None:
    alarms = Alarms()
    feed(alarms, [AlarmReport(smoke=True), AlarmReport(battery_percent=90), AlarmReport()])
    assert alarms.active("kitchen") == {"smoke"}


def test_battery_by_its_own_warning_or_by_percentage_with_hysteresis() -> None:
    found = feed(Alarms(), [AlarmReport(battery_percent=p) for p in (50, 9, 12, 9, 15, 14)])
    assert [(e.condition, e.active, e.battery_percent) for e in found] == [
        ("battery_alert", True, 9),
        ("battery_alert", False, 15),
    ]
    low = AlarmReport(battery_percent=80, battery_low=True)
    assert [e.condition for e in feed(Alarms(), [low])] == ["battery_alert"]


def test_silence_and_availability_are_a_lost_link_until_it_speaks() -> None:
    alarms = Alarms()
    alarms.expect("kitchen", at(0))
    assert alarms.silent(timedelta(seconds=60), at(59)) == []
    ((device, lost),) = alarms.silent(timedelta(seconds=60), at(60))
    assert (device, lost.condition, lost.active) == ("kitchen", "link_lost", True)
    assert alarms.availability("kitchen", False, at(61)) == []
    (back,) = alarms.take("kitchen", AlarmReport(smoke=False), at(62))
    assert (back.condition, back.active, back.alarm_id) == ("link_lost", False, lost.alarm_id)
    assert [e.active for e in alarms.availability("kitchen", False, at(63))] == [True]


def test_a_retained_message_does_not_prove_that_the_alarm_is_alive() -> None:
    alarms = Alarms()
    alarms.availability("kitchen", False, at(0))
    found = alarms.take("kitchen", AlarmReport(smoke=True), at(1), retained=True)
    assert [e.condition for e in found] == ["smoke"]
    assert alarms.active("kitchen") == {"smoke", "link_lost"}


def test_a_clock_that_is_off_is_not_believed() -> None:
    wild = AlarmReport(smoke=True, last_seen=START - timedelta(days=900))
    assert Alarms().take("kitchen", wild, at(0))[0].since == at(0)
    near = AlarmReport(smoke=True, last_seen=at(-40))
    assert Alarms().take("kitchen", near, at(0))[0].since == at(-40)


@given(st.lists(reports, max_size=25), st.integers(0, 25))
def test_a_restart_anywhere_changes_nothing(said: list[AlarmReport], cut: int) -> None:
    whole = feed(Alarms(), said)
    before = Alarms()
    found = feed(before, said[:cut])
    found += feed(Alarms(before.state()), said[cut:], first=min(cut, len(said)))
    assert found == whole


@given(st.lists(reports, max_size=40))
def test_every_condition_alternates_and_pairs_share_an_id(said: list[AlarmReport]) -> None:
    found = feed(Alarms(), said)
    for condition in {e.condition for e in found}:
        mine = [e for e in found if e.condition == condition]
        assert [e.active for e in mine] == [i % 2 == 0 for i in range(len(mine))]
        for begin, end in zip(mine[::2], mine[1::2], strict=False):
            assert begin.alarm_id == end.alarm_id
            assert begin.since <= end.since
    assert len({event_id(e) for e in found}) == len(found)


def test_settings() -> None:
    alarm = {"friendly_name": "kitchen", "device": "home-1"}
    base = {"driver": "zigbee2mqtt", "broker": "mqtts://broker", "alarm": [alarm]}
    made = Settings.model_validate(base)
    assert (made.device, made.host, made.port) == ("home-1.bridge", "broker", 8883)
    for wrong, message in [
        ({"broker": "http://x"}, "mqtt://"),
        ({"alarm": [alarm, alarm]}, "twice"),
        ({"alarm": []}, "at least 1"),
        ({"alarm": [{"friendly_name": "a/#", "device": "x"}]}, "pattern"),
        ({"driver": "zha"}, "zigbee2mqtt"),
    ]:
        with pytest.raises(ValueError, match=message):
            Settings.model_validate(base | wrong)
