"""Where something happened, for the rights to it: in whose home, and in which district."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.identity.models import HouseholdDevice, Location
from vigil_cloud.identity.reader import device_at


class Situation(NamedTuple):
    """``None``: in no home; in no district that is known."""

    household: str | None
    district: str | None


def situation_of(session: Session, device: str, gateway: str, at: datetime) -> Situation:
    """Of what a device says at this moment, or a gateway where ``device`` is empty. One
    statement: ingest asks for each alert."""
    home = select(HouseholdDevice.household).where(HouseholdDevice.device == device, device_at(at))
    kind, thing = ("device", device) if device else ("gateway", gateway)
    place = select(Location.district).where(Location.kind == kind, Location.thing == thing)
    row = session.execute(
        select(home.limit(1).scalar_subquery(), place.limit(1).scalar_subquery())
    ).one()
    return Situation(row[0] if device else None, row[1])
