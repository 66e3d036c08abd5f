"""Background jobs over HTTP, for administrators."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from sqlalchemy import select

from vigil_cloud.identity.dependencies import ServicesDependency, require
from vigil_cloud.identity.reader import Reader
from vigil_cloud.identity.roles import Role
from vigil_cloud.jobs.models import JobRow
from vigil_cloud.jobs.schema import JobEntry, JobList
from vigil_cloud.jobs.supervision import state_of

router = APIRouter(prefix="/jobs", tags=["jobs"])


@router.get("", operation_id="list_jobs")
def list_jobs(
    _administrator: Annotated[Reader, Depends(require(Role.ADMINISTRATOR))],
    services: ServicesDependency,
) -> JobList:
    """What the platform does by itself, when it last did, and when it is due again."""
    now = services.now()
    with services.sessions() as session:
        rows = session.scalars(select(JobRow).order_by(JobRow.name)).all()
    return JobList(
        jobs=[
            JobEntry(
                name=row.name,
                state=state_of(row, now),
                period_s=row.period_s,
                due=row.due,
                holder=row.holder,
                leased_until=row.leased_until,
                started=row.started,
                finished=row.finished,
                succeeded=row.succeeded,
                runs=row.runs,
                failures=row.failures,
                error=row.error,
            )
            for row in rows
        ]
    )
