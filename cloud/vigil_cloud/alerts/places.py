"""Where a device is and what people call the place."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from sqlalchemy import bindparam, select
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


# Made once: asked for every alert, and to make a statement costs more than to run it.
_PLACES: Final = select(
    Device.device, Device.name, Device.name_zh, Device.latitude, Device.longitude
).where(Device.device.in_(bindparam("devices", expanding=True)))
NOWHERE: Final = Place("", "", None, None)
"""Of what no device has told."""


def place_of(session: Session, device: str) -> Place:
    """The place as the gateway's birth described it; only the id before the first birth."""
    return places_of(session, {device})[device]


def places_of(session: Session, devices: Collection[str]) -> dict[str, Place]:
    """The same of several, with one statement."""
    rows = session.execute(_PLACES, {"devices": list(devices)}) if devices else ()
    known = {
        device: _place(device, name, name_zh, latitude, longitude)
        for device, name, name_zh, latitude, longitude in rows
    }
    return {device: known.get(device) or _place(device) for device in devices}


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


def _place(
    device: str,
    name: str | None = None,
    name_zh: str | None = None,
    latitude: float | None = None,
    longitude: float | None = None,
) -> Place:
    shown = name or name_zh or device
    return Place(shown, name_zh or shown, latitude, longitude)
