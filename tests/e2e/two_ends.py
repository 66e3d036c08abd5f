"""The real agent of the edge and the real ingest and API of the cloud, on a real broker.

In one process, so that a test can stop either end, put a file back and look into both.
"""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import httpx
from sqlalchemy import select

import servers
from cloud_city import City
from vigil_cloud.alerts.models import AlertRow
from vigil_cloud.database.engine import writing
from vigil_cloud.devices.models import Gateway
from vigil_cloud.identity.roles import Role
from vigil_cloud.identity.service import find_account, set_gateway_token
from vigil_cloud.ingest.intakes import Ingest
from vigil_cloud.ingest.models import Watermark
from vigil_cloud.ingest.subscriber import BrokerAddress
from vigil_cloud.refusals.models import DeadLetter
from vigil_cloud.timeseries.port import Series
from vigil_edge.agent import Agent, Given
from vigil_edge.clock import Clock
from vigil_edge.configuration.gateway_file import Config, load
from vigil_edge.device.seam import Outgoing
from vigil_edge.process import open_outbox
from vigil_edge.registry import DOMAINS
from vigil_schemas.contract import observation_type
from vigil_schemas.senml import Reading, pack
from vigil_schemas.smoke import SmokeAlarm
from vigil_schemas.types import ClockQuality, Lane, QartodFlag

DEADLINE_S = 60.0
TOKEN = "a-token-of-this-test-alone"


async def until(condition: Callable[[], Any], what: str) -> Any:
    """Looks without blocking the agent's loop."""
    end = time.monotonic() + DEADLINE_S
    while not (value := await asyncio.to_thread(condition)):
        assert time.monotonic() < end, what
        await asyncio.sleep(0.05)
    return value


class PresentCity(City):
    """A city on the clock of the gateways."""

    @property
    def time(self) -> datetime:
        return datetime.now(UTC)

    @time.setter
    def time(self, _value: datetime) -> None:
        """It runs by itself."""


class Cloud:
    """A city with the present time, and its ingest."""

    def __init__(self, folder: Path, broker: str, **settings: Any) -> None:
        self.broker = broker
        self.city = PresentCity(folder, **settings)
        with self.city.services.sessions() as session:
            restored = find_account(session, "maintainer") is not None
        if not restored:
            self.city.account("maintainer", Role.MAINTAINER)
        self.ingest = self._started()
        self.url = self.city.serve()

    def _started(self) -> Ingest:
        address = BrokerAddress.parse(self.broker)
        ingest = Ingest(self.city.services, self.city.handlers, address)
        ingest.start()
        return ingest

    def start_ingest_again(self) -> None:
        self.ingest.stop()
        self.ingest = self._started()

    def admit(self, gateway: str) -> None:
        with writing(self.city.services.sessions) as session:
            set_gateway_token(session, gateway, TOKEN, datetime.now(UTC))

    def gateway(self, name: str) -> Gateway | None:
        with self.city.services.sessions() as session:
            return session.get(Gateway, name)

    def rows(self, model: Any, gateway: str) -> list[Any]:
        with self.city.services.sessions() as session:
            return list(session.scalars(select(model).where(model.gateway == gateway)))

    def alarms(self, gateway: str) -> list[str]:
        """Homes with an alert, one entry each; the platform's own alerts are of no device."""
        return sorted(row.device for row in self.rows(AlertRow, gateway) if row.device)

    def readings(self, gateway: str) -> int:
        series = Series("water", gateway, "sonde-e2e", "pH")
        first, last = datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
        return self.city.services.timeseries.count(series, first, last)

    def letters(self, gateway: str) -> list[str]:
        return sorted(row.reason for row in self.rows(DeadLetter, gateway))

    def epochs(self, gateway: str) -> set[str]:
        return {row.source.rpartition("/")[2] for row in self.rows(Watermark, gateway)}

    def maintainer(self) -> httpx.Client:
        return self.city.client("maintainer")

    def close(self) -> None:
        self.ingest.stop()
        self.city.close()


class Box:
    """A gateway: its folder, and the agent that works in it while it is switched on."""

    def __init__(self, name: str, folder: Path, cloud: Cloud, clock: Clock | None = None) -> None:
        self.name = name
        self.folder = folder
        self.clock = clock or Clock()
        folder.mkdir(exist_ok=True)
        (folder / "token").write_text(TOKEN)
        self.file = folder / "gateway.toml"
        self.file.write_text(
            f'[gateway]\nid = "{name}"\ndata_dir = "{folder}/data"\n'
            f'[cloud]\nbroker = "{cloud.broker}"\nurl = "{cloud.url}"\n'
            f'token_file = "{folder}/token"\n[health]\ninterval_s = 1\n'
            '[[water]]\ndevice = "sonde-e2e"\nname = "Canal"\nname_zh = "水圳"\n'
            f'driver = "modbus-tcp"\naddress = "127.0.0.1:{servers.free_port()}"\n'
            '[[water.signal]]\nname = "pH"\nunit = "pH"\n'
        )
        (folder / "data").mkdir(exist_ok=True)
        self.agent: Agent
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def config(self) -> Config:
        return load(self.file, DOMAINS)

    async def open(self) -> None:
        """Its outbox, without a connection."""
        outbox = await open_outbox(self.config, self.clock)
        self.agent = Agent(Given(self.file, self.config, DOMAINS), outbox, self.clock, Random(1))

    async def on(self) -> None:
        await self.open()
        await self.run()

    async def run(self) -> None:
        """From when it was opened."""
        self._stop = asyncio.Event()
        self._task = asyncio.create_task(self.agent.run(self._stop))

    async def off(self) -> None:
        """As if unplugged, but for the broker's sake politely."""
        if self._task is not None:
            self._stop.set()
            await self._task
            self._task = None
        await self.agent.outbox.close()

    def copy(self, to: Path) -> None:
        """The outbox's files as a snapshot or an imager takes them."""
        shutil.copytree(self.folder / "data", to)

    def put_back(self, copy: Path) -> None:
        shutil.rmtree(self.folder / "data")
        shutil.copytree(copy, self.folder / "data")

    async def accept(self, *numbers: int) -> None:
        """An alarm of a home of its own, and a reading, for each number."""
        for number in numbers:
            at = self.clock.now()
            alarm = SmokeAlarm(
                alarm_id=f"alarm-{self.name}-{number}", condition="smoke", active=True, since=at
            )
            reading = Reading("pH", "pH", at, 7.0 + number / 100, QartodFlag.GOOD)
            device = "sonde-e2e"
            await self.agent.outbox.accept(
                "test",
                [
                    Outgoing(Lane.ALARM, SmokeAlarm.TYPE, f"home-{number:03d}", at, alarm),
                    Outgoing(
                        Lane.OBSERVATION,
                        observation_type("water"),
                        device,
                        at,
                        pack(device, [reading]),
                    ),
                ],
                None,
                ClockQuality.SYNCHRONISED,
            )

    async def empty(self) -> None:
        """Until no alarm waits for its receipt; health goes on being written."""
        end = time.monotonic() + DEADLINE_S
        while any(depth.rows for depth in (await self.agent.outbox.depths())[:1]):
            assert time.monotonic() < end, "receipts for all alarms"
            await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def switched_on(box: Box) -> AsyncIterator[Box]:
    await box.on()
    try:
        yield box
    finally:
        await box.off()
