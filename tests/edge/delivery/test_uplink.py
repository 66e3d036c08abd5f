"""The uplink on a real Mosquitto: receipts, a killed broker, a closed ACL, certificates."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import servers
from edge.authority import Authority
from edge.delivery.outbox_facts import SYNC, reading
from edge.delivery.uplink_gateway import Make, gateways, ingest
from edge.ingest_stand_in import until
from vigil_edge import mqtt
from vigil_edge.configuration.sections import CloudSettings
from vigil_edge.delivery import connection, uplink
from vigil_edge.delivery.outbox import Sendable
from vigil_edge.mqtt import WatchedClient
from vigil_schemas.control import (
    CommandV1,
    ConfigurationV1,
    Receipt,
    ReceiptV1,
    RefusalReason,
)
from vigil_schemas.envelope import Source
from vigil_schemas.gateway import CommandResult, GatewayBirth, GatewayDeath
from vigil_schemas.topics import CONFIG, RECEIPT, topic
from vigil_schemas.types import Lane


@pytest.fixture
async def make(tmp_path: Path) -> AsyncIterator[Make]:
    async with gateways(tmp_path) as build:
        yield build


async def test_rows_leave_only_on_a_receipt(mosquitto: servers.Mosquitto, make: Make) -> None:
    gateway = await make(mosquitto.url)
    with ingest(mosquitto.port, gateway.id) as cloud:
        cloud.receipts = False
        gateway.connect()
        await gateway.accept(Lane.EVENT, 10)
        await until(lambda: len(cloud.numbers("event")) == 10)
        depths = await gateway.outbox.depths()
        assert sum(depth.rows for depth in depths) == 10  # the broker's word is not enough

        cloud.give_receipts()

        await asyncio.wait_for(gateway.empty(), 60)


async def test_more_than_is_taken_ends_the_connection(
    mosquitto: servers.Mosquitto, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "INBOX_BYTES", 1_000_000)
    opened = connection.Connection(
        CloudSettings(broker=mosquitto.url), f"gw-{uuid.uuid4().hex[:8]}", b"", lambda _: None
    )
    with ingest(mosquitto.port, opened._gateway) as cloud:
        try:
            await opened.open()
            for _ in range(10):
                cloud._client.publish(topic(cloud.gateway, RECEIPT), bytes(200_000), qos=1)
            await until(lambda: opened.ended)
            assert "faster than this gateway takes" in str(opened.ended)
            assert opened._inbox.qsize() < 5
        finally:
            await opened.close(b"")


async def test_thousands_arrive_once_in_order_through_a_window(
    mosquitto: servers.Mosquitto, make: Make
) -> None:
    gateway = await make(mosquitto.url)
    await gateway.accept(Lane.EVENT, 1500)
    with ingest(mosquitto.port, gateway.id) as cloud:
        gateway.connect()
        await gateway.accept(Lane.ALARM, 20)
        await asyncio.wait_for(gateway.empty(), 60)

        assert cloud.numbers("event") == list(range(1, 1501))
        assert cloud.numbers("alarm") == list(range(1, 21))
        events = [each.command_id for each in cloud.all(CommandResult)]
        assert events == [f"number-{number:08d}" for number in range(1500)]


async def test_an_alarm_overtakes_the_backlog(mosquitto: servers.Mosquitto, make: Make) -> None:
    gateway = await make(mosquitto.url)
    await gateway.accept(Lane.EVENT, 3000)
    with ingest(mosquitto.port, gateway.id) as cloud:
        gateway.connect()
        await until(lambda: cloud.numbers("event"))

        await gateway.accept(Lane.ALARM, 1)
        await until(lambda: cloud.numbers("alarm"))

        assert len(cloud.numbers("event")) < 3000


async def test_birth_and_a_clean_death_are_retained(
    mosquitto: servers.Mosquitto, make: Make
) -> None:
    gateway = await make(mosquitto.url)
    with ingest(mosquitto.port, gateway.id) as cloud:
        gateway.connect()
        (birth,) = await until(lambda: cloud.status(GatewayBirth))
        assert birth.epoch == gateway.outbox.epoch
        with ingest(mosquitto.port, gateway.id) as late:
            assert (await until(lambda: late.status(GatewayBirth)))[0] == birth

        await gateway.disconnect()

        (death,) = await until(lambda: cloud.status(GatewayDeath))
        assert (death.session, death.clean) == (birth.session, True)


async def test_a_killed_broker_costs_nothing(tmp_path: Path, make: Make) -> None:
    broker = servers.mosquitto(tmp_path / "broker")
    gateway = await make(broker.url)
    try:
        with ingest(broker.port, gateway.id) as cloud:
            gateway.connect()
            for round_number in range(1, 4):
                await gateway.accept(Lane.EVENT, 200)

                def some_came(least: int = 200 * round_number - 150) -> bool:
                    return len(cloud.numbers("event")) > least

                await until(some_came)
                await asyncio.to_thread(broker.kill)
                await gateway.accept(Lane.ALARM, 5)
                await asyncio.to_thread(broker.start)
            await asyncio.wait_for(gateway.empty(), 60)

            assert cloud.numbers("event") == list(range(1, 601))
            assert cloud.numbers("alarm") == list(range(1, 16))
            births = cloud.status(GatewayBirth)
            sessions = [birth.session for birth in births]
            assert sessions == sorted(sessions)
            assert sessions[-1] > sessions[0]
            assert gateway.counts["uplink-lost"] >= 3
    finally:
        await gateway.disconnect()
        broker.stop()


async def test_a_refused_publish_is_counted_and_kept(tmp_path: Path, make: Make) -> None:
    acl = tmp_path / "acl"
    gateway_id = f"gw-{uuid.uuid4().hex[:8]}"
    closed = f"topic read #\ntopic write vigil/v1/{gateway_id}/status\n"
    acl.write_text(closed)
    acl.chmod(0o600)
    broker = servers.mosquitto(tmp_path / "broker", extra=f"acl_file {acl}")
    gateway = await make(broker.url, gateway_id)
    try:
        gateway.connect()
        await gateway.accept(Lane.ALARM, 3)
        await until(lambda: gateway.counts["publish-not-authorized"] >= 3)
        assert sum(depth.rows for depth in await gateway.outbox.depths()) == 3

        acl.write_text("topic readwrite #\n")  # the operator mends it
        await asyncio.to_thread(broker.stop)
        await asyncio.to_thread(broker.start)
        with ingest(broker.port, gateway.id) as cloud:
            await asyncio.wait_for(gateway.empty(), 60)
            assert cloud.numbers("alarm") == [1, 2, 3]
    finally:
        await gateway.disconnect()
        broker.stop()


async def test_commands_and_configuration_come_down(
    mosquitto: servers.Mosquitto, make: Make
) -> None:
    gateway = await make(mosquitto.url)
    with ingest(mosquitto.port, gateway.id) as cloud:
        cloud.send(
            CONFIG, ConfigurationV1(revision=3)
        )  # retained: sent before the gateway is there
        gateway.connect()
        await until(lambda: gateway.configurations)
        command = CommandV1(command_id="do-this-1", action="report_health")
        cloud.command(command)
        await until(lambda: gateway.commands == [command])
        cloud._client.publish(f"vigil/v1/{gateway.id}/command", b"{nonsense", qos=1)
        await until(lambda: gateway.counts["received-malformed-json"] == 1)

        cloud.command(CommandV1(command_id="do-this-2", action="resend_birth"))

        await until(lambda: len(gateway.commands) == 2)
        assert gateway.configurations == [ConfigurationV1(revision=3)]


async def test_an_outbox_from_an_old_copy_begins_a_new_epoch(
    mosquitto: servers.Mosquitto, make: Make
) -> None:
    gateway = await make(mosquitto.url)
    with ingest(mosquitto.port, gateway.id) as cloud:
        gateway.connect()
        await gateway.accept(Lane.EVENT, 5)
        await asyncio.wait_for(gateway.empty(), 60)
        old = gateway.outbox.epoch
        source = Source(gateway.id, "event", old)

        cloud.send(RECEIPT, ReceiptV1(source=str(source), stored=90))

        await until(lambda: gateway.outbox.epoch != old)
        await gateway.accept(Lane.EVENT, 3)
        await asyncio.wait_for(gateway.empty(), 60)
        renewed = Source(gateway.id, "event", gateway.outbox.epoch)
        assert sorted(cloud.stored[renewed]) == [1, 2, 3]
        births = await until(lambda: [b for b in cloud.status(GatewayBirth) if b.epoch != old])
        assert births[-1].epoch == gateway.outbox.epoch


async def test_a_connection_whose_thread_hangs_is_made_anew(
    mosquitto: servers.Mosquitto, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mqtt, "HANGS_S", 0.3)
    monkeypatch.setattr(uplink, "LOOK_S", 0.1)
    goes_on, whole, hung = threading.Event(), WatchedClient.loop_misc, list[WatchedClient]()

    def hangs_once(self: WatchedClient) -> object:
        if self.is_connected() and hung in ([], [self]):
            hung[:] = [self]
            goes_on.wait(60)
        return whole(self)

    gateway = await make(mosquitto.url)
    with ingest(mosquitto.port, gateway.id) as cloud:
        monkeypatch.setattr(WatchedClient, "loop_misc", hangs_once)
        try:
            gateway.connect()
            await until(lambda: bool(hung))
            await gateway.accept(Lane.ALARM, 1)
            source = Source(gateway.id, "alarm", gateway.outbox.epoch)
            await until(lambda: cloud.stored.get(source))
        finally:
            goes_on.set()


async def test_events_given_up_while_they_are_fetched_leave_no_number_unsent(
    mosquitto: servers.Mosquitto, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An alarm needs their room: the next events get the numbers that these would have had."""
    gateway = await make(mosquitto.url)
    await gateway.accept(Lane.EVENT, 5)
    # With the window of observations full the loss itself is told later only.
    full = [reading(f"sonde-{number}", 0) for number in range(80)]
    await gateway.outbox.accept("d", full, None, SYNC)
    fetch = gateway.outbox.fetch

    async def after_they_are_gone(lane: Lane, after: int, limit: int) -> list[Sendable]:
        if lane is Lane.EVENT:
            await gateway.outbox._ask(lambda store: store.give_up_events(5, 0))
            monkeypatch.setattr(gateway.outbox, "fetch", fetch)
        found: list[Sendable] = await fetch(lane, after, limit)
        return found

    monkeypatch.setattr(gateway.outbox, "fetch", after_they_are_gone)
    with ingest(mosquitto.port, gateway.id) as cloud:
        gateway.connect()
        source = Source(gateway.id, "event", gateway.outbox.epoch)
        await until(lambda: gateway.outbox.fetch is fetch)
        await gateway.accept(Lane.EVENT, 2)
        await until(lambda: len(cloud.stored.get(source, ())) >= 2)


async def test_a_receipt_of_version_2_lets_rows_go_and_tells_of_the_clock(
    mosquitto: servers.Mosquitto, make: Make
) -> None:
    gateway = await make(mosquitto.url)
    with ingest(mosquitto.port, gateway.id) as cloud:
        cloud.receipts = False
        gateway.connect()
        await gateway.accept(Lane.ALARM, 2)
        await until(lambda: cloud.numbers("alarm") == [1, 2])
        source = Source(gateway.id, "alarm", gateway.outbox.epoch)
        an_hour_ago = datetime.now(UTC) - timedelta(hours=1)
        reason = RefusalReason(reason="future-dated", count=1)

        cloud.send(
            RECEIPT, Receipt(source=str(source), stored=2, time=an_hour_ago, reasons=[reason])
        )

        await asyncio.wait_for(gateway.empty(), 60)
        feedback = gateway.uplink.callbacks.feedback
        assert await until(lambda: feedback.clock_offset_s) == pytest.approx(3600, abs=30)
        assert feedback.refusals() == [reason]


async def test_birth_and_last_will_are_of_one_epoch(
    mosquitto: servers.Mosquitto, make: Make
) -> None:
    gateway = await make(mosquitto.url)
    with ingest(mosquitto.port, gateway.id) as cloud:
        gateway.connect()
        await until(lambda: cloud.status(GatewayBirth))
        old = gateway.outbox.epoch
        await gateway.outbox._ask(lambda store: store._begin_epoch())

        await until(lambda: len(cloud.status(GatewayBirth)) == 2)

        said = [(Source.parse(m.envelope.source).epoch, type(m.data)) for m in cloud.statuses]
        new = gateway.outbox.epoch
        assert said == [(old, GatewayBirth), (old, GatewayDeath), (new, GatewayBirth)]


async def test_no_broker_is_an_everyday_thing(make: Make) -> None:
    gateway = await make(f"mqtt://127.0.0.1:{servers.free_port()}")
    gateway.connect()

    await until(lambda: gateway.counts["uplink-unreachable"] >= 2)

    await gateway.accept(Lane.ALARM, 1)
    assert gateway.task is not None
    assert not gateway.task.done()


class TakenOver:
    """On the way to Mosquitto: ends connections as MQTT 5 asks of a broker when another client has
    connected under the same id (Mosquitto 2.0.11 only closes them)."""

    def __init__(self, port: int) -> None:
        self._broker = port
        self._ways: list[asyncio.StreamWriter] = []
        self.port = 0

    async def __aenter__(self) -> TakenOver:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        other_reader, other = await asyncio.open_connection("127.0.0.1", self._broker)
        self._ways += [writer, other]
        await asyncio.gather(_pass(reader, other), _pass(other_reader, writer))

    def another_comes(self) -> None:
        gateway, broker = self._ways[-2:]
        gateway.write(bytes([0xE0, 2, 0x8E, 0]))
        gateway.close()
        broker.close()

    async def __aexit__(self, *_: object) -> None:
        for way in self._ways:
            way.close()
        self._server.close()


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
    writer.close()


async def test_two_boxes_of_one_name_throw_each_other_out_ever_more_seldom(
    mosquitto: servers.Mosquitto, make: Make
) -> None:
    """A connection that held for a while before the other box came is no reason to hurry back."""
    async with TakenOver(mosquitto.port) as way:
        gateway = await make(f"mqtt://127.0.0.1:{way.port}")
        gateway.connect()

        async def thrown_out(held_s: float, times: int) -> int:
            await until(lambda: gateway.uplink.connected)
            gateway.uplink._since -= held_s
            way.another_comes()
            await until(lambda: gateway.counts["uplink-taken-over"] == times)
            await until(lambda: gateway.uplink._connection is None)
            return int(gateway.uplink._backoff._failures)

        failures = [await thrown_out(60, times) for times in range(1, 5)]
        assert failures == [1, 2, 3, 4], "each pause is longer than the one before"
        assert await thrown_out(601, 5) == 1, "nobody disputed it for ten minutes"
        assert gateway.counts["uplink-lost"] == 0


async def test_tls_with_client_certificates(tmp_path: Path, make: Make) -> None:
    authority = Authority(tmp_path)
    server_certificate, server_key = authority.issue("broker")
    gateway_id = f"gw-{uuid.uuid4().hex[:8]}"
    certificate, key = authority.issue(gateway_id)
    cloud_certificate, cloud_key = authority.issue("ingest")
    acl = tmp_path / "acl"
    acl.write_text(
        "pattern write vigil/v1/%u/#\npattern read vigil/v1/%u/#\nuser ingest\ntopic readwrite #\n"
    )
    acl.chmod(0o600)
    broker = servers.mosquitto(
        tmp_path / "broker",
        extra=f"cafile {authority.file}\ncertfile {server_certificate}\nkeyfile {server_key}\n"
        f"require_certificate true\nuse_identity_as_username true\nacl_file {acl}",
    )
    url = f"mqtts://127.0.0.1:{broker.port}"
    files = {"ca_file": authority.file, "certificate_file": certificate, "key_file": key}
    gateway = await make(url, gateway_id, **files)
    stranger = await make(url, f"gw-{uuid.uuid4().hex[:8]}", ca_file=authority.file)
    impostor = await make(url, f"gw-{uuid.uuid4().hex[:8]}", **files)

    def configure(client: Any) -> None:
        context = ssl.create_default_context(cafile=authority.file)
        context.load_cert_chain(cloud_certificate, cloud_key)
        client.tls_set_context(context)

    try:
        with ingest(broker.port, gateway_id, configure) as cloud:
            gateway.connect()
            await gateway.accept(Lane.EVENT, 5)
            await asyncio.wait_for(gateway.empty(), 60)
            assert cloud.numbers("event") == [1, 2, 3, 4, 5]

            stranger.connect()
            await until(lambda: stranger.counts["uplink-unreachable"] >= 1)
            assert not stranger.uplink.connected

            impostor.connect()  # a right certificate, but of another gateway
            await impostor.accept(Lane.EVENT, 1)
            await until(lambda: impostor.counts["publish-not-authorized"] >= 1)
    finally:
        for each in (gateway, stranger, impostor):
            await each.disconnect()
        broker.stop()
