"""A fifth domain of the simulated city, from the tests alone: bells that say when they ring."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Any, Final, Literal

from vigil_schemas.types import DeviceId
from vigil_sim.clock import CityClock
from vigil_sim.device_clock import DeviceClock
from vigil_sim.domain import SimulatedDomain
from vigil_sim.fault_rules import FaultProfile
from vigil_sim.faults import FaultKind
from vigil_sim.scenario_model import Device, Happening
from vigil_sim.site import Site
from vigil_sim.tcp import TcpServer


class Bell(Device):
    """A bell that tells whoever is connected of each stroke."""

    pitch_hz: float = 440.0


class Stroke(Happening):
    """Somebody rings a bell."""

    what: Literal["stroke"]
    device: DeviceId


class RunningBell:
    """One line of text for each stroke."""

    def __init__(self, bell: Bell, site: Site) -> None:
        self.bell = bell
        self._faults = site.faults(bell.device)
        self._ledger = site.ledger
        clock = site.clock
        self._clock = DeviceClock(time.time, clock.world, clock.speed, self._faults)
        self._strokes = [
            stroke
            for stroke in site.world.scenario.happenings(Stroke)
            if stroke.device == bell.device
        ]
        self._listeners: set[asyncio.StreamWriter] = set()
        self._server = TcpServer("127.0.0.1", 0, self._listen)
        self._timers: list[asyncio.TimerHandle] = []

    @property
    def address(self) -> str:
        return f"tcp://{self._server.address}"

    async def start(self) -> None:
        await self._server.start()

    async def stop(self) -> None:
        for timer in self._timers:
            timer.cancel()
        await self._server.stop()

    def schedule(self, city: CityClock) -> None:
        loop = asyncio.get_running_loop()
        for stroke in self._strokes:
            delay_s = city.monotonic_at(stroke.at_s) - loop.time()
            self._timers.append(loop.call_later(max(delay_s, 0.0), self._ring, stroke))

    async def _listen(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._listeners.add(writer)
        try:
            await reader.read()
        finally:
            self._listeners.discard(writer)

    def _ring(self, stroke: Stroke) -> None:
        if self._faults.drops(stroke.at_s):
            return
        time_us = self._clock.microseconds()
        pitch = self.bell.pitch_hz + self._faults.drift(stroke.at_s, "pitch")
        self._ledger.append(
            "stroke", self.bell.gateway, self.bell.device, "pitch", time_us, pitch, stroke.title
        )
        for writer in self._listeners:
            writer.write(f"{stroke.title} {pitch:g}\n".encode())


async def start(site: Site, bells: Sequence[Bell]) -> None:
    for bell in bells:
        device = RunningBell(bell, site)
        await site.run(device)
        site.at_beginning(device.schedule)
        site.add_section(bell.gateway, site.who(bell) | {"address": device.address})
        site.list_device(bell, {"strokes": device.address})


def faults(_: Bell) -> FaultProfile:
    return FaultProfile(
        "a bell", ("pitch",), without_effect={FaultKind.REBOOT: "there is nothing to boot"}
    )


def listed(_: Any) -> dict[str, Any]:
    return {"bells_are": "of bronze"}


BELL: Final = SimulatedDomain(
    key="bell",
    title="Bells",
    title_zh="鐘",
    icon="🔔",
    device=Bell,
    start=start,
    faults=faults,
    ledger={"stroke": "a bell was rung"},
    happenings=(Stroke,),
    listed=listed,
)
