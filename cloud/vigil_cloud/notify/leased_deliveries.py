"""Which deliveries are due in the next message of a channel, and what becomes of the others.

Everything here runs in the caller's transaction; what is decided is decided by ``progress`` and
``pacing``.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Final

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Select,
    and_,
    bindparam,
    case,
    func,
    or_,
    select,
)
from sqlalchemy.orm import Session

from vigil_cloud.alerts import coverage, feed
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.alerts.service import state_of
from vigil_cloud.config import Settings
from vigil_cloud.database.base import UtcDateTime
from vigil_cloud.domain.rights import PLATFORM
from vigil_cloud.identity.cipher import Cipher
from vigil_cloud.metrics import Metrics
from vigil_cloud.notify import gathering, pacing, progress
from vigil_cloud.notify.composing import LeasedDelivery, try_composing
from vigil_cloud.notify.delivery_rows import Ready, delivering, pace_of, write_down
from vigil_cloud.notify.directory import Directory
from vigil_cloud.notify.escalation.waking import wake
from vigil_cloud.notify.models import FOLLOW_UPS, REMINDER, Channel, Delivery
from vigil_cloud.notify.progress import End, Reason, Send, Standing, Wait
from vigil_cloud.notify.reasons import worded

MOST_TOGETHER: Final = 500


def channels_due(
    session: Session, now: datetime, busy: Collection[int]
) -> list[tuple[int, str | None]]:
    """Channels that have something to be told and may be told it, the most urgent first, each
    with its kind."""
    asked = {"now": now, "paced": now + pacing.EVERY * (pacing.BURST - 1), "busy": list(busy)}
    return [(row.channel_id, row.kind) for row in session.execute(_CHANNELS_DUE, asked)]


def lease(
    session: Session,
    cipher: Cipher,
    metrics: Metrics,
    channel_id: int,
    now: datetime,
    settings: Settings,
) -> tuple[LeasedDelivery | None, int]:
    """The channel's next message, and how many of its deliveries came to an end without one."""
    channel = session.get(Channel, channel_id, with_for_update=True, populate_existing=True)
    if channel is None or pace_of(channel).ready_at(now) > now:
        return None, 0
    ready, ended, changed = [], 0, []
    unreached: set[str] = set()
    candidates = session.execute(_candidates(channel_id, now)).all()
    persons = {row.AlertRow.person_key for row in candidates if row.AlertRow.person_key}
    directory = Directory(session, now, persons=persons, channel_id=channel_id)
    for row in candidates:
        one = Ready(row.Delivery, row.AlertRow, delivering(row.Delivery))
        verdict = progress.look(one.at, _standing(directory, one), now)
        if isinstance(verdict, Send):
            ready.append(one)
            continue
        if isinstance(verdict, End):
            metrics.deliveries.labels(verdict.phase).inc()
            ended += 1
            unreached.add(one.alert.id)
        if _settle(one, verdict, now):
            changed.append(one.alert.id)
    wake(session, unreached, now)
    batch = gathering.batch(gathering.gathered(session, channel_id, ready, now), now)
    leased = try_composing(session, cipher, channel, batch, now, settings) if batch else None
    feed.append_all(session, "alert", sorted({*changed, *(one.alert.id for one in batch)}), now)
    return leased, ended


def _waiting(now: datetime | BindParameter[datetime]) -> tuple[ColumnElement[bool], ...]:
    return (
        Delivery.state == "waiting",
        or_(Delivery.leased_until.is_(None), Delivery.leased_until <= now),
    )


def _channels_due() -> Select[int, str | None]:
    now, paced = (bindparam(name, type_=UtcDateTime()) for name in ("now", "paced"))
    critical = func.max(case((AlertRow.pressing, 1), else_=0))
    return (
        select(Delivery.channel_id, Channel.kind)
        .join(AlertRow, AlertRow.id == Delivery.alert_id)
        .join(Channel, Channel.id == Delivery.channel_id)
        .where(
            *_waiting(now),
            Delivery.due <= now,
            or_(Channel.held_until.is_(None), Channel.held_until <= now),
            or_(Channel.paced.is_(None), Channel.paced <= paced),
            Delivery.channel_id.not_in(bindparam("busy", expanding=True)),
        )
        .group_by(Delivery.channel_id, Channel.kind)
        .order_by(critical.desc(), func.min(Delivery.due), Delivery.channel_id)
    )


# Made once: asked several times a second, and to make a statement costs more than to run it.
_CHANNELS_DUE: Final = _channels_due()


def _candidates(channel_id: int, now: datetime) -> Select[Delivery, AlertRow]:
    """What is due, and what of the platform waits to be told with it."""
    settling = and_(AlertRow.domain == PLATFORM, Delivery.attempts == 0)
    return (
        select(Delivery, AlertRow)
        .join(AlertRow, AlertRow.id == Delivery.alert_id)
        .where(
            Delivery.channel_id == channel_id,
            *_waiting(now),
            or_(Delivery.due <= now, and_(settling, ~Delivery.escalation)),
        )
        .order_by(case((AlertRow.pressing, 0), else_=1), Delivery.due, Delivery.id)
        .limit(MOST_TOGETHER)
        .with_for_update(skip_locked=True, of=Delivery)
    )


def _standing(directory: Directory, one: Ready) -> Standing:
    delivery, alert = one.delivery, one.alert
    return Standing(
        state=state_of(alert),
        critical=alert.pressing,
        allowed=directory.may_hear(alert),
        conditional=delivery.escalation or delivery.purpose == REMINDER,
        settles=alert.domain == PLATFORM and delivery.purpose in {"raised", "again"},
        only_over=delivery.purpose == "all-clear",
        acknowledged_at=alert.acknowledged_at,
        over_since=alert.cleared,
        device_hold=_device_hold(one),
    )


def _device_hold(one: Ready) -> Reason | None:
    """What follows up calls nobody, and is told."""
    if one.delivery.purpose in FOLLOW_UPS:
        return None
    work = one.alert.device_shelf == coverage.OUT_OF_SERVICE
    return "device-out-of-service" if work else "device-shelved"


def _settle(one: Ready, verdict: Wait | End, now: datetime) -> bool:
    """Whether anybody sees a difference."""
    after = (
        progress.hold(one.at, verdict)
        if isinstance(verdict, Wait)
        else progress.end(one.at, verdict)
    )
    write_down(one.delivery, after)
    if after.reason == one.at.reason and after.phase == one.at.phase:
        return False
    one.delivery.at = now
    one.delivery.error = worded(after.reason, one.alert)
    return True
