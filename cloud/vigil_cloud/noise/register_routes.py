"""The register and the figures over HTTP."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from fastapi import APIRouter, Depends, Query, Response

from vigil_cloud.database.engine import writing
from vigil_cloud.identity.answered import OnceDependency
from vigil_cloud.identity.dependencies import ServicesDependency, require
from vigil_cloud.identity.errors import Forbidden
from vigil_cloud.identity.reader import Reader
from vigil_cloud.identity.roles import Role
from vigil_cloud.noise import recording, register, site_statistics, statistics
from vigil_cloud.noise.models import (
    Certificate,
    Instrument,
    Intersection,
    Placement,
    Road,
    RuleSet,
)
from vigil_cloud.noise.register_schema import (
    CertificateEntry,
    CivilDay,
    ComplaintEntry,
    ComplaintList,
    Entered,
    InstrumentBody,
    IntersectionBody,
    IntersectionId,
    PlacementEntry,
    Register,
    RegisterBody,
    RoadEntry,
    RulesEntry,
    VersionEntry,
    VersionKind,
    VersionList,
)
from vigil_cloud.noise.site_figures import SiteStatistics, hours_table, sites_table
from vigil_cloud.noise.statistics import NoiseStatistics
from vigil_cloud.parameters import Whole

router = APIRouter(prefix="/noise", tags=["noise"])
_READS = (Role.INSPECTOR, Role.REVIEWER, Role.MAINTAINER, Role.ADMINISTRATOR)
Reads = Annotated[Reader, Depends(require(*_READS))]
_KEEPS = (Role.INSPECTOR, Role.MAINTAINER, Role.ADMINISTRATOR)


def _keeper(reader: Annotated[Reader, Depends(require(*_KEEPS))]) -> Reader:
    """Whoever judges a measurement does not write what it is judged by, whatever else they are."""
    if reader.has(Role.REVIEWER):
        raise Forbidden("A reviewer does not write what measurements are judged by.", roles=_KEEPS)
    return reader


Keeps = Annotated[Reader, Depends(_keeper)]


@router.get("/register", operation_id="get_noise_register")
def get_noise_register(_reader: Reads, services: ServicesDependency) -> Register:
    """Intersections, instruments, certificates, limits and rules, with who entered them."""
    with services.sessions() as session:
        return Register(
            intersections=[
                IntersectionBody.model_validate(one, from_attributes=True)
                for one in register.everything(session, Intersection)
            ],
            instruments=[
                InstrumentBody.model_validate(one, from_attributes=True)
                for one in register.everything(session, Instrument)
            ],
            roads=[RoadEntry.model_validate(one) for one in register.everything(session, Road)],
            certificates=[
                CertificateEntry.model_validate(one)
                for one in register.everything(session, Certificate)
            ],
            placements=[
                PlacementEntry.model_validate(one)
                for one in register.everything(session, Placement)
            ],
            rules=[RulesEntry.model_validate(one) for one in register.everything(session, RuleSet)],
        )


@router.post("/register", operation_id="add_to_noise_register")
def add_to_noise_register(body: RegisterBody, keeper: Keeps, once: OnceDependency) -> Entered:
    """Record entries, all or none. What stands there already in the same words is left; what is
    withdrawn or retired stays to be seen."""
    now = once.services.now()
    with writing(once.services.sessions) as session:

        def enter() -> Entered:
            return Entered(entered=recording.enter(session, body, keeper.username, now))

        return once.answer(session, keeper, body, Entered, enter)


@router.get("/register/versions", operation_id="list_noise_register_versions")
def list_noise_register_versions(
    _reader: Reads,
    services: ServicesDependency,
    kind: VersionKind,
    key: Annotated[str, Query(min_length=1, max_length=64)],
) -> VersionList:
    """How an intersection, an instrument or a complaint was entered and corrected, and by whom."""
    with services.sessions() as session:
        found = recording.versions(session, kind, key)
        return VersionList(versions=[VersionEntry.model_validate(one) for one in found])


@router.get("/complaints", operation_id="list_noise_complaints")
def list_noise_complaints(
    _reader: Reads,
    services: ServicesDependency,
    intersection: Annotated[IntersectionId | None, Query()] = None,
    limit: Annotated[Whole, Query(ge=1, le=500)] = 50,
) -> ComplaintList:
    """Complaints of noise at the city's intersections; nobody's name is kept."""
    with services.sessions() as session:
        found = recording.complaints(session, intersection, limit + 1)
        listed = [ComplaintEntry.model_validate(one) for one in found[:limit]]
    return ComplaintList(complaints=listed, more=len(found) > limit)


@router.get("/statistics", operation_id="get_noise_statistics")
def get_noise_statistics(
    reader: Reads,
    services: ServicesDependency,
    start: Annotated[CivilDay | None, Query(description="the first day")] = None,
    stop: Annotated[CivilDay | None, Query(description="the day after the last")] = None,
) -> NoiseStatistics:
    """Days from exceedance to decision, the share that can be acted upon, complaints before and
    after. Of the reader's districts; nothing of what is not decided yet but how many there are."""
    with services.sessions() as session:
        return statistics.figures(session, services.now(), start, stop, reader.districts)


@router.get("/statistics/sites", operation_id="get_noise_site_statistics")
def get_noise_site_statistics(
    reader: Reads,
    services: ServicesDependency,
    start: Annotated[CivilDay | None, Query(description="the first day")] = None,
    stop: Annotated[CivilDay | None, Query(description="the day after the last")] = None,
) -> SiteStatistics:
    """The same by intersection and by hour of the day, and what has changed since the sign stands:
    levels, loud passages, complaints."""
    with services.sessions() as session:
        return site_statistics.figures(session, services.now(), start, stop, reader.districts)


_CSV: Final = {"schema": {"type": "string"}}


@router.get(
    "/statistics/export",
    operation_id="export_noise_statistics",
    response_class=Response,
    responses={200: {"description": "One table", "content": {"text/csv": _CSV}}},
)
def export_noise_statistics(
    reader: Reads,
    services: ServicesDependency,
    what: Annotated[Literal["sites", "hours"], Query()] = "sites",
    start: Annotated[CivilDay | None, Query(description="the first day")] = None,
    stop: Annotated[CivilDay | None, Query(description="the day after the last")] = None,
) -> Response:
    """Figures by site, or by site and hour, as CSV that spreadsheets open (UTF-8 with a byte order
    mark). Nothing of it is personal."""
    with services.sessions() as session:
        found = site_statistics.figures(session, services.now(), start, stop, reader.districts)
    text = sites_table(found) if what == "sites" else hours_table(found)
    named = {"Content-Disposition": f'attachment; filename="noise-{what}.csv"'}
    return Response(text.encode("utf-8-sig"), media_type="text/csv; charset=utf-8", headers=named)
