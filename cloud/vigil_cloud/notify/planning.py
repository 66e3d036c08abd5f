"""From what alerts announce to deliveries: the fan-out, after the commit and off every lane.

Rows of the outbox (``alerts.outbox``) are worked through in rounds: who hears is found out while
nothing is locked, then a bounded number of deliveries is written in one short transaction,
together with how far the row has been worked through. So nothing is lost or doubled whenever a
process dies, and any number of processes may work: who comes second finds the row gone or
further. Urgent rows come first, and gateways take turns.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from sqlalchemy import Integer, Select, bindparam, delete, func, or_, select, update
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from vigil_cloud.alerts import feed
from vigil_cloud.alerts.models import AlertRow, OutboxEntry
from vigil_cloud.alerts.service import state_of
from vigil_cloud.database.base import UtcDateTime
from vigil_cloud.database.engine import writing
from vigil_cloud.database.upsert import insert_missing
from vigil_cloud.domain.rights import PLATFORM
from vigil_cloud.notify.directory import Directory
from vigil_cloud.notify.escalation.engine import begin, renew
from vigil_cloud.notify.escalation.policies import Chooser, NotUnderstood, read
from vigil_cloud.notify.escalation.policy import Policy
from vigil_cloud.notify.escalation.waking import wake
from vigil_cloud.notify.models import FOLLOW_UPS, STOOD_DOWN, Delivery, Escalation
from vigil_cloud.notify.people import Hearer, KnownPeople
from vigil_cloud.notify.progress import HELD_BACK
from vigil_cloud.notify.untold import amiss, clear_told, tell_policy_amiss, tell_untold

AT_ONCE: Final = 50
"""Rows of a round."""
WRITTEN_AT_ONCE: Final = 400
"""Deliveries of one transaction, which everybody who changes an alert waits for."""
TRY_AGAIN: Final = timedelta(seconds=30)
SETTLE: Final = timedelta(seconds=60)
"""So long a platform alert waits before it is told: what is over meanwhile is told to nobody, and
what befalls many gateways at once is told in one message."""
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Step:
    """What follows from one row of the outbox, as far as a transaction has room for it."""

    entry: OutboxEntry
    rows: tuple[dict[str, Any], ...] = ()
    reached: int | None = None
    """How far it is worked through then; ``None``: to its end."""
    failed: str = ""
    """Why nothing can be said of it yet."""
    policy: Policy | None = None
    """It answers for the alert: but for ``rows`` nobody is told but by its steps."""
    amiss: str = ""
    """The policy that should, and cannot be read."""


def plan(sessions: sessionmaker[Session], now: datetime, people: KnownPeople | None = None) -> int:
    """One round; returns how many rows of the outbox were worked on. Any number of processes
    may call it, each thread with its own ``people``."""
    people = people or KnownPeople()
    try:
        return _plan(sessions, now, people)
    except BaseException:
        people.forget()
        raise


def _plan(sessions: sessionmaker[Session], now: datetime, people: KnownPeople) -> int:
    with sessions() as session:
        steps = _steps(session, now, people)
    if steps:
        with writing(sessions) as session:
            feed.lock(session)
            _write(session, steps, now)
    return len(steps)


def _steps(session: Session, now: datetime, people: KnownPeople) -> list[_Step]:
    waiting = _next(session, now)
    if not waiting:
        return []
    persons = {alert.person_key for _, alert in waiting if alert.person_key is not None}
    directory = Directory(session, now, persons=persons, people=people.get(session, now))
    told = _told(session, [entry for entry, _ in waiting])
    chooser = Chooser(session)
    escalated = _escalated(session, [entry for entry, _ in waiting])
    steps: list[_Step] = []
    room = WRITTEN_AT_ONCE
    for entry, alert in waiting:
        policy, unread = _policy(chooser, entry, alert, escalated.get(entry.alert_id))
        if policy is not None and not _goes_on(entry, alert):
            steps.append(_Step(entry, policy=policy))
            continue
        everybody = entry.alert_id in escalated
        step = _step(directory, entry, alert, told[entry.alert_id], room, everybody=everybody)
        steps.append(replace(step, amiss=unread, policy=policy))
        room -= len(step.rows)
        if room <= 0:
            break
    return steps


def _policy(
    chooser: Chooser, entry: OutboxEntry, alert: AlertRow, before: Any
) -> tuple[Policy | None, str]:
    """The policy that answers for it, or the name of the one that should and cannot be read:
    then everybody who may hear of the alert is told at once, as without it. ``before``: by which
    it was escalated so far."""
    if entry.purpose not in {"raised", "again"} or entry.home_of:
        return None, ""
    if entry.audience != "all":
        return None, ""  # widened meanwhile: those whom it was for are told before the policy's
    if entry.purpose == "again" and not state_of(alert).stands:
        return None, ""  # a policy rests where it is over; what goes on must be told
    try:
        policy = chooser.choose(alert, entry.severity)
        if policy is None and before is not None:  # taken away meanwhile
            policy = read(str(before.get("name", "")), before)
    except NotUnderstood as error:
        _log.exception("policy-not-understood", alert=entry.alert_id, policy=error.name)
        return None, error.name
    return policy, ""


def _goes_on(entry: OutboxEntry, alert: AlertRow) -> bool:
    """Its device fell silent and people are called all the same: everybody hears that at once,
    and its policy goes on calling until somebody accepts."""
    return entry.purpose == "again" and not alert.active


def _turns(urgent: bool) -> Select[int]:
    turn = (
        func.row_number()
        .over(partition_by=OutboxEntry.gateway, order_by=OutboxEntry.id)
        .label("turn")
    )
    now, most = bindparam("now", type_=UtcDateTime()), bindparam("most", type_=Integer())
    ready = or_(OutboxEntry.not_before.is_(None), OutboxEntry.not_before <= now)
    turns = select(OutboxEntry.id, turn).where(OutboxEntry.urgent.is_(urgent), ready).subquery()
    return select(turns.c.id).order_by(turns.c.turn, turns.c.id).limit(most)


# Made once: asked several times a second, and to make a statement costs more than to run it.
_TURNS: Final = {urgent: _turns(urgent) for urgent in (True, False)}
_ENTRIES: Final = (
    select(OutboxEntry, AlertRow)
    .join(AlertRow, AlertRow.id == OutboxEntry.alert_id)
    .where(OutboxEntry.id.in_(bindparam("ids", expanding=True)))
)


def _next(session: Session, now: datetime) -> Sequence[tuple[OutboxEntry, AlertRow]]:
    """The oldest of each gateway, then the second oldest of each, and so on."""
    for urgent in (True, False):
        ids = session.scalars(_TURNS[urgent], {"now": now, "most": AT_ONCE}).all()
        if ids:
            found = session.execute(_ENTRIES, {"ids": ids})
            by_id = {row.OutboxEntry.id: (row.OutboxEntry, row.AlertRow) for row in found}
            return [by_id[number] for number in ids if number in by_id]
    return []


def _delay(hearer: Hearer, entry: OutboxEntry) -> timedelta:
    """What follows up goes at once to whoever was told, however late that was."""
    return timedelta(seconds=0 if entry.purpose in FOLLOW_UPS else hearer.escalate_after_s)


def _told(session: Session, entries: Sequence[OutboxEntry]) -> dict[str, set[int]]:
    """Channels that were told, or may have been, of those alerts that something follows up."""
    alerts = {entry.alert_id for entry in entries if entry.purpose in FOLLOW_UPS}
    found: dict[str, set[int]] = defaultdict(set)
    if alerts:
        query = select(Delivery.alert_id, Delivery.channel_id).where(
            Delivery.alert_id.in_(sorted(alerts)),
            or_(Delivery.state == "sent", Delivery.perhaps_told),
        )
        for row in session.execute(query):
            found[row.alert_id].add(row.channel_id)
    return found


def _escalated(session: Session, entries: Sequence[OutboxEntry]) -> dict[str, Any]:
    """Those alerts that a policy answers for, and which."""
    alerts = {entry.alert_id for entry in entries}
    query = select(Escalation.alert_id, Escalation.document)
    rows = session.execute(query.where(Escalation.alert_id.in_(sorted(alerts))))
    return {row.alert_id: row.document for row in rows}


def _step(
    directory: Directory,
    entry: OutboxEntry,
    alert: AlertRow,
    told: Collection[int],
    room: int,
    *,
    everybody: bool,
) -> _Step:
    """``everybody``: who was called by a policy hears the end, without having asked for it."""
    if entry.purpose in {"reopened", "woken"}:
        return _Step(entry)
    everybody = everybody or entry.purpose == STOOD_DOWN
    try:
        hearers = (
            directory.allowed(alert)
            if everybody and entry.purpose in FOLLOW_UPS
            else directory.hearers(
                alert, severity=entry.severity, audience=entry.audience, home_of=entry.home_of
            )
        )
    except SQLAlchemyError:
        raise
    except Exception as error:  # noqa: BLE001 - one that cannot be worked through must not keep the others waiting
        _log.exception("not-planned", alert=entry.alert_id)
        return _Step(entry, reached=entry.reached, failed=f"{type(error).__name__}: {error}")
    soonest = _soonest(entry, alert)
    if entry.purpose in FOLLOW_UPS:
        asked = {one.id for one in hearers if everybody or entry.purpose in one.follow_ups}
        hearers = [one for one in hearers if one.id in asked and one.id in told]
    beyond = [hearer for hearer in hearers if hearer.id > entry.reached]
    rows = tuple(
        {
            "alert_id": entry.alert_id,
            "channel_id": hearer.id,
            "state": "waiting",
            "attempts": 0,
            "purpose": entry.purpose,
            "step": entry.step,
            "queued": entry.at,
            "due": soonest + _delay(hearer, entry),
            "escalation": _delay(hearer, entry) > timedelta(),
        }
        for hearer in beyond[:room]
    )
    return _Step(entry, rows, beyond[room - 1].id if len(beyond) > room else None)


def _soonest(entry: OutboxEntry, alert: AlertRow) -> datetime:
    settles = alert.domain == PLATFORM and entry.purpose in {"raised", "again"}
    return entry.at + (SETTLE if settles else timedelta())


def _write(session: Session, steps: Sequence[_Step], now: datetime) -> None:
    wanted = {step.entry.id: step.entry.reached for step in steps}
    # One that another process has in hand is skipped: it is being worked through.
    held = session.execute(
        select(OutboxEntry.id, OutboxEntry.reached)
        .where(OutboxEntry.id.in_(wanted))
        .order_by(OutboxEntry.id)
        .with_for_update(skip_locked=True)
    )
    ours = {row.id for row in held if row.reached == wanted[row.id]}
    steps = [step for step in steps if step.entry.id in ours]
    insert_missing(session, Delivery, [row for step in steps for row in step.rows])
    _escalate(session, [one for one in steps if one.policy is not None and one.reached is None])
    wake(session, {step.entry.alert_id for step in steps}, now)
    for step in steps:
        _act(session, step.entry, now)
        if step.failed:
            _set(session, step.entry.id, not_before=now + TRY_AGAIN)
            entry = step.entry
            tell_untold(session, entry.alert_id, step.failed, now, urgent=entry.urgent)
        elif step.reached is not None:
            _set(session, step.entry.id, reached=step.reached)
        if step.amiss:
            tell_policy_amiss(session, step.amiss, step.entry.alert_id, now)
    done = [step.entry.id for step in steps if step.reached is None]
    if done:
        session.execute(delete(OutboxEntry).where(OutboxEntry.id.in_(done)))
        followed = {amiss(step.policy.name) for step in steps if step.policy is not None}
        told = {step.entry.alert_id for step in steps if step.reached is None}
        clear_told(session, followed | told, now)
    feed.append_all(session, "alert", sorted({step.entry.alert_id for step in steps}), now)


def _escalate(session: Session, steps: Sequence[_Step]) -> None:
    """Begin, or begin anew, what policies answer for."""
    if not steps:
        return
    ids = sorted({step.entry.alert_id for step in steps})
    query = select(Escalation).where(Escalation.alert_id.in_(ids)).with_for_update()
    known = {row.alert_id: row for row in session.scalars(query)}
    alerts = {row.id: row for row in session.scalars(select(AlertRow).where(AlertRow.id.in_(ids)))}
    for step in steps:
        entry, policy = step.entry, step.policy
        assert policy is not None  # noqa: S101 - the caller chose those
        at = _soonest(entry, alerts[entry.alert_id])
        row = known.get(entry.alert_id)
        if row is None:
            row = Escalation(**begin(policy, entry.alert_id, at))
            session.add(row)
            known[entry.alert_id] = row
        elif entry.purpose == "again":
            renew(row, policy, at, entry.step)
    session.flush()


def _set(session: Session, number: int, **values: Any) -> None:
    session.execute(update(OutboxEntry).where(OutboxEntry.id == number).values(**values))


def _act(session: Session, entry: OutboxEntry, now: datetime) -> None:
    """What of earlier deliveries changes."""
    waiting = update(Delivery).where(Delivery.alert_id == entry.alert_id)
    if entry.purpose == "reopened":  # whom nobody told, because it was over, is told now
        session.execute(
            waiting.where(Delivery.reason == "over").values(
                state="waiting",
                due=entry.at + SETTLE,
                queued=entry.at,
                attempts=0,
                reason=None,
                error=None,
            )
        )
    elif entry.purpose in {"again", "woken"}:  # what waited for that is looked at now
        session.execute(
            waiting.where(Delivery.state == "waiting", Delivery.reason.in_(HELD_BACK)).values(
                due=now
            )
        )
