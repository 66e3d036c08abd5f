"""When gateways and devices were last heard of, noted by ingest with each group commit."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from sqlalchemy import BindParameter, ColumnElement, and_, bindparam, or_, select, update
from sqlalchemy.orm import Session

from vigil_cloud.database.changes import announce
from vigil_cloud.database.upsert import insert_missing, table_of
from vigil_cloud.devices.models import Device, Downlink, Gateway
from vigil_cloud.devices.rows import devices_changed, new_device, new_gateway
from vigil_cloud.refusals.models import DeadLetter
from vigil_schemas.topics import COMMAND

AFTER_DEATH: Final = timedelta(seconds=30)
"""What was on its way when a gateway died is stored by then; what comes later, it sends."""


UNKNOWN_GATEWAY: Final = "unknown-gateway"
"""Reason of the dead letters of a gateway that nobody added."""


class Seen(NamedTuple):
    """A device heard of: whose it is, its domain, units of parameters that are new."""

    gateway: str
    domain: str
    units: Mapping[str, str]


# Made once: ingest asks for every batch, and to make a statement costs more than to run it.
_NAMES: Final[BindParameter[list[str]]] = bindparam("names", expanding=True)
_ENROLLED: Final = select(Gateway.gateway).where(Gateway.gateway.in_(_NAMES))
_HEARD: Final = (
    update(Gateway)
    .where(Gateway.gateway.in_(_NAMES))
    .values(last_seen=bindparam("heard", type_=table_of(Gateway).c.last_seen.type))
    .returning(Gateway.gateway, Gateway.offline)
    .execution_options(synchronize_session=False)
)
_KNOWN_DEVICES: Final = select(Device.device).where(Device.device.in_(_NAMES))
_DEVICE_HEARD: Final = (
    update(table_of(Device))
    .where(
        table_of(Device).c.device == bindparam("which"),
        table_of(Device).c.gateway == bindparam("whose"),
    )
    .values(last_seen=bindparam("heard", type_=table_of(Device).c.last_seen.type))
)
_UNITS: Final = (
    select(table_of(Device).c.device, table_of(Device).c.gateway, table_of(Device).c.units)
    .where(table_of(Device).c.device.in_(_NAMES))
    .order_by(table_of(Device).c.device)
    .with_for_update()
)
_UNITS_LEARNT: Final = (
    update(table_of(Device))
    .where(table_of(Device).c.device == bindparam("which"))
    .values(
        units=bindparam("units_now", type_=table_of(Device).c.units.type),
        updated=bindparam("now", type_=table_of(Device).c.updated.type),
    )
)


def enrolled(session: Session, gateways: Iterable[str]) -> set[str]:
    """Those of the gateways that have a row."""
    names = sorted(set(gateways))
    return set(session.scalars(_ENROLLED, {"names": names}))


def enrol(session: Session, gateway: str, now: datetime) -> bool:
    """Let a gateway in; ``False`` where it was already."""
    if enrolled(session, [gateway]):
        return False
    _insert_gateways(session, [gateway], now)
    knocked = select(DeadLetter.id).where(
        DeadLetter.gateway == gateway, DeadLetter.reason == UNKNOWN_GATEWAY
    )
    if session.scalar(knocked.limit(1)) is not None:
        # What it told of itself at its connection was refused: readings come again by
        # themselves, a birth does not.
        name = uuid.uuid4().hex
        session.add(
            Downlink(
                id=name,
                gateway=gateway,
                channel=COMMAND,
                payload={"command_id": name, "action": "resend_birth"},
                account="vigil-cloud",
                created=now,
                again=now,
            )
        )
    return True


def record_seen(
    session: Session,
    gateways: Iterable[str],
    devices: Mapping[str, Seen],
    now: datetime,
    locked: Collection[str] = (),
) -> None:
    """Move ``last_seen``; make rows for what nobody has described yet. ``locked``: what
    ``lock_gateways`` gave in the same transaction."""
    if names := sorted(set(gateways)):
        _record_gateways(session, names, now, locked)
    _record_devices(session, devices, now)


def lock_gateways(session: Session, names: Collection[str]) -> Collection[str]:
    """Lock the rows of these in one order; SQLite has one writer at a time and needs nothing."""
    if names and session.get_bind().dialect.name != "sqlite":
        session.execute(
            select(Gateway.gateway)
            .where(Gateway.gateway.in_(sorted(names)))
            .order_by(Gateway.gateway)
            .with_for_update()
        )
    return names


def _record_gateways(
    session: Session, names: list[str], now: datetime, locked: Collection[str]
) -> None:
    lock_gateways(session, set(names) - set(locked))  # the update has no order of its own
    known = session.execute(_HEARD, {"names": names, "heard": now}).all()
    if missing := set(names) - {row.gateway for row in known}:
        _insert_gateways(session, sorted(missing), now)
        session.execute(_HEARD, {"names": sorted(missing), "heard": now})
    silent = sorted(row.gateway for row in known if row.offline)
    if not silent:
        return
    back = session.scalars(
        update(Gateway)
        .where(
            Gateway.gateway.in_(silent),
            Gateway.offline,
            or_(Gateway.connected, Gateway.session.is_(None), Gateway.died < now - AFTER_DEATH),
        )
        .values(offline=False, connected=True, died=None, updated=now)
        .returning(Gateway.gateway)
        .execution_options(synchronize_session=False)
    ).all()
    for name in back:
        devices_changed(session, name, now)


def _record_devices(session: Session, devices: Mapping[str, Seen], now: datetime) -> None:
    if not devices:
        return
    names = sorted(devices)
    known = set(session.scalars(_KNOWN_DEVICES, {"names": names}))
    insert_missing(
        session,
        Device,
        [
            new_device(name, devices[name].gateway, devices[name].domain, now)
            for name in names
            if name not in known
        ],
    )
    session.connection().execute(
        _DEVICE_HEARD,
        [{"which": name, "whose": devices[name].gateway, "heard": now} for name in names],
    )
    _record_units(session, {name: devices[name] for name in names if devices[name].units}, now)


def _record_units(session: Session, devices: Mapping[str, Seen], now: datetime) -> None:
    """Two statements however many: the first report of each alarm of a city brings its units."""
    if not devices:
        return
    connection = session.connection()
    known = connection.execute(_UNITS, {"names": list(devices)})
    changed = [
        {"which": row.device, "units_now": {**row.units, **seen.units}, "now": now}
        for row in known
        if (seen := devices[row.device]).gateway == row.gateway
        and not seen.units.items() <= row.units.items()
    ]
    if changed:
        connection.execute(_UNITS_LEARNT, changed)
        announce(session, "device", (str(one["which"]) for one in changed))


def anybody_silent(session: Session, silent_since: datetime) -> bool:
    """Whether ``sweep`` would find anybody."""
    return session.scalar(select(Gateway.gateway).where(_silent(silent_since)).limit(1)) is not None


def _silent(since: datetime) -> ColumnElement[bool]:
    return and_(
        Gateway.offline.is_(False), Gateway.last_seen.is_not(None), Gateway.last_seen < since
    )


def sweep(session: Session, now: datetime, silent_since: datetime) -> list[str]:
    """Mark gateways offline that have been silent; returns those that just became so."""
    silent = session.scalars(
        select(Gateway).where(_silent(silent_since)).with_for_update(skip_locked=True)
    ).all()
    for gateway in silent:
        gateway.offline = True
        gateway.updated = now
        devices_changed(session, gateway.gateway, now)
    return [gateway.gateway for gateway in silent]


def _insert_gateways(session: Session, names: Iterable[str], now: datetime) -> None:
    insert_missing(session, Gateway, [new_gateway(name, now) for name in names])
