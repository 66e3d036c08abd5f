"""What a domain's devices are built from and reported to: the seam between a room and the city."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

from vigil_sim.clock import CityClock
from vigil_sim.faults import Faults
from vigil_sim.ledger import Ledger
from vigil_sim.scenario_model import Device
from vigil_sim.world import World


class Running(Protocol):
    """What every simulated device is."""

    async def start(self) -> None:
        """Open its ports."""

    async def stop(self) -> None:
        """Close them."""


class Site(Protocol):
    """The city as one domain sees it. Whatever a domain adds here belongs to that domain."""

    @property
    def world(self) -> World:
        """The scenario, its seed and its places."""

    @property
    def clock(self) -> CityClock:
        """World time, and how fast it runs."""

    @property
    def ledger(self) -> Ledger:
        """Where devices note what they really produced."""

    @property
    def directory(self) -> Path:
        """A folder for files that devices need while they run (sockets)."""

    def faults(self, device: str) -> Faults:
        """The faults that the scenario writes for one device."""

    def who(self, device: Device) -> dict[str, Any]:
        """A device's identity and place as a gateway's configuration has them."""

    async def run(self, device: Running) -> None:
        """Start a device now, and stop it with the city, last started first."""

    def at_beginning(self, act: Callable[[CityClock], None]) -> None:
        """Call this once the night begins."""

    def add_section(self, gateway: str, section: Mapping[str, Any]) -> None:
        """Write one table of the domain's name into a gateway's configuration."""

    def add_environment(self, gateway: str, variables: Mapping[str, str]) -> None:
        """What a gateway's process needs in its environment."""

    def list_device(self, device: Device, addresses: Mapping[str, str]) -> None:
        """Put a device into ``city.json``, with where it listens."""
