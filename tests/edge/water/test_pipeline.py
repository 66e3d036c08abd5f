"""The water pipeline against pymodbus's own server, a server that breaks, and a logging sonde."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from edge import hostile
from edge.device.supervised import running
from edge.memory_context import MemoryContext
from servers import free_port
from vigil_edge.device.seam import SourceError
from vigil_edge.water import pipeline
from vigil_edge.water.probe import connect
from vigil_edge.water.settings import WaterSettings
from vigil_schemas.types import Lane, QartodFlag
from vigil_schemas.water import WaterExcursion
from vigil_sim.faults import FaultKind
from vigil_sim.water.device import ModbusSonde, SignalRegister

Answer = Callable[[bytes], bytes | None]


def settings(port: int, signals: list[dict[str, Any]], **keys: Any) -> WaterSettings:
    base: dict[str, Any] = {
        "device": "sonde",
        "driver": "modbus-tcp",
        "address": f"127.0.0.1:{port}",
    }
    base |= {"interval_s": 0.02, "timeout_s": 60.0, "signal": signals}
    return WaterSettings.model_validate(base | keys)


PH = {"name": "pH", "register": 0, "unit": "pH"}


@asynccontextmanager
async def pymodbus_server(data: list[SimData]) -> AsyncIterator[int]:
    port = free_port()
    server = ModbusTcpServer(SimDevice(1, simdata=data), address=("127.0.0.1", port))
    await server.serve_forever(background=True)
    try:
        yield port
    finally:
        await server.shutdown()


@asynccontextmanager
async def tcp(answer: Answer) -> AsyncIterator[int]:
    """Answers each request with whatever bytes ``answer`` says; ``None`` hangs up."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_ends.append(writer)
        serving.append(cast("asyncio.Task[None]", asyncio.current_task()))
        with suppress(OSError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readexactly(6)
                request = head + await reader.readexactly(int.from_bytes(head[4:6], "big"))
                reply = answer(request)
                if reply is None:
                    break
                writer.write(reply)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    open_ends: list[asyncio.StreamWriter] = []
    serving: list[asyncio.Task[None]] = []
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for writer in open_ends:
            writer.close()
        await asyncio.gather(*serving)
        await server.wait_closed()


def good(request: bytes, value: float = 7.5) -> bytes:
    count = int.from_bytes(request[10:12], "big")
    body = (struct.pack(">f", value) * count)[: 2 * count]
    return request[:4] + struct.pack(">HBBB", 3 + len(body), request[6], 3, len(body)) + body


async def test_a_configured_register_map_is_read_from_a_real_server() -> None:
    data = [
        SimData(100, values=21.5, datatype=DataType.FLOAT32),
        SimData(102, values=[0, 0], datatype=DataType.REGISTERS),
        SimData(104, values=-321, datatype=DataType.INT16),
        SimData(105, values=0xFFFF, datatype=DataType.REGISTERS),
        SimData(106, values=[0x0000, 0xC0F0], datatype=DataType.REGISTERS),  # 7.5 CDAB
        SimData(300, values=[0x2C, 0x4A01], datatype=DataType.REGISTERS),
    ]
    signals = [
        {"name": "temperature", "register": 100, "unit": "Cel"},
        {"name": "orp", "register": 104, "type": "int16", "unit": "mV", "scale": 0.1},
        {"name": "turbidity_FNU", "register": 105, "type": "uint16", "sentinel": 65535},
        {"name": "pH", "register": 106, "byte_order": "CDAB", "unit": "pH", "scale": -1},
        {"name": "count_a", "register": 300, "type": "uint32", "table": "holding"},
    ]
    context = MemoryContext()
    async with (
        pymodbus_server(data) as port,
        running(pipeline.build(settings(port, signals), context)) as task,
    ):
        await context.until(lambda: len(context.readings()) >= 10, task)
    first = {r.parameter: (r.value, r.unit, r.flag) for r in context.readings()[:5]}
    assert first["temperature"] == (21.5, "Cel", QartodFlag.NOT_EVALUATED)
    assert first["orp"][0] == pytest.approx(-32.1)
    assert first["turbidity_FNU"] == (None, None, QartodFlag.MISSING)
    assert first["pH"][0] == pytest.approx(7.5)
    assert first["count_a"][0] == 0x2C4A01
    assert context.reports[-1][0] == "ok"


async def test_a_probe_with_holes_in_its_map_is_read_around_them() -> None:
    data = [
        SimData(0, values=1.0, datatype=DataType.FLOAT32),
        SimData(2, count=2, datatype=DataType.INVALID),
        SimData(4, values=2.0, datatype=DataType.FLOAT32),
    ]
    signals = [{"name": "a", "register": 0}, {"name": "b", "register": 4}]
    context = MemoryContext()
    async with (
        pymodbus_server(data) as port,
        running(pipeline.build(settings(port, signals), context)) as task,
    ):
        await context.until(lambda: len(context.readings()) >= 2, task)
    assert [r.value for r in context.readings()[:2]] == [1.0, 2.0]


BROKEN: dict[str, tuple[Answer, str]] = {
    "silent": (lambda _: b"", "probe-timeout"),
    "hangs up": (lambda _: None, "probe-lost"),
    "noise": (lambda _: b"HTTP/1.0 400 Bad Request\r\n\r\n", "probe-garbage"),
    "cut off": (lambda r: good(r)[:-3], "probe-garbage"),
    "another transaction": (lambda r: b"\x7f\x7f" + good(r)[2:], "probe-garbage"),
    "another unit": (lambda r: good(r)[:6] + b"\x63" + good(r)[7:], "probe-garbage"),
    "another function": (lambda r: good(r)[:7] + b"\x2b" + good(r)[8:], "probe-garbage"),
    "too few registers": (
        lambda r: r[:4] + struct.pack(">HBBBH", 5, r[6], 3, 2, 0),
        "probe-garbage",
    ),
    "refusal": (lambda r: r[:4] + struct.pack(">HBBB", 3, r[6], 0x83, 4), "probe-refused"),
}


@pytest.mark.parametrize("style", BROKEN)
async def test_a_broken_answer_has_a_stable_code_and_loses_nothing_else(style: str) -> None:
    answer, code = BROKEN[style]
    context = MemoryContext()
    async with tcp(answer) as port:
        with pytest.raises(SourceError) as caught:
            async with asyncio.timeout(60):
                await pipeline.build(settings(port, [PH], timeout_s=1.0), context).run()
    assert caught.value.code == code
    assert caught.value.device == "sonde"
    assert context.counters[code] == 1, "asked again once, on a new connection"
    assert context.accepted == []


async def test_nobody_there() -> None:
    with pytest.raises(SourceError) as caught:
        await pipeline.build(settings(free_port(), [PH]), MemoryContext()).run()
    assert caught.value.code == "probe-unreachable"


async def test_no_serial_port() -> None:
    made = settings(1, [PH], driver="modbus-rtu", address="/dev/there-is-no-such-port")
    with pytest.raises(SourceError) as caught:
        await pipeline.build(made, MemoryContext()).run()
    assert caught.value.code == "probe-unreachable"


async def test_one_broken_answer_among_good_ones_costs_nothing() -> None:
    asked = 0

    def answer(request: bytes) -> bytes:
        nonlocal asked
        asked += 1
        return b"\xff" * 20 if asked == 3 else good(request)

    context = MemoryContext()
    async with (
        tcp(answer) as port,
        running(pipeline.build(settings(port, [PH], timeout_s=1.0), context)) as task,
    ):
        await context.until(lambda: len(context.readings()) >= 6, task)
    assert {r.value for r in context.readings()} == {7.5}
    assert context.counters["probe-garbage"] == 1


async def test_a_late_answer_is_not_taken_for_the_next_one() -> None:
    """The answer to the first question comes as if to the second: by transaction it is refused."""
    held: list[bytes] = []

    def answer(request: bytes) -> bytes:
        held.append(good(request, float(len(held))))
        return b"" if len(held) == 1 else b"".join((held[0], held[-1]))

    context = MemoryContext()
    async with tcp(answer) as port:
        probe = await connect(settings(port, [PH], timeout_s=1.0))
        with pytest.raises(SourceError):
            await probe.read("holding", 0, 2)
        words = await probe.read("holding", 0, 2)
        probe.close()
    assert struct.unpack(">f", struct.pack(">2H", *words)) == (1.0,)
    assert context.accepted == []


async def test_an_excursion_begins_once_and_ends_once_over_a_restart() -> None:
    values = iter([7.0, 7.0, 10.0, 10.2, 10.1])
    states: dict[str, bytes] = {}
    signal = PH | {"high": 9.0, "hysteresis": 0.5, "consecutive": 2}

    def answer(request: bytes) -> bytes:
        return good(request, next(values, 10.0))

    context = MemoryContext(states=states)
    async with (
        tcp(answer) as port,
        running(pipeline.build(settings(port, [signal]), context)) as task,
    ):
        await context.until(lambda: len(context.readings()) >= 8, task)
    (onset,) = context.events(Lane.EVENT)
    assert isinstance(onset, WaterExcursion)
    assert (onset.phase, onset.kind, onset.limit) == ("onset", "above", 9.0)
    assert onset.value == pytest.approx(10.0)

    after = MemoryContext(states=states)
    values = iter([10.0, 8.8, 8.4, 8.0])
    async with (
        tcp(lambda request: good(request, next(values, 7.0))) as port,
        running(pipeline.build(settings(port, [signal]), after)) as task,
    ):
        await after.until(lambda: bool(after.events()), task)
    (end,) = after.events()
    assert isinstance(end, WaterExcursion)
    assert (end.phase, end.excursion_id) == ("end", onset.excursion_id)
    assert end.value == pytest.approx(10.2)
    assert end.started == onset.started


async def test_a_new_connection_tells_an_excursion_that_stands_once_more() -> None:
    """The cloud may have been restored from a backup of before it began."""
    values = iter([7.0, 7.0, 10.0, 10.2, 8.8, 8.4, 9.7])
    states: dict[str, bytes] = {}
    signal = PH | {"high": 9.0, "hysteresis": 0.5, "consecutive": 2}
    context, after = MemoryContext(states=states), MemoryContext(states=states)
    made = pipeline.build
    async with tcp(lambda request: good(request, next(values, 10.5))) as port:
        async with running(made(settings(port, [signal]), context)) as task:
            await context.until(lambda: len(context.readings()) >= 8, task)
        after.session = 1
        async with running(made(settings(port, [signal]), after)) as task:
            await after.until(lambda: bool(after.events()), task)
            count = len(after.readings())
            await after.until(lambda: len(after.readings()) > count + 3, task)
    (first,) = [out for out in context.accepted if out.lane is Lane.EVENT]
    (again,) = [out for out in after.accepted if out.lane is Lane.EVENT]
    assert (again.id, again.data) == (first.id, first.data)


async def test_an_onset_that_could_not_be_kept_is_derived_again_under_the_same_id() -> None:
    signal = PH | {"high": 9.0, "consecutive": 1}
    clock = datetime(2026, 1, 1, tzinfo=UTC)
    context = MemoryContext(clock=lambda: clock)
    context.fail_next = OSError("disk full")
    ids = []
    async with tcp(lambda request: good(request, 10.0)) as port:
        pipe = pipeline.build(settings(port, [signal]), context)
        with pytest.raises(OSError, match="disk full"):
            await pipe.run()
        async with running(pipe) as task:
            await context.until(lambda: bool(context.events()), task)
        ids = [out.id for out in context.accepted if out.lane is Lane.EVENT]
    assert len(ids) == 1


def sonde(**keys: Any) -> ModbusSonde:
    signals = [
        SignalRegister("pH", 100, "pH"),
        SignalRegister("temperature", 102, "Cel"),
        SignalRegister("orp", 104, "mV"),
    ]
    return ModbusSonde(
        lambda t: {"pH": 7 + t % 1, "temperature": 20.0, "orp": 300.0},
        signals,
        device="sonde",
        mode="logger",
        **keys,
    )


def from_section(section: dict[str, Any], **keys: Any) -> WaterSettings:
    return WaterSettings.model_validate(section | keys)


async def test_a_logger_is_emptied_record_by_record() -> None:
    seen: list[tuple[int, float | None]] = []
    device = sonde(
        interval_s=0.001,
        record_limit=3000,
        observer=lambda time_us, values: seen.append((time_us, values["pH"])),
    )
    await device.start()
    context = MemoryContext()
    try:
        made = from_section(device.section(), timeout_s=60)
        async with running(pipeline.build(made, context)) as task:
            await context.until(lambda: len(context.readings()) >= 9000, task)
            await context.until(
                lambda: device.memory is not None and not device.memory.head - device.memory.tail,
                task,
            )
    finally:
        await device.stop()
    got = [
        (round(r.time.timestamp() * 1e6), r.value)
        for r in context.readings()
        if r.parameter == "pH"
    ]
    assert got == seen
    assert len(got) == 3000


async def test_a_crash_between_keeping_and_acknowledging_repeats_nothing() -> None:
    """The tail cannot be written for a while: the records are read again and known."""
    device = sonde(interval_s=0.001, record_limit=200)
    await device.start()
    states: dict[str, bytes] = {}
    readings = []
    try:
        made = from_section(device.section(), timeout_s=60)
        for _ in range(6):
            context = MemoryContext(states=states)
            pipe = pipeline.LoggerPipeline(made, context, _unable_to_write)
            with pytest.raises(RuntimeError, match="killed"):
                await pipe.run()
            readings += context.readings()
        context = MemoryContext(states=states)
        async with running(pipeline.build(made, context)) as task:
            await context.until(lambda: len(readings) + len(context.readings()) >= 600, task)
        readings += context.readings()
    finally:
        await device.stop()
    times = [r.time for r in readings if r.parameter == "pH"]
    assert len(times) == 200
    assert len(set(times)) == 200
    assert times == sorted(times)
    assert context.counters["logger-records-seen-again"] > 0


async def _unable_to_write(made: WaterSettings) -> Any:
    probe = await connect(made)

    async def killed(address: int, words: list[int]) -> None:
        probe.close()
        raise RuntimeError("killed")

    probe.write = killed  # type: ignore[method-assign]
    return probe


async def test_a_loggers_clock_that_is_ahead_is_told_of_and_its_records_go_on() -> None:
    device = sonde(interval_s=0.02)
    await device.start()
    ahead = [timedelta(hours=1)]
    context = MemoryContext(clock=lambda: datetime.now(UTC) - ahead[0])
    try:
        async with running(pipeline.build(from_section(device.section()), context)) as task:
            await context.until(lambda: len(context.readings()) >= 6, task)
            await context.until(
                lambda: bool(context.reports) and context.reports[-1][1] == "logger-clock-ahead",
                task,
            )
            assert " s ahead" in str(context.reports[-1][2])
            ahead[0] = timedelta(0)
            await context.until(lambda: context.reports[-1][0] == "ok", task)
    finally:
        await device.stop()


async def test_a_logger_that_began_anew_loses_nothing() -> None:
    states: dict[str, bytes] = {}
    total = 0
    for _ in range(2):
        device = sonde(interval_s=0.001, record_limit=50)
        await device.start()
        context = MemoryContext(states=states)
        try:
            made = from_section(device.section(), timeout_s=60)
            async with running(pipeline.build(made, context)) as task:
                await context.until(lambda: len(context.readings()) >= 150, task)  # noqa: B023
        finally:
            await device.stop()
        total += len(context.readings())
    assert total == 300


async def test_a_logger_with_other_records_than_configured() -> None:
    device = sonde(interval_s=0.01)
    await device.start()
    try:
        made = from_section(device.section() | {"signal": [PH]})
        with pytest.raises(SourceError) as caught:
            await pipeline.build(made, MemoryContext()).run()
    finally:
        await device.stop()
    assert caught.value.code == "logger-mismatch"


async def test_rtu_over_a_pseudo_terminal() -> None:
    signals = [
        SignalRegister("pH", 100, "pH"),
        SignalRegister("temperature", 130, "Cel", type="int16", scale=0.1),
    ]
    device = ModbusSonde(
        lambda t: {"pH": 7.25, "temperature": 18.4},
        signals,
        device="sonde",
        transport="rtu",
        interval_s=0.05,
    )
    await device.start()
    context = MemoryContext()
    try:
        async with running(pipeline.build(from_section(device.section()), context)) as task:
            await context.until(lambda: len(context.readings()) >= 6, task)
    finally:
        await device.stop()
    assert context.readings()[-2].value == pytest.approx(7.25)
    assert context.readings()[-1].value == pytest.approx(18.4)


@pytest.mark.parametrize("piece", [b"\0" * 10_000, b"\0\1\0\0\0\xff" * 10, b"\xff" * 265])
async def test_bytes_without_end_end_the_connection_under_their_name(piece: bytes) -> None:
    """The library throws them away untold, and would have called it silence."""

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await hostile.without_end(writer, piece)

    async with hostile.peer(serve) as port:
        probe = await connect(settings(port, [PH], timeout_s=30))
        try:
            with pytest.raises(SourceError, match="bytes came") as caught:
                async with asyncio.timeout(60):
                    await probe.read("holding", 0, 2)
            assert probe._wire is not None
            assert probe._wire._client is not None
            assert len(probe._wire._client.ctx.recv_buffer) <= 264
        finally:
            probe.close()
    assert caught.value.code == "probe-garbage"


@pytest.mark.parametrize("transport", ["tcp", "rtu"])
async def test_every_way_to_break_a_frame_is_survived(transport: Any) -> None:
    """Corrupt frames for a while, at random: each is counted, and readings come again after."""
    device = ModbusSonde(
        lambda t: {"pH": 7.25},
        [SignalRegister("pH", 100, "pH")],
        device="sonde",
        transport=transport,
        interval_s=0.02,
    )
    await device.start()
    context = MemoryContext()
    made = from_section(device.section(), timeout_s=0.2)

    async def again() -> None:
        while True:
            try:
                await pipeline.build(made, context).run()
            except SourceError:
                continue

    try:
        task = asyncio.create_task(again())
        await context.until(lambda: len(context.readings()) >= 3)
        device.break_in(FaultKind.CORRUPT_FRAME, probability=0.3)
        await context.until(lambda: sum(context.counters.values()) >= 10)
        device.faults.clear()
        before = len(context.readings())
        await context.until(lambda: len(context.readings()) >= before + 5)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    finally:
        await device.stop()
    assert {r.value for r in context.readings()} == {7.25}
