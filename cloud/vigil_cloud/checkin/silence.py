"""Visits under a station that has fallen silent: nobody can say that they still go on."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from typing import Final

from sqlalchemy import Select, and_, false, func, not_, or_, select
from sqlalchemy.orm import Session

from vigil_cloud.alerts import feed
from vigil_cloud.checkin.models import PersonRule, Visit
from vigil_cloud.checkin.relatives import SEEN, is_told, tell_relatives
from vigil_cloud.devices.models import Device, Gateway
from vigil_cloud.jobs.port import Job, in_transaction

EVERY: Final = timedelta(seconds=10)
_AT_ONCE: Final = 500
_Visits = Select[Visit, Gateway, Device]
_DEAF: Final = frozenset({"ble-stalled", "ble-recovery-refused"})
"""What a station says of a radio that delivers nothing though it should."""


def silence_job(offline_after: timedelta) -> Job:
    """Marks and unmarks visits; a station counts as silent after the platform's offline time."""
    follow = partial(follow_stations, offline_after)
    waiting = partial(_anything, offline_after)
    return Job("visits-of-silent-stations", EVERY, in_transaction(follow), waiting=waiting)


def _turning(since: datetime) -> tuple[_Visits, _Visits]:
    """Open visits at gateways that have fallen silent since, and at those that are back."""
    silent = or_(
        Gateway.last_seen.is_(None),
        Gateway.last_seen < since,
        # The box is heard, and its radio or reader is not.
        and_(or_(Device.state == "failed", Device.code.in_(_DEAF)), Device.since < since),
    )
    open_visits = (
        select(Visit, Gateway, Device)
        .join(Gateway, Gateway.gateway == Visit.gateway)
        .outerjoin(Device, and_(Device.device == Visit.device, Device.gateway == Visit.gateway))
        .where(Visit.departed.is_(None))
        .limit(_AT_ONCE)
    )
    falling = open_visits.where(Visit.silent_since.is_(None), func.coalesce(silent, false()))
    back = not_(func.coalesce(silent, false()))
    return falling, open_visits.where(Visit.silent_since.is_not(None), back)


def _anything(offline_after: timedelta, session: Session, now: datetime) -> bool:
    turning = _turning(now - offline_after)
    return any(session.execute(some.limit(1)).first() for some in turning)


def follow_stations(offline_after: timedelta, session: Session, now: datetime) -> bool:
    """Mark open visits whose gateway has not been heard of for so long, with its last sign;
    take the mark away when it is back, until its next word of the visit. Idempotent."""
    if not _anything(offline_after, session, now):
        return False
    falling, returning = _turning(now - offline_after)
    feed.lock(session)  # before they are read: a visit may end meanwhile
    fresh = {"populate_existing": True}
    fallen = session.execute(falling, execution_options=fresh).all()
    back = session.execute(returning, execution_options=fresh).all()
    for visit, gateway, device in fallen:
        visit.silent_since = _last_sign(gateway, device, now - offline_after) or now
        rule = session.get(PersonRule, (visit.person_key or "", SEEN))
        if is_told(session, rule, visit, now):
            tell_relatives(session, visit, now)
    for visit, _, _ in back:
        visit.silent_since = None
    session.flush()
    for visit, _, _ in (*fallen, *back):
        feed.append(session, "visit", visit.id, now)
    return True


def _last_sign(gateway: Gateway, device: Device | None, since: datetime) -> datetime | None:
    if gateway.last_seen is None or gateway.last_seen < since or device is None:
        return gateway.last_seen
    return device.since
