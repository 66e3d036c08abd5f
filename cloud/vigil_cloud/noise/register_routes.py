"""The register and the figures over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query

from vigil_cloud.database.engine import writing
from vigil_cloud.identity.dependencies import ServicesDependency, require
from vigil_cloud.identity.errors import Forbidden
from vigil_cloud.identity.reader import Reader
from vigil_cloud.identity.roles import Role
from vigil_cloud.noise import register, statistics
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
    Entered,
    InstrumentBody,
    IntersectionBody,
    PlacementEntry,
    Register,
    RegisterBody,
    RoadEntry,
    RulesEntry,
)
from vigil_cloud.noise.statistics import NoiseStatistics

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
def add_to_noise_register(
    body: RegisterBody, keeper: Keeps, services: ServicesDependency
) -> Entered:
    """Record entries, all or none. What stands there already in the same words is left."""
    with writing(services.sessions) as session:
        count = register.enter(session, body, keeper.username, services.now())
    return Entered(entered=count)


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
