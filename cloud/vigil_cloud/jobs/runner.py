"""Runs this process' share of the jobs: takes leases, keeps them, fences what was lost."""

from __future__ import annotations

import os
import threading
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from typing import ClassVar, Final

import structlog
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from vigil_cloud.database.server_clock import ServerClock
from vigil_cloud.jobs import leases, supervision
from vigil_cloud.jobs.clock import ClockWatch
from vigil_cloud.jobs.leases import RENEW_EVERY, Due, Fence, Lease
from vigil_cloud.jobs.port import Job, LeaseLost, Turn, machine
from vigil_cloud.jobs.work import WorkKind
from vigil_cloud.jobs.worker import Worker
from vigil_cloud.services import Services, utc_now
from vigil_schemas.errors import VigilError

LOOK_EVERY_S: Final = 1.0
SUPERVISE_EVERY_S: Final = 15.0
STOP_S: Final = 5.0
"""So long turns under way may take at a shutdown; what they leave is repeated elsewhere."""
_log = structlog.get_logger(__name__)


class JobsStuck(VigilError):
    """The thread that starts jobs has ended."""

    code: ClassVar[str] = "jobs-stuck"
    remedy: ClassVar[str] = (
        "Start the process again, and look at the log for what ended the thread."
    )


class _Running:
    """One turn, on its own thread where there are such."""

    def __init__(self, lease: Lease, job: Job) -> None:
        self.lease = lease
        self.job = job
        self.began = time.monotonic()
        self.stopping = threading.Event()
        self.thread: threading.Thread | None = None

    @property
    def hangs(self) -> bool:
        return time.monotonic() - self.began > self.job.longest.total_seconds()


class JobRunner:
    """One per process, whatever the process does besides."""

    def __init__(
        self, services: Services, jobs: Sequence[Job], holder: str = "", *, apart: bool = True
    ) -> None:
        """``holder``: how this process is called where the lease is shown. ``apart``: each turn on
        a thread of its own; else one after the other, within ``look``."""
        self._apart = apart
        self.holder = holder or f"{machine()}/{os.getpid()}/{uuid.uuid4().hex[:6]}"
        self.jobs = {
            f"{job.name}@{machine()}" if job.each_machine else job.name: job for job in jobs
        }
        if len(self.jobs) != len(jobs):
            raise ValueError("two jobs have the same name")
        self._services = services
        self._fences = {name: Fence(services.sessions) for name in self.jobs}
        self._stopping = threading.Event()
        self._lock = threading.Lock()
        self._running: dict[str, _Running] = {}
        self._idle_until: dict[str, datetime] = {}
        """When a job that has nothing to do is asked again."""
        self._entered = False
        self._renewed = time.monotonic()
        self._supervise_at = time.monotonic() + SUPERVISE_EVERY_S
        # A clock that was handed in goes as whoever handed it in lets it go.
        real = services.now is utc_now or isinstance(services.now, ServerClock)
        self._clock = ClockWatch(services) if real else None
        self._thread = threading.Thread(target=self._run, name="jobs", daemon=True)
        # A machine's own clock steps for everybody at once: no turn may begin before it was looked
        # at. The server's is followed by this process alone, and also while its jobs hang.
        self._follower = (
            threading.Thread(target=self._follow_clock, name="clock", daemon=True)
            if isinstance(services.now, ServerClock)
            else None
        )

    def start(self) -> None:
        """Start the threads that look for turns that are due, and at the clock."""
        self._thread.start()
        if self._follower is not None:
            self._follower.start()

    def stop(self) -> None:
        """Ask every turn to stop and wait a moment. Leases of what goes on run out."""
        self._stopping.set()
        with self._lock:
            turns = list(self._running.values())
        for turn in turns:
            turn.stopping.set()
        deadline = time.monotonic() + STOP_S
        for thread in (self._thread, self._follower, *(turn.thread for turn in turns)):
            if thread is not None and thread.is_alive():
                thread.join(max(0.0, deadline - time.monotonic()))

    def check(self) -> None:
        """For ``/readyz``. Raises ``JobsStuck``."""
        if not self._thread.is_alive():
            raise JobsStuck("no job is started any more; restart this process")

    def look(self) -> list[str]:
        """One round: keep what runs, start what is due; the names of what was started."""
        services, now = self._services, self._services.now()
        if not self._entered:
            leases.enter(services.sessions, self.jobs.items(), now)
            self._entered = True
        if time.monotonic() - self._renewed >= RENEW_EVERY.total_seconds():
            self._renew(now)
        with self._lock:
            idle = [name for name in self.jobs if name not in self._running]
        found: list[Due] = []
        away: SQLAlchemyError | None = None
        with services.sessions() as session:  # one for all: to open one costs as a query does
            try:
                for one in leases.due(session, idle, now):
                    if not one.may_idle or self._waiting(session, self.jobs[one.name], now):
                        found.append(one)  # noqa: PERF401 - those before an error count
            except SQLAlchemyError as error:  # those before it are begun all the same
                away = error
        taken = leases.take(services.sessions, found, self.holder, now)
        for lease in taken:
            self._start(lease)
        if away is not None:
            raise away
        return [lease.name for lease in taken]

    def _waiting(self, session: Session, job: Job, now: datetime) -> bool:
        if job.waiting is None:
            return True
        until = self._idle_until.get(job.name, now)
        if now < until <= now + job.every:  # farther ahead only where the clock was set back
            return False
        try:
            found = job.waiting(session, now)
        except SQLAlchemyError:
            raise
        except Exception:  # noqa: BLE001 - one job's mistake must not hold up the others: its turn shows it
            _log.warning("job-not-looked-at", job=job.name, exc_info=True)
            return True
        self._idle_until[job.name] = now + job.every - timedelta(seconds=LOOK_EVERY_S)
        return found

    def wait(self, timeout_s: float | None = None) -> None:
        """Until no turn is under way."""
        with self._lock:
            threads = [turn.thread for turn in self._running.values()]
        for thread in threads:
            if thread is not None:
                thread.join(timeout_s)

    def supervise(self) -> None:
        """Tell of jobs that fail or are late, whoever ought to run them; take back what is over."""
        if supervision.tell(self._services, set(self.jobs)):
            self._services.changed.announce()

    def _run(self) -> None:
        while not self._stopping.wait(LOOK_EVERY_S):
            if self._follower is None:
                self._look_at_clock()
            try:
                self.look()
                if time.monotonic() >= self._supervise_at:
                    self._supervise_at = time.monotonic() + SUPERVISE_EVERY_S
                    self.supervise()
            except SQLAlchemyError as error:  # away: readiness says so as well
                _log.debug("jobs-not-looked-at", error=str(error)[:200])
            except Exception:  # noqa: BLE001 - jobs must not end with one bad row
                _log.exception("jobs-not-looked-at")

    def _follow_clock(self) -> None:
        while not self._stopping.wait(LOOK_EVERY_S):
            self._look_at_clock()

    def _look_at_clock(self) -> None:
        """By itself: where the store cannot take a step, no job waits for that."""
        if self._clock is None:
            return
        try:
            self._clock.look()
        except SQLAlchemyError as error:
            _log.debug("clock-not-looked-at", error=str(error)[:200])
        except Exception:  # noqa: BLE001 - it is noticed again at the next look
            _log.exception("clock-not-looked-at")

    def _renew(self, now: datetime) -> None:
        with self._lock:
            held = {turn.lease: turn for turn in self._running.values() if not turn.hangs}
        for lost in leases.renew(self._services.sessions, list(held), now):
            held[lost].stopping.set()
        self._renewed = time.monotonic()

    def _start(self, lease: Lease) -> None:
        running = _Running(lease, self.jobs[lease.name])
        if not self._apart:
            self._running[lease.name] = running
            self._turn(running)
            return
        # A daemon: a store that hangs must not hold the process.
        running.thread = threading.Thread(
            target=self._turn, args=(running,), name=f"job-{lease.name}", daemon=True
        )
        with self._lock:
            self._running[lease.name] = running
        try:
            running.thread.start()
        except RuntimeError as error:  # no thread to be had: the lease runs out
            _log.warning("job-not-started", job=lease.name, exc_info=error)
            with self._lock:
                del self._running[lease.name]

    def _turn(self, running: _Running) -> None:
        name, job = running.lease.name, running.job
        fence = self._fences[name]
        fence.lease = running.lease
        services = replace(self._services, sessions=fence.sessions)
        error: str | None = None
        outcome = "done"
        try:
            job.run(Turn(services, services.now(), running.stopping))
        except LeaseLost:
            outcome = "lost"
            _log.warning("job-lost", job=name)
        except Exception as failure:  # noqa: BLE001 - what a job raises is written down as its outcome
            outcome, error = "failed", f"{type(failure).__name__}: {failure}"
            _log.warning("job-failed", job=name, exc_info=failure)
        try:
            if outcome != "lost":
                now = self._services.now()
                if not leases.finish(self._services.sessions, running.lease, error, now):
                    outcome = "lost"
        except SQLAlchemyError as away:  # the lease runs out and the turn is repeated
            _log.debug("job-not-written-down", job=name, error=str(away)[:200])
        finally:
            metrics = self._services.metrics
            metrics.job_runs.labels(job.name, outcome).inc()
            metrics.job_seconds.labels(job.name).observe(time.monotonic() - running.began)
            with self._lock:
                self._running.pop(name, None)


@contextmanager
def running(
    services: Services, jobs: Sequence[Job], kinds: Sequence[WorkKind] = ()
) -> Iterator[JobRunner]:
    """Jobs and heavy work for as long as the process works."""
    runner = JobRunner(services, jobs)
    worker = Worker(services, kinds, runner.holder)
    services.readiness["jobs"] = runner.check
    runner.start()
    worker.start()
    try:
        yield runner
    finally:
        worker.stop()
        runner.stop()
