"""Heavy work has one home: few at a time, urgent first, bounded, and nothing hangs."""

from __future__ import annotations

import asyncio
import sys
from asyncio.subprocess import Process
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


WAITING = """
import os, sys
sys.path[:0] = {path!r}
from vigil_edge.waiting_program import given
words = given(lambda: open({ready!r}, "w").close())
if words is not None:
    open({said!r}, "a").write(f"{{os.getpid()}} {{words}}")
"""


def prepared(worker: Worker) -> Process:
    """The program that waits."""
    assert worker._ready is not None
    return worker._ready.process


def nothing_waits(worker: Worker) -> bool:
    return worker._ready is None


@pytest.fixture
def program(tmp_path: Path) -> list[str]:
    ready, said = (str(tmp_path / name) for name in ("ready", "said"))
    return [sys.executable, "-c", WAITING.format(path=sys.path, ready=ready, said=said)]


async def test_a_program_that_waits_is_given_the_rest_of_its_words(
    program: list[str], tmp_path: Path
) -> None:
    # Given a program that has loaded what it needs
    worker = Worker(lambda _: None)
    await worker.prepare(program, environment={"A": "1"})
    await until((tmp_path / "ready").exists)
    waits = prepared(worker)

    # When others come, and the one that it waits for
    assert await worker.run(notes(tmp_path / "other", "x"), priority=1, within_s=60)
    assert await worker.run([*program, "b"], priority=1, within_s=60, environment={"A": "2"})
    assert str(waits.pid) not in (tmp_path / "said").read_text()
    (tmp_path / "said").unlink()
    words = [*program, "a case", "one-by-one"]
    assert await worker.run(words, priority=1, within_s=60, environment={"A": "1"})

    # Then it was that process, once
    assert (tmp_path / "said").read_text() == f"{waits.pid} ['a case', 'one-by-one']"
    (tmp_path / "said").unlink()
    assert await worker.run(words, priority=1, within_s=60, environment={"A": "1"})
    assert str(waits.pid) not in (tmp_path / "said").read_text()


async def test_a_program_that_died_while_it_waited_is_started_anew(
    program: list[str], tmp_path: Path
) -> None:
    worker = Worker(lambda _: None)
    await worker.prepare(program)
    waits = prepared(worker)
    waits.kill()
    await waits.wait()
    assert await worker.run([*program, "a"], priority=1, within_s=60)
    assert (tmp_path / "said").read_text().endswith(" ['a']")
    await worker.close()


async def test_a_program_that_nobody_asks_for_ends_by_itself(program: list[str]) -> None:
    worker = Worker(lambda _: None, ready_for_s=0.01)
    await worker.prepare(program)
    waits = prepared(worker)
    assert await waits.wait() == 0
    assert nothing_waits(worker)


async def test_nothing_is_prepared_beside_other_work_and_none_outlives_the_agent(
    program: list[str],
) -> None:
    worker = Worker(lambda _: None)
    busy = asyncio.create_task(worker.run(HANGS, priority=1, within_s=3600))
    await asyncio.sleep(0)
    await worker.prepare(program)
    assert nothing_waits(worker)
    busy.cancel()
    await asyncio.gather(busy, return_exceptions=True)
    await worker.prepare(program)
    waits = prepared(worker)
    await worker.prepare(program)
    assert prepared(worker) is waits
    await worker.close()
    assert waits.returncode == 0
