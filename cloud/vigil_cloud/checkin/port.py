"""What other domains may ask of check-ins: where somebody was, stations, and the watch list.

Whoever asks has decided that it may, and writes the look down in the same transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.checkin import phones
from vigil_cloud.checkin.models import PhoneSighting, StationSilence, Visit
from vigil_cloud.checkin.news import visit_entry
from vigil_cloud.checkin.positions import place_of_visit
from vigil_cloud.checkin.schema import VisitEntry
from vigil_cloud.checkin.stays import opened
from vigil_cloud.checkin.visits import visits_between
from vigil_cloud.checkin.watching import Coverage, coverage, unwatch, watch
from vigil_cloud.devices.models import Device, Gateway
from vigil_schemas.checkin import DOMAIN

__all__ = [
    "Coverage",
    "PhoneSighting",
    "Station",
    "VisitEntry",
    "coverage",
    "footprint",
    "latest_device",
    "newest_visit",
    "opened",
    "phone_heard_since",
    "phone_sightings",
    "stations",
    "unwatch",
    "watch",
]
_LATELY: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Station:
    """A device that hears tags. Coordinates: WGS 84, degrees."""

    device: str
    name: str
    name_zh: str
    latitude: float
    longitude: float
    online: bool
    back_since: datetime | None = None
    """Since when it works again, where we have known it silent."""
    silent_since: datetime | None = None
    """Its last sign, where it is not online."""
    worked_until: datetime | None = None
    """Its last sign before the silence that ``back_since`` ended."""


def footprint(
    session: Session, person_key: str, start: datetime, stop: datetime, now: datetime
) -> list[VisitEntry]:
    """Visits that touch ``[start, stop)``, oldest first. Whoever is shown them by a consent is
    shown what ``opened`` leaves of them."""
    found = visits_between(session, person_key, start, stop)
    return [visit_entry(visit, place, now) for visit, place in found]


def newest_visit(session: Session, person_key: str, now: datetime) -> VisitEntry | None:
    """Where the person was last, of the last thirty days."""
    visit = session.scalar(
        select(Visit)
        .where(Visit.person_key == person_key, Visit.last_seen > now - _LATELY)
        .order_by(Visit.last_seen.desc())
        .limit(1)
    )
    return None if visit is None else visit_entry(visit, place_of_visit(session, visit), now)


def phone_sightings(
    session: Session, person_key: str, start: datetime, stop: datetime
) -> Sequence[PhoneSighting]:
    """What citizens' phones heard in ``[start, stop)`` and can be believed, oldest first: weaker
    than a station, and rounded to about 200 m."""
    return phones.between(session, person_key, start, stop)


def phone_heard_since(session: Session, person_key: str, moment: datetime) -> bool:
    """Whether what a citizen's phone heard has come in since, and can be believed."""
    return phones.any_since(session, person_key, moment)


def latest_device(session: Session, person_key: str, now: datetime) -> str | None:
    """The station that heard the person last, of the last thirty days."""
    query = (
        select(Visit.device)
        .where(Visit.person_key == person_key, Visit.arrived > now - _LATELY)
        .order_by(Visit.last_seen.desc())
    )
    return session.scalar(query.limit(1))


def stations(session: Session) -> Sequence[Station]:
    """Every station that has a place."""
    query = (
        select(Device, Gateway)
        .join(Gateway, Gateway.gateway == Device.gateway)
        .where(Device.domain == DOMAIN, Device.described)
        .order_by(Device.device)
    )
    silences = {one.device: one for one in session.scalars(select(StationSilence))}
    found = []
    for device, gateway in session.execute(query):
        if device.latitude is None or device.longitude is None:
            continue
        name = device.name or device.name_zh or device.device
        online = gateway.connected and not gateway.offline and device.state != "failed"
        silence = silences.get(device.device)
        found.append(
            Station(
                device.device,
                name,
                device.name_zh or name,
                device.latitude,
                device.longitude,
                online,
                None if silence is None else silence.ended,
                None if online else _silent_since(silence, gateway),
                None if silence is None or silence.ended is None else silence.since,
            )
        )
    return found


def _silent_since(silence: StationSilence | None, gateway: Gateway) -> datetime | None:
    if silence is not None and silence.ended is None:
        return silence.since
    return gateway.last_seen
