"""Alarm conditions over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict
from sqlalchemy import func, select

from vigil_cloud.alerts.visibility import ROLES
from vigil_cloud.identity.dependencies import ServicesDependency, require
from vigil_cloud.identity.reader import Reader
from vigil_cloud.smoke.models import AlarmCondition
from vigil_schemas.types import DeviceId, Domain, UtcDatetime

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
    _reader: Annotated[Reader, Depends(require(*ROLES[Domain.SMOKE]))],
    services: ServicesDependency,
    device: DeviceId | None = None,
    active: bool | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> ConditionList:
    """What alarms reported."""
    moment = func.coalesce(AlarmCondition.activated, AlarmCondition.cleared)
    query = select(AlarmCondition).order_by(moment.desc()).limit(limit)
    if device is not None:
        query = query.where(AlarmCondition.device == device)
    if active is not None:
        lasting = AlarmCondition.cleared.is_(None)
        query = query.where(lasting if active else ~lasting)
    with services.sessions() as session:
        rows = list(session.scalars(query))
    return ConditionList(conditions=[ConditionEntry.model_validate(row) for row in rows])
