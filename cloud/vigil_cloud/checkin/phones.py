"""Citizens' phones: an app tells which rotating ids it heard, and roughly where.

A weaker source than a station. Nobody's phone is known by anything: no account, no number, no
address is kept with a report. Only rotating ids are taken, for a static one would let anybody say
where its carrier is. What a phone says is kept beside the reports of everybody for a few seconds,
then resolved by a job: what is nobody's is deleted at once, so that neither the answer nor its time
tells whether an id is somebody's. Positions are coarse: they are rounded before they are written.

Whoever heard an id can claim to have heard it elsewhere while it lasts. So a report that cannot
stand beside what stations have heard is marked, what comes from outside of the city (from the sea)
is refused, and nothing is raised or ended by a phone.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar, Final

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from vigil_cloud.alerts.places import Place
from vigil_cloud.api_errors import ApiError
from vigil_cloud.checkin import rotating
from vigil_cloud.checkin.doubts import NEAR_IN_TIME, Stay, conflicts
from vigil_cloud.checkin.models import PhoneReport, PhoneSighting, Tag, Visit
from vigil_cloud.checkin.positions import places_of_visits
from vigil_cloud.database.engine import writing
from vigil_cloud.devices.models import Device
from vigil_cloud.domain.port import prepared
from vigil_cloud.geodesy import distance_m
from vigil_cloud.identity import districts
from vigil_cloud.jobs.port import Job, Turn
from vigil_cloud.services import Services
from vigil_schemas.checkin import DOMAIN

EVERY: Final = timedelta(seconds=2)
OLDEST: Final = timedelta(minutes=15)
AHEAD: Final = timedelta(seconds=60)
"""By how much a phone's clock may be ahead."""
GRID_DEGREES: Final = 0.002
"""About 200 m: where a report is put."""
COARSE_M: Final = 200.0
NEAR_M: Final = 2_000.0
"""Of a station: where no district is drawn, this far reaches the city."""
MOST_WAITING: Final = 20_000
"""Reports that wait to be resolved; beyond that phones are asked to come back."""
AT_ONCE: Final = 200
LONGEST_S: Final = 2.0
"""Of one turn: other jobs wait for it."""
LATELY: Final = timedelta(days=7)


class OutOfCity(ApiError):
    """No person of this city's is there: at sea, or in another city."""

    code: ClassVar[str] = "phone-out-of-city"
    remedy: ClassVar[str] = "Report what was heard within the city alone."
    status: ClassVar[int] = 422

    def __init__(self) -> None:
        super().__init__("A report does not come from within this city.")


class BadReportTime(ApiError):
    """Heard too long ago, or not yet."""

    code: ClassVar[str] = "phone-report-time"
    remedy: ClassVar[str] = "Report within a quarter of an hour, by a clock that is right."
    status: ClassVar[int] = 422

    def __init__(self) -> None:
        super().__init__("A report is older than a quarter of an hour, or lies in the future.")


class TooManyReports(ApiError):
    """More come than are resolved."""

    code: ClassVar[str] = "phone-reports-full"
    remedy: ClassVar[str] = "Try again in a minute."
    status: ClassVar[int] = 503

    def __init__(self) -> None:
        super().__init__("Too many reports wait; try again in a minute.", {"Retry-After": "60"})


@dataclass(frozen=True, slots=True)
class Heard:
    """A rotating id, when and about where. WGS 84, degrees."""

    id: str
    at: datetime
    latitude: float
    longitude: float
    accuracy_m: float


def check(session: Session, heard: Sequence[Heard], now: datetime) -> None:
    """Whether they can be kept. A read: it is not for the time of a write, in which an alarm would
    wait behind it. Raises ``OutOfCity``, ``BadReportTime``."""
    for one in heard:
        if not now - OLDEST <= one.at <= now + AHEAD:
            raise BadReportTime
    reach = _Reach(session)
    if not all(reach.covers(one.latitude, one.longitude) for one in heard):
        raise OutOfCity


def take(session: Session, heard: Sequence[Heard], now: datetime) -> None:
    """Keep what was checked until the job has looked. Raises ``TooManyReports``, and then nothing
    was kept."""
    waiting = select(PhoneReport.id).offset(MOST_WAITING).limit(1)
    if session.scalar(waiting) is not None:
        raise TooManyReports
    session.add_all(
        PhoneReport(
            heard_id=one.id,
            at=min(one.at, now),
            latitude=_coarse(one.latitude),
            longitude=_coarse(one.longitude),
            within_m=max(one.accuracy_m, COARSE_M),
            received=now,
        )
        for one in heard
    )
    session.flush()


class _Reach:
    """Where the city is: in its districts, or near its stations where none is drawn."""

    def __init__(self, session: Session) -> None:
        self._drawn = districts.drawn(session)
        query = select(Device.latitude, Device.longitude).where(
            Device.domain == DOMAIN, Device.latitude.is_not(None), Device.longitude.is_not(None)
        )
        self._stations = [
            (latitude, longitude)
            for latitude, longitude in session.execute(query)
            if latitude is not None and longitude is not None
        ]

    def covers(self, latitude: float, longitude: float) -> bool:
        if self._drawn:
            return districts.within_any(self._drawn, latitude, longitude)
        here = (latitude, longitude)
        return any(distance_m(here, (lat, lon)) <= NEAR_M for lat, lon in self._stations)


def _coarse(degrees: float) -> float:
    return round(round(degrees / GRID_DEGREES) * GRID_DEGREES, 6)


def phone_job() -> Job:
    """Resolves what phones have reported."""
    return Job("phone-reports", EVERY, resolve_waiting, waiting=waiting)


def waiting(session: Session, now: datetime) -> bool:
    """Whether anything is to be resolved. A read."""
    del now
    return session.scalar(select(PhoneReport.id).limit(1)) is not None


def resolve_waiting(turn: Turn) -> None:
    """Until none waits, or for a while: each becomes a sighting of somebody's, or is gone."""
    services, begun = turn.services, time.monotonic()
    while True:
        done, found = prepared(services.sessions, lambda: _round(services))
        if found:
            services.changed.announce()
        if done < AT_ONCE or time.monotonic() - begun > LONGEST_S:
            return


def _round(services: Services) -> tuple[int, bool]:
    """How many reports were resolved, and whether any was somebody's."""
    now = services.now()
    with writing(services.sessions) as session:
        rows = session.scalars(select(PhoneReport).order_by(PhoneReport.id).limit(AT_ONCE)).all()
        sightings = [_sighting(session, row, now) for row in rows]
        found = [one for one in sightings if one is not None]
        done = [row.id for row in rows]
        session.execute(
            delete(PhoneReport)
            .where(PhoneReport.id.in_(done))
            .execution_options(synchronize_session=False)
        )
        session.add_all(found)
        return len(done), bool(found)


def _sighting(session: Session, row: PhoneReport, now: datetime) -> PhoneSighting | None:
    # Nobody knows whose phone it is: what it says moves no beacon's clock.
    known = rotating.resolve(session, row.heard_id, row.at, row.at, row.received, learn=False)
    if known is None:
        return None
    person = session.scalar(select(Tag.person_key).where(Tag.tag == known.tag))
    if person is None:
        return None
    doubt = known.doubt or _conflict(session, known.tag, person, row)
    return PhoneSighting(
        person_key=person,
        at=row.at,
        latitude=row.latitude,
        longitude=row.longitude,
        within_m=row.within_m,
        doubt=doubt,
        received=now,
    )


def _conflict(session: Session, tag: str, person: str, row: PhoneReport) -> str | None:
    """Whether a station has heard the beacon where it cannot have been as well."""
    near = select(Visit).where(
        Visit.person_key == person,
        Visit.tag == tag,
        Visit.last_seen >= row.at - NEAR_IN_TIME,
        Visit.arrived <= row.at + NEAR_IN_TIME,
    )
    visits = session.scalars(near).all()
    places = places_of_visits(session, visits)
    own = Stay("phone", row.at, row.at, (row.latitude, row.longitude))
    others = [
        Stay(visit.id, visit.arrived, visit.last_seen, _where(places[visit.id])) for visit in visits
    ]
    return conflicts(own, others).get("phone")


def _where(place: Place) -> tuple[float, float] | None:
    if place.latitude is None or place.longitude is None:
        return None
    return place.latitude, place.longitude


def newest(session: Session, person_key: str, after: datetime | None) -> PhoneSighting | None:
    """The last that can be believed, of after this moment. The caller has asked the right to it."""
    query = select(PhoneSighting).where(
        PhoneSighting.person_key == person_key, PhoneSighting.doubt.is_(None)
    )
    if after is not None:
        query = query.where(PhoneSighting.at > after)
    return session.scalar(query.order_by(PhoneSighting.at.desc()).limit(1))


def any_since(session: Session, person_key: str, moment: datetime) -> bool:
    """Whether one that can be believed has come in since, whenever the phone heard it."""
    query = select(PhoneSighting.id).where(
        PhoneSighting.person_key == person_key,
        PhoneSighting.doubt.is_(None),
        PhoneSighting.received >= moment,
    )
    return session.scalar(query.limit(1)) is not None


def between(
    session: Session, person_key: str, start: datetime, stop: datetime
) -> Sequence[PhoneSighting]:
    """Those that can be believed, oldest first, the latest 200 of them."""
    query = select(PhoneSighting).where(
        PhoneSighting.person_key == person_key,
        PhoneSighting.doubt.is_(None),
        PhoneSighting.at >= start,
        PhoneSighting.at < stop,
    )
    rows = session.scalars(query.order_by(PhoneSighting.at.desc()).limit(AT_ONCE)).all()
    return list(reversed(rows))
