"""What is shown of devices, and how one is taken from its gateway. Knows no HTTP."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar, cast

from sqlalchemy import ColumnElement, select, true
from sqlalchemy.orm import Session

from vigil_cloud.api_errors import ApiError
from vigil_cloud.devices.downlink_errors import UnknownGateway
from vigil_cloud.devices.downlinks import send_command
from vigil_cloud.devices.models import Device, Gateway
from vigil_cloud.devices.schema import (
    CommandRequest,
    DeviceEntry,
    DeviceState,
    ShelfEntry,
)
from vigil_cloud.devices.visibility import visible_devices
from vigil_cloud.domain.rights import may
from vigil_cloud.identity import audit, districts
from vigil_cloud.identity.reader import Reader
from vigil_cloud.identity.rights import Operation, Subject


class UnknownDevice(ApiError):
    """No such device, or none that this account may see."""

    code: ClassVar[str] = "unknown-device"
    remedy: ClassVar[str] = "Check the device's name and the role that you are signed in with."
    status: ClassVar[int] = 404

    def __init__(self, device: str) -> None:
        super().__init__(f"There is no device {device!r} for this account.")
        self.device = device


def devices(session: Session, reader: Reader) -> list[DeviceEntry]:
    """Every device that the reader may see, by name."""
    return _entries(session, visible_devices(reader))


def all_devices(session: Session) -> list[DeviceEntry]:
    """Every device, by name."""
    return _entries(session, true())


def _entries(session: Session, which: ColumnElement[bool]) -> list[DeviceEntry]:
    gateways = {gateway.gateway: gateway for gateway in session.scalars(select(Gateway))}
    rows = session.scalars(select(Device).where(which).order_by(Device.device))
    return [entry(device, gateways.get(device.gateway)) for device in rows]


def device(session: Session, reader: Reader, name: str) -> DeviceEntry:
    """Raises ``UnknownDevice``, also for a device that the reader may not know of."""
    row = device_row(session, reader, name)
    return entry(row, session.get(Gateway, row.gateway))


def device_row(
    session: Session, reader: Reader, name: str, operation: Operation = Operation.SEE_DEVICE
) -> Device:
    """Raises ``UnknownDevice`` also where the reader may not do this to it."""
    row = session.get(Device, name)
    if row is None or not may_do(session, reader, row, operation):
        raise UnknownDevice(name)
    return row


def may_do(session: Session, reader: Reader, row: Device, operation: Operation) -> bool:
    """Whether the reader may do this to the device."""
    return may(reader, operation, subject_of(session, row))


def subject_of(session: Session, row: Device) -> Subject:
    """What rights to a device are decided on."""
    district = districts.places(session, "device", [row.device]).get(row.device)
    return Subject(row.domain, device=row.device, district=district)


def require_device(session: Session, reader: Reader, name: str) -> None:
    """Of a device that somebody wants to work on: it lies in their districts, or they cover the
    whole city. Raises ``UnknownDevice``."""
    if not reader.covers(districts.places(session, "device", [name]).get(name)):
        raise UnknownDevice(name)


def require_gateway(session: Session, reader: Reader, name: str) -> None:
    """The same of a gateway. Raises ``UnknownGateway``."""
    if not reader.covers(districts.places(session, "gateway", [name]).get(name)):
        raise UnknownGateway(name)


def entry(row: Device, gateway: Gateway | None) -> DeviceEntry:
    """A device's row as it is shown. While its gateway is away nobody knows how it is."""
    state, code, message, since = row.state, row.code, row.message, row.since
    if gateway is not None and gateway.offline:
        state, code, since = "offline", "gateway-offline", gateway.updated
        message = f"Gateway {gateway.gateway} is not heard of."
    return DeviceEntry(
        device=row.device,
        gateway=row.gateway,
        domain=row.domain,
        driver=row.driver,
        name=row.name,
        name_zh=row.name_zh,
        latitude=row.latitude,
        longitude=row.longitude,
        state=cast(DeviceState, state),
        code=code,
        message=message,
        since=since,
        last_seen=row.last_seen,
        out_of_service_until=row.out_of_service_until,
        shelves=[ShelfEntry.model_validate(one) for one in row.shelves],
        parameters=row.parameters,
        commands=row.commands,
    )


def release(session: Session, name: str, account: str, now: datetime) -> DeviceEntry:
    """Take a device from its gateway: the next birth that describes it claims it.

    Gateways whose births were refused it are asked for their birth again. Does nothing
    to a device that belongs to nobody. Raises ``UnknownDevice``.
    """
    # Gateways before devices, the order in which births lock them.
    refused = [
        row.gateway
        for row in session.scalars(select(Gateway).order_by(Gateway.gateway))
        if name in row.conflicts
    ]
    again = CommandRequest(action="resend_birth")
    for gateway in refused:
        send_command(session, gateway, again, account, now)
    row = session.get(Device, name, with_for_update=True, populate_existing=True)
    if row is None:
        raise UnknownDevice(name)
    if row.claimed:
        row.claimed = row.described = False
        row.updated = now
        audit.append(
            session,
            at=now,
            account=account,
            action="device.released",
            subject=name,
            detail={"gateway": row.gateway},
        )
    return entry(row, session.get(Gateway, row.gateway))
