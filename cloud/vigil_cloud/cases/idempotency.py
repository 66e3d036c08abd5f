"""The same request twice does one thing: ``Idempotency-Key`` of a client that never got an answer.

A phone on site keeps what it could not send and sends it again, perhaps after the first try
did arrive.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from vigil_cloud.alerts import feed
from vigil_cloud.cases.errors import CaseNeedsReason
from vigil_cloud.cases.models import CaseEvent, CaseRequest, CaseRow
from vigil_cloud.cases.service import Desk, find
from vigil_cloud.identity import answered
from vigil_cloud.identity.errors import KeyReused

digest: Final = answered.digest
KEPT: Final = timedelta(days=60)
"""Longer than anybody is without a network."""
ANSWERED_AGAIN: Final = timedelta(minutes=10)
"""So long after it an act that ended its own account's access is answered as at first."""


def once(desk: Desk, key: str | None, asked: str, act: Callable[[], CaseRow]) -> CaseRow:
    """Do it, unless this account's key has done it: then the case as it is now.

    In the caller's transaction. Raises ``KeyReused`` where the key came with something else.
    """
    if key is None:
        return act()
    feed.lock(desk.session)  # two tries at once wait for each other
    known = desk.session.get(CaseRequest, (desk.reader.username, key))
    if known is not None:
        if known.digest != asked:
            raise KeyReused("This Idempotency-Key was used for another request; make a new one.")
        try:
            return find(desk, known.case_id)[0]
        except CaseNeedsReason:
            # It was the last act of whoever had access for a time, and its answer was lost.
            row = desk.session.get(CaseRow, known.case_id)
            if row is None or desk.now - known.at > ANSWERED_AGAIN or _went_on(desk, known):
                raise
            return row
    row = act()
    desk.session.add(
        CaseRequest(
            account=desk.reader.username, key=key, digest=asked, case_id=row.id, at=desk.now
        )
    )
    return row


def _went_on(desk: Desk, known: CaseRequest) -> bool:
    """Whether somebody else has acted since (also by ending the access): the answer would tell more
    than the lost one did."""
    others = select(CaseEvent.id).where(
        CaseEvent.case_id == known.case_id,
        CaseEvent.at > known.at,
        CaseEvent.account != desk.reader.username,
    )
    return desk.session.scalar(others.limit(1)) is not None


def done_at(desk: Desk, key: str | None) -> datetime | None:
    """When this account's key was used; ``None``: not yet."""
    known = None if key is None else desk.session.get(CaseRequest, (desk.reader.username, key))
    return None if known is None else known.at


def prune(session: Session, now: datetime) -> bool:
    """Forget what nobody sends again. Nothing that a screen shows."""
    session.execute(delete(CaseRequest).where(CaseRequest.at < now - KEPT))
    return False
