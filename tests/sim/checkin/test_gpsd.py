"""The simulated gpsd answers as gpsd_json(5) says, and drives where the scenario has it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from sim.waiting import until
from vigil_sim.checkin.gpsd import GpsdServer, Place
from vigil_sim.checkin.scenario import Station
from vigil_sim.checkin.walks import Drive
from vigil_sim.scenario import parse
from vigil_sim.scenario_model import ScenarioError

HERE = Place(23.48, 120.44, error_m=3.0)


class Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    def ask(self, request: str) -> None:
        self._writer.write(request.encode())

    async def next(self, kind: str) -> dict[str, Any]:
        async with asyncio.timeout(30):
            while True:
                line = await self._reader.readuntil(b"\r\n")
                said: dict[str, Any] = json.loads(line)
                if said["class"] == kind:
                    return said


@asynccontextmanager
async def watched(place: Place | None) -> AsyncIterator[tuple[GpsdServer, Client]]:
    server = GpsdServer(lambda: place, period_s=30.0)
    await server.start()
    host, _, port = server.address.partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield server, Client(reader, writer)
    finally:
        writer.close()
        await server.stop()


async def test_it_greets_and_tells_whoever_watches() -> None:
    async with watched(HERE) as (server, client):
        greeting = await client.next("VERSION")
        assert greeting["proto_major"] == 3
        client.ask('?WATCH={"enable":true,"json":true};\n')
        assert (await client.next("DEVICES"))["devices"][0]["path"] == "/dev/ttyACM0"
        assert (await client.next("WATCH"))["enable"] is True
        server.tell()
        said = await client.next("TPV")
    assert (said["mode"], said["lat"], said["lon"], said["eph"]) == (3, 23.48, 120.44, 3.0)


async def test_without_satellites_it_says_that_it_has_no_fix() -> None:
    async with watched(None) as (server, client):
        client.ask("?WATCH={};\n")
        await client.next("WATCH")
        server.tell()
        said = await client.next("TPV")
    assert said["mode"] == 1
    assert "lat" not in said


async def test_who_watches_no_more_is_told_nothing() -> None:
    async with watched(HERE) as (server, client):
        client.ask("?WATCH={};\n")
        await until(lambda: server.watched, "that it is watched")
        client.ask('?WATCH={"enable":false};\n')
        await until(lambda: not server.watched, "that nobody watches")


async def test_it_answers_a_poll_and_refuses_what_it_does_not_know() -> None:
    async with watched(HERE) as (_, client):
        client.ask("?POLL;\n?NONSENSE;\n")
        assert (await client.next("POLL"))["tpv"][0]["lat"] == 23.48
        assert "NONSENSE" in (await client.next("ERROR"))["message"]


def test_a_car_is_where_its_way_leads() -> None:
    drive = Drive(((0.0, 0.0), (80.0, 0.0, 10.0), (80.0, 40.0)), 8.0)
    assert [drive.at(t) for t in (0, 5, 10, 15, 20, 22.5, 99)] == [
        *((0, 0), (40, 0), (80, 0), (80, 0), (80, 0), (80, 20), (80, 40)),
    ]
    assert [drive.speed(t) for t in (5, 15, 22.5, 99)] == [8.0, 0.0, 8.0, 0.0]


SCENARIO = """
name = "patrol"
title = "Patrol"
title_zh = "巡邏"
duration_s = 60.0
latitude = 23.48
longitude = 120.44
[[gateway]]
id = "gw-car"
name = "Car"
name_zh = "巡邏車"
at = [0.0, 0.0]
[[checkin]]
device = "reader-car"
gateway = "gw-car"
name = "Car"
name_zh = "巡邏車"
at = [0.0, 0.0]
driver = "DRIVER"
drive = [[0.0, 0.0], [100.0, 0.0, 5.0]]
"""


def test_only_a_reader_drives() -> None:
    (station,) = parse(SCENARIO.replace("DRIVER", "llrp")).tables("checkin", Station)
    assert station.drive == ((0.0, 0.0), (100.0, 0.0, 5.0))
    with pytest.raises(ScenarioError, match="only a reader"):
        parse(SCENARIO.replace("DRIVER", "ble"))
