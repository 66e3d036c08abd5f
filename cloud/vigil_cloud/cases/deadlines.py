"""Deadlines: set by the kind or by people, met by a step or by hand, told when near and when over.

The platform looks every minute (``tell``, a job); what it tells stands in the case's history and
on every open page, once each, and is an alert (``deadline_alerts``) until the deadline is met.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from vigil_cloud.alerts import feed
from vigil_cloud.cases import deadline_alerts, history
from vigil_cloud.cases.errors import BadDeadline, CaseFull, WrongState
from vigil_cloud.cases.history import Action, Said
from vigil_cloud.cases.lifecycle import Step
from vigil_cloud.cases.models import CaseDeadline, CaseRow
from vigil_cloud.cases.port import CaseKind, CaseKinds
from vigil_cloud.cases.service import Desk, hold, told

CUSTOM: Final = "custom"
LONGEST: Final = timedelta(days=3660)
REMIND_BEFORE: Final = timedelta(days=1)
MOST: Final = 50
"""Deadlines of one case."""
_AT_ONCE: Final = 100


def begin(desk: Desk, row: CaseRow, kind: CaseKind, step: Step | None = None) -> None:
    """The kind's own deadlines: all of them with a new case; with another round of decisions,
    those that a decision meets."""
    for rule in kind.deadlines:
        if step is None or "decide" in rule.met_by:
            due = desk.now + rule.after
            _set(desk, row, rule.code, due, due - min(rule.remind_before, rule.after / 2), "")
    refresh(desk.session, row)


def set_custom(desk: Desk, case_id: str, due: datetime, text: str) -> CaseRow:
    """Somebody sets one. Raises ``BadDeadline``, ``CaseFull``, ``WrongState``."""
    held = hold(desk, case_id, "deadline", None)
    if held.row.state == "closed":
        raise WrongState("This case is closed; reopen it first.", state="closed")
    if not desk.now < due <= desk.now + LONGEST:
        raise BadDeadline(f"A deadline lies ahead, by at most {LONGEST.days} days.")
    query = select(func.count()).where(CaseDeadline.case_id == case_id)
    if (desk.session.scalar(query) or 0) >= MOST:
        raise CaseFull(MOST, "deadlines")
    remind = max(desk.now, due - REMIND_BEFORE)
    _set(desk, held.row, CUSTOM, due, remind, text)
    refresh(desk.session, held.row)
    return held.row


def meet(desk: Desk, case_id: str, number: int) -> CaseRow:
    """What was to be done is done. Idempotent. Raises ``BadDeadline``."""
    held = hold(desk, case_id, "deadline", None)
    deadline = desk.session.get(CaseDeadline, number)
    if deadline is None or deadline.case_id != case_id:
        raise BadDeadline("This case has no such deadline.")
    if deadline.met is None:
        _met(desk, held.row, deadline)
        told(desk, held.row, "deadline-met", {"deadline": deadline.id, "code": deadline.code})
        refresh(desk.session, held.row)
    return held.row


def met_by(desk: Desk, row: CaseRow, kind: CaseKind, step: Step) -> None:
    """The deadlines that a step meets; closing meets, or ends, all of them."""
    codes = {rule.code for rule in kind.deadlines if step in rule.met_by}
    for deadline in _open(desk.session, row.id):
        if step == "close" or deadline.code in codes:
            _met(desk, row, deadline)
    refresh(desk.session, row)


def prolong(session: Session, row: CaseRow, code: str, due: datetime, now: datetime) -> None:
    """What was to be done by then may be done later: the kind's deadline of this code follows,
    never to an earlier time. One that was told as near or over is met, and another takes its
    place. Idempotent. The caller has called ``feed.lock`` before."""
    for deadline in _open(session, row.id):
        if deadline.code != code or deadline.due >= due:
            continue
        remind = due - (deadline.due - deadline.remind)
        if deadline.reminded is None:
            deadline.due, deadline.remind = due, remind
            continue
        deadline.met = now
        deadline_alerts.met(session, row, deadline, now)
        following = CaseDeadline(
            case_id=row.id, code=code, event=deadline.event, due=due, remind=remind
        )
        session.add(following)
    refresh(session, row)


def end_all(session: Session, case_ids: Collection[str], now: datetime) -> None:
    """Whom these cases are about was erased: nothing is to be done any more. The caller has
    called ``feed.lock`` before."""
    for row in session.scalars(select(CaseRow).where(CaseRow.id.in_(case_ids))):
        for deadline in _open(session, row.id):
            deadline.met = now
            deadline_alerts.met(session, row, deadline, now)
        refresh(session, row)
    session.flush()


def _met(desk: Desk, row: CaseRow, deadline: CaseDeadline) -> None:
    deadline.met = desk.now
    deadline_alerts.met(desk.session, row, deadline, desk.now)


def refresh(session: Session, row: CaseRow) -> None:
    """The first that is not met is the case's own."""
    session.flush()
    row.due = min((deadline.due for deadline in _open(session, row.id)), default=None)


def _open(session: Session, case_id: str) -> list[CaseDeadline]:
    query = select(CaseDeadline).where(CaseDeadline.case_id == case_id, CaseDeadline.met.is_(None))
    return list(session.scalars(query))


def _set(desk: Desk, row: CaseRow, code: str, due: datetime, remind: datetime, text: str) -> None:
    detail = {"code": code, "due": due.isoformat()}
    event = told(desk, row, "deadline-set", detail, text)
    desk.session.add(
        CaseDeadline(case_id=row.id, code=code, event=event.number, due=due, remind=remind)
    )


def tell(session: Session, kinds: CaseKinds, now: datetime) -> bool:
    """What is near or over and not told yet; at most so many at once. Whether there was any.

    Idempotent: several processes each do it, and the row says what was told.
    """
    waiting = select(CaseDeadline).where(CaseDeadline.met.is_(None), CaseDeadline.overdue.is_(None))
    near = (CaseDeadline.reminded.is_(None)) & (CaseDeadline.remind <= now)
    query = waiting.where(near | (CaseDeadline.due <= now)).order_by(CaseDeadline.due)
    if session.scalar(query.with_only_columns(CaseDeadline.id).limit(1)) is None:
        return False  # asked without a lock: nearly always so
    feed.lock(session)
    for deadline in session.scalars(query.limit(_AT_ONCE)).all():
        row = session.get_one(CaseRow, deadline.case_id, with_for_update=True)
        over = deadline.due <= now
        deadline.reminded = deadline.reminded or now
        if over:
            deadline.overdue = now
        _say(session, row, "deadline-over" if over else "deadline-near", deadline, now)
        deadline_alerts.tell(session, row, kinds.get(row.kind), deadline, now)
    return True


def _say(
    session: Session, row: CaseRow, action: Action, deadline: CaseDeadline, now: datetime
) -> None:
    # The version stays: a reminder is no reason to refuse what somebody is just doing.
    detail = {"deadline": deadline.id, "code": deadline.code, "due": deadline.due.isoformat()}
    number = history.next_number(session, row.id)
    history.append(session, row, number, Said(action, None, detail), None, now)
    feed.append(session, "case", row.id, now)
