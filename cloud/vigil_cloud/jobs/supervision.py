"""Jobs that fail or are late, told as alerts of the platform that end by themselves.

Every process looks, whichever ought to run the job: where none does any more, the others tell.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from sqlalchemy import delete, func, or_, select
from sqlalchemy.orm import Session

from vigil_cloud.alerts.platform import clear_platform, raise_platform, standing
from vigil_cloud.database.engine import writing
from vigil_cloud.devices.models import ReadingState
from vigil_cloud.jobs.models import JobRow, WorkDropped, WorkRow
from vigil_cloud.jobs.work import ATTEMPTS
from vigil_cloud.services import Services

KIND: Final = "job-failing"
LATE_AFTER: Final = timedelta(minutes=2)
"""Or three periods, whichever is longer: so late a job is not done by anybody."""
FORGOTTEN_AFTER: Final = timedelta(days=30)
"""A job of an older release that nobody hands in any more. Of a machine that is gone: a day."""
TOLD_FOR: Final = timedelta(minutes=10)
"""A queue that nothing was dropped of for so long is well again."""
JobState = Literal["waiting", "running", "failing", "late"]


@dataclass(frozen=True, slots=True)
class Trouble:
    """What is wrong with something that works in the background."""

    subject: str
    title: str
    title_zh: str
    explanation: str
    since: datetime | None = None


def state_of(row: JobRow, now: datetime) -> JobState:
    """How it stands."""
    if row.failures:
        return "failing"
    if now - row.due > max(LATE_AFTER, 3 * timedelta(seconds=row.period_s)):
        return "late"
    leased = row.leased_until is not None and row.leased_until > now
    return "running" if leased else "waiting"


def tell(services: Services, own: Collection[str]) -> bool:
    """Raise and clear what is so now; whether anything changed. ``own``: the jobs that this
    process runs as well."""
    now = services.now()
    with services.sessions() as session:
        rows = session.scalars(select(JobRow).order_by(JobRow.name)).all()
        stand = {str(row.detail["subject"]) for row in standing(session, KIND)}
    wrong: dict[str, tuple[JobRow, JobState]] = {}
    gone: list[str] = []
    for row in rows:
        foreign = row.name not in own
        machines = foreign and "@" in row.name
        if foreign and now - row.due > (timedelta(days=1) if machines else FORGOTTEN_AFTER):
            gone.append(row.name)
        state = state_of(row, now)
        # A machine that was taken away does its own no more, and nobody misses that.
        if state == "failing" or (state == "late" and not machines):
            wrong[row.name[:60]] = row, state
    troubles = {name: _of_job(*found) for name, found in wrong.items()}
    with services.sessions() as session:
        troubles |= {one.subject: one for one in (*_of_work(session, now), *_of_readings(session))}
        _measure(services, session)
    services.metrics.jobs_wrong.set(len(troubles))
    over = stand - troubles.keys()
    new = troubles.keys() - stand
    if not (new or over or gone):
        return False
    changed = False
    with writing(services.sessions) as session:
        for name in sorted(new):
            _raise(session, troubles[name], now)
            changed = True
        for name in sorted(over):
            changed |= clear_platform(session, KIND, name, now=now)
        session.execute(delete(JobRow).where(JobRow.name.in_(gone)))
    return changed


def _of_job(row: JobRow, state: JobState) -> Trouble:
    failed = state == "failing"
    return Trouble(
        row.name[:60],
        f"Background job {row.name} {'fails' if failed else 'is late'}",
        f"背景工作 {row.name} {'執行失敗' if failed else '逾時未執行'}",
        row.error or f"due since {row.due.isoformat(timespec='seconds')}",
        row.finished if failed else row.due,
    )


def _of_work(session: Session, now: datetime) -> Iterator[Trouble]:
    """Kinds of which a piece was given up, or that found no room lately."""
    given_up = select(WorkRow.kind, func.count(), func.max(WorkRow.error)).where(
        WorkRow.attempts >= ATTEMPTS,
        or_(WorkRow.leased_until.is_(None), WorkRow.leased_until < now),
    )
    for kind, count, error in session.execute(given_up.group_by(WorkRow.kind)):
        yield Trouble(
            f"work:{kind}"[:60],
            f"Heavy work {kind} fails: {count} given up",
            f"背景運算 {kind} 失敗：已放棄 {count} 件",
            error or "its process ended each time",
        )
    lately = select(WorkDropped).where(WorkDropped.last > now - TOLD_FOR)
    for row in session.scalars(lately):
        yield Trouble(
            f"dropped:{row.kind}"[:60],
            f"Heavy work {row.kind} is dropped: its queue is full",
            f"背景運算 {row.kind} 佇列已滿，部分工作被捨棄",
            f"{row.count} dropped since the first",
        )


def _of_readings(session: Session) -> Iterator[Trouble]:
    """Handlers that failed on readings of some device, and have not worked since."""
    failing = (
        select(ReadingState.handler, func.count(), func.max(ReadingState.error))
        .where(ReadingState.failures > 0)
        .group_by(ReadingState.handler)
    )
    for handler, count, error in session.execute(failing):
        yield Trouble(
            f"readings:{handler}"[:60],
            f"Readings are stored but not looked at by {handler}: {count} devices",
            f"{handler} 無法處理量測資料（已儲存）：{count} 個裝置",
            error or "",
        )


def _measure(services: Services, session: Session) -> None:
    metrics = services.metrics
    metrics.work_waiting.set(session.scalar(select(func.count()).select_from(WorkRow)) or 0)
    for row in session.scalars(select(WorkDropped)):
        metrics.work_dropped.labels(row.kind).set(row.count)


def _raise(session: Session, trouble: Trouble, now: datetime) -> None:
    raise_platform(
        session,
        KIND,
        trouble.subject,
        severity="major",
        title=trouble.title,
        title_zh=trouble.title_zh,
        now=now,
        since=trouble.since,
        detail={"explanation": trouble.explanation},
    )
