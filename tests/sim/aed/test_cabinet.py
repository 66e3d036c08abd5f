"""What a simulated cabinet shows, and its board on the wire."""

from __future__ import annotations

import asyncio
import struct

import pytest

from vigil_sim.aed.board import CabinetBoard
from vigil_sim.aed.cabinet import Shown, shown
from vigil_sim.aed.domain import AED
from vigil_sim.aed.scenario import CabinetUse
from vigil_sim.faults import FaultKind
from vigil_sim.modbus.codec import ILLEGAL_DATA_ADDRESS, ILLEGAL_FUNCTION, answer
from vigil_sim.scenario import parse
from vigil_sim.scenario_model import ScenarioError

SCENARIO = """
name = "one-heart"
title = "One heart"
title_zh = "一顆心"
duration_s = 60
latitude = 23.48
longitude = 120.44
[[gateway]]
id = "gw-hall"
name = "Hall"
name_zh = "市府"
at = [0, 0]
[[aed]]
device = "aed-hall"
gateway = "gw-hall"
name = "City hall"
name_zh = "市政府"
at = [10, 20]
[[schedule]]
what = "aed"
device = "aed-hall"
act = "call"
at_s = 10
"""


def use(act: str, at_s: float = 10.0, **keys: float) -> CabinetUse:
    return CabinetUse.model_validate(
        {"what": "aed", "device": "aed-1", "act": act, "at_s": at_s} | keys
    )


def test_a_call_opens_presses_takes_and_closes() -> None:
    uses = [use("call", away_s=100.0)]
    assert shown(uses, 9.9) == Shown()
    assert shown(uses, 10.5) == Shown(door=True)
    assert shown(uses, 12.1) == Shown(door=True, button=True)
    assert shown(uses, 16.0) == Shown(door=True, present=False)
    assert shown(uses, 40.0) == Shown(present=False)
    assert shown(uses, 120.0) == Shown()


def test_a_theft_leaves_the_door_closed() -> None:
    assert shown([use("theft")], 30.0) == Shown(present=False)


def test_a_scenario_has_cabinets_and_refuses_what_they_cannot_do() -> None:
    scenario = parse(SCENARIO)
    assert [device.device for device in scenario.devices_of(AED.key)] == ["aed-hall"]
    for wrong in (
        SCENARIO.replace('act = "call"', 'act = "dance"'),
        SCENARIO.replace('device = "aed-hall"\nact', 'device = "aed-else"\nact'),
        SCENARIO + '\n[[fault]]\ndevice = "aed-hall"\nkind = "drift"\nmagnitude = 1.0\n',
        SCENARIO + '\n[[fault]]\ndevice = "aed-hall"\nkind = "corrupt_frame"\nstyle = "lost"\n',
    ):
        with pytest.raises(ScenarioError):
            parse(wrong)
    parse(
        SCENARIO + '\n[[fault]]\ndevice = "aed-hall"\nkind = "corrupt_frame"\n'
        'style = "button-stuck"\n'
    )


def test_the_board_answers_discrete_inputs_alone() -> None:
    board = CabinetBoard(lambda _: Shown(door=True, present=True), device="aed-1")
    assert answer(struct.pack(">BHH", 2, 0, 4), board) == bytes((2, 1, 0b0101))
    assert answer(struct.pack(">BHH", 2, 2, 1), board) == bytes((2, 1, 1))
    assert answer(struct.pack(">BHH", 2, 3, 2), board) == bytes((0x82, ILLEGAL_DATA_ADDRESS))
    assert answer(struct.pack(">BHH", 3, 0, 1), board) == bytes((0x83, ILLEGAL_FUNCTION))


async def test_a_cut_cable_resets_the_connection() -> None:
    board = CabinetBoard(lambda _: Shown(), device="aed-1")
    await board.start()
    try:
        host, port = board.address.split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(bytes.fromhex("000100000006010200000004"))
        async with asyncio.timeout(60):
            assert (await reader.readexactly(10))[7:] == bytes((2, 1, 0b0100))
            board.break_in(FaultKind.REBOOT)
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await reader.readexactly(100)
        writer.close()
    finally:
        await board.stop()
