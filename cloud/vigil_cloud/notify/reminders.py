"""Reminders: what is critical, stands, and nobody has acknowledged is told again and again.

Whoever was told of the alert is told that it still stands; of one that only repeats another,
whoever was told of that, once nobody is called for it any more. There is one such delivery for each
alert and channel, queued anew each time, so that a fire that rings for a month leaves one row.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, and_, exists, func, not_, or_, select
from sqlalchemy.orm import Session, sessionmaker

from vigil_cloud.alerts import feed
from vigil_cloud.alerts.aside import in_work
from vigil_cloud.alerts.coverage import is_held
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.alerts.service import REPEATS, state_of
from vigil_cloud.database.engine import writing
from vigil_cloud.notify.models import REMINDER, Delivery, Escalation

AT_ONCE: Final = 20
"""Alerts of one transaction, which everybody who changes an alert waits for; the next look, a few
seconds later, takes the others."""
_HAD: Final = frozenset({"sent", "failed"})


def remind(sessions: sessionmaker[Session], now: datetime, every: timedelta) -> int:
    """Queue what is due, at most ``AT_ONCE``; returns of how many alerts. Any number of processes
    may ask."""
    with sessions() as session:
        if session.scalar(select(AlertRow.id).where(_due(now, every)).limit(1)) is None:
            return 0
    with writing(sessions) as session:
        feed.lock(session)
        longest = func.coalesce(AlertRow.reminded, AlertRow.raised)
        alerts = session.scalars(
            select(AlertRow).where(_due(now, every)).order_by(longest).limit(AT_ONCE)
        ).all()
        for alert in alerts:
            _queue(session, alert, now)
            alert.reminded = now
        session.flush()
        feed.append_all(session, "alert", [alert.id for alert in alerts], now)
        return len(alerts)


def _due(now: datetime, every: timedelta) -> ColumnElement[bool]:
    """As ``lifecycle.State.calls``, of what is critical and was told last so long ago."""
    return and_(
        or_(AlertRow.active, AlertRow.called_on),
        AlertRow.acknowledged.is_(False),
        AlertRow.pressing,
        not_(in_work(now)),
        or_(AlertRow.shelved_until.is_(None), AlertRow.shelved_until <= now),
        not_(is_held(now)),
        # A policy reminds its own fallback.
        ~exists().where(Escalation.alert_id == AlertRow.id),
        func.coalesce(AlertRow.reminded, AlertRow.raised) <= now - every,
    )


def _queue(session: Session, alert: AlertRow, now: datetime) -> None:
    """For each channel that has been told, or that an older release gave up on, and has nothing
    of this alert waiting."""
    alerts = [alert.id, *_repeated(session, alert, now)]
    rows = session.execute(
        select(Delivery.channel_id, Delivery.state).where(Delivery.alert_id.in_(alerts))
    ).all()
    requeue(session, alert.id, {row.channel_id for row in rows if row.state in _HAD}, now)


def _repeated(session: Session, alert: AlertRow, now: datetime) -> list[str]:
    """The alert that this one repeats, where that calls nobody and nobody has taken it on: over, or
    put aside. Its people were told of this trouble as well, and nobody else was."""
    key = alert.detail.get(REPEATS)
    first = session.get(AlertRow, key) if isinstance(key, str) else None
    if first is None:
        return []
    state = state_of(first)
    speaks = state.calls(now) or (state.stands and state.acknowledged)
    return [] if speaks else [first.id]


def requeue(session: Session, alert_id: str, channel_ids: Collection[int], now: datetime) -> None:
    """Remind these channels of the alert, those left out that something of it still waits for."""
    rows = session.scalars(
        select(Delivery).where(
            Delivery.alert_id == alert_id, Delivery.channel_id.in_(sorted(channel_ids))
        )
    ).all()
    waiting = {row.channel_id for row in rows if row.state == "waiting"}
    standing = {row.channel_id: row for row in rows if row.purpose == REMINDER}
    for channel_id in sorted(set(channel_ids) - waiting):
        row = standing.get(channel_id)
        if row is None:
            row = Delivery(
                alert_id=alert_id, channel_id=channel_id, purpose=REMINDER, escalation=False
            )
            session.add(row)
        queue_anew(row, now)


def queue_anew(row: Delivery, now: datetime) -> None:
    """A delivery that came to its end is to be sent once more, as if for the first time."""
    row.state, row.due, row.queued, row.attempts = "waiting", now, now, 0
    row.unanswered, row.perhaps_told, row.leased_until = 0, False, None
    row.reason = row.error = None
