"""Devices and single parameters put aside: maintenance windows, nuisances, tests.

``shelved``: what it raises is stored and shown, and calls nobody; what is critical calls all the
same. ``out-of-service``: nothing of it calls anybody, what is critical is shown with that mark.
Where lives hang on hearing the device both are short (docs/decisions/0031). What is told when one
ends, and what becomes of the alerts, is ``alerts.shelving``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import ClassVar, Final, Literal, cast

from sqlalchemy import ColumnElement, Select, or_, select
from sqlalchemy.orm import Session

from vigil_cloud.api_errors import ApiError
from vigil_cloud.devices import in_a_row
from vigil_cloud.devices.in_a_row import Span
from vigil_cloud.devices.maintenance import BadEnd
from vigil_cloud.devices.models import Device, DeviceShelf
from vigil_cloud.devices.schema import ShelfEntry
from vigil_cloud.domain.registry import lives_lost
from vigil_cloud.identity import audit

ShelfKind = Literal["shelved", "out-of-service"]
LONGEST_SHELF: Final = timedelta(days=30)
LONGEST_WORK: Final = timedelta(days=366)
LONGEST_LIFE_SHELF: Final = timedelta(hours=24)
LONGEST_LIFE_TEST: Final = timedelta(hours=8)
"""Of a device on which lives hang: a fire during its test is shown, and calls nobody."""
FOR_GOOD: Final = datetime(9999, 1, 1, tzinfo=UTC)


class UnknownShelf(ApiError):
    """Nothing of this number is or was put aside of this device."""

    code: ClassVar[str] = "unknown-shelf"
    remedy: ClassVar[str] = "Load the device again to see what is put aside of it."
    status: ClassVar[int] = 404

    def __init__(self, device: str, number: int) -> None:
        super().__init__(f"Nothing of number {number} is put aside of device {device!r}.")
        self.device = device
        self.number = number


class ShelfOver(ApiError):
    """It has ended already."""

    code: ClassVar[str] = "shelf-over"
    remedy: ClassVar[str] = "Nothing: load the device again."
    status: ClassVar[int] = 409


class UnknownParameter(ApiError):
    """The device has no such parameter."""

    code: ClassVar[str] = "unknown-parameter"
    remedy: ClassVar[str] = "Name one of the parameters that the device's page lists."
    status: ClassVar[int] = 422

    def __init__(self, device: str, parameter: str) -> None:
        super().__init__(f"Device {device!r} has no parameter {parameter!r}.")
        self.device = device
        self.parameter = parameter


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody wants to put aside."""

    kind: ShelfKind
    reason: str
    until: datetime | None
    """``None``: out of service until somebody ends it."""
    parameter: str = ""


def begin(
    session: Session, device: Device, wanted: Wanted, *, by: str, now: datetime
) -> DeviceShelf:
    """Put it aside from now on. Raises ``BadEnd``, ``AsideTooLong``, ``UnknownParameter``."""
    _check_end(device, wanted, now)
    if lives_lost({device.domain}) and wanted.until is not None:
        _check_row(session, device.device, wanted.kind, wanted.until, now)
    known = {*device.parameters, *device.units}
    if wanted.parameter and known and wanted.parameter not in known:
        raise UnknownParameter(device.device, wanted.parameter)
    shelf = DeviceShelf(
        device=device.device,
        parameter=wanted.parameter,
        kind=wanted.kind,
        reason=wanted.reason,
        account=by,
        begun=now,
        until=wanted.until,
        settled=False,
    )
    session.add(shelf)
    session.flush()
    show(session, device, now)
    _audit(session, shelf, wanted.kind, by, now)
    return shelf


def end(session: Session, shelf: DeviceShelf, *, by: str | None, now: datetime) -> None:
    """It ends: by somebody, or (``None``) because its time is over. Raises ``ShelfOver``."""
    if shelf.ended is not None:
        raise ShelfOver("This has ended already.")
    shelf.ended, shelf.ended_by = now, by
    session.flush()
    device = session.get(Device, shelf.device, with_for_update=True, populate_existing=True)
    if device is not None:
        show(session, device, now)
    _audit(session, shelf, f"{shelf.kind}-ended", by or "", now)


def end_all(session: Session, device: str, *, by: str, now: datetime) -> None:
    """The device is taken off the list."""
    for shelf in session.scalars(_open(device)).all():
        shelf.ended, shelf.ended_by = now, by
        _audit(session, shelf, f"{shelf.kind}-ended", by, now)


def find(session: Session, device: str, number: int) -> DeviceShelf:
    """Locked until the end of the transaction. Raises ``UnknownShelf``."""
    shelf = session.get(DeviceShelf, number, with_for_update=True, populate_existing=True)
    if shelf is None or shelf.device != device:
        raise UnknownShelf(device, number)
    return shelf


def running(session: Session, device: str) -> list[DeviceShelf]:
    """What has not ended of one device, the oldest first."""
    return list(session.scalars(_open(device).order_by(DeviceShelf.id)))


def history(session: Session, device: str, limit: int = 50) -> list[ShelfEntry]:
    """What is and was put aside of one device, the newest first."""
    query = select(DeviceShelf).where(DeviceShelf.device == device)
    return [
        shown(shelf)
        for shelf in session.scalars(query.order_by(DeviceShelf.id.desc()).limit(limit))
    ]


def covering(
    session: Session, device: str, parameter: str | None, now: datetime
) -> DeviceShelf | None:
    """What an alert of this device and parameter falls under right now; of several the one that
    silences most, for longest. One statement."""
    ahead = or_(DeviceShelf.until.is_(None), DeviceShelf.until > now)
    found = session.scalars(
        _open(device).where(ahead, DeviceShelf.parameter.in_(["", parameter or ""]))
    ).all()
    return max(
        found,
        key=lambda one: (one.kind == "out-of-service", ends(one), one.id),
        default=None,
    )


def any_open(device: str) -> ColumnElement[bool]:
    """Whether anything of the device is put aside, its end past or not: where not, ``covering``
    finds nothing. Asked along with another statement, as hardly any device is."""
    return _open(device).exists()


def ends(shelf: DeviceShelf) -> datetime:
    """Until when it holds: far away where it has no end."""
    return shelf.ended or shelf.until or FOR_GOOD


def show(session: Session, device: Device, now: datetime) -> None:
    """Write what is put aside into the device's row, where lists and pages find it."""
    open_ones = running(session, device.device)
    device.shelves = [shown(one).model_dump(mode="json") for one in open_ones]
    whole = [one for one in open_ones if one.kind == "out-of-service" and not one.parameter]
    device.out_of_service_until = max((ends(one) for one in whole), default=None)
    device.updated = now


def shown(shelf: DeviceShelf) -> ShelfEntry:
    """As the API says it."""
    return ShelfEntry(
        id=shelf.id,
        device=shelf.device,
        parameter=shelf.parameter,
        kind=cast(ShelfKind, shelf.kind),
        reason=shelf.reason,
        by=shelf.account,
        begun=shelf.begun,
        until=shelf.until,
        ended=shelf.ended,
        ended_by=shelf.ended_by,
    )


def longest(domain: str, kind: ShelfKind) -> timedelta:
    """For how long a device of this domain may be put aside."""
    if lives_lost({domain}):
        return LONGEST_LIFE_SHELF if kind == "shelved" else LONGEST_LIFE_TEST
    return LONGEST_SHELF if kind == "shelved" else LONGEST_WORK


def aside_since(session: Session, device: str, now: datetime, *kinds: ShelfKind) -> datetime:
    """Since when it has been put aside in a row, whole or in parts, in these ways; ``now`` where
    it was in use before."""
    earliest = now - in_a_row.LONGEST_SHELVED - LONGEST_LIFE_SHELF - in_a_row.REST
    query = select(DeviceShelf.begun, DeviceShelf.ended, DeviceShelf.until).where(
        DeviceShelf.device == device,
        DeviceShelf.kind.in_(kinds),
        or_(DeviceShelf.ended.is_(None), DeviceShelf.ended > earliest),
    )
    spans = (Span(row.begun, row.ended or row.until or FOR_GOOD) for row in session.execute(query))
    return in_a_row.since(spans, now)


def _check_row(
    session: Session, device: str, kind: ShelfKind, until: datetime, now: datetime
) -> None:
    """A mere shelf goes on with whatever went before; work on a device that was shelved as a
    nuisance has its own time."""
    kinds: tuple[ShelfKind, ...] = (
        ("shelved", "out-of-service") if kind == "shelved" else ("out-of-service",)
    )
    longest = in_a_row.LONGEST_SHELVED if kind == "shelved" else in_a_row.LONGEST_OUT
    in_a_row.check(aside_since(session, device, now, *kinds), until, longest)


def _check_end(device: Device, wanted: Wanted, now: datetime) -> None:
    most = longest(device.domain, wanted.kind)
    if wanted.until is None:
        endless = wanted.kind == "out-of-service" and not lives_lost({device.domain})
        if not endless:
            raise BadEnd(most)
    elif not now < wanted.until <= now + most:
        raise BadEnd(most)


def _open(device: str) -> Select[DeviceShelf]:
    return select(DeviceShelf).where(DeviceShelf.device == device, DeviceShelf.ended.is_(None))


def _audit(session: Session, shelf: DeviceShelf, what: str, by: str, now: datetime) -> None:
    audit.append(
        session,
        at=now,
        account=by,
        action=f"device.{what}",
        subject=shelf.device,
        detail={
            "shelf": shelf.id,
            "parameter": shelf.parameter,
            "reason": shelf.reason,
            "until": shelf.until.isoformat() if shelf.until else None,
        },
    )
