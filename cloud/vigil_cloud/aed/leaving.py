"""Volunteers who may no longer come: released from their calls, and others are called.

Their account was closed, removed or lost the role; they took their consent back; or their
certificate was taken from them.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from vigil_cloud.aed import calls
from vigil_cloud.aed.models import AedCallout, AedCallRow
from vigil_cloud.identity import audit
from vigil_cloud.identity.personal_records import Leaving, PersonalRecords, Why
from vigil_cloud.identity.roles import Role

WhyNot = Why | Literal["consent", "certificate"]


def release_coming(
    session: Session, account_id: int, username: str, why: WhyNot, *, by: str, now: datetime
) -> None:
    """From every call that they were called to and are not at yet: somebody else is called as if
    they had declined. Who has arrived stays: that role is filled. The caller holds the feed's
    lock."""
    query = (
        select(AedCallout.id, AedCallout.call_id)
        .join(AedCallRow, AedCallRow.id == AedCallout.call_id)
        .where(
            AedCallout.account_id == account_id,
            AedCallout.state.in_(sorted(calls.COMING)),
            AedCallRow.state != "over",
        )
        .order_by(AedCallout.id)
    )
    for callout, call in session.execute(query).all():
        was = calls.release(session, call, callout, now)
        audit.append(
            session,
            at=now,
            account=by,
            action="aed.released",
            subject=call,
            detail={"volunteer": username, "was": was, "why": why},
        )


class VolunteersCalled(PersonalRecords):
    """Whoever was called and is not there yet can say nothing any more: not that they come, and
    not that they do not. Somebody else is called as if they had declined."""

    def account_may_less(self, session: Session, leaving: Leaving) -> None:
        """Whoever has arrived stays: that role is filled, whatever becomes of the account."""
        if leaving.reader is not None and leaving.reader.has(Role.VOLUNTEER):
            return
        account, username = leaving.account_id, leaving.username
        release_coming(session, account, username, leaving.why, by=leaving.by, now=leaving.now)

    def account_removed(self, session: Session, username: str, now: datetime) -> None:
        """That somebody was called stays with the call; what they said of it is nobody's."""
        del username, now
        session.execute(
            update(AedCallout)
            .where(AedCallout.account_id.is_(None), AedCallout.debrief.is_not(None))
            .values(debrief=None)
            .execution_options(synchronize_session=False)
        )
