"""Whose turn it is to be told something, where more waits than can be told at once."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from vigil_cloud.notify.pacing import MOST_AT_ONCE, MOST_OF_A_KIND, turns

KINDS = st.sampled_from(["sms", "line", "email", None])


def test_a_service_that_hangs_leaves_places_to_the_others() -> None:
    """A thousand homes on one service that answers nobody, and a control room behind another."""
    hanging = ["line"] * MOST_OF_A_KIND
    due = [(number, "line") for number in range(1_000)] + [(2_000, "webhook"), (2_001, "sms")]
    assert turns(due, hanging) == [2_000, 2_001]


@given(st.lists(KINDS, max_size=90), st.lists(KINDS, max_size=MOST_AT_ONCE))
def test_every_place_is_used_and_none_is_given_twice(waiting: list[str], busy: list[str]) -> None:
    due = list(enumerate(waiting))
    chosen = turns(due, busy)
    assert chosen == sorted(set(chosen)), "in the order of urgency"
    told = Counter(busy) + Counter(waiting[number] for number in chosen)
    left = [kind for number, kind in due if number not in chosen]
    assert told.total() <= max(MOST_AT_ONCE, len(busy))
    for kind in left:
        assert told.total() >= MOST_AT_ONCE or told[kind] >= MOST_OF_A_KIND
