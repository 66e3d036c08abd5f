"""What a subscriber does about a broker that refuses, and about its own thread."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime

import paho.mqtt.client as mqtt
import pytest

import servers
from vigil_cloud.ingest.queue import Waiting
from vigil_cloud.ingest.subscriber import BrokerAddress, Subscriber

CONNACK = b"\x20\x03\x00\x00\x00"
NOT_AUTHORIZED, GRANTED = 0x87, 1


class GrudgingBroker:
    """Speaks as much MQTT 5 as it takes to refuse a subscription, and later to grant it.

    Mosquitto's access file lets everybody subscribe, so that it cannot refuse.
    """

    def __init__(self) -> None:
        self.answer = NOT_AUTHORIZED
        self.asked = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                with connection, connection.makefile("rb") as stream:
                    self._talk(connection, stream)

    def _talk(self, connection: socket.socket, stream: object) -> None:
        read = stream.read  # type: ignore[attr-defined]  # a buffered reader
        while first := read(1):
            body = read(read(1)[0])  # packets here are short
            if first[0] == 0x10:
                connection.sendall(CONNACK)
            elif first[0] == 0x82:
                self.asked += 1
                connection.sendall(b"\x90\x04" + body[:2] + b"\x00" + bytes([self.answer]))

    def close(self) -> None:
        self._listener.close()


@pytest.fixture
def broker() -> Iterator[GrudgingBroker]:
    made = GrudgingBroker()
    yield made
    made.close()


@pytest.fixture
def waiting() -> Waiting:
    return Waiting(10)


@pytest.fixture
def subscriber(broker: GrudgingBroker, waiting: Waiting) -> Iterator[Subscriber]:
    made = Subscriber(
        BrokerAddress("127.0.0.1", broker.port),
        ["vigil/v1/+/alarm"],
        waiting,
        now=lambda: datetime.now(UTC),
    )
    yield made
    waiting.close()
    made.stop()


def test_a_refused_subscription_is_asked_for_again(
    broker: GrudgingBroker, subscriber: Subscriber
) -> None:
    """Given a right that is granted later than we connect, messages come in from then on."""
    subscriber.start()
    servers.eventually(lambda: broker.asked == 1, "asked")
    subscriber.mend()
    servers.eventually(lambda: broker.asked == 2, "asked again")
    assert not subscriber.subscribed

    broker.answer = GRANTED
    subscriber.mend()
    servers.eventually(lambda: subscriber.subscribed, "subscribed")
    subscriber.mend()

    assert broker.asked == 3


def test_a_thread_that_ended_is_started_again(
    broker: GrudgingBroker, subscriber: Subscriber, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker.answer = GRANTED

    def ends(*_: object, **__: object) -> None:
        return

    with monkeypatch.context() as patched:
        patched.setattr(mqtt.Client, "loop_forever", ends)
        subscriber.start()
        servers.eventually(lambda: not subscriber._client.running, "the thread has ended")

    subscriber.mend()

    servers.eventually(lambda: subscriber.subscribed, "subscribed")
