"""Each alert is answered or at its policy's end, none doubled, none abandoned, whatever dies."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import servers
from faults import escalations


def check(outcome: escalations.Outcome, size: escalations.Size, seed: int) -> None:
    print(f"escalation VIGIL_SEED: {seed}")
    print(outcome)
    assert outcome.alerts == size.alerts
    assert outcome.kills == size.kills
    assert outcome.accepted + outcome.at_policys_end == size.alerts
    assert outcome.accepted > 0
    assert outcome.at_policys_end > 0
    assert outcome.failures >= size.failures
    assert outcome.abandoned == 0
    assert outcome.doubled == 0
    assert outcome.unattributed == 0
    assert outcome.after_the_fallback == 0
    assert outcome.administrators_not_told == 0


def seed() -> int:
    return int(os.environ.get("VIGIL_SEED", "0")) or int.from_bytes(os.urandom(4), "big")


def test_every_alert_is_answered_or_at_its_policys_end(tmp_path: Path) -> None:
    drawn = seed()
    check(escalations.run(tmp_path, escalations.SHORT, drawn), escalations.SHORT, drawn)


@pytest.mark.full
@pytest.mark.parametrize("relational", ["sqlite", "postgresql"])
def test_a_thousand_alerts(tmp_path: Path, relational: str) -> None:
    drawn, url, postgres = seed(), "", None
    if relational == "postgresql":
        servers.need("initdb", "apt-get install postgresql")
        postgres = servers.postgres(tmp_path / "pg")
        url = postgres.create("vigil")
    try:
        outcome = escalations.run(tmp_path, escalations.FULL, drawn, url)
    finally:
        if postgres is not None:
            postgres.stop()
    check(outcome, escalations.FULL, drawn)
