"""Where somebody was last, how far that can be believed now, and where they usually are."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.alerts.places import places_of
from vigil_cloud.checkin import phones
from vigil_cloud.checkin.models import StationSilence, Visit
from vigil_cloud.checkin.news import PRESENT_WITHIN, visit_entry
from vigil_cloud.checkin.positions import place_of_visit
from vigil_cloud.checkin.schema import LastPlaceEntry, LastSign, PhoneSign, UsualPlace
from vigil_cloud.checkin.visits import note_look
from vigil_cloud.city_time import CITY_ZONE
from vigil_cloud.devices.models import Device, Gateway
from vigil_cloud.identity.reader import Reader
from vigil_cloud.identity.whereabouts import Scope, opened_to

USUAL: Final = timedelta(days=60)
_MOST_VISITS: Final = 1_000
_MOST_PLACES: Final = 10
_FEWEST_DAYS: Final = 2
_A_DAY: Final = timedelta(days=1)
_OLD: Final = timedelta(hours=2)
_MOSTLY: Final = 0.2
"""Of a place's visits: what makes an hour usual there."""
Reason = str


@dataclass(frozen=True, slots=True)
class _Station:
    online: bool
    offline_since: datetime | None


def last_place(
    session: Session, person_key: str, reader: Reader, now: datetime, *, automatic: bool = False
) -> LastPlaceEntry:
    """The caller has checked that a consent opens the last place; the look is written down. Usual
    places are drawn from the footprint: they are told as far as that is open. ``automatic``: an
    open page asks again by itself."""
    footprint = opened_to(reader, person_key, Scope.FOOTPRINT)
    # The page asks for the last day as well: that is one look.
    note_look(
        session,
        person_key,
        now - _A_DAY,
        now,
        reader.username,
        now,
        automatic=automatic,
        last_alone=footprint is None,
    )
    visit = session.scalar(
        select(Visit)
        .where(Visit.person_key == person_key)
        .order_by(Visit.last_seen.desc())
        .limit(1)
    )
    last = None if visit is None else _sign(session, visit, now)
    missed = last is not None and not last.present and now - last.at > PRESENT_WITHIN
    return LastPlaceEntry(
        last=last,
        not_seen_since=last.at if last is not None and missed else None,
        phone=_by_phone(session, person_key, None if last is None else last.at, now),
        usual_places=[]
        if footprint is None
        else usual_places(session, person_key, now, footprint.since),
    )


def _by_phone(
    session: Session, person_key: str, after: datetime | None, now: datetime
) -> PhoneSign | None:
    found = phones.newest(session, person_key, after)
    if found is None:
        return None
    return PhoneSign(
        at=found.at,
        age_s=max(0.0, (now - found.at).total_seconds()),
        latitude=found.latitude,
        longitude=found.longitude,
        within_m=found.within_m,
    )


def _sign(session: Session, visit: Visit, now: datetime) -> LastSign:
    place = place_of_visit(session, visit)
    entry = visit_entry(visit, place, now)
    at = visit.departed or visit.last_seen
    station = _station(session, visit, now)
    reasons = _doubts(visit, at, station, now)
    return LastSign.model_validate(
        {
            **entry.model_dump(),
            "at": at,
            "age_s": max(0.0, (now - at).total_seconds()),
            "confidence": _confidence(reasons),
            "reasons": reasons,
            "station_online": station.online,
            "station_offline_since": station.offline_since,
        }
    )


def _doubts(visit: Visit, at: datetime, station: _Station, now: datetime) -> list[Reason]:
    age = now - at
    return [
        *(["very-old"] if age > _OLD else ["old"] if age > PRESENT_WITHIN else []),
        *([] if station.online else ["station-offline"]),
        *(["single-sign"] if visit.sightings <= 1 else []),
        *(["doubtful"] if visit.doubt is not None else []),
    ]


def _confidence(reasons: Sequence[Reason]) -> str:
    if {"very-old", "doubtful"} & set(reasons) or len(
        {"old", "station-offline"} & set(reasons)
    ) == 2:
        return "low"
    weak = {"old", "station-offline", "single-sign"} & set(reasons)
    return "medium" if weak else "high"


def _station(session: Session, visit: Visit, now: datetime) -> _Station:
    """Whether it works now, and since when it does not: its last word, or when its radio failed."""
    device, gateway = session.get(Device, visit.device), session.get(Gateway, visit.gateway)
    silence = session.get(StationSilence, visit.device)
    gone = gateway is None or not gateway.connected or gateway.offline
    failed = device is not None and device.state == "failed"
    if not gone and not failed:
        return _Station(True, None)
    if silence is not None and silence.ended is None:
        return _Station(False, silence.since)
    since = device.since if failed and not gone and device is not None else None
    last_word = None if gateway is None else gateway.last_seen
    return _Station(False, since or last_word or now)


def usual_places(
    session: Session, person_key: str, now: datetime, since: datetime | None = None
) -> list[UsualPlace]:
    """Where they were on two days or more of the last sixty (and not before ``since``), the most
    frequent first."""
    begin = now - USUAL
    rows = session.execute(
        select(Visit.device, Visit.arrived, Visit.last_seen)
        .where(
            Visit.person_key == person_key,
            Visit.arrived >= (begin if since is None else max(begin, since)),
            Visit.doubt.is_(None),  # where a copy of the amulet was is no habit
            Visit.position_state.is_(None),  # nor is a station that moves a place
        )
        .order_by(Visit.arrived.desc())
        .limit(_MOST_VISITS)
    ).all()
    visits: dict[str, list[tuple[datetime, datetime]]] = defaultdict(list)
    for device, arrived, seen in rows:
        visits[device].append((arrived, seen))
    days = {  # of the city
        device: len({one.astimezone(CITY_ZONE).date() for one, _ in some})
        for device, some in visits.items()
    }
    often = sorted(
        (device for device, count in days.items() if count >= _FEWEST_DAYS),
        key=lambda device: (-days[device], -len(visits[device]), device),
    )[:_MOST_PLACES]
    places = places_of(session, set(often))
    return [_usual(device, places[device], visits[device], days[device], now) for device in often]


def _usual(
    device: str, place: Any, visits: Sequence[tuple[datetime, datetime]], days: int, now: datetime
) -> UsualPlace:
    counted: Counter[int] = Counter()
    for arrived, seen in visits:
        spans = min(24, int((seen - arrived) / timedelta(hours=1)) + 1)
        counted.update({(arrived.hour + hour) % 24 for hour in range(spans)})
    hours = sorted(hour for hour, count in counted.items() if count >= _MOSTLY * len(visits))
    return UsualPlace(
        device=device,
        name=place.name,
        name_zh=place.name_zh,
        latitude=place.latitude,
        longitude=place.longitude,
        visits=len(visits),
        days=days,
        hours=hours,
        usual_now=now.hour in hours,
    )
