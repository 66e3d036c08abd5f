"""The MQTT side: two connections that listen to everything on a gateway's branch.

One hears what is published, and of each message whether its sender set retain (MQTT 5, 3.8.3.1:
Retain As Published); the other hears what the broker has kept from before. They are two because
a broker that is given other options for the same subscription may go on with the old ones
(Mosquitto 2.0).
"""

from __future__ import annotations

import contextlib
import queue
import time
import uuid
from collections import deque
from collections.abc import Callable
from datetime import datetime
from typing import ClassVar, Final, TypeAlias

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from vigil_cloud.conform.message import Heard
from vigil_cloud.ingest.subscriber import KEEPALIVE_S, BrokerAddress, introduce
from vigil_schemas.errors import VigilError
from vigil_schemas.topics import STATUS

CONNECT_S: Final = 20.0
QUIET_S: Final = 0.5
"""What is kept has been heard when nothing more of it came for so long."""
_OWN: Final = 1_000
_WAITING: Final = 50_000
"""Messages that wait to be judged."""


class WatchFailed(VigilError):
    """The broker is not reached, or does not let the watcher read the gateway's branch."""

    code: ClassVar[str] = "watch-failed"
    remedy: ClassVar[str] = (
        "Check the broker's address, user, password and access rules: whoever watches has to read"
        " vigil/v1/{gateway}/#."
    )


OnMessage: TypeAlias = Callable[[mqtt.MQTTMessage], None]


class Broken:
    """Our connection ended: what came meanwhile was not heard."""


class Watch:
    """Connects again by itself; ``next`` gives what was heard."""

    def __init__(self, address: BrokerAddress, gateway: str, now: Callable[[], datetime]) -> None:
        self._address = address
        self._now = now
        # Also where somebody left out a level or wrote another version: such a message is lost.
        self._filters = (f"+/+/{gateway}/#", f"+/{gateway}/#")
        self._heard: queue.Queue[Heard | Broken] = queue.Queue(_WAITING)
        self._failure: WatchFailed | None = None
        self._granted: set[str] = set()
        """Connections that listen."""
        self._held: list[Heard] | None = []
        """What is published until what is kept has been heard."""
        self._stock_at = 0.0
        self._answered: deque[int] = deque(maxlen=64)
        """Subscriptions for what is kept that the broker has acknowledged."""
        self._own: deque[bytes] = deque(maxlen=_OWN)
        self.left_out = 0
        """Messages that came faster than they were judged."""
        kept = SubscribeOptions(qos=1)
        live = SubscribeOptions(
            qos=1,
            noLocal=True,
            retainAsPublished=True,
            retainHandling=SubscribeOptions.RETAIN_DO_NOT_SEND,
        )
        self._live = self._client("live", live, self._published)
        self._stock = self._client("stock", kept, self._kept)

    def _client(self, name: str, options: SubscribeOptions, heard: OnMessage) -> mqtt.Client:
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"vigil-conform-{name}-{uuid.uuid4().hex[:16]}",
            protocol=mqtt.MQTTv5,
        )
        introduce(client, self._address)
        client.on_connect = lambda _c, _u, _f, reason, _p: self._connected(client, options, reason)
        client.on_subscribe = lambda _c, _u, asked, reasons, _p: self._subscribed(
            name, asked, reasons
        )
        client.on_disconnect = lambda *_: self._disconnected(name)
        client.on_message = lambda _c, _u, message: heard(message)
        return client

    def start(self) -> None:
        """Connect and subscribe, and hear what is kept. Raises ``WatchFailed``."""
        address = self._address
        for client in (self._live, self._stock):
            try:
                client.connect(address.host, address.port, KEEPALIVE_S, clean_start=True)
            except (OSError, ValueError) as error:
                raise WatchFailed(f"{address.host}:{address.port}: {error}") from error
            client.loop_start()
        deadline = time.monotonic() + CONNECT_S
        while len(self._granted) < 2 or time.monotonic() - self._stock_at < QUIET_S:
            if self._failure is not None:
                raise self._failure
            if time.monotonic() > deadline:
                raise WatchFailed(f"{address.host}:{address.port} does not answer")
            time.sleep(0.02)
        held, self._held = self._held or [], None
        for one in held:
            self._put(one)

    def next(self, timeout_s: float) -> Heard | Broken | None:
        """The next message; ``None`` where none came. Raises ``WatchFailed``."""
        if self._failure is not None:
            raise self._failure
        try:
            return self._heard.get(timeout=max(0.0, timeout_s))
        except queue.Empty:
            return None

    def look_again(self) -> None:
        """Ask the broker once more what it keeps, and wait for that; at most ``CONNECT_S``."""
        deadline = time.monotonic() + CONNECT_S
        asked = self._ask_for_stock()
        while asked is not None and time.monotonic() < deadline:
            # Silence says something once the broker has answered, which may take it a while.
            if asked in self._answered and time.monotonic() - self._stock_at >= QUIET_S:
                return
            time.sleep(0.02)

    def _ask_for_stock(self) -> int | None:
        """The subscription's number; ``None`` where there is no connection."""
        self._stock.unsubscribe(list(self._filters))  # to some a repetition is nothing new
        options = SubscribeOptions(qos=1)
        return self._stock.subscribe([(name, options) for name in self._filters])[1]

    def publish(self, name: str, payload: bytes) -> None:
        """For a bench without a cloud alone."""
        self._own.append(payload)
        self._live.publish(name, payload, qos=1)

    def stop(self) -> None:
        """Disconnect."""
        for client in (self._live, self._stock):
            with contextlib.suppress(OSError):
                client.disconnect()
            client.loop_stop()

    # -- in paho's threads -------------------------------------------------------------------

    def _connected(
        self, client: mqtt.Client, options: SubscribeOptions, reason: ReasonCode
    ) -> None:
        if reason.is_failure:
            self._failure = WatchFailed(f"the broker refuses the connection: {reason}")
        else:
            client.subscribe([(name, options) for name in self._filters])

    def _subscribed(self, name: str, asked: int, reasons: list[ReasonCode]) -> None:
        if all(one.is_failure for one in reasons):
            self._failure = WatchFailed(f"the broker refuses the subscription: {reasons[0]}")
            return
        self._stock_at = time.monotonic()
        self._granted.add(name)
        if name == "stock":
            self._answered.append(asked)

    def _disconnected(self, name: str) -> None:
        if name == "live" and name in self._granted:
            self._put(Broken())
        self._granted.discard(name)

    def _published(self, message: mqtt.MQTTMessage) -> None:
        if message.payload in self._own:  # a broker may send a client's own back all the same
            return
        heard = self._as_heard(message, stock=False)
        if not heard.retain and message.topic.endswith(f"/{STATUS}"):
            self._ask_for_stock()  # some brokers do not tell who set retain
        if self._held is not None:
            self._held.append(heard)
        else:
            self._put(heard)

    def _kept(self, message: mqtt.MQTTMessage) -> None:
        if message.retain:
            self._stock_at = time.monotonic()
            self._put(self._as_heard(message, stock=True))

    def _as_heard(self, message: mqtt.MQTTMessage, *, stock: bool) -> Heard:
        payload, retain = bytes(message.payload), bool(message.retain)
        return Heard(message.topic, payload, message.qos, retain, stock, self._now())

    def _put(self, what: Heard | Broken) -> None:
        try:
            self._heard.put_nowait(what)
        except queue.Full:
            self.left_out += 1
