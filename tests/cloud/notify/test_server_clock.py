"""Several machines on one PostgreSQL: the clock of one of them moves nothing of the others'."""

from __future__ import annotations

import re
import shutil
import threading
import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import create_engine

import servers
from cloud_city import SECRET, City
from escalation_stage import standing
from vigil_cloud.config import load
from vigil_cloud.database.engine import writing
from vigil_cloud.database.models import ClockMark
from vigil_cloud.database.server_clock import ServerClock
from vigil_cloud.jobs.clock import ClockWatch
from vigil_cloud.jobs.models import JobRow
from vigil_cloud.jobs.runner import JobRunner
from vigil_cloud.services import utc_now
from vigil_cloud.stores import build_services

HOURS = timedelta(hours=3)
MINUTE = timedelta(minutes=1)


@pytest.fixture
def city(
    populated_postgres: tuple[Path, str], postgres: servers.Postgres, tmp_path: Path
) -> Iterator[City]:
    folder, template = populated_postgres
    url = postgres.create(f"t{uuid.uuid4().hex[:16]}", template)
    made = City(Path(shutil.copytree(folder, tmp_path / "cloud")), url)
    yield made
    made.close()


class Machine:
    """A process of a machine whose own clock may be wrong; the server's may be set, too."""

    def __init__(self, city: City, ahead: timedelta) -> None:
        self.ahead, self.elapsed, self.server = ahead, 0.0, timedelta()
        outer = self

        class Clock(ServerClock):
            def read(self) -> datetime:
                return super().read() + outer.server

        self.clock = Clock(
            city.services.engine,
            wall=lambda: utc_now() + self.ahead,
            elapsed=lambda: self.elapsed,
        )
        self.paused: list[float] = []
        services = replace(city.services, now=self.clock)
        self.watch = ClockWatch(services, lambda: self.elapsed, self.paused.append)

    def looks(self, after_s: float = 0.0) -> timedelta | None:
        self.elapsed += after_s
        self.server += timedelta(seconds=after_s)
        return self.watch.look()


def due(city: City) -> datetime:
    with city.services.sessions() as session:
        return session.get_one(JobRow, "one").due


def waits(city: City, until: datetime) -> None:
    with writing(city.services.sessions) as session:
        session.add(JobRow(name="one", period_s=60, due=until))


def near(one: datetime, other: datetime) -> bool:
    return abs(one - other) < MINUTE


def test_a_machine_whose_clock_is_wrong_writes_and_moves_nothing_by_it(city: City) -> None:
    right, wrong = Machine(city, timedelta()), Machine(city, HOURS)
    assert near(wrong.clock(), utc_now()), "before anybody follows the server's clock"
    right.looks()
    wrong.looks()
    until = right.clock() + timedelta(minutes=10)
    waits(city, until)

    wrong.looks(11)
    assert standing(city) == ["machine-clock"]
    wrong.ahead = -HOURS  # set, but wrongly
    assert wrong.looks(1) is None
    wrong.ahead = timedelta()  # and right
    wrong.server = timedelta()
    wrong.elapsed = 0.0
    assert Machine(city, -HOURS).looks() is None, "a start on a machine that is hours behind"
    assert right.looks(1) is None
    assert due(city) == until


def test_it_is_told_until_it_is_right_or_gone(city: City) -> None:
    wrong = Machine(city, -HOURS)
    wrong.looks()
    wrong.looks(11)
    (alert,) = [one for one in city.alerts("administrator") if one["kind"] == "machine-clock"]
    told = re.search(r"is (\d+:\d+:\d+) behind$", alert["title"])
    assert told is not None
    assert told[1].startswith(("2:59:", "3:00:")), "as exactly as this test is quick"
    wrong.ahead = wrong.server
    wrong.looks(11)
    assert standing(city) == []

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("vigil_cloud.jobs.clock.machine", lambda: "gone_since")
        gone = Machine(city, HOURS)
        gone.looks()
        with writing(city.services.sessions) as session:
            session.add(
                JobRow(name="disk@gone_since", period_s=60, due=utc_now(), finished=utc_now())
            )
        gone.looks(11)
    other = Machine(city, timedelta())
    other.looks()
    other.looks(11)
    assert standing(city) == ["machine-clock"], "it still works there"
    with writing(city.services.sessions) as session:
        session.get_one(JobRow, "disk@gone_since").finished = utc_now() - HOURS
    other.looks(11)
    assert standing(city) == []


def test_the_servers_clock_is_followed_before_anything_is_moved_back(city: City) -> None:
    one = Machine(city, timedelta())
    one.looks()
    until = one.clock() + timedelta(minutes=10)
    waits(city, until)
    seen: list[tuple[datetime, datetime]] = []
    one.watch._pause = lambda _s: seen.append((one.clock(), due(city)))

    one.server -= HOURS
    step = one.looks()

    assert step is not None
    assert near(utc_now() - HOURS, utc_now() + step)
    ((followed, still),) = seen
    assert near(followed, utc_now() - HOURS)
    assert still == until
    assert due(city) == until + step


def test_forward_it_is_followed_once_everything_is_moved(city: City) -> None:
    one = Machine(city, timedelta())
    one.looks()
    until = one.clock() + timedelta(minutes=10)
    waits(city, until)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("vigil_cloud.jobs.clock.clock_steps.move", _fails)
        one.server += HOURS
        with pytest.raises(RuntimeError):
            one.looks()
    assert near(one.clock(), utc_now()), "nothing is due early"
    step = one.looks()
    assert step is not None
    assert near(one.clock(), utc_now() + HOURS)
    assert due(city) == until + step
    assert one.paused == []


def _fails(*_: object) -> None:
    raise RuntimeError("the store is away")


def test_a_server_that_answers_slowly_is_no_step(city: City) -> None:
    one = Machine(city, timedelta())
    one.looks()
    read = one.clock.read

    def slowly() -> datetime:
        one.elapsed += 20
        return read()

    one.clock.read = slowly  # type: ignore[method-assign]
    assert one.watch.look() is None
    with city.services.sessions() as session:
        assert session.get_one(ClockMark, 1).stepped is None


def test_a_server_that_is_away_is_asked_once_and_then_followed(city: City) -> None:
    away = create_engine("postgresql+psycopg://nobody@127.0.0.1:1/none")
    clock = ServerClock(away, wall=lambda: utc_now() + HOURS)
    assert near(clock(), utc_now() + HOURS), "nothing is written meanwhile"
    away.dispose()
    clock._engine = city.services.engine
    watch = ClockWatch(replace(city.services, now=clock))
    watch.look()
    assert near(clock(), utc_now())


def test_a_process_whose_jobs_hang_follows_it_all_the_same(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine(city, timedelta())
    runner = JobRunner(machine.watch._services, [])
    hangs, looked = threading.Event(), threading.Event()
    monkeypatch.setattr(runner, "look", lambda: hangs.wait(servers.DEADLINE_S))

    class Watch:
        def look(self) -> None:
            looked.set()

    monkeypatch.setattr(runner, "_clock", Watch())
    runner.start()
    try:
        for _ in range(2):  # the second one: while the jobs hang
            assert looked.wait(servers.DEADLINE_S)
            looked.clear()
    finally:
        hangs.set()
        runner.stop()


def test_the_platform_goes_by_it(city: City, tmp_path: Path) -> None:
    settings = load(
        None, data_dir=tmp_path, database_url=city.settings.database_url, secret_key=SECRET
    )
    services = build_services(settings)
    assert isinstance(services.now, ServerClock)
    assert JobRunner(services, [])._clock is not None
    services.close()
