"""Gateways, devices and series over HTTP."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Query

from vigil_cloud.database.engine import writing
from vigil_cloud.devices import configurations, downlinks, removal, series, service
from vigil_cloud.devices.downlink_errors import UnknownGateway
from vigil_cloud.devices.maintenance import take_out
from vigil_cloud.devices.models import Gateway
from vigil_cloud.devices.schema import (
    CommandRequest,
    ConfigurationEntry,
    ConfigurationRequest,
    DeviceEntry,
    DeviceList,
    DeviceSettings,
    DownlinkEntry,
    DownlinkList,
    MaintenanceRequest,
    NewGateway,
    RevokedEntry,
    SeriesList,
    SeriesPoints,
    SettingsRequest,
    TokenEntry,
)
from vigil_cloud.identity.answered import OnceDependency
from vigil_cloud.identity.dependencies import CurrentAccount, ServicesDependency, require
from vigil_cloud.identity.errors import Forbidden
from vigil_cloud.identity.reader import Reader
from vigil_cloud.identity.roles import Role
from vigil_cloud.parameters import Truth, Whole
from vigil_cloud.period import before
from vigil_schemas.types import UtcDatetime

router = APIRouter()
DEFAULT_SPAN: Final = timedelta(hours=6)
Administrator = Annotated[Reader, Depends(require(Role.ADMINISTRATOR))]
Operator = Annotated[Reader, Depends(require(Role.ADMINISTRATOR, Role.MAINTAINER))]
DeviceName = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
GatewayName = Annotated[str, Path(pattern=r"^[a-z0-9][a-z0-9-]{1,62}$")]
Parameter = Annotated[str, Path(pattern=r"^[A-Za-z][A-Za-z0-9_.]{0,47}$")]


def operator_there(
    operator: Operator, services: ServicesDependency, gateway: GatewayName
) -> Reader:
    """Who keeps gateways running: those of their districts."""
    with services.sessions() as session:
        service.require_gateway(session, operator, gateway)
    return operator


def operator_of_device(
    operator: Operator, services: ServicesDependency, device: DeviceName
) -> Reader:
    """The same of one device."""
    with services.sessions() as session:
        service.require_device(session, operator, device)
    return operator


def operator_of_city(operator: Operator) -> Reader:
    """What is not there yet lies in no district."""
    if operator.districts:
        raise Forbidden("This needs an account that covers the whole city.")
    return operator


OfGateway = Annotated[Reader, Depends(operator_there)]
OfDevice = Annotated[Reader, Depends(operator_of_device)]


@router.get("/devices", tags=["devices"])
def list_devices(reader: CurrentAccount, services: ServicesDependency) -> DeviceList:
    """All devices whose domain shows them to the reader."""
    with services.sessions() as session:
        return DeviceList(devices=service.devices(session, reader))


@router.get("/devices/{device}", tags=["devices"])
def get_device(
    device: DeviceName, reader: CurrentAccount, services: ServicesDependency
) -> DeviceEntry:
    """One device."""
    with services.sessions() as session:
        return service.device(session, reader, device)


@router.post("/devices/{device}/release", tags=["devices"])
def post_release(
    device: DeviceName, administrator: Administrator, services: ServicesDependency
) -> DeviceEntry:
    """Take a device from its gateway; the next birth that describes it claims it."""
    with writing(services.sessions) as session:
        entry = service.release(session, device, administrator.username, services.now())
    services.changed.announce()
    return entry


@router.get("/devices/{device}/series", tags=["series"])
def list_series(
    device: DeviceName, reader: CurrentAccount, services: ServicesDependency
) -> SeriesList:
    """A device's parameters with their newest readings."""
    return SeriesList(series=series.series_of(services, reader, device))


@router.get("/devices/{device}/series/{parameter}", tags=["series"])
def get_series(  # noqa: PLR0913 - FastAPI: one argument for each parameter of the request
    device: DeviceName,
    parameter: Parameter,
    reader: CurrentAccount,
    services: ServicesDependency,
    start: Annotated[
        UtcDatetime | None, Query(description="default: six hours before stop")
    ] = None,
    stop: Annotated[UtcDatetime | None, Query(description="default: now")] = None,
    points: Annotated[Whole, Query(ge=2, le=10_000)] = 1000,
) -> SeriesPoints:
    """Readings in [start, stop); means of windows where there are more than `points`."""
    end = stop or services.now()
    begin = start or before(end, DEFAULT_SPAN)
    return series.points_of(services, reader, device, parameter, begin, end, points)


@router.delete("/devices/{device}", tags=["devices"], status_code=204)
def delete_device(device: DeviceName, operator: OfDevice, services: ServicesDependency) -> None:
    """Take a device off the list. Its readings and alerts stay as what happened."""
    with writing(services.sessions) as session:
        removal.remove_device(session, device, by=operator.username, now=services.now())
    services.changed.announce()


@router.post("/gateways/{gateway}/service", tags=["gateways"], status_code=204)
def post_gateway_service(
    gateway: GatewayName,
    body: MaintenanceRequest,
    operator: OfGateway,
    services: ServicesDependency,
) -> None:
    """Take a gateway out of service while it is worked on, or put it back: what is planned
    raises no platform alert."""
    with writing(services.sessions) as session:
        row = session.get(Gateway, gateway)
        if row is None:
            raise UnknownGateway(gateway)
        take_out(session, row, body.until, operator.username, services.now())
    services.changed.announce()


@router.post("/gateways", tags=["gateways"], status_code=201)
def post_gateway(
    body: NewGateway,
    operator: Annotated[Reader, Depends(operator_of_city)],
    once: OnceDependency,
) -> TokenEntry:
    """Let a new gateway in. 409 where it is there: `POST /gateways/{gateway}/token`."""
    now = once.services.now()
    with writing(once.services.sessions) as session:

        def add() -> TokenEntry:
            token = removal.add(session, body.gateway, by=operator.username, now=now)
            return TokenEntry(gateway=body.gateway, token=token)

        return once.answer(session, operator, body, TokenEntry, add)


@router.post("/gateways/{gateway}/token", tags=["gateways"], status_code=201)
def post_gateway_token(
    gateway: GatewayName, operator: OfGateway, once: OnceDependency
) -> TokenEntry:
    """Another token in place of the old one, which ends at once."""
    now = once.services.now()
    with writing(once.services.sessions) as session:

        def rotate() -> TokenEntry:
            token = removal.rotate_token(session, gateway, by=operator.username, now=now)
            return TokenEntry(gateway=gateway, token=token)

        return once.answer(session, operator, None, TokenEntry, rotate)


@router.delete("/gateways/{gateway}", tags=["gateways"])
def delete_gateway(
    gateway: GatewayName,
    operator: OfGateway,
    services: ServicesDependency,
    retire_devices: Annotated[Truth, Query(description="take its devices off the list")] = False,
) -> RevokedEntry:
    """Throw a gateway out: nothing it sends is taken any more, token and key are void, its
    devices are released or retired. `vigil-cloud gateway readmit` undoes it."""
    with writing(services.sessions) as session:
        devices = removal.revoke(
            session, gateway, by=operator.username, now=services.now(), retire=retire_devices
        )
    services.changed.announce()
    return RevokedEntry(gateway=gateway, devices=devices)


@router.get("/gateways/{gateway}/downlinks", tags=["gateways"])
def list_downlinks(
    gateway: GatewayName,
    _operator: OfGateway,
    services: ServicesDependency,
    limit: Annotated[Whole, Query(ge=1, le=200)] = 50,
) -> DownlinkList:
    """What was sent down, and what became of it."""
    with services.sessions() as session:
        return DownlinkList(downlinks=downlinks.downlinks(session, gateway, limit))


@router.post("/gateways/{gateway}/commands", tags=["gateways"], status_code=202)
def post_command(
    gateway: GatewayName, body: CommandRequest, operator: OfGateway, once: OnceDependency
) -> DownlinkEntry:
    """Have a gateway do something once; the answer appears among its downlinks."""
    services = once.services
    with writing(services.sessions) as session:
        if body.device is not None:
            service.require_device(session, operator, body.device)

        def send() -> DownlinkEntry:
            by, now = operator.username, services.now()
            return downlinks.send_command(session, gateway, body, by, now)

        sent = once.answer(session, operator, body, DownlinkEntry, send)
    services.changed.announce()
    return sent


@router.post("/gateways/{gateway}/configurations", tags=["gateways"], status_code=202)
def post_configuration(
    gateway: GatewayName,
    body: ConfigurationRequest,
    operator: OfGateway,
    once: OnceDependency,
) -> DownlinkEntry:
    """Change a gateway's remote settings; they are retained for when it connects."""
    services = once.services
    with writing(services.sessions) as session:
        added = configurations.added(session, gateway)
        for device in sorted({*body.paused_devices, *body.settings} - added):
            service.require_device(session, operator, device)

        def send() -> DownlinkEntry:
            by, now = operator.username, services.now()
            return configurations.send_configuration(session, gateway, body, by, now)

        sent = once.answer(session, operator, body, DownlinkEntry, send)
    services.changed.announce()
    return sent


@router.get("/gateways/{gateway}/configuration", tags=["gateways"])
def get_configuration(
    gateway: GatewayName, _operator: OfGateway, services: ServicesDependency
) -> ConfigurationEntry:
    """What is wanted of a gateway, and what it says is in force."""
    with services.sessions() as session:
        return configurations.configuration(session, gateway)


@router.get("/devices/{device}/settings", tags=["devices"])
def get_settings(
    device: DeviceName, operator: OfDevice, services: ServicesDependency
) -> DeviceSettings:
    """What may be changed of a device from here, and how far that has come."""
    with services.sessions() as session:
        return configurations.settings_of(session, service.device_row(session, operator, device))


@router.patch("/devices/{device}/settings", tags=["devices"], status_code=202)
def patch_settings(
    device: DeviceName, body: SettingsRequest, operator: OfDevice, once: OnceDependency
) -> DownlinkEntry:
    """Change thresholds, intervals, names or the position; the gateway says whether it takes it."""
    services = once.services
    with writing(services.sessions) as session:
        row = service.device_row(session, operator, device)

        def change() -> DownlinkEntry:
            by, now = operator.username, services.now()
            return configurations.change_settings(session, row, body, by, now)

        sent = once.answer(session, operator, body, DownlinkEntry, change)
    services.changed.announce()
    return sent


@router.post("/devices/{device}/commands", tags=["devices"], status_code=202)
def post_device_command(
    device: DeviceName, body: CommandRequest, operator: OfDevice, once: OnceDependency
) -> DownlinkEntry:
    """Ask a device for something, over its gateway; the answer appears among its downlinks."""
    services = once.services
    with writing(services.sessions) as session:
        row = service.device_row(session, operator, device)
        asked = body.model_copy(update={"device": device})

        def send() -> DownlinkEntry:
            by, now = operator.username, services.now()
            return downlinks.send_command(session, row.gateway, asked, by, now)

        sent = once.answer(session, operator, asked, DownlinkEntry, send)
    services.changed.announce()
    return sent
