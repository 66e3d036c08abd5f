"""No second step is lost or doubled when cloud, gateway or client is killed in a journey."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from faults import journeys


@pytest.fixture
def town(tmp_path: Path) -> Iterator[journeys.Town]:
    made = journeys.Town(tmp_path)
    try:
        made.start()
        yield made
    finally:
        made.close()


def check(town: journeys.Town, name: str, kills: int, seed: int) -> None:
    done, lost, doubled = journeys.play(town, name, kills, seed)
    print(f"kills {name}: {done} lost {lost} doubled {doubled}")
    assert (done, lost, doubled) == (kills, 0, 0)
    assert town.rows("SELECT reason, detail FROM dead_letters") == []


def test_no_step_is_lost_or_doubled(town: journeys.Town) -> None:
    """One of the five, the same each time: each costs what a start of everything costs. Others are
    drawn, twenty times each, in the long form."""
    seed = journeys.environment_seed(usual=1)
    print(f"kills VIGIL_SEED: {seed}")
    check(town, sorted(journeys.JOURNEYS)[seed % len(journeys.JOURNEYS)], 2, seed)


@pytest.mark.full
@pytest.mark.parametrize("name", journeys.JOURNEYS)
def test_twenty_kills_of_each_journey(town: journeys.Town, name: str) -> None:
    seed = journeys.environment_seed()
    print(f"kills VIGIL_SEED: {seed}")
    check(town, name, 20, seed)
