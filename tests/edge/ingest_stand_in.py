"""The cloud's end of the contract, as little as a gateway needs: it stores and gives receipts.

A real MQTT client on a real broker. The tests of the edge may not import the cloud.
"""

from __future__ import annotations

import asyncio
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

from vigil_schemas.control import AnyCommand, AnyConfiguration, AnyReceipt, ReceiptV1
from vigil_schemas.envelope import CLOUD_SOURCE, Message, Source, check_addressed, decode, encode
from vigil_schemas.topics import COMMAND, CONFIG, RECEIPT, STATUS, UP, topic
from vigil_schemas.types import Model


async def until(condition: Callable[[], Any], deadline_s: float = 60.0) -> Any:
    """The condition's value once it is true; fails after the deadline."""
    end = time.monotonic() + deadline_s
    while not (value := condition()):
        assert time.monotonic() < end, "the condition did not come true in time"
        await asyncio.sleep(0.02)
    return value


class IngestStandIn:
    """Subscribes to one gateway's branch; ``receipts`` may be switched off and on."""

    def __init__(
        self, port: int, gateway: str, configure: Callable[[mqtt.Client], None] | None = None
    ) -> None:
        self.gateway = gateway
        self.receipts = True
        self.stored: dict[Source, dict[int, Message]] = defaultdict(dict)
        self.repeated = 0
        self.statuses: list[Message] = []
        self.cleared: list[str] = []
        """Topics whose retained message was taken back: an empty payload, which is no message."""
        self.failures: list[Exception] = []
        """What was wrong with a message; told where the test waits, not in paho's thread."""
        self.lock = threading.Lock()
        self.ready = threading.Event()
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"ingest-{uuid.uuid4().hex[:8]}",
            protocol=MQTTProtocolVersion.MQTTv5,
        )
        self._client.reconnect_delay_set(1, 1)
        if configure:
            configure(self._client)
        self._client.on_connect = self._subscribe
        self._client.on_subscribe = lambda *_: self.ready.set()
        self._client.on_message = self._message
        self._client.connect("127.0.0.1", port)
        self._client.loop_start()
        assert self.ready.wait(60)

    def _subscribe(self, client: mqtt.Client, *_: Any) -> None:
        client.subscribe([(topic(self.gateway, channel), 1) for channel in UP])

    def _message(self, _client: mqtt.Client, _userdata: Any, received: mqtt.MQTTMessage) -> None:
        if not received.payload:
            self.cleared.append(received.topic)
            return
        try:
            self._take(received)
        except Exception as failure:  # raised by close: a thread's error names no test
            self.failures.append(failure)

    def _take(self, received: mqtt.MQTTMessage) -> None:
        message = decode(bytes(received.payload))
        source = check_addressed(received.topic, message.envelope)
        with self.lock:
            if source.lane == STATUS:
                self.statuses.append(message)
                return
            number = message.envelope.number
            assert number is not None
            known = self.stored[source].setdefault(number, message)
            if known is not message:
                assert known == message, "one number, two contents"
                self.repeated += 1
        if self.receipts:
            self.give_receipt(source)

    def give_receipt(self, source: Source) -> None:
        with self.lock:
            numbers = sorted(self.stored[source])
        mark = 0
        while mark < len(numbers) and numbers[mark] == mark + 1:
            mark += 1
        beyond = [(number, number) for number in numbers[mark:]][:256]
        self.send(RECEIPT, ReceiptV1(source=str(source), stored=mark, beyond=beyond))

    def give_receipts(self) -> None:
        for source in list(self.stored):
            self.give_receipt(source)

    def send(
        self,
        channel: str,
        data: AnyReceipt | AnyCommand | AnyConfiguration,
        *,
        retain: bool = False,
    ) -> None:
        payload = encode(
            id=str(uuid.uuid4()),
            source=CLOUD_SOURCE,
            type=data.TYPE,
            subject=self.gateway,
            time=datetime.now(UTC),
            data=data,
        )
        retain = retain or channel == CONFIG
        sent = self._client.publish(topic(self.gateway, channel), payload, qos=1, retain=retain)
        if retain:  # whoever connects next is to find it
            sent.wait_for_publish(60)
            assert sent.is_published()

    def command(self, command: AnyCommand) -> None:
        self.send(COMMAND, command)

    def messages(self, lane: str | None = None) -> list[Message]:
        """Every event once, as ingest takes it: by id, in the order of epochs and numbers."""
        with self.lock:
            found: dict[str, Message] = {}
            for source, numbers in self.stored.items():
                if lane in (None, source.lane):
                    for _, message in sorted(numbers.items()):
                        found.setdefault(message.envelope.id, message)
        return list(found.values())

    def all(self, kind: type[Model]) -> list[Any]:
        """Every stored message of one model."""
        return [each.data for each in self.messages() if isinstance(each.data, kind)]

    def numbers(self, lane: str) -> list[int]:
        """Sequences stored on a lane, over all epochs."""
        with self.lock:
            return sorted(
                number
                for source, numbers in self.stored.items()
                if source.lane == lane
                for number in numbers
            )

    def status(self, kind: type[Model]) -> list[Any]:
        with self.lock:
            return [message.data for message in self.statuses if isinstance(message.data, kind)]

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()
        self._client.on_connect = self._client.on_subscribe = self._client.on_message = None
        del self._client  # paho closes its wake-up sockets when it is collected
        if self.failures:
            raise AssertionError("messages that ingest cannot take") from self.failures[0]
