"""Incidents over HTTP: what belongs together, the gates below, what is brought from the site."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import StreamingResponse

from vigil_cloud.cases.models import CaseRow
from vigil_cloud.cases.routes import BenchDependency, CaseId, asked
from vigil_cloud.cases.schema import Case
from vigil_cloud.cases.service import Desk
from vigil_cloud.cases.written import WrittenDependency
from vigil_cloud.database.engine import writing
from vigil_cloud.domain.rights import require_alerts_of
from vigil_cloud.identity.dependencies import ServicesDependency, require
from vigil_cloud.identity.districts import lying_in
from vigil_cloud.identity.reader import Reader
from vigil_cloud.water import gates, incident_csv, site
from vigil_cloud.water.incident_view import INSPECTS, Sight, find, show
from vigil_cloud.water.schema import (
    GateOrderBody,
    GateReleaseBody,
    IncidentEntry,
    SiteEntryBody,
)
from vigil_schemas.water import DOMAIN

router = APIRouter(prefix="/water", tags=["water"])
Watcher = Annotated[Reader, Depends(require_alerts_of(DOMAIN))]
Inspecting = Annotated[Reader, Depends(require(*sorted(INSPECTS)))]
IncidentId = Annotated[str, Path(pattern=r"^[0-9a-f-]{36}$")]


@router.get("/incidents/{incident}", operation_id="get_water_incident")
def get_water_incident(
    incident: IncidentId, reader: Watcher, services: ServicesDependency
) -> IncidentEntry:
    """One incident: excursions, probes, registered outfalls upstream, gates downstream."""
    with services.sessions() as session:
        sight = Sight(session, reader)
        return show(sight, *find(sight, incident))


@router.get(
    "/incidents/{incident}/readings",
    operation_id="export_incident_readings",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "Readings around the incident",
            "content": {"text/csv": {"schema": {"type": "string"}}},
        }
    },
)
def export_incident_readings(
    incident: IncidentId, reader: Watcher, services: ServicesDependency
) -> StreamingResponse:
    """All parameters of the incident's probes around its time, as CSV."""
    with services.sessions() as session:
        rows = incident_csv.lines(services, Sight(session, reader), incident)
    name = f'attachment; filename="incident-{incident[:8]}.csv"'
    return StreamingResponse(
        rows, media_type="text/csv; charset=utf-8", headers={"Content-Disposition": name}
    )


@router.post("/incidents/{incident}/gates/close", operation_id="ask_gate_closed")
def ask_gate_closed(
    incident: IncidentId, body: GateOrderBody, reader: Inspecting, services: ServicesDependency
) -> IncidentEntry:
    """Tell the irrigation association which gate to close. Idempotent."""
    now = services.now()
    with writing(services.sessions) as session:
        sight = Sight(session, reader)
        row, alert = find(sight, incident)
        gate = next((one for one in show(sight, row, alert).gates if one.id == body.gate), None)
        if gate is None:
            raise gates.GateUnknown(f"The water of this incident comes by no gate {body.gate!r}.")
        gates.ask_to_close(
            session,
            row.id,
            gates.Gate(
                gate.id,
                gate.name,
                gate.name_zh,
                gate.latitude,
                gate.longitude,
                gate.area,
                gate.area_zh,
            ),
            arrival=gate.arrival,
            # Where the gate lies, not where the probe does: its own association closes it.
            district=lying_in(session, gate.latitude, gate.longitude, alert.district),
            by=reader.username,
            now=now,
        )
        shown = show(sight, row, alert)
    services.changed.announce()
    return shown


@router.post("/incidents/{incident}/gates/open", operation_id="release_gate")
def release_gate(
    incident: IncidentId, body: GateReleaseBody, reader: Inspecting, services: ServicesDependency
) -> IncidentEntry:
    """Tell the association that a gate may open, now or from a time on. Idempotent."""
    now = services.now()
    with writing(services.sessions) as session:
        sight = Sight(session, reader)
        row, alert = find(sight, incident)
        at = body.at or now
        if at > now + timedelta(days=30):
            raise gates.BadGateTime("A gate may open within 30 days.")
        gates.may_open(session, row.id, body.gate, at=max(at, now), by=reader.username, now=now)
        shown = show(sight, row, alert)
    services.changed.announce()
    return shown


@router.post("/cases/{case_id}/entries", operation_id="add_site_entry")
def add_site_entry(
    case_id: CaseId,
    body: SiteEntryBody,
    request: Request,
    bench: BenchDependency,
    written: WrittenDependency,
) -> Case:
    """A visit, a sample, a laboratory result or a suspect. Possible in every state of the case:
    a phone without a network sends it later, with an ``Idempotency-Key``."""
    entry = site.SiteEntry(**body.model_dump())

    def act(desk: Desk) -> CaseRow:
        return site.add(desk, case_id, entry, written)

    return bench.change(asked(request, body), act)
