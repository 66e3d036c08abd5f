"""What gateways say of themselves and their devices, written into the tables people see.

Birth and death come retained and therefore again and again: the session number
tells what is news. Everything else is taken once, as ingest promises. A birth claims
the devices that it describes, except those that belong to another gateway.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from vigil_cloud.database.upsert import insert_missing
from vigil_cloud.devices.models import Device, Downlink, Gateway
from vigil_cloud.devices.ownership import DEVICE_OF_ANOTHER
from vigil_cloud.ingest.port import Complaint, Received
from vigil_schemas.gateway import (
    CommandResult,
    DeviceDescription,
    DeviceHealth,
    GatewayBirth,
    GatewayDeath,
    GatewayHealth,
    ObservationLoss,
    SourceHealth,
    SourceState,
)

_STATES: Final[dict[SourceState, str]] = {
    "starting": "unknown",
    "ok": "ok",
    "degraded": "degraded",
    "failed": "failed",
    "stopped": "offline",
}
"""A source's state at the gateway → a device's state on the screen."""


class DevicesHandler:
    """The ``Handler`` of births, deaths, health, losses and command results."""

    types: Final = frozenset(
        model.TYPE
        for model in (
            GatewayBirth,
            GatewayDeath,
            GatewayHealth,
            DeviceHealth,
            ObservationLoss,
            CommandResult,
        )
    )

    def handle(self, session: Session, message: Received) -> Complaint | None:
        """Each case leaves the tables alone where the message is old news."""
        gateway = _locked_gateway(session, message.gateway, message.received)
        match message.data:
            case GatewayBirth() as birth:
                return _born(session, gateway, birth, message)
            case GatewayDeath() as death:
                _died(session, gateway, death, message)
            case GatewayHealth() as health:
                _healthy(session, gateway, health, message)
            case DeviceHealth() as health:
                _source_changed(session, gateway.gateway, health, message.received)
            case ObservationLoss() as loss:
                gateway.lost += loss.rows
                gateway.updated = message.received
            case CommandResult() as result:
                _answered(session, gateway.gateway, result, message)
            case _:
                pass
        return None


def _answered(session: Session, gateway: str, result: CommandResult, message: Received) -> None:
    session.execute(
        update(Downlink)
        .where(Downlink.id == result.command_id, Downlink.gateway == gateway)
        .values(
            answered=message.envelope.time,
            accepted=result.accepted,
            code=result.code,
            message=result.message,
        )
    )


def _locked_gateway(session: Session, name: str, now: datetime) -> Gateway:
    insert_missing(session, Gateway, [new_gateway(name, now)])
    return session.scalars(
        select(Gateway)
        .where(Gateway.gateway == name)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()


def new_gateway(name: str, now: datetime) -> dict[str, object]:
    """A row for a gateway that has not introduced itself."""
    return {
        "gateway": name,
        "added": now,
        "connected": False,
        "offline": False,
        "software": "",
        "lost": 0,
        "conflicts": [],
        "updated": now,
    }


def _born(
    session: Session, gateway: Gateway, birth: GatewayBirth, message: Received
) -> Complaint | None:
    same_box = gateway.epoch == birth.epoch
    if same_box and gateway.session is not None and birth.session < gateway.session:
        return None
    # A new epoch is a new disk, whose sessions begin at 1 again: the later birth counts.
    if not same_box and gateway.born is not None and message.envelope.time < gateway.born:
        return None
    news = not same_box or gateway.session != birth.session
    if not news and gateway.public_key == birth.public_key:
        # Only who was refused a device asks again; whoever had it released does not.
        return _describe(session, gateway, birth, message.received) if gateway.conflicts else None
    gateway.session = birth.session
    gateway.born = message.envelope.time
    gateway.epoch = birth.epoch
    gateway.software = birth.software
    gateway.public_key = birth.public_key
    gateway.connected = True
    gateway.offline = False
    gateway.last_seen = message.received
    gateway.updated = message.received
    devices_changed(session, gateway.gateway, message.received)
    return _describe(session, gateway, birth, message.received)


def _describe(
    session: Session, gateway: Gateway, birth: GatewayBirth, now: datetime
) -> Complaint | None:
    """Take the birth's devices, except those that belong to another gateway."""
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
        [new_device(n, gateway.gateway, by_name[n].domain.value, now) for n in names],
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
        else:
            _take(device, gateway.gateway, by_name[device.device], now)
    if gateway.conflicts != list(owners):
        gateway.conflicts = list(owners)
        gateway.updated = now
    if not owners:
        return None
    told = ", ".join(f"{name} of {owner}" for name, owner in owners.items())
    return Complaint(DEVICE_OF_ANOTHER, f"the birth also describes {told}")


def _take(device: Device, gateway: str, description: DeviceDescription, now: datetime) -> None:
    if device.gateway != gateway:  # it moved here: what was known of its state is not ours
        device.gateway, device.state, device.since = gateway, "unknown", None
        device.code, device.message = None, None
    device.domain = description.domain.value
    device.driver = description.driver
    device.name = description.name
    device.name_zh = description.name_zh
    device.latitude = description.latitude
    device.longitude = description.longitude
    device.parameters = description.parameters
    device.described = device.claimed = True
    device.updated = now


def new_device(name: str, gateway: str, domain: str, now: datetime) -> dict[str, object]:
    """A row for a device of which nothing more is known yet."""
    return {
        "device": name,
        "gateway": gateway,
        "domain": domain,
        "driver": "",
        "name": "",
        "name_zh": "",
        "parameters": [],
        "units": {},
        "state": "unknown",
        "described": False,
        "claimed": False,
        "updated": now,
    }


def _died(session: Session, gateway: Gateway, death: GatewayDeath, message: Received) -> None:
    if gateway.session is None or death.session < gateway.session or not gateway.connected:
        return
    gateway.session = death.session
    gateway.connected = False
    gateway.offline = True
    gateway.updated = message.received
    devices_changed(session, gateway.gateway, message.received)


def devices_changed(session: Session, gateway: str, now: datetime) -> None:
    """Mark every device of a gateway: their state as shown follows from the gateway's."""
    session.execute(update(Device).where(Device.gateway == gateway).values(updated=now))


def _healthy(session: Session, gateway: Gateway, health: GatewayHealth, message: Received) -> None:
    gateway.last_seen = max(gateway.last_seen or message.received, message.received)
    if gateway.health_time is not None and message.envelope.time < gateway.health_time:
        return  # an older report that came late
    gateway.health = health.model_dump(mode="json")
    gateway.health_time = message.envelope.time
    gateway.updated = message.received
    for source in health.sources:
        _source_changed(session, gateway.gateway, source, message.received)


def _source_changed(session: Session, gateway: str, source: SourceHealth, now: datetime) -> None:
    device = session.scalars(
        select(Device)
        .where(Device.device == source.device, Device.gateway == gateway)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()
    if device is None or (device.since is not None and source.since < device.since):
        return
    state = _STATES[source.state]
    changed = (device.state, device.code, device.message) != (state, source.code, source.message)
    if changed or device.since != source.since:
        device.state = state
        device.code = source.code
        device.message = source.message
        device.since = source.since
        device.updated = now
