"""An account that may do less than before lets go of what it may no longer see or act on.

Closed or removed it may nothing; without a role or in fewer districts it may less. Each room that
lets people take something on releases what is no longer theirs, and writes that down where it is
looked at (``PersonalRecords.account_may_less``).
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.orm import Session

from vigil_cloud.identity.models import Account
from vigil_cloud.identity.personal_records import Leaving, Why, records_of
from vigil_cloud.identity.reader import reader_of


def let_go(session: Session, account: Account, why: Why, *, by: str, now: datetime) -> None:
    """Tell every room, once the account is as it is from now on. The caller has called
    ``personal_records.lock_all`` before it wrote to the audit log."""
    session.flush()
    reader = reader_of(session, account, now) if account.active else None
    leaving = Leaving(account.id, account.username, reader, why, by, now)
    for room in records_of(session):
        room.account_may_less(session, leaving)
