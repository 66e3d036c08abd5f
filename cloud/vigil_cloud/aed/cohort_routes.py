"""Cohorts of volunteers over HTTP, for administrators."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Path

from vigil_cloud.aed import cohorts, volunteers
from vigil_cloud.aed.cohort_schema import (
    CertifiedCohort,
    CohortBody,
    CohortEntry,
    CohortId,
    CohortList,
    JoinBody,
)
from vigil_cloud.aed.cohorts import CohortFields
from vigil_cloud.aed.hours import opener, readable
from vigil_cloud.aed.models import AedCohort
from vigil_cloud.aed.schema import CertificateBody, NamedVolunteer
from vigil_cloud.aed.volunteer_routes import named
from vigil_cloud.database.engine import writing
from vigil_cloud.identity.dependencies import ServicesDependency, require
from vigil_cloud.identity.reader import Reader
from vigil_cloud.identity.roles import Role
from vigil_cloud.services import Services

router = APIRouter(prefix="/aed", tags=["aed"])
Administrator = Annotated[Reader, Depends(require(Role.ADMINISTRATOR))]


def _entry(row: AedCohort, members: int, services: Services) -> CohortEntry:
    return CohortEntry(
        id=row.id,
        name=row.name,
        name_zh=row.name_zh,
        kind=next(kind for kind in cohorts.KINDS if kind == row.kind),
        hours=row.hours,
        speed_mps=row.speed_mps,
        members=members,
        open_now=readable(row.hours) and opener(row.hours)(services.now()),
    )


@router.get("/cohorts", operation_id="list_aed_cohorts")
def list_cohorts(_reader: Administrator, services: ServicesDependency) -> CohortList:
    """All of them, each with how many volunteers it has."""
    with services.sessions() as session:
        found = [_entry(row, members, services) for row, members in cohorts.listed(session)]
    return CohortList(cohorts=found)


@router.put("/cohorts/{cohort}", operation_id="put_aed_cohort")
def put_cohort(
    cohort: CohortId, body: CohortBody, reader: Administrator, services: ServicesDependency
) -> CohortList:
    """Add one, or write it anew."""
    fields = CohortFields(**body.model_dump())
    with writing(services.sessions) as session:
        cohorts.put(session, cohort, fields, reader.username, services.now())
        found = [_entry(row, members, services) for row, members in cohorts.listed(session)]
    return CohortList(cohorts=found)


@router.delete("/cohorts/{cohort}", status_code=204, operation_id="remove_aed_cohort")
def remove_cohort(cohort: CohortId, reader: Administrator, services: ServicesDependency) -> None:
    """409 while it has members: without it they would be called at all hours."""
    with writing(services.sessions) as session:
        cohorts.remove(session, cohort, reader.username, services.now())


@router.put("/cohorts/{cohort}/certificate", operation_id="certify_aed_cohort")
def certify_cohort(
    cohort: CohortId, body: CertificateBody, reader: Administrator, services: ServicesDependency
) -> CertifiedCohort:
    """The last day of the certificates of all who were trained together, by somebody who has seen
    them."""
    with writing(services.sessions) as session:
        members = cohorts.certify(session, cohort, body.until, reader.username, services.now())
    return CertifiedCohort(members=members)


@router.put("/volunteers/{username}/cohort", operation_id="put_aed_volunteer_cohort")
def join_cohort(
    username: Annotated[str, Path(max_length=64)],
    body: JoinBody,
    reader: Administrator,
    services: ServicesDependency,
) -> NamedVolunteer:
    """Of which cohort the volunteer is."""
    with writing(services.sessions) as session:
        row = cohorts.join(session, username, body.cohort, reader.username, services.now())
        return named(session, volunteers.account_of(session, row), row, services)
