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
from vigil_cloud.water.incidents import rules_of
from vigil_cloud.water.models import AnomalyRow, DetectorState, Excursion, ProbeHour
from vigil_cloud.water.schema import (
    AnomalyEntry,
    AnomalyFlag,
    DetectionEntry,
    ExcursionEntry,
    ExcursionList,
    ProbeHourEntry,
    ProbeHours,
)
from vigil_schemas.senml import instant
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


@router.get("/probes/{device}/detection", operation_id="get_detection")
def get_detection(
    device: DeviceName,
    reader: Annotated[Reader, Depends(require_alerts_of(DOMAIN))],
    services: ServicesDependency,
    most: Annotated[Whole, Query(ge=1, le=500)] = 50,
) -> DetectionEntry:
    """How the detector of a probe stands, and what it found last."""
    query = select(AnomalyRow).where(
        AnomalyRow.device == device, in_districts(reader, AnomalyRow.device)
    )
    query = query.order_by(AnomalyRow.found.desc(), AnomalyRow.id)
    seen = select(DetectorState).where(
        DetectorState.device == device, in_districts(reader, DetectorState.device)
    )
    with services.sessions() as session:
        rows = session.scalars(query.limit(most)).all()
        state, rules = session.scalar(seen), rules_of(session)
    judged = state is not None and state.rows > 0
    learns_us = 0 if state is None else max(state.armed_us, state.anew_us)
    learns = state is not None and learns_us > state.until_us
    return DetectionEntry(
        followed=judged,
        until=instant(state.until_us) if state is not None and judged else None,
        interval_s=0.0 if state is None else state.interval_s,
        rows=0 if state is None else state.rows,
        score=0.0 if state is None else state.score,
        flags=[] if state is None else [AnomalyFlag.model_validate(one) for one in state.flags],
        false_per_week=rules.false_per_week,
        error=None if state is None else state.error,
        learns_until=instant(learns_us) if learns else None,
        late_waits=state is not None and state.late_from_us > 0,
        rejudged=None if state is None else state.rejudged_at,
        unjudged=instant(state.unjudged_us) if state is not None and state.unjudged_us else None,
        anomalies=[AnomalyEntry.model_validate(row) for row in rows],
    )


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
