"""What is told of a thing: that it moved, to those who may know where its owner is; where a stolen
one is seen, to the people of its case as well."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.alerts.places import Place
from vigil_cloud.alerts.service import Occurrence, record
from vigil_cloud.checkin.models import Thing
from vigil_cloud.checkin.rules import FRESH
from vigil_cloud.city_time import city_clock
from vigil_cloud.domain.presence import TagSeen
from vigil_cloud.identity import persons
from vigil_schemas.checkin import DOMAIN
from vigil_schemas.types import isoformat_utc

MOVED: Final = "thing-moved"
SEEN: Final = "thing-seen"
WORDS: Final = {
    "bicycle": ("bicycle", "自行車"),
    "scooter": ("scooter", "機車"),
    "car": ("car", "汽車"),
    "wheelchair": ("wheelchair", "輪椅"),
    "aed": ("AED", "AED"),
    "other": ("thing", "物品"),
}


def tell_moved(session: Session, thing: Thing, sign: TagSeen, place: Place, away_m: float) -> None:
    """It is away from where it was parked: once, until it is back or its owner says so."""
    if thing.reference is not None:
        return
    thing.reference = f"thing:{thing.id}:{isoformat_utc(sign.last)}"
    word, word_zh = WORDS[thing.kind]
    title = f"The {word} of {{person}} has moved: seen at {place.name}, {away_m:.0f} m away"
    title_zh = f"{{person}} 的{word_zh}被移動：出現在 {place.name_zh}，距原處 {away_m:.0f} 公尺"
    if sign.received - sign.last > FRESH:
        at = city_clock(sign.last, sign.received)
        title, title_zh = f"{title} (last sign {at})", f"{title_zh}（最後訊號 {at}）"
    _tell(session, thing, sign, place, (MOVED, thing.reference, title, title_zh), away_m)
    session.flush()


def end_moved(session: Session, thing: Thing, now: datetime) -> None:
    """It is back, or may be where it is. Idempotent."""
    if thing.reference is None:
        return
    record(
        session,
        Occurrence(
            domain=DOMAIN,
            reference=thing.reference,
            kind=MOVED,
            gateway="",
            device="",
            title="",
            title_zh="",
            severity="info",
            event_time=now,
            active=False,
            ended=now,
            person_key=thing.person_key,
        ),
        now,
    )
    thing.reference = None
    session.flush()


def tell_seen(session: Session, thing: Thing, sign: TagSeen, place: Place) -> None:
    """A stolen one was seen at another station than before, or for the first time since."""
    word, word_zh = WORDS[thing.kind]
    reference = f"{_seen_prefix(thing)}{isoformat_utc(sign.last)}"
    title = f"The stolen {word} of {{person}} was seen at {place.name}"
    title_zh = f"{{person}} 失竊的{word_zh}出現在 {place.name_zh}"
    _tell(session, thing, sign, place, (SEEN, reference, title, title_zh), None)


def told_at(session: Session, thing: Thing) -> tuple[float, float] | None:
    """Where it was as its people were told of it last; ``None``: nowhere, or nobody knows."""
    of_it = AlertRow.key.startswith(f"{DOMAIN}::{_seen_prefix(thing)}", autoescape=True)
    query = select(AlertRow.latitude, AlertRow.longitude).where(of_it)
    row = session.execute(query.order_by(AlertRow.event_time.desc()).limit(1)).one_or_none()
    if row is None or row.latitude is None or row.longitude is None:
        return None
    return row.latitude, row.longitude


def _seen_prefix(thing: Thing) -> str:
    return f"thing:{thing.id}:seen:"


def _tell(
    session: Session,
    thing: Thing,
    sign: TagSeen,
    place: Place,
    said: tuple[str, str, str, str],
    away_m: float | None,
) -> None:
    kind, reference, title, title_zh = said
    detail: dict[str, Any] = {
        "type": "checkin-thing",
        "thing": thing.kind,
        "seen": isoformat_utc(sign.last),
    }
    if away_m is not None:
        detail["away_m"] = round(away_m)
    occurrence = Occurrence(
        domain=DOMAIN,
        reference=reference,
        kind=kind,
        gateway="",
        device=sign.device,
        title=title,
        title_zh=title_zh,
        severity="major",
        event_time=sign.last,
        active=True,
        momentary=kind == SEEN,
        detail=detail,
        marks=sign.marks,
        person_key=thing.person_key,
        case_id=thing.case_id if kind == SEEN else None,
        person_name=persons.sealed_name(session, thing.person_key),
        latitude=place.latitude,
        longitude=place.longitude,
    )
    record(session, occurrence, sign.received)
