"""Excursions over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict
from sqlalchemy import select

from vigil_cloud.alerts.occurrences import WantedOccurrences
from vigil_cloud.alerts.visibility import ROLES
from vigil_cloud.identity.dependencies import ServicesDependency, require
from vigil_cloud.identity.reader import Reader
from vigil_cloud.water.models import Excursion
from vigil_schemas.types import UtcDatetime
from vigil_schemas.water import DOMAIN

router = APIRouter(prefix="/water", tags=["water"])


class ExcursionEntry(BaseModel):
    """One excursion; ``ended`` is null while it lasts."""

    model_config = ConfigDict(from_attributes=True)

    gateway: str
    device: str
    parameter: str
    unit: str | None
    kind: str
    limit: float | None
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
    _reader: Annotated[Reader, Depends(require(*ROLES[DOMAIN]))],
    services: ServicesDependency,
    wanted: WantedOccurrences,
) -> ExcursionList:
    """Excursions that began in ``[start, stop)``."""
    query = wanted.among(select(Excursion), device=Excursion.device, began=Excursion.started)
    with services.sessions() as session:
        rows = session.scalars(query).all()
    return ExcursionList(excursions=[ExcursionEntry.model_validate(row) for row in rows])
