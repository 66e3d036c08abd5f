"""Rotating ids that a station tells of days later, after an outage.

Whose an id was is looked up in a table of its time, which takes seconds to make where there are
many beacons. The tables of the last two days are kept ready; a batch that goes back over a month
would have dozens of others made, while every event behind it waits. So what is older is written
down as it came and resolved by a job, one table after the other. It is kept no longer than that: an
id of nobody's is gone with it.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.checkin import rotating
from vigil_cloud.checkin.models import LateVisit
from vigil_cloud.domain.port import Complaint, Received
from vigil_schemas.checkin import visit_model
from vigil_schemas.envelope import Envelope

MOST: Final = 200_000
"""That wait; what comes beyond is refused with its reason, and can be replayed."""
FULL: Final = "late-ids-full"


def is_for_later(session: Session, said: str, last: datetime, received: datetime) -> bool:
    """Whether this id is not to be resolved now: it is old, and we are not the job."""
    if not said.startswith(rotating.SENT) or session.info.get(rotating.LATE):
        return False
    return rotating.is_late(last, received)


def put_aside(session: Session, message: Received, last: datetime) -> Complaint | None:
    """Until the job has its turn. ``last``: the visit's last sign, by our clock."""
    if session.scalar(select(LateVisit.id).offset(MOST).limit(1)) is not None:
        return Complaint(FULL, f"{MOST} visits under old rotating ids wait to be resolved")
    envelope = message.envelope.model_dump(mode="json", exclude={"data"}, exclude_none=True)
    envelope["data"] = message.data.model_dump(mode="json", exclude_none=True)
    row = LateVisit(
        gateway=message.gateway,
        block=rotating.block_of_moment(last),
        envelope=envelope,
        marks=dict(message.marks),
        received=message.received,
    )
    session.add(row)
    session.flush()
    return None


def message_of(row: LateVisit) -> Received:
    """As it came."""
    envelope = Envelope.model_validate(row.envelope)
    data = visit_model(str(row.envelope["data"]["tag"])).model_validate(row.envelope["data"])
    return Received(row.gateway, envelope, data, row.received, row.marks)
