"""What is entered into the register: added, corrected, withdrawn, retired, always with who did it.

Roads, certificates, placements and rules are rows that are only added. Intersections, instruments
and complaints are corrected in place, and each wording is kept as a version.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.api_errors import ApiError
from vigil_cloud.database.base import Base
from vigil_cloud.identity import audit
from vigil_cloud.noise import register
from vigil_cloud.noise.models import (
    Certificate,
    Complaint,
    Instrument,
    Intersection,
    Placement,
    Recorded,
    Road,
    RuleSet,
    Version,
)
from vigil_cloud.noise.register_schema import RegisterBody


class NotRegistered(ApiError):
    """An entry names an intersection or an instrument that is not there, or withdraws what nobody
    has entered."""

    code: ClassVar[str] = "noise-not-registered"
    remedy: ClassVar[str] = "Register the intersection or the instrument that is named first."
    status: ClassVar[int] = 422

    def __init__(self, what: str, name: str) -> None:
        super().__init__(f"There is no {what} {name!r} in the register.")
        self.name = name


class StillPlaced(ApiError):
    """What is to be retired is in use."""

    code: ClassVar[str] = "noise-still-placed"
    remedy: ClassVar[str] = (
        "Record first that the device was taken down, or withdraw what is planned there."
    )
    status: ClassVar[int] = 409

    def __init__(self, name: str, device: str) -> None:
        super().__init__(f"{name!r} is in use: the device {device!r} is placed there.")
        self.name = name
        self.device = device


class IsRetired(ApiError):
    """An entry that begins something with what was retired."""

    code: ClassVar[str] = "noise-retired"
    remedy: ClassVar[str] = "Name another one, or record that this one is in use again."
    status: ClassVar[int] = 422

    def __init__(self, name: str) -> None:
        super().__init__(f"{name!r} was retired.")
        self.name = name


_NAMED: Final[Mapping[type[Base], tuple[str, str]]] = {
    Intersection: ("intersection", "id"),
    Instrument: ("instrument", "serial"),
    Complaint: ("complaint", "reference"),
}
"""What is corrected in place: the kind of its versions and the column of its key."""


@dataclass(frozen=True, slots=True)
class _Made:
    by: str
    now: datetime

    def columns(self) -> dict[str, Any]:
        return {"recorded": self.now, "recorded_by": self.by}


def enter(session: Session, body: RegisterBody, by: str, now: datetime) -> int:
    """Record what is new; how many entries. Raises ``NotRegistered``, ``StillPlaced``,
    ``IsRetired``."""
    made = _Made(by, now)
    count = 0
    for intersection in body.intersections:
        count += _named(session, Intersection, intersection, made)
    for instrument in body.instruments:
        count += _named(session, Instrument, instrument, made)
    session.flush()
    _require(session, body)
    for complaint in body.complaints:
        count += _named(session, Complaint, complaint, made)
    session.flush()
    appended: tuple[tuple[type[Base], Iterable[Any]], ...] = (
        (Road, body.roads),
        (Certificate, body.certificates),
        (Placement, body.placements),
        (RuleSet, body.rules),
    )
    for model, entries in appended:
        for entry in entries:
            count += _appended(session, model, entry, made)
    _require_unused(session, body, now)
    if count:
        _tell(session, body, made)
    return count


def _tell(session: Session, body: RegisterBody, made: _Made) -> None:
    detail: dict[str, Any] = {name: len(value) for name, value in body if value}
    withdrawn = sum(getattr(one, "withdrawn", False) for _, value in body for one in value)
    retired = [one.id for one in body.intersections if one.retired]
    retired += [one.serial for one in body.instruments if one.retired]
    detail |= {"withdrawn": withdrawn} if withdrawn else {}
    detail |= {"retired": retired} if retired else {}
    audit.append(
        session,
        at=made.now,
        account=made.by,
        action="noise.register",
        subject="noise",
        detail=detail,
    )


def _plain(entry: Any) -> dict[str, Any]:
    plain: dict[str, Any] = entry.model_dump(mode="json")
    return plain


def _named(session: Session, model: type[Base], entry: Any, made: _Made) -> int:
    """Made or corrected, and its wording kept."""
    kind, column = _NAMED[model]
    values: dict[str, Any] = entry.model_dump()
    key: str = values[column]
    row = session.get(model, key)
    changed = True
    if row is None:
        if values.get("withdrawn"):
            raise NotRegistered(kind, key)
        more = made.columns() if issubclass(model, Recorded) else {}
        session.add(model(**values, **more))
    else:
        changed = any(getattr(row, name) != value for name, value in values.items())
        if changed and issubclass(model, Recorded):
            values |= made.columns()
        for name, value in values.items():
            setattr(row, name, value)
    if changed:
        session.add(Version(kind=kind, key=key, said=_plain(entry), **made.columns()))
    return int(changed)


def _appended(session: Session, model: type[Base], entry: Any, made: _Made) -> int:
    """A row, unless the newest of its key says the same."""
    plain, values = _plain(entry), entry.model_dump()
    values = {
        name: plain[name] if isinstance(value, list) else value for name, value in values.items()
    }
    columns: Any = model
    key = register.KEYS[columns]
    same = [getattr(columns, name) == values[name] for name in key]
    query = select(model).where(*same).order_by(columns.id.desc()).limit(1)
    newest: Any = session.scalars(query).first()
    if values["withdrawn"] and newest is None:
        raise NotRegistered("entry", " ".join(str(plain[name]) for name in key))
    if newest is not None and all(getattr(newest, name) == values[name] for name in values):
        return 0
    session.add(columns(**values, **made.columns()))
    session.flush()
    return 1


def _require(session: Session, body: RegisterBody) -> None:
    """Everything that is named is there, and whatever begins now begins with nothing retired."""
    begins = [one for one in body.placements if not one.withdrawn]
    stands = {one.intersection for one in begins if one.intersection is not None}
    measures = {one.instrument for one in begins if one.instrument is not None}
    places = {road.intersection for road in body.roads} | stands
    places |= {complaint.intersection for complaint in body.complaints}
    serials = {certificate.instrument for certificate in body.certificates} | measures
    there = _retired(session, Intersection, Intersection.id, places)
    known = _retired(session, Instrument, Instrument.serial, serials)
    for name in sorted(places - there.keys()):
        raise NotRegistered("intersection", name)
    for name in sorted(serials - known.keys()):
        raise NotRegistered("instrument", name)
    for name in sorted(one for one in stands if there[one]):
        raise IsRetired(name)
    for name in sorted(one for one in measures if known[one]):
        raise IsRetired(name)


def _retired(session: Session, model: Any, key: Any, names: Iterable[str]) -> dict[str, bool]:
    """Those that are there, and whether each was retired."""
    rows = session.execute(select(key, model.retired).where(key.in_(sorted(names))))
    return {row[0]: row[1] for row in rows}


def _require_unused(session: Session, body: RegisterBody, now: datetime) -> None:
    """After everything was recorded: what is retired in this body is used by no device."""
    places = {one.id for one in body.intersections if one.retired}
    serials = {one.serial for one in body.instruments if one.retired}
    if not places and not serials:
        return
    for one in register.standing(session, now):
        if one.intersection in places:
            raise StillPlaced(str(one.intersection), one.device)
        if one.instrument in serials:
            raise StillPlaced(str(one.instrument), one.device)


def versions(session: Session, kind: str, key: str) -> Sequence[Version]:
    """Each wording of one thing, the latest first."""
    query = select(Version).where(Version.kind == kind, Version.key == key)
    return session.scalars(query.order_by(Version.id.desc()).limit(_MOST)).all()


def complaints(session: Session, intersection: str | None, limit: int) -> Sequence[Complaint]:
    """The latest received first; of one intersection, or all. Withdrawn ones among them."""
    query = select(Complaint)
    if intersection is not None:
        query = query.where(Complaint.intersection == intersection)
    query = query.order_by(Complaint.received.desc(), Complaint.reference)
    return session.scalars(query.limit(limit)).all()


_MOST: Final = 200
"""Versions of one thing that are shown."""
