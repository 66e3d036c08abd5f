"""The tag on a defibrillator: where it was seen last, and what follows where that is not its place.

A thing is known by its tag alone; the stations that see tags are another domain's.
"""

from __future__ import annotations

from datetime import datetime
from math import cos, hypot, radians
from typing import ClassVar, Final

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from vigil_cloud.aed.models import AedSite
from vigil_cloud.aed.register import find
from vigil_cloud.aed.service import AWAY, SEEN_AGAIN, TAKEN, THEFT
from vigil_cloud.alerts import feed, outbox
from vigil_cloud.alerts.amendments import Amendment, amend
from vigil_cloud.alerts.history import note
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.alerts.places import Place, place_then
from vigil_cloud.alerts.service import Occurrence, count_as_new, record
from vigil_cloud.api_errors import ApiError
from vigil_cloud.domain.presence import TagSeen
from vigil_cloud.domain.registry import tag_owner
from vigil_cloud.identity import audit
from vigil_schemas.aed import DOMAIN
from vigil_schemas.types import isoformat_utc

AWAY_M: Final = 300.0
"""A station sees as far as a street; beyond this the defibrillator is not in its place."""
_DEGREE_M: Final = 111_195.0


class TagInUse(ApiError):
    """The tag is on somebody or something else. ``on``: the AED's id, or the domain's name."""

    code: ClassVar[str] = "aed-tag-in-use"
    remedy: ClassVar[str] = "Take the tag from whom or what it is on first, or use another one."
    status: ClassVar[int] = 409

    def __init__(self, tag: str, on: str) -> None:
        super().__init__(f"Tag {tag!r} is in use already: {on}.")
        self.on = on


def put_tag(session: Session, site: str, tag: str | None, by: str, now: datetime) -> AedSite:
    """This tag sticks on it from now on; ``None``: none does. Idempotent. Raises ``AedUnknown``,
    ``TagInUse``."""
    row = find(session, site)
    if row.tag == tag:
        return row
    if tag is not None:
        other = session.scalar(select(AedSite.id).where(AedSite.tag == tag))
        on = other or tag_owner(session, tag, beside=DOMAIN)
        if on is not None:
            raise TagInUse(tag, on)
    detail = {"before": row.tag, "after": tag}
    row.tag, row.tag_seen, row.tag_station, row.updated = tag, None, None, now
    session.flush()
    audit.append(session, at=now, account=by, action="aed.tagged", subject=site, detail=detail)
    return row


def is_of_a_site(session: Session, tag: str) -> bool:
    """Whether it sticks on an AED of the register."""
    return session.scalar(select(AedSite.id).where(AedSite.tag == tag)) is not None


def seen(session: Session, sign: TagSeen) -> None:
    """A station has seen a tag. The caller holds the feed's lock."""
    site = session.scalar(select(AedSite).where(AedSite.tag == sign.tag).with_for_update())
    if site is None or (site.tag_seen is not None and site.tag_seen >= sign.last):
        return
    news = site.tag_station != sign.device
    site.tag_seen, site.tag_station = sign.last, sign.device
    session.flush()
    place = place_then(session, sign.device, sign.position)
    if site.taken:
        _tell_where(session, site, sign, place, again=news)
    elif (away_m := _distance_m(site, place)) is not None and away_m > AWAY_M:
        site.taken = True  # nobody is sent for it
        session.flush()
        _tell_away(session, site, sign, place, away_m)


def _distance_m(site: AedSite, place: Place) -> float | None:
    if place.latitude is None or place.longitude is None:
        return None
    north = (place.latitude - site.latitude) * _DEGREE_M
    east = (place.longitude - site.longitude) * _DEGREE_M * cos(radians(site.latitude))
    return hypot(north, east)


def _standing(session: Session, site: AedSite) -> AlertRow | None:
    """The alert that tells that it is gone, the newest."""
    by_tag = AlertRow.key.startswith(f"{DOMAIN}::{_reference(site)}", autoescape=True)
    query = (
        select(AlertRow)
        .where(AlertRow.domain == DOMAIN, AlertRow.kind.in_((THEFT, TAKEN, AWAY)))
        .where(AlertRow.active, AlertRow.confirmed.is_(False))
        .where(or_(by_tag, AlertRow.device == site.device) if site.device else by_tag)
        .order_by(AlertRow.raised.desc())
        .limit(1)
    )
    return session.scalar(query)


def _tell_where(
    session: Session, site: AedSite, sign: TagSeen, place: Place, *, again: bool
) -> None:
    row = _standing(session, site)
    if row is None:
        return
    amend(session, row.id, Amendment(detail=_seen(sign, place), reason="tag"), sign.received)
    if not again or row.kind == TAKEN:
        return
    count_as_new(row)
    step = f"{SEEN_AGAIN} {sign.device}"
    note(session, row, sign.received, None, "told-again", step)
    outbox.announce(session, row, sign.received, "again", step=step)
    session.flush()
    feed.append(session, "alert", row.id, sign.received)


def _tell_away(session: Session, site: AedSite, sign: TagSeen, place: Place, away_m: float) -> None:
    name_zh = site.name_zh or site.name
    reference = f"{_reference(site)}{isoformat_utc(sign.last)}"
    occurrence = Occurrence(
        domain=DOMAIN,
        reference=reference,
        kind=AWAY,
        gateway="",
        device=site.device or sign.device,
        title=f"AED of {site.name} seen at {place.name}, {away_m:.0f} m from its place",
        title_zh=f"{name_zh} AED 出現於 {place.name_zh}，離原位 {away_m:.0f} 公尺",
        severity="major",
        event_time=sign.last,
        active=True,
        momentary=True,
        detail={"type": "aed-removal", "removal_id": reference, **_seen(sign, place)},
        marks=sign.marks,
        latitude=place.latitude,
        longitude=place.longitude,
    )
    record(session, occurrence, sign.received)


def _reference(site: AedSite) -> str:
    return f"tag:{site.id}:"


def _seen(sign: TagSeen, place: Place) -> dict[str, object]:
    return {
        "seen": isoformat_utc(sign.last),
        "seen_at": place.name,
        "seen_at_zh": place.name_zh,
        "seen_latitude": place.latitude,
        "seen_longitude": place.longitude,
    }
