"""Background jobs: one of several processes does each, and none is forgotten."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from cloud_city import SECRET, City
from servers import eventually
from vigil_cloud.alerts import feed
from vigil_cloud.alerts.models import FeedEntry
from vigil_cloud.alerts.platform import standing
from vigil_cloud.app import jobs
from vigil_cloud.database.engine import writing
from vigil_cloud.jobs.clock import ClockWatch
from vigil_cloud.jobs.leases import LEASE
from vigil_cloud.jobs.models import JobRow
from vigil_cloud.jobs.port import Job, LeaseLost, Turn, in_transaction
from vigil_cloud.jobs.runner import JobRunner
from vigil_cloud.jobs.supervision import state_of
from vigil_cloud.services import utc_now

EVERY = timedelta(minutes=1)


def write(session: Session, key: str, turn: Turn) -> None:
    """Something that can be counted."""
    feed.append(session, "case", key, turn.now)


def written(city: City, key: str) -> int:
    with city.services.sessions() as session:
        return session.scalar(select(func.count()).where(FeedEntry.key == key)) or 0


def row(city: City, name: str = "job") -> JobRow:
    with city.services.sessions() as session:
        return session.get_one(JobRow, name)


def job(run: Callable[[Turn], Any], **more: Any) -> Job:
    return Job("job", EVERY, run, **more)


def writes(turn: Turn) -> None:
    with writing(turn.services.sessions) as session:
        write(session, "turn", turn)


def turn_of(runner: JobRunner) -> list[str]:
    """One look, and what it started is over."""
    started = runner.look()
    runner.wait(60)
    return started


def alerts(city: City) -> list[str]:
    with city.services.sessions() as session:
        return [one.title for one in standing(session, "job-failing")]


def test_one_of_several_processes_does_each_turn(either_city: City) -> None:
    city = either_city
    runners = [JobRunner(city.services, [job(writes)]) for _ in range(4)]
    for turn in range(1, 4):
        threads = [threading.Thread(target=turn_of, args=(runner,)) for runner in runners]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert written(city, "turn") == turn
        assert turn_of(runners[0]) == [], "it is not due"
        city.later(minutes=1)

    found = row(city)
    assert (found.runs, found.token, found.failures) == (3, 3, 0)
    assert found.due == city.time


def test_who_lost_the_lease_writes_nothing_any_more(either_city: City) -> None:
    """A process that stood still (a paused machine) wakes in the middle of its turn."""
    city = either_city
    began, go_on = threading.Event(), threading.Event()
    outcome: list[str] = []

    def stands_still(turn: Turn) -> None:
        began.set()
        assert go_on.wait(60)
        try:
            with writing(turn.services.sessions) as session:
                write(session, "stale", turn)
        except LeaseLost as lost:
            outcome.append(lost.job)
            raise

    paused = JobRunner(city.services, [job(stands_still)])
    other = JobRunner(city.services, [job(writes)])
    paused.look()
    assert began.wait(60)
    assert turn_of(other) == [], "it is leased"
    city.later(seconds=LEASE.total_seconds() + 1)
    assert turn_of(other) == ["job"]
    go_on.set()
    paused.wait(60)

    assert outcome == ["job"]
    assert (written(city, "stale"), written(city, "turn")) == (0, 1)
    assert (row(city).runs, row(city).token, row(city).error) == (1, 2, None)


def test_a_turn_that_takes_long_keeps_its_lease_unless_it_hangs(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vigil_cloud.jobs.runner.RENEW_EVERY", timedelta())
    go_on = threading.Event()
    slow = JobRunner(city.services, [job(lambda _turn: go_on.wait(60))])
    slow.look()
    for _ in range(5):
        city.later(seconds=LEASE.total_seconds() - 1)
        slow.look()
    other = JobRunner(city.services, [job(writes)])
    assert turn_of(other) == []
    go_on.set()
    slow.wait(60)
    assert row(city).failures == 0

    city.later(minutes=5)
    go_on.clear()
    hangs = JobRunner(city.services, [job(lambda _turn: go_on.wait(60), longest=timedelta())])
    hangs.look()
    city.later(seconds=LEASE.total_seconds() + 1)
    hangs.look()
    assert turn_of(other) == ["job"]
    go_on.set()
    hangs.wait(60)


KILLED = """
import sys, time
from datetime import timedelta
from pathlib import Path
from vigil_cloud.alerts import feed
from vigil_cloud.config import load
from vigil_cloud.database.engine import writing
from vigil_cloud.jobs.port import Job
from vigil_cloud.jobs.runner import JobRunner
from vigil_cloud.stores import build_services

def run(turn):
    with writing(turn.services.sessions) as session:
        feed.append(session, "case", "first half", turn.now)
    with writing(turn.services.sessions) as session:
        feed.append(session, "case", "second half", turn.now)
        session.flush()
        print("in the middle", flush=True)
        time.sleep(600)

folder, url, secret = sys.argv[1:]
services = build_services(load(None, data_dir=Path(folder), database_url=url, secret_key=secret))
JobRunner(services, [Job("job", timedelta(minutes=1), run)]).look()
time.sleep(600)
"""


def test_a_process_that_is_killed_in_the_middle_leaves_the_job_to_another(
    either_city: City,
) -> None:
    city = either_city
    settings = city.settings
    arguments = [str(settings.data_dir), settings.database_url, SECRET]
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, *arguments], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "in the middle\n"
        process.send_signal(signal.SIGKILL)
    assert (written(city, "first half"), written(city, "second half")) == (1, 0)

    def goes_on(turn: Turn) -> None:
        with writing(turn.services.sessions) as session:
            for half in ("first half", "second half"):
                if session.scalar(select(FeedEntry).where(FeedEntry.key == half)) is None:
                    write(session, half, turn)

    leased_until = row(city).leased_until
    assert leased_until is not None
    other = JobRunner(city.services, [job(goes_on)])
    city.time = leased_until - timedelta(seconds=1)
    assert turn_of(other) == []
    city.time = leased_until
    assert turn_of(other) == ["job"]
    assert (written(city, "first half"), written(city, "second half")) == (1, 1)
    assert (row(city).runs, row(city).token) == (1, 2)


def test_a_job_that_fails_is_told_tried_again_soon_and_taken_back(city: City) -> None:
    fails = [True]

    def run(turn: Turn) -> None:
        if fails[0]:
            raise RuntimeError("no such thing")
        writes(turn)

    runner = JobRunner(city.services, [Job("job", timedelta(hours=1), run)])
    turn_of(runner)
    runner.supervise()
    assert alerts(city) == ["Background job job fails"]
    (told,) = city.alerts("administrator")
    assert told["detail"]["explanation"] == "RuntimeError: no such thing"

    city.later(seconds=30)
    turn_of(runner)
    runner.supervise()
    assert row(city).failures == 2
    assert len(alerts(city)) == 1
    fails[0] = False
    city.later(seconds=30)
    turn_of(runner)
    runner.supervise()
    assert alerts(city) == []
    assert written(city, "turn") == 1


def test_a_job_that_nobody_does_is_told_by_whoever_still_runs(city: City) -> None:
    with_ingest = JobRunner(city.services, [job(writes)])
    api_alone = JobRunner(city.services, [])
    turn_of(with_ingest)
    city.later(minutes=3)
    api_alone.supervise()
    assert alerts(city) == [], "late by less than is worth a word"
    city.later(minutes=2)
    api_alone.supervise()
    assert alerts(city) == ["Background job job is late"]

    turn_of(with_ingest)
    api_alone.supervise()
    assert alerts(city) == []


def test_a_wrong_clock_holds_up_no_job(city: City) -> None:
    runner = JobRunner(city.services, [job(writes)])
    city.later(days=400)
    turn_of(runner)
    with writing(city.services.sessions) as session:
        session.get_one(JobRow, "job").leased_until = city.time + LEASE
    city.later(days=-400)
    assert turn_of(runner) == ["job"]


def test_a_job_that_has_nothing_to_do_writes_nothing_and_is_not_late(city: City) -> None:
    waits = False
    runner = JobRunner(
        city.services, [Job("job", timedelta(seconds=1), writes, waiting=lambda *_: waits)]
    )
    assert turn_of(runner) == ["job"], "the first turn clears up what was left"
    began = row(city)
    for _ in range(20):
        city.later(seconds=1)
        assert turn_of(runner) == []
    assert (row(city).runs, row(city).token) == (began.runs, began.token)

    waits = True
    assert turn_of(runner) == ["job"], "what waits is begun at the next look"
    waits = False
    for _ in range(180):
        city.later(seconds=1)
        turn_of(runner)
        assert state_of(row(city), city.time) == "waiting"
    assert 4 <= row(city).runs <= 8, "now and then it is begun all the same"


@pytest.mark.parametrize("trouble", ["failed", "cut off"])
def test_a_job_that_did_not_end_well_is_begun_whatever_waits(city: City, trouble: str) -> None:
    fails = False

    def run(_turn: Turn) -> None:
        if fails:
            raise ValueError("no")

    runner = JobRunner(
        city.services, [Job("job", timedelta(seconds=1), run, waiting=lambda *_: fails)]
    )
    turn_of(runner)
    city.later(seconds=2)
    if trouble == "failed":
        fails = True
        turn_of(runner)
        fails = False
        city.later(seconds=2)
    else:
        with writing(city.services.sessions) as session:
            session.get_one(JobRow, "job").leased_until = city.time - timedelta(seconds=1)
    assert turn_of(runner) == ["job"]
    assert row(city).failures == 0


def test_a_job_that_cannot_say_what_waits_is_begun(city: City) -> None:
    def waiting(*_: object) -> bool:
        raise ValueError("no")

    runner = JobRunner(city.services, [job(writes, waiting=waiting), Job("other", EVERY, writes)])
    for _ in range(2):
        assert sorted(turn_of(runner)) == ["job", "other"]
        city.later(minutes=1)


def test_what_a_transaction_of_a_job_says_wakes_the_screens(city: City) -> None:
    heard = city.services.changed.version
    says = in_transaction(lambda _session, _now: True)
    turn_of(JobRunner(city.services, [job(says)]))
    assert city.services.changed.version > heard


def test_jobs_are_shown_and_every_job_of_the_platform_runs(city: City) -> None:
    ours = jobs(city.services, ingest=True)
    runner = JobRunner(city.services, ours)
    assert sorted(turn_of(runner)) == sorted(runner.jobs)

    shown = city.client("administrator").get("/api/v1/jobs").raise_for_status().json()["jobs"]
    assert [one["name"] for one in shown] == sorted(runner.jobs)
    assert {(one["state"], one["runs"], one["error"]) for one in shown} == {("waiting", 1, None)}
    assert {one["holder"] for one in shown} == {runner.holder}


def test_two_jobs_of_one_name_are_refused(city: City) -> None:
    with pytest.raises(ValueError, match="same name"):
        JobRunner(city.services, [job(writes), job(writes)])


def test_a_step_of_the_clock_that_cannot_be_stored_holds_up_no_job(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ClockWatch, "look", broken)
    runner = JobRunner(replace(city.services, now=utc_now), [job(writes)])
    runner.start()
    eventually(lambda: written(city, "turn") == 1, "the first turn")
    runner.stop()


def broken(_watch: ClockWatch) -> None:
    raise RuntimeError("one row cannot be moved")


def test_a_runner_on_its_thread_does_what_is_due_and_stops(city: City) -> None:
    runner = JobRunner(city.services, [job(writes)])
    runner.start()
    runner.check()
    eventually(lambda: written(city, "turn") == 1, "the first turn")
    runner.stop()
    assert not runner._thread.is_alive()
