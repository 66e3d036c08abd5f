"""The fire of a home as a pure machine: whatever is unknown calls, and nothing true is cancelled
without the home's code or a person."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vigil_cloud.smoke import decision
from vigil_cloud.smoke.decision import Alarm, CodeRefused, OutOfTurn, State

NOON = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)
S = timedelta(seconds=1)


def alarm(
    device: str = "kitchen",
    at: datetime = NOON,
    *,
    condition: str = "smoke",
    began: datetime | None = None,
    signs: tuple[str, ...] = (),
    density: float | None = None,
    rises: int = 0,
) -> Alarm:
    return Alarm(
        f"{device}-{condition}",
        device,
        condition,
        began or at,
        at,
        signs=signs,
        density=density,
        rises=rises,
    )


def asked(window_s: float = 60) -> State:
    return decision.opened(alarm(), timedelta(seconds=window_s))


@pytest.mark.parametrize(("wanted_s", "given_s"), [(5, 30), (30, 30), (45, 45), (600, 60)])
def test_the_home_is_asked_for_thirty_to_sixty_seconds(wanted_s: float, given_s: float) -> None:
    state = asked(wanted_s)
    just_before = state.opened + timedelta(seconds=given_s) - timedelta(milliseconds=1)
    assert decision.tick(state, just_before).phase == "asking"
    after = decision.tick(state, NOON + timedelta(seconds=given_s))
    assert (after.phase, after.reason, after.calls) == ("called", "no-answer", 1)


def test_a_second_device_of_the_home_calls_at_once_and_no_code_takes_that_back() -> None:
    state = decision.rings(asked(), alarm("bedroom", NOON + 5 * S))
    assert (state.phase, state.reason, state.confirmed) == ("called", "second-alarm", True)
    with pytest.raises(CodeRefused) as refused:
        decision.code_given(state)
    assert refused.value.why == "confirmed"


def test_the_code_is_overruled_by_a_second_device_while_the_first_rings() -> None:
    state = decision.code_given(asked())
    assert (state.phase, state.clears) == ("false-alarm", 1)
    state = decision.rings(state, alarm("bedroom", NOON + 20 * S))
    assert (state.phase, state.calls, state.confirmed) == ("called", 1, True)


def test_heat_beside_smoke_calls_at_once() -> None:
    state = decision.rings(asked(), alarm(condition="heat", at=NOON + 3 * S))
    assert (state.phase, state.reason) == ("called", "heat")


def test_a_code_after_119_was_called_takes_the_call_back() -> None:
    called = decision.burns(asked(), NOON + 2 * S)
    state = decision.code_given(called)
    assert (state.phase, state.calls, state.taken_back, state.clears) == ("false-alarm", 1, 1, 1)
    again = decision.burns(state, NOON + 9 * S)
    assert (again.phase, again.calls) == ("called", 2), "and it may burn after all"


def test_an_alarm_that_falls_silent_ends_nothing() -> None:
    state = decision.falls_silent(asked(), "kitchen-smoke", NOON + 9 * S, NOON + 9 * S)
    assert state.phase == "asking"
    assert decision.tick(state, NOON + 60 * S).phase == "called"


def test_a_fire_that_was_taken_back_is_over_with_its_alarms() -> None:
    state = decision.code_given(asked())
    state = decision.falls_silent(state, "kitchen-smoke", NOON + 90 * S, NOON + 90 * S)
    assert (state.phase, state.closed) == ("over", True)


def test_denser_smoke_after_the_code_asks_the_home_anew() -> None:
    state = decision.code_given(asked())
    state = decision.rings(state, alarm(at=NOON + 40 * S, signs=("density",)))
    assert (state.phase, state.opened, state.asked) == ("asking", NOON + 40 * S, 2)


def test_smoke_that_rises_once_more_after_the_code_asks_the_home_anew() -> None:
    """The toast made it denser before somebody took it back; what burns behind it as well."""
    toast = alarm(at=NOON + 10 * S, signs=("density",), density=0.3)
    state = decision.code_given(decision.rings(asked(), toast))
    assert decision.rings(state, toast) == state, "told twice"
    pan = alarm(at=NOON + 40 * S, signs=("density",), density=0.5)
    again = decision.rings(state, pan)
    assert (again.phase, again.opened, again.asked) == ("asking", NOON + 40 * S, 2)
    assert decision.tick(again, NOON + 100 * S).phase == "called"
    taken_back = decision.code_given(again)
    assert decision.rings(taken_back, toast) == taken_back, "told late"
    assert decision.rings(taken_back, pan) == taken_back


@settings(max_examples=200, deadline=None)
@given(st.lists(st.floats(0.1, 1000), min_size=1, max_size=12), st.data())
def test_denser_smoke_than_any_before_the_code_is_never_taken_back_unasked(
    densities: list[float], data: st.DataObject
) -> None:
    state, most, now = asked(), 0.0, NOON
    for density in densities:
        now += 1 * S
        if data.draw(st.booleans()):
            state = decision.code_given(state)
        state = decision.rings(state, alarm(at=now, signs=("density",), density=density))
        if density > most:
            assert state.phase == "asking"
        most = max(most, density)


def test_smoke_that_rises_to_where_it_had_been_asks_the_home_anew() -> None:
    toast = alarm(at=NOON + 10 * S, signs=("density",), density=0.8, rises=2)
    state = decision.code_given(decision.rings(asked(), toast))
    assert decision.rings(state, toast) == state, "told twice"
    late = alarm(at=NOON + 30 * S, signs=("density",), density=0.5, rises=1)
    assert decision.rings(state, late) == state, "told late"
    pan = alarm(at=NOON + 300 * S, signs=("density",), density=0.8, rises=3)
    again = decision.rings(state, pan)
    assert (again.phase, again.opened, again.asked) == ("asking", NOON + 300 * S, 2)
    assert decision.tick(again, NOON + 360 * S).phase == "called"
    taken_back = decision.code_given(again)
    assert decision.rings(taken_back, pan) == taken_back


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_each_rise_that_nobody_was_told_of_is_never_taken_back_unasked(data: st.DataObject) -> None:
    """However dense; told in any order, and any number of times."""
    count = data.draw(st.integers(1, 10))
    densities = data.draw(st.lists(st.floats(0.1, 100), min_size=count, max_size=count))
    told = data.draw(st.lists(st.integers(1, count), min_size=1, max_size=25))
    state, now, newest, most = asked(), NOON, 0, 0.0
    for number in told:
        now += 1 * S
        if data.draw(st.booleans()):
            state = decision.code_given(state)
        before, density = state.phase, densities[number - 1]
        said = alarm(at=now, signs=("density",), density=density, rises=number)
        state = decision.rings(state, said)
        if number > newest or density > most:
            assert state.phase == "asking"
        else:
            assert state.phase == before, "nothing is new"
        newest, most = max(newest, number), max(most, density)


def test_a_second_fire_behind_a_stuck_alarm_calls_again() -> None:
    state = decision.tick(asked(), NOON + 60 * S)
    late = NOON + timedelta(hours=3)
    state = decision.rings(state, alarm("bedroom", late))
    assert (state.calls, state.called, state.confirmed) == (2, late, True)


@pytest.mark.parametrize("back_s", [6, 3600, 90_000])
def test_a_clock_that_is_set_back_calls(back_s: int) -> None:
    state = decision.tick(asked(), NOON - timedelta(seconds=back_s))
    assert (state.phase, state.reason) == ("called", "clock")


def test_a_clock_that_is_set_back_a_little_does_not_lengthen_the_window() -> None:
    behind = NOON + 10 * S  # set back by 50 s just before the window ended
    assert decision.tick(asked(), behind, waited=59 * S).phase == "asking"
    assert decision.tick(asked(), behind, waited=60 * S).phase == "called"


def test_a_late_report_is_given_its_whole_window() -> None:
    late = alarm(at=NOON, began=NOON - timedelta(hours=1))
    state = decision.opened(late, decision.WINDOW)
    assert decision.tick(state, NOON + 59 * S).phase == "asking"
    assert decision.tick(state, NOON + 60 * S).phase == "called"


def test_what_was_over_long_before_it_was_told_is_told_and_calls_no_engines() -> None:
    late = alarm(at=NOON, began=NOON - timedelta(hours=1))
    state = decision.opened(late, decision.WINDOW)
    state = decision.falls_silent(state, late.reference, NOON - timedelta(minutes=50), NOON)
    assert (state.phase, state.calls, state.closed) == ("past", 0, False)
    with pytest.raises(OutOfTurn):
        decision.caused_by(state, "cooking")
    just_now = decision.opened(late, decision.WINDOW)
    just_now = decision.falls_silent(just_now, late.reference, NOON - 60 * S, NOON)
    assert just_now.phase == "asking", "it rang a minute ago"


def test_only_whoever_leads_ends_what_was_called() -> None:
    state = decision.tick(asked(), NOON + 60 * S)
    state = decision.acknowledged(state, NOON + 70 * S)
    state = decision.arrived(state, NOON + 300 * S)
    with pytest.raises(CodeRefused) as refused:
        decision.code_given(state)
    assert refused.value.why == "arrived"
    with pytest.raises(OutOfTurn):
        decision.caused_by(state, "fire")
    state = decision.all_clear(state)
    assert (state.phase, state.clears, state.taken_back) == ("over", 1, 0)
    assert decision.caused_by(state, "fire").closed


@dataclass(frozen=True)
class Step:
    """One event, ``after_s`` seconds (by a clock that may be set) behind the one before."""

    what: str
    after_s: float
    device: str
    condition: str


STEPS = st.builds(
    Step,
    st.sampled_from(
        (
            "rings",
            "rings",
            "silent",
            "burns",
            "code",
            "stand-down",
            "all-clear",
            "tick",
            "tick",
            "acknowledge",
            "arrived",
        )
    ),
    st.one_of(st.floats(0, 90), st.floats(-4000, 4000)),
    st.sampled_from(("kitchen", "bedroom", "hall")),
    st.sampled_from(("smoke", "heat", "co")),
)


def _do(state: State, step: Step, now: datetime, waited: timedelta) -> State:
    acts: dict[str, Callable[[], State]] = {
        "rings": lambda: (
            decision.rings(state, alarm(step.device, now, condition=step.condition))
            if decision.takes_in(state)
            else state
        ),
        "silent": lambda: decision.falls_silent(state, f"{step.device}-{step.condition}", now, now),
        "burns": lambda: decision.burns(state, now),
        "code": lambda: decision.code_given(state),
        "stand-down": lambda: decision.stood_down(state),
        "all-clear": lambda: decision.all_clear(state),
        "acknowledge": lambda: decision.acknowledged(state, now),
        "arrived": lambda: decision.arrived(state, now),
        "tick": lambda: decision.tick(state, now, waited),
    }
    try:
        return acts[step.what]()
    except (CodeRefused, OutOfTurn):
        return state


@settings(max_examples=400, deadline=None)
@given(st.lists(STEPS, max_size=25))
def test_nothing_true_is_cancelled_without_a_code_or_a_person(steps: list[Step]) -> None:
    state, now, before_now = asked(), NOON, NOON
    waited = timedelta()
    for step in steps:
        before = state
        now += timedelta(seconds=step.after_s)
        waited += timedelta(seconds=max(step.after_s, 0.0))
        state = _do(state, step, now, waited)
        if state.asked != before.asked:
            waited = timedelta()
        # Only the code or whoever leads takes a call back, and never what two devices confirm.
        if state.taken_back > before.taken_back or (
            state.phase in {"false-alarm", "over"} and before.phase in {"asking", "called"}
        ):
            assert step.what in {"code", "stand-down", "all-clear"}
            assert step.what != "code" or not before.confirmed
        # Whoever was called is told of the end, once for each.
        if state.phase == "over" and before.phase in {"called", "past"}:
            assert state.clears == before.clears + 1
        # A second device that rings calls, whatever was said before it rang.
        if (
            step.what == "rings"
            and before.phase in {"asking", "called"}
            and any(one.device != step.device for one in before.alarms)
        ):
            assert state.phase == "called"
            assert state.confirmed or state.alarms == before.alarms
        assert state.calls >= before.calls
        assert state.taken_back <= state.calls
        assert _do(state, step, now, waited).calls == state.calls or step.what == "rings"
        before_now = max(before_now, now)
    # Whatever was said: if the home is still asked, waiting alone calls 119.
    if state.phase == "asking":
        state = decision.tick(state, now, waited=state.window)
        assert state.phase in {"called", "past"}
    # 119 is told, or somebody has said that it need not be.
    assert state.calls or state.phase == "past" or state.ended_by in {"code", "leader"}
