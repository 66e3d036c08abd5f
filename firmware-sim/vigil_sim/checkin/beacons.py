"""Beacons that people and things carry, and how a station hears them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Advert:
    """One advertisement as one radio heard it."""

    address: str
    """Bluetooth device address, ``AA:BB:CC:DD:EE:FF``."""
    rssi: int
    """dBm."""
    manufacturer_data: dict[int, bytes] = field(default_factory=dict)
    """By company identifier."""
    service_data: dict[str, bytes] = field(default_factory=dict)
    """By 128-bit UUID in lower case."""
    service_uuids: tuple[str, ...] = ()
    local_name: str | None = None
    tx_power: int | None = None


class Receiver(Protocol):
    """A radio that can hear adverts: an adapter of ``BluezStandIn`` or of ``AdvertSocket``."""

    def heard(self, advert: Advert) -> None:
        """Pass one advert to whoever is scanning; nobody scanning loses it."""
