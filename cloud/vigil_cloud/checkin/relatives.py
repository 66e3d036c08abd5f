"""The alert of a visit, for those who may know where its person is."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import literal, select
from sqlalchemy.orm import Session

from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.alerts.places import Place, places_of
from vigil_cloud.alerts.service import Occurrence, record
from vigil_cloud.checkin.models import PersonRule, Visit
from vigil_cloud.checkin.positions import place_of_visit
from vigil_cloud.checkin.rule_titles import DOUBTFUL
from vigil_cloud.checkin.rules import quiet
from vigil_cloud.checkin.stays import NEIGHBOURS_M, PAUSE
from vigil_cloud.city_time import city_clock
from vigil_cloud.geodesy import distance_m
from vigil_cloud.identity import persons
from vigil_schemas.checkin import DOMAIN
from vigil_schemas.types import isoformat_utc

SEEN: Final = "seen"
KIND: Final = "visit"
_MOST_OTHERS: Final = 20
"""Visits that are looked at for the stay that one is part of."""


def is_told(session: Session, rule: PersonRule | None, visit: Visit, now: datetime) -> bool:
    """Whether the person's people are told of this visit by ``rule``, theirs of each stay: only
    where a guardian has set it, and in quiet hours only the end of what they were told of."""
    return rule is not None and (not quiet(rule, now) or _told_of(session, visit))


def _goes_on(session: Session, visit: Visit, place: Place) -> bool:
    """Whether people were told of the stay that this visit is part of (``stays``): whoever sits
    between two stations, or whose beacon's id rotates, makes many visits of one."""
    if visit.doubt is not None or visit.position_state is not None:
        return False  # a station that moves is at another place each time
    told = (
        select(Visit.device, Visit.last_seen)
        .join(AlertRow, AlertRow.key == literal(f"{DOMAIN}:") + Visit.id)
        .where(
            Visit.person_key == visit.person_key,
            Visit.last_seen >= visit.arrived - PAUSE,
            Visit.arrived < visit.arrived,
            Visit.doubt.is_(None),
            Visit.position_state.is_(None),
            Visit.id != visit.id,
        )
        .order_by(Visit.last_seen.desc())
        .limit(_MOST_OTHERS)
    )
    others = session.execute(told).all()
    if any(device == visit.device for device, _ in others):
        return True
    beside = {device for device, last_seen in others if last_seen >= visit.arrived}
    return any(_near(place, other) for other in places_of(session, beside).values())


def _near(one: Place, other: Place) -> bool:
    if one.latitude is None or one.longitude is None:
        return False
    if other.latitude is None or other.longitude is None:
        return False
    here, there = (one.latitude, one.longitude), (other.latitude, other.longitude)
    return distance_m(here, there) <= NEIGHBOURS_M


def _told_of(session: Session, visit: Visit) -> bool:
    key = f"{DOMAIN}:{visit.id}"  # as ``Occurrence.key``
    return session.scalar(select(AlertRow.id).where(AlertRow.key == key)) is not None


def tell_relatives(
    session: Session, visit: Visit, now: datetime, marks: Mapping[str, Any] | None = None
) -> None:
    """Raise the visit's alert, or clear it where the person has left or the station is silent.
    Nobody is told of what belongs to a stay that they were told of.

    The caller holds ``feed.lock``.
    """
    place = place_of_visit(session, visit)
    goes_on = _goes_on(session, visit, place)
    ended = visit.departed or visit.silent_since
    title, title_zh = _titles(visit, place.name, place.name_zh, now)
    if visit.doubt is not None:
        title, title_zh = title + DOUBTFUL[0], title_zh + DOUBTFUL[1]
    row = record(
        session,
        Occurrence(
            domain=DOMAIN,
            reference=visit.id.removeprefix(f"{visit.gateway}:"),
            kind=KIND,
            gateway=visit.gateway,
            device=visit.device,
            title=title,
            title_zh=title_zh,
            severity="info",
            event_time=visit.arrived,
            active=ended is None,
            ended=ended,
            detail=_detail(visit),
            marks=marks or {},
            person_key=visit.person_key,
            person_name=persons.sealed_name(session, visit.person_key or ""),
            latitude=place.latitude,
            longitude=place.longitude,
            quiet=goes_on,
            end_is_told=not goes_on,
        ),
        now,
    )
    # What was true at the arrival must not go on being said.
    row.title, row.title_zh = title, title_zh


def end_told(session: Session, person_key: str, now: datetime) -> None:
    """A guardian wants nobody to be told of visits any more: what stands of them is over, and
    nobody is told that either. The caller holds ``feed.lock``."""
    standing = select(AlertRow).where(
        AlertRow.person_key == person_key,
        AlertRow.domain == DOMAIN,
        AlertRow.kind == KIND,
        AlertRow.active,
    )
    for row in session.scalars(standing).all():
        over = Occurrence(
            domain=DOMAIN,
            reference=row.key.removeprefix(f"{DOMAIN}:{row.gateway}:"),
            kind=KIND,
            gateway=row.gateway,
            device=row.device,
            title=row.title,
            title_zh=row.title_zh,
            severity="info",
            event_time=row.event_time,
            active=False,
            ended=now,
            person_key=person_key,
            end_is_told=False,
        )
        record(session, over, now)


def _titles(visit: Visit, name: str, name_zh: str, now: datetime) -> tuple[str, str]:
    if visit.late and visit.departed is not None:
        at = city_clock(visit.departed, now)
        return (
            f"{{person}} was at {name} until {at} (told late)",
            f"{{person}} 曾到 {name_zh}，{at} 離開（延遲通報）",
        )
    if visit.departed is not None:
        return f"{{person}} was at {name}", f"{{person}} 曾到 {name_zh}"
    if visit.silent_since is not None:
        return (
            f"{{person}} was last seen at {name}; the station is offline",
            f"{{person}} 最後出現在 {name_zh}，該站已離線",
        )
    return f"{{person}} is at {name}", f"{{person}} 到了 {name_zh}"


def _detail(visit: Visit) -> dict[str, Any]:
    """Without the tag: its id would let a reader follow it elsewhere."""
    shown: dict[str, Any] = {
        "visit_id": visit.id.removeprefix(f"{visit.gateway}:"),
        "phase": "arrived" if visit.departed is None else "departed",
        "carrier": visit.carrier,
        "arrived": isoformat_utc(visit.arrived),
        "last_seen": isoformat_utc(visit.last_seen),
        "sightings": visit.sightings,
    }
    optional = {
        "rssi_max_dbm": visit.rssi_max_dbm,
        "battery_mv": visit.battery_mv,
        "station_silent_since": visit.silent_since and isoformat_utc(visit.silent_since),
        "late": visit.late or None,
        "doubt": visit.doubt,
    }
    return shown | {key: value for key, value in optional.items() if value is not None}
