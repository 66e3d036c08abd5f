"""When silence is a stall and when it is a quiet street, by the clock that the test holds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from vigil_edge.checkin.watchdog import Step, Watchdog

SILENCE = 90.0


def steps(dog: Watchdog, start: float, stop: float) -> list[tuple[float, Step]]:
    """What is done from ``start``, asked five times a second."""
    found, moment = [], start
    while moment < stop:
        if (step := dog.due(moment)) is not None:
            found.append((moment, step))
        moment += 0.2
    return found


def busy(dog: Watchdog, start: float, stop: float, interval_s: float) -> None:
    moment = start
    while moment < stop:
        dog.heard(moment)
        moment += interval_s


def test_a_busy_street_that_falls_silent_at_once_is_a_stall_with_all_steps_in_two_minutes() -> None:
    dog = Watchdog(SILENCE, heartbeat=False)
    dog.began(0)
    busy(dog, 0, 600, 0.5)
    done = steps(dog, 600, 720)
    assert [step for _, step in done] == [Step.SCAN, Step.ADAPTER, Step.SERVICE]
    assert done[-1][0] - 599.5 <= 115
    assert dog.stalled


def test_a_quiet_street_is_left_its_adapter() -> None:
    dog = Watchdog(SILENCE, heartbeat=False)
    dog.began(0)
    busy(dog, 0, 3600, 60)
    done = steps(dog, 3600, 10_000)
    assert {step for _, step in done} == {Step.SCAN}
    assert not dog.stalled


def test_a_street_that_empties_at_night_is_no_stall() -> None:
    dog = Watchdog(SILENCE, heartbeat=False)
    dog.began(0)
    moment, pause = 0.0, 0.5
    while pause < 85:
        dog.heard(moment)
        moment += pause
        pause *= 1.02
    assert {step for _, step in steps(dog, moment, moment + 3600)} == {Step.SCAN}


def test_a_scan_that_cannot_be_begun_again_is_no_quiet_street() -> None:
    dog = Watchdog(SILENCE, heartbeat=False)
    dog.began(0)
    busy(dog, 0, 3600, 60)
    ((moment, step),) = steps(dog, 3600, 3660)
    assert (step, dog.stalled) == (Step.SCAN, False)
    dog.failed(moment)
    assert dog.stalled
    assert [step for _, step in steps(dog, moment, moment + 30)] == [Step.ADAPTER, Step.SERVICE]
    dog.began(moment + 30)
    assert {step for _, step in steps(dog, moment + 30, moment + 3600)} == {Step.SCAN}
    assert not dog.stalled


def test_with_a_heartbeat_silence_is_always_a_stall() -> None:
    dog = Watchdog(SILENCE, heartbeat=True)
    dog.began(0)
    assert [step for _, step in steps(dog, 0, 130)] == [Step.SCAN, Step.ADAPTER, Step.SERVICE]


def test_a_neighbouring_radio_that_hears_proves_a_stall() -> None:
    dog = Watchdog(SILENCE, heartbeat=False)
    dog.began(0)
    assert dog.due(90, others_hear=True) is Step.SCAN
    assert dog.due(99, others_hear=True) is Step.ADAPTER


def test_what_ended_a_silence_is_said_and_the_steps_begin_anew() -> None:
    dog = Watchdog(SILENCE, heartbeat=True)
    dog.began(0)
    assert [step for _, step in steps(dog, 0, 100)] == [Step.SCAN, Step.ADAPTER]
    assert dog.heard(101) == [Step.SCAN, Step.ADAPTER]
    assert not dog.silent
    assert steps(dog, 101, 190.9) == []
    assert steps(dog, 190.9, 192)[0][1] is Step.SCAN


@given(st.lists(st.floats(0.05, 400, allow_nan=False), max_size=60), st.booleans())
def test_it_never_acts_while_adverts_come_and_never_gives_up(
    pauses: list[float], heartbeat: bool
) -> None:
    dog, moment = Watchdog(SILENCE, heartbeat=heartbeat), 0.0
    dog.began(0)
    for pause in pauses:
        done = steps(dog, moment, moment + pause)
        if pause < SILENCE:
            assert not done
        if pause > SILENCE + 0.4:
            assert done
        moment += pause
        dog.heard(moment)
    assert steps(dog, moment, moment + 2 * 3600), "an hour is the longest pause"
