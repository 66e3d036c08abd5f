"""Excursions over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from sqlalchemy import select

from vigil_cloud.alerts.occurrences import WantedOccurrences
from vigil_cloud.devices.routes import DeviceName
from vigil_cloud.devices.visibility import in_districts
from vigil_cloud.domain.rights import require_alerts_of
from vigil_cloud.identity.dependencies import ServicesDependency
from vigil_cloud.identity.reader import Reader
from vigil_cloud.parameters import Whole
from vigil_cloud.water.models import Excursion, ProbeHour
from vigil_cloud.water.schema import ExcursionEntry, ExcursionList, ProbeHourEntry, ProbeHours
from vigil_schemas.water import DOMAIN

router = APIRouter(prefix="/water", tags=["water"])


@router.get("/probes/{device}/hours", operation_id="list_probe_hours")
def list_probe_hours(
    device: DeviceName,
    reader: Annotated[Reader, Depends(require_alerts_of(DOMAIN))],
    services: ServicesDependency,
    most: Annotated[Whole, Query(ge=1, le=720)] = 48,
) -> ProbeHours:
    """How complete, good and lively a probe's readings were, hour by hour."""
    query = select(ProbeHour).where(
        ProbeHour.device == device, in_districts(reader, ProbeHour.device)
    )
    query = query.order_by(ProbeHour.hour.desc())
    with services.sessions() as session:
        rows = session.scalars(query.limit(most)).all()
    return ProbeHours(hours=[ProbeHourEntry.model_validate(row) for row in rows])


@router.get("/excursions", operation_id="list_excursions")
def list_excursions(
    reader: Annotated[Reader, Depends(require_alerts_of(DOMAIN))],
    services: ServicesDependency,
    wanted: WantedOccurrences,
) -> ExcursionList:
    """Excursions that began in ``[start, stop)``."""
    query = wanted.among(
        select(Excursion).where(in_districts(reader, Excursion.device)),
        device=Excursion.device,
        began=Excursion.started,
    )
    with services.sessions() as session:
        rows = session.scalars(query).all()
    return ExcursionList(excursions=[ExcursionEntry.model_validate(row) for row in rows])
