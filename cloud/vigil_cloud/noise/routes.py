"""Exceedances over HTTP."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.alerts.occurrences import WantedOccurrences
from vigil_cloud.devices.visibility import in_districts
from vigil_cloud.domain.rights import require_alerts_of
from vigil_cloud.evidence.models import EvidenceRow
from vigil_cloud.identity.dependencies import ServicesDependency
from vigil_cloud.identity.reader import Reader
from vigil_cloud.noise.findings import Findings
from vigil_cloud.noise.models import Exceedance
from vigil_cloud.parameters import Truth
from vigil_schemas.evidence import CameraRole
from vigil_schemas.noise import DOMAIN
from vigil_schemas.types import UtcDatetime

router = APIRouter(prefix="/noise", tags=["noise"])


class Film(BaseModel):
    """A camera's, in a package."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    name: str
    camera: CameraRole | None
    """Which of two cameras; null where the place has one."""


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
    films: list[Film] = Field(default_factory=list)
    """In its package, the overview's first; empty while it has not come."""


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
        films = _films(session, found)
    return ExceedanceList(
        exceedances=[
            ExceedanceEntry.model_validate(row).model_copy(update={"films": films.get(row.id, [])})
            for row in found
        ]
    )


def _films(session: Session, rows: Sequence[Exceedance]) -> dict[str, list[Film]]:
    """By id, as the manifests that have come list them."""
    digests = {row.evidence_sha256 for row in rows if row.evidence_sha256 is not None}
    if not digests:
        return {}
    query = select(EvidenceRow).where(EvidenceRow.sha256.in_(digests))
    stored = {(each.gateway, each.sha256): each for each in session.scalars(query)}
    found = {}
    for row in rows:
        package = stored.get((row.gateway, row.evidence_sha256 or ""))
        if package is None:
            continue
        films = [
            Film(name=file["name"], camera=file.get("camera"))
            for file in package.manifest["files"]
            if file["role"] == "video"
        ]
        found[row.id] = sorted(films, key=lambda film: film.camera == "plate")
    return found
