"""Devices and parameters put aside, over HTTP."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Path
from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.alerts import shelving
from vigil_cloud.alerts.coverage import OUT_OF_SERVICE
from vigil_cloud.database.engine import writing
from vigil_cloud.devices import service, shelves
from vigil_cloud.devices.maintenance import LONGEST, BadEnd
from vigil_cloud.devices.models import Device, DeviceShelf
from vigil_cloud.devices.routes import DeviceName, OfDevice
from vigil_cloud.devices.schema import (
    DeviceShelves,
    MaintenanceRequest,
    ShelfEntry,
    ShelfList,
    ShelfRequest,
)
from vigil_cloud.devices.shelves import Wanted
from vigil_cloud.devices.visibility import visible_devices
from vigil_cloud.domain.registry import lives_lost
from vigil_cloud.identity.answered import OnceDependency
from vigil_cloud.identity.dependencies import CurrentAccount, ServicesDependency
from vigil_cloud.identity.errors import Forbidden
from vigil_cloud.identity.reader import Reader
from vigil_cloud.identity.rights import Operation
from vigil_cloud.parameters import Whole

router = APIRouter(tags=["devices"])
PLANNED_WORK = "planned work"
ShelfNumber = Annotated[Whole, Path(ge=1, le=2**31 - 1)]


@router.get("/shelves", operation_id="list_shelves")
def list_shelves(reader: CurrentAccount, services: ServicesDependency) -> ShelfList:
    """All that is put aside right now, of devices that the reader sees, the oldest first."""
    query = (
        select(DeviceShelf)
        .join(Device, Device.device == DeviceShelf.device)
        .where(DeviceShelf.ended.is_(None), visible_devices(reader))
        .order_by(DeviceShelf.id)
    )
    with services.sessions() as session:
        return ShelfList(shelves=[shelves.shown(shelf) for shelf in session.scalars(query)])


@router.get("/devices/{device}/shelves", operation_id="list_device_shelves")
def list_device_shelves(
    device: DeviceName, reader: CurrentAccount, services: ServicesDependency
) -> DeviceShelves:
    """What is and was put aside of one device, the newest first, and for how long it may be."""
    with services.sessions() as session:
        row = service.device_row(session, reader, device)
        hour = timedelta(hours=1)
        return DeviceShelves(
            shelves=shelves.history(session, device),
            may_shelve=service.may_do(session, reader, row, Operation.SHELVE),
            longest_shelf_hours=shelves.longest(row.domain, "shelved") // hour,
            longest_work_hours=shelves.longest(row.domain, "out-of-service") // hour,
            needs_end=bool(lives_lost({row.domain})),
        )


@router.post("/devices/{device}/shelves", status_code=201, operation_id="shelve_device")
def shelve_device(
    device: DeviceName, body: ShelfRequest, reader: CurrentAccount, once: OnceDependency
) -> ShelfEntry:
    """Put a device, or one parameter of it, aside: what it raises is stored and shown, and calls
    nobody. At the end everybody is told what happened meanwhile."""
    wanted = Wanted(body.kind, body.reason, body.until, body.parameter)
    with writing(once.services.sessions) as session:
        _require(session, reader, device)
        by, now = reader.username, once.services.now()

        def begin() -> ShelfEntry:
            return shelves.shown(shelving.begin(session, device, wanted, by=by, now=now))

        entry = once.answer(session, reader, body, ShelfEntry, begin)
    once.services.changed.announce()
    return entry


@router.post("/devices/{device}/shelves/{number}/end", operation_id="end_device_shelf")
def end_device_shelf(
    device: DeviceName, number: ShelfNumber, reader: CurrentAccount, services: ServicesDependency
) -> ShelfEntry:
    """Before its time. 409 where it has ended."""
    with writing(services.sessions) as session:
        _require(session, reader, device)
        by, now = reader.username, services.now()
        entry = shelves.shown(shelving.end(session, device, number, by=by, now=now))
    services.changed.announce()
    return entry


@router.post("/devices/{device}/service", status_code=204, operation_id="post_device_service")
def post_device_service(
    device: DeviceName,
    body: MaintenanceRequest,
    operator: OfDevice,
    services: ServicesDependency,
) -> None:
    """Out of service until then, or (null) back in service. The short form, without a reason, of
    `POST /devices/{device}/shelves`."""
    with writing(services.sessions) as session:
        if session.get(Device, device) is None:
            raise service.UnknownDevice(device)
        by, now = operator.username, services.now()
        if body.until is None:
            shelving.end_work(session, device, by=by, now=now)
        else:
            if body.until > now + LONGEST:
                raise BadEnd(LONGEST)
            wanted = Wanted(OUT_OF_SERVICE, PLANNED_WORK, body.until)
            shelving.begin(session, device, wanted, by=by, now=now)
    services.changed.announce()


def _require(session: Session, reader: Reader, device: str) -> None:
    """Raises ``UnknownDevice``, and ``Forbidden`` where the reader sees it and may not."""
    row = service.device_row(session, reader, device)
    if not service.may_do(session, reader, row, Operation.SHELVE):
        raise Forbidden("You may see this device, and not put it aside.")
