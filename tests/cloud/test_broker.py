"""What Vigil rests on in the embedded broker, and what became of its known limits."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

import servers
from gateways import new_name
from vigil_cloud.broker import BrokerFailed, EmbeddedBroker
from vigil_schemas.topics import MAX_MESSAGE_BYTES


@pytest.fixture(scope="module")
def broker() -> Iterator[EmbeddedBroker]:
    started = EmbeddedBroker(f"127.0.0.1:{servers.free_port()}")
    started.start()
    yield started
    started.stop()


class Client:
    """An MQTT 5 client that keeps what it gets."""

    def __init__(self, port: int, *filters: str, will: tuple[str, bytes] | None = None) -> None:
        self.got: list[tuple[str, bytes, bool]] = []
        self._granted = threading.Event()
        self.client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=new_name("c"), protocol=mqtt.MQTTv5
        )
        # Its annotation says whole seconds; it takes any.
        self.client.reconnect_delay_set(0.1, 0.3)  # type: ignore[arg-type]
        self.client.on_message = lambda _c, _u, m: self.got.append(
            (m.topic, bytes(m.payload), m.retain)
        )
        self.client.on_connect = lambda client, *_: (
            client.subscribe([(name, 1) for name in filters]) if filters else self._granted.set()
        )
        self.client.on_subscribe = lambda *_: self._granted.set()
        if will:
            self.client.will_set(will[0], will[1], 1, True)
        self.client.connect("127.0.0.1", port, keepalive=30)
        self.client.loop_start()
        assert self._granted.wait(servers.DEADLINE_S)

    def publish(self, topic: str, payload: bytes, *, retain: bool = False) -> None:
        self.client.publish(topic, payload, 1, retain).wait_for_publish(60)

    def drop(self) -> None:
        """As if the power had failed: no DISCONNECT."""
        connection: Any = self.client.socket()
        self.client.loop_stop()
        connection.close()

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


def test_a_retained_message_reaches_who_comes_later(broker: EmbeddedBroker) -> None:
    topic = f"vigil/v1/{new_name()}/status"
    sender = Client(broker.port)
    sender.publish(topic, b"birth", retain=True)

    late = Client(broker.port, "vigil/v1/+/status")

    servers.eventually(lambda: (topic, b"birth", True) in late.got, "the retained message")
    sender.close()
    late.close()


def test_the_last_will_is_sent_and_retained(broker: EmbeddedBroker) -> None:
    topic = f"vigil/v1/{new_name()}/status"
    watcher = Client(broker.port, topic)
    gateway = Client(broker.port, will=(topic, b"death"))
    gateway.publish(topic, b"birth", retain=True)
    servers.eventually(lambda: len(watcher.got) == 1, "the birth")

    gateway.drop()

    servers.eventually(lambda: (topic, b"death", False) in watcher.got, "the last will")
    late = Client(broker.port, topic)
    servers.eventually(lambda: late.got == [(topic, b"death", True)], "the retained will")
    watcher.close()
    late.close()


def test_the_largest_message_of_the_contract_passes(broker: EmbeddedBroker) -> None:
    topic = f"vigil/v1/{new_name()}/event"
    reader = Client(broker.port, topic)
    sender = Client(broker.port)

    sender.publish(topic, b"x" * MAX_MESSAGE_BYTES)
    sender.publish(topic, b"y" * (MAX_MESSAGE_BYTES + 1000))

    servers.eventually(lambda: len(reader.got) == 2, "both messages")
    assert [len(payload) for _, payload, _ in reader.got] == [262_144, 263_144]
    sender.close()
    reader.close()


def test_a_shared_subscription_gives_each_message_to_one(broker: EmbeddedBroker) -> None:
    topic = f"vigil/v1/{new_name()}/event"
    group = new_name("group")
    readers = [Client(broker.port, f"$share/{group}/{topic}") for _ in range(2)]
    sender = Client(broker.port)
    for n in range(100):
        sender.publish(topic, b"%d" % n)

    servers.eventually(lambda: sum(len(r.got) for r in readers) >= 100, "every message")
    payloads = sorted(int(payload) for r in readers for _, payload, _ in r.got)
    assert payloads == list(range(100))
    assert all(reader.got for reader in readers)
    for client in (*readers, sender):
        client.close()


def test_five_hundred_gateways_may_connect(broker: EmbeddedBroker) -> None:
    with contextlib.ExitStack() as stack:
        for n in range(500):
            connection = stack.enter_context(
                socket.create_connection(("127.0.0.1", broker.port), timeout=60)
            )
            name = f"many-{n}".encode()
            body = b"\x00\x04MQTT\x05\x02\x00\x3c\x00\x00" + bytes([len(name)]) + name
            connection.sendall(b"\x10" + bytes([len(body)]) + body)
            answer = connection.recv(4)
            assert answer[0] == 0x20, f"connection {n} got no CONNACK"
            assert answer[3] == 0x00, f"connection {n} was refused"


def test_killed_it_is_back_and_clients_with_it() -> None:
    broker = EmbeddedBroker(f"127.0.0.1:{servers.free_port()}")
    broker.start()
    topic = f"vigil/v1/{new_name()}/event"
    reader = Client(broker.port, topic)
    before = broker.pid
    assert before is not None

    os.kill(before, signal.SIGKILL)

    servers.eventually(lambda: broker.restarts == 1, "the broker is started again")
    broker.check()
    sender = Client(broker.port)

    def heard() -> bool:
        sender.publish(topic, b"after")
        return bool(reader.got)

    servers.eventually(heard, "the reader has subscribed again")
    sender.close()
    reader.close()
    broker.stop()
    with pytest.raises(BrokerFailed):
        broker.check()


def test_it_dies_with_its_parent() -> None:
    port = servers.free_port()
    parent = subprocess.Popen([sys.executable, "-m", "vigil_cloud.broker", f"127.0.0.1:{port}"])
    servers.eventually(lambda: servers.listening(port), "the broker listens")

    parent.kill()
    parent.wait()

    servers.eventually(lambda: not servers.listening(port), "the port is free")


def test_a_port_that_is_taken_is_said_so() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        broker = EmbeddedBroker(f"127.0.0.1:{taken.getsockname()[1]}")
        with pytest.raises(BrokerFailed, match="VIGIL_BROKER_LISTEN"):
            broker.start()
        broker.stop()
