"""Where something happened, for the rights to it: in whose home, and in which district."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Select, bindparam, select
from sqlalchemy.orm import Session

from vigil_cloud.database.base import UtcDateTime
from vigil_cloud.identity.models import HouseholdDevice, Location
from vigil_cloud.identity.reader import device_at

# Made once: asked for every alert, and to make a statement costs more than to run it.
_WHERE: Final = select(
    select(HouseholdDevice.household)
    .where(
        HouseholdDevice.device == bindparam("device"),
        device_at(bindparam("at", type_=UtcDateTime())),
    )
    .limit(1)
    .scalar_subquery(),
    select(Location.district)
    .where(Location.kind == bindparam("kind"), Location.thing == bindparam("thing"))
    .limit(1)
    .scalar_subquery(),
)


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
    kind, thing = ("device", device) if device else ("gateway", gateway)
    query: Select[Any] = _WHERE if also is None else _WHERE.add_columns(also)
    asked = {"device": device, "at": at, "kind": kind, "thing": thing}
    household, district, *answer = session.execute(query, asked).one()
    return Situation(household if device else None, district, bool(answer and answer[0]))
