"""What the state machine asks for, written down: deliveries, reminders, word to administrators."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.alerts.models import AlertHistory, AlertRow
from vigil_cloud.alerts.platform import clear_platform, raise_platform
from vigil_cloud.notify.escalation.policy import Policy
from vigil_cloud.notify.escalation.progress import (
    Call,
    Effect,
    Place,
    Remind,
    StandDown,
    State,
    TellAdministrators,
)
from vigil_cloud.notify.models import Delivery
from vigil_cloud.notify.reminders import queue_anew, requeue
from vigil_cloud.notify.untold import UNANSWERED


def delivery_key(state: State, call: Call) -> tuple[int, str, str]:
    """Channel, purpose and step of the delivery that makes the call."""
    purpose = "escalated" if call.step > 1 else ("again" if state.round else "raised")
    step = str(call.step) if call.step > 1 else (state.reason if state.round else "")
    return call.address or 0, purpose, step


def carry_out(
    session: Session, effect: Effect, alert: AlertRow, policy: Policy, state: State, now: datetime
) -> None:
    """In the caller's transaction, together with the state."""
    match effect:
        case Place((), step):  # such as of accounts that were closed since it was written
            _note(session, alert, now, f"{step}: nobody")
        case Place(calls):
            for call in calls:
                _place(session, alert, policy, state, call, now)
        case Remind(calls):
            addresses = {call.address for call in calls if call.address is not None}
            requeue(session, alert.id, addresses, now)
        case TellAdministrators():
            _tell_administrators(session, alert, policy, now)
        case StandDown():
            clear_platform(session, UNANSWERED, alert.id, now=now)


def _place(
    session: Session,
    alert: AlertRow,
    policy: Policy,
    state: State,
    call: Call,
    now: datetime,
) -> None:
    if call.address is None:
        _note(session, alert, now, f"{call.step}: page {call.person}")
        return
    channel_id, purpose, step = delivery_key(state, call)
    row = session.scalar(
        select(Delivery).where(
            Delivery.alert_id == alert.id,
            Delivery.channel_id == channel_id,
            Delivery.purpose == purpose,
            Delivery.step == step,
        )
    )
    if row is None:
        row = Delivery(alert_id=alert.id, channel_id=channel_id, purpose=purpose, step=step)
        session.add(row)
    elif row.state == "waiting":
        return  # of the round before, and not told yet: it will be, as things stand then
    queue_anew(row, now)
    # Only while the alert still calls for somebody; what is told at once is told in any case.
    row.escalation = policy.steps[call.step - 1].after_s > 0
    session.flush()


def _note(session: Session, alert: AlertRow, now: datetime, comment: str) -> None:
    session.add(AlertHistory(alert_id=alert.id, at=now, action="escalated", comment=comment))


def _tell_administrators(session: Session, alert: AlertRow, policy: Policy, now: datetime) -> None:
    if alert.kind == UNANSWERED:
        return  # they have not answered that either
    raise_platform(
        session,
        UNANSWERED,
        alert.id,
        severity="critical" if alert.severity == "critical" else "major",
        title=f"Nobody has accepted an alert ({alert.domain}, {alert.kind})",
        title_zh=f"無人接手警報（{alert.domain}，{alert.kind}）",
        detail={"alert": alert.id, "policy": policy.name},
        since=alert.raised,
        now=now,
    )
