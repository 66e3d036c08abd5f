"""What comes again is logged once an hour."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from vigil_edge.repeated import AGAIN_S, Repeated


@given(st.lists(st.tuples(st.floats(0.0, 4000.0), st.sampled_from("abc")), max_size=60))
def test_each_kind_is_due_at_first_and_once_an_hour(steps: list[tuple[float, str]]) -> None:
    now = 0.0
    repeated = Repeated(lambda: now)
    told: dict[str, float] = {}
    for passed_s, kind in steps:
        now += passed_s
        due = repeated.due(kind)
        assert due == (kind not in told or now - told[kind] >= AGAIN_S)
        if due:
            told[kind] = now


def test_its_memory_is_bounded() -> None:
    repeated = Repeated(lambda: 0.0)
    for number in range(1000):
        assert repeated.due(f"kind {number}")
    assert not repeated.due("kind 999")
    assert len(repeated._told) <= 64
