"""0 lost, 0 duplicated, every event once, whatever dies: counted by the simulators' ledger."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import servers
from faults import no_loss
from faults.city import Size


def check(outcome: no_loss.Outcome, size: Size, seed: int) -> None:
    print(f"no_loss VIGIL_SEED: {seed}")
    print(f"no_loss {outcome}")
    assert outcome.produced == size.gateways * size.records
    assert set(outcome.kills.values()) == {size.kills}
    assert (outcome.lost, outcome.duplicated) == (0, 0)
    assert outcome.events > 0
    assert (outcome.events_lost, outcome.events_repeated) == (0, 0)
    assert outcome.dead_letters == 0


def seed() -> int:
    return int(os.environ.get("VIGIL_SEED", "0")) or int.from_bytes(os.urandom(4), "big")


@pytest.mark.parametrize("relational", ["sqlite", "postgresql"])
def test_nothing_is_lost_while_every_part_is_killed(tmp_path: Path, relational: str) -> None:
    if relational == "postgresql":
        servers.need("initdb", "apt-get install postgresql")
    drawn = seed()
    check(no_loss.run(tmp_path, no_loss.SHORT, drawn, relational), no_loss.SHORT, drawn)


@pytest.mark.full
def test_a_hundred_thousand_readings_and_ten_kills_of_each_part(tmp_path: Path) -> None:
    relational = "postgresql" if servers.find("initdb") else "sqlite"
    drawn = seed()
    check(no_loss.run(tmp_path, no_loss.FULL, drawn, relational), no_loss.FULL, drawn)
