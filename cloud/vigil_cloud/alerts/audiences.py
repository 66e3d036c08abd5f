"""Telling more people of an alert that stands: from those who live there to everybody."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from vigil_cloud.alerts import feed, outbox
from vigil_cloud.alerts.history import note
from vigil_cloud.alerts.lookups import noted
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.alerts.service import AUDIENCES, Audience, count_as_new


def widen(session: Session, row: AlertRow, audience: Audience, reason: str, now: datetime) -> None:
    """More people are told, and those who were told before are told why. It counts as not
    acknowledged: whoever had acknowledged it did so for fewer. The same reason twice tells once.
    The caller holds ``feed.lock``."""
    if noted(session, row, "told-again", reason):
        return
    row.audience = max(row.audience, audience, key=AUDIENCES.index)
    count_as_new(row)
    note(session, row, now, None, "told-again", reason)
    outbox.announce(session, row, now, "again", step=reason)
    session.flush()
    feed.append(session, "alert", row.id, now)


def call_on(session: Session, row: AlertRow, now: datetime, *, needed: bool) -> None:
    """Whether people go on being called for it though its device takes it back: policies keep
    their steps, and reminders go on. The caller holds ``feed.lock``; ending it wakes nobody, and
    is announced by whoever ends it."""
    if row.called_on == needed:
        return
    row.called_on = needed
    session.flush()
    feed.append(session, "alert", row.id, now)
