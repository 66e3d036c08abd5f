"""Heavy work: queued in a transaction, computed elsewhere, stored once, bounded and told."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

import heavy_work
import servers
from cloud_city import City
from vigil_cloud.alerts import feed
from vigil_cloud.alerts.models import FeedEntry
from vigil_cloud.alerts.platform import standing
from vigil_cloud.database.engine import writing
from vigil_cloud.jobs import work
from vigil_cloud.jobs.models import WorkDropped, WorkRow
from vigil_cloud.jobs.port import LeaseLost
from vigil_cloud.jobs.runner import JobRunner
from vigil_cloud.jobs.work import ATTEMPTS, LATER, SOON, URGENT, WorkKind
from vigil_cloud.jobs.worker import Worker


def load(_services: Any, payload: Any) -> int:
    return int(payload["number"])


def store(session: Session, payload: Any, result: Any, now: datetime) -> None:
    squared, pid = result
    assert pid != os.getpid(), "it has to be computed elsewhere"
    feed.append(session, "case", f"{payload['number']}={squared}", now)


def kind(compute: Callable[[Any], Any] = heavy_work.square, **more: Any) -> WorkKind:
    return WorkKind("square", load, compute, store, **more)


def ask(city: City, kind: WorkKind, number: int, key: str = "", priority: int = SOON) -> bool:
    with writing(city.services.sessions) as session:
        return work.enqueue(
            session,
            kind,
            key or str(number),
            {"number": number},
            now=city.time,
            priority=priority,
        )


def has_begun(worker: Worker) -> bool:
    return worker._pool is not None


def results(city: City) -> list[str]:
    with city.services.sessions() as session:
        found = session.scalars(select(FeedEntry.key).order_by(FeedEntry.number))
        return [key for key in found if "=" in key]


def waiting(city: City) -> int:
    with city.services.sessions() as session:
        return session.scalar(select(func.count()).select_from(WorkRow)) or 0


def told(city: City) -> list[str]:
    JobRunner(city.services, []).supervise()
    with city.services.sessions() as session:
        return [row.title for row in standing(session, "job-failing")]


@pytest.fixture
def workers(either_city: City) -> Iterator[Callable[[WorkKind], Worker]]:
    made: list[Worker] = []

    def make(kind: WorkKind) -> Worker:
        made.append(Worker(either_city.services, [kind], f"worker-{len(made)}"))
        return made[-1]

    yield make
    for worker in made:
        worker.stop()


def test_the_most_urgent_goes_first_and_each_is_stored_once(
    either_city: City, workers: Callable[[WorkKind], Worker]
) -> None:
    city = either_city
    for number, priority in ((2, LATER), (3, SOON), (4, URGENT)):
        assert ask(city, kind(), number, priority=priority)
    ask(city, kind(), 5, key="2", priority=URGENT)  # merged: what was asked last, as urgent
    worker = workers(kind())
    while worker.do_one():
        pass
    assert results(city) == ["5=25", "4=16", "3=9"]
    assert waiting(city) == 0


def test_several_processes_share_the_queue(
    either_city: City, workers: Callable[[WorkKind], Worker]
) -> None:
    city = either_city
    for number in range(10):
        ask(city, kind(), number)

    def all_of(worker: Worker) -> None:
        while worker.do_one():
            pass

    threads = [threading.Thread(target=all_of, args=(workers(kind()),)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results(city)) == sorted(f"{n}={n * n}" for n in range(10))


def test_a_full_queue_drops_counts_and_tells(city: City) -> None:
    small = kind(most_waiting=3)
    assert [ask(city, small, number) for number in range(5)] == [True] * 3 + [False] * 2
    assert ask(city, small, 7, key="1"), "what waits already finds its place"
    with city.services.sessions() as session:
        assert session.get_one(WorkDropped, "square").count == 2
    assert told(city) == ["Heavy work square is dropped: its queue is full"]
    city.later(minutes=11)
    assert told(city) == []


@pytest.mark.parametrize("compute", [heavy_work.raises, heavy_work.dies, heavy_work.hangs])
def test_work_that_fails_is_begun_again_then_given_up_and_told(
    city: City, compute: Callable[[Any], Any]
) -> None:
    bad = kind(compute, longest=timedelta(seconds=4 if compute is heavy_work.hangs else 60))
    worker = Worker(city.services, [bad], "worker")
    ask(city, bad, 3)
    for _ in range(ATTEMPTS if compute is not heavy_work.hangs else 1):
        assert worker.do_one()
        assert not worker.do_one(), "not at once"
        city.later(minutes=2)
    if compute is heavy_work.hangs:
        worker.stop()
        return
    assert not worker.do_one()
    assert told(city) == ["Heavy work square fails: 1 given up"]

    ask(city, kind(), 3)
    good = Worker(city.services, [kind()], "worker")
    assert good.do_one()
    assert results(city) == ["3=9"]
    assert told(city) == []
    for one in (worker, good):
        one.stop()


def test_what_another_process_raised_is_written_down(city: City) -> None:
    away = kind(heavy_work.reads_what_is_away)
    worker = Worker(city.services, [away], "worker")
    ask(city, away, 3)
    assert worker.do_one()
    worker.stop()
    with city.services.sessions() as session:
        row = session.scalars(select(WorkRow)).one()
    assert row.error == (
        "TimeSeriesUnavailable: time series /nowhere: unable to open database file"
    )


def test_a_worker_that_is_stopped_leaves_its_piece_to_another(city: City) -> None:
    """As often as processes are restarted under it: that is no failure of the piece."""
    ask(city, kind(), 3)
    for number in range(ATTEMPTS + 1):
        stopped = Worker(city.services, [kind(heavy_work.hangs)], f"worker-{number}")
        stopped.start()
        servers.eventually(partial(has_begun, stopped), "its process")
        stopped.stop()
    with city.services.sessions() as session:
        row = session.scalars(select(WorkRow)).one()
        assert (row.error, row.attempts, row.leased_until) == (None, 0, None)
    good = Worker(city.services, [kind()], "worker")
    assert good.do_one()
    good.stop()
    assert results(city) == ["3=9"]


def test_several_are_taken_at_once_and_of_one_key_one(city: City) -> None:
    for number in (3, 4, 5):
        ask(city, kind(), number)
    sessions, kinds = city.services.sessions, {"square": kind()}
    (lost,) = work.take(sessions, kinds, "one", city.time)
    ask(city, kind(), 3)  # under way: asked for once more
    city.later(minutes=3)

    taken = work.take(sessions, kinds, "two", city.time, 9)
    left = work.take(sessions, kinds, "two", city.time, 9)

    assert [one.key for one in taken] == ["3", "4", "5"]
    assert taken[0].id == lost.id, "the first of its key"
    assert [one.key for one in left] == ["3"]


def test_who_lost_the_piece_stores_nothing(city: City) -> None:
    ask(city, kind(), 3)
    kinds = {"square": kind()}
    (first,) = work.take(city.services.sessions, kinds, "one", city.time)
    assert work.take(city.services.sessions, kinds, "two", city.time) == []
    city.later(minutes=3)
    (second,) = work.take(city.services.sessions, kinds, "two", city.time)

    with pytest.raises(LeaseLost):
        work.finish(city.services.sessions, kind(), first, (9, 0), city.time)
    work.finish(city.services.sessions, kind(), second, (9, 0), city.time)
    assert results(city) == ["3=9"]
