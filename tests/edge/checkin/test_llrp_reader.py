"""UHF stations end to end: readers of two makers."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from llrpkit.emulator.core import EmulatedTag, LLRPEmulator

import servers
from edge import hostile
from edge.checkin.station import phases, running, settings, visits
from edge.device.supervised import RecordedContext, supervised
from edge.memory_context import MemoryContext
from vigil_edge.checkin import pipeline
from vigil_edge.checkin.llrp import seen_at
from vigil_edge.checkin.llrp_codec import TagReport, encode, tlv
from vigil_edge.device.seam import SourceError
from vigil_sim.checkin.reader import LlrpReader, TagInField
from vigil_sim.faults import Fault, FaultKind, Faults

EPC = "3000abcdef00000000000003"

Field = Callable[[float], list[TagInField]]


@asynccontextmanager
async def reader(field: Field, **keys: Any) -> AsyncIterator[LlrpReader]:
    made = LlrpReader(field, device="gate", round_s=0.02, **keys)
    await made.start()
    try:
        yield made
    finally:
        await made.stop()


async def test_a_bicycle_passes_a_reader() -> None:
    here = [TagInField(EPC, 2, -48.0)]
    context = MemoryContext()
    async with (
        reader(lambda t: here) as device,
        running(settings(device.section()), context) as task,
    ):
        await context.until(lambda: "arrived" in phases(context), task)
        here.clear()
        await context.until(lambda: "departed" in phases(context), task)
    arrived, departed = visits(context)
    assert (arrived.tag, arrived.carrier, arrived.antenna) == (f"epc:{EPC}", "uhf", 2)
    assert departed.visit_id == arrived.visit_id
    assert departed.rssi_max_dbm == -48
    assert abs(arrived.arrived - datetime.now(UTC)) < timedelta(minutes=1)


async def test_a_reader_whose_clock_is_off_by_hours_is_set_right() -> None:
    skewed = Faults([Fault(FaultKind.CLOCK_SKEW, magnitude=-7200)])
    context = MemoryContext()
    async with (
        reader(lambda t: [TagInField(EPC)], faults=skewed) as device,
        running(settings(device.section()), context) as task,
    ):
        await context.until(lambda: bool(visits(context)), task)
    assert abs(visits(context)[0].arrived - datetime.now(UTC)) < timedelta(minutes=1)


async def test_llrpkits_reader_is_understood_too() -> None:
    tags = [EmulatedTag(epc=bytes.fromhex(EPC))]
    emulator = LLRPEmulator(tags=tags)
    await emulator.start()
    context = MemoryContext()
    made = settings(
        {"driver": "llrp", "address": f"127.0.0.1:{emulator.port}", "keep_alive_s": 0.2}
    )
    try:
        async with running(made, context) as task:
            await context.until(lambda: bool(visits(context)), task)
            await emulator.wait_keepalive_ack(10)
    finally:
        await emulator.stop()
    assert visits(context)[0].tag == f"epc:{EPC}"


async def test_the_readers_own_inventory_can_be_adopted() -> None:
    context = MemoryContext()
    async with reader(lambda t: [TagInField(EPC)]) as device:
        async with running(settings(device.section()), MemoryContext()):
            assert device.rospecs
        spec = dict(device.rospecs)
        await context.until(lambda: not device.connected)
        async with running(settings(device.section(), ro_spec="adopt"), context):
            assert device.rospecs == spec


@pytest.mark.parametrize(
    ("style", "codes"),
    [
        ("truncated", {"llrp-truncated"}),
        ("wrong-length", {"llrp-truncated", "llrp-oversized", "llrp-bad-length", "llrp-bad-version",
                          "llrp-unknown-parameter", "llrp-silent"}),
    ],
)  # fmt: skip
async def test_a_corrupt_report_ends_the_connection_with_its_code(
    style: str, codes: set[str]
) -> None:
    faults = Faults()
    context = MemoryContext()
    async with reader(lambda t: [TagInField(EPC)], faults=faults) as device:
        made = settings(device.section(), keep_alive_s=0.3, timeout_s=1)
        async with running(made, context) as task:
            await context.until(lambda: bool(visits(context)), task)
            faults.add(Fault(FaultKind.CORRUPT_FRAME, style=style))
            with pytest.raises(SourceError) as caught:
                async with asyncio.timeout(60):
                    await task
        assert caught.value.code in codes
        faults.clear()
        # The agent begins anew, and the visit goes on.
        again = MemoryContext(states=context.states)
        async with running(made, again) as task:
            await again.until(lambda: bool(again.reports), task)
        assert "arrived" not in phases(again)


async def test_garbage_inside_a_whole_report_costs_only_itself() -> None:
    faults = Faults()
    context = MemoryContext()
    async with (
        reader(lambda t: [TagInField(EPC)], faults=faults) as device,
        running(settings(device.section(), absence_s=60), context) as task,
    ):
        await context.until(lambda: bool(visits(context)), task)
        faults.add(Fault(FaultKind.CORRUPT_FRAME, style="garbage"))
        await context.until(lambda: context.counters["llrp-report-unreadable"] > 0, task)
        told = ("degraded", "llrp-report-unreadable")
        await context.until(lambda: told in [report[:2] for report in context.reports], task)
        faults.clear()
        await context.until(lambda: context.reports[-1][0] == "ok", task)
    assert phases(context) == ["arrived"]


async def scripted(greeting: bytes, then: Callable[[asyncio.StreamWriter], Awaitable[None]]) -> Any:
    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            writer.write(greeting)
            await writer.drain()
            await then(writer)
            writer.close()
            await writer.wait_closed()

    return await asyncio.start_server(serve, "127.0.0.1", 0)


def greeting(status: int) -> bytes:
    clock = tlv(128, struct.pack(">Q", 1_700_000_000_000_000))
    return encode(63, 1, tlv(246, clock + tlv(256, struct.pack(">H", status))))


async def _nothing(_: asyncio.StreamWriter) -> None: ...


@pytest.mark.parametrize(
    ("first", "code"),
    [
        (greeting(2), "llrp-refused"),
        (encode(62, 1), "llrp-lost"),
        (encode(61, 1), "llrp-refused"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "llrp-bad-version"),
        (greeting(0)[:-3], "llrp-truncated"),
        (greeting(0)[:6], "llrp-truncated"),
        (b"", "llrp-lost"),
        (greeting(0), "llrp-lost"),
        (encode(63, 1, tlv(246, b"\x00\x80\x00\x05\x00")), "llrp-bad-length"),
    ],
)
async def test_greetings_of_what_is_no_willing_reader(first: bytes, code: str) -> None:
    server = await scripted(first, _nothing)
    port = server.sockets[0].getsockname()[1]
    made = settings({"driver": "llrp", "address": f"127.0.0.1:{port}", "timeout_s": 2})
    try:
        with pytest.raises(SourceError) as caught:
            async with asyncio.timeout(60):
                await pipeline.build(made, MemoryContext()).run()
    finally:
        server.close()
        await server.wait_closed()
    assert caught.value.code == code


async def test_a_silent_reader_and_none_at_all() -> None:
    asked = asyncio.Event()
    server = await scripted(b"", lambda _: asked.wait())  # type: ignore[arg-type, return-value]  # its truth is not used
    port = server.sockets[0].getsockname()[1]
    made = settings({"driver": "llrp", "address": f"127.0.0.1:{port}", "timeout_s": 0.3})
    try:
        with pytest.raises(SourceError) as caught:
            await pipeline.build(made, MemoryContext()).run()
        assert caught.value.code == "llrp-silent"
    finally:
        asked.set()
        server.close()
        await server.wait_closed()
    with pytest.raises(SourceError) as caught:
        await pipeline.build(made, MemoryContext()).run()
    assert caught.value.code == "llrp-unreachable"


def test_when_a_tag_was_read() -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    tolerance = timedelta(seconds=2)
    held = TagReport(last_seen=now - timedelta(seconds=30))
    assert seen_at(held, timedelta(0), now, tolerance) == now - timedelta(seconds=30)
    slow = TagReport(first_seen=now - timedelta(hours=5))
    assert seen_at(slow, timedelta(hours=5), now, tolerance) == now
    assert seen_at(slow, None, now, tolerance) == now
    assert seen_at(TagReport(), timedelta(0), now, tolerance) == now
    fast = TagReport(last_seen=now + timedelta(seconds=1))
    assert seen_at(fast, timedelta(0), now, tolerance) == now
    for broken in (datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)):
        for offset in (None, timedelta(0), timedelta(days=9000), timedelta(days=-9000)):
            assert seen_at(TagReport(last_seen=broken), offset, now, tolerance) == now


async def test_the_gateways_clock_is_set_while_a_reader_is_connected() -> None:
    """It began in 2001 without a battery; the visit does not end when the time comes."""
    behind = [timedelta(days=-9000)]
    here = [TagInField(EPC)]
    context = MemoryContext(clock=lambda: datetime.now(UTC) + behind[0])
    async with (
        reader(lambda t: here) as device,
        running(settings(device.section(), absence_s=2), context) as task,
    ):
        await context.until(lambda: phases(context) == ["arrived"], task)
        behind[0] = timedelta(0)
        await context.until(lambda: context.counters["clock-set"] == 1, task)
        here.clear()
        await context.until(lambda: "departed" in phases(context), task)
    arrived, departed = visits(context)
    assert departed.visit_id == arrived.visit_id
    assert abs(departed.last_seen - datetime.now(UTC)) < timedelta(minutes=1)


@pytest.mark.parametrize("antenna", [0, 255, 256, 65535])
async def test_any_antenna_number_is_survived(antenna: int) -> None:
    context = MemoryContext()
    async with (
        reader(lambda t: [TagInField(EPC, antenna)]) as device,
        running(settings(device.section()), context) as task,
    ):
        await context.until(lambda: bool(visits(context)), task)
    assert visits(context)[0].antenna == (antenna if antenna <= 255 else None)


async def test_a_reader_away_at_the_start_and_gone_in_between_is_asked_again() -> None:
    port = servers.free_port()
    made = settings({"driver": "llrp", "address": f"127.0.0.1:{port}"}, absence_s=60)
    context = RecordedContext()
    async with supervised(lambda: pipeline.build(made, context), context, "gate") as record:
        await context.until(lambda: record.counters["llrp-unreachable"] >= 2)
        states = [record.state]

        async with reader(lambda t: [TagInField(EPC)], port=port):
            await context.until(lambda: phases(context) == ["arrived"])
            states.append(record.state)
        assert states == ["failed", "ok"]
        await context.until(lambda: record.state == "failed")
        assert record.counters["llrp-lost"] + record.counters["llrp-truncated"] == 1

        async with reader(lambda t: [TagInField(EPC)], port=port) as device:
            await context.until(lambda: record.state == "ok" and device.connected)
    # One stay: that the reader was away for a moment moved nobody.
    assert phases(context) == ["arrived"]


async def met(serve: hostile.Serve, timeout_s: float = 0.3) -> SourceError:
    """What a station that met such a reader ends with."""
    async with hostile.peer(serve) as port:
        section = {"driver": "llrp", "address": f"127.0.0.1:{port}"}
        made = settings(section, timeout_s=timeout_s, keep_alive_s=0.1)
        with pytest.raises(SourceError) as caught:
            async with asyncio.timeout(servers.DEADLINE_S):
                await pipeline.build(made, MemoryContext()).run()
    return caught.value


async def test_keep_alives_are_no_greeting() -> None:
    async def serve(stream: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(encode(62, 1))
            await stream.readexactly(10)  # its acknowledgement

    error = await met(serve, timeout_s=1.0)
    assert (error.code, "does not greet" in str(error)) == ("llrp-silent", True)


async def test_a_reader_that_takes_no_acknowledgements_is_left() -> None:
    """They would be kept in memory, one for each keep-alive that it sends."""

    async def serve(stream: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting(0))
        for _ in range(5):  # SetReaderConfig, GetROSpecs, AddROSpec, EnableROSpec, StartROSpec
            head = await stream.readexactly(10)
            kind, length, number = struct.unpack(">HII", head)
            await stream.readexactly(length - 10)
            status = tlv(287, struct.pack(">HH", 0, 0))
            writer.write(encode((kind & 0x3FF) + 10, number, status))
        stream._transport.pause_reading()  # type: ignore[attr-defined]  # a peer that reads no more
        await hostile.without_end(writer, encode(62, 1) * 1000)

    assert (await met(serve)).code == "llrp-silent"


async def test_reports_without_end_in_place_of_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vigil_edge.checkin.llrp._EARLY_BYTES", 100_000)

    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(greeting(0))
        await hostile.without_end(writer, encode(61, 1, bytes(1000)))

    assert (await met(serve)).code == "llrp-lost"
