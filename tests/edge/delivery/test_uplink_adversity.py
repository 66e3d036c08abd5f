"""The uplink where a neighbour is away, dead without a word, wrong, or on a refusing disk."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import servers
from edge.delivery.uplink_gateway import Make, gateways, ingest
from edge.ingest_stand_in import until
from vigil_schemas.control import CommandV1, ConfigurationV1
from vigil_schemas.gateway import GatewayBirth
from vigil_schemas.topics import CONFIG
from vigil_schemas.types import Lane


@pytest.fixture
async def make(tmp_path: Path) -> AsyncIterator[Make]:
    async with gateways(tmp_path) as build:
        yield build


class Cable:
    """A wire to the broker that can be cut: both ends stay up, and nothing arrives any more."""

    def __init__(self, port: int) -> None:
        self._to = port
        self._whole = asyncio.Event()
        self._whole.set()
        self._writers: list[asyncio.StreamWriter] = []
        self._carrying: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Cable:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = int(self._server.sockets[0].getsockname()[1])
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._carrying:
            task.cancel()
        await asyncio.gather(*self._carrying, return_exceptions=True)
        for writer in self._writers:
            writer.close()

    def cut(self) -> None:
        self._whole.clear()

    def mend(self) -> None:
        self._whole.set()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_connection("127.0.0.1", self._to)
        self._writers += [writer, there[1]]
        for source, sink in ((reader, there[1]), (there[0], writer)):
            task = asyncio.create_task(self._carry(source, sink))
            self._carrying.add(task)
            task.add_done_callback(self._carrying.discard)

    async def _carry(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            await self._whole.wait()
            sink.write(data)
            await sink.drain()
        await self._whole.wait()
        sink.close()


async def test_it_starts_before_its_broker_and_waits_for_it(tmp_path: Path, make: Make) -> None:
    port = servers.free_port()
    gateway = await make(f"mqtt://127.0.0.1:{port}")
    gateway.connect()
    await gateway.accept(Lane.ALARM, 2)
    await until(lambda: gateway.counts["uplink-unreachable"] >= 2)

    broker = servers.mosquitto(tmp_path / "broker", port=port)
    try:
        with ingest(port, gateway.id) as cloud:
            await asyncio.wait_for(gateway.empty(), 60)
            assert cloud.numbers("alarm") == [1, 2]
    finally:
        await gateway.disconnect()
        broker.stop()


async def test_a_cut_cable_holds_nobody_up(mosquitto: servers.Mosquitto, make: Make) -> None:
    # Given a keep-alive of ten minutes, and a way on which nothing gets through any more.
    async with Cable(mosquitto.port) as cable:
        gateway = await make(f"mqtt://127.0.0.1:{cable.port}", keepalive_s=600)
        with ingest(mosquitto.port, gateway.id) as cloud:
            gateway.connect()
            await until(lambda: cloud.status(GatewayBirth))
            cable.cut()
            await gateway.accept(Lane.EVENT, 5)
            await until(lambda: len(gateway.uplink.lanes.windows[Lane.EVENT]) == 5)

            # Then it can be stopped all the same, long before the keep-alive would tell.
            await asyncio.wait_for(gateway.disconnect(), 60)

            cable.mend()
            gateway.connect()
            await asyncio.wait_for(gateway.empty(), 60)
            assert cloud.numbers("event") == [1, 2, 3, 4, 5]


async def test_a_client_whose_thread_died_is_replaced(
    mosquitto: servers.Mosquitto, make: Make
) -> None:
    gateway = await make(mosquitto.url)
    with ingest(mosquitto.port, gateway.id) as cloud:
        gateway.connect()
        await until(lambda: cloud.status(GatewayBirth))

        def dies(*_: object) -> None:
            raise ZeroDivisionError("a mistake in the library")

        gateway.uplink._connection._client._loop = dies
        await gateway.accept(Lane.ALARM, 1)

        await asyncio.wait_for(gateway.empty(), 60)
        assert gateway.counts["uplink-lost"] == 1
        assert cloud.numbers("alarm") == [1]


async def test_a_message_that_cannot_be_followed_costs_no_connection(
    mosquitto: servers.Mosquitto, make: Make
) -> None:
    gateway = await make(mosquitto.url)
    asked: list[ConfigurationV1] = []

    def crashes(configuration: ConfigurationV1, _retained: bool) -> None:
        asked.append(configuration)
        raise KeyError("a mistake in the program")

    object.__setattr__(gateway.uplink.callbacks, "configuration", crashes)
    with ingest(mosquitto.port, gateway.id) as cloud:
        cloud.send(CONFIG, ConfigurationV1(revision=1))  # retained: it comes with every connection
        gateway.connect()
        await until(lambda: gateway.counts["received-crashed"] == 1)
        await gateway.accept(Lane.ALARM, 1)
        await asyncio.wait_for(gateway.empty(), 60)
        cloud.command(CommandV1(command_id="do-this-1", action="report_health"))
        await until(lambda: gateway.commands)

        assert len(asked) == 1
        assert len(cloud.status(GatewayBirth)) == 1


async def test_it_goes_on_sending_from_a_disk_that_takes_no_more(
    mosquitto: servers.Mosquitto, make: Make
) -> None:
    # Given more than a window of events, and a disk that refuses whatever would be written.
    gateway = await make(mosquitto.url)
    await gateway.accept(Lane.EVENT, 200)
    database = gateway.outbox._store._db
    database.execute("PRAGMA query_only = ON")
    with ingest(mosquitto.port, gateway.id) as cloud:
        gateway.connect()

        await until(lambda: cloud.numbers("event") == list(range(1, 201)), 60)

        assert gateway.counts["receipt-not-kept"] > 0
        assert gateway.counts["uplink-lost"] == 0
        database.execute("PRAGMA query_only = OFF")
        await asyncio.wait_for(gateway.empty(), 60)
