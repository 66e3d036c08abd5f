"""Where something happened, for the rights to it: in whose home, and in which district."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, false, select
from sqlalchemy.orm import Session

from vigil_cloud.identity.models import HouseholdDevice, Location
from vigil_cloud.identity.reader import device_at


class Situation(NamedTuple):
    """``None``: in no home; in no district that is known."""

    household: str | None
    district: str | None
    asked: bool = False
    """The answer to what was asked along with it."""


def situation_of(
    session: Session,
    device: str,
    gateway: str,
    at: datetime,
    also: ColumnElement[bool] | None = None,
) -> Situation:
    """Of what a device says at this moment, or a gateway where ``device`` is empty. One
    statement, ``also`` (a question to other tables) included: ingest asks for each alert."""
    home = select(HouseholdDevice.household).where(HouseholdDevice.device == device, device_at(at))
    kind, thing = ("device", device) if device else ("gateway", gateway)
    place = select(Location.district).where(Location.kind == kind, Location.thing == thing)
    row = session.execute(
        select(
            home.limit(1).scalar_subquery(),
            place.limit(1).scalar_subquery(),
            false() if also is None else also,
        )
    ).one()
    return Situation(row[0] if device else None, row[1], bool(row[2]))
