"""Sparse progress against the obvious model: a set of numbers."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from vigil_cloud.ingest.progress import MAX_RANGES, Progress


@given(st.lists(st.integers(1, 60)))
def test_progress_is_a_set_of_numbers(numbers: list[int]) -> None:
    progress = Progress()
    for number in numbers:
        assert progress.add(number)

    taken = set(numbers)
    stored = next(n for n in range(62) if n + 1 not in taken)
    assert progress.stored == stored
    assert {n for n in range(1, 62) if n in progress} == taken
    for (_, last), (first, _) in zip(progress.beyond, progress.beyond[1:], strict=False):
        assert first > last + 1
    assert all(stored + 1 < first <= last for first, last in progress.beyond)


@given(st.permutations(range(1, 40)))
def test_any_order_ends_without_gaps(numbers: list[int]) -> None:
    progress = Progress()
    for number in numbers:
        progress.add(number)

    assert (progress.stored, progress.beyond) == (39, [])


def test_no_more_gaps_than_a_receipt_can_tell() -> None:
    progress = Progress()
    for n in range(MAX_RANGES):
        assert progress.add(3 + 2 * n)

    assert not progress.add(3 + 2 * MAX_RANGES)
    assert 3 + 2 * MAX_RANGES not in progress
    assert progress.add(4)  # closes a gap, so there is room again
    assert progress.add(3 + 2 * MAX_RANGES)
