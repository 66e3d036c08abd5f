"""What of an alert is to be told, written with the change itself: a transactional outbox.

Rooms that raise alerts know nobody. Whoever tells people (``notify``) reads these rows after the
commit, in bounded batches, and deletes each once all that follows from it is written; a process
that dies in between leaves the row to the next.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal

from sqlalchemy import update
from sqlalchemy.orm import Session

from vigil_cloud.alerts.models import AlertRow, OutboxEntry

Purpose = Literal["raised", "again", "reopened", "woken", "all-clear", "closed", "stood-down"]
"""``raised``: for the first time. ``again``: more is known, and the alert counts as not
acknowledged. ``reopened``: what was over is there again. ``woken``: no longer shelved or out of
service. ``all-clear``: it is over. ``closed``: somebody confirmed that what was to be done is
done. ``stood-down``: whoever was called need not come, or can go home; all who were told
hear it."""
STEP_LENGTH: Final = 60


def announce(
    session: Session,
    row: AlertRow,
    now: datetime,
    purpose: Purpose,
    *,
    step: str = "",
    home_of: str = "",
) -> None:
    """Write it down for whoever tells people. One row, however many hear of it.

    ``step``: why again; else what tells two of one purpose apart. ``home_of``: only the home of
    this device is to hear of it.
    """
    urgent = row.pressing and purpose not in {"all-clear", "closed", "stood-down"}
    if urgent and purpose == "again":  # what waits of the same alert goes before it, and first
        session.execute(
            update(OutboxEntry)
            .where(OutboxEntry.alert_id == row.id, OutboxEntry.urgent.is_(False))
            .values(urgent=True)
            .execution_options(synchronize_session=False)
        )
    session.add(
        OutboxEntry(
            alert_id=row.id,
            gateway=row.gateway,
            urgent=urgent,
            at=now,
            purpose=purpose,
            step=step[:STEP_LENGTH],
            severity=row.severity,
            audience=row.audience,
            home_of=home_of,
        )
    )
