"""What somebody had taken on whose right to it has ended since: open again, for others.

An account that is closed or limited lets go at once (``answers.InHand``). What belongs to a home, a
person or a case is open to an account for as long as it belongs to that home, a consent lasts or
the case discloses it, and these also end by themselves, at their time. So whoever stands as having
taken on such an alert is asked about again and again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.alerts import feed
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.alerts.visibility import may_act
from vigil_cloud.identity.models import Account
from vigil_cloud.identity.reader import readers_of
from vigil_cloud.identity.rights import Operation
from vigil_cloud.notify.escalation import answers
from vigil_cloud.notify.escalation.people import CHANNEL

EVERY: Final = timedelta(seconds=10)


def anything_ended(session: Session, now: datetime) -> bool:
    """Whether ``release`` would do anything: reads alone."""
    return bool(_ended(session, now))


def release(session: Session, now: datetime) -> bool:
    """To somebody else who accepted, or its people are called again; whether there was anything.
    In the caller's transaction. Idempotent."""
    feed.lock(session)
    rows = _ended(session, now)
    answers.pass_on(session, rows, now)
    return bool(rows)


def _ended(session: Session, now: datetime) -> Sequence[AlertRow]:
    by_account = (
        AlertRow.acknowledged_by.is_not(None),
        ~AlertRow.acknowledged_by.startswith(CHANNEL),
    )
    query = select(AlertRow).where(*answers.IN_HAND, *by_account).order_by(AlertRow.id)
    rows = session.scalars(query.execution_options(populate_existing=True)).all()
    if not rows:
        return ()
    names = sorted({row.acknowledged_by for row in rows if row.acknowledged_by is not None})
    accounts = session.scalars(select(Account).where(Account.username.in_(names), Account.active))
    readers = {one.username: one for one in readers_of(session, accounts.all(), now).values()}
    return [
        row
        for row in rows
        if (reader := readers.get(row.acknowledged_by or "")) is None
        or not may_act(reader, Operation.ACKNOWLEDGE, row).allowed
    ]
