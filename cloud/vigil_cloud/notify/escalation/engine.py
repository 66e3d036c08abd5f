"""Moves escalations on: reads what happened, asks the state machine, writes what is to be done.

Everything that an escalation rests on is in rows: its own state, the alert, the answers, what
became of its deliveries. So a process may die at any moment and any number of processes may work:
who is called is found out while nothing is locked, then a few escalations are written in one short
transaction, each only if its version is still the one that was read. Calls become deliveries in
the same transaction; their key (alert, channel, purpose, step) makes each of them one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from pydantic import TypeAdapter
from sqlalchemy import select
from sqlalchemy.exc import InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from vigil_cloud.alerts import coverage, feed
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.alerts.service import state_of
from vigil_cloud.alerts.visibility import may_see
from vigil_cloud.database.engine import writing
from vigil_cloud.devices.shelves import FOR_GOOD
from vigil_cloud.identity.models import Account
from vigil_cloud.identity.reader import readers_of
from vigil_cloud.notify.delivery_rows import reaches_nobody
from vigil_cloud.notify.escalation import progress
from vigil_cloud.notify.escalation.effects import carry_out, delivery_key
from vigil_cloud.notify.escalation.people import StepPeople
from vigil_cloud.notify.escalation.policy import Policy
from vigil_cloud.notify.escalation.progress import Circumstances, State, Target
from vigil_cloud.notify.models import Delivery, Escalation, EscalationAnswer
from vigil_cloud.notify.people import KnownPeople
from vigil_cloud.notify.untold import clear_told, stuck, tell_stuck

AT_ONCE: Final = 20
"""Escalations of one transaction, which everybody who changes an alert waits for."""
LOOK_AGAIN: Final = timedelta(hours=1)
"""What is out of service has no end known; putting it back in service wakes its escalation."""
TRY_AGAIN: Final = timedelta(seconds=30)
STATE: Final = TypeAdapter(State)
_log = structlog.get_logger(__name__)


def load(row: Escalation) -> tuple[Policy, State]:
    """As they were stored."""
    return Policy.model_validate(row.document), STATE.validate_python(row.state)


def started(row: Escalation) -> datetime:
    """When its round began; the policy need not be understood."""
    return STATE.validate_python(row.state).started


def dump(state: State) -> dict[str, Any]:
    """As it is stored."""
    dumped: dict[str, Any] = STATE.dump_python(state, mode="json")
    return dumped


def begin(policy: Policy, alert_id: str, at: datetime) -> dict[str, Any]:
    """The row of an escalation that begins."""
    return {
        "alert_id": alert_id,
        "version": 0,
        "policy": policy.name,
        "document": policy.model_dump(mode="json"),
        "state": dump(State(at)),
        "due": at,
    }


def renew(row: Escalation, policy: Policy, at: datetime, reason: str) -> None:
    """More is known of the alert: from the first step, by the policy as it is now."""
    state = STATE.validate_python(row.state)
    row.policy, row.document = policy.name, policy.model_dump(mode="json")
    row.state = dump(progress.renewed(state, at, reason))
    row.version, row.due = row.version + 1, at


@dataclass(frozen=True, slots=True)
class _Seen:
    """What was found out of one escalation while nothing was locked."""

    version: int
    resolved: Mapping[int, Sequence[Target]] = field(default_factory=dict)
    """Who is called, by step."""
    failed: str = ""
    """Why nothing can be said of it yet."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What happened to one alert."""

    answers: Sequence[EscalationAnswer]
    unreached: frozenset[tuple[int, str, str]]
    """Channel, purpose and step of deliveries that tell nobody (``reaches_nobody``)."""
    known: frozenset[tuple[int, str, str]]


@dataclass(frozen=True, slots=True)
class _Turn:
    """One round."""

    now: datetime
    remind_every: timedelta


def move_on(
    sessions: sessionmaker[Session], now: datetime, remind_every: timedelta, known: KnownPeople
) -> int:
    """One round; how many escalations were moved on. ``remind_every``: where a policy does not
    say it. Any number of processes may call it, each thread with its own ``known``."""
    with sessions() as session:
        seen = _look(session, now, known)
    if not seen:
        return 0
    with writing(sessions) as session:
        feed.lock(session)
        return _write(session, seen, now, remind_every)


def _look(session: Session, now: datetime, known: KnownPeople) -> dict[str, _Seen]:
    found = session.execute(
        select(Escalation, AlertRow)
        .join(AlertRow, AlertRow.id == Escalation.alert_id)
        .where(Escalation.due <= now)
        .order_by(Escalation.due, Escalation.alert_id)
        .limit(AT_ONCE)
    ).all()
    if not found:
        return {}
    alerts = [row.AlertRow for row in found]
    people = StepPeople(session, alerts, known.get(session, now), now)
    seen = {}
    for row in found:
        version = row.Escalation.version
        try:
            resolved = _resolved(people, row.Escalation, row.AlertRow)
        except SQLAlchemyError:
            raise
        except Exception as error:  # noqa: BLE001 - one that cannot be worked on must not keep the others waiting
            _log.exception("not-escalated", alert=row.AlertRow.id)
            # Not its text: a policy that cannot be read is quoted there, with people's names.
            seen[row.AlertRow.id] = _Seen(version, failed=type(error).__name__)
        else:
            seen[row.AlertRow.id] = _Seen(version, resolved)
    return seen


def _resolved(people: StepPeople, row: Escalation, alert: AlertRow) -> dict[int, Sequence[Target]]:
    policy, state = load(row)
    last = len(policy.steps)
    first = min(state.reached + 1, last)
    return {step: people.of_step(alert, policy, step) for step in range(first, last + 1)}


def _write(
    session: Session, seen: Mapping[str, _Seen], now: datetime, remind_every: timedelta
) -> int:
    # One that another process has in hand is skipped: it is being moved on.
    rows = session.execute(
        select(Escalation, AlertRow)
        .join(AlertRow, AlertRow.id == Escalation.alert_id)
        .where(Escalation.alert_id.in_(sorted(seen)))
        .order_by(Escalation.alert_id)
        .with_for_update(skip_locked=True, of=Escalation)
    ).all()
    ours = [row for row in rows if row.Escalation.version == seen[row.Escalation.alert_id].version]
    facts = facts_of(session, [row.Escalation.alert_id for row in ours])
    moved: list[str] = []
    for row in ours:
        one = seen[row.Escalation.alert_id]
        alert = row.AlertRow
        turn = _Turn(now, remind_every)
        failed = one.failed or _moved(session, row.Escalation, alert, one, facts[alert.id], turn)
        if failed:
            row.Escalation.due = now + TRY_AGAIN
            tell_stuck(session, alert.id, failed, now, urgent=alert.pressing)
        else:
            moved.append(alert.id)
    clear_told(session, {stuck(alert_id) for alert_id in moved}, now)
    feed.append_all(session, "alert", moved, now)
    return len(ours)


def _moved(
    session: Session, row: Escalation, alert: AlertRow, seen: _Seen, facts: Facts, turn: _Turn
) -> str:
    """Move one on, or say why it could not be: it keeps no other waiting."""
    try:
        with session.begin_nested():
            _move(session, row, alert, seen, facts, turn)
    except (OperationalError, InterfaceError):
        raise  # the store's own trouble, and not this alert's
    except Exception as error:  # noqa: BLE001 - one that cannot be moved on must not keep the others waiting
        _log.exception("not-escalated", alert=alert.id)
        return type(error).__name__
    return ""


def _move(
    session: Session, row: Escalation, alert: AlertRow, seen: _Seen, facts: Facts, turn: _Turn
) -> None:
    policy, before = load(row)
    now = turn.now
    every = turn.remind_every if policy.remind_s is None else timedelta(seconds=policy.remind_s)
    held = held_until(alert, now)
    given = Circumstances(alert.pressing, every, held is not None)
    state, effects = progress.advance(
        policy,
        progress.given_up(
            folded(before, alert, facts), _without_a_page(session, before, alert, now)
        ),
        now,
        lambda step: seen.resolved.get(step, ()),
        given,
    )
    for effect in effects:
        carry_out(session, effect, alert, policy, state, now)
    row.state, row.version = dump(state), row.version + 1
    due = progress.due(policy, state, now, given)
    if due is not None and held is not None:  # its end wakes it, whenever that is
        due = max(due, min(held, now + LOOK_AGAIN))
    row.due = due


def folded(state: State, alert: AlertRow, facts: Facts) -> State:
    """The state with everything that happened to the alert since. Idempotent."""
    state = replace(state, answers=(), accepted=())
    for one in facts.answers:
        if one.answer == "accepted":
            state = progress.answered(state, one.who, "accepted", one.at)
        else:
            state = progress.given_back(state, one.who, one.at)
    if not alert.acknowledged:
        state = replace(state, accepted=())
    elif alert.acknowledged_by is not None:
        who, at = alert.acknowledged_by, alert.acknowledged_at or state.started
        state = progress.answered(state, who, "accepted", max(at, state.started))
        others = tuple(one for one in state.accepted if one != who)
        state = replace(state, accepted=(who, *others))
    if state_of(alert).stands:
        state = progress.resumed(state)
    else:
        state = progress.ended(state, alert.cleared or state.started)
    lost = [
        (call.step, call.channel, call.person)
        for call in state.calls
        if call.address is not None
        and ((key := delivery_key(state, call)) in facts.unreached or key not in facts.known)
    ]
    return progress.given_up(state, lost)


def _without_a_page(
    session: Session, state: State, alert: AlertRow, now: datetime
) -> list[tuple[int, str, str]]:
    """Calls on the page of accounts that nobody signs in as any more, or that see the alert no
    longer."""
    calls = [call for call in state.calls if call.address is None and not call.given_up]
    if not calls:
        return []
    names = {call.person for call in calls}
    query = select(Account).where(Account.username.in_(sorted(names)), Account.active)
    readers = readers_of(session, session.scalars(query).all(), now)
    gone = names - {one.username for one in readers.values() if may_see(one, alert)}
    return [(call.step, call.channel, call.person) for call in calls if call.person in gone]


def held_until(alert: AlertRow, now: datetime) -> datetime | None:
    """Until when nobody new is called; ``None``: not held. Far away where that has no end."""
    ends = []
    if state_of(alert).in_work(now):
        ends.append(alert.out_of_service_until or FOR_GOOD)
    if alert.shelved_until is not None:
        ends.append(alert.shelved_until)
    if (device := coverage.held_until(alert)) is not None:
        ends.append(device)
    latest = max(ends, default=now)
    return latest if latest > now else None


def facts_of(session: Session, alert_ids: Sequence[str]) -> dict[str, Facts]:
    """By alert. Two statements."""
    answers: dict[str, list[EscalationAnswer]] = defaultdict(list)
    query = select(EscalationAnswer).where(EscalationAnswer.alert_id.in_(alert_ids))
    for answer in session.scalars(query.order_by(EscalationAnswer.id)):
        answers[answer.alert_id].append(answer)
    unreached: dict[str, set[tuple[int, str, str]]] = defaultdict(set)
    known: dict[str, set[tuple[int, str, str]]] = defaultdict(set)
    for row in session.execute(
        select(
            Delivery.alert_id,
            Delivery.channel_id,
            Delivery.purpose,
            Delivery.step,
            Delivery.state,
            Delivery.reason,
        ).where(Delivery.alert_id.in_(alert_ids))
    ):
        key = (row.channel_id, row.purpose, row.step)
        known[row.alert_id].add(key)
        if reaches_nobody(row.state, row.reason):
            unreached[row.alert_id].add(key)
    return {
        alert_id: Facts(
            answers[alert_id], frozenset(unreached[alert_id]), frozenset(known[alert_id])
        )
        for alert_id in alert_ids
    }
