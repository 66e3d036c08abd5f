"""The grade: reasons that add up, that hasten a call and never delay one."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloud.smoke.test_decision import NOON, S, alarm
from fire_town import BEDROOM, CODE, Home, ring
from vigil_cloud.smoke import decision, message
from vigil_cloud.smoke.decision import State
from vigil_cloud.smoke.grade import CALLS_AT, Setting, graded

NIGHT = NOON + timedelta(hours=14)
"""Two o'clock in the city."""
WINDOW = timedelta(seconds=60)


def probability(state: State) -> float:
    return graded(state, NOON + 5 * S).probability


def test_a_second_device_counts_most_and_cooking_takes_away() -> None:
    alone = decision.opened(alarm(), WINDOW)
    kitchen = decision.opened(alarm(), WINDOW, Setting(kitchen=True, nuisances=4))
    two = decision.rings(alone, alarm("bedroom", NOON + 5 * S))
    assert probability(kitchen) < probability(alone) < 0.2 < 0.7 < probability(two)
    assert graded(kitchen, NOON).grounds == (
        "single-alarm",
        "cooking-hour",
        "kitchen",
        "nuisance-before",
    )


def test_what_was_short_is_graded_less_and_still_called() -> None:
    state = decision.opened(alarm(), WINDOW)
    silent = decision.falls_silent(state, "kitchen-smoke", NOON + 20 * S, NOON + 20 * S)
    assert "short" in graded(silent, NOON + 30 * S).grounds
    assert probability(silent) < probability(state)
    called = decision.tick(silent, NOON + 60 * S)
    assert (called.phase, called.reason) == ("called", "no-answer")


def test_signs_that_agree_call_before_the_window_ends() -> None:
    """Smoke, carbon monoxide and rising density at night: a smouldering fire, and nobody wakes."""
    state = decision.opened(alarm(at=NIGHT), WINDOW)
    state = decision.rings(state, alarm(condition="co", at=NIGHT + 3 * S))
    assert state.phase == "asking"
    state = decision.rings(state, alarm(at=NIGHT + 9 * S, began=NIGHT, signs=("density",)))
    assert (state.phase, state.reason, state.calls) == ("called", "signs", 1)
    assert graded(state, NIGHT + 9 * S).probability >= CALLS_AT


@pytest.mark.parametrize("first", [True, False])
def test_a_sign_of_heat_calls_at_once(first: bool) -> None:
    """An alarm that feels both tells heat as a sign of its smoke."""
    hot = alarm(signs=("heat",))
    state = decision.opened(hot if first else alarm(), WINDOW)
    if not first:
        state = decision.rings(state, hot)
    assert (state.phase, state.reason) == ("called", "heat")


def test_a_late_report_of_heat_has_its_window() -> None:
    """Its end may come with it."""
    state = decision.opened(alarm(began=NOON - timedelta(hours=1), signs=("heat",)), WINDOW)
    assert state.phase == "asking"


settings_ = st.builds(
    Setting, st.booleans(), st.integers(min_value=0, max_value=9), st.integers(0, 3)
)
kinds = st.lists(
    st.tuples(
        st.sampled_from(["smoke", "co", "gas"]), st.sets(st.sampled_from(["density", "other"]))
    ),
    min_size=1,
    max_size=6,
)


@given(settings_, kinds, st.integers(min_value=0, max_value=23))
def test_no_grade_delays_a_call(setting: Setting, said: list[tuple[str, set[str]]], h: int) -> None:
    """Whatever is known of a home: nobody waits beyond its window, and never longer than a home
    of which nothing is known."""
    at = NOON + timedelta(hours=h)
    states = []
    for known in (setting, Setting()):
        state = decision.opened(alarm(at=at), WINDOW, known)
        for condition, signs in said:
            told = alarm(condition=condition, at=at + S, began=at, signs=tuple(sorted(signs)))
            state = decision.rings(state, told)
        assert decision.tick(state, at + WINDOW).calls == 1
        states.append(state)
    assert 0 <= graded(states[0], at).probability <= 1
    if states[0].phase == "asking":
        assert states[0].window_ends == at + WINDOW
        assert states[1].phase == "asking", "a home that is known for its cooking waits no longer"


def test_a_kitchen_that_is_known_for_its_toast_is_called_as_soon() -> None:
    state = decision.opened(alarm(at=NIGHT), WINDOW, Setting(kitchen=True, nuisances=3))
    state = decision.rings(state, alarm(condition="co", at=NIGHT + 3 * S))
    state = decision.rings(state, alarm(at=NIGHT + 9 * S, began=NIGHT, signs=("density",)))
    assert (state.phase, state.reason) == ("called", "signs")
    assert graded(state, NIGHT + 9 * S).probability < CALLS_AT, "it is shown as it is"


def test_the_home_is_asked_and_the_dispatcher_sees_why(home: Home) -> None:
    ring(home)
    (shown,) = home.fires("resident")
    assert shown["grounds"] == ["single-alarm", "cooking-hour"]
    ring(home, BEDROOM)
    home.look()
    card = home.card()
    assert card["reason"] == "second-alarm"
    assert "second-alarm" in card["grounds"]
    assert card["probability"] > 0.7


def test_what_a_home_is_known_for_is_remembered(home: Home) -> None:
    """Given an alarm that was cooking: the next one is graded less, and asked as long."""
    ring(home)
    assert home.act("resident", "safe", {"code": CODE}).status_code == 200
    home.later(seconds=20)
    ring(home, active=False)
    home.later(seconds=1)
    assert home.act("dispatcher", "cause", {"cause": "cooking"}).status_code == 200
    home.later(seconds=3600)
    ring(home, alarm_id="alarm-1-again")
    (shown,) = home.fires("resident")
    assert "nuisance-before" in shown["grounds"]
    assert shown["phase"] == "asking"


def test_a_low_grade_is_not_told_to_119() -> None:
    """Nobody shall come slower for what is judgement and no measured probability."""
    kitchen = decision.opened(alarm(), WINDOW, Setting(kitchen=True, nuisances=4))
    two = decision.rings(decision.opened(alarm(), WINDOW), alarm("bedroom", NOON + 5 * S))
    assert message._graded(decision.tick(kitchen, NOON + 60 * S), 0) == ""
    assert "likely to burn" in message._graded(two, 0)
