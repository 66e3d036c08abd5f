"""The lines of an alert's history: the one place that writes what people say into it."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy.orm import Session

from vigil_cloud.alerts.models import AlertHistory, AlertRow
from vigil_cloud.alerts.sealing import seal_text

MOVED: Final = "moved"
"""Its device was listed in another home: what stands before this line is the former home's."""
RESTORED: Final = "restored"
"""It stood in the backup that this city was restored from; the comment says of when that is."""
MOST: Final = 1000
"""Characters of one line."""
WRITTEN: Final = (
    "acknowledged",
    "confirmed",
    "shelved",
    "unshelved",
    "out-of-service",
    "in-service",
    "amended",
    "worsened",
    "device-shelved",
)
"""Actions whose comment people write themselves; everything else the platform words."""


def note(
    session: Session,
    row: AlertRow,
    at: datetime,
    account: str | None,
    action: str,
    comment: str = "",
) -> None:
    """One line. What somebody wrote is sealed, what the platform says is not.

    Raises ``Undecipherable``, ``WrongSecretKey`` where there is something to seal.
    """
    line = AlertHistory(alert_id=row.id, at=at, account=account, action=action)
    if account is not None and comment and action in WRITTEN:
        line.text = seal_text(session, row, comment[:MOST])
    else:
        line.comment = comment[:MOST]
    session.add(line)
