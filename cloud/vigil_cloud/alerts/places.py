"""Where a device is and what people call the place."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.orm import Session

from vigil_cloud.devices.models import Device


@dataclass(frozen=True, slots=True)
class Place:
    """``name`` and ``name_zh`` stand in for each other, and the device id for both."""

    name: str
    name_zh: str
    latitude: float | None
    longitude: float | None


def place_of(session: Session, device: str) -> Place:
    """The place as the gateway's birth described it; only the id before the first birth."""
    row = session.get(Device, device)
    if row is None:
        return Place(device, device, None, None)
    name = row.name or row.name_zh or device
    return Place(name, row.name_zh or name, row.latitude, row.longitude)
