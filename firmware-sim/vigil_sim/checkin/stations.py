"""The stations of a scenario: which tag each radio hears and each reader sees, and when."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from vigil_sim.checkin.advert_socket import AdvertSocket
from vigil_sim.checkin.bluez import BluezStandIn, available
from vigil_sim.checkin.gpsd import GpsdServer, Place
from vigil_sim.checkin.reader import LlrpReader, TagInField
from vigil_sim.checkin.scenario import Station
from vigil_sim.checkin.street import Beacon, Street, Walker
from vigil_sim.checkin.street import Station as HearingStation
from vigil_sim.checkin.walks import Drive, Walks
from vigil_sim.scenario_model import ScenarioError
from vigil_sim.site import Site

_POWER_1M_DBM = -59.0
_PATH_LOSS = 2.2


def beacon(tag: str) -> Beacon:
    """The transmitter of a tag named as in the contract. Raises ``ScenarioError``."""
    kind, *parts = tag.split(":")
    digest = hashlib.sha256(tag.encode()).digest()
    # A static random address: the two highest bits are set.
    address = ":".join(f"{byte:02X}" for byte in (digest[0] | 0xC0, *digest[1:6]))
    try:
        if kind == "ibeacon":
            uuid, major, minor = parts
            return Beacon.ibeacon(address, uuid, int(major), int(minor), power_1m_dbm=_POWER_1M_DBM)
        if kind == "eddystone-uid":
            namespace, instance = parts
            return Beacon.eddystone_uid(address, namespace, instance, power_1m_dbm=_POWER_1M_DBM)
    except ValueError as error:
        raise ScenarioError(
            f"tag {tag!r} is not {kind} as the contract writes it: {error}"
        ) from error
    raise ScenarioError(f"tag {tag!r} is no beacon: ibeacon:… and eddystone-uid:… are")


def bystanders(stations: Iterable[Station]) -> list[Walker]:
    """A device that never leaves each station, so that a quiet street is no stalled radio."""
    found = []
    for station in stations:
        digest = hashlib.sha256(f"bystander/{station.device}".encode()).digest()
        address = ":".join(f"{byte:02X}" for byte in (digest[0] | 0xC0, *digest[1:6]))
        stand = (station.at[0] + 2.0, station.at[1])
        found.append(Walker(Beacon.bystander(address), lambda _, stand=stand: stand))  # type: ignore[misc]  # the default binds this place
    return found


def walkers(walks: Walks) -> list[Walker]:
    """Everybody who carries a beacon."""
    return [
        Walker(beacon(tag), lambda t, tag=tag: walks.position(tag, t))  # type: ignore[misc]  # the default binds this tag
        for tag in walks.tags
        if not tag.startswith("epc:")
    ]


class Radios:
    """The Bluetooth of one gateway: an adapter per station, and the street that they hear."""

    def __init__(self, site: Site, walks: Walks, stations: list[Station], directory: Path) -> None:
        self._adapters = {station.device: f"hci{i}" for i, station in enumerate(stations)}
        names = list(self._adapters.values())
        directory.mkdir(parents=True, exist_ok=True)
        self._service: BluezStandIn | AdvertSocket = (
            BluezStandIn(names, directory=directory) if available() else AdvertSocket(names)
        )
        self._site = site
        self._walks = walks
        self._stations = stations
        self._street: Street | None = None

    @property
    def environment(self) -> dict[str, str]:
        """For the gateway's process."""
        return self._service.environment

    def section(self, station: Station) -> dict[str, Any]:
        """One station's part of its ``[[checkin]]`` table."""
        adapter = self._adapters[station.device]
        return {"driver": "ble", "backend": self._service.backend, "adapter": adapter}

    async def start(self) -> None:
        """Start the Bluetooth service, and let the beacons advertise."""
        await self._service.start()
        site = self._site
        hearing = [
            HearingStation(
                station.device,
                station.gateway,
                station.at,
                self._service.adapter(self._adapters[station.device]),
                faults=site.faults(station.device),
                sensitivity_dbm=_POWER_1M_DBM - 10 * _PATH_LOSS * math.log10(station.range_m),
            )
            for station in self._stations
        ]
        self._street = Street(
            [*walkers(self._walks), *bystanders(self._stations)],
            hearing,
            seed=site.world.seed,
            path_loss_exponent=_PATH_LOSS,
            world_time=site.clock.world,
            speed=site.clock.speed,
            ledger=site.ledger,
        )
        await self._street.start()

    async def stop(self) -> None:
        """Silence, then no service."""
        if self._street is not None:
            await self._street.stop()
        await self._service.stop()


def receiver(site: Site, drive: Drive) -> GpsdServer:
    """Gpsd on a gateway that drives."""

    def place() -> Place:
        t = site.clock.world()
        latitude, longitude = site.world.geographic(drive.at(t))
        return Place(latitude, longitude, speed_m_s=drive.speed(t) * site.clock.speed)

    return GpsdServer(place, period_s=max(0.1, 1.0 / site.clock.speed))


def reader(site: Site, walks: Walks, station: Station, drive: Drive | None = None) -> LlrpReader:
    """A UHF reader that sees the tags within its range, wherever it is."""
    tags = [tag for tag in walks.tags if tag.startswith("epc:")]

    def field(t: float) -> Iterable[TagInField]:
        for tag in tags:
            at = station.at if drive is None else drive.at(t)
            metres = walks.distance(tag, at, t)
            if metres is not None and metres <= station.range_m:
                # The way there and back: twice the loss of one way.
                rssi = -40.0 - 40.0 * math.log10(max(metres, 0.5))
                yield TagInField(tag.removeprefix("epc:"), antenna=1, rssi_dbm=max(rssi, -80.0))

    return LlrpReader(
        field,
        device=station.device,
        gateway=station.gateway,
        world_time=site.clock.world,
        speed=site.clock.speed,
        faults=site.faults(station.device),
        ledger=site.ledger,
    )
