"""What gateways say of themselves and their devices, written into the tables people see.

Births and deaths are in ``births``. Everything else is taken once, as ingest promises, and is
ordered by epoch and sequence: a gateway's clock may be set back, or lie in the future.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.database.upsert import insert_missing
from vigil_cloud.devices import clocks
from vigil_cloud.devices.births import born, died
from vigil_cloud.devices.downlinks import answered, found, reconcile
from vigil_cloud.devices.epochs import supersedes
from vigil_cloud.devices.models import Device, Gateway
from vigil_cloud.devices.rows import new_gateway
from vigil_cloud.domain.port import Complaint, Group, Received
from vigil_schemas.discovery import DiscoveryReport, LookReport
from vigil_schemas.envelope import Source
from vigil_schemas.gateway import (
    CommandResult,
    ConfigurationReport,
    DeviceHealth,
    GatewayBirth,
    GatewayDeath,
    GatewayHealth,
    ObservationLoss,
    SourceHealth,
    SourceState,
)
from vigil_schemas.types import LARGEST_INTEGER, Lane

_STATES: Final[dict[SourceState, str]] = {
    "starting": "unknown",
    "ok": "ok",
    "degraded": "degraded",
    "failed": "failed",
    "stopped": "offline",
}
"""A source's state at the gateway → a device's state on the screen."""


class Position(NamedTuple):
    """Where a message stands among those of its gateway."""

    epoch: str
    sequence: int | None

    @classmethod
    def of(cls, message: Received) -> Position:
        """Where a message stands in its source's order."""
        envelope = message.envelope
        return cls(Source.parse(envelope.source).epoch, envelope.number)


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
            ConfigurationReport,
            DiscoveryReport,
            LookReport,
        )
    )

    ends_alerts: Final = False

    def fits(self, message: Received) -> bool:
        """The states of devices: all of a bridge's change with it."""
        return isinstance(message.data, DeviceHealth)

    def group(self, session: Session, messages: Sequence[Received]) -> Group:
        """Those of known gateways and devices, which stay locked."""
        return _of_devices(session, messages)

    def handle(self, session: Session, message: Received) -> Complaint | None:
        """Each case leaves the tables alone where the message is old news."""
        gateway = _locked_gateway(session, message.gateway, message.received)
        match message.data:
            case GatewayBirth() as birth:
                return born(session, gateway, birth, message)
            case GatewayDeath() as death:
                died(session, gateway, death, message)
            case GatewayHealth() as health:
                _healthy(session, gateway, health, message)
            case DeviceHealth() as health:
                _source_changed(
                    session, gateway.gateway, health, Position.of(message), message.received
                )
            case ObservationLoss() as loss:
                if loss.lane is Lane.EVENT:
                    gateway.lost_events = min(gateway.lost_events + loss.rows, LARGEST_INTEGER)
                else:
                    gateway.lost = min(gateway.lost + loss.rows, LARGEST_INTEGER)
                gateway.updated = message.received
            case CommandResult() as result:
                answered(session, gateway.gateway, result, message.time, message.received)
            case ConfigurationReport() as report:
                _configured(session, gateway, report, message)
            case DiscoveryReport() | LookReport() as report:
                found(session, gateway.gateway, report)
            case _:
                pass
        return None


FRESH_S: Final = 60.0


def _configured(
    session: Session, gateway: Gateway, report: ConfigurationReport, message: Received
) -> None:
    """The newest says what is in force; one that was overtaken on its way says nothing."""
    position = Position.of(message)
    known = gateway.configuration_sequence
    same = gateway.configuration_epoch == position.epoch
    if same and known is not None and position.sequence is not None and position.sequence <= known:
        return
    gateway.configuration = report.model_dump(mode="json")
    gateway.configuration_time = message.time
    gateway.configuration_epoch, gateway.configuration_sequence = position.epoch, position.sequence
    gateway.updated = message.received
    reconcile(session, gateway.gateway, report, message.received)


def _locked_gateway(session: Session, name: str, now: datetime) -> Gateway:
    insert_missing(session, Gateway, [new_gateway(name, now)])
    return session.scalars(
        select(Gateway)
        .where(Gateway.gateway == name)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one()


def _healthy(session: Session, gateway: Gateway, health: GatewayHealth, message: Received) -> None:
    gateway.last_seen = max(gateway.last_seen or message.received, message.received)
    position = Position.of(message)
    if not _newer_report(session, gateway, position, message.received):
        return
    gateway.health = health.model_dump(mode="json")
    gateway.clock_mark = message.marks.get("time_quality")
    gateway.health_time = message.time
    gateway.clock_offset_s = _clock_offset_s(message)
    clocks.heard(gateway, message)
    gateway.health_epoch, gateway.health_sequence = position.epoch, position.sequence
    gateway.updated = message.received
    for source in health.sources:
        _source_changed(session, gateway.gateway, source, position, message.received)


def _clock_offset_s(message: Received) -> float | None:
    """What the sender's clock shows against ours. A report that is old may have waited in an
    outbox: only one that no delay explains, or that is fresh, says something of the clock."""
    claimed = message.marks.get("claimed_times", {}).get("time")
    said = datetime.fromisoformat(claimed) if claimed else message.envelope.time
    offset_s = (said - message.received).total_seconds()
    return offset_s if claimed or abs(offset_s) <= FRESH_S else None


def _newer_report(session: Session, gateway: Gateway, position: Position, now: datetime) -> bool:
    if gateway.health_epoch is None:
        return True
    order = supersedes(session, gateway.gateway, position.epoch, gateway.health_epoch, now)
    if order or position.sequence is None or gateway.health_sequence is None:
        return order >= 0
    return position.sequence > gateway.health_sequence


Order = Callable[[str, str, str, datetime], int]
"""``epochs.supersedes``, of gateway, epoch, other and now."""


def _of_devices(session: Session, messages: Sequence[Received]) -> Group:
    names = sorted({message.gateway for message in messages})
    gateways = select(Gateway).where(Gateway.gateway.in_(names)).order_by(Gateway.gateway)
    fresh = {"populate_existing": True}
    known = {
        row.gateway
        for row in session.scalars(gateways.with_for_update().execution_options(**fresh))
    }
    told = [message.data for message in messages]
    subjects = sorted({one.device for one in told if isinstance(one, DeviceHealth)})
    devices = select(Device).where(Device.device.in_(subjects)).order_by(Device.device)
    rows = {
        (row.gateway, row.device): row
        for row in session.scalars(devices.with_for_update().execution_options(**fresh))
    }
    found = {
        place: (device, one)
        for place, (message, one) in enumerate(zip(messages, told, strict=True))
        if message.gateway in known
        and isinstance(one, DeviceHealth)
        and (device := rows.get((message.gateway, one.device))) is not None
    }
    # By the device of the health and not by its envelope's: two may speak of one.
    several = len({one.device for _, one in found.values()}) < len(found)

    def write(session: Session, places: Collection[int]) -> None:
        orders: dict[tuple[str, str, str], int] = {}

        def order(gateway: str, epoch: str, other: str, now: datetime) -> int:
            key = gateway, epoch, other
            if key not in orders:
                orders[key] = supersedes(session, gateway, epoch, other, now)
            return orders[key]

        for place in places:
            device, source = found[place]
            message = messages[place]
            _say_state(device, source, Position.of(message), message.received, order)

    return Group([] if several else list(found), write)


def _source_changed(
    session: Session, gateway: str, source: SourceHealth, position: Position, now: datetime
) -> None:
    device = session.scalars(
        select(Device)
        .where(Device.device == source.device, Device.gateway == gateway)
        .with_for_update()
        .execution_options(populate_existing=True)
    ).one_or_none()
    if device is None:
        return

    def order(gateway: str, epoch: str, other: str, now: datetime) -> int:
        return supersedes(session, gateway, epoch, other, now)

    _say_state(device, source, position, now, order)


def _say_state(
    device: Device, source: SourceHealth, position: Position, now: datetime, order: Order
) -> None:
    change = isinstance(source, DeviceHealth)
    if not _newer_state(device, source, position, change, now, order):
        return
    if device.state_epoch != position.epoch:
        device.state_epoch, device.state_sequence = position.epoch, None
    if change:
        device.state_sequence = position.sequence
    since = min(source.since, now)  # a gateway whose clock is ahead must not date a state so
    state = _STATES[source.state]
    if (device.state, device.code, device.message, device.since) != (
        state,
        source.code,
        source.message,
        since,
    ):
        device.state = state
        device.code = source.code
        device.message = source.message
        device.since = since
        device.updated = now


def _newer_state(
    device: Device,
    source: SourceHealth,
    position: Position,
    change: bool,
    now: datetime,
    order_of: Order,
) -> bool:
    """Whether this is news of a device: by epoch, then by the event lane's own numbers.

    A report's sources come on the observation lane, whose numbers say nothing against those of
    the event lane: they count where their clock can be right and says that they are not older.
    """
    if device.state_epoch is not None:
        order = order_of(device.gateway, position.epoch, device.state_epoch, now)
        if order:
            return order > 0
        if change and position.sequence is not None:
            return device.state_sequence is None or position.sequence > device.state_sequence
    if source.since > now and not change:
        return device.state_sequence is None
    return device.since is None or min(source.since, now) >= device.since
