"""Vetoed passages that are kept: some of each day, never more than the settings allow."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from vigil_edge.noise.allowance import BURST, DAY_S, Allowance


@given(st.integers(0, 1000), st.lists(st.floats(0, 4000), max_size=300))
def test_never_more_than_allowed(a_day: int, gaps: list[float]) -> None:
    allowance, now, kept = Allowance(a_day), 0.0, 0
    for gap in gaps:
        now += gap
        kept += allowance.take(now)
    assert kept <= min(BURST, a_day) + now * a_day / DAY_S + 1e-6


def test_a_siren_each_minute_is_kept_spread_over_the_day() -> None:
    allowance = Allowance(20)
    kept = [minute for minute in range(1440) if allowance.take(minute * 60.0)]
    assert 20 <= len(kept) <= 23
    assert max(after - before for before, after in pairwise(kept)) <= 75
    assert not any(Allowance(0).take(hour * 3600.0) for hour in range(48))
