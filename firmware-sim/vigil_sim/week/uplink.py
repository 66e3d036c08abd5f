"""One MQTT connection for every gateway of the city: a message leaves on the cloud's receipt."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from queue import Empty, SimpleQueue
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from vigil_schemas.errors import VigilError
from vigil_schemas.topics import RECEIPT, ROOT
from vigil_sim.week.messages import Sent

ANSWER_S: Final = 120.0
"""So long the cloud may store nothing new before the week is given up."""
AGAIN_S: Final = 15.0
"""As a gateway does: what was not receipted after that is sent once more."""
IN_FLIGHT: Final = 400
"""Messages at once without a receipt. The embedded broker keeps a bounded log per topic filter."""


class NotStored(VigilError):
    """The cloud does not take what the city sends."""

    code: ClassVar[str] = "week-not-stored"
    remedy: ClassVar[str] = "Look at the cloud's log in the folder that the message names."


class Uplink:
    """Publishes, and waits for receipts. Belongs to one thread beside paho's own."""

    def __init__(self, broker: str, check: Callable[[], None]) -> None:
        """``check`` raises where the cloud has ended."""
        parts = urlsplit(broker)
        self._check = check
        self._waiting: dict[str, OrderedDict[int, Sent]] = {}
        self._count = 0
        self._receipts: SimpleQueue[dict[str, Any]] = SimpleQueue()
        self._refused: dict[str, int] = {}
        """Messages in the cloud's dead-letter table, by source."""
        self.repeated = 0
        self._client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id="vigil-week", protocol=mqtt.MQTTv5
        )
        self._client.max_inflight_messages_set(200)
        self._client.max_queued_messages_set(0)
        self._client.on_connect = self._connected
        self._client.on_message = self._told
        self._subscribed = threading.Event()
        self._client.on_subscribe = lambda *_: self._subscribed.set()
        self._client.connect(parts.hostname or "127.0.0.1", parts.port or 1883, keepalive=600)
        self._client.loop_start()
        if not self._subscribed.wait(60):
            raise NotStored(f"no subscription at {broker}")

    def close(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()

    def refusals(self) -> int:
        """Messages in the cloud's dead-letter table, by all receipts that have come."""
        self._take_receipts()
        return sum(self._refused.values())

    def send(self, messages: Iterable[Sent]) -> None:
        """Publish, no faster than the cloud stores. Raises ``NotStored``."""
        for one in messages:
            if one.sequence:
                self._below(IN_FLIGHT)
                self._waiting.setdefault(one.source, OrderedDict())[one.sequence] = one
                self._count += 1
            self._publish(one)

    def flush(self) -> None:
        """Until everything that was sent is stored. Raises ``NotStored``."""
        self._below(1)

    def _below(self, most: int) -> None:
        began = time.monotonic()
        asked, count = began, -1
        while True:
            self._take_receipts()
            if self._count < most:
                return
            if self._count != count:
                began, count = time.monotonic(), self._count
            with contextlib.suppress(Empty):
                self._settle(self._receipts.get(timeout=0.5))
            self._check()
            now = time.monotonic()
            if now - began > ANSWER_S:
                raise NotStored(f"{self._count} messages have had no receipt for {ANSWER_S:.0f} s")
            if now - max(began, asked) > AGAIN_S:
                asked = now
                self._repeat()

    def _repeat(self) -> None:
        again = [one for several in self._waiting.values() for one in several.values()]
        self.repeated += len(again)
        for one in again:
            self._publish(one)

    def _publish(self, one: Sent) -> None:
        retain = not one.sequence
        self._client.publish(one.topic, one.payload, qos=1, retain=retain)

    def _connected(self, client: mqtt.Client, *_: Any) -> None:
        client.subscribe(f"{ROOT}/+/{RECEIPT}", qos=1)

    def _told(self, _client: mqtt.Client, _userdata: object, message: mqtt.MQTTMessage) -> None:
        # By a queue: a signal that ends the other thread within a lock would leave it locked.
        self._receipts.put(json.loads(message.payload)["data"])

    def _take_receipts(self) -> None:
        with contextlib.suppress(Empty):
            while True:
                self._settle(self._receipts.get_nowait())

    def _settle(self, receipt: dict[str, Any]) -> None:
        if receipt["refused"]:
            self._refused[receipt["source"]] = receipt["refused"]
        waiting = self._waiting.get(receipt["source"])
        if waiting:
            before = len(waiting)
            _forget(waiting, receipt["stored"], receipt["beyond"])
            self._count -= before - len(waiting)


def _forget(
    waiting: OrderedDict[int, Sent], stored: int, beyond: Sequence[tuple[int, int]]
) -> None:
    for number in [
        one
        for one in waiting
        if one <= stored or any(first <= one <= last for first, last in beyond)
    ]:
        del waiting[number]
