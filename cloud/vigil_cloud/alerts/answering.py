"""What an answer to an alert does to it. Whether somebody may answer has been checked before.

Acknowledging on the page is ``service.act``; here is the same for whoever answers from elsewhere,
also for a control room behind a web hook that has no account.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import and_, or_, select
from sqlalchemy.orm import Session

from vigil_cloud.alerts import feed, lifecycle
from vigil_cloud.alerts.models import AlertHistory, AlertRow
from vigil_cloud.alerts.service import state_of
from vigil_cloud.alerts.titles import in_case
from vigil_cloud.identity import audit


def accept(session: Session, row: AlertRow, who: str, now: datetime, *, via: str) -> None:
    """``who`` takes it on. It is acknowledged by them, unless somebody was faster. The caller has
    called ``feed.lock`` before."""
    first = not row.acknowledged
    if first:
        row.acknowledged = lifecycle.acknowledge(state_of(row)).acknowledged
        row.acknowledged_by, row.acknowledged_at = who, now
    _note(session, row, who, now, "acknowledged" if first else "accepted", via)


def decline(session: Session, row: AlertRow, who: str, now: datetime, *, via: str) -> None:
    """``who`` cannot. What they had acknowledged is open again for others. The caller has called
    ``feed.lock`` before."""
    if row.acknowledged and not row.confirmed and row.acknowledged_by == who:
        row.acknowledged, row.acknowledged_by, row.acknowledged_at = False, None, None
    _note(session, row, who, now, "declined", via)


def release(session: Session, row: AlertRow, now: datetime) -> None:
    """Whoever took it on may act on it no longer: it is open again for others. The caller has
    called ``feed.lock`` before."""
    row.acknowledged, row.acknowledged_by, row.acknowledged_at = False, None, None
    session.add(AlertHistory(alert_id=row.id, at=now, account=None, action="released", comment=""))
    session.flush()
    feed.append(session, "alert", row.id, now)


def call_false(session: Session, row: AlertRow, who: str, now: datetime, *, via: str) -> bool:
    """``who`` says that it is a false alarm: shown, beside that they have taken it. The alert
    stays active until its device takes it back. ``False`` where they have said so before, and
    nothing more became known since. The caller has called ``feed.lock`` before."""
    query = select(AlertHistory.action).where(
        AlertHistory.alert_id == row.id,
        or_(
            AlertHistory.action == "told-again",
            and_(AlertHistory.account == who, AlertHistory.action.in_(("false-alarm", "declined"))),
        ),
    )
    if session.scalar(query.order_by(AlertHistory.id.desc()).limit(1)) == "false-alarm":
        return False
    _note(session, row, who, now, "false-alarm", via)
    return True


def say_burns(session: Session, row: AlertRow, who: str, now: datetime, *, via: str) -> None:
    """``who`` says that it burns. The caller has called ``feed.lock`` before."""
    _note(session, row, who, now, "burns", via)


def _note(session: Session, row: AlertRow, who: str, now: datetime, action: str, via: str) -> None:
    session.add(AlertHistory(alert_id=row.id, at=now, account=who, action=action, comment=via))
    session.flush()
    audit.append(
        session,
        at=now,
        account=who,
        action=f"alert.{action}",
        subject=row.id,
        person_key=row.person_key,
        detail=in_case(row.case_id),
    )
    feed.append(session, "alert", row.id, now)
