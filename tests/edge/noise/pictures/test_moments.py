"""How well a picture's moment is known: whatever camera, clock and network do, it was taken within
what is told."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from vigil_edge.noise.pictures.dating import believed
from vigil_edge.noise.pictures.moments import (
    FARTHEST_S,
    LATEST_S,
    SOUND_LATE_S,
    STEP_S,
    UNKNOWN,
    Arrivals,
    Known,
    by_arrival,
    by_own_clock,
    worst,
)

NEARLY = 1e-9
BEGAN_S = 1_790_000_000.0
SECONDS = st.floats(0.0, 3.0)


def holds(known: Known, said_s: float, taken_s: float) -> bool:
    slack = 1e-6  # seconds since 1970 have no more digits
    return -known.later_s - slack <= said_s - taken_s <= known.earlier_s + slack


@given(st.floats(0.0, LATEST_S), st.floats(-3.0, 3.0))
def test_a_clock_that_is_believed_is_not_believed_further_than_it_can_be_off(
    on_its_way_s: float, clock_off_s: float
) -> None:
    """``clock_off_s``: of the camera, ahead of the gateway's."""
    offset_s = on_its_way_s - clock_off_s
    assume(believed(offset_s, None))
    assert holds(by_own_clock(offset_s, None, 0.1), clock_off_s, 0.0)


@given(st.floats(0.0, 2.0), st.floats(-3.0, 3.0), st.floats(-1.0, 1.0), st.floats(0.01, 0.5))
def test_by_a_measured_delay_it_is_known_how_far_the_clock_is_off(
    on_its_way_s: float, clock_off_s: float, wrong: float, within_s: float
) -> None:
    """``wrong``: of the measured delay, as a share of what it is known to."""
    delay_s = max(0.0, on_its_way_s + wrong * within_s)
    known = by_own_clock(on_its_way_s - clock_off_s, delay_s, within_s)
    assert holds(known, clock_off_s, 0.0)
    assert known.within_s <= abs(clock_off_s) + 2 * within_s + NEARLY


@given(st.floats(0.0, 2.0), st.floats(0.0, 2.0), st.floats(0.0, 0.2))
def test_a_clock_that_is_not_believed_may_be_right_all_the_same(
    measured_s: float, on_its_way_s: float, held_up_s: float
) -> None:
    """What is on its way takes longer or shorter than it was measured to."""
    known = by_arrival(measured_s, 0.05, held_up_s, on_its_way_s)
    assert holds(known, on_its_way_s - measured_s, 0.0)
    # and where the clock is wrong, the delay is as it was measured
    assert holds(known, held_up_s, 0.0)


def test_by_arrival_alone_it_was_taken_before_it_came() -> None:
    assert by_arrival(None, 0.1, 0.0, None) == Known(FARTHEST_S, SOUND_LATE_S)
    assert by_arrival(None, 0.1, 4.0, None).earlier_s == 4.0 + LATEST_S, "held up, told by its gap"
    # A clock that is hours off says nothing.
    assert by_arrival(0.2, 0.1, 0.0, 3600.0) == Known(0.1, 0.1)
    assert by_own_clock(None, None, 0.1) == UNKNOWN


@settings(deadline=None)
@given(
    st.sampled_from([5.0, 10.0, 25.0]),
    st.floats(0.0, 0.6),
    st.lists(st.floats(0.0, 0.03), min_size=80, max_size=160),
    st.lists(st.tuples(st.integers(20, 140), st.floats(0.1, 4.0)), max_size=3),
)
@example(25.0, 0.0, [0.03 * (number == 19) for number in range(160)], [(20, 3.5)])
@example(25.0, 0.0, [0.03 * min(number, 19) / 19 for number in range(160)], [(20, 3.5)])
def test_a_stream_that_is_held_up_is_told_by_its_gaps(
    fps: float, delay_s: float, jitter: list[float], stalls: list[tuple[int, float]]
) -> None:
    """Pictures without a stamp, over a connection that loses none and stands still now and then:
    each comes ``delay_s`` after it was taken, or later."""
    arrivals, last_s = Arrivals(), 0.0
    for number, late_s in enumerate(jitter):
        taken_s = BEGAN_S + number / fps
        held_until_s = max(
            (BEGAN_S + at / fps + stall_s for at, stall_s in stalls if at <= number), default=0.0
        )
        here_s = max(taken_s + delay_s + late_s, held_until_s, last_s + 1e-4)
        last_s = here_s
        known = by_arrival(delay_s, 0.1, arrivals.held_up(here_s), None)
        if number >= 20:
            assert holds(known, here_s - delay_s, taken_s)


def test_a_steady_stream_is_known_as_well_as_its_delay() -> None:
    arrivals = Arrivals()
    told = [by_arrival(0.3, 0.05, arrivals.held_up(n / 10), None) for n in range(100)]
    assert told[0].within_s == pytest.approx(LATEST_S + 0.05), "nothing is known of it yet"
    assert {round(each.within_s, 6) for each in told[12:]} == {0.05}


@given(SECONDS, SECONDS, SECONDS, SECONDS)
def test_what_is_tried_reaches_as_far_as_is_possible_and_leaves_no_gap(
    earlier: float, later: float, other_earlier: float, other_later: float
) -> None:
    one, other = Known(earlier, later), Known(other_earlier, other_later)
    for tried, first, last in (
        (one.moved(), -later, earlier),
        (one.beside(other), -later - other_earlier, earlier + other_later),
    ):
        assert 0.0 in tried
        assert min(tried) == pytest.approx(first, abs=1e-9)
        assert max(tried) == pytest.approx(last, abs=1e-9)
        assert all(b - a <= STEP_S + NEARLY for a, b in pairwise(sorted(tried)))


def test_of_several_pictures_the_worst_counts_and_of_none_nothing_is_known() -> None:
    assert worst([Known(0.1, 0.5), Known(0.4, 0.2)]) == Known(0.4, 0.5)
    assert worst([]) == UNKNOWN
