"""Intervals against known values, and shares of nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vigil_sim.week.figures import clopper_pearson, mean, share


def test_clopper_pearson_against_published_values() -> None:
    low, high = clopper_pearson(9, 22)  # the service's nine fires
    assert [low, high] == pytest.approx([0.2071, 0.6365], abs=5e-4)
    assert [*clopper_pearson(0, 10)] == pytest.approx([0.0, 0.3085], abs=5e-4)
    assert [*clopper_pearson(10, 10)] == pytest.approx([0.6915, 1.0], abs=5e-4)


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_an_interval_holds_its_share(case: tuple[int, int]) -> None:
    hits, of = case
    low, high = clopper_pearson(hits, of)
    assert 0.0 <= low <= hits / of <= high <= 1.0


def test_of_nothing_there_is_no_share() -> None:
    assert share("x", 0, 0, "", "").value is None
    assert mean("x", [], 1, "", "").low is None
    with pytest.raises(ValueError, match="3 of 2"):
        clopper_pearson(3, 2)


def test_a_mean_lies_in_its_interval_and_the_same_seed_gives_the_same() -> None:
    values = [1.0, 4.0, 9.0, 2.0, 40.0]
    one = mean("x", values, 7, "", "")
    assert one == mean("x", values, 7, "", "")
    assert one.low is not None
    assert one.high is not None
    assert min(values) <= one.low <= (one.value or 0) <= one.high <= max(values)
