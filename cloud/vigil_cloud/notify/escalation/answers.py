"""What people say to an alert that they were told of: "I take it" or "I cannot".

The one way in for whatever brings answers (the page, signed links, web hooks). It checks the
right to answer, keeps the answer for good under the name of whoever gave it, and moves the alert
and its escalation on.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, Literal

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from vigil_cloud.alerts import answering, feed
from vigil_cloud.alerts.acts import AlertUnknown
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.alerts.visibility import may_act
from vigil_cloud.identity.errors import Forbidden
from vigil_cloud.identity.models import Account
from vigil_cloud.identity.personal_records import Leaving, PersonalRecords
from vigil_cloud.identity.reader import reader_of
from vigil_cloud.identity.rights import Operation
from vigil_cloud.notify.directory import Directory
from vigil_cloud.notify.escalation.engine import started
from vigil_cloud.notify.escalation.people import CHANNEL
from vigil_cloud.notify.escalation.progress import Answer
from vigil_cloud.notify.escalation.waking import wake, wake_all
from vigil_cloud.notify.models import Channel, Escalation, EscalationAnswer

Via = Literal["page", "link", "webhook"]
TO_BE_DONE: Final = (AlertRow.active, AlertRow.called_on)
"""Either: there is something to be done for it."""
IN_HAND: Final = (
    AlertRow.acknowledged,
    AlertRow.confirmed.is_(False),
    AlertRow.priority > 0,
    or_(*TO_BE_DONE),
)
"""What somebody has taken on, and there is something to be done for."""


def record(
    session: Session, alert_id: str, who: str, answer: Answer, at: datetime, *, via: Via
) -> bool:
    """Write down one answer in the caller's transaction; ``False`` where ``who`` said the same
    last time, which changes nothing. Idempotent.

    ``who``: a user name, or ``channel NAME`` of a channel that belongs to a role. ``accepted``
    acknowledges the alert, unless somebody has; ``declined`` by whoever acknowledged it gives it
    back: to somebody else who accepted, or it counts as not acknowledged and its escalation goes
    on. Raises ``AlertUnknown``, and
    ``Forbidden`` where ``who`` may not (or no longer) answer.
    """
    feed.lock(session)
    row = session.get(AlertRow, alert_id, populate_existing=True)
    if row is None:
        raise AlertUnknown("There is no such alert.")
    _require_right(session, row, who, at)
    if _last(session, row, who) == answer:
        return False
    session.add(EscalationAnswer(alert_id=row.id, who=who, answer=answer, at=at, via=via))
    if answer == "accepted":
        answering.accept(session, row, who, at, via=via)
    else:
        answering.decline(session, row, who, at, via=via)
        if not row.acknowledged and (other := _other(session, row, who, at)) is not None:
            answering.accept(session, row, other, at, via=via)
    wake(session, [alert_id], at)
    return True


class InHand(PersonalRecords):
    """What an account had taken on that may no longer answer it, closed, removed or limited:
    somebody must have it, while it stands. Of what is over, whoever looks at it next confirms
    what there was to be done."""

    def account_may_less(self, session: Session, leaving: Leaving) -> None:
        """To somebody else who accepted, or its people are called again."""
        username, now, reader = leaving.username, leaving.now, leaving.reader
        standing = AlertRow.acknowledged_by == username, *IN_HAND
        rows = [
            row
            for row in session.scalars(select(AlertRow).where(*standing).order_by(AlertRow.id))
            if reader is None or not may_act(reader, Operation.ACKNOWLEDGE, row).allowed
        ]
        pass_on(session, rows, now)
        wake_all(session, now)  # those whose step it was called in


def pass_on(session: Session, rows: Sequence[AlertRow], now: datetime) -> None:
    """Whoever has these in hand may answer them no longer: somebody else who accepted has them, or
    their people are called again. The caller has called ``feed.lock`` before."""
    for row in rows:
        had = row.acknowledged_by or ""
        answering.release(session, row, now)
        if (other := _other(session, row, had, now)) is not None:
            answering.accept(session, row, other, now, via="page")
    wake(session, [row.id for row in rows], now)


def _last(session: Session, row: AlertRow, who: str) -> str | None:
    """What ``who`` said last, as far as it still holds: an alert that was renewed since asks
    anew, and so does one that was taken back."""
    if row.acknowledged and row.acknowledged_by == who:
        return "accepted"
    query = (
        select(EscalationAnswer)
        .where(EscalationAnswer.alert_id == row.id, EscalationAnswer.who == who)
        .order_by(EscalationAnswer.id.desc())
    )
    last = session.scalars(query.limit(1)).first()
    if last is None or (last.answer == "accepted" and not row.acknowledged):
        return None
    escalation = session.get(Escalation, row.id)
    if escalation is not None and last.at < started(escalation):
        return None
    return last.answer


def _other(session: Session, row: AlertRow, who: str, now: datetime) -> str | None:
    """Somebody else who accepted in this round, has not given it back, and may still answer."""
    escalation = session.get(Escalation, row.id)
    since = None if escalation is None else started(escalation)
    last = {}
    query = select(EscalationAnswer).where(EscalationAnswer.alert_id == row.id)
    for one in session.scalars(query.order_by(EscalationAnswer.id)):
        if since is None or one.at >= since:
            last[one.who] = one.answer
    others = (one for one, said in last.items() if said == "accepted" and one != who)
    return next((one for one in others if _may_answer(session, row, one, now)), None)


def _may_answer(session: Session, row: AlertRow, who: str, now: datetime) -> bool:
    """Whether an answer of theirs would be taken now."""
    try:
        _require_right(session, row, who, now)
    except Forbidden:
        return False
    return True


def _require_right(session: Session, row: AlertRow, who: str, now: datetime) -> None:
    if who.startswith(CHANNEL):
        channel = session.scalar(select(Channel).where(Channel.name == who.removeprefix(CHANNEL)))
        if channel is None or not channel.enabled or channel.account_id is not None:
            raise Forbidden("There is no such channel that answers for itself.")
        persons = {row.person_key} if row.person_key is not None else set()
        directory = Directory(session, now, persons=persons, channel_id=channel.id)
        if not directory.may_hear(row):
            raise Forbidden("This channel may not hear of this alert, and not answer it.")
        return
    account = session.scalar(select(Account).where(Account.username == who))
    if account is None or not account.active:
        raise Forbidden("There is no such account, or it is closed.")
    decided = may_act(reader_of(session, account, now), Operation.ACKNOWLEDGE, row)
    if not decided.allowed:
        raise Forbidden(f"This account may not answer this alert: {decided.reason}.")
