"""What a periodic job is: the description that platform rooms and domains hand in."""

from __future__ import annotations

import platform
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import ClassVar

from sqlalchemy.orm import Session

from vigil_cloud.database.engine import writing
from vigil_cloud.services import Services
from vigil_schemas.errors import VigilError


class LeaseLost(VigilError):
    """Another process has taken the job over: this turn must not write any more."""

    code: ClassVar[str] = "lease-lost"
    remedy: ClassVar[str] = "Nothing: the other process goes on with it."

    def __init__(self, job: str) -> None:
        super().__init__(f"job {job}: another process took it over")
        self.job = job


def machine() -> str:
    """What this machine is called where its own jobs and its troubles are shown."""
    return platform.node()[:60] or "machine"


@dataclass(frozen=True, slots=True)
class Turn:
    """One run of a job by the process that holds its lease."""

    services: Services
    """As everywhere, but that a transaction of ``services.sessions`` commits only while the
    lease is this turn's; otherwise it is rolled back with ``LeaseLost``."""
    now: datetime
    stopping: threading.Event = field(default_factory=threading.Event)
    """Set when the process ends or the lease was lost: a long job stops between two steps."""


@dataclass(frozen=True, slots=True)
class Job:
    """Periodic work that one of several processes does at a time.

    Promises asked of ``run``: idempotent (a process may die after its commit and before the turn
    is written down, so a turn may be repeated); what it has to remember is in the database; what
    it writes goes through ``turn.services``. An exception ends the turn, is shown, and the job is
    tried again soon.
    """

    name: str
    """Lower case with hyphens; the same in every process and release."""
    every: timedelta
    run: Callable[[Turn], object]
    each_machine: bool = False
    """About the machine it runs on (its disk): one process of each machine does it."""
    waiting: Callable[[Session, datetime], bool] | None = None
    """Whether there is anything to do: a read, asked before a turn begins, so that a job that
    looks each second writes nothing while it is idle. Only a hint: without it a turn is begun
    now and then (``leases.IDLE_TURN_EVERY``), which also says that the job is not late."""
    longest: timedelta = timedelta(minutes=15)
    """A turn that takes longer is believed to hang: its lease is not renewed any more."""


def in_transaction(work: Callable[[Session, datetime], bool]) -> Callable[[Turn], None]:
    """A ``run`` of one transaction; ``work`` says whether screens and notifiers should look."""

    def run(turn: Turn) -> None:
        with writing(turn.services.sessions) as session:
            changed = work(session, turn.now)
        if changed:
            turn.services.changed.announce()

    return run
