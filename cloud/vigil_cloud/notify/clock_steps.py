"""What notifications remember of the past moves along where the clock of the server is set.

``database.clock`` moves what is waited for. Here are moments that are compared with each other:
those of one escalation, and an acknowledgement with the news that it answers. All of what is not
done yet moves, so that their order stays. What people read as a record (the history of an alert,
the audit log) is left as it was written.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import structlog
from sqlalchemy import exists, or_, select
from sqlalchemy.orm import Session

from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.notify.escalation.engine import STATE, dump
from vigil_cloud.notify.escalation.progress import State
from vigil_cloud.notify.models import Delivery, Escalation, EscalationAnswer

_log = structlog.get_logger(__name__)


def move(session: Session, step: timedelta) -> None:
    """By ``step``; negative: the clock was set back. The caller holds ``feed.lock``."""
    _move_acknowledgements(session, step)
    for row in session.scalars(select(Delivery).where(Delivery.state == "waiting")):
        row.queued = None if row.queued is None else row.queued + step
    standing = select(Escalation).join(AlertRow, AlertRow.id == Escalation.alert_id)
    wanted = or_(AlertRow.active, AlertRow.called_on, Escalation.due.is_not(None))
    for one in session.scalars(standing.where(wanted)):
        try:
            state = moved(STATE.validate_python(one.state), step)
        except (ValueError, OverflowError):  # of a later release: it must not hold up the others
            _log.exception("escalation-not-moved", alert=one.alert_id)
            continue
        one.state = dump(state)
        one.version += 1
        answers = select(EscalationAnswer).where(EscalationAnswer.alert_id == one.alert_id)
        for answer in session.scalars(answers):
            answer.at += step
    session.flush()


def moved(state: State, step: timedelta) -> State:
    """An escalation as it would be had the clock always been as it is now. Pure."""
    return replace(
        state,
        started=state.started + step,
        calls=tuple(replace(call, at=call.at + step) for call in state.calls),
        answers=tuple(replace(one, at=one.at + step) for one in state.answers),
        over=None if state.over is None else state.over + step,
        reminded=None if state.reminded is None else state.reminded + step,
    )


def _move_acknowledgements(session: Session, step: timedelta) -> None:
    waits = exists().where(Delivery.alert_id == AlertRow.id, Delivery.state == "waiting")
    still = select(AlertRow).where(or_(AlertRow.active, AlertRow.called_on, waits))
    for alert in session.scalars(still):
        if alert.acknowledged_at is not None:
            alert.acknowledged_at += step
        # A reminder is counted from when it was raised where there was none yet.
        stands = alert.active or alert.called_on
        if alert.reminded is None and stands and alert.pressing:
            alert.reminded = alert.raised + step
    session.flush()
