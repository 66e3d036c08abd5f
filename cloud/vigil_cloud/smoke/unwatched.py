"""Alarms of a home that no gateway reads any more: whoever lives there is told, and maintainers.

The alarm itself still sounds at home; nobody is called by it. See ``alerts.unread``.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import exists, select
from sqlalchemy.orm import Session

from vigil_cloud.alerts.unread import Unread, unread
from vigil_cloud.devices.models import Device
from vigil_cloud.identity.models import HouseholdDevice
from vigil_cloud.identity.reader import device_at
from vigil_cloud.jobs.port import Job, in_transaction
from vigil_cloud.smoke.models import AlarmCondition
from vigil_schemas.smoke import DOMAIN

EVERY: Final = timedelta(seconds=20)


def of_homes(session: Session, now: datetime, household: str | None = None) -> Sequence[str]:
    """Alarms that a home lists (``household``: this one) and no gateway reads."""
    told = exists().where(AlarmCondition.device == HouseholdDevice.device)
    query = (
        select(HouseholdDevice.device)
        .outerjoin(Device, Device.device == HouseholdDevice.device)
        .where(device_at(now), unread(DOMAIN, HouseholdDevice.device, told))
        .distinct()
    )
    if household is not None:
        query = query.where(HouseholdDevice.household == household)
    return session.scalars(query).all()


def _listed(session: Session, now: datetime, device: str) -> bool:
    query = select(HouseholdDevice.id).where(HouseholdDevice.device == device, device_at(now))
    return session.scalar(query.limit(1)) is not None


UNWATCHED: Final = Unread(
    domain=DOMAIN,
    title="Smoke alarm no longer watched: {place}",
    title_zh="{place} 警報器已不再受監看",
    audience="home-and-maintainers",
    detail={"type": "smoke-not-watched"},
    missed=of_homes,
    counts=_listed,
)


def unwatched_job() -> Job:
    """Of one process; it writes where something changed."""
    return Job("smoke-unwatched", EVERY, in_transaction(UNWATCHED.look), waiting=UNWATCHED.differs)
