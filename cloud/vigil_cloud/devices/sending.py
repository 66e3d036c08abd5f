"""Commands and configurations out of their table and onto the broker."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.devices.models import Downlink
from vigil_schemas.control import Command, Configuration
from vigil_schemas.envelope import CLOUD_SOURCE, encode
from vigil_schemas.topics import CONFIG, topic

AT_ONCE: Final = 100

Publish = Callable[[str, bytes, bool], bool]
"""Topic, payload, retained → whether the broker took it."""


def anything_waiting(session: Session) -> bool:
    """Asked often; takes no lock."""
    return session.scalar(select(Downlink.id).where(Downlink.sent.is_(None)).limit(1)) is not None


def send_waiting(session: Session, publish: Publish, now: datetime) -> int:
    """Send what waits, oldest first; returns how many. A crash in between sends one again,
    which its id makes harmless."""
    rows = session.scalars(
        select(Downlink)
        .where(Downlink.sent.is_(None))
        .order_by(Downlink.created, Downlink.id)
        .limit(AT_ONCE)
        .with_for_update(skip_locked=True)
    ).all()
    sent = 0
    for row in rows:
        try:
            message = _message(row)
        except ValidationError as error:  # of an older version: it must not hold up the others
            row.sent = row.answered = now
            row.accepted, row.code = False, "wrong-command"
            row.message = str(error.errors()[0]["msg"])[:400]
            continue
        if not publish(topic(row.gateway, row.channel), message, row.channel == CONFIG):
            break
        row.sent = now
        sent += 1
    return sent


def _message(row: Downlink) -> bytes:
    model: Any = Configuration if row.channel == CONFIG else Command
    return encode(
        id=row.id,
        source=CLOUD_SOURCE,
        type=model.TYPE,
        subject=row.gateway,
        time=row.created,
        data=model.model_validate(row.payload),
    )
