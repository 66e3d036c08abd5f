"""Sondes as they are wired: converters, shared lines, odd units, odd maps, hands on the sonde."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest
from pydantic import ValidationError

from sim.waiting import until
from vigil_edge.modbus.client import ModbusClient
from vigil_edge.water.errors import ProbeUnreachable
from vigil_edge.water.judge import Judge
from vigil_edge.water.plan import ReadPlan
from vigil_edge.water.probe import FAILURES, connect
from vigil_edge.water.registers import meaning
from vigil_edge.water.settings import WaterSettings
from vigil_edge.water.signals import Signal
from vigil_schemas.senml import SenmlRecord
from vigil_schemas.types import Lane, QartodFlag
from vigil_sim.modbus.codec import RtuRequests
from vigil_sim.water.device import ModbusSonde, SignalRegister

PH = SignalRegister("pH", 0, "pH")
TEMPERATURE = SignalRegister("temperature", 10, "Cel")
LEVEL = SignalRegister("level", 14, "m")
TRUTH = {"pH": 7.25, "temperature": 21.5, "level": 1.25}


class Recorded(ModbusSonde):
    """Remembers what it was asked for."""

    asked: list[tuple[int, int]]

    def read(self, table: str, address: int, count: int) -> list[int] | int:
        self.asked = [*getattr(self, "asked", []), (address, count)]
        return super().read(table, address, count)


def sonde(*signals: SignalRegister, truth: Mapping[str, float] = TRUTH, **keys: Any) -> Recorded:
    made = Recorded(lambda _: truth, signals, device="sonde", interval_s=0.01, **keys)
    made.asked = []
    return made


async def read(made: ModbusSonde, times: int = 1, **keys: Any) -> list[float | None]:
    settings = WaterSettings.model_validate(made.section(**{"timeout_s": 30.0} | keys))
    plan = ReadPlan(settings.signal, lambda: 0.0, settings.max_read, merge=settings.merge)
    await until(lambda: made.measured > 0, "a measurement")
    probe = await connect(settings)
    try:
        for _ in range(times):
            found = await plan.read(probe)
    finally:
        probe.close()
    return found


@pytest.mark.parametrize("transport", ["tcp", "rtu", "rtu-over-tcp"])
@pytest.mark.parametrize("unit", [0, 1, 255])
async def test_any_unit_over_any_wire(
    transport: Literal["tcp", "rtu", "rtu-over-tcp"], unit: int
) -> None:
    made = sonde(PH, TEMPERATURE, transport=transport, unit=unit)
    await made.start()
    try:
        assert await read(made) == [7.25, 21.5]
    finally:
        await made.stop()


@pytest.mark.parametrize("order", ["ABCD", "CDAB", "BADC", "DCBA"])
@pytest.mark.parametrize("type_", ["float64", "int64", "uint64"])
async def test_numbers_of_four_registers(type_: Any, order: Any) -> None:
    register = SignalRegister("level", 5, "m", type=type_, byte_order=order, scale=0.0009765625)
    made = sonde(register)
    await made.start()
    try:
        assert await read(made) == [1.25]
    finally:
        await made.stop()


@pytest.mark.parametrize(
    ("keys", "asked"),
    [
        ({}, [(0, 16)]),
        ({"merge": False}, [(0, 2), (10, 2), (14, 2)]),
        ({"max_read": 6}, [(0, 2), (10, 6)]),
    ],
)
async def test_how_much_is_asked_for_at_once(
    keys: dict[str, Any], asked: list[tuple[int, int]]
) -> None:
    made = sonde(PH, TEMPERATURE, LEVEL)
    await made.start()
    try:
        # A gap of eight registers at most is read over.
        assert await read(made, **keys) == [7.25, 21.5, 1.25]
        assert made.asked == asked
    finally:
        await made.stop()


@pytest.mark.parametrize("exception", [1, 2, 3, 4, 5, 6, 7, 10, 11, 99])
async def test_a_hole_is_learned_whatever_it_answers(exception: int) -> None:
    made = sonde(PH, TEMPERATURE, hole_exception=exception)
    await made.start()
    try:
        assert await read(made, times=3) == [7.25, 21.5]
        assert made.asked == [(0, 12), *[(0, 2), (10, 2)] * 3]
    finally:
        await made.stop()


async def test_a_pause_between_requests() -> None:
    made = sonde(PH, TEMPERATURE)
    await made.start()
    try:
        loop = asyncio.get_running_loop()
        began = loop.time()
        await read(made, merge=False, pause_s=0.05)
        assert loop.time() - began >= 0.05
    finally:
        await made.stop()


@pytest.mark.parametrize(
    ("quality", "value", "flag"), [(0, 7.25, 1), (1, 7.25, 3), (4, None, 9), (None, 7.25, 1)]
)
async def test_what_the_probe_says_of_its_own_readings(
    quality: int | None, value: float | None, flag: int
) -> None:
    register = SignalRegister("said", 4, type="uint16")
    truth = TRUTH | ({} if quality is None else {"said": quality})
    made = sonde(PH, register, truth=truth, refused={4: 2} if quality is None else {})
    await made.start()
    try:
        signal = PH.section() | {"quality_register": 4, "quality_suspect": [1]}
        signal |= {"range_fail": [0, 14]}
        settings = WaterSettings.model_validate(made.section(signal=[signal], timeout_s=30.0))
        await until(lambda: made.measured > 0, "a measurement")
        plan = ReadPlan(settings.signal, lambda: 0.0)
        probe = await connect(settings)
        found = await plan.read(probe)
        probe.close()
    finally:
        await made.stop()
    assert found == [value]
    assert list(plan.refused) == (["pH/quality"] if quality is None else [])
    _, flags = judged(settings, found, plan.doubtful)
    assert flags == [flag]


class _OneLine:
    """Two sondes behind one serial converter: RTU frames, by unit, over one TCP port."""

    def __init__(self, *units: ModbusSonde) -> None:
        self.units = units
        self.connections = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        requests = RtuRequests()
        while data := await reader.read(4096):
            for frame in requests.feed(data):
                for unit in self.units:
                    unit._serve(frame, writer.write)
        writer.close()


async def test_several_units_on_one_line_take_turns() -> None:
    first = sonde(PH, unit=1, transport="rtu-over-tcp")
    second = sonde(TEMPERATURE, unit=2, transport="rtu-over-tcp")
    line = _OneLine(first, second)
    server = await asyncio.start_server(line.serve, "127.0.0.1", 0)
    address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    await first.start()
    await second.start()
    try:
        async with server:
            found = await asyncio.gather(
                read(first, times=20, address=address), read(second, times=20, address=address)
            )
            assert [*found] == [[7.25], [21.5]]
            assert line.connections == 1
    finally:
        await first.stop()
        await second.stop()


async def test_a_line_has_one_setting() -> None:
    made = sonde(PH, transport="rtu")
    await made.start()
    try:
        settings = WaterSettings.model_validate(made.section())
        probe = await connect(settings)
        other = ModbusClient(settings.model_copy(update={"baudrate": 19_200}), FAILURES)
        with pytest.raises(ProbeUnreachable, match="another section uses this line"):
            await other.open()
        probe.close()
        await other.open()
        other.close()
    finally:
        await made.stop()


@pytest.mark.parametrize(
    ("type_", "sentinel", "raw", "missing"),
    [
        ("uint16", -9999, 55537, True),
        ("uint16", [65535, -9999], 65535, True),
        ("int16", 65535, -1, True),
        ("int16", 55537, -9999, True),
        ("uint32", -1, 4294967295, True),
        ("float32", [-9999, -8888], -8888.0, True),
        ("float32", -9999, 55537.0, False),
        ("uint16", [-9999, 7], 8, False),
    ],
)
def test_sentinels_as_the_manual_prints_them(
    type_: str, sentinel: float | list[float], raw: float, missing: bool
) -> None:
    signal = Signal.model_validate({"name": "pH", "type": type_, "sentinel": sentinel})
    assert (meaning(signal, raw) is None) == missing


def judged(
    settings: WaterSettings, values: list[float | None], doubtful: frozenset[str] = frozenset()
) -> tuple[int, list[QartodFlag]]:
    """Events, and the flags of the readings, one a minute from ten o'clock."""
    judge, start = Judge(settings, None), datetime(2026, 5, 1, 10, tzinfo=UTC)
    measured = [(start + timedelta(minutes=i), (v,)) for i, v in enumerate(values)]
    out = judge.outgoing(measured, doubtful)
    flags = [
        record.qf
        for one in out
        if one.lane is Lane.OBSERVATION and isinstance(one.data, list)
        for record in one.data
        if isinstance(record, SenmlRecord)
    ]
    return sum(one.lane is Lane.EVENT for one in out), flags


BUFFERS = [7.2] * 10 + [4.0] * 5 + [7.0] * 5 + [10.0] * 5 + [None] * 3 + [7.2] * 10


@pytest.mark.parametrize("maintained", [False, True])
def test_buffers_raise_nothing_while_the_sonde_is_being_calibrated(maintained: bool) -> None:
    section: dict[str, Any] = {"device": "s", "driver": "modbus-tcp", "address": "h"}
    section["signal"] = [
        {"name": "pH", "range_fail": [0, 14], "high": 9.0, "low": 6.0, "high_rate": 0.02}
    ]
    if maintained:
        window = {"begin": "2026-05-01T18:10:00+08:00", "end": "2026-05-01T18:28:00+08:00"}
        section["maintenance"] = [window]
    events, flags = judged(WaterSettings.model_validate(section), BUFFERS)
    assert (events == 0) == maintained
    if maintained:
        assert flags == [1] * 10 + [4] * 15 + [9] * 3 + [1] * 10


def test_a_window_ends_after_it_begins() -> None:
    window = {"begin": "2026-05-01T18:10:00+08:00", "end": "2026-05-01T18:00:00+08:00"}
    section = {"device": "s", "driver": "modbus-tcp", "address": "h", "signal": [{"name": "pH"}]}
    with pytest.raises(ValidationError, match="end must be after begin"):
        WaterSettings.model_validate(section | {"maintenance": [window]})
