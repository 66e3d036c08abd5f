"""Leases of jobs: taken, renewed, given back, and fenced. Pure of threads.

Each statement is one short transaction. Times are the processes' own clocks; a clock that is
wrong can make two processes believe that they hold a lease, which the token decides: whoever
took it later may write, and nobody else.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, and_, bindparam, event, or_, select, update
from sqlalchemy.orm import Session, sessionmaker

from vigil_cloud.database.base import UtcDateTime
from vigil_cloud.database.changes import follow_commits
from vigil_cloud.database.engine import writing
from vigil_cloud.database.upsert import insert_missing, table_of
from vigil_cloud.jobs.models import JobRow
from vigil_cloud.jobs.port import Job, LeaseLost

LEASE: Final = timedelta(seconds=30)
RENEW_EVERY: Final = LEASE / 3
RETRY: Final = timedelta(seconds=30)
"""A failed turn is repeated so soon, or after the period where that is shorter."""
IDLE_TURN_EVERY: Final = timedelta(seconds=30)
"""So late a job that has nothing to do is begun in spite of that; well within
``supervision.LATE_AFTER``."""
_ERROR: Final = 400


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to one turn."""

    name: str
    token: int


def enter(sessions: sessionmaker[Session], jobs: Iterable[tuple[str, Job]], now: datetime) -> None:
    """Make rows for jobs that are new; they are due at once."""
    wanted = dict(jobs)
    with sessions() as session:
        rows = session.scalars(select(JobRow).where(JobRow.name.in_(wanted)))
        known = {row.name: row.period_s for row in rows}
    if all(known.get(name) == job.every.total_seconds() for name, job in wanted.items()):
        return
    with writing(sessions) as session:
        insert_missing(
            session,
            JobRow,
            [
                {
                    "name": name,
                    "period_s": job.every.total_seconds(),
                    "due": now,
                    "token": 0,
                    "runs": 0,
                    "failures": 0,
                }
                for name, job in sorted(wanted.items())
            ],
        )
        for name, job in sorted(wanted.items()):
            if known.get(name, job.every.total_seconds()) != job.every.total_seconds():
                session.execute(
                    update(JobRow)
                    .where(JobRow.name == name)
                    .values(period_s=job.every.total_seconds(), due=now)
                )


@dataclass(frozen=True, slots=True)
class Due:
    """A job that may be taken, as it was seen."""

    name: str
    token: int
    leased_until: datetime | None
    may_idle: bool
    """It went well the last time, and is not late yet: where nothing waits, it need not begin."""


# Made once: asked every second, and to make a statement costs more than to run it. ``is_due`` says
# exactly which of them may be taken.
_DUE: Final = (
    select(JobRow)
    .where(
        JobRow.name.in_(bindparam("names", expanding=True)),
        or_(
            JobRow.due <= bindparam("now", type_=UtcDateTime()),
            JobRow.due > bindparam("ahead", type_=UtcDateTime()),
        ),
    )
    .order_by(JobRow.due)
)


def due(session: Session, names: Collection[str], now: datetime) -> list[Due]:
    """Those that may be taken, the longest due first."""
    asked = {"names": list(names), "now": now, "ahead": now + LEASE}
    rows = session.scalars(_DUE, asked)
    return [
        Due(row.name, row.token, row.leased_until, _may_idle(row, now))
        for row in rows
        if is_due(row, now)
    ]


def _may_idle(row: JobRow, now: datetime) -> bool:
    on_time = timedelta() <= now - row.due < IDLE_TURN_EVERY
    ended = row.leased_until is None  # else a turn was cut off, and what it left is not known
    return on_time and ended and row.succeeded is not None and not row.failures


def is_due(row: JobRow, now: datetime) -> bool:
    """Due and nobody's. What lies farther ahead than anybody would write it was written by a
    clock that was wrong, and is not waited for."""
    wrongly_due = row.due > now + timedelta(seconds=row.period_s) + LEASE
    until = row.leased_until
    free = until is None or until <= now or until > now + 3 * LEASE
    return free and (row.due <= now or wrongly_due)


_TABLE: Final = table_of(JobRow)
_MINE: Final = and_(_TABLE.c.name == bindparam("of"), _TABLE.c.token == bindparam("held"))
_TAKE: Final = (
    update(_TABLE)
    .where(
        _MINE, _TABLE.c.leased_until.is_not_distinct_from(bindparam("seen", type_=UtcDateTime()))
    )
    .values(
        token=_TABLE.c.token + 1,
        holder=bindparam("by"),
        leased_until=bindparam("until", type_=UtcDateTime()),
        started=bindparam("now", type_=UtcDateTime()),
        # From here on it is late: what was before, nobody was there to do.
        due=bindparam("now", type_=UtcDateTime()),
    )
    .returning(_TABLE.c.token)
)


def take(
    sessions: sessionmaker[Session], found: Collection[Due], holder: str, now: datetime
) -> list[Lease]:
    """In one transaction; without those at which another was faster."""
    if not found:
        return []
    values = {"by": holder, "until": now + LEASE, "now": now}
    tokens = {}
    with writing(sessions) as session:
        connection = session.connection()
        for one in sorted(found, key=lambda due: due.name):  # of two that take, neither waits twice
            asked = {"of": one.name, "held": one.token, "seen": one.leased_until}
            tokens[one.name] = connection.scalar(_TAKE, asked | values)
    return [Lease(one.name, token) for one in found if (token := tokens[one.name]) is not None]


def renew(sessions: sessionmaker[Session], leases: Collection[Lease], now: datetime) -> set[Lease]:
    """Keep them for longer; those that were lost."""
    if not leases:
        return set()
    ours = or_(*(_is(lease) for lease in leases))
    with writing(sessions) as session:
        held = {
            Lease(name, token)
            for name, token in session.execute(select(JobRow.name, JobRow.token).where(ours))
        }
        # One whose turn is committing is held by that itself, and renewed at the next round.
        free = session.scalars(
            select(JobRow.name).where(ours).with_for_update(skip_locked=True)
        ).all()
        session.execute(
            update(JobRow).where(JobRow.name.in_(free)).values(leased_until=now + LEASE)
        )
    return set(leases) - held


_ROW: Final = select(_TABLE.c.period_s, _TABLE.c.due).where(_MINE).with_for_update()
_DONE: Final = (
    update(_TABLE)
    .where(_MINE)
    .values(
        leased_until=None,
        finished=bindparam("now", type_=UtcDateTime()),
        runs=_TABLE.c.runs + 1,
        due=bindparam("next", type_=UtcDateTime()),
    )
)
_WELL: Final = _DONE.values(succeeded=bindparam("now", type_=UtcDateTime()), failures=0, error=None)
_FAILED: Final = _DONE.values(failures=_TABLE.c.failures + 1, error=bindparam("said"))
_HELD: Final = select(_TABLE.c.token).where(_MINE).with_for_update()


def finish(sessions: sessionmaker[Session], lease: Lease, error: str | None, now: datetime) -> bool:
    """Write down how the turn ended and when the next is due; ``False`` where the lease was
    another's by then."""
    mine = {"of": lease.name, "held": lease.token}
    with writing(sessions) as session:
        connection = session.connection()
        row = connection.execute(_ROW, mine).one_or_none()
        if row is None:
            return False
        period = timedelta(seconds=row.period_s)
        if error is None:
            connection.execute(_WELL, mine | {"now": now, "next": max(row.due + period, now)})
        else:
            later = {"now": now, "next": now + min(period, RETRY), "said": error[:_ERROR]}
            connection.execute(_FAILED, mine | later)
    return True


class Fence:
    """Sessions whose transactions commit only while a lease is held. One per job and process."""

    def __init__(self, sessions: sessionmaker[Session]) -> None:
        self.lease: Lease | None = None
        self.sessions: sessionmaker[Session] = sessionmaker(**sessions.kw)
        # Before the change's number is drawn, after which nothing more may be locked.
        event.listen(self.sessions, "before_commit", self._check)
        follow_commits(self.sessions)

    def _check(self, session: Session) -> None:
        if session.in_nested_transaction():
            return
        session.flush()
        lease = self.lease
        assert lease is not None  # noqa: S101 - a turn has its lease for as long as it runs
        # Locked until the commit: nobody takes the job over in between.
        held = {"of": lease.name, "held": lease.token}
        if session.connection().scalar(_HELD, held) is None:
            raise LeaseLost(lease.name)


def _is(lease: Lease) -> ColumnElement[bool]:
    return and_(JobRow.name == lease.name, JobRow.token == lease.token)
