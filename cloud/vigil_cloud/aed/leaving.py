"""Volunteers whose account may no longer come: released from their calls, and others are called."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from vigil_cloud.aed import calls
from vigil_cloud.aed.models import AedCallout, AedCallRow
from vigil_cloud.identity import audit
from vigil_cloud.identity.personal_records import Leaving, PersonalRecords
from vigil_cloud.identity.roles import Role


class VolunteersCalled(PersonalRecords):
    """Whoever was called and is not there yet can say nothing any more: not that they come, and
    not that they do not. Somebody else is called as if they had declined."""

    def account_may_less(self, session: Session, leaving: Leaving) -> None:
        """Whoever has arrived stays: that role is filled, whatever becomes of the account."""
        if leaving.reader is not None and leaving.reader.has(Role.VOLUNTEER):
            return
        query = (
            select(AedCallout.id, AedCallout.call_id)
            .join(AedCallRow, AedCallRow.id == AedCallout.call_id)
            .where(
                AedCallout.account_id == leaving.account_id,
                AedCallout.state.in_(sorted(calls.COMING)),
                AedCallRow.state != "over",
            )
            .order_by(AedCallout.id)
        )
        for callout, call in session.execute(query).all():
            was = calls.release(session, call, callout, leaving.now)
            audit.append(
                session,
                at=leaving.now,
                account=leaving.by,
                action="aed.released",
                subject=call,
                detail={"volunteer": leaving.username, "was": was, "why": leaving.why},
            )

    def account_removed(self, session: Session, username: str, now: datetime) -> None:
        """That somebody was called stays with the call; what they said of it is nobody's."""
        del username, now
        session.execute(
            update(AedCallout)
            .where(AedCallout.account_id.is_(None), AedCallout.debrief.is_not(None))
            .values(debrief=None)
            .execution_options(synchronize_session=False)
        )
