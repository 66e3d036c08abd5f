"""Births and deaths: which box speaks under a gateway's name, and with which devices.

Both come retained and therefore again and again. The cloud numbers a gateway's epochs as it
first meets them; within one the session number tells what is news, and an epoch that another
superseded never returns. No clock of a gateway decides: one birth dated in the future would
shut out every later one.
"""

from __future__ import annotations

from datetime import datetime

import structlog
from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from vigil_cloud.database.upsert import insert_missing
from vigil_cloud.devices import clocks
from vigil_cloud.devices.downlinks import send_again
from vigil_cloud.devices.epochs import met, remember_key
from vigil_cloud.devices.models import Device, Gateway
from vigil_cloud.devices.ownership import DEVICE_OF_ANOTHER
from vigil_cloud.devices.rows import devices_changed, new_device
from vigil_cloud.domain.port import Complaint, Received
from vigil_schemas.envelope import Source
from vigil_schemas.gateway import DeviceDescription, GatewayBirth, GatewayDeath

_log = structlog.get_logger(__name__)


def born(  # noqa: C901 - which birth counts is one table, and its order decides
    session: Session, gateway: Gateway, birth: GatewayBirth, message: Received
) -> Complaint | None:
    """Take a birth, unless it is old news. The gateway's row is locked."""
    now = message.received
    remember_key(session, gateway.gateway, birth.public_key, now)
    if gateway.epoch is not None:  # before the birth's: one that was forgotten is no newer
        met(session, gateway.gateway, gateway.epoch, now)
    epoch = met(session, gateway.gateway, birth.epoch, now)
    connected_anew = epoch.session is None or birth.session > epoch.session
    if connected_anew:
        epoch.session = birth.session
    if gateway.epoch is not None and gateway.epoch != birth.epoch:
        if epoch.ordinal < met(session, gateway.gateway, gateway.epoch, now).ordinal:
            if connected_anew:
                _second_box(session, gateway, birth, now)
            return None
    elif not connected_anew:
        if gateway.session is not None and birth.session < gateway.session:
            return None
        if birth.description > gateway.description:
            gateway.description = birth.description
            return _describe(session, gateway, birth, now, released_stay=True)
        if gateway.public_key == birth.public_key and gateway.accepts == birth.accepts:
            # Only who was refused a device asks again; whoever had it released does not.
            if gateway.conflicts:
                return _describe(session, gateway, birth, now)
            _describe_found(session, gateway, birth, now)
            return None
    gateway.session = birth.session
    gateway.epoch = birth.epoch
    gateway.software = birth.software
    gateway.public_key = birth.public_key
    gateway.description = birth.description
    gateway.accepts = birth.accepts
    clocks.connected(gateway, message)
    send_again(session, gateway.gateway, now)
    _alive(session, gateway, now)
    return _describe(session, gateway, birth, now)


def _alive(session: Session, gateway: Gateway, now: datetime) -> None:
    gateway.connected = True
    gateway.offline = False
    gateway.died = None
    gateway.last_seen = now
    gateway.updated = now
    devices_changed(session, gateway.gateway, now)


def _second_box(session: Session, gateway: Gateway, birth: GatewayBirth, now: datetime) -> None:
    """An outbox that another superseded has connected anew: a clone, or a disk put back.

    Whoever it is sends, and all of it is taken; it must not be shown as away for that.
    """
    gateway.second_box_seen = now
    gateway.second_box_returns += 1
    _alive(session, gateway, now)
    _log.warning(
        "second-box",
        gateway=gateway.gateway,
        epoch=birth.epoch,
        session=birth.session,
        superseded_by=gateway.epoch,
    )


def died(session: Session, gateway: Gateway, death: GatewayDeath, message: Received) -> None:
    """A death counts for the epoch that is current, and for no earlier session."""
    epoch = Source.parse(message.envelope.source).epoch
    if epoch != gateway.epoch or not gateway.connected:
        return
    if gateway.session is None or death.session < gateway.session:
        return
    gateway.session = death.session
    gateway.connected = False
    gateway.offline = True
    gateway.died = message.received
    gateway.updated = message.received
    devices_changed(session, gateway.gateway, message.received)


def _describe(
    session: Session,
    gateway: Gateway,
    birth: GatewayBirth,
    now: datetime,
    *,
    released_stay: bool = False,
) -> Complaint | None:
    """Take the birth's devices, except those that belong to another gateway; with
    ``released_stay`` also except its own that somebody released since they were described."""
    by_name = {description.device: description for description in birth.devices}
    names = sorted(by_name)
    session.execute(
        update(Device)
        .where(Device.gateway == gateway.gateway, Device.device.not_in(names), Device.described)
        .values(described=False, state="unknown", updated=now)
    )
    insert_missing(
        session,
        Device,
        [new_device(n, gateway.gateway, by_name[n].domain, now) for n in names],
    )
    owners: dict[str, str] = {}
    for device in session.scalars(
        select(Device)
        .where(Device.device.in_(names))
        .order_by(Device.device)
        .with_for_update()
        .execution_options(populate_existing=True)
    ):
        if device.claimed and device.gateway != gateway.gateway:
            owners[device.device] = device.gateway
        elif not (released_stay and not device.claimed and device.driver != ""):
            _take(device, gateway.gateway, by_name[device.device], now)
    if gateway.conflicts != list(owners):
        gateway.conflicts = list(owners)
        gateway.updated = now
    if not owners:
        return None
    told = ", ".join(f"{name} of {owner}" for name, owner in owners.items())
    return Complaint(DEVICE_OF_ANOTHER, f"the birth also describes {told}")


def _describe_found(session: Session, gateway: Gateway, birth: GatewayBirth, now: datetime) -> None:
    """A gateway that finds a device while it runs (an alarm on its bridge) says its birth again
    in the same session. Devices that a birth described already are left as they are, also if
    they were released since; one that was only heard of, by its first reading, is described."""
    by_name = {description.device: description for description in birth.devices}
    described = select(Device.device).where(
        Device.device.in_(sorted(by_name)), or_(Device.claimed, Device.driver != "")
    )
    known = set(session.scalars(described))
    found = sorted(by_name.keys() - known)
    if not found:
        return
    insert_missing(
        session,
        Device,
        [new_device(n, gateway.gateway, by_name[n].domain, now) for n in found],
    )
    for device in session.scalars(
        select(Device).where(Device.device.in_(found)).order_by(Device.device).with_for_update()
    ):
        if not device.claimed:
            _take(device, gateway.gateway, by_name[device.device], now)
    gateway.updated = now


def _take(device: Device, gateway: str, description: DeviceDescription, now: datetime) -> None:
    if device.gateway != gateway:  # it moved here: what was known of its state is not ours
        device.gateway, device.state, device.since = gateway, "unknown", None
        device.code, device.message = None, None
    device.domain = description.domain
    device.driver = description.driver
    device.name = description.name
    device.name_zh = description.name_zh
    device.latitude = description.latitude
    device.longitude = description.longitude
    device.parameters = description.parameters
    device.commands = list(description.commands)
    device.described = device.claimed = True
    device.updated = now
