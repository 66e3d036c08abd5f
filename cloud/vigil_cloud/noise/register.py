"""The register that a measurement is judged by: intersections with their limits, instruments with
their certificates, where which instrument stands, the method's rules, complaints.

Entries are only ever added, with who made them (``recording.py``); of one key the entry recorded
last counts, unless it withdraws the key; what holds on a day is the entry that was valid then and,
of those, the one with the latest beginning.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.city_time import CITY_ZONE
from vigil_cloud.database.base import Base
from vigil_cloud.noise.models import Certificate, Placement, Recorded, Road, RuleSet, Withdrawable

_R = TypeVar("_R", bound=Base)
_W = TypeVar("_W", Certificate, Placement, Road, RuleSet)


KEYS: Final[dict[type[Withdrawable], tuple[str, ...]]] = {
    Road: ("intersection", "direction", "valid_from"),
    Certificate: ("instrument", "kind", "number"),
    Placement: ("device", "since"),
    RuleSet: ("valid_from",),
}
"""What an entry is about: a later one of the same counts instead."""


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
    placement = max(
        counted(
            session.scalars(
                select(Placement).where(Placement.device == device, Placement.since <= moment)
            )
        ),
        key=lambda one: one.since,
        default=None,
    )
    road, certificates = None, list[Certificate]()
    if placement is not None and placement.intersection is not None:
        road = road_on(session, placement.intersection, placement.direction, day)
    if placement is not None and placement.instrument is not None:
        own = select(Certificate).where(Certificate.instrument == placement.instrument)
        certificates = counted(session.scalars(own))
    return Holding(placement, road, certificates, rules_of(session, day))


def counted(entries: Iterable[_W]) -> list[_W]:
    """Of each key the entry recorded last, without what was withdrawn."""
    newest: dict[tuple[Any, ...], _W] = {}
    for one in sorted(entries, key=lambda one: one.id):
        newest[tuple(getattr(one, name) for name in KEYS[type(one)])] = one
    return [one for one in newest.values() if not one.withdrawn]


def standing(session: Session, now: datetime) -> list[Placement]:
    """Of each device what holds now, and everything that begins later."""
    current: dict[str, Placement] = {}
    later = list[Placement]()
    for one in sorted(counted(session.scalars(select(Placement))), key=lambda one: one.since):
        if one.since <= now:
            current[one.device] = one
        else:
            later.append(one)
    return [*current.values(), *later]


def road_on(session: Session, intersection: str, direction: str, day: date) -> Road | None:
    """Whose limit held there on a day; ``None``: none did."""
    query = select(Road).where(
        Road.intersection == intersection,
        Road.direction.in_([direction, ""]),
        Road.valid_from <= day,
    )
    best = max(
        counted(session.scalars(query)),
        key=lambda one: (one.direction == direction, one.valid_from),
        default=None,
    )
    if best is None or (best.valid_until is not None and best.valid_until < day):
        return None
    return best


def rules_of(session: Session, day: date) -> Rules:
    """What held on a day."""
    found = counted(session.scalars(select(RuleSet).where(RuleSet.valid_from <= day)))
    row = max(found, key=lambda one: one.valid_from, default=None)
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


def everything(session: Session, model: type[_R]) -> Sequence[_R]:
    """All rows of a table of the register, in the order in which they were made."""
    columns: Any = model
    order = columns.id if issubclass(model, Recorded) else model.__mapper__.primary_key[0]
    return session.scalars(select(model).order_by(order)).all()
