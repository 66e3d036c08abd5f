"""From the page to a reading: search, look, add, change, go back, by whoever keeps gateways."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from vigil_cloud.database.engine import writing
from vigil_cloud.devices import configurations, searches
from vigil_cloud.devices.commissioning_schema import (
    AddDeviceRequest,
    LookEntry,
    RevisionList,
    RevisionRequest,
    SearchEntry,
)
from vigil_cloud.devices.routes import DeviceName, GatewayName, OfGateway
from vigil_cloud.devices.schema import DownlinkEntry
from vigil_cloud.identity.answered import OnceDependency
from vigil_cloud.identity.dependencies import ServicesDependency
from vigil_cloud.parameters import Whole
from vigil_schemas.types import LARGEST_INTEGER

router = APIRouter(tags=["gateways"])
CommandName = Annotated[str, Path(pattern=r"^[A-Za-z0-9-]{8,64}$")]


@router.get("/gateways/{gateway}/search", operation_id="get_gateway_search")
def get_search(
    gateway: GatewayName, _operator: OfGateway, services: ServicesDependency
) -> SearchEntry:
    """The newest search (the command `discover`) and what it found so far."""
    with services.sessions() as session:
        return searches.newest(session, gateway)


@router.get("/gateways/{gateway}/looks/{command}", operation_id="get_gateway_look")
def get_look(
    gateway: GatewayName, command: CommandName, _operator: OfGateway, services: ServicesDependency
) -> LookEntry:
    """What a look (the command `look`) read, as raw values."""
    with services.sessions() as session:
        return searches.look(session, gateway, command)


@router.post("/gateways/{gateway}/devices", status_code=202, operation_id="add_found_device")
def post_device(
    gateway: GatewayName,
    body: AddDeviceRequest,
    operator: OfGateway,
    once: OnceDependency,
) -> DownlinkEntry:
    """Make a found device one of the gateway's; the gateway says whether it takes it."""
    services = once.services
    with writing(services.sessions) as session:

        def add() -> DownlinkEntry:
            by, now = operator.username, services.now()
            return configurations.add_device(session, gateway, body, by, now)

        sent = once.answer(session, operator, body, DownlinkEntry, add)
    services.changed.announce()
    return sent


@router.post(
    "/gateways/{gateway}/devices/{device}/removal",
    status_code=202,
    operation_id="remove_added_device",
)
def post_removal(
    gateway: GatewayName,
    device: DeviceName,
    body: RevisionRequest,
    operator: OfGateway,
    once: OnceDependency,
) -> DownlinkEntry:
    """Have the gateway read an added device no more. Its readings and alerts stay."""
    services = once.services
    with writing(services.sessions) as session:

        def remove() -> DownlinkEntry:
            by, now = operator.username, services.now()
            return configurations.remove_device(session, gateway, device, body.revision, by, now)

        sent = once.answer(session, operator, body, DownlinkEntry, remove)
    services.changed.announce()
    return sent


@router.get("/gateways/{gateway}/configurations", operation_id="list_gateway_configurations")
def list_configurations(
    gateway: GatewayName, _operator: OfGateway, services: ServicesDependency
) -> RevisionList:
    """The newest revisions: who wanted what otherwise, and what the gateway made of it."""
    with services.sessions() as session:
        return configurations.revisions(session, gateway)


@router.post(
    "/gateways/{gateway}/configurations/{revision}/restoration",
    status_code=202,
    operation_id="restore_gateway_configuration",
)
def post_restoration(
    gateway: GatewayName,
    revision: Annotated[Whole, Path(ge=0, le=LARGEST_INTEGER)],
    body: RevisionRequest,
    operator: OfGateway,
    once: OnceDependency,
) -> DownlinkEntry:
    """Want again what an older revision wanted (0: nothing otherwise than the file)."""
    services = once.services
    with writing(services.sessions) as session:

        def restore() -> DownlinkEntry:
            by, now = operator.username, services.now()
            return configurations.restore(session, gateway, revision, body.revision, by, now)

        sent = once.answer(session, operator, body, DownlinkEntry, restore)
    services.changed.announce()
    return sent
