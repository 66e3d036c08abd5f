"""Alarms of other homes close to a fire: what rings there as well, and who is warned next."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from math import cos, radians
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.devices.models import Device
from vigil_cloud.devices.visibility import in_districts
from vigil_cloud.geodesy import distance_m
from vigil_cloud.identity.models import HouseholdDevice
from vigil_cloud.identity.reader import Reader, device_at
from vigil_cloud.smoke.models import AlarmCondition
from vigil_cloud.smoke.verdict import FIRES
from vigil_schemas.smoke import DOMAIN

WITHIN_M: Final = 150.0
"""A lane, or a block of flats and those beside it."""
MOST: Final = 12
_DEGREE_M: Final = 111_195.0


@dataclass(frozen=True, slots=True)
class Neighbour:
    """An alarm of another home. ``away_m``: from the fire, m."""

    device: str
    name: str
    name_zh: str
    latitude: float
    longitude: float
    away_m: int
    state: str
    burns: list[str] = field(default_factory=list)
    """Conditions of a fire that last there, self tests apart."""


def near(
    session: Session,
    reader: Reader,
    at: tuple[float, float],
    household: str | None,
    own: Collection[str],
    now: datetime,
) -> list[Neighbour]:
    """Those that ring first, then the nearest; of the reader's districts. ``at``: latitude,
    longitude; ``own``: alarms of the fire itself."""
    latitude, longitude = at
    north = WITHIN_M / _DEGREE_M
    east = north / max(cos(radians(latitude)), 0.01)
    of_home = select(HouseholdDevice.device).where(
        HouseholdDevice.household == household, device_at(now)
    )
    query = select(Device).where(
        Device.domain == DOMAIN,
        Device.latitude.between(latitude - north, latitude + north),
        Device.longitude.between(longitude - east, longitude + east),
        Device.device.not_in(sorted(own)),
        Device.device.not_in(of_home),
        in_districts(reader, Device.device),
    )
    rows = session.scalars(query).all()
    rings = _ringing(session, [row.device for row in rows])
    found = [
        Neighbour(
            device=row.device,
            name=row.name or row.name_zh or row.device,
            name_zh=row.name_zh or row.name or row.device,
            latitude=row.latitude,
            longitude=row.longitude,
            away_m=round(distance_m(at, (row.latitude, row.longitude))),
            state=row.state,
            burns=rings[row.device],
        )
        for row in rows
        if row.latitude is not None and row.longitude is not None
    ]
    close = [one for one in found if one.away_m <= WITHIN_M]
    return sorted(close, key=lambda one: (not one.burns, one.away_m, one.device))[:MOST]


def _ringing(session: Session, devices: Collection[str]) -> dict[str, list[str]]:
    """Conditions of a fire that last, by device."""
    lasting: dict[str, list[str]] = defaultdict(list)
    query = select(AlarmCondition.device, AlarmCondition.condition).where(
        AlarmCondition.device.in_(devices),
        AlarmCondition.cleared.is_(None),
        AlarmCondition.activated.is_not(None),
        AlarmCondition.in_test.is_(False),
        AlarmCondition.condition.in_(sorted(FIRES)),
    )
    for device, condition in session.execute(query) if devices else ():
        if condition not in lasting[device]:
            lasting[device].append(condition)
    return lasting
