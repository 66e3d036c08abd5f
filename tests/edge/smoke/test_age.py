"""Old messages: raised once with a mark, never life, never an end; and clocks that are wrong."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from edge.smoke.night import Night, at, short
from vigil_edge.smoke.age import AHEAD
from vigil_edge.smoke.alarms import Alarms
from vigil_schemas.senml import microseconds

WEEK = 7 * 86_400.0
HOUR = 3600.0


def link_lost(night: Night) -> None:
    night.alarms.availability("kitchen", False, night.now, night.moment)


@pytest.mark.parametrize("weeks", [3, 8])
def test_an_old_clear_ends_no_live_fire(weeks: int) -> None:
    night = Night()
    night.say(smoke=True, seen=0)
    night.t = 30
    assert night.say(smoke=False, seen=-weeks * WEEK, retained=True) == []
    assert night.say(smoke=False, seen=-weeks * WEEK) == []
    assert night.say(smoke=False, retained=True) == []
    assert night.alarms.active("kitchen") == {"smoke"}


@pytest.mark.parametrize("retained", [True, False])
def test_old_smoke_is_raised_once_and_marked(retained: bool) -> None:
    night = Night()
    (event,) = night.say(smoke=True, seen=-3 * WEEK, retained=retained)
    assert short([event]) == ["+smoke?"]
    assert event.unconfirmed_since == event.since == at(-3 * WEEK)
    for _ in range(3):
        night.restart(away_s=60)
        assert night.say(smoke=True, seen=-3 * WEEK, retained=retained) == []


def test_retained_smoke_without_a_time_is_raised_once_even_after_it_was_contradicted() -> None:
    night = Night()
    (event,) = night.say(smoke=True, retained=True, trace="a")
    assert event.unconfirmed_since == at(0)
    night.t = 20
    assert short(night.say(smoke=False)) == ["-smoke"]
    night.restart(away_s=60)
    assert night.say(smoke=True, retained=True, trace="a") == []
    assert short(night.say(smoke=True, retained=True, trace="b")) == ["+smoke?"]


def test_a_live_message_confirms_under_the_same_id_and_tells_anew() -> None:
    night = Night()
    night.say(smoke=True, seen=-3 * WEEK)
    night.t = 40
    (event,) = night.say(smoke=True, seen=39)
    assert short(night.told) == ["+smoke?", "+smoke"]
    assert event.alarm_id == night.told[0].alarm_id
    assert len(set(night.ids)) == 2
    assert night.say(smoke=True, seen=40) == []


def test_old_is_no_life() -> None:
    night = Night()
    link_lost(night)
    assert night.say(smoke=False, seen=-3 * WEEK) == []
    assert night.say(smoke=False, seen=-400, retained=True) == []
    assert night.say(smoke=False, retained=True) == []
    assert night.alarms.active("kitchen") == {"link_lost"}
    assert not night.known().heard
    assert short(night.say(smoke=False, seen=-10)) == ["-link_lost"]


def test_the_silence_of_a_cached_state_counts_from_its_last_seen() -> None:
    night = Night()
    night.alarms.expect("kitchen", night.now)
    night.say(smoke=False, seen=-3 * WEEK)
    assert len(night.alarms.silent(timedelta(hours=25), night.now, night.moment)) == 1


@pytest.mark.parametrize(("age_s", "old"), [(299, False), (301, True)])
def test_five_minutes(age_s: float, old: bool) -> None:
    assert short(Night().say(smoke=True, seen=-age_s)) == ["+smoke?" if old else "+smoke"]
    fresh = Night().say(smoke=True, seen=-age_s, retained=True)
    assert short(fresh) == ["+smoke?" if old else "+smoke"]


def test_the_bridges_own_time_orders() -> None:
    night = Night()
    night.t = 100
    night.say(smoke=True, seen=90)
    night.say(smoke=False, seen=95)
    assert night.say(smoke=True, seen=90) == []
    night.say(smoke=True, seen=97)
    assert night.say(smoke=False, seen=96) == []
    assert night.alarms.active("kitchen") == {"smoke"}
    # A clock of whole seconds: the order of arrival decides.
    assert short(night.say(smoke=False, seen=97)) == ["-smoke"]


def test_old_test_and_old_battery() -> None:
    night = Night()
    assert short(night.say(test=True, battery_low=True, seen=-WEEK)) == ["+battery_alert"]
    night.t = 10
    # A test that ran a week ago hides no smoke of today.
    assert short(night.say(smoke=True, seen=9)) == ["+smoke"]


@pytest.mark.parametrize("ahead_s", [-56 * 365 * 86_400.0, -HOUR, -60.0])
def test_a_gateway_that_is_behind_takes_a_live_fire_and_its_end(ahead_s: float) -> None:
    night = Night(ahead_s=ahead_s)
    assert short(night.say(smoke=True, seen=0)) == ["+smoke"]
    assert night.told[0].since == night.now
    night.t = 5
    assert short(night.say(smoke=False, seen=5)) == ["-smoke"]


@pytest.mark.parametrize("ahead_s", [600.0, HOUR, 8 * HOUR])
def test_a_gateway_that_is_ahead_learns_so_from_messages_that_keep_pace(ahead_s: float) -> None:
    night = Night(ahead_s=ahead_s)
    for night.t in (0, 30, 60):
        assert night.say("hall", smoke=False, seen=night.t) == []
    night.t = 65
    assert short(night.say("kitchen", smoke=True, seen=65)) == ["+smoke"]
    night.t = 70
    # By the bridge's clock this one is from a cache.
    assert night.say("cellar", smoke=False, seen=-3 * WEEK) == []
    assert not night.known("cellar").heard


def test_on_a_gateway_ahead_the_very_first_fire_is_marked_and_confirmed_by_its_repetition() -> None:
    night = Night(ahead_s=HOUR)
    assert short(night.say(smoke=True, seen=0)) == ["+smoke?"]
    night.t = 15
    assert night.say(smoke=True, seen=15) == []
    night.t = 30
    assert short(night.say(smoke=True, seen=30)) == ["+smoke"]


def test_a_cache_that_is_published_again_and_again_proves_nothing() -> None:
    night = Night()
    found = []
    for _ in range(10):
        found += night.say(smoke=True, seen=-HOUR)
        night.t += 60
    assert short(found) == ["+smoke?"]


def test_the_bridge_says_what_time_it_is() -> None:
    night = Night(ahead_s=HOUR)
    night.alarms.clock.prove(at(0), night.moment)
    assert short(night.say(smoke=True, seen=0)) == ["+smoke"]


def test_a_coincidence_in_a_cache_moves_no_clock_that_is_right() -> None:
    night = Night()
    night.say("hall", smoke=False, seen=0)
    for number in range(5):
        # Other devices, each as old as the others: from a cache that is published slowly.
        night.t += 20
        assert short(night.say(f"lamp-{number}", smoke=True, seen=night.t - HOUR)) == ["+smoke?"]


def test_many_devices_that_chatter_prove_it_too() -> None:
    night = Night(ahead_s=HOUR)
    for second in range(25):
        for device in range(30):
            night.alarms.clock.is_live(
                at(second + device / 30),
                retained=False,
                moment=night.moment + second,
                now=night.now,
            )
    night.t = 25
    assert short(night.say(smoke=True, seen=25)) == ["+smoke"]


def test_one_time_from_the_future_blocks_nothing() -> None:
    night = Night()
    night.say(smoke=False, seen=70 * 365 * 86_400.0)
    night.t = 10
    assert short(night.say(smoke=True, seen=9)) == ["+smoke"]


def test_a_bridge_whose_clock_is_set_back_is_heard_again() -> None:
    night = Night()
    night.say(smoke=False, seen=0)
    for later in (100, 115, 130):
        night.t = later
        night.say(smoke=False, seen=later - HOUR)
    night.t = 145
    assert short(night.say(smoke=True, seen=145 - HOUR)) == ["+smoke"]


@pytest.mark.parametrize("seen", [-2e9, 2.4e11, -5e10])
def test_a_last_seen_of_another_century_hides_no_fire(seen: float) -> None:
    night = Night()
    told = night.say(smoke=True, seen=seen)
    assert [event.condition for event in told] == ["smoke"]
    night.t = 10
    night.say(smoke=True, seen=10)
    assert night.known().active["smoke"].told_as_fire


messages = st.fixed_dictionaries(
    {
        "device": st.sampled_from(["kitchen", "hall"]),
        "smoke": st.sampled_from([True, False, None]),
        "age_s": st.sampled_from([None, 0.0, 10.0, 290.0, 310.0, HOUR, 3 * WEEK]),
        "retained": st.booleans(),
        "test": st.sampled_from([None, None, False]),
        "wait_s": st.sampled_from([0.0, 1.0, 12.0, 400.0]),
        "restart": st.booleans(),
    }
)


def is_old(message: dict[str, object]) -> bool:
    age_s = message["age_s"]
    return bool(message["retained"]) if age_s is None else float(str(age_s)) > 300


def said_by(device: str, age_s: float | None, wait_s: float, *, smoke: bool) -> dict[str, object]:
    said: dict[str, object] = {"device": device, "age_s": age_s, "wait_s": wait_s, "smoke": smoke}
    return said | {"retained": False, "test": None, "restart": False}


@example(
    [
        said_by("kitchen", 290.0, 0.0, smoke=True),
        said_by("kitchen", 290.0, 12.0, smoke=True),
        said_by("hall", 10.0, 0.0, smoke=True),
        # The third that keeps pace: it would prove a clock by which the hall's fire is to come.
        said_by("hall", 290.0, 12.0, smoke=False),
    ]
)
@given(st.lists(messages, max_size=30))
def test_whatever_comes_a_live_fire_is_told_and_nothing_old_ends_it(
    said: list[dict[str, object]],
) -> None:
    night = Night()
    newest: dict[str, float] = {}
    for number, message in enumerate(said):
        night.t += float(str(message["wait_s"]))
        if message["restart"]:
            night.restart(away_s=1)
        device, age_s = str(message["device"]), message["age_s"]
        seen = None if age_s is None else night.t - float(str(age_s))
        if seen is not None and is_old(message):
            seen -= 7 * number  # nothing old keeps pace with the clock
        before = night.alarms.active(device)
        known = night.alarms.known(device)
        burnt = None if known is None else known.active.get("smoke")
        # What the broker kept from before a fire began says nothing of it.
        precedes = (
            bool(message["retained"])
            and seen is not None
            and burnt is not None
            and microseconds(at(seen)) < burnt.began_us
        )
        told = night.say(
            device,
            seen=seen,
            retained=bool(message["retained"]),
            trace=str(number),
            smoke=message["smoke"],
            test=message["test"],
        )
        # A stamp that lies ahead of a clock which the bridge has proven since was that of another
        # clock, before it was set back: nothing is overtaken by it.
        ahead = night.alarms.clock.now(night.moment, night.now) + AHEAD
        last = newest.get(device, -1e12)
        overtaken = seen is not None and seen < last and (last < -1e11 or at(last) <= ahead)
        newest[device] = max(newest.get(device, -1e12), -1e12 if seen is None else seen)
        if is_old(message) or overtaken:
            assert before <= night.alarms.active(device), "nothing old ends anything"
            assert all(e.unconfirmed_since for e in told if e.condition == "smoke")
        elif message["smoke"]:
            active = night.known(device).active["smoke"]
            assert active.told_as_fire
            mine = [e for e in night.told if e.condition == "smoke" and e.active]
            assert any(
                e.unconfirmed_since is None and not e.during_test
                for e in mine
                if e.since <= night.now
            )
        elif message["smoke"] is False and not precedes:
            assert "smoke" not in night.alarms.active(device)
    assert len(set(night.ids)) == len(night.ids)


@given(st.lists(messages, max_size=20))
def test_the_state_survives_as_it_is(said: list[dict[str, object]]) -> None:
    night = Night()
    for message in said:
        night.say(
            str(message["device"]), smoke=message["smoke"], retained=bool(message["retained"])
        )
    state = night.alarms.state(night.now, night.moment)
    again = Alarms(state, night.now, night.moment)
    assert again.state(night.now, night.moment) == state


@pytest.mark.parametrize("said", [{"smoke": True}, {"doubtful": ("smoke",), "raw": "smoke: ?"}])
def test_a_fire_right_after_the_bridge_was_set_back_is_not_overtaken(said: dict[str, Any]) -> None:
    """The bridge was an hour ahead and had proven it; our clock, which is right, agrees now."""
    night = Night()
    for early in (0, 15, 30):
        night.t = early
        night.say(smoke=False, seen=early + HOUR)
    night.t = 60
    assert night.say(smoke=True, seen=HOUR - 600) == [], "no time that our clock agrees with"
    assert len(night.say(**said, seen=59)) == 1


def test_a_kept_clear_of_before_the_fire_does_not_end_it() -> None:
    night = Night()
    night.t = 200
    night.say(smoke=True)  # this message states no time
    night.say(doubtful=("heat",), raw="heat: ?")
    assert night.say(smoke=False, heat=False, seen=100, retained=True) == []
    night.t = 230
    assert short(night.say(smoke=False, seen=220, retained=True)) == ["-smoke", "-unreadable"]


@pytest.mark.parametrize("step_s", [56 * 365 * 86_400.0, -2 * 86_400.0])
def test_a_clock_that_is_set_makes_no_alarm_silent(step_s: float) -> None:
    limit = timedelta(hours=25)
    night = Night()
    night.say(smoke=False)
    night.say("hall", smoke=False)
    assert night.alarms.silent(limit, night.now, night.moment) == []
    night.t, night.ahead_s = 10.0, step_s
    night.say("hall", smoke=False)
    assert night.alarms.silent(limit, night.now, night.moment) == []
    night.t = 25 * HOUR + 1
    lost = night.alarms.silent(limit, night.now, night.moment)
    assert [device for device, _ in lost] == ["kitchen"]
