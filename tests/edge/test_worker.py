"""Heavy work has one home: few at a time, urgent first, bounded, and nothing hangs."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from pathlib import Path

import pytest

from edge.ingest_stand_in import until
from vigil_edge.worker import WorkDropped, Worker

HANGS = [sys.executable, "-c", "import time; time.sleep(3600)"]


def notes(file: Path, word: str) -> list[str]:
    return [sys.executable, "-c", f"open({str(file)!r}, 'a').write({word!r})"]


async def test_a_program_ends_well_badly_or_too_late() -> None:
    worker = Worker(lambda _: None)
    good, bad = ([sys.executable, "-c", f"raise SystemExit({n})"] for n in (0, 3))
    assert await worker.run(good, priority=1, within_s=60)
    assert not await worker.run(bad, priority=1, within_s=60)
    assert not await worker.run(HANGS, priority=1, within_s=0.1)
    assert await worker.run(good, priority=1, within_s=60)  # and the place is free again


async def test_the_urgent_goes_first_and_the_least_urgent_is_dropped(tmp_path: Path) -> None:
    # Given a worker that is busy, and room for three.
    counts: Counter[str] = Counter()
    worker = Worker(lambda name: counts.update([name]), most=3)
    busy = asyncio.create_task(worker.run(HANGS, priority=9, within_s=3600))
    file = tmp_path / "order"
    await asyncio.sleep(0)

    def give(word: str, priority: int) -> asyncio.Task[bool]:
        work = worker.run(notes(file, word), priority=priority, within_s=60)
        return asyncio.create_task(work)

    # When four come.
    tasks = [give("c", 5), give("b", 2), give("d", 7), give("a", 1)]
    await until(lambda: counts["work-dropped"])
    busy.cancel()
    done = await asyncio.gather(*tasks, return_exceptions=True)

    # Then the least urgent was not begun, and the others went in their order.
    assert [type(each) for each in done] == [bool, bool, WorkDropped, bool]
    assert file.read_text() == "abc"
    assert (worker.waiting, counts) == (0, {"work-dropped": 1})


@pytest.mark.parametrize("waits", [True, False])
async def test_whoever_is_cancelled_gives_its_place_back(waits: bool) -> None:
    worker = Worker(lambda _: None)
    first = asyncio.create_task(worker.run(HANGS, priority=1, within_s=3600))
    second = asyncio.create_task(worker.run(HANGS, priority=1, within_s=3600))
    await until(lambda: worker.waiting == 1)
    for task in (second, first) if waits else (first, second):
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert await worker.run([sys.executable, "-c", ""], priority=1, within_s=60)
