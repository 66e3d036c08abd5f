"""Excursions over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict
from sqlalchemy import select

from vigil_cloud.alerts.visibility import ROLES
from vigil_cloud.identity.dependencies import ServicesDependency, require
from vigil_cloud.identity.reader import Reader
from vigil_cloud.water.models import Excursion
from vigil_schemas.types import DeviceId, Domain, UtcDatetime

router = APIRouter(prefix="/water", tags=["water"])


class ExcursionEntry(BaseModel):
    """One excursion; ``ended`` is null while it lasts."""

    model_config = ConfigDict(from_attributes=True)

    gateway: str
    device: str
    parameter: str
    unit: str | None
    kind: str
    limit: float
    onset_value: float | None
    extreme_value: float | None
    started: UtcDatetime
    ended: UtcDatetime | None
    alert_id: str


class ExcursionList(BaseModel):
    """Newest first."""

    excursions: list[ExcursionEntry]


@router.get("/excursions", operation_id="list_excursions")
def list_excursions(
    _reader: Annotated[Reader, Depends(require(*ROLES[Domain.WATER]))],
    services: ServicesDependency,
    device: DeviceId | None = None,
    start: UtcDatetime | None = None,
    stop: UtcDatetime | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> ExcursionList:
    """Excursions that began in ``[start, stop)``."""
    query = select(Excursion).order_by(Excursion.started.desc()).limit(limit)
    if device is not None:
        query = query.where(Excursion.device == device)
    if start is not None:
        query = query.where(Excursion.started >= start)
    if stop is not None:
        query = query.where(Excursion.started < stop)
    with services.sessions() as session:
        rows = list(session.scalars(query))
    return ExcursionList(excursions=[ExcursionEntry.model_validate(row) for row in rows])
