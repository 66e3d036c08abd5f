"""Commands and configurations out of their table and onto the broker."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

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
        if not publish(topic(row.gateway, row.channel), _message(row), row.channel == CONFIG):
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
