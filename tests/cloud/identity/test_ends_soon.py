"""When somebody is told that a right of theirs ends: a month, a week, a day before, once each."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vigil_cloud.identity.ends_soon import (
    BEFORE,
    LATE,
    Earlier,
    EndsSoon,
    Step,
    Window,
    Words,
    by_day,
    due,
    step,
)

ENDS = datetime(2027, 3, 1, 4, 0, tzinfo=UTC)
NAMES = Words("同意", "consent")


def right(lasts: timedelta | None = timedelta(days=365)) -> EndsSoon:
    begun = None if lasts is None else ENDS - lasts
    return EndsSoon("consent 1", 1, begun, ENDS, NAMES, NAMES, "/", "person p1")


def before(**span: float) -> datetime:
    return ENDS - timedelta(**span)


@pytest.mark.parametrize(
    ("now", "said"),
    [
        (before(days=30, seconds=1), None),
        (before(days=30), Step.MONTH),
        (before(days=7), Step.WEEK),
        (before(days=1), Step.DAY),
        (before(seconds=1), Step.DAY),
        (ENDS, Step.OVER),
        (ENDS + LATE - timedelta(seconds=1), Step.OVER),
        (ENDS + LATE, None),
    ],
)
def test_of_a_year(now: datetime, said: Step | None) -> None:
    assert step(ENDS - timedelta(days=365), ENDS, now) == said
    assert step(None, ENDS, now) == said


@pytest.mark.parametrize(
    ("days", "said"),
    [
        (59, [Step.WEEK, Step.DAY]),
        (30, [Step.WEEK, Step.DAY]),
        (14, [Step.WEEK, Step.DAY]),
        (13, [Step.DAY]),
        (1, []),
    ],
)
def test_what_lasts_shortly_is_not_told_at_once(days: int, said: list[Step]) -> None:
    hours = [ENDS - timedelta(hours=one) for one in range(24 * days, 0, -1)]
    found = [step(ENDS - timedelta(days=days), ENDS, now) for now in hours]
    assert list(dict.fromkeys(one for one in found if one is not None)) == said


def test_a_day_that_came_through_is_not_followed_by_its_end_and_one_that_failed_is() -> None:
    told = Earlier(Step.DAY, ENDS, failed=False, again=None, tries=1)
    assert due(right(), told, ENDS + timedelta(hours=1)) is None
    failed = Earlier(Step.DAY, ENDS, failed=True, again=ENDS + timedelta(days=1), tries=3)
    assert due(right(), failed, ENDS + timedelta(hours=1)) == (Step.OVER, 0)


def test_what_was_prolonged_is_told_anew() -> None:
    earlier = Earlier(Step.MONTH, before(days=100), failed=False, again=None, tries=1)
    assert due(right(), earlier, before(days=20)) == (Step.MONTH, 0)


@pytest.mark.parametrize(
    ("hour_utc", "told"), [(23, False), (0, True), (4, True), (12, True), (13, False), (20, False)]
)
def test_nobody_is_woken(hour_utc: int, told: bool) -> None:
    """Eight in the morning to nine in the evening, UTC+8."""
    assert by_day(datetime(2027, 3, 1, hour_utc, 0, tzinfo=UTC)) is told


def test_the_window_holds_whatever_may_be_told() -> None:
    for span in (*BEFORE.values(), -LATE + timedelta(seconds=1)):
        window = Window.at(ENDS - span)
        assert window.first < ENDS <= window.last


@given(
    looks=st.lists(st.integers(0, 40 * 24), min_size=1, max_size=60),
    failing=st.sets(st.integers(0, 60)),
    lasts=st.one_of(st.none(), st.integers(1, 400)),
)
def test_each_step_comes_through_once_and_none_goes_back(
    looks: list[int], failing: set[int], lasts: int | None
) -> None:
    """However often and when it is looked, and whatever fails."""
    one = right(None if lasts is None else timedelta(days=lasts))
    told: Earlier | None = None
    through: list[Step] = []
    for number, hours in enumerate(sorted(looks, reverse=True)):
        now = ENDS + LATE - timedelta(hours=hours)
        if one.begun is not None and now < one.begun:
            continue
        wanted = due(one, told, now)
        if wanted is None:
            continue
        failed = number in failing
        again = now + timedelta(hours=1) if failed else None
        told = Earlier(wanted[0], ENDS, failed=failed, again=again, tries=wanted[1] + 1)
        if not failed:
            through.append(wanted[0])
    assert through == sorted(set(through), key=list(Step).index)
    assert not {Step.DAY, Step.OVER} <= set(through)
