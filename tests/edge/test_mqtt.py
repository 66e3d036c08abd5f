"""A session that notices when it is deaf: a dead thread, a hanging one, a silent socket."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

import servers
from edge.device.supervised import RecordedContext, supervised
from edge.memory_context import MemoryContext
from edge.smoke.home import alarms, section
from vigil_edge import mqtt
from vigil_edge.mqtt import MqttLost, MqttOptions, MqttRefused, MqttSession, MqttUnreachable
from vigil_edge.smoke import sources


def publish(topic: bytes, payload: bytes, packet: int) -> bytes:
    """A PUBLISH of MQTT 5 with QoS 1, as no proper broker would send it."""
    body = len(topic).to_bytes(2, "big") + topic + packet.to_bytes(2, "big") + b"\0" + payload
    assert len(body) < 128
    return bytes((0x32, len(body))) + body


class BareBroker:
    """Takes one client: CONNACK, SUBACK, then whatever ``then`` writes; notes PUBACKs."""

    def __init__(self, then: Callable[[asyncio.StreamWriter], Awaitable[None]]) -> None:
        self._then = then
        self.acknowledged: list[int] = []
        self.granted: int | None = None
        """The answer to a SUBSCRIBE without wildcard; ``None``: all are granted."""
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> BareBroker:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                kind, length = await reader.readexactly(2)
                body = await reader.readexactly(length)
                if kind == 0x10:
                    writer.write(bytes((0x20, 3, 0, 0, 0)))
                elif kind == 0x82:
                    refuses = self.granted is not None and body.endswith(b"#\x01")
                    code = 0x87 if refuses else self.granted or 1
                    writer.write(bytes((0x90, 4)) + body[:2] + bytes((0, code)))
                    await self._then(writer)
                elif kind == 0x40:
                    self.acknowledged.append(int.from_bytes(body[:2], "big"))
        writer.close()


def options(port: int) -> MqttOptions:
    return MqttOptions(host="127.0.0.1", port=port, client_id="test")


async def listening_to(session: MqttSession) -> None:
    while True:
        await session.next(0.1)


async def test_a_topic_that_is_not_utf_8_costs_that_message_only() -> None:
    async def then(writer: asyncio.StreamWriter) -> None:
        writer.write(publish(b"home/\xff\xfe", b"1", 1) + publish(b"home/kitchen", b"2", 2))

    async with BareBroker(then) as broker:
        session = MqttSession(options(broker.port))
        try:
            await session.open([["home/#"]])
            found = [await session.next(60), await session.next(60)]
        finally:
            await session.close()
    assert [(m.topic, m.payload) for m in found if m is not None] == [
        (None, b"1"),
        ("home/kitchen", b"2"),
    ]


async def test_the_pipeline_counts_it_and_hears_the_fire_behind_it() -> None:
    async def then(writer: asyncio.StreamWriter) -> None:
        writer.write(publish(b"z2m/\xff", b"{}", 1) + publish(b"z2m/kitchen", b'{"smoke":true}', 2))

    async with BareBroker(then) as broker:
        context = MemoryContext()
        task = asyncio.create_task(
            sources.build(section(f"mqtt://127.0.0.1:{broker.port}", "z2m"), context).run()
        )
        await context.until(lambda: bool(alarms(context)), task)
        await context.until(lambda: broker.acknowledged == [1, 2], task)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert alarms(context) == [("home-1", "smoke", True)]
    assert context.counters["smoke-topic-unreadable"] == 1


async def test_a_thread_that_dies_ends_the_session(
    mosquitto: servers.Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = MqttSession(options(mosquitto.port))
    try:
        await session.open([["x/#"]])

        def dies(*_: object) -> None:
            raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "invalid start byte")

        monkeypatch.setattr(session._client, "loop_misc", dies)
        with pytest.raises(MqttLost, match="died of UnicodeDecodeError"):
            await session.next(60)
    finally:
        await session.close()


async def test_a_dead_thread_is_mended_by_the_supervisor(
    mosquitto: servers.Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = section(mosquitto.url, "deaf")
    context = RecordedContext(gateway="deaf")
    deaf = [True]
    whole = mqtt.WatchedClient.loop_misc

    def dies_once(self: mqtt.WatchedClient) -> object:
        if deaf and self.is_connected():
            deaf.clear()
            raise ValueError("paho met something")
        return whole(self)

    monkeypatch.setattr(mqtt.WatchedClient, "loop_misc", dies_once)
    async with supervised(lambda: sources.build(made, context), context, made.device) as record:
        await context.until(lambda: record.restarts >= 1)
        assert record.counters["broker-lost"] == 1
        await context.until(lambda: record.state == "ok")


async def test_a_thread_that_hangs_ends_the_session_and_is_left_behind(
    mosquitto: servers.Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mqtt, "HANGS_S", 0.2)
    goes_on = threading.Event()
    session = MqttSession(options(mosquitto.port))
    try:
        await session.open([["x/#"]])
        monkeypatch.setattr(session._client, "loop_misc", lambda: goes_on.wait(60) and 0)
        with pytest.raises(MqttLost, match="has not moved"):
            await listening_to(session)
        async with asyncio.timeout(60):
            await session.close()
    finally:
        goes_on.set()


async def test_a_broker_that_falls_silent_is_lost(tmp_path: Path) -> None:
    broker = servers.mosquitto(tmp_path / "own")
    session = MqttSession(replace(options(broker.port), keep_alive_s=1))
    try:
        await session.open([["x/#"]])
        os.kill(broker.pid, signal.SIGSTOP)
        with pytest.raises(MqttLost, match="Keep alive timeout"):
            await session.next(30)
    finally:
        os.kill(broker.pid, signal.SIGCONT)
        await session.close()
        broker.stop()


async def test_the_second_choice_where_the_first_is_refused_and_none() -> None:
    async def then(_: asyncio.StreamWriter) -> None:
        return

    async with BareBroker(then) as broker:
        broker.granted = 0x87
        session = MqttSession(options(broker.port))
        with pytest.raises(MqttRefused, match="x/#"):
            await session.open([["x/#"]])
        await session.close()
        broker.granted = 1
        session = MqttSession(options(broker.port))
        assert await session.open([["x/#"], ["x/y"]]) == 1
        await session.close()


async def test_nobody_there() -> None:
    session = MqttSession(options(servers.free_port()))
    with pytest.raises(MqttUnreachable):
        await session.open([["x"]])
    await session.close()


async def test_a_flood_without_flow_control_ends_the_session(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """QoS 0: what nobody takes must not fill the memory."""
    monkeypatch.setattr(mqtt, "WAITING_MOST", 5)

    async def flood(writer: asyncio.StreamWriter) -> None:
        for _ in range(20):
            writer.write(bytes((0x30, 5)) + b"\0\1t\0!")

    async with BareBroker(flood) as broker:
        session = MqttSession(options(broker.port))
        failed, fail = asyncio.Event(), session._fail

        def noted(error: mqtt.MqttError) -> None:
            fail(error)
            failed.set()

        monkeypatch.setattr(session, "_fail", noted)
        try:
            await session.open([["#"]])
            async with asyncio.timeout(60):
                await failed.wait()
            found = [await session.next(60) for _ in range(5)]
            with pytest.raises(MqttLost, match="wait to be taken"):
                await session.next(60)
        finally:
            await session.close()
    assert [message.payload for message in found if message is not None] == [b"!"] * 5


async def lost_to(then: Callable[[asyncio.StreamWriter], Awaitable[None]]) -> str:
    """Why the session with such a broker ends."""
    async with BareBroker(then) as broker:
        session = MqttSession(options(broker.port))
        try:
            await session.open([["home/#"]])
            with pytest.raises(MqttLost) as caught:
                async with asyncio.timeout(servers.DEADLINE_S):
                    await listening_to(session)
        finally:
            await session.close()
    return str(caught.value)


async def test_a_packet_too_large_is_not_read() -> None:
    async def then(writer: asyncio.StreamWriter) -> None:
        writer.write(b"\x30\xff\xff\xff\x7f" + bytes(1000))  # a PUBLISH of 256 MiB begins
        await writer.drain()

    assert "a packet of 268435455 bytes" in await lost_to(then)


async def test_a_packet_that_never_ends_is_no_sign_of_life(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqtt, "PACKET_S", 0.3)
    left = asyncio.Event()

    async def then(writer: asyncio.StreamWriter) -> None:
        writer.write(b"\x30\xff\xff\x7f")
        with suppress(OSError):
            while not left.is_set():
                writer.write(b".")
                await writer.drain()
                with suppress(TimeoutError):
                    await asyncio.wait_for(left.wait(), 0.05)

    try:
        assert "a packet did not end" in await lost_to(then)
    finally:
        left.set()


async def test_large_messages_that_nobody_takes_end_the_session(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mqtt, "WAITING_BYTES", 100_000)
    gone = asyncio.Event()

    async def then(writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while True:
                writer.write(b"\x30\xe8\x07\x00\x01x\x00" + bytes(996))
                await writer.drain()
        gone.set()

    async with BareBroker(then) as broker:
        session = MqttSession(options(broker.port))
        try:
            await session.open([["home/#"]])
            async with asyncio.timeout(servers.DEADLINE_S):
                await gone.wait()
            with pytest.raises(MqttLost, match="than there is room for"):
                await listening_to(session)
        finally:
            await session.close()
