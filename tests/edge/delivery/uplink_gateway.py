"""A gateway of an outbox and an uplink alone, and a cloud that listens to it."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

from edge.ingest_stand_in import IngestStandIn
from vigil_edge.configuration.sections import CloudSettings
from vigil_edge.delivery.feedback import Feedback
from vigil_edge.delivery.outbox import Limits, Outbox
from vigil_edge.delivery.uplink import Uplink, UplinkCallbacks
from vigil_edge.device.seam import Outgoing
from vigil_schemas.control import AnyCommand, AnyConfiguration
from vigil_schemas.gateway import CommandResult, GatewayBirth
from vigil_schemas.smoke import SmokeAlarm
from vigil_schemas.types import ClockQuality, Lane


@dataclass
class Gateway:
    """An outbox and an uplink, with what they report."""

    id: str
    outbox: Outbox
    uplink: Uplink
    counts: Counter[str]
    commands: list[AnyCommand] = field(default_factory=list)
    configurations: list[AnyConfiguration] = field(default_factory=list)
    number: Any = field(default_factory=itertools.count)
    task: asyncio.Task[None] | None = None

    def connect(self) -> None:
        self.task = asyncio.create_task(self.uplink.run())

    async def disconnect(self) -> None:
        if self.task is not None:
            self.task.cancel()
            await asyncio.gather(self.task, return_exceptions=True)
            self.task = None

    async def accept(self, lane: Lane, count: int) -> None:
        facts = []
        for _ in range(count):
            number = next(self.number)
            at = datetime.now(UTC)
            data: Any = CommandResult(command_id=f"number-{number:08d}", accepted=True)
            if lane is Lane.ALARM:
                data = SmokeAlarm(
                    alarm_id=f"alarm-{number:06d}", condition="smoke", active=True, since=at
                )
            facts.append(Outgoing(lane, data.TYPE, self.id, at, data))
        await self.outbox.accept("d", facts, None, ClockQuality.SYNCHRONISED)

    async def empty(self) -> None:
        while True:
            if not sum(depth.rows for depth in await self.outbox.depths()):
                return
            await asyncio.sleep(0.02)


@contextlib.contextmanager
def ingest(port: int, gateway: str, configure: Any = None) -> Any:
    stand_in = IngestStandIn(port, gateway, configure)
    try:
        yield stand_in
    finally:
        stand_in.close()


Make = Callable[..., Any]


@contextlib.asynccontextmanager
async def gateways(folder: Path) -> AsyncIterator[Make]:
    """Builds gateways on a broker; disconnects and closes them all in the end."""
    made: list[Gateway] = []

    async def build(broker: str, name: str | None = None, **cloud: Any) -> Gateway:
        name = name or f"gw-{uuid.uuid4().hex[:12]}"
        outbox = await Outbox.open(
            folder / f"{name}.sqlite",
            name,
            Limits(100_000, 10**9, 64),
            new_epoch=lambda: uuid.uuid4().hex[:16],
            new_id=lambda: str(uuid.uuid4()),
            now_us=lambda: time.time_ns() // 1000,
        )
        commands: list[AnyCommand] = []
        configurations: list[AnyConfiguration] = []

        counts: Counter[str] = Counter()
        callbacks = UplinkCallbacks(
            birth=lambda session: GatewayBirth(
                session=session,
                started=datetime.now(UTC),
                software="test",
                epoch=outbox.epoch,
                public_key="0" * 64,
                devices=[],
            ),
            command=lambda each, _: commands.append(each),
            configuration=lambda data, _retained: configurations.append(data),
            count=lambda name: counts.update([name]),
            now=lambda: datetime.now(UTC),
            monotonic=time.monotonic,
            quality=lambda: ClockQuality.SYNCHRONISED,
            feedback=Feedback(lambda: datetime.now(UTC), time.monotonic),
            new_id=lambda: str(uuid.uuid4()),
        )
        settings = CloudSettings(broker=broker, **cloud)
        uplink = Uplink(settings, name, outbox, 64, callbacks, Random(1), first_pause_s=0.1)
        gateway = Gateway(name, outbox, uplink, counts, commands, configurations)
        made.append(gateway)
        return gateway

    try:
        yield build
    finally:
        for gateway in made:
            await gateway.disconnect()
            await gateway.outbox.close()
