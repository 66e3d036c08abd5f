"""Smoke that comes with a self test: the home only, unless it outlasts the test."""

from __future__ import annotations

import json

import pytest

from edge.smoke.night import Night, at, short
from vigil_schemas.senml import microseconds


def pressed() -> Night:
    night = Night()
    assert short(night.say(smoke=True, test=True)) == ["+test", "+smokeT"]
    return night


def test_a_test_that_ends_is_just_a_test() -> None:
    night = pressed()
    night.wait(20)
    night.say(smoke=False, test=False)
    assert night.wait(600) == []
    assert short(night.told) == ["+test", "+smokeT", "-test", "-smoke"]


def test_smoke_a_minute_after_the_test_is_a_fire() -> None:
    night = pressed()
    night.wait(20)
    night.say(smoke=True, test=False)
    assert night.wait(55) == []
    (fire,) = night.wait(5)
    assert short([fire]) == ["+smoke"]
    assert fire.alarm_id == night.told[1].alarm_id
    assert len(set(night.ids)) == len(night.ids)
    assert night.wait(600) == []


def test_three_minutes_of_smoke_under_a_test_that_does_not_end_are_a_fire() -> None:
    night = pressed()
    assert night.wait(175) == []
    assert short(night.wait(5)) == ["+smoke"]


@pytest.mark.parametrize("reboot", [True, False])
def test_a_restart_stops_no_timer(reboot: bool) -> None:
    night = pressed()
    night.wait(100)
    night.restart(away_s=70, reboot=reboot)
    assert night.wait(5) == []
    assert short(night.wait(5)) == ["+smoke"]


def test_a_clock_that_is_set_back_over_the_restart_delays_and_does_not_stop() -> None:
    night = pressed()
    night.wait(100)
    night.ahead_s = -3600
    night.restart(away_s=10)
    assert short(night.wait(80)) == ["+smoke"]


def test_heat_makes_a_fire_of_it_at_once() -> None:
    night = pressed()
    night.t = 10
    assert short(night.say(smoke=True, test=True, heat=True)) == ["+heat", "+smoke heat"]


def test_heat_in_the_first_message_is_a_fire() -> None:
    told = short(Night().say(smoke=True, test=True, heat=True))
    assert told[-1] == "+smoke heat"


def test_a_second_alarm_makes_a_fire_of_it() -> None:
    night = pressed()
    assert short(night.say("hall", smoke=True)) == ["+smoke", "+smoke second_alarm"]


def test_a_test_while_another_alarm_burns_is_a_fire() -> None:
    night = Night()
    night.say("hall", smoke=True)
    assert "+smoke" in short(night.say("kitchen", smoke=True, test=True))


def test_two_tests_at_once_are_tests() -> None:
    night = pressed()
    assert short(night.say("hall", smoke=True, test=True)) == ["+test", "+smokeT"]


def test_old_smoke_of_another_alarm_is_no_second_alarm() -> None:
    night = Night()
    night.say("hall", smoke=True, retained=True)
    assert short(night.say("kitchen", smoke=True, test=True)) == ["+test", "+smokeT"]


def test_a_test_bit_that_is_stuck_hides_nothing() -> None:
    night = Night()
    night.say(test=True, smoke=False)
    night.wait(700)
    assert short(night.say(test=True, smoke=True)) == ["+smoke"]


def test_smoke_that_was_there_before_the_test_stays_a_fire() -> None:
    night = Night()
    night.say(smoke=True)
    assert short(night.say(smoke=True, test=True)) == ["+test"]


def test_a_carbon_monoxide_alarm_is_tested_too() -> None:
    night = Night()
    assert short(night.say(co=True, test=True)) == ["+test", "+coT"]
    assert short(night.wait(180)) == ["+co"]


@pytest.mark.parametrize(("age_s", "told"), [(20.0, "+smokeT"), (86_400.0, "+smoke")])
def test_a_test_that_0_1_kept_is_as_old_as_it_began(age_s: float, told: str) -> None:
    """After an upgrade a stuck test of yesterday hides no fire of today."""
    began_us = microseconds(at(-age_s))
    kept = [["kitchen", {"test": began_us}, began_us, 90.0, True]]
    night = Night(json.dumps(kept).encode())
    assert short(night.say(smoke=True)) == [told]
