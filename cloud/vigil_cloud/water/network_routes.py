"""The register of waterways over HTTP, and what belongs to one incident on them."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.database.engine import writing
from vigil_cloud.domain.rights import require_alerts_of
from vigil_cloud.identity.dependencies import ServicesDependency, require
from vigil_cloud.identity.reader import Reader
from vigil_cloud.services import Services
from vigil_cloud.water import incidents, network_files, register
from vigil_cloud.water.incident_view import INSPECTS, Sight, area_entry, points, reach_entry
from vigil_cloud.water.models import IrrigationArea, Reach
from vigil_cloud.water.network_files import BadNetwork
from vigil_cloud.water.schema import (
    IncidentRulesBody,
    IncidentRulesEntry,
    NetworkImported,
    WaterNetwork,
)
from vigil_schemas.water import DOMAIN

router = APIRouter(prefix="/water", tags=["water"])
Watcher = Annotated[Reader, Depends(require_alerts_of(DOMAIN))]
Inspecting = Annotated[Reader, Depends(require(*sorted(INSPECTS)))]
Format = Literal["csv", "geojson"]
_MEDIA: Final = {"csv": "text/csv; charset=utf-8", "geojson": "application/geo+json"}
_LARGEST: Final = 8 * 1024 * 1024
_TEXT: Final = {"schema": {"type": "string"}}
_OBJECT: Final = {"schema": {"type": "object"}}


@router.get("/network", operation_id="get_water_network")
def get_water_network(reader: Watcher, services: ServicesDependency) -> WaterNetwork:
    """Reaches, stations, registered outfalls, gates and irrigation areas."""
    with services.sessions() as session:
        return WaterNetwork(
            reaches=[reach_entry(one) for one in session.scalars(select(Reach).order_by(Reach.id))],
            points=points(Sight(session, reader)),
            areas=[
                area_entry(one)
                for one in session.scalars(select(IrrigationArea).order_by(IrrigationArea.id))
            ],
        )


@router.get(
    "/network/export",
    operation_id="export_water_network",
    response_class=Response,
    responses={
        200: {
            "description": "The register",
            "content": {"text/csv": _TEXT, "application/geo+json": _OBJECT},
        }
    },
)
def export_water_network(
    _reader: Inspecting,
    services: ServicesDependency,
    format: Annotated[Format, Query()] = "geojson",
) -> Response:
    """The whole register as a file that can be imported again, owners included."""
    with services.sessions() as session:
        rows = list(register.shown(session, personal=True))
    is_csv = format == "csv"  # with a byte order mark: spreadsheets here take it for Big5 else
    text = network_files.to_csv(rows) if is_csv else network_files.to_geojson(rows)
    content = text.encode("utf-8-sig" if is_csv else "utf-8")
    name = f'attachment; filename="waterways.{format}"'
    return Response(content, media_type=_MEDIA[format], headers={"Content-Disposition": name})


@router.post(
    "/network/import",
    operation_id="import_water_network",
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"text/csv": _TEXT, "application/geo+json": _OBJECT},
        }
    },
)
async def import_water_network(
    request: Request,
    keeper: Inspecting,
    services: ServicesDependency,
    format: Annotated[Format, Query()] = "geojson",
) -> NetworkImported:
    """All of a file or nothing: what is known by its id is written anew, everything else stays."""
    received = bytearray()
    async for chunk in request.stream():
        received += chunk
        if len(received) > _LARGEST:
            raise BadNetwork([f"more than {_LARGEST} bytes"])
    return await run_in_threadpool(_import, services, keeper, bytes(received), format)


def _import(services: Services, keeper: Reader, received: bytes, format: Format) -> NetworkImported:
    found = network_files.read(received, format)
    with writing(services.sessions) as session:
        taken = register.put(session, found, keeper.username, services.now())
    return NetworkImported(
        reaches=taken.reaches, points=taken.points, areas=taken.areas, notes=taken.notes
    )


@router.get("/rules", operation_id="get_incident_rules")
def get_incident_rules(_reader: Inspecting, services: ServicesDependency) -> IncidentRulesEntry:
    """What belongs to one incident."""
    with services.sessions() as session:
        return _rules(session)


@router.put("/rules", operation_id="set_incident_rules")
def set_incident_rules(
    body: IncidentRulesBody, keeper: Inspecting, services: ServicesDependency
) -> IncidentRulesEntry:
    """Decide what belongs to one incident; it holds for what begins from now on. 409 where somebody
    else decided meanwhile."""
    with writing(services.sessions) as session:
        given = body.model_dump(exclude_none=True, exclude={"version"})
        now, by = services.now(), keeper.username
        incidents.set_rules(session, given, by, now, version=body.version)
        return _rules(session)


def _rules(session: Session) -> IncidentRulesEntry:
    rules = incidents.rules_of(session)
    return IncidentRulesEntry(**incidents.in_numbers(rules), version=incidents.version_of(rules))
