"""Having an escalation looked at before its time, because something happened to its alert."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import ColumnElement, or_, update
from sqlalchemy.orm import Session

from vigil_cloud.notify.models import Escalation


def wake(session: Session, alert_ids: Collection[str], now: datetime) -> None:
    """Have the alerts' escalations, where they have one, looked at now. The caller has called
    ``alerts.feed.lock`` before."""
    if not alert_ids:
        return
    _look_now(
        session,
        now,
        Escalation.alert_id.in_(sorted(alert_ids)),
        or_(Escalation.due.is_(None), Escalation.due > now),
    )


def wake_all(session: Session, now: datetime) -> None:
    """Have every escalation that goes on looked at now: who can be called has changed, and a step
    that reaches nobody any more must not be waited for. The caller has called ``alerts.feed.lock``
    before."""
    _look_now(session, now, Escalation.due > now)


def _look_now(session: Session, now: datetime, *which: ColumnElement[bool]) -> None:
    session.execute(
        update(Escalation)
        .where(*which)
        .values(due=now)
        .execution_options(synchronize_session=False)
    )
