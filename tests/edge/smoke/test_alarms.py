"""Conditions that begin and end, however often they are repeated."""

from __future__ import annotations

import itertools
import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.smoke.night import Night, at, short
from vigil_edge.smoke.alarms import Alarms
from vigil_edge.smoke.condition import Known, alarm_id, event_id
from vigil_edge.smoke.settings import ZigbeeSettings

truth = st.sampled_from([True, False, None])
reports = st.fixed_dictionaries(
    {"smoke": truth, "test": truth, "fault": truth, "battery_low": truth}
)


def feed(night: Night, said: list[dict[str, Any]]) -> None:
    for fields in said:
        night.say(**fields)
        night.t += 1


def test_a_stuck_alarm_is_one_event_and_a_new_fire_another() -> None:
    night = Night()
    feed(night, [{"smoke": s} for s in (False, True, True, True, False, False, True)])
    assert short(night.told) == ["+smoke", "-smoke", "+smoke"]
    assert night.told[0].alarm_id == night.told[1].alarm_id != night.told[2].alarm_id
    assert len(set(night.ids)) == 3
    assert night.told[0].since == at(1)


@pytest.mark.parametrize("kind", ["smoke", "heat", "co", "gas"])
def test_every_kind_of_fire_is_a_condition_of_its_own(kind: str) -> None:
    night = Night()
    feed(night, [{kind: True}, {kind: False}])
    assert short(night.told) == [f"+{kind}", f"-{kind}"]


def test_what_a_message_does_not_say_stays_as_it_was() -> None:
    night = Night()
    feed(night, [{"smoke": True}, {"battery_percent": 90}, {}])
    assert night.alarms.active("kitchen") == {"smoke"}


def test_what_cannot_be_read_is_told_until_it_can_be() -> None:
    night = Night()
    feed(night, [{"doubtful": ("smoke",), "raw": "smoke: ???"}] * 2)
    assert [(e.condition, e.active, e.raw) for e in night.told] == [
        ("unreadable", True, "smoke: ???")
    ]
    assert short(night.say(battery_percent=90)) == []
    assert short(night.say(smoke=False)) == ["-unreadable"]


def test_what_cannot_be_read_ends_no_fire() -> None:
    night = Night()
    feed(night, [{"smoke": True}, {"doubtful": ("smoke",)}])
    assert "smoke" in night.alarms.active("kitchen")


def test_battery_by_its_own_warning_or_by_percentage_with_hysteresis() -> None:
    night = Night()
    feed(night, [{"battery_percent": p} for p in (50, 9, 12, 9, 15, 14)])
    assert [(e.condition, e.active, e.battery_percent) for e in night.told] == [
        ("battery_alert", True, 9),
        ("battery_alert", False, 15),
    ]
    assert short(Night().say(battery_percent=80, battery_low=True)) == ["+battery_alert"]


def test_end_of_service_is_told() -> None:
    night = Night()
    feed(night, [{"end_of_service": True}] * 2)
    assert short(night.told) == ["+end_of_service"]


def test_silence_and_availability_are_a_lost_link_until_it_speaks() -> None:
    night = Night()
    alarms, limit = night.alarms, timedelta(seconds=60)
    alarms.expect("kitchen", at(0))
    assert alarms.silent(limit, at(59), 1059) == []
    ((device, lost),) = alarms.silent(limit, at(60), 1060)
    assert (device, lost.condition, lost.active) == ("kitchen", "link_lost", True)
    assert alarms.availability("kitchen", False, at(61), 1061) == []
    night.t = 62
    (back,) = night.say(smoke=False)
    assert (back.condition, back.active, back.alarm_id) == ("link_lost", False, lost.alarm_id)
    assert short([e for _, e in alarms.availability("kitchen", False, at(63), 1063)]) == [
        "+link_lost"
    ]


def test_a_retained_online_does_not_take_silence_back() -> None:
    alarms = Night().alarms
    alarms.expect("kitchen", at(0))
    alarms.silent(timedelta(seconds=60), at(60), 1060)
    assert alarms.availability("kitchen", True, at(61), 1061, retained=True) == []
    assert short([e for _, e in alarms.availability("kitchen", True, at(62), 1062)]) == [
        "-link_lost"
    ]


def test_a_further_rise_of_smoke_is_told_again_under_the_same_id() -> None:
    night = Night()
    feed(night, [{"smoke": False, "smoke_density": 0.02}])
    feed(night, [{"smoke": True, "smoke_density": d} for d in (0.2, 0.21, 0.25, 0.19, 0.5, 0.51)])
    assert short(night.told) == ["+smoke", "+smoke density"]
    assert [e.smoke_density for e in night.told] == [0.2, 0.5]
    feed(night, [{"smoke": True, "smoke_density": 2.0}])
    assert short(night.told[2:]) == ["+smoke density"]
    assert len({e.alarm_id for e in night.told}) == 1
    assert len(set(night.ids)) == 3


def test_each_rise_of_a_growing_fire_is_told_until_nothing_can_be_seen() -> None:
    """Somebody may have taken back any of them."""
    night = Night()
    densities = [0.18 * 1.6**n for n in range(12)]
    assert densities[-1] > 30, "dB/m: a hundredth of the light after two thirds of a metre"
    feed(night, [{"smoke": True, "smoke_density": density} for density in densities])
    assert short(night.told) == ["+smoke", *["+smoke density"] * 11]
    assert len(set(night.ids)) == 12
    assert [e.rises for e in night.told] == [None, *range(1, 12)]


def test_smoke_that_fell_and_rises_to_where_it_had_been_is_told_anew() -> None:
    """Somebody may have taken back burnt toast, and aired the kitchen."""
    night = Night()

    def smoke(*densities: float) -> list[tuple[float | None, int | None]]:
        before = len(night.told)
        feed(night, [{"smoke": True, "smoke_density": density} for density in densities])
        return [(e.smoke_density, e.rises) for e in night.told[before:]]

    assert smoke(0.4, 0.8) == [(0.4, None), (0.8, 1)]
    assert smoke(0.5, 0.79, 0.41, 0.8) == [], "it has not fallen by half"
    assert smoke(0.3, 0.2, 0.39) == []
    night.restart()
    assert smoke(0.4, 0.5, 0.61, 0.8) == [(0.4, 2), (0.61, 3)]
    assert smoke(0.2, 0.8) == [(0.8, 4)], "the very figure that was told before"
    assert len(set(night.ids)) == len(night.ids)
    assert len({e.alarm_id for e in night.told}) == 1


def test_smoke_that_comes_and_goes_uses_up_nothing_of_what_a_growing_fire_needs() -> None:
    night = Night()
    feed(night, [{"smoke": True, "smoke_density": d} for d in (0.8, *[0.2, 0.7] * 40)])
    assert len(night.told) == 1 + 16
    night.restart()
    densities = [1.3 * 1.6**n for n in range(8)]
    feed(night, [{"smoke": True, "smoke_density": density} for density in densities])
    assert [e.smoke_density for e in night.told[17:]] == densities


def test_an_alarm_of_a_release_that_followed_no_fall_goes_on_with_it() -> None:
    night = Night()
    feed(night, [{"smoke": True, "smoke_density": d} for d in (0.4, 0.8)])
    state = json.loads(night.alarms.state(night.now, night.moment))
    for entry in state["devices"].values():
        assert entry.pop("risen")
    night.alarms = Alarms(json.dumps(state).encode(), night.now, night.moment)
    feed(night, [{"smoke": True, "smoke_density": d} for d in (0.2, 0.5)])
    assert [(e.smoke_density, e.rises) for e in night.told[2:]] == [(0.5, 2)]


def test_smoke_below_what_clear_air_was_is_no_rise() -> None:
    """A chamber that fouled, and an alarm that is stuck."""
    night = Night()
    feed(night, [{"smoke": False, "smoke_density": 0.3}])
    feed(night, [{"smoke": True, "smoke_density": d} for d in (0.5, 0.0, 0.1, 0.2, 0.3)])
    assert short(night.told) == ["+smoke"]


def test_a_stuck_alarm_in_clear_air_tells_no_rise() -> None:
    night = Night()
    feed(night, [{"smoke": False, "smoke_density": 0.04}])
    feed(night, [{"smoke": True, "smoke_density": d} for d in (0.0, 0.03, 0.05, 0.01)])
    assert short(night.told) == ["+smoke"]


def test_heat_and_a_second_alarm_are_told_behind_a_stuck_one() -> None:
    night = Night()
    night.say("kitchen", smoke=True)
    night.t = 86_400
    assert short(night.say("kitchen", smoke=True, heat=True)) == ["+heat", "+smoke heat"]
    assert short(night.say("hall", smoke=True)) == ["+smoke", "+smoke heat second_alarm"]
    assert short(night.say("hall", smoke=True)) == []
    night.restart()
    assert short(night.say("kitchen", smoke=True, heat=True)) == []
    assert len(set(night.ids)) == len(night.ids)


def test_a_state_of_the_release_before_is_read() -> None:
    night = Night(json.dumps([["kitchen", {"smoke": 1_000_000}, 5, 90.0, True]]).encode())
    assert night.alarms.active("kitchen") == {"smoke"}
    (end,) = night.say(smoke=False)
    assert not end.active
    active = Night(json.dumps([["kitchen", {"smoke": 1_000_000}, 5, 90.0]]).encode()).known()
    assert not active.heard
    assert end.alarm_id == alarm_id("kitchen", "smoke", active.active["smoke"])


def test_a_plain_beginning_and_its_end_have_the_ids_of_the_release_before() -> None:
    from uuid import UUID, uuid5

    namespace = UUID("2a3b7c1e-8c55-5b0d-9d52-7a4de1d6a9c3")
    night = Night()
    night.say(smoke=True)
    night.say(smoke=False)
    began = str(uuid5(namespace, f"kitchen/smoke/{int(at(0).timestamp() * 1e6)}"))
    assert [e.alarm_id for e in night.told] == [began, began]
    assert night.ids == [str(uuid5(namespace, f"{began}/{active}")) for active in (True, False)]


@given(st.lists(reports, max_size=25), st.integers(0, 25))
def test_a_restart_anywhere_changes_nothing(said: list[dict[str, Any]], cut: int) -> None:
    whole, parted = Night(), Night()
    feed(whole, said)
    feed(parted, said[:cut])
    parted.restart()
    feed(parted, said[cut:])
    assert parted.told == whole.told
    assert parted.ids == whole.ids


@given(st.lists(reports, max_size=40))
def test_what_is_told_begins_changes_and_ends_under_one_id(said: list[dict[str, Any]]) -> None:
    night = Night()
    feed(night, said)
    for condition in {e.condition for e in night.told}:
        mine = [e for e in night.told if e.condition == condition]
        for before, after in itertools.pairwise(mine):
            if before.active:
                assert after.alarm_id == before.alarm_id
                assert before.since <= after.since
            else:
                assert after.active
                assert after.alarm_id != before.alarm_id
    assert len(set(night.ids)) == len(night.ids) == len({event_id(e) for e in night.told})


def test_settings() -> None:
    alarm = {"friendly_name": "kitchen", "device": "home-1"}
    base = {"driver": "zigbee2mqtt", "broker": "mqtts://broker", "alarm": [alarm]}
    made = ZigbeeSettings.model_validate(base)
    assert (made.device, made.host, made.port) == ("home-1.bridge", "broker", 8883)
    refused: list[tuple[dict[str, Any], str]] = [
        ({"broker": "http://x"}, "mqtt://"),
        ({"alarm": [alarm, alarm]}, "twice"),
        ({"alarm": []}, "at least 1"),
        ({"alarm": [{"friendly_name": "a/#", "device": "x"}]}, "pattern"),
        ({"driver": "zha"}, "zigbee2mqtt"),
    ]
    for wrong, message in refused:
        with pytest.raises(ValueError, match=message):
            ZigbeeSettings.model_validate(base | wrong)


@given(
    said=st.lists(
        st.fixed_dictionaries(
            {"smoke": truth, "heat": truth, "test": truth},
            optional={"smoke_density": st.sampled_from([0.1, 0.2, 0.4, 0.8])},
        ),
        max_size=25,
    ),
    devices=st.lists(st.sampled_from(["kitchen", "hall"]), min_size=25, max_size=25),
)
def test_what_stands_is_told_again_as_it_was_told_last(
    said: list[dict[str, Any]], devices: list[str]
) -> None:
    night = Night()
    for device, fields in zip(devices, said, strict=False):
        night.say(device, **fields)
        night.wait(30)
    last = {(one.alarm_id, one.active): one for one in night.told}
    standing = night.alarms.standing()
    for device, event in standing:
        before = last[event.alarm_id, True]
        assert (event.signs, event.rises, event.during_test, event.since) == (
            before.signs,
            before.rises,
            before.during_test,
            before.since,
        )
        assert (event.alarm_id, False) not in last
        assert event.condition in night.alarms.active(device)
        assert event_id(event) in night.ids
    rings = {
        (device, kind)
        for device in ("kitchen", "hall")
        for kind, active in (night.alarms.known(device) or Known()).active.items()
        if kind in ("smoke", "heat") and active.told_as_fire
    }
    assert rings <= {(device, event.condition) for device, event in standing}


def test_what_stands_is_told_again_after_a_restart_and_not_once_it_is_over() -> None:
    night = Night()
    feed(night, [{"smoke": True}, {"doubtful": ("co",)}, {"battery_low": True}, {"fault": True}])
    night.restart(away_s=3600)
    assert {event.condition for _, event in night.alarms.standing()} == {"smoke", "unreadable"}
    assert {event_id(event) for _, event in night.alarms.standing()} <= set(night.ids)
    weakened = night.alarms.weakened()
    assert {condition for _, condition in weakened} == {"battery_alert", "hardware_fault"}
    again = [night.alarms.told_again(*one) for one in weakened]
    assert {event_id(one[1]) for one in again if one is not None} <= set(night.ids)
    feed(night, [{"smoke": False}, {"battery_low": False}, {"fault": False}])
    assert night.alarms.standing() == []
    assert night.alarms.weakened() == []
    assert [night.alarms.told_again(*one) for one in weakened] == [None, None]
