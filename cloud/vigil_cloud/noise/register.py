"""The register that a measurement is judged by: intersections with their limits, instruments with
their certificates, where which instrument stands, the method's rules, complaints.

Entries are only ever added, with who made them; what holds on a day is the entry that was valid
then and, of those, the one with the latest beginning, then the one recorded last.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, ClassVar, TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.api_errors import ApiError
from vigil_cloud.city_time import CITY_ZONE
from vigil_cloud.database.base import Base
from vigil_cloud.identity import audit
from vigil_cloud.noise.models import (
    Certificate,
    Complaint,
    Instrument,
    Intersection,
    Placement,
    Recorded,
    Road,
    RuleSet,
)
from vigil_cloud.noise.register_schema import RegisterBody

_R = TypeVar("_R", bound=Base)


class NotRegistered(ApiError):
    """An entry names an intersection or an instrument that is not there."""

    code: ClassVar[str] = "noise-not-registered"
    remedy: ClassVar[str] = "Register the intersection or the instrument that is named first."
    status: ClassVar[int] = 422

    def __init__(self, what: str, name: str) -> None:
        super().__init__(f"There is no {what} {name!r} in the register.")
        self.name = name


@dataclass(frozen=True, slots=True)
class Rules:
    """What the method asks. The defaults are secondary sources' (``docs/noise.md``)."""

    background_margin_db: float = 10.0
    wind_limit_m_s: float = 5.0
    sign_distance_m: float = 100.0
    penalties: tuple[tuple[float, int], ...] = ()
    """From so many dB over the limit on, so many TWD."""
    basis: str = ""


@dataclass(frozen=True, slots=True)
class Holding:
    """What the register says of one device at one moment."""

    placement: Placement | None
    road: Road | None
    certificates: Sequence[Certificate]
    """Of the instrument, each kind and number as recorded last."""
    rules: Rules


def civil_day(moment: datetime) -> date:
    """The city's date then."""
    return moment.astimezone(CITY_ZONE).date()


def holding(session: Session, device: str, moment: datetime) -> Holding:
    """For a passage that began at ``moment``. Four statements."""
    day = civil_day(moment)
    placement = session.scalars(
        select(Placement)
        .where(Placement.device == device, Placement.since <= moment)
        .order_by(Placement.since.desc(), Placement.id.desc())
        .limit(1)
    ).first()
    road, certificates = None, list[Certificate]()
    if placement is not None and placement.intersection is not None:
        road = _road(session, placement.intersection, placement.direction, day)
    if placement is not None and placement.instrument is not None:
        certificates = _certificates(session, placement.instrument)
    return Holding(placement, road, certificates, rules_of(session, day))


def _road(session: Session, intersection: str, direction: str, day: date) -> Road | None:
    query = select(Road).where(
        Road.intersection == intersection,
        Road.direction.in_([direction, ""]),
        Road.valid_from <= day,
    )
    found = session.scalars(query).all()
    best = max(
        found, key=lambda one: (one.direction == direction, one.valid_from, one.id), default=None
    )
    if best is None or (best.valid_until is not None and best.valid_until < day):
        return None
    return best


def _certificates(session: Session, instrument: str) -> list[Certificate]:
    query = select(Certificate).where(Certificate.instrument == instrument)
    rows = session.scalars(query.order_by(Certificate.id))
    return list({(one.kind, one.number): one for one in rows}.values())


def rules_of(session: Session, day: date) -> Rules:
    """What held on a day."""
    row = session.scalars(
        select(RuleSet)
        .where(RuleSet.valid_from <= day)
        .order_by(RuleSet.valid_from.desc(), RuleSet.id.desc())
        .limit(1)
    ).first()
    if row is None:
        return Rules()
    steps = sorted((step["over_db"], step["amount_twd"]) for step in row.penalties)
    return Rules(
        row.background_margin_db,
        row.wind_limit_m_s,
        row.sign_distance_m,
        tuple(steps),
        row.basis,
    )


def enter(session: Session, body: RegisterBody, by: str, now: datetime) -> int:
    """Record what is new; how many entries. Raises ``NotRegistered``."""
    count = 0
    for intersection in body.intersections:
        count += _named(session, Intersection, intersection.id, intersection.model_dump())
    for instrument in body.instruments:
        count += _named(session, Instrument, instrument.serial, instrument.model_dump())
    session.flush()
    _require(session, body)
    for complaint in body.complaints:
        if session.get(Complaint, complaint.reference) is None:
            session.add(Complaint(**complaint.model_dump(), recorded=now, recorded_by=by))
            session.flush()
            count += 1
    kinds: tuple[tuple[type[Base], Iterable[Any], tuple[str, ...]], ...] = (
        (Road, body.roads, ("intersection", "direction", "valid_from")),
        (Certificate, body.certificates, ("instrument", "kind", "number")),
        (Placement, body.placements, ("device", "since")),
        (RuleSet, body.rules, ("valid_from",)),
    )
    for model, entries, key in kinds:
        for entry in entries:
            count += _appended(session, model, entry.model_dump(), _plain(entry), key, (by, now))
    if count:
        audit.append(
            session,
            at=now,
            account=by,
            action="noise.register",
            subject="noise",
            detail={name: len(value) for name, value in body if value},
        )
    return count


def _plain(entry: Any) -> dict[str, Any]:
    plain: dict[str, Any] = entry.model_dump(mode="json")
    return plain


def _named(session: Session, model: type[_R], key: str, values: Mapping[str, Any]) -> int:
    row = session.get(model, key)
    if row is None:
        session.add(model(**values))
        return 1
    changed = [name for name, value in values.items() if getattr(row, name) != value]
    for name in changed:
        setattr(row, name, values[name])
    return bool(changed)


def _appended(
    session: Session,
    model: type[Base],
    values: Mapping[str, Any],
    plain: Mapping[str, Any],
    key: Sequence[str],
    made: tuple[str, datetime],
) -> int:
    """A row, unless the newest of its key says the same."""
    values = {
        name: plain[name] if isinstance(value, list) else value for name, value in values.items()
    }
    columns: Any = model
    same = [getattr(columns, name) == values[name] for name in key]
    query = select(model).where(*same).order_by(columns.id.desc()).limit(1)
    newest = session.scalars(query).first()
    if newest is not None and all(getattr(newest, name) == values[name] for name in values):
        return 0
    session.add(columns(**values, recorded=made[1], recorded_by=made[0]))
    session.flush()
    return 1


def _require(session: Session, body: RegisterBody) -> None:
    places = {road.intersection for road in body.roads}
    places |= {complaint.intersection for complaint in body.complaints}
    places |= {one.intersection for one in body.placements if one.intersection is not None}
    serials = {certificate.instrument for certificate in body.certificates}
    serials |= {one.instrument for one in body.placements if one.instrument is not None}
    there = set(session.scalars(select(Intersection.id).where(Intersection.id.in_(places))))
    known = set(session.scalars(select(Instrument.serial).where(Instrument.serial.in_(serials))))
    for name in sorted(places - there):
        raise NotRegistered("intersection", name)
    for name in sorted(serials - known):
        raise NotRegistered("instrument", name)


def everything(session: Session, model: type[_R]) -> Sequence[_R]:
    """All rows of a table of the register, in the order in which they were made."""
    columns: Any = model
    order = columns.id if issubclass(model, Recorded) else model.__mapper__.primary_key[0]
    return session.scalars(select(model).order_by(order)).all()
