"""Things with an owner: a bicycle, a wheelchair, a car that a sticker or a beacon is on.

A thing belongs to a person who is enrolled; whoever guards them (they themselves, or a relative)
registers it, asks where it is, has it watched while it is parked, and reports it stolen. As of
amulets, only what is in the city's stock and fits its printed code can be registered: nobody
follows a stranger's key ring by sticking its id on a bicycle of theirs.

Its visits name nobody. They are read by its tag, from when it was registered on.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import ClassVar, Final, Literal, cast

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from vigil_cloud.alerts.places import Place, place_of, place_then
from vigil_cloud.api_errors import ApiError, NotFound
from vigil_cloud.checkin import amulets
from vigil_cloud.checkin.models import Amulet, Thing, Visit
from vigil_cloud.checkin.positions import place_of_visit, places_of_visits, position_entry
from vigil_cloud.checkin.schema import PositionEntry
from vigil_cloud.checkin.thing_alerts import end_moved, tell_moved, tell_seen, told_at
from vigil_cloud.domain.presence import TagSeen
from vigil_cloud.geodesy import distance_m
from vigil_cloud.identity import audit, persons
from vigil_cloud.identity.cipher import Cipher

Kind = Literal["bicycle", "scooter", "car", "wheelchair", "aed", "other"]
KINDS: Final = ("bicycle", "scooter", "car", "wheelchair", "aed", "other")
NAME: Final = "thing.name"
MOST_THINGS: Final = 10
"""Of one person."""
MOST_SIGNS: Final = 500
SEEN_AGAIN: Final = timedelta(hours=1)
"""A stolen thing is told of anew at the same station after so long without a sign."""
ELSEWHERE_M: Final = 200.0
"""From where its people were told of it last: a station that moves tells of it anew."""
BEFORE_THEFT: Final = timedelta(days=1)
"""So far back the police see where a stolen thing was: it is often missed hours later."""


class ThingNotSeen(ApiError):
    """No station has seen it, so where it is parked has to be said."""

    code: ClassVar[str] = "thing-not-seen"
    remedy: ClassVar[str] = "Say where it stands, or wait until a station has seen it."
    status: ClassVar[int] = 409

    def __init__(self) -> None:
        super().__init__("No station with a known place has seen this thing yet.")


class TooManyThings(ApiError):
    """More than anybody needs."""

    code: ClassVar[str] = "too-many-things"
    remedy: ClassVar[str] = "Remove one that is not used any more."
    status: ClassVar[int] = 409

    def __init__(self) -> None:
        super().__init__(f"{MOST_THINGS} things are registered for this person already.")


class ThingStolen(ApiError):
    """It is looked for: what is known of it belongs to a case."""

    code: ClassVar[str] = "thing-stolen"
    remedy: ClassVar[str] = "Close the case of its theft first."
    status: ClassVar[int] = 409

    def __init__(self) -> None:
        super().__init__("This thing is reported stolen.")


@dataclass(frozen=True, slots=True)
class Guard:
    """Where a thing is parked. WGS 84, degrees; ``None``: where it was seen last."""

    latitude: float | None = None
    longitude: float | None = None
    radius_m: float = 300.0


@dataclass(frozen=True, slots=True)
class Sign:
    """A thing was at a station."""

    arrived: datetime
    last_seen: datetime
    device: str
    place: Place
    position: PositionEntry | None
    """Of a station that moves."""


def register(  # noqa: PLR0913 - what, whose and by whom, all by name
    session: Session,
    cipher: Cipher,
    person_key: str,
    kind: Kind,
    name: str,
    typed: str,
    *,
    by: str,
    now: datetime,
) -> Thing:
    """A thing of this person's, under the code that is printed on its sticker. Raises
    ``BadAmulet``, ``AmuletRefused``, ``TooManyThings``, ``NotFound``."""
    persons.require_enrolled(session, person_key)
    tag = amulets.free(session, cipher, typed)
    if len(of_person(session, person_key)) >= MOST_THINGS:
        raise TooManyThings
    thing = Thing(
        id=str(uuid.uuid4()),
        person_key=person_key,
        kind=kind,
        name=cipher.seal(NAME, name),
        tag=tag,
        added=now,
    )
    session.add(thing)
    session.execute(update(Amulet).where(Amulet.tag == tag).values(state="carried", changed=now))
    session.flush()
    _note(session, thing, "thing.added", by, now, kind=kind)
    return thing


def of_person(session: Session, person_key: str) -> Sequence[Thing]:
    """In the order in which they were registered."""
    query = select(Thing).where(Thing.person_key == person_key).order_by(Thing.added, Thing.id)
    return session.scalars(query).all()


def find(session: Session, person_key: str, thing: str) -> Thing:
    """One of this person's, locked. Raises ``NotFound``."""
    row = session.get(Thing, thing, with_for_update=True, populate_existing=True)
    if row is None or row.person_key != person_key:
        raise NotFound("This person has no such thing.")
    return row


def remove(session: Session, thing: Thing, *, by: str, now: datetime) -> None:
    """It is followed no more; its sticker goes back to the city. Raises ``ThingStolen``."""
    if thing.stolen is not None:
        raise ThingStolen
    end_moved(session, thing, now)
    session.execute(
        update(Amulet).where(Amulet.tag == thing.tag).values(state="returned", changed=now)
    )
    _note(session, thing, "thing.removed", by, now)
    session.delete(thing)
    session.flush()


def guard(session: Session, thing: Thing, where: Guard, *, by: str, now: datetime) -> None:
    """Its people are told when it is seen away from there. Raises ``ThingNotSeen``."""
    latitude, longitude = where.latitude, where.longitude
    if latitude is None or longitude is None:
        place = last_place(session, thing)
        if place is None or place.latitude is None or place.longitude is None:
            raise ThingNotSeen
        latitude, longitude = place.latitude, place.longitude
    end_moved(session, thing, now)
    thing.guard_latitude, thing.guard_longitude = latitude, longitude
    thing.guard_radius_m, thing.guarded = where.radius_m, now
    session.flush()
    _note(session, thing, "thing.guarded", by, now)


def leave(session: Session, thing: Thing, *, by: str, now: datetime) -> None:
    """Its owner uses it: that it moves is told to nobody. Idempotent."""
    if thing.guard_radius_m is None:
        return
    end_moved(session, thing, now)
    thing.guard_latitude = thing.guard_longitude = thing.guard_radius_m = thing.guarded = None
    session.flush()
    _note(session, thing, "thing.released", by, now)


def signs(session: Session, thing: Thing, since: datetime | None = None) -> list[Sign]:
    """Where stations have seen it, newest first. The caller has asked the right to it and writes
    down the look."""
    begin = thing.added if since is None else max(since, thing.added)
    query = (
        select(Visit)
        .where(Visit.tag == thing.tag, Visit.person_key.is_(None), Visit.last_seen > begin)
        .order_by(Visit.last_seen.desc())
        .limit(MOST_SIGNS)
    )
    found = session.scalars(query).all()
    places = places_of_visits(session, found)
    return [
        Sign(
            max(visit.arrived, begin),
            visit.last_seen,
            visit.device,
            places[visit.id],
            position_entry(visit),
        )
        for visit in found
    ]


def last_place(session: Session, thing: Thing) -> Place | None:
    """Where it was seen last; ``None``: nowhere yet."""
    if thing.seen_device is None:
        return None
    newest = (
        select(Visit)
        .where(
            Visit.tag == thing.tag,
            Visit.person_key.is_(None),
            Visit.device == thing.seen_device,
            Visit.last_seen > thing.added,
        )
        .order_by(Visit.last_seen.desc())
        .limit(1)
    )
    visit = session.scalar(newest)
    if visit is None:  # its visit is on its way
        return place_of(session, thing.seen_device)
    return place_of_visit(session, visit)


def seen(session: Session, sign: TagSeen) -> None:
    """A station has seen a tag that no person carries. The caller holds the feed's lock."""
    thing = session.scalar(select(Thing).where(Thing.tag == sign.tag).with_for_update())
    if thing is None:
        return
    if sign.at_once and thing.stolen is not None and sign.last < thing.stolen:
        # No station was asked to tell of it before: its clock is behind.
        marks = {**sign.marks, "time_quality": "behind"}
        sign = replace(sign, last=sign.received, marks=marks)
    if thing.seen is not None and thing.seen >= sign.last:
        return
    before, elsewhere = thing.seen, thing.seen_device != sign.device
    thing.seen, thing.seen_device = sign.last, sign.device
    session.flush()
    place = place_then(session, sign.device, sign.position)
    if thing.stolen is not None:
        driven = sign.position is not None and _is_away(told_at(session, thing), place)
        if elsewhere or driven or _anew(thing.stolen, before, sign.last):
            tell_seen(session, thing, sign, place)
        return
    away_m = _away_m(thing, place)
    if away_m is None or thing.guard_radius_m is None:
        return
    if thing.guarded is not None and sign.last < thing.guarded:
        return
    if away_m > thing.guard_radius_m:
        tell_moved(session, thing, sign, place, away_m)
    else:
        end_moved(session, thing, sign.received)


def _is_away(told: tuple[float, float] | None, place: Place) -> bool:
    """Whether a station that moves has met it at another place than its people know of."""
    if place.latitude is None or place.longitude is None:
        return False
    return told is None or distance_m(told, (place.latitude, place.longitude)) > ELSEWHERE_M


def _anew(stolen: datetime, before: datetime | None, last: datetime) -> bool:
    """Whether a stolen thing is seen where it was last for the first time since, or again."""
    return before is None or before < stolen or last - before > SEEN_AGAIN


def kind_of(thing: Thing) -> Kind:
    """As it is kept."""
    return cast(Kind, thing.kind)


def _away_m(thing: Thing, place: Place) -> float | None:
    if thing.guard_latitude is None or thing.guard_longitude is None:
        return None
    if place.latitude is None or place.longitude is None:
        return None
    parked = (thing.guard_latitude, thing.guard_longitude)
    return distance_m(parked, (place.latitude, place.longitude))


def _note(
    session: Session, thing: Thing, action: str, by: str, now: datetime, **detail: str
) -> None:
    audit.append(
        session,
        at=now,
        account=by,
        action=action,
        subject=thing.id,
        person_key=thing.person_key,
        detail=detail,
    )
