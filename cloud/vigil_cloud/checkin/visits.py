"""Visits as they are stored: merged from their messages, marked, and read as footprints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import Select, and_, bindparam, or_, select, union_all
from sqlalchemy.orm import Session

from vigil_cloud.alerts.places import Place
from vigil_cloud.checkin import positions
from vigil_cloud.checkin.doubts import NEAR_IN_TIME, Doubt, Stay, conflicts
from vigil_cloud.checkin.models import Visit
from vigil_cloud.database.base import UtcDateTime
from vigil_cloud.devices.models import Gateway
from vigil_cloud.domain.port import Received
from vigil_cloud.identity import looks
from vigil_schemas.checkin import CheckinVisit
from vigil_schemas.types import isoformat_utc

LONGEST_FOOTPRINT: Final = timedelta(days=62)
MOST_VISITS: Final = 5000
FOOTPRINTS: Final = "footprints"
LAST_PLACE: Final = "last place"
"""What a look was at, in the audit log."""
LATE: Final = timedelta(minutes=10)
"""A visit whose end is told longer after it than this is told as late."""


class Carried(NamedTuple):
    """Whose the identity of a message is."""

    tag: str
    """As it is kept: of a rotating identity the beacon's own name, which is never sent."""
    person_key: str | None
    doubt: Doubt | None = None


class Merged(NamedTuple):
    """A visit as known now."""

    visit: Visit
    near: Sequence[Visit]
    """Others of its tag at other stations, near in time."""


def merge(
    session: Session, message: Received, event: CheckinVisit, carried: Carried
) -> Merged | None:
    """The visit as known now; ``None`` where the message brings nothing new."""
    visit_id = f"{message.gateway}:{event.visit_id}"
    arrived, last_seen, offset_s = corrected(session, message, event.arrived, event.last_seen)
    departed = last_seen if event.phase == "departed" else None
    visit, near = _known(session, message, visit_id, carried, arrived, last_seen)
    before = None
    if visit is None:
        visit = Visit(
            id=visit_id,
            tag=carried.tag,
            person_key=carried.person_key,
            gateway=message.gateway,
            device=message.envelope.subject,
            carrier=event.carrier,
            arrived=arrived,
            last_seen=last_seen,
            departed=None,
            sightings=event.sightings,
            late=False,
            doubt=carried.doubt,
            clock_offset_s=offset_s,
        )
        session.add(visit)
    else:
        before = _said(visit)
    if last_seen >= visit.last_seen:
        visit.still_since = event.still_since  # ``None``: it has moved since
        positions.keep(visit, positions.position_of(event.position))
    visit.arrived = min(visit.arrived, arrived)
    visit.last_seen = max(visit.last_seen, last_seen)
    if visit.departed is None and departed is not None:
        visit.departed = departed
        visit.late = message.received - last_seen > LATE
    visit.sightings = max(visit.sightings, event.sightings)
    visit.silent_since = None  # the station has spoken
    visit.doubt = visit.doubt or carried.doubt
    visit.clock_quality = message.envelope.clockquality.value
    visit.battery_mv = event.battery_mv or visit.battery_mv
    if event.temperature_c is not None:
        visit.temperature_c = event.temperature_c
    if event.passages and len(event.passages) >= len(visit.passages or ()):
        visit.passages = [passage.model_dump(mode="json") for passage in event.passages]
    levels = [rssi for rssi in (visit.rssi_max_dbm, event.rssi_max_dbm) if rssi is not None]
    visit.rssi_max_dbm = max(levels, default=None)
    session.flush()
    return Merged(visit, near) if before != _said(visit) else None


# Made once: asked for every visit, and to make a statement costs more than to run it.
_ITSELF: Final = select(Visit).where(Visit.id == bindparam("itself"))
_KNOWN: Final = select(Visit).where(
    or_(
        Visit.id == bindparam("itself"),
        and_(
            Visit.person_key == bindparam("person"),
            Visit.last_seen >= bindparam("since", type_=UtcDateTime()),
            Visit.arrived <= bindparam("until", type_=UtcDateTime()),
            Visit.tag == bindparam("tag"),
            Visit.device != bindparam("device"),
        ),
    )
)


def _known(
    session: Session,
    message: Received,
    visit_id: str,
    carried: Carried,
    arrived: datetime,
    last_seen: datetime,
) -> tuple[Visit | None, Sequence[Visit]]:
    """The visit itself, and those that it may not stand beside: with one statement."""
    asked: dict[str, Any] = {"itself": visit_id}
    if carried.person_key is not None:
        asked |= {
            "person": carried.person_key,
            "tag": carried.tag,
            "device": message.envelope.subject,
            "since": arrived - NEAR_IN_TIME,
            "until": last_seen + NEAR_IN_TIME,
        }
    found = session.scalars(_KNOWN if len(asked) > 1 else _ITSELF, asked).all()
    own = next((visit for visit in found if visit.id == visit_id), None)
    return own, [visit for visit in found if visit.id != visit_id]


def _said(visit: Visit) -> tuple[object, ...]:
    """What people are shown of it."""
    ends = (visit.arrived, visit.last_seen, visit.departed, visit.silent_since)
    where = (visit.position_state, visit.latitude, visit.longitude)
    return (*ends, visit.sightings, visit.doubt, visit.still_since, *where)


def corrected(
    session: Session, message: Received, arrived: datetime, last_seen: datetime
) -> tuple[datetime, datetime, float | None]:
    """Arrival and last sign by our clock, and by how much the station's was ahead of it.

    A station that is minutes ahead would put its visits behind later ones elsewhere. What
    its health last said of its clock is taken off, and nothing is later than its receipt.
    """
    offset_s = None
    if "time_quality" not in message.marks:
        gateway = session.get(Gateway, message.gateway)
        if gateway is not None:
            offset_s = (gateway.health or {}).get("clock_offset_s")
            # Of its births and reports, as far as it can be told from a delay.
            offset_s = gateway.clock_offset_s if offset_s is None else offset_s
    if offset_s is not None:
        try:
            step = timedelta(seconds=offset_s)
            arrived, last_seen = arrived - step, last_seen - step
        except OverflowError:  # it says that its clock is off by more than calendars reach
            offset_s = None
    last_seen = min(last_seen, message.received)
    return min(arrived, last_seen), last_seen, offset_s


def mark_conflicts(session: Session, merged: Merged) -> list[Visit]:
    """Mark a visit and those others of its tag that it cannot stand beside; which were marked
    now. Nobody is at two far places at once, or moves faster than a train."""
    visit, near = merged
    if not near:
        return []
    places = positions.places_of_visits(session, (visit, *near))
    found = conflicts(_stay(visit, places), [_stay(one, places) for one in near])
    marked = [one for one in (visit, *near) if one.id in found and one.doubt is None]
    for one in marked:
        one.doubt = found[one.id]
    return marked


def _stay(visit: Visit, places: Mapping[str, Place]) -> Stay:
    place = places[visit.id]
    known = place.latitude is not None and place.longitude is not None
    where = (place.latitude or 0.0, place.longitude or 0.0) if known else None
    return Stay(visit.id, visit.arrived, visit.last_seen, where)


def note_look(  # noqa: PLR0913 - whose, when and who looks
    session: Session,
    person_key: str,
    start: datetime,
    stop: datetime,
    by: str,
    now: datetime,
    *,
    automatic: bool,
    last_alone: bool = False,
) -> None:
    """Somebody looks at where a person was in a period: one line, whatever the page asks for.
    ``last_alone``: they are shown the last place, and no more."""
    looks.note(
        session,
        account=by,
        action="location.read",
        subject=LAST_PLACE if last_alone else FOOTPRINTS,
        thing=_period(start, stop, now),
        person_key=person_key,
        now=now,
        detail={"start": isoformat_utc(start), "stop": isoformat_utc(stop)},
        automatic=automatic,
    )


def _touching() -> Select[Visit]:
    """Visits of ``person`` that touch ``[start, stop)``, the latest first.

    Along what was heard of them since ``start`` and what has not ended: a day costs what has
    happened since, however long the person has carried an amulet."""
    theirs = Visit.person_key == bindparam("person")
    start, stop = (bindparam(name, type_=UtcDateTime()) for name in ("start", "stop"))
    walks = union_all(
        select(Visit.id).where(theirs, Visit.last_seen >= start),
        select(Visit.id).where(theirs, Visit.departed.is_(None)),
    )
    return (
        select(Visit)
        .where(
            Visit.id.in_(walks),
            Visit.arrived < stop,
            # Also what began before and was still going on: nobody vanishes by staying.
            or_(Visit.departed.is_(None), Visit.departed >= start),
            or_(
                Visit.departed.is_not(None), Visit.silent_since.is_(None), Visit.last_seen >= start
            ),
        )
        .order_by(Visit.arrived.desc())
        .limit(MOST_VISITS)
    )


_TOUCHING: Final = _touching()


def visits_between(
    session: Session, person_key: str, start: datetime, stop: datetime
) -> list[tuple[Visit, Place]]:
    """Visits that touch ``[start, stop)``, oldest first, the latest ``MOST_VISITS`` of them. The
    caller has asked the right to them and writes down the look."""
    asked = {"person": person_key, "start": start, "stop": stop}
    found = list(reversed(session.scalars(_TOUCHING, asked).all()))
    places = positions.places_of_visits(session, found)
    return [(visit, places[visit.id]) for visit in found]


def _period(start: datetime, stop: datetime, now: datetime) -> str:
    """The same for two requests for the same days: "the last day" moves on with the clock."""
    if stop >= now - looks.WINDOW:
        return f"last {round((stop - start) / timedelta(minutes=10))}"
    return f"{isoformat_utc(start)} {isoformat_utc(stop)}"
