"""Silence, batteries and warmth: what an alarm's ordinary messages tell over time."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.smoke.night import Night, at, short
from vigil_edge.smoke.battery import AHEAD_DAYS, days_left, noted
from vigil_edge.smoke.supervision import SHOWN_WITHIN_S, Rhythm, restored
from vigil_edge.smoke.warming import Warming

HOUR = 3600.0
DAY = 86_400.0
LIMIT = timedelta(hours=25)


def lost(night: Night) -> list[str]:
    return short([event for _, event in night.alarms.silent(LIMIT, night.now, night.moment)])


@pytest.mark.parametrize(
    ("every_s", "shown_s"), [(60, 7_190), (HOUR, 7_190), (6 * HOUR, 12 * HOUR), (DAY, 25 * HOUR)]
)
def test_a_loss_is_shown_in_two_hours_or_two_intervals(every_s: float, shown_s: float) -> None:
    night = Night()
    for _ in range(max(round(6 * HOUR / every_s), 6)):
        night.say(smoke=False)
        night.t += every_s
    night.t += shown_s - every_s - 2
    assert lost(night) == []
    night.t += 3
    assert lost(night) == ["+link_lost"]
    assert short(night.say(smoke=False)) == ["-link_lost"]


def test_an_alarm_of_which_little_is_known_has_the_longest_time() -> None:
    night = Night()
    night.say(smoke=False)
    night.t += 24 * HOUR
    assert lost(night) == []
    night.t += HOUR
    assert lost(night) == ["+link_lost"]


def test_one_night_without_the_gateway_changes_no_rhythm() -> None:
    rhythm = Rhythm()
    for gap in (HOUR, HOUR, 9 * HOUR, HOUR):
        rhythm.heard(gap)
    assert rhythm.patience_s(25 * HOUR) == SHOWN_WITHIN_S


def quiet(night: Night, hours: float, every_s: float) -> list[str]:
    """It speaks as ever, and the pipeline looks every hour and just before each message."""
    found: list[str] = []
    end = night.t + hours * HOUR
    while night.t < end:
        until = night.t + every_s
        while night.t + HOUR < until:
            night.t += HOUR
            found += lost(night)
        night.t = until
        found += lost(night)
        night.say(smoke=False)
    return found


@pytest.mark.parametrize("every_h", [4, 12, 24])
@pytest.mark.parametrize("chatter_s", [20.0, 300.0])
def test_a_flapping_alarm_is_accused_of_no_silence_afterwards(
    every_h: int, chatter_s: float
) -> None:
    night = Night()
    assert quiet(night, 5 * every_h, every_h * HOUR) == []
    for number in range(round(8 * HOUR / chatter_s)):
        night.t += chatter_s
        night.say(smoke=number % 2 == 0)
    night.say(smoke=False)
    assert quiet(night, 5 * every_h, every_h * HOUR) == []


@pytest.mark.parametrize("every_h", [4, 12, 24])
def test_an_alarm_that_tells_of_warm_air_for_hours_is_accused_of_no_silence(every_h: int) -> None:
    """Values between heartbeats, as they change."""
    night, gaps = Night(), random.Random(every_h)
    for _ in range(2):
        end = night.t + 4 * HOUR
        while night.t < end:
            night.t += gaps.expovariate(1 / 240)
            night.say(smoke=False, temperature=gaps.uniform(20, 27))
        assert quiet(night, 5 * every_h, every_h * HOUR) == []


def test_what_comes_to_speak_more_often_is_supervised_so_in_the_end() -> None:
    night = Night()
    quiet(night, 40, 8 * HOUR)
    assert night.known().rhythm.interval_s == pytest.approx(8 * HOUR)
    quiet(night, 40, HOUR)
    assert night.known().rhythm.patience_s(90_000) == SHOWN_WITHIN_S


def test_messages_that_are_lost_now_and_then_change_no_rhythm_for_long() -> None:
    rhythm = Rhythm()
    for hour in range(480):
        rhythm.heard(2 * HOUR if hour % 17 == 0 else HOUR)
        assert rhythm.patience_s(90_000) == SHOWN_WITHIN_S or hour < 3
    for gap in (2 * HOUR, HOUR, 2 * HOUR):
        rhythm.heard(gap)
    for _ in range(30):
        rhythm.heard(HOUR)
    assert rhythm.patience_s(90_000) == SHOWN_WITHIN_S


def test_what_an_earlier_release_learned_is_learned_anew_by_what_agrees() -> None:
    rhythm = restored([0.0, 0.0, 60.0, 60.0, 60.0, 60.0])
    assert rhythm.patience_s(90_000) == 90_000
    for _ in range(6):
        rhythm.heard(HOUR)
    assert rhythm.patience_s(90_000) == SHOWN_WITHIN_S


@given(st.lists(st.floats(min_value=0.1, max_value=1e6), max_size=40))
def test_a_rhythm_survives_a_restart_and_is_never_less_than_two_hours(gaps: list[float]) -> None:
    rhythm = Rhythm()
    for gap in gaps:
        rhythm.heard(gap)
    again = restored(rhythm.kept())
    assert (again.interval_s, again.spell_s) == (rhythm.interval_s, rhythm.spell_s)
    assert SHOWN_WITHIN_S <= rhythm.patience_s(90_000) <= 90_000
    assert rhythm.patience_s(600) == 600


def test_hours_in_which_nobody_listened_are_no_alarms_silence() -> None:
    """After a power cut at the gateway; what falls silent afterwards is shown as ever."""
    night = Night()
    for _ in range(6):
        night.say(smoke=False)
        night.t += HOUR
    night.restart(away_s=6 * HOUR)
    assert lost(night) == []
    night.t += HOUR + 1_000
    assert lost(night) == ["+link_lost"], "an hour before, and the rest of two hours since"


def test_a_short_restart_forgives_no_silence() -> None:
    night = Night()
    for _ in range(6):
        night.say(smoke=False)
        night.t += HOUR
    for _ in range(8):
        night.restart(away_s=600)
    assert lost(night) == ["+link_lost"]


def test_a_clock_that_begins_anew_makes_no_lost_alarm_heard() -> None:
    """A board without a battery starts in the past, until a time server says how late it is."""
    night = Night()
    for _ in range(6):
        night.say(smoke=False)
        night.t += HOUR
    night.ahead_s = -1_000 * DAY
    later = Night(night.alarms.state(at(night.t), night.moment), ahead_s=night.ahead_s)
    later.t = 60
    assert lost(later) == []
    later.ahead_s = 0
    later.t += 2 * HOUR
    assert lost(later) == ["+link_lost"]


def test_what_was_learned_is_kept() -> None:
    night = Night()
    for _ in range(6):
        night.say(smoke=False, battery_percent=80)
        night.t += HOUR
    later = Night(night.alarms.state(night.now, night.moment))
    assert later.known().rhythm == night.known().rhythm
    assert later.known().battery_track == night.known().battery_track


def test_a_battery_is_warned_of_a_month_ahead_and_once() -> None:
    """One percent each three days; the device itself would say it at ten percent."""
    night, told = Night(), {}
    for day in range(100):
        percent = 35 - day / 3
        for event in night.say(smoke=False, battery_percent=max(percent, 0), battery_low=False):
            told[day] = event.condition, event.active
        night.t += DAY
    (warned,) = told
    assert told[warned] == ("battery_alert", True)
    assert 90 - AHEAD_DAYS - 3 <= warned <= 60, "5 % are left after 90 days"


def test_another_battery_ends_the_warning() -> None:
    night = Night()
    for day in range(60):
        night.say(smoke=False, battery_percent=60 - day, battery_low=False)
        night.t += DAY
    assert "battery_alert" in night.alarms.active("kitchen")
    assert short(night.say(smoke=False, battery_percent=100, battery_low=False)) == [
        "-battery_alert"
    ]


def test_a_battery_that_wanders_with_the_weather_says_nothing() -> None:
    track: list[tuple[int, float]] = []
    for day in range(60):
        percent = 90.0 - (day % 3)
        moment = day * 86_400_000_000
        track = noted(track, moment, percent)
        assert days_left(track, moment, percent) is None
    assert len(track) == 60


@pytest.mark.parametrize("off", [2.0, 30.0, 55.0])
def test_one_value_that_is_off_warns_of_nothing_and_loses_nothing(off: float) -> None:
    night = Night()
    for day in range(60):
        told = night.say(smoke=False, battery_percent=off if day == 40 else 70.0 - day / 10)
        own_word = day in (40, 41) and off < 10  # below ten percent it is low by itself
        assert short(told) == [] or own_word
        night.t += DAY
    assert len(night.known().battery_track) == 60


def test_a_clock_that_was_years_ahead_stops_no_reckoning() -> None:
    day_us = 86_400_000_000
    track = noted([(9_000 * day_us, 90.0)], 0, 89.0)
    for day in range(1, 30):
        track = noted(track, day * day_us, 89.0 - day)
    assert days_left(track, 29 * day_us, 60.0) == pytest.approx(58.0)


@pytest.mark.parametrize(
    ("seconds_and_celsius", "hot"),
    [
        ([(0, 24), (20, 28), (40, 33)], True),
        ([(0, 24), (300, 33)], False),
        ([(0, 24), (60, 32)], False),
        ([(0, 53), (3600, 54)], True),
        ([(0, 55), (300, 56), (3600, 56)], False),  # the sun on a roof
        ([(0, 55), (3600, 56), (3630, 65)], True),
        ([(0, 56), (3600, 40), (7200, 56)], True),
        ([(0, 24), (10, 200)], False),
        # One cold value among warm ones, wherever it stands, is no air that was cold.
        ([(0, 24), (20, 2), (40, 24)], False),
        ([(0, 0), (20, 24)], False),
        ([(0, 0), (20, 24), (40, 24.5)], False),
        ([(0, -20), (700, 24), (720, 24)], False),
        ([(0, 24), (20, -20), (40, 24), (60, -20), (80, 24)], False),
        ([(0, 24), (20, 2), (40, 26), (60, 33)], True),
        ([(0, 24), (3600, 30), (3620, 40)], True),
        # The first one after a restart of the gateway, and then a fire.
        ([(0, 20), (20, 45)], True),
        ([(0, 20), (20, 45), (40, 46)], True),
    ],
)
def test_heat_rises_as_rate_of_rise_detectors_judge_it(
    seconds_and_celsius: list[tuple[float, float]], hot: bool
) -> None:
    warming = Warming()
    assert [warming.is_hot(celsius, s) for s, celsius in seconds_and_celsius][-1] is hot


def test_smoke_that_gets_hot_is_told_again_with_the_sign_and_is_no_test() -> None:
    night = Night()
    night.say(smoke=False, temperature=24.0)
    night.t += 30
    assert [e.during_test for e in night.say(smoke=True, test=True, temperature=25.0)] == [
        False,
        True,
    ]
    night.t += 15
    (told,) = night.say(smoke=True, test=True, temperature=40.0)
    assert (told.condition, told.signs, told.during_test) == ("smoke", ["heat"], False)
    assert told.since == at(30)


def test_warm_air_without_smoke_is_none() -> None:
    night = Night()
    night.say(smoke=False, temperature=24.0)
    night.t += 30
    assert night.say(smoke=False, temperature=70.0) == []
