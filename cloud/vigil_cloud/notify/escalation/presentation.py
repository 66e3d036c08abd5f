"""How far the escalation of an alert is, for one reader."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.alerts.schema import Answer as Said
from vigil_cloud.devices import shelves
from vigil_cloud.identity.reader import Reader
from vigil_cloud.notify.escalation.engine import facts_of, folded, held_until, load
from vigil_cloud.notify.escalation.policy import ChannelKind, Policy
from vigil_cloud.notify.escalation.progress import Answer, Circumstances, Phase, State, due
from vigil_cloud.notify.models import Escalation
from vigil_schemas.types import UtcDatetime


class EscalationCall(Said):
    """One person called in one step."""

    step: int
    """From 1; the last is the fallback."""
    channel: ChannelKind
    person: str
    """A user name, or `channel NAME` of what belongs to a role."""
    at: UtcDatetime
    given_up: bool
    """It will reach nobody: no right, no address, or given up after many tries."""
    answer: Answer | None
    """What this person said last, by whatever way."""
    answered: UtcDatetime | None


class EscalationAnswer(Said):
    """What somebody said, whether they were called or not."""

    who: str
    answer: Answer
    at: UtcDatetime


class EscalationNext(Said):
    """What comes next, if nobody accepts before; never past: what is put off by quiet hours or a
    shelf comes when they end."""

    step: int
    fallback: bool
    at: UtcDatetime
    channel: ChannelKind
    persons: list[str]


class AlertEscalation(Said):
    """The policy that answers for an alert, and how far it has got."""

    policy: str
    phase: Phase
    """`calling`; `fallback`: everybody was called, and the fallback is reminded; `taken`:
    somebody has accepted; `over`."""
    steps: int
    """How many the policy has, with the fallback."""
    reached: int
    """How many were called."""
    round: int
    """How often it began anew because more became known."""
    started: UtcDatetime
    calls: list[EscalationCall]
    answers: list[EscalationAnswer]
    accepted_by: str | None
    next: EscalationNext | None
    reminders: int
    """How often the fallback was reminded."""
    reminded: UtcDatetime | None


def escalations(
    session: Session, reader: Reader, alerts: Sequence[AlertRow], now: datetime
) -> dict[str, AlertEscalation]:
    """By alert; those that no policy answers for are missing. Three queries, however many."""
    by_id = {alert.id: alert for alert in alerts}
    query = select(Escalation).where(Escalation.alert_id.in_(sorted(by_id)))
    rows = session.scalars(query).all() if by_id else []
    if not rows:
        return {}
    facts = facts_of(session, [row.alert_id for row in rows])
    found = {}
    for row in rows:
        try:
            policy, stored = load(row)
        except ValidationError:  # the engine has told of it; the alert is shown all the same
            continue
        alert = by_id[row.alert_id]
        state = folded(stored, alert, facts[row.alert_id])
        found[row.alert_id] = _shown(policy, state, alert, reader, now)
    return found


def _shown(
    policy: Policy, state: State, alert: AlertRow, reader: Reader, now: datetime
) -> AlertEscalation:
    said = {one.who: one for one in state.answers}
    hidden = alert.person_key is not None  # others who are called are other relatives

    def shows(who: str) -> bool:
        return not hidden or who == reader.username

    calls = [
        EscalationCall(
            step=call.step,
            channel=call.channel,
            person=call.person,
            at=call.at,
            given_up=call.given_up,
            answer=said[call.person].answer if call.person in said else None,
            answered=said[call.person].at if call.person in said else None,
        )
        for call in state.calls
        if shows(call.person)
    ]
    answers = [
        EscalationAnswer(who=one.who, answer=one.answer, at=one.at)
        for one in state.answers
        if shows(one.who)
    ]
    accepted = state.accepted[0] if state.accepted else None
    return AlertEscalation(
        policy=policy.name,
        phase=state.phase(policy),
        steps=len(policy.steps),
        reached=state.reached,
        round=state.round,
        started=state.started,
        calls=calls,
        answers=answers,
        accepted_by=accepted if accepted is not None and shows(accepted) else None,
        next=_next(policy, state, alert, now, hidden=hidden),
        reminders=state.reminders,
        reminded=state.reminded,
    )


def _next(
    policy: Policy, state: State, alert: AlertRow, now: datetime, *, hidden: bool
) -> EscalationNext | None:
    if state.phase(policy) != "calling":
        return None
    number = state.reached + 1
    step = policy.steps[number - 1]
    given = Circumstances(alert.pressing, remind_every=None)
    at = due(policy, state, now, given)
    held = held_until(alert, now)
    if at is None or held == shelves.FOR_GOOD:
        return None  # nobody comes next before somebody does something
    if held is not None:
        at = policy.awake(max(at, held), critical=given.critical)
    return EscalationNext(
        step=number,
        fallback=number == len(policy.steps),
        at=at,
        channel=step.channel,
        persons=[] if hidden else list(policy.called(step, at)),
    )
