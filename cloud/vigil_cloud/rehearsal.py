"""A rehearsal: the whole cloud in one process, with a clock that its caller moves.

For simulated weeks and the like (``vigil-sim week``). Broker, ingest, API, rules and stores are
those of ``serve``; what there happens once a second by the wall clock happens here once per step,
until nothing is due any more. A clock that runs ahead of the world must never write into a city
that people rely on: only demo settings and a database without a single account are taken.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, ClassVar, Final

from sqlalchemy import Engine, event, inspect, select

from vigil_cloud.app import jobs, work_kinds
from vigil_cloud.config import Settings
from vigil_cloud.identity.models import Account
from vigil_cloud.ingest.intakes import Ingest
from vigil_cloud.jobs.runner import JobRunner
from vigil_cloud.jobs.worker import Begun, Worker
from vigil_cloud.notify.notification_sender import NotificationSender
from vigil_cloud.services import Services
from vigil_schemas.errors import VigilError

ROUNDS: Final = 20
"""What one round announces the next one does; a step that is not quiet after so many goes on with
the next."""
WORK_A_STEP: Final = 20
"""Pieces of heavy work that one step begins; the others wait in their bounded queue."""
PROCESSES: Final = 2
"""Compute heavy work; pieces end in the order in which they were begun, however many there are."""
BESIDE: Final = timedelta(minutes=15)
"""Heavy work is computed beside the next step where that is no further away than this: so late it
may be stored, by the city's clock."""


class RehearsalRefused(VigilError):
    """A clock that somebody moves is kept away from a city that is real."""

    code: ClassVar[str] = "rehearsal-refused"
    remedy: ClassVar[str] = (
        "Set `VIGIL_DEMO=true` and name an empty folder (`VIGIL_DATA_DIR`) or an empty database."
    )


class ClockGoesBack(VigilError):
    """A step that lies before the one that was taken last. ``now`` and ``to``: the two."""

    code: ClassVar[str] = "clock-goes-back"
    remedy: ClassVar[str] = "Ask for a time that is not before the last step."

    def __init__(self, now: datetime, to: datetime) -> None:
        super().__init__(f"it is {now.isoformat()} already, which is after {to.isoformat()}")
        self.now = now
        self.to = to


class RehearsalClock:
    """Stands still until it is moved; only forward. Any thread may read it."""

    def __init__(self, start: datetime) -> None:
        self._now = start

    def __call__(self) -> datetime:
        """What it is by this clock."""
        return self._now

    def move(self, to: datetime) -> None:
        """Raises ``ClockGoesBack``."""
        if to < self._now:
            raise ClockGoesBack(self._now, to)
        self._now = to


def require_demo(settings: Settings) -> None:
    """Before anything is opened. Raises ``RehearsalRefused``."""
    if not settings.demo:
        raise RehearsalRefused("a rehearsal needs demo settings (VIGIL_DEMO)")


def require_empty(services: Services) -> None:
    """Nothing is changed. Raises ``RehearsalRefused``."""
    require_demo(services.settings)
    if not inspect(services.engine).has_table(Account.__tablename__):
        return
    with services.sessions() as session:
        if session.scalar(select(Account.id).limit(1)) is not None:
            raise RehearsalRefused("a rehearsal begins in an empty database; this one has accounts")


def hurry(engine: Engine) -> None:
    """Its files outlive nothing: SQLite need not wait for the disk at each of a million commits."""
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _unsynchronised)


def _unsynchronised(connection: Any, _record: object) -> None:
    connection.execute("PRAGMA synchronous = OFF")


class Rehearsal:
    """Takes the steps. Belongs to one thread."""

    def __init__(self, services: Services, clock: RehearsalClock, ingest: Ingest) -> None:
        self._services = services
        self._clock = clock
        self._ingest = ingest
        self._jobs = JobRunner(services, jobs(services, ingest=True), apart=False)
        self._worker = Worker(services, work_kinds(), self._jobs.holder, processes=PROCESSES)
        self._begun: list[Begun] = []
        self._sender = NotificationSender(services)
        self.turns = 0
        """Of jobs, so far."""
        self.delivered = 0
        """Deliveries that were dealt with, so far."""
        self.computed = 0
        """Pieces of heavy work, so far."""

    def step(self, to: datetime) -> None:
        """Move the clock, and do what is due then. Raises ``ClockGoesBack``.

        Heavy work that a step begins is computed on another processor while the next one does what
        is due, and ends there; before a longer leap (``BESIDE``) it ends by the clock of the step
        that began it. When it does is the same in every run."""
        if to - self._clock() > BESIDE:
            self._end_work()
        self._clock.move(to)
        self.settle()

    def settle(self) -> None:
        """Until nothing is due at this moment. What a store refuses is tried at the next step."""
        for _ in range(ROUNDS):
            turns = len(self._jobs.look())
            self._jobs.wait()
            delivered = self._sender.deliver_due()
            self._ingest.send_down()
            self.turns += turns
            self.delivered += delivered
            if not turns and not delivered:
                break
        self._end_work()
        self._begun = self._worker.begin(WORK_A_STEP)
        self._jobs.supervise()

    def _end_work(self) -> None:
        begun, self._begun = self._begun, []
        for one in begun:
            self._worker.end(one)
            self.computed += 1

    def close(self) -> None:
        """Let no thread outlive the stores."""
        self._worker.stop()
        self._jobs.stop()
