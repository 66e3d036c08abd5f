"""Walkers with beacons in a street with stations: who hears whom, and how loud."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from vigil_sim.checkin.beacons import Receiver
from vigil_sim.faults import Faults
from vigil_sim.ledger import Ledger

Position = tuple[float, float]
"""Metres east and north of the world's origin."""


@dataclass(frozen=True, slots=True)
class Beacon:
    """A transmitter. Make one with ``Beacon.ibeacon`` or ``Beacon.eddystone_uid``."""

    address: str
    tag: str
    """The contract's tag id, for the ledger: ``ibeacon:…`` or ``eddystone-uid:…``."""
    manufacturer_data: dict[int, bytes]
    service_data: dict[str, bytes]
    power_1m_dbm: float = -59.0
    """RSSI at one metre."""
    interval_s: float = 0.1
    """Advertising interval, real seconds."""

    @classmethod
    def ibeacon(
        cls,
        address: str,
        uuid: str,
        major: int,
        minor: int,
        *,
        power_1m_dbm: float = -59.0,
        interval_s: float = 0.1,
    ) -> Beacon:
        """An amulet that speaks iBeacon."""
        raise NotImplementedError

    @classmethod
    def eddystone_uid(
        cls,
        address: str,
        namespace: str,
        instance: str,
        *,
        power_1m_dbm: float = -59.0,
        interval_s: float = 0.1,
    ) -> Beacon:
        """A tag that speaks Eddystone-UID; ``namespace`` 20 and ``instance`` 12 hex digits."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Walker:
    """Somebody carrying a beacon; ``position(t)`` at second ``t`` of the timetable, None: away."""

    beacon: Beacon
    position: Callable[[float], Position | None]


@dataclass(frozen=True, slots=True)
class Station:
    """A BLE station: where it stands and the radio that hears."""

    device: str
    gateway: str
    position: Position
    receiver: Receiver
    faults: Faults | None = None
    sensitivity_dbm: float = -92.0


class Street:
    """Lets every walker's beacon advertise at its interval, heard by the stations in range."""

    def __init__(
        self,
        walkers: Sequence[Walker],
        stations: Sequence[Station],
        *,
        seed: int = 0,
        path_loss_exponent: float = 2.2,
        shadowing_db: float = 3.0,
        clock: Callable[[], float] = time.time,
        world_time: Callable[[], float] | None = None,
        speed: float = 1.0,
        ledger: Ledger | None = None,
    ) -> None:
        raise NotImplementedError

    async def start(self) -> None:
        """Begin to advertise."""

    async def stop(self) -> None:
        """Fall silent."""
