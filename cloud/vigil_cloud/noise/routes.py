"""Exceedances over HTTP."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict
from sqlalchemy import select

from vigil_cloud.alerts.occurrences import WantedOccurrences
from vigil_cloud.devices.visibility import in_districts
from vigil_cloud.domain.rights import require_alerts_of
from vigil_cloud.identity.dependencies import ServicesDependency
from vigil_cloud.identity.reader import Reader
from vigil_cloud.noise.findings import Findings
from vigil_cloud.noise.models import Exceedance
from vigil_cloud.parameters import Truth
from vigil_schemas.noise import DOMAIN
from vigil_schemas.types import UtcDatetime

router = APIRouter(prefix="/noise", tags=["noise"])


class ExceedanceEntry(BaseModel):
    """One passage; levels in dB re 20 µPa."""

    model_config = ConfigDict(from_attributes=True, use_attribute_docstrings=True)

    id: str
    gateway: str
    device: str
    started: UtcDatetime
    ended: UtcDatetime
    threshold_db: float
    LAFmax: float
    LAE: float
    background_db: float | None
    overload: bool
    calibrated: bool
    time_quality: Literal["ahead", "behind"] | None
    """The device's clock could not be believed: no fine may rest on this."""
    evidence_sha256: str | None
    decision: Literal["exceedance", "borderline", "not-valid"] | None
    """By its gateway, with the uncertainty of measurement; null where it judges nothing."""
    vetoed: bool | None
    """Surely no vehicle's sound; null where no classifier looked at it."""
    findings: Findings | None
    alert_id: str | None
    """Null of what founds no case: borderline, not valid or vetoed."""
    overruled_by: str | None
    """Who made a case of it though it was vetoed."""


class ExceedanceList(BaseModel):
    """Newest first."""

    exceedances: list[ExceedanceEntry]


@router.get("/exceedances", operation_id="list_exceedances")
def list_exceedances(
    reader: Annotated[Reader, Depends(require_alerts_of(DOMAIN))],
    services: ServicesDependency,
    wanted: WantedOccurrences,
    without_alert: Annotated[
        Truth, Query(description="only what founds no case: borderline, not valid or vetoed")
    ] = False,
    vetoed: Annotated[
        Truth, Query(description="only what the classifier took for no vehicle")
    ] = False,
) -> ExceedanceList:
    """Passages that began in ``[start, stop)``."""
    rows = select(Exceedance).where(in_districts(reader, Exceedance.device))
    if without_alert:
        rows = rows.where(Exceedance.alert_id.is_(None))
    if vetoed:
        rows = rows.where(Exceedance.vetoed.is_(True))
    query = wanted.among(
        rows,
        device=Exceedance.device,
        began=Exceedance.started,
    )
    with services.sessions() as session:
        found = session.scalars(query).all()
    return ExceedanceList(exceedances=[ExceedanceEntry.model_validate(row) for row in found])
