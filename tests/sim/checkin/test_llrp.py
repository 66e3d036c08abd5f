"""The reader's LLRP against recorded bodies, and against a client that nobody here wrote."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from llrpkit import LLRPConnectionError, LLRPStatusError, Reader
from llrpkit.client import LLRPClient, check_status
from llrpkit.inventory import TagReport, build_rospec
from llrpkit.protocol import decode_message, messages

from data import shared
from sim.waiting import until
from vigil_sim.checkin import rospec
from vigil_sim.checkin.llrp import (
    EventKind,
    LlrpMessage,
    MalformedError,
    MessageType,
    Sighting,
    access_report,
    decode_header,
    encode_message,
    event_notification,
    llrp_status,
    parameters,
    tlv,
)
from vigil_sim.checkin.reader import LlrpReader, TagInField
from vigil_sim.checkin.reader_facts import Configuration, configuration
from vigil_sim.faults import Fault, FaultKind, Faults
from vigil_sim.ledger import Ledger, LedgerReader

BICYCLE = "300833b2ddd9014000000001"


def recorded(name: str) -> tuple[bytes, dict[str, Any]]:
    body = shared(f"checkin/llrp/{name}.bytes").read_bytes()
    meant = json.loads(shared(f"checkin/llrp/{name}.json").read_text())
    return body, meant


@pytest.mark.parametrize("number", ["001", "002", "003", "004"])
def test_reports_are_encoded_as_recorded(number: str) -> None:
    body, meant = recorded(f"roAccessReports_ROAccessReport-{number}")
    tags = [
        Sighting(
            base64.b64decode(tag["EPC96"]["EPC"]),
            tag["AntennaID"],
            tag["PeakRSSI"],
            tag["FirstSeenUTC"],
        )
        for tag in meant["TagReportData"]
    ]
    assert access_report(tags) == body


def test_configuration_is_encoded_as_recorded() -> None:
    body, meant = recorded("GetReaderConfigResponse-000")
    about = Configuration(
        base64.b64decode(meant["Identification"]["ReaderID"]),
        antennas=4,
        connected=1,
        power_index=meant["AntennaConfigurations"][0]["RFTransmitter"]["TransmitPowerIndex"],
        state=meant["LLRPConfigurationStateValue"],
    )
    assert configuration(about) == body


def test_events_and_statuses_are_encoded_as_recorded() -> None:
    body, meant = recorded("ReaderEventNotification-000")
    utc_us = meant["ReaderEventNotificationData"]["UTCTimestamp"]
    assert event_notification(utc_us, EventKind.CONNECTION_CLOSE) == body
    assert llrp_status() == recorded("CloseConnectionResponse-000")[0]
    assert llrp_status() == recorded("GetROSpecsResponse-000")[0]


microseconds = st.integers(0, 2**62)


@given(
    st.lists(
        st.builds(
            Sighting,
            st.integers(1, 31).flatmap(lambda n: st.binary(min_size=2 * n, max_size=2 * n)),
            st.integers(0, 0xFFFF),
            st.integers(-128, 127),
            microseconds,
            microseconds,
            st.integers(0, 0xFFFF),
            st.none(),
        ),
        max_size=5,
    ),
    st.integers(1, 2),
    st.integers(0, 2**32 - 1),
)
def test_an_independent_decoder_reads_any_report(
    tags: list[Sighting], version: int, id: int
) -> None:
    frame = encode_message(
        LlrpMessage(version, MessageType.RO_ACCESS_REPORT, id, access_report(tags))
    )
    assert decode_header(frame[:10]) == (version, MessageType.RO_ACCESS_REPORT, len(frame), id)
    report = decode_message(frame)
    assert isinstance(report, messages.RO_ACCESS_REPORT)
    read = [TagReport.from_param(tag) for tag in report.tag_report_datas]
    assert [
        (tag.epc, tag.antenna, tag.rssi_dbm, tag.first_seen_us, tag.last_seen_us, tag.seen_count)
        for tag in read
    ] == [
        (tag.epc, tag.antenna, tag.rssi_dbm, tag.first_seen_us, tag.last_seen_us, tag.times)
        for tag in tags
    ]


@given(st.binary(max_size=200))
def test_no_bytes_break_the_decoder(data: bytes) -> None:
    with contextlib.suppress(MalformedError):
        assert sum(len(parameter.value) + 1 for parameter in parameters(data)) <= len(data)
    with contextlib.suppress(MalformedError):
        rospec.parse(data)


@given(st.lists(st.sampled_from([1, 2, 3, 4]), unique=True), st.integers(0, 50), st.integers(0, 9))
def test_an_independent_encoders_rospec_is_understood(
    antennas: list[int], every: int, seconds: int
) -> None:
    asked = build_rospec(
        ro_spec_id=7,
        antennas=antennas,
        report_every_n=every,
        duration_ms=1000 * seconds if seconds else None,
    )
    message = messages.ADD_ROSPEC(ro_spec=asked).to_bytes(message_id=1)
    (parameter,) = parameters(message[10:])
    spec = rospec.parse(parameter.value)
    assert (spec.id, spec.antennas, spec.report_every, spec.runs_ms) == (
        7,
        frozenset(antennas),
        every,
        1000 * seconds,
    )
    assert tlv(parameter.type, parameter.value) == message[10:]


# -- over TCP


@asynccontextmanager
async def running(reader: LlrpReader) -> AsyncIterator[tuple[str, int]]:
    await reader.start()
    try:
        host, port = reader.address.rsplit(":", 1)
        yield host, int(port)
    finally:
        await reader.stop()


def bicycle(t: float) -> list[TagInField]:
    return [TagInField(BICYCLE, 2, -48.4)]


async def test_a_foreign_client_inventories(tmp_path: Path) -> None:
    with Ledger(tmp_path / "ledger.db") as ledger:
        simulated = LlrpReader(
            bicycle, device="gate-1", gateway="gw-1", round_s=0.01, ledger=ledger
        )
        async with running(simulated) as (host, port), Reader(host, port) as client:
            assert client.max_antennas == 4
            assert not client.is_impinj
            assert client.capabilities.hopping
            config = await client.get_config()
            assert config.identification is not None
            await client.set_keepalive(20)
            seen: list[TagReport] = []
            async with contextlib.aclosing(client.inventory(duration=30)) as stream:
                async for tag in stream:
                    seen.append(tag)
                    if len(seen) == 20:
                        break
    assert {(tag.epc_hex, tag.antenna, tag.rssi_dbm) for tag in seen} == {(BICYCLE, 2, -48)}
    with LedgerReader(tmp_path / "ledger.db") as truth:
        produced = [entry.time_us for entry in truth.entries("tag-read", device="gate-1")]
    assert [tag.first_seen_us for tag in seen] == produced[:20]


async def test_only_the_antennas_asked_for() -> None:
    def two(t: float) -> list[TagInField]:
        return [TagInField(BICYCLE, 1), TagInField("aa" * 6, 3)]

    simulated = LlrpReader(two, device="gate-1", round_s=0.01)
    async with running(simulated) as (host, port), Reader(host, port) as client:
        seen = []
        async with contextlib.aclosing(client.inventory(antennas=(3,), duration=30)) as stream:
            async for tag in stream:
                seen.append((tag.epc_hex, tag.antenna))
                if len(seen) == 5:
                    break
    assert set(seen) == {("aa" * 6, 3)}


async def test_one_client_at_a_time() -> None:
    simulated = LlrpReader(bicycle, device="gate-1")
    async with running(simulated) as (host, port), Reader(host, port):
        with pytest.raises(LLRPConnectionError, match="refused"):
            async with Reader(host, port):
                pass
    async with running(simulated) as (host, port):
        async with Reader(host, port):
            pass
        await until(lambda: not simulated.connected, "the first client is gone")
        async with Reader(host, port):
            pass


async def test_rospecs_are_kept_apart_and_refused_with_a_reason() -> None:
    simulated = LlrpReader(bicycle, device="gate-1")
    async with running(simulated) as (host, port), LLRPClient(host, port) as client:
        add = messages.ADD_ROSPEC(ro_spec=build_rospec(ro_spec_id=5))
        check_status(await client.transact(add))
        with pytest.raises(LLRPStatusError, match="exists"):
            check_status(await client.transact(add))
        with pytest.raises(LLRPStatusError, match="disabled"):
            check_status(await client.transact(messages.START_ROSPEC(ro_spec_id=5)))
        with pytest.raises(LLRPStatusError, match="no ROSpec 6"):
            check_status(await client.transact(messages.ENABLE_ROSPEC(ro_spec_id=6)))
        listed = check_status(await client.transact(messages.GET_ROSPECS()))
        assert isinstance(listed, messages.GET_ROSPECS_RESPONSE)
        assert [spec.ro_spec_id for spec in listed.ro_specs] == [5]
        check_status(await client.transact(messages.DELETE_ROSPEC(ro_spec_id=0)))
        listed = check_status(await client.transact(messages.GET_ROSPECS()))
        assert isinstance(listed, messages.GET_ROSPECS_RESPONSE)
        assert listed.ro_specs == []


async def inventory_until_it_breaks(host: str, port: int) -> list[TagReport]:
    seen: list[TagReport] = []
    with contextlib.suppress(LLRPConnectionError):
        async with asyncio.timeout(60), Reader(host, port, response_timeout=5) as client:
            async for tag in client.inventory(duration=30):
                seen.append(tag)  # noqa: PERF401  # what came before the break counts
    return seen


@pytest.mark.parametrize("style", ["truncated", "wrong-length", "garbage"])
async def test_a_broken_report_breaks_the_conversation_and_the_next_one_works(style: str) -> None:
    faults = Faults([Fault(FaultKind.CORRUPT_FRAME, start_s=100, style=style)], seed=4)
    world = [0.0]
    simulated = LlrpReader(
        bicycle, device="gate-1", round_s=0.01, faults=faults, world_time=lambda: world[0]
    )
    async with running(simulated) as (host, port):
        first = asyncio.get_running_loop().create_task(inventory_until_it_breaks(host, port))
        await until(lambda: any(s.state == 2 for s in simulated.rospecs.values()), "inventory")
        world[0] = 101.0
        await first
        world[0] = 0.0
        faults.clear()
        await until(lambda: not simulated.connected, "the broken client is gone")
        async with (
            Reader(host, port) as client,
            contextlib.aclosing(client.inventory(duration=30)) as stream,
        ):
            assert (await anext(stream)).epc_hex == BICYCLE


async def test_a_reboot_forgets_the_rospecs_and_refuses_meanwhile() -> None:
    world = [0.0]
    faults = Faults([Fault(FaultKind.REBOOT, start_s=10, stop_s=20)])
    simulated = LlrpReader(
        bicycle, device="gate-1", round_s=0.01, faults=faults, world_time=lambda: world[0]
    )
    async with running(simulated) as (host, port):
        async with LLRPClient(host, port) as client:
            check_status(await client.transact(messages.ADD_ROSPEC(ro_spec=build_rospec())))
            world[0] = 10.0
            await until(lambda: not client.connected, "the reboot is noticed")
            with pytest.raises(LLRPConnectionError):
                await LLRPClient(host, port).connect()
        world[0] = 20.0
        async with LLRPClient(host, port) as client:
            listed = check_status(await client.transact(messages.GET_ROSPECS()))
            assert isinstance(listed, messages.GET_ROSPECS_RESPONSE)
            assert listed.ro_specs == []


async def test_silence_is_only_of_reports() -> None:
    faults = Faults([Fault(FaultKind.DROP)])
    simulated = LlrpReader(bicycle, device="gate-1", round_s=0.01, faults=faults)
    async with running(simulated) as (host, port), Reader(host, port) as client:
        seen = [tag async for tag in client.inventory(duration=0.1)]
        assert seen == []
        assert (await client.get_config()).identification is not None


async def test_a_drifting_receiver_and_a_wrong_clock_are_reported() -> None:
    faults = Faults(
        [
            Fault(FaultKind.DRIFT, magnitude=-2.0, parameter="rssi"),
            Fault(FaultKind.CLOCK_SKEW, magnitude=-3600.0),
        ]
    )
    simulated = LlrpReader(
        bicycle,
        device="gate-1",
        round_s=0.01,
        faults=faults,
        world_time=lambda: 6.0,
        clock=lambda: 1_800_000_000.0,
    )
    async with (
        running(simulated) as (host, port),
        Reader(host, port) as client,
        contextlib.aclosing(client.inventory(duration=30)) as stream,
    ):
        tag = await anext(stream)
    assert tag.rssi_dbm == -60
    assert tag.first_seen_us == (1_800_000_000 - 3600) * 1_000_000


async def test_a_message_of_nonsense_is_complained_about() -> None:
    simulated = LlrpReader(bicycle, device="gate-1")
    async with running(simulated) as (host, port):
        reader, writer = await asyncio.open_connection(host, port)
        await reader.readexactly(10 + 22)
        writer.write(bytes.fromhex("0400ffffffff00000001"))
        header = await reader.readexactly(10)
        assert decode_header(header)[1] == MessageType.ERROR_MESSAGE
        writer.close()
        await writer.wait_closed()
