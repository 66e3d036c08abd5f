"""Walkers with beacons in a street with stations: who hears whom, and how loud."""

from __future__ import annotations

import asyncio
import heapq
import math
import random
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from vigil_sim.checkin.beacons import Beacon, Receiver, rssi_at
from vigil_sim.checkin.broken import broken_advert
from vigil_sim.device_clock import DeviceClock
from vigil_sim.faults import Faults
from vigil_sim.ledger import Ledger
from vigil_sim.supervised import cancel_and_wait, start_supervised

__all__ = ["Beacon", "Position", "Station", "Street", "Walker"]

Position = tuple[float, float]
"""Metres east and north of the world's origin."""

_ADVERTISING_DELAY_S = 0.010
"""The link layer adds a random delay of up to 10 ms to every interval."""


@dataclass(frozen=True, slots=True)
class Walker:
    """Somebody carrying a beacon; ``position(t)`` at second ``t`` of the timetable, None: away."""

    beacon: Beacon
    position: Callable[[float], Position | None]


@dataclass(frozen=True, slots=True)
class Station:
    """A BLE station: where it stands and the radio that hears.

    Faults: drop (an advert is not received), drift (RSSI, dB per second), reboot (deaf for
    the window), corrupt_frame in ``ADVERT_STYLES`` of ``vigil_sim.checkin.broken``. A radio
    keeps no time of its own, so clock_skew has no effect here (and a scenario refuses it).
    """

    device: str
    gateway: str
    position: Position
    receiver: Receiver
    faults: Faults = field(default_factory=Faults)
    sensitivity_dbm: float = -92.0


class Street:
    """Lets every walker's beacon advertise at its interval, heard by the stations in range.

    Adverts are paced in real time; only the walking follows the timetable. The ledger notes
    each advert that a station's radio received as ``advert`` (parameter: the tag; value: RSSI).
    """

    def __init__(  # noqa: PLR0913 - what a test may turn of a street, by name
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
        self._walkers = tuple(walkers)
        self._stations = tuple(stations)
        self._random = random.Random(f"street/{seed}")
        self._exponent = path_loss_exponent
        self._shadowing_db = shadowing_db
        self._clock = DeviceClock(clock, world_time, speed, Faults())
        self._ledger = ledger
        self._advertising: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begin to advertise."""
        self._clock.begin()
        self._advertising = start_supervised(self._advertise(), "beacons")

    async def stop(self) -> None:
        """Fall silent."""
        advertising, self._advertising = self._advertising, None
        await cancel_and_wait(advertising)

    async def _advertise(self) -> None:
        loop = asyncio.get_running_loop()
        due = [
            (loop.time() + self._random.uniform(0, walker.beacon.interval_s), number)
            for number, walker in enumerate(self._walkers)
        ]
        heapq.heapify(due)
        while due:
            moment, number = heapq.heappop(due)
            await asyncio.sleep(moment - loop.time())
            walker = self._walkers[number]
            self.transmit(walker, self._clock.world())
            pause = walker.beacon.interval_s + self._random.uniform(0, _ADVERTISING_DELAY_S)
            heapq.heappush(due, (max(moment + pause, loop.time()), number))

    def transmit(self, walker: Walker, t: float) -> None:
        """One advertisement of one walker's beacon at second ``t`` of the timetable."""
        here = walker.position(t)
        if here is None:
            return
        for station in self._stations:
            rssi = rssi_at(
                math.dist(here, station.position),
                walker.beacon.power_1m_dbm + station.faults.drift(t, "rssi"),
                exponent=self._exponent,
                shadowing_db=self._shadowing_db,
                rng=self._random,
            )
            if rssi < station.sensitivity_dbm or station.faults.rebooting(t):
                continue
            if station.faults.drops(t):
                continue
            self._receive(station, walker.beacon, min(round(rssi), 20), t)

    def _receive(self, station: Station, beacon: Beacon, rssi: int, t: float) -> None:
        advert = beacon.advert(rssi)
        fault = station.faults.corruption(t)
        if fault is not None:
            advert = broken_advert(advert, fault.style, station.faults.random)
        elif self._ledger is not None:
            time_us = math.floor(self._clock.true() * 1e6)
            self._ledger.append(
                "advert", station.gateway, station.device, beacon.tag, time_us, float(rssi)
            )
        station.receiver.heard(advert)
