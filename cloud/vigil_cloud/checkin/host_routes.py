"""Stations over HTTP: for their hosts, and for whoever gives those their links."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Request, Response
from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.checkin import hosts
from vigil_cloud.checkin.host_schema import HostedStation, HostedStations
from vigil_cloud.checkin.models import StationHost
from vigil_cloud.database.engine import writing
from vigil_cloud.devices.models import Device
from vigil_cloud.devices.service import require_device
from vigil_cloud.devices.visibility import visible_devices
from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.identity.dependencies import ServicesDependency, require
from vigil_cloud.identity.reader import Reader
from vigil_cloud.identity.roles import Role
from vigil_cloud.qr_code import address_of, drawn
from vigil_cloud.services import Services
from vigil_schemas.checkin import DOMAIN
from vigil_schemas.types import DeviceId

router = APIRouter(prefix="/stations", tags=["stations"])
_KEEPERS = (Role.MAINTAINER, Role.ADMINISTRATOR)
Keeper = Annotated[Reader, Depends(require(*_KEEPERS))]
Host = Annotated[Reader, Depends(require(Role.HOST, *_KEEPERS))]
StationId = Annotated[DeviceId, Path()]


@router.get("", operation_id="list_stations")
def list_stations(reader: Host, request: Request, services: ServicesDependency) -> HostedStations:
    """One's own stations, or those of one's districts, and whether they work."""
    with services.sessions() as session:
        mine = select(Device.device).where(Device.domain == DOMAIN, visible_devices(reader))
        devices = list(session.scalars(mine))
        return _list(session, services, request, devices, links=reader.has(*_KEEPERS))


@router.post("/{device}/links", operation_id="make_station_links")
def make_station_links(
    device: StationId, keeper: Keeper, request: Request, services: ServicesDependency
) -> HostedStation:
    """The code that hangs at the station, and its host's own link. Idempotent."""
    cipher, now = Cipher(services.settings.secret), services.now()
    with writing(services.sessions) as session:
        require_device(session, keeper, device)
        hosts.status(session, device, now, _offline_after(services))
        hosts.make_links(session, cipher, device, by=keeper.username, now=now)
        return _list(session, services, request, [device], links=True).stations[0]


@router.delete("/{device}/links", status_code=204, operation_id="withdraw_station_links")
def withdraw_station_links(device: StationId, keeper: Keeper, services: ServicesDependency) -> None:
    """Both links show nothing any more, and its host is told nothing any more. Idempotent."""
    with writing(services.sessions) as session:
        require_device(session, keeper, device)
        hosts.withdraw_links(session, device, by=keeper.username, now=services.now())


@router.get(
    "/{device}/{link}.svg",
    operation_id="get_station_code",
    response_class=Response,
    responses={200: {"description": "The QR code", "content": {"image/svg+xml": {}}}},
)
def get_station_code(
    device: StationId,
    link: Annotated[Literal["status", "host"], Path()],
    keeper: Keeper,
    request: Request,
    services: ServicesDependency,
) -> Response:
    """One of the two links as a QR code, to be printed."""
    cipher = Cipher(services.settings.secret)
    with services.sessions() as session:
        require_device(session, keeper, device)
        row = session.get(StationHost, device)
        path = None if row is None else hosts.path_of(cipher, row, link)
    if path is None:
        raise hosts.StationLinkUnknown
    return drawn(address_of(services.settings, request) + path)


def _list(
    session: Session, services: Services, request: Request, devices: list[str], *, links: bool
) -> HostedStations:
    cipher, base = Cipher(services.settings.secret), address_of(services.settings, request)
    found = hosts.statuses(session, services.now(), _offline_after(services), devices)
    rows = {row.device: row for row in session.scalars(select(StationHost))} if links else {}
    told = hosts.told(session)

    def link_of(device: str, link: hosts.Link) -> str | None:
        row = rows.get(device)
        path = None if row is None else hosts.path_of(cipher, row, link)
        return None if path is None else base + path

    return HostedStations(
        help=services.settings.station_help,
        stations=[
            HostedStation(
                device=one.device,
                name=one.name,
                name_zh=one.name_zh,
                works=one.works,
                reason=one.reason,
                since=one.since,
                last_heard=one.last_heard,
                out_of_service=one.aside,
                told=one.device in told,
                status_link=link_of(one.device, "status"),
                host_link=link_of(one.device, "host"),
            )
            for one in found
        ],
    )


def _offline_after(services: Services) -> timedelta:
    return timedelta(seconds=services.settings.offline_after_s)
