"""A scenario's devices, really running: every registered domain builds its own on one site."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vigil_sim.clock import CityClock
from vigil_sim.faults import Faults
from vigil_sim.ledger import Ledger
from vigil_sim.scenario import CityScenario
from vigil_sim.scenario_model import Device
from vigil_sim.site import Running
from vigil_sim.world import World


class City:
    """Builds and runs all devices of a scenario.

    After ``start``, ``sections`` holds the device sections for each gateway's
    configuration, ``environment`` what its process needs, ``devices`` the list for
    ``city.json``.
    """

    def __init__(
        self, scenario: CityScenario, clock: CityClock, directory: Path, *, seed: int | None = None
    ) -> None:
        self.scenario = scenario
        self.clock = clock
        self.directory = directory
        self.world = World(scenario, scenario.seed if seed is None else seed)
        self.ledger = Ledger(directory / "ledger.sqlite")
        self.sections: dict[str, dict[str, list[dict[str, Any]]]] = {
            gateway.id: {} for gateway in scenario.gateway
        }
        self.environment: dict[str, dict[str, str]] = {g.id: {} for g in scenario.gateway}
        self.devices: list[dict[str, Any]] = []
        self.running = AsyncExitStack()
        self.beginnings: list[Callable[[CityClock], None]] = []

    @property
    def seed(self) -> int:
        """The scenario's own, or the one that was asked for."""
        return self.world.seed

    async def start(self) -> None:
        """Start every device. On failure what was started is stopped again."""
        try:
            for domain in self.scenario.domains:
                site = _DomainSite(self, domain.key)
                await domain.start(site, self.scenario.devices_of(domain.key))
        except BaseException:
            await self.stop()
            raise

    def begin(self) -> None:
        """The night begins: the clock runs, and whoever waited for that is told."""
        self.clock.begin()
        for act in self.beginnings:
            act(self.clock)

    async def stop(self) -> None:
        """Stop every device, last started first; one that fails to does not keep the others."""
        try:
            await self.running.aclose()
        finally:
            self.ledger.close()


@dataclass(frozen=True)
class _DomainSite:
    """The city as one domain sees it (``vigil_sim.site.Site``)."""

    city: City
    domain: str

    @property
    def world(self) -> World:
        return self.city.world

    @property
    def clock(self) -> CityClock:
        return self.city.clock

    @property
    def ledger(self) -> Ledger:
        return self.city.ledger

    @property
    def directory(self) -> Path:
        return self.city.directory

    def faults(self, device: str) -> Faults:
        found = [entry.fault for entry in self.city.scenario.fault if entry.device == device]
        return Faults(found, seed=f"{self.city.seed}/{device}")

    def who(self, device: Device) -> dict[str, Any]:
        latitude, longitude = self.world.geographic(device.at)
        return {
            "device": device.device,
            "name": device.name,
            "name_zh": device.name_zh,
            "latitude": latitude,
            "longitude": longitude,
        }

    async def run(self, device: Running) -> None:
        # Before: what fails or is interrupted half-way has something to stop, too.
        self.city.running.push_async_callback(device.stop)
        await device.start()

    def at_beginning(self, act: Callable[[CityClock], None]) -> None:
        self.city.beginnings.append(act)

    def add_section(self, gateway: str, section: Mapping[str, Any]) -> None:
        self.city.sections[gateway].setdefault(self.domain, []).append(dict(section))

    def add_environment(self, gateway: str, variables: Mapping[str, str]) -> None:
        self.city.environment[gateway].update(variables)

    def list_device(self, device: Device, addresses: Mapping[str, str]) -> None:
        where = {"gateway": device.gateway, "domain": self.domain}
        self.city.devices.append(self.who(device) | where | {"addresses": dict(addresses)})
