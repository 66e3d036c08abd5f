"""A device put aside and back: what that means for its alerts, and who is told when it ends.

At the end its alerts call again: what was held back is told, together where it is much, also what
is over meanwhile. Whoever maintains the platform is told how much that was, and again and again
of what was taken out of service without an end.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from vigil_cloud.alerts import aside, coverage, feed, outbox
from vigil_cloud.alerts.models import AlertHistory, AlertRow
from vigil_cloud.alerts.platform import clear_platform, raise_platform, standing
from vigil_cloud.alerts.platform_kinds import PlatformKind
from vigil_cloud.devices import shelves
from vigil_cloud.devices.models import Device, DeviceShelf, Gateway
from vigil_cloud.devices.service import UnknownDevice
from vigil_cloud.devices.shelves import Wanted
from vigil_cloud.domain.registry import lives_lost

REMIND_AFTER: Final = timedelta(days=7)
TOLD_FOR: Final = timedelta(hours=1)
"""So long the word that a shelf has ended stands on the platform's list."""
AT_ONCE: Final = 20
_ENDED: Final[PlatformKind] = "shelf-ended"
_ENDLESS: Final[PlatformKind] = "out-of-service-long"


def begin(session: Session, name: str, wanted: Wanted, *, by: str, now: datetime) -> DeviceShelf:
    """Put a device aside. Whether ``by`` may has been asked before. In the caller's transaction.
    Raises ``UnknownDevice`` and what ``shelves.begin`` raises."""
    device = _locked(session, name)
    if device is None:
        raise UnknownDevice(name)
    since = shelves.aside_since(session, name, now, "shelved", "out-of-service")
    shelf = shelves.begin(session, device, wanted, by=by, now=now)
    if since < now and lives_lost({device.domain}) and shelf.until is not None:
        aside.tell(
            session,
            f"device {name}",
            _names(shelf, device),
            (since, shelf.until),
            now,
            gateway=device.gateway,
            device=name,
        )
    coverage.cover_standing(session, shelf, now)
    session.flush()
    return shelf


def end(session: Session, name: str, number: int, *, by: str, now: datetime) -> DeviceShelf:
    """Before its time. Raises ``UnknownShelf``, ``ShelfOver``."""
    _locked(session, name)
    shelf = shelves.find(session, name, number)
    shelves.end(session, shelf, by=by, now=now)
    _settle(session, shelf, now)
    return shelf


def end_work(session: Session, name: str, *, by: str, now: datetime) -> None:
    """Back in service, whoever took it out."""
    for shelf in shelves.running(session, name):
        if shelf.kind == coverage.OUT_OF_SERVICE and not shelf.parameter:
            end(session, name, shelf.id, by=by, now=now)


def sweep(session: Session, now: datetime) -> bool:
    """End what is over, tell what has ended, remind of what has no end. Whether anything
    changed. Idempotent; any number of processes may ask."""
    numbers = session.scalars(select(DeviceShelf.id).where(_due(now)).limit(AT_ONCE)).all()
    told = [row for row in standing(session, _ENDED) if row.raised <= now - TOLD_FOR]
    if not numbers and not told:
        return False
    query = select(DeviceShelf).where(DeviceShelf.id.in_(numbers)).order_by(DeviceShelf.id)
    devices = select(DeviceShelf.device).where(DeviceShelf.id.in_(numbers))
    _lock(session, session.scalars(devices).all())
    for shelf in session.scalars(query.with_for_update().execution_options(populate_existing=True)):
        if shelf.settled:
            continue
        if shelf.ended is None and shelf.until is not None and shelf.until <= now:
            shelves.end(session, shelf, by=None, now=now)
        if shelf.ended is not None:
            _settle(session, shelf, now)
        else:
            _remind(session, shelf, now)
    for row in told:
        clear_platform(session, _ENDED, str(row.detail["subject"]), gateway=row.gateway, now=now)
    return True


def anything_due(session: Session, now: datetime) -> bool:
    """Whether ``sweep`` would change anything."""
    if session.scalar(select(DeviceShelf.id).where(_due(now)).limit(1)) is not None:
        return True
    return any(row.raised <= now - TOLD_FOR for row in standing(session, _ENDED))


def _due(now: datetime) -> ColumnElement[bool]:
    over = or_(DeviceShelf.ended.is_not(None), DeviceShelf.until <= now)
    last = func.coalesce(DeviceShelf.reminded, DeviceShelf.begun)
    endless = and_(DeviceShelf.until.is_(None), last <= now - REMIND_AFTER)
    return and_(DeviceShelf.settled.is_(False), or_(over, endless))


def _locked(session: Session, name: str) -> Device | None:
    _lock(session, (name,))
    return session.get(Device, name, with_for_update=True, populate_existing=True)


def _lock(session: Session, devices: Collection[str]) -> None:
    """In the order of ingest: gateways, devices, then the feed. A birth of another gateway that
    claims one of the devices holds it and waits for the feed."""
    gateways = select(Device.gateway).where(Device.device.in_(devices))
    session.execute(
        select(Gateway.gateway)
        .where(Gateway.gateway.in_(gateways))
        .order_by(Gateway.gateway)
        .with_for_update()
    )
    session.execute(
        select(Device.device)
        .where(Device.device.in_(devices))
        .order_by(Device.device)
        .with_for_update()
    )
    feed.lock(session)


@dataclass(slots=True)
class _Meanwhile:
    """What was held back."""

    raised: int = 0
    active: int = 0


def _settle(session: Session, shelf: DeviceShelf, now: datetime) -> None:
    """Its alerts call again, or fall under what else is put aside of the device."""
    meanwhile = _Meanwhile()
    rows = session.scalars(
        select(AlertRow).where(
            AlertRow.device == shelf.device, AlertRow.device_shelf_id == shelf.id
        )
    ).all()
    by_parameter: dict[str | None, list[AlertRow]] = defaultdict(list)
    for row in rows:
        by_parameter[row.parameter].append(row)
        meanwhile.raised += row.raised >= shelf.begun
        meanwhile.active += row.active
    for parameter, covered in by_parameter.items():
        other = shelves.covering(session, shelf.device, parameter, now)
        for row in covered:
            if other is not None:
                row.device_shelf, row.device_shelf_id = other.kind, other.id
                row.device_shelf_until = coverage.ends_for(row, other)
            else:
                _release(session, row, shelf, now)
    shelf.settled = True
    _tell(session, shelf, meanwhile, now)
    session.flush()


def _release(session: Session, row: AlertRow, shelf: DeviceShelf, now: datetime) -> None:
    if row.device_shelf_until is None or row.device_shelf_until > now:
        row.device_shelf_until = now
    session.add(
        AlertHistory(
            alert_id=row.id, at=now, account=shelf.ended_by, action=coverage.ENDED, comment=""
        )
    )
    outbox.announce(session, row, now, "woken")
    feed.append(session, "alert", row.id, now)


def _tell(session: Session, shelf: DeviceShelf, meanwhile: _Meanwhile, now: datetime) -> None:
    """Whoever ended it by hand where nothing happened meanwhile knows all there is to know."""
    device = session.get(Device, shelf.device)
    gateway = device.gateway if device is not None else ""
    if shelf.until is None:
        clear_platform(session, _ENDLESS, _subject(shelf), gateway=gateway, now=now)
    if shelf.ended_by is not None and not meanwhile.raised:
        return
    name, name_zh = _names(shelf, device)
    number, active = meanwhile.raised, meanwhile.active
    raise_platform(
        session,
        _ENDED,
        _subject(shelf),
        severity="info",
        title=f"{name} calls again: {number} alerts meanwhile, {active} active",
        title_zh=f"{name_zh} 恢復通報：期間 {number} 則警報，{active} 則持續中",
        gateway=gateway,
        device=shelf.device,
        detail={"explanation": f"{_explanation(shelf)}; ended by {shelf.ended_by or 'its time'}"},
        now=now,
    )


def _remind(session: Session, shelf: DeviceShelf, now: datetime) -> None:
    device = session.get(Device, shelf.device)
    name, name_zh = _names(shelf, device)
    days = (now - shelf.begun).days
    raise_platform(
        session,
        _ENDLESS,
        _subject(shelf),
        severity="minor",
        title=f"{name} is out of service since {days} days, without an end",
        title_zh=f"{name_zh} 停用已 {days} 天，未設定結束時間",
        gateway=device.gateway if device is not None else "",
        detail={"explanation": _explanation(shelf), "devices": [shelf.device]},
        since=shelf.begun,
        again=f"out of service for {days} days",
        now=now,
    )
    shelf.reminded = now


def _explanation(shelf: DeviceShelf) -> str:
    return f"{shelf.kind} by {shelf.account or 'nobody known'}: {shelf.reason}"


def _subject(shelf: DeviceShelf) -> str:
    """At most 60 characters count, and the number makes it one of a kind."""
    return f"{shelf.id} {shelf.device}"


def _names(shelf: DeviceShelf, device: Device | None) -> tuple[str, str]:
    name = (device.name or device.name_zh if device is not None else "") or shelf.device
    name_zh = (device.name_zh if device is not None else "") or name
    of = f" ({shelf.parameter})" if shelf.parameter else ""
    return f"{name}{of}", f"{name_zh}{of}"
