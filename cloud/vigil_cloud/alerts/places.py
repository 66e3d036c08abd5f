"""Where a device is and what people call the place."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.devices.models import Device


@dataclass(frozen=True, slots=True)
class Place:
    """``name`` and ``name_zh`` stand in for each other, and the device id for both."""

    name: str
    name_zh: str
    latitude: float | None
    longitude: float | None


NOWHERE: Final = Place("", "", None, None)
"""Of what no device has told."""


def place_of(session: Session, device: str) -> Place:
    """The place as the gateway's birth described it; only the id before the first birth."""
    return places_of(session, {device})[device]


def places_of(session: Session, devices: Collection[str]) -> dict[str, Place]:
    """The same of several, with one statement."""
    query = select(Device).where(Device.device.in_(devices))
    known = {row.device: row for row in session.scalars(query)} if devices else {}
    return {device: _place(device, known.get(device)) for device in devices}


def _place(device: str, row: Device | None) -> Place:
    if row is None:
        return Place(device, device, None, None)
    name = row.name or row.name_zh or device
    return Place(name, row.name_zh or name, row.latitude, row.longitude)
