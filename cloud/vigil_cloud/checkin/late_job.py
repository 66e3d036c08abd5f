"""Finds out whose old rotating ids were, one table of ids after the other; see ``late_ids``."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from typing import ClassVar, Final

import structlog
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from vigil_cloud.alerts import feed
from vigil_cloud.checkin import rotating
from vigil_cloud.checkin.late_ids import message_of
from vigil_cloud.checkin.models import LateVisit
from vigil_cloud.checkin.service import CheckinHandler
from vigil_cloud.database.engine import writing
from vigil_cloud.domain.port import Unprepared, prepared
from vigil_cloud.jobs.port import Job, Turn
from vigil_cloud.services import Services
from vigil_schemas.errors import VigilError

EVERY: Final = timedelta(seconds=2)
AT_ONCE: Final = 50
"""Of one block, in one transaction: an alarm waits for it."""
LONGEST_S: Final = 10.0
"""Of one turn: other jobs wait for it."""
_ORDER: Final = (LateVisit.tries, LateVisit.block, LateVisit.id)
_log = structlog.get_logger(__name__)


class LateVisitsFailed(VigilError):
    """Some visits under old rotating ids could not be stored; they are tried again, after others.
    ``many``: so many just now."""

    code: ClassVar[str] = "late-visits-failed"
    remedy: ClassVar[str] = (
        "Look at `late-visit-failed` in the log: it names the gateway and the cause."
    )

    def __init__(self, many: int) -> None:
        super().__init__(f"{many} visits under old rotating ids could not be stored")
        self.many = many


def late_job() -> Job:
    """Resolves what waits."""
    return Job("late-rotating-ids", EVERY, resolve_late, waiting=_anything)


def _anything(session: Session, _now: datetime) -> bool:
    return session.scalar(select(LateVisit.id).limit(1)) is not None


def resolve_late(turn: Turn) -> None:
    """Until none waits, or for a while. Raises ``LateVisitsFailed`` where some were put back."""
    begun, services, failures = time.monotonic(), turn.services, 0
    while not turn.stopping.is_set() and time.monotonic() - begun < LONGEST_S:
        done, failed = prepared(services.sessions, lambda: _round(services))
        failures += failed
        if not done:  # nothing waits, but what fails
            rotating.forget_late(services.sessions)
            break
        services.changed.announce()
    if failures:
        raise LateVisitsFailed(failures)


def _round(services: Services) -> tuple[int, int]:
    """Some of one block; how many were dealt with, and how many failed."""
    handler, failed = CheckinHandler(), 0
    with writing(services.sessions) as session:
        session.info[rotating.LATE] = True
        feed.lock(session)
        rows = _next(session)
        done: list[int] = []
        for row in rows:
            try:
                with session.begin_nested():
                    complaint = handler.handle(session, message_of(row))
            except Unprepared:
                raise  # a table is made first, and everything is begun anew
            except Exception as error:  # noqa: BLE001 - one that fails must not keep the others waiting
                # Without its words, which may hold whose id was where.
                _log.error("late-visit-failed", gateway=row.gateway, cause=type(error).__name__)
                row.tries += 1
                failed += 1
                continue
            if complaint is not None:
                _log.error("late-visit-complaint", gateway=row.gateway, reason=complaint.reason)
            done.append(row.id)
        gone = delete(LateVisit).where(LateVisit.id.in_(done))
        session.execute(gone.execution_options(synchronize_session=False))
    return len(done), failed


def _next(session: Session) -> list[LateVisit]:
    """The oldest block of those that failed least, in the order in which they came."""
    first = session.scalar(select(LateVisit).order_by(*_ORDER).limit(1))
    if first is None:
        return []
    same = (LateVisit.tries == first.tries, LateVisit.block == first.block)
    return list(session.scalars(select(LateVisit).where(*same).order_by(*_ORDER).limit(AT_ONCE)))
