"""The alert of a visit, for those who may know where its person is."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.alerts.places import place_of
from vigil_cloud.alerts.service import Occurrence, record
from vigil_cloud.checkin.models import PersonRule, Visit
from vigil_cloud.city_time import city_clock
from vigil_cloud.identity import persons
from vigil_schemas.checkin import DOMAIN
from vigil_schemas.types import isoformat_utc

SEEN: Final = "seen"


def wants_visits(session: Session, person_key: str) -> bool:
    """Whether the person's people are told of each visit: only where a guardian has said so."""
    return session.get(PersonRule, (person_key, SEEN)) is not None


def told_of(session: Session, visit: Visit) -> bool:
    """Whether there is an alert of this visit: its end is told also in quiet hours."""
    key = f"{DOMAIN}:{visit.gateway}:{visit.id.removeprefix(f'{visit.gateway}:')}"
    return session.scalar(select(AlertRow.id).where(AlertRow.key == key)) is not None


def tell_relatives(
    session: Session, visit: Visit, now: datetime, marks: Mapping[str, Any] | None = None
) -> None:
    """Raise the visit's alert, or clear it where the person has left or the station is silent.

    The caller holds ``feed.lock``.
    """
    place = place_of(session, visit.device)
    ended = visit.departed or visit.silent_since
    title, title_zh = _titles(visit, place.name, place.name_zh, now)
    row = record(
        session,
        Occurrence(
            domain=DOMAIN,
            reference=visit.id.removeprefix(f"{visit.gateway}:"),
            kind="visit",
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
        ),
        now,
    )
    # What was true at the arrival must not go on being said.
    row.title, row.title_zh = title, title_zh


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
