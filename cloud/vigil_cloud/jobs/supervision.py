"""Jobs that fail or are late, told as alerts of the platform that end by themselves.

Every process looks, whichever ought to run the job: where none does any more, the others tell.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final, Literal

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from vigil_cloud.alerts.platform import clear_platform, raise_platform, standing
from vigil_cloud.database.engine import writing
from vigil_cloud.jobs.models import JobRow
from vigil_cloud.services import Services

KIND: Final = "job-failing"
LATE_AFTER: Final = timedelta(minutes=2)
"""Or three periods, whichever is longer: so late a job is not done by anybody."""
FORGOTTEN_AFTER: Final = timedelta(days=30)
"""A job of an older release that nobody hands in any more. Of a machine that is gone: a day."""
JobState = Literal["waiting", "running", "failing", "late"]


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
    services.metrics.jobs_wrong.set(len(wrong))
    over = stand - wrong.keys()
    new = wrong.keys() - stand
    if not (new or over or gone):
        return False
    changed = False
    with writing(services.sessions) as session:
        for name in sorted(new):
            _raise(session, *wrong[name], now)
            changed = True
        for name in sorted(over):
            changed |= clear_platform(session, KIND, name, now=now)
        session.execute(delete(JobRow).where(JobRow.name.in_(gone)))
    return changed


def _raise(session: Session, row: JobRow, state: JobState, now: datetime) -> None:
    failed = state == "failing"
    raise_platform(
        session,
        KIND,
        row.name[:60],
        severity="major",
        title=f"Background job {row.name} {'fails' if failed else 'is late'}",
        title_zh=f"背景工作 {row.name} {'執行失敗' if failed else '逾時未執行'}",
        now=now,
        since=row.finished if failed else row.due,
        detail={
            "state": state,
            "explanation": row.error or f"due since {row.due.isoformat(timespec='seconds')}",
            "holder": row.holder,
        },
    )
