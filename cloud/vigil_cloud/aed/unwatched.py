"""Cabinets of the register that no gateway reads any more: their buttons call nobody.

See ``alerts.unread``. A cabinet that no gateway has told of yet may come later.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.aed.models import AedSite
from vigil_cloud.alerts.unread import Unread, unread
from vigil_cloud.devices.models import Device
from vigil_cloud.jobs.port import Job, in_transaction
from vigil_schemas.aed import DOMAIN

EVERY: Final = timedelta(seconds=20)


def of_register(session: Session, now: datetime) -> Sequence[str]:
    """Cabinets that the register names and no gateway reads."""
    del now
    query = (
        select(AedSite.device)
        .outerjoin(Device, Device.device == AedSite.device)
        .where(AedSite.device.is_not(None), unread(DOMAIN, AedSite.device))
    )
    return [device for device in session.scalars(query) if device is not None]


def _named(session: Session, now: datetime, device: str) -> bool:
    del now
    return session.scalar(select(AedSite.id).where(AedSite.device == device)) is not None


UNWATCHED: Final = Unread(
    domain=DOMAIN,
    title="AED cabinet no longer watched, its button calls nobody: {place}",
    title_zh="{place} AED 箱已不再受監看，求救按鈕無法通報",
    audience="all",
    detail={"type": "aed-not-watched"},
    missed=of_register,
    counts=_named,
)


def unwatched_job() -> Job:
    """Of one process; it writes where something changed."""
    return Job("aed-unwatched", EVERY, in_transaction(UNWATCHED.look), waiting=UNWATCHED.differs)
