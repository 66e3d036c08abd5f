"""The outbox as pipelines know it: shared commits, one's mistake not another's, figures."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from edge.delivery.outbox_facts import (
    START,
    SYNC,
    fact,
    outbox_at,
    reading,
)
from vigil_edge.delivery.packing import UnsendableFact
from vigil_edge.device.seam import Outgoing
from vigil_schemas.types import Lane


async def test_many_pipelines_share_commits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outbox = await outbox_at(tmp_path / "o.sqlite")
    commits = 0
    commit = outbox._store.commit

    def counted() -> None:
        nonlocal commits
        commits += 1
        commit()

    monkeypatch.setattr(outbox._store, "commit", counted)
    await asyncio.gather(
        *(outbox.accept(f"d{n}", [fact(Lane.EVENT, n)], {"n": b"1"}, SYNC) for n in range(500))
    )

    assert outbox.issued[Lane.EVENT] == 500
    assert commits < 250
    assert outbox.state("d499", "n") == b"1"
    await outbox.close()


async def test_one_bad_fact_does_not_hurt_its_neighbours(tmp_path: Path) -> None:
    outbox = await outbox_at(tmp_path / "o.sqlite")
    alien = Outgoing(Lane.EVENT, "city.vigil.alien.v1", "d", START, fact(Lane.EVENT, 1).data)

    results = await asyncio.gather(
        outbox.accept("a", [fact(Lane.EVENT, 1)], None, SYNC),
        outbox.accept("b", [alien], {"place": b"bad"}, SYNC),
        outbox.accept("c", [fact(Lane.EVENT, 2)], None, SYNC),
        return_exceptions=True,
    )

    assert [type(each) for each in results] == [type(None), UnsendableFact, type(None)]
    assert outbox.issued[Lane.EVENT] == 2
    assert outbox.state("b", "place") is None
    await outbox.close()


async def test_a_cancelled_pipeline_leaves_the_state_that_is_on_disk(tmp_path: Path) -> None:
    outbox = await outbox_at(tmp_path / "o.sqlite")
    task = asyncio.create_task(outbox.accept("d", [fact(Lane.EVENT, 1)], {"n": b"7"}, SYNC))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    kept = outbox.state("d", "n")
    await outbox.close()
    reopened = await outbox_at(tmp_path / "o.sqlite")

    assert reopened.state("d", "n") == kept
    assert reopened.issued[Lane.EVENT] == (1 if kept else 0)
    await reopened.close()


async def test_depths_say_what_waits_since_when(tmp_path: Path) -> None:
    outbox = await outbox_at(tmp_path / "o.sqlite")
    await outbox.accept("d", [fact(Lane.ALARM, 1), reading("a", 5), reading("b", 6)], None, SYNC)

    depths = {depth.lane: depth for depth in await outbox.depths()}

    assert depths[Lane.ALARM].rows == 1
    assert depths[Lane.OBSERVATION].rows == 2
    assert depths[Lane.OBSERVATION].oldest == START + timedelta(milliseconds=5)
    assert depths[Lane.EVENT].oldest is None
    await outbox.close()
