"""What is written together is written whole or not at all, wherever the process dies."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import servers
from faults import bridges


def check(folder: Path, size: bridges.Size, relational: str) -> None:
    seed = int(os.environ.get("VIGIL_SEED", "0")) or int.from_bytes(os.urandom(4), "big")
    print(f"bridges VIGIL_SEED: {seed}")
    url, postgres = "", None
    if relational == "postgresql":
        servers.need("initdb", "apt-get install postgresql")
        postgres = servers.postgres(folder / "pg")
        url = postgres.create("vigil")
    try:
        for at in bridges.run(folder, size, seed, url):
            print(f"bridges killed at step {at}")
    finally:
        if postgres is not None:
            postgres.stop()


@pytest.mark.parametrize(
    "relational", [pytest.param("sqlite", marks=pytest.mark.full), "postgresql"]
)
def test_alarms_of_two_bridges_each_told_once(tmp_path: Path, relational: str) -> None:
    check(tmp_path, bridges.SHORT, relational)


@pytest.mark.full
@pytest.mark.parametrize("relational", ["sqlite", "postgresql"])
def test_alarms_of_two_bridges_and_many_kills(tmp_path: Path, relational: str) -> None:
    check(tmp_path, bridges.FULL, relational)
