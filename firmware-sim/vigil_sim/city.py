"""A scenario's devices, really running: built from the world, one list per gateway."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Protocol

from vigil_sim.clock import CityClock
from vigil_sim.faults import Faults
from vigil_sim.ledger import Ledger
from vigil_sim.scenario import Gateway, HomeAlarm, NoiseCamera, Scenario, Sonde, Station
from vigil_sim.world import World


class Running(Protocol):
    """What every simulated device is."""

    async def start(self) -> None:
        """Open its ports."""

    async def stop(self) -> None:
        """Close them."""


class City:
    """Builds and runs all devices of a scenario.

    After ``start``, ``sections`` holds the device sections for each gateway's
    configuration, ``environment`` what its process needs, ``devices`` the list for
    ``city.json``.
    """

    def __init__(
        self, scenario: Scenario, clock: CityClock, directory: Path, *, seed: int | None = None
    ) -> None:
        self.scenario = scenario
        self.clock = clock
        self.seed = scenario.seed if seed is None else seed
        self.world = World(scenario, self.seed)
        self.ledger = Ledger(directory / "ledger.sqlite")
        self.sections: dict[str, dict[str, list[dict[str, Any]]]] = {
            gateway.id: {} for gateway in scenario.gateway
        }
        self.environment: dict[str, dict[str, str]] = {g.id: {} for g in scenario.gateway}
        self.devices: list[dict[str, Any]] = []
        self._directory = directory
        self._running = AsyncExitStack()
        self._streets: list[Any] = []

    async def start(self) -> None:
        """Start every device. On failure what was started is stopped again."""
        try:
            for camera in self.scenario.noise:
                await self._noise(camera)
            for sonde in self.scenario.water:
                await self._water(sonde)
            for gateway in self.scenario.gateway:
                stations = [s for s in self.scenario.checkin if s.gateway == gateway.id]
                await self._stations(gateway, stations)
                alarms = [a for a in self.scenario.smoke if a.gateway == gateway.id]
                await self._homes(gateway, alarms)
        except BaseException:
            await self.stop()
            raise

    def begin(self) -> None:
        """The night begins: the clock runs, and vehicles get their place in the sound."""
        self.clock.begin()
        for street in self._streets:
            street.schedule(self.clock)

    async def stop(self) -> None:
        """Stop every device, last started first; one that fails to does not keep the others."""
        try:
            await self._running.aclose()
        finally:
            self.ledger.close()

    async def _run(self, device: Running) -> None:
        # Before: what fails or is interrupted half-way has something to stop, too.
        self._running.push_async_callback(device.stop)
        await device.start()

    def faults(self, device: str) -> Faults:
        """The faults that the scenario writes for one device."""
        found = [entry.fault for entry in self.scenario.fault if entry.device == device]
        return Faults(found, seed=f"{self.seed}/{device}")

    def _who(self, device: NoiseCamera | Sonde | Station | HomeAlarm) -> dict[str, Any]:
        latitude, longitude = self.world.geographic(device.at)
        return {
            "device": device.device,
            "name": device.name,
            "name_zh": device.name_zh,
            "latitude": latitude,
            "longitude": longitude,
        }

    def _listed(
        self,
        domain: str,
        device: NoiseCamera | Sonde | Station | HomeAlarm,
        addresses: dict[str, str],
    ) -> None:
        entry = self._who(device) | {"gateway": device.gateway, "domain": domain}
        self.devices.append(entry | {"addresses": addresses})

    def _section(self, gateway: str, domain: str, section: dict[str, Any]) -> None:
        self.sections[gateway].setdefault(domain, []).append(section)

    async def _noise(self, camera: NoiseCamera) -> None:
        from vigil_sim.noise.street import Street

        street = Street(camera, self.world, self.clock, self.faults(camera.device))
        # Rendering sounds and scenery takes a few seconds of processor time.
        await asyncio.to_thread(street.render)
        await self._run(street)
        self._streets.append(street)
        self._section(camera.gateway, "noise", self._who(camera) | street.section())
        self._listed(
            "noise", camera, {"audio": street.audio_address, "camera": street.camera_address}
        )

    async def _water(self, sonde: Sonde) -> None:
        from vigil_sim.water.device import ModbusSonde
        from vigil_sim.water.sonde_map import HIGH, LOW, SIGNALS, bounds, values

        device = ModbusSonde(
            lambda t: values(self.world.water(sonde.canal_m, t)),
            SIGNALS,
            device=sonde.device,
            gateway=sonde.gateway,
            mode=sonde.mode,
            interval_s=max(sonde.interval_s / self.clock.speed, 0.2),
            world_time=self.clock.world,
            speed=self.clock.speed,
            faults=self.faults(sonde.device),
            ledger=self.ledger,
        )
        await self._run(device)
        section = bounds(device.section(**self._who(sonde)), HIGH, LOW)
        self._section(sonde.gateway, "water", section)
        self._listed("water", sonde, {"modbus": device.address})

    async def _stations(self, gateway: Gateway, stations: list[Station]) -> None:
        from vigil_sim.checkin.stations import Radios, reader

        absence_s = round(max(4.0, 60.0 / self.clock.speed), 1)
        common = {"absence_s": absence_s, "min_sightings": 2}
        ble = [station for station in stations if station.driver == "ble"]
        if ble:
            radios = Radios(self, ble, self._directory / gateway.id)
            await self._run(radios)
            self.environment[gateway.id].update(radios.environment)
            for station in ble:
                keys = radios.section(station) | common
                self._section(gateway.id, "checkin", self._who(station) | keys)
                self._listed("checkin", station, {})
        for station in stations:
            if station.driver == "llrp":
                device = reader(self, station)
                await self._run(device)
                section = device.section(**self._who(station), **common)
                self._section(gateway.id, "checkin", section)
                self._listed("checkin", station, {"llrp": device.address})

    async def _homes(self, gateway: Gateway, alarms: list[HomeAlarm]) -> None:
        if not alarms:
            return
        from vigil_sim.smoke.device import Zigbee2MqttHome, ZigbeeAlarm

        zigbee = []
        for number, alarm in enumerate(alarms, start=1):
            who = self._who(alarm)
            smoke = _smoke_of(self.world, alarm.device)
            zigbee.append(
                ZigbeeAlarm(
                    alarm.friendly_name,
                    alarm.device,
                    smoke,
                    ieee_address=f"0x00158d00{number:08x}",
                    threshold=alarm.threshold,
                    faults=self.faults(alarm.device),
                    name=who["name"],
                    name_zh=who["name_zh"],
                    latitude=who["latitude"],
                    longitude=who["longitude"],
                    dialect=alarm.dialect,
                )
            )
        home = Zigbee2MqttHome(
            zigbee,
            gateway=gateway.id,
            world_time=self.clock.world,
            speed=self.clock.speed,
            ledger=self.ledger,
        )
        await self._run(home)
        self._section(gateway.id, "smoke", home.section())
        for alarm in alarms:
            self._listed("smoke", alarm, {"mqtt": home.broker})


def _smoke_of(world: World, device: str) -> Any:
    return lambda t: world.smoke(device, t)
