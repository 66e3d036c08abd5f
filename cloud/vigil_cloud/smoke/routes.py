"""Alarm conditions over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict
from sqlalchemy import func, select

from vigil_cloud.alerts.occurrences import WantedOccurrences
from vigil_cloud.devices.visibility import in_districts
from vigil_cloud.domain.rights import require_alerts_of
from vigil_cloud.identity.dependencies import ServicesDependency
from vigil_cloud.identity.reader import Reader
from vigil_cloud.parameters import Truth
from vigil_cloud.smoke.models import AlarmCondition
from vigil_schemas.smoke import DOMAIN
from vigil_schemas.types import UtcDatetime

router = APIRouter(prefix="/smoke", tags=["smoke"])


class ConditionEntry(BaseModel):
    """One condition of one alarm; ``cleared`` is null while it lasts."""

    model_config = ConfigDict(from_attributes=True)

    gateway: str
    device: str
    condition: str
    activated: UtcDatetime | None
    cleared: UtcDatetime | None
    battery_percent: float | None
    alert_id: str


class ConditionList(BaseModel):
    """Newest first."""

    conditions: list[ConditionEntry]


@router.get("/conditions", operation_id="list_smoke_conditions")
def list_conditions(
    reader: Annotated[Reader, Depends(require_alerts_of(DOMAIN))],
    services: ServicesDependency,
    wanted: WantedOccurrences,
    active: Truth | None = None,
) -> ConditionList:
    """What alarms reported; of a condition whose beginning has not arrived the end counts."""
    began = func.coalesce(AlarmCondition.activated, AlarmCondition.cleared)
    query = wanted.among(
        select(AlarmCondition).where(in_districts(reader, AlarmCondition.device)),
        device=AlarmCondition.device,
        began=began,
    )
    if active is not None:
        lasting = AlarmCondition.cleared.is_(None)
        query = query.where(lasting if active else ~lasting)
    with services.sessions() as session:
        rows = session.scalars(query).all()
    return ConditionList(conditions=[ConditionEntry.model_validate(row) for row in rows])
