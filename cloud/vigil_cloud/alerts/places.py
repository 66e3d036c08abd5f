"""Where a device is and what people call the place."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from vigil_cloud.devices.models import Device
from vigil_cloud.domain.presence import Position


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


MOVING: Final = {
    "fixed": ("on the move", "移動中"),
    "too-old": ("on the move, its last position is too old", "移動中，定位資料過舊"),
    "no-fix": ("on the move, without a satellite fix", "移動中，無衛星定位"),
    "no-receiver": ("on the move, its position receiver fails", "移動中，定位裝置故障"),
}
"""What is said of a device that moves, by the state of its position."""
_UNKNOWN: Final = ("on the move, position unknown", "移動中，位置不明")


def moved(place: Place, position: Position | None) -> Place:
    """Where a device was at a sign: as described where it stands; of one that moves where it was
    then, and nowhere where that is not known: nothing is guessed."""
    if position is None:
        return place
    said, said_zh = MOVING.get(position.state, _UNKNOWN)
    known = position.state == "fixed"
    return Place(
        f"{place.name} ({said})",
        f"{place.name_zh}（{said_zh}）",
        position.latitude if known else None,
        position.longitude if known else None,
    )


def place_then(session: Session, device: str, position: Position | None) -> Place:
    """The place of a device at a sign that it told of."""
    return moved(place_of(session, device), position)


def _place(device: str, row: Device | None) -> Place:
    if row is None:
        return Place(device, device, None, None)
    name = row.name or row.name_zh or device
    return Place(name, row.name_zh or name, row.latitude, row.longitude)
