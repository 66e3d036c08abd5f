"""The sonde over its real wires, read by pymodbus."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from pymodbus.client import AsyncModbusSerialClient, AsyncModbusTcpClient
from pymodbus.client.base import ModbusBaseClient
from pymodbus.exceptions import ModbusException

from sim.waiting import until
from vigil_sim.faults import Fault, FaultKind, Faults
from vigil_sim.ledger import Ledger, LedgerReader
from vigil_sim.modbus.broken import RTU_STYLES, TCP_STYLES
from vigil_sim.water.device import ModbusSonde, SignalRegister

SIGNALS = (
    SignalRegister("specific_conductance", 100, "S/m", byte_order="CDAB"),
    SignalRegister("pH", 102, "pH", type="uint16", scale=0.01, table="input"),
)
DATATYPE = ModbusBaseClient.DATATYPE


class Water:
    """A timetable that the test moves by hand."""

    def __init__(self) -> None:
        self.t = 0.0

    def signal(self, t: float) -> dict[str, float]:
        return {"specific_conductance": 0.05 + t / 1000, "pH": 7.25}

    def sonde(self, faults: Faults | None = None, **keys: Any) -> ModbusSonde:
        return ModbusSonde(
            self.signal,
            SIGNALS,
            device="sonde-1",
            gateway="gw-1",
            world_time=lambda: self.t,
            speed=0.0,
            faults=faults,
            **{"interval_s": 0.05} | keys,
        )


@asynccontextmanager
async def reading(sonde: ModbusSonde, patience_s: float = 5.0) -> AsyncIterator[ModbusBaseClient]:
    await sonde.start()
    client: ModbusBaseClient
    if sonde.section()["driver"] == "modbus-tcp":
        host, port = sonde.address.rsplit(":", 1)
        client = AsyncModbusTcpClient(
            host, port=int(port), timeout=patience_s, retries=0, reconnect_delay=0
        )
    else:
        client = AsyncModbusSerialClient(sonde.address, timeout=patience_s, retries=0)
    try:
        assert await client.connect()
        yield client
    finally:
        client.close()
        await sonde.stop()


@pytest.mark.parametrize("transport", ["tcp", "rtu"])
async def test_present_values(transport: Any, tmp_path: Path) -> None:
    water = Water()
    with Ledger(tmp_path / "ledger.db") as ledger:
        sonde = water.sonde(transport=transport, ledger=ledger, unit=7)
        async with reading(sonde) as client:
            await until(lambda: sonde.measured, "a measurement")
            words = (await client.read_holding_registers(100, count=2, device_id=7)).registers
            assert client.convert_from_registers(
                words, DATATYPE.FLOAT32, word_order="little"
            ) == pytest.approx(0.05)
            assert (await client.read_input_registers(102, device_id=7)).registers == [725]
            refused = await client.read_holding_registers(300, count=2, device_id=7)
            assert refused.isError()
            assert refused.exception_code == 2
    with LedgerReader(tmp_path / "ledger.db") as truth:
        entry = next(truth.entries("sample", device="sonde-1"))
        assert entry.value == struct.unpack(">f", struct.pack(">f", 0.05))[0]
        assert next(e for e in truth.entries() if e.parameter == "pH").value == 725 * 0.01


async def test_a_loggers_memory_is_fetched_and_acknowledged(tmp_path: Path) -> None:
    water = Water()
    with Ledger(tmp_path / "ledger.db") as ledger:
        sonde = water.sonde(mode="logger", ledger=ledger, record_limit=30, interval_s=0.01)
        memory = sonde.memory
        assert memory is not None
        fetched: list[tuple[int, int, float]] = []
        async with reading(sonde) as client:
            await until(lambda: sonde.measured == 30, "30 measurements")
            while memory.tail < 30:
                header = (await client.read_holding_registers(0, count=6)).registers
                assert header[4] == 9
                tail = client.convert_from_registers(header[2:4], DATATYPE.UINT32)
                assert isinstance(tail, int)
                words = (await client.read_holding_registers(16, count=9 * 13)).registers
                for at in range(0, len(words), 9):
                    index, seconds = struct.unpack(">II", struct.pack(">4H", *words[at : at + 4]))
                    if index == 0xFFFFFFFF:
                        break
                    value = client.convert_from_registers(words[at + 5 : at + 7], DATATYPE.FLOAT32)
                    assert isinstance(value, float)
                    fetched.append((index, seconds * 1_000_000 + words[at + 4] * 1000, value))
                    tail += 1
                written = await client.write_registers(
                    2, list(struct.unpack(">HH", struct.pack(">I", tail)))
                )
                assert not written.isError()
            too_far = await client.write_registers(2, [0, 31])
            assert too_far.exception_code == 3
    with LedgerReader(tmp_path / "ledger.db") as truth:
        produced = [
            (e.time_us, e.value)
            for e in truth.entries("reading")
            if e.parameter == "specific_conductance"
        ]
    assert [index for index, _, _ in fetched] == list(range(30))
    assert [(time_us, value) for _, time_us, value in fetched] == produced


@pytest.mark.parametrize("transport", ["tcp", "rtu"])
async def test_silence(transport: Any) -> None:
    sonde = Water().sonde(Faults([Fault(FaultKind.DROP)]), transport=transport)
    async with reading(sonde, patience_s=0.2) as client:
        with pytest.raises(ModbusException):
            await client.read_holding_registers(100, count=2)


@pytest.mark.parametrize("style", [s for s in TCP_STYLES if s != "exception"])
async def test_a_broken_answer_is_not_taken_for_a_reading(style: str) -> None:
    faults = Faults([Fault(FaultKind.CORRUPT_FRAME, style=style, magnitude=0.3)], seed=2)
    sonde = Water().sonde(faults)
    async with reading(sonde) as client:
        await until(lambda: sonde.measured, "a measurement")
        client.close()
        assert await _asked_raw(sonde.address, style) != _good_answer()
        faults.clear()
        assert await _asked_raw(sonde.address, "none") == _good_answer()


def _good_answer() -> bytes:
    value = struct.pack(">f", 0.05)
    return b"\x12\x34\x00\x00\x00\x07\x01\x03\x04" + value[2:] + value[:2]


async def _asked_raw(address: str, style: str) -> bytes:
    """What comes back for transaction 0x1234 within 0.1 s of quiet, or 5 s of waiting; a good
    answer is waited for."""
    host, port = address.rsplit(":", 1)
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(bytes.fromhex("1234 0000 0006 01 03 0064 0002"))
        wanted = len(_good_answer())
        patience = 0.1 if style in ("late", "truncated") else 60.0 if style == "none" else 5.0
        try:
            async with asyncio.timeout(patience):
                return await reader.readexactly(wanted)
        except TimeoutError:
            return b""
        except asyncio.IncompleteReadError as error:
            return error.partial
    finally:
        writer.close()
        await writer.wait_closed()


@pytest.mark.parametrize("style", [s for s in RTU_STYLES if s != "late"])
async def test_a_broken_answer_on_the_serial_line(style: str) -> None:
    faults = Faults([Fault(FaultKind.CORRUPT_FRAME, style=style)], seed=3)
    sonde = Water().sonde(faults, transport="rtu")
    async with reading(sonde, patience_s=0.3) as client:
        await until(lambda: sonde.measured, "a measurement")
        try:
            reply = await client.read_holding_registers(100, count=2)
            assert reply.isError()
        except ModbusException:
            pass


async def test_drift_and_a_wrong_clock_are_in_the_ledger(tmp_path: Path) -> None:
    water = Water()
    water.t = 10.0
    faults = Faults(
        [
            Fault(FaultKind.DRIFT, magnitude=0.5, parameter="pH"),
            Fault(FaultKind.CLOCK_SKEW, magnitude=-3600.0),
        ]
    )
    with Ledger(tmp_path / "ledger.db") as ledger:
        sonde = water.sonde(faults, mode="logger", ledger=ledger, clock=lambda: 2e9)
        async with reading(sonde):
            await until(lambda: sonde.measured, "a measurement")
    with LedgerReader(tmp_path / "ledger.db") as truth:
        first = {entry.parameter: entry for entry in truth.entries()}
    assert first["pH"].value == pytest.approx(12.25)
    assert first["pH"].time_us == (2_000_000_000 - 3600) * 1_000_000


async def test_a_reboot_breaks_connections_and_keeps_the_memory() -> None:
    water = Water()
    faults = Faults([Fault(FaultKind.REBOOT, start_s=10, stop_s=20)])
    sonde = water.sonde(faults, mode="logger")
    memory = sonde.memory
    assert memory is not None
    async with reading(sonde) as client:
        await until(lambda: memory.head >= 3, "records")
        water.t = 10.0
        await until(lambda: not client.connected, "the reboot is noticed")
        kept = memory.head
        host, port = sonde.address.rsplit(":", 1)
        reader, writer = await asyncio.open_connection(host, int(port))
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await reader.readexactly(1)
        writer.close()
        water.t = 20.0
        await until(lambda: memory.head > kept, "it measures again")
        assert await client.connect()
        header = (await client.read_holding_registers(0, count=4)).registers
        assert client.convert_from_registers(header[2:4], DATATYPE.UINT32) == 0


async def test_another_units_request_is_left_alone() -> None:
    sonde = Water().sonde(unit=5)
    async with reading(sonde, patience_s=0.2) as client:
        with pytest.raises(ModbusException):
            await client.read_holding_registers(100, count=2, device_id=6)


async def test_frames_that_make_no_sense_end_the_connection() -> None:
    sonde = Water().sonde()
    await sonde.start()
    try:
        host, port = sonde.address.rsplit(":", 1)
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        async with asyncio.timeout(60):
            assert await reader.read() == b""
        writer.close()
        await writer.wait_closed()
    finally:
        await sonde.stop()


async def test_what_is_caught_up_is_measured_as_it_was_at_its_own_moment() -> None:
    """On a busy machine many records are due at once, and time goes on while they are made."""
    hour, asked = [0.0], list[float]()

    def clock() -> float:
        hour[0] += 0.003
        return hour[0]

    def signal(t: float) -> dict[str, float]:
        asked.append(t)
        return {"specific_conductance": 0.05, "pH": 7.25}

    sonde = ModbusSonde(
        signal, SIGNALS, device="sonde-1", interval_s=0.001, record_limit=60, clock=clock
    )
    await sonde.start()
    await until(lambda: sonde.measured == 60, "sixty records")
    await sonde.stop()

    steps = [after - before for before, after in pairwise(asked)]
    assert steps == pytest.approx([0.001] * 59)
