"""A heart stops: from the button of a cabinet on a real line, over a real broker, to the closed
case and the voice at the box."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

import servers
from aed_town import PATIENT, Line119, ready, rounds
from e2e.two_ends import Box, Cloud, until
from gateways import new_name
from vigil_cloud.identity.roles import Role
from vigil_sim.aed.board import CabinetBoard
from vigil_sim.aed.cabinet import Shown

ON_CALL = "/api/v1/aed/calls"


@pytest.fixture
async def line() -> AsyncIterator[Line119]:
    made = Line119()
    yield made
    await asyncio.to_thread(made.close)


@pytest.fixture
async def cloud(
    tmp_path: Path, mosquitto: servers.Mosquitto, line: Line119
) -> AsyncIterator[Cloud]:
    made = Cloud(tmp_path / "cloud", mosquitto.url, open_enrolment=True, emergency_url=line.url)
    yield made
    await asyncio.to_thread(made.close)


async def test_from_the_button_to_the_closed_case(
    tmp_path: Path, cloud: Cloud, line: Line119
) -> None:
    # Given a cabinet on a gateway, and two volunteers on call nearby.
    city, name = cloud.city, new_name()
    cabinet = f"aed-{name}"[:60]
    for account, role in (
        ("administrator", Role.ADMINISTRATOR),
        ("dispatcher", Role.DISPATCHER),
        ("ann", Role.VOLUNTEER),
        ("bo", Role.VOLUNTEER),
    ):
        await asyncio.to_thread(city.account, account, role)
    await asyncio.to_thread(cloud.admit, name)
    board = CabinetBoard(lambda _: Shown(), device=cabinet, gateway=name)
    await board.start()
    box = Box(name, tmp_path / "box", cloud)
    with box.file.open("a", encoding="utf-8") as file:
        file.write(
            f'[[aed]]\ndevice = "{cabinet}"\nname = "City hall"\nname_zh = "市政府"\n'
            f"latitude = {PATIENT[1]}\nlongitude = {PATIENT[0]}\n"
            f'driver = "modbus-tcp"\naddress = "{board.address}"\n'
            "inputs = { door = 0, button = 1, present = 2 }\n"
        )
    for account, east in (("ann", 0.001), ("bo", 0.002)):
        await asyncio.to_thread(ready, city, account, east)
    dispatcher = await asyncio.to_thread(city.client, "dispatcher")

    def get(who: str, path: str) -> Any:
        return city.client(who).get(path).raise_for_status().json()

    def calls(who: str = "ann") -> Any:
        rounds(city)
        return get(who, f"{ON_CALL}/mine")["calls"]

    await box.on()
    try:
        await until(
            lambda: (
                get("dispatcher", "/api/v1/devices")["devices"]
                and get("dispatcher", f"/api/v1/devices/{cabinet}/series")["series"]
            ),
            "the cabinet is read",
        )

        # When somebody presses its button.
        board.hold("door", True)
        board.hold("button", True)

        # Then 119 and both volunteers are called, each with a task of their own.
        (mine,) = await until(calls, "ann is called")
        (other,) = await until(lambda: calls("bo"), "bo is called")
        assert {mine["role"]} <= {"patient", "aed"}
        assert mine["place_zh"] == other["place_zh"] == "市政府"
        await until(lambda: line.received, "119 is told")

        # And the box says that help is coming once somebody accepts.
        def say(who: str, word: str) -> None:
            address = f"{ON_CALL}/{mine['call']}/answer"
            city.client(who).post(address, json={"answer": word}).raise_for_status()

        for word in ("accepted", "on-the-way", "arrived"):
            await asyncio.to_thread(say, "ann", word)

        def answered() -> Any:
            downlinks = get("maintainer", f"/api/v1/gateways/{name}/downlinks")["downlinks"]
            return [one for one in downlinks if one["answered"]]

        (voice,) = await until(answered, "the gateway has answered the command")
        assert (voice["accepted"], voice["payload"]["action"]) == (True, "play_voice")

        # And the dispatcher closes the case with its outcome.
        (led,) = await asyncio.to_thread(lambda: get("dispatcher", ON_CALL)["calls"])
        case = f"/api/v1/cases/{led['case']}"
        for path, body in (
            ("take", {}),
            ("decisions", {"outcome": "rosc", "reason": "pulse after one shock"}),
            ("close", {"resolution": "aed-back"}),
        ):
            version = (await asyncio.to_thread(get, "dispatcher", case))["version"]
            done = await asyncio.to_thread(
                dispatcher.post, f"{case}/{path}", json={"version": version} | body
            )
            assert done.is_success, done.text
        closed = await asyncio.to_thread(get, "dispatcher", case)
        assert (closed["state"], closed["outcome"]) == ("closed", "rosc")
    finally:
        await box.off()
        await board.stop()
