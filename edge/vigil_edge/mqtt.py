"""A watched MQTT 5 session: every message in order, acknowledged by hand, a dead end noticed.

paho runs its own thread; messages cross over to asyncio through a queue that the broker's
own flow control bounds, because nothing with QoS 1 is acknowledged before ``acknowledge``.
QoS 0 (Zigbee2MQTT's default) knows no flow control: where more messages wait than
``WAITING_MOST``, or more bytes of them than ``WAITING_BYTES``, the session ends as lost, and the
broker keeps what comes with QoS 1. A packet beyond ``largest`` ends it before its bytes are read,
whatever the broker made of the Maximum Packet Size that it was told.
Four things end such a session without a word from paho, and are watched here: its thread
dies of an exception (a topic that is not UTF-8), its thread hangs, the socket is silent
(keep-alive, in paho's thread), and a packet that is begun and goes on for ever: for paho each of
its bytes is a sign of life. Each of them is an ``MqttLost``.
"""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Final, NamedTuple, cast

import structlog
from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from vigil_schemas.errors import VigilError

CONNECT_S: Final = 10.0
HANG_UP_S: Final = 1.0
"""A connection that leads nowhere would hold paho's thread until its keep-alive runs out."""
WAITING_MOST: Final = 10_000
WAITING_BYTES: Final = 64 << 20
LARGEST: Final = 16 << 20
"""Of a packet from a local broker; the list of two hundred Zigbee devices has some 4 MiB."""
PACKET_S: Final = 120.0
"""So long a packet may take from its first byte to its last."""
HANGS_S: Final = 60.0
"""paho's thread takes a turn at least every second; after this it counts as hanging."""


_log = structlog.get_logger("mqtt")


class MqttError(VigilError):
    """A session could not be had, or is over."""

    code: ClassVar[str] = "mqtt-failed"
    remedy: ClassVar[str] = "Look at the broker and the network; it tries again by itself."


class MqttUnreachable(MqttError):
    """No connection."""

    code: ClassVar[str] = "mqtt-unreachable"
    remedy: ClassVar[str] = "Check the address, the port and that the broker runs."


class MqttRefused(MqttError):
    """The broker refused the connection or every choice of subscriptions."""

    code: ClassVar[str] = "mqtt-refused"
    remedy: ClassVar[str] = "Check user, password or certificate, and the broker's access rules."


class MqttLost(MqttError):
    """The connection broke, or its thread is dead or hangs."""

    code: ClassVar[str] = "mqtt-lost"
    remedy: ClassVar[str] = (
        "Nothing at first: it connects again by itself. If it recurs, look at the broker's "
        "log and the network."
    )


@dataclass(frozen=True, slots=True)
class MqttOptions:
    """Where to, and as whom. ``client_id`` names the session, and must stay the same."""

    host: str
    port: int
    client_id: str
    username: str | None = None
    password: str | None = None
    tls: bool = False
    ca_file: Path | None = None
    keep_alive_s: int = 30
    session_s: int = 7 * 86_400
    """How long the broker keeps what comes while nobody is connected."""
    receive_maximum: int = 100


class MqttPublish(NamedTuple):
    """``topic`` is ``None`` where it is not UTF-8; ``mid`` and ``qos`` are for ``acknowledge``."""

    topic: str | None
    payload: bytes
    retained: bool
    mid: int
    qos: int


class WatchedClient(Client):
    """Tells when its thread ends, for whatever reason, and when it last took a turn.

    Ends a connection whose broker sends a packet of more than ``largest`` bytes, or never ends one.
    """

    largest: int = LARGEST
    _packet: object = None
    _packet_since = 0.0
    ended: Callable[[str], None] = staticmethod(lambda _: None)
    turned: float = 0.0

    def begin(self) -> None:
        """Start the thread."""
        self.turned = time.monotonic()
        self.loop_start()

    @property
    def hangs(self) -> bool:
        """Whether the thread has begun and takes no turns any more."""
        return time.monotonic() - self.turned > HANGS_S

    async def hang_up(self) -> None:
        """Disconnect and end the thread; one that hangs is left behind, and with it this client."""
        loop, stopped = asyncio.get_running_loop(), asyncio.Event()

        def stop() -> None:
            self.disconnect()
            self.loop_stop()
            with suppress(RuntimeError):  # the loop has ended: nobody waits any more
                loop.call_soon_threadsafe(stopped.set)

        # Not in the loop's executor: a thread that hangs there would keep the program from ending.
        threading.Thread(target=stop, name="mqtt stop", daemon=True).start()
        for _ in range(2):
            with suppress(TimeoutError):
                async with asyncio.timeout(HANG_UP_S):
                    await stopped.wait()
                return
            if (way := self.socket()) is not None:
                with suppress(OSError):
                    cast(socket.socket, way).shutdown(socket.SHUT_RDWR)
        _log.error("a thread of an MQTT connection hangs and is left behind")

    def loop_misc(self) -> MQTTErrorCode:
        """Called by paho at every turn of its thread; a packet that never ends is ended here."""
        self.turned = time.monotonic()
        packet = self._in_packet  # a new one for each packet
        if packet is not self._packet or packet["command"] == 0:
            self._packet, self._packet_since = packet, self.turned
        elif self.turned - self._packet_since > PACKET_S:
            self._end(f"a packet did not end within {PACKET_S:.0f} s")
        return super().loop_misc()

    def _sock_recv(self, bufsize: int) -> bytes:
        # All that is missing of a packet is asked for at once.
        if bufsize > self.largest:
            self._end(f"a packet of {bufsize} bytes; the limit is {self.largest}")
            raise ConnectionError("the packet is too large")
        return super()._sock_recv(bufsize)

    def _end(self, reason: str) -> None:
        self.ended(f"connection ended: {reason}")
        if (way := self.socket()) is not None:
            with suppress(OSError):
                cast(socket.socket, way).shutdown(socket.SHUT_RDWR)

    def loop_forever(
        self, timeout: float = 1.0, retry_first_connection: bool = False
    ) -> MQTTErrorCode:
        """The thread's body; however it ends, the session is told."""
        reason = "its thread came to an end"
        try:
            return super().loop_forever(timeout, retry_first_connection)
        except Exception as error:  # noqa: BLE001 - whatever ended the thread is told
            reason = f"its thread died of {error!r}"
            return MQTTErrorCode.MQTT_ERR_UNKNOWN
        finally:
            self.ended(f"connection ended: {reason}")


class MqttSession:
    """One connection. Raises ``OSError`` where the certificates' file is none."""

    def __init__(self, options: MqttOptions) -> None:
        self._options = options
        self._choices: Sequence[Sequence[str]] = ()
        self._choice = 0
        self._loop = asyncio.get_running_loop()
        self._messages: asyncio.Queue[MqttPublish | MqttError] = asyncio.Queue()
        self._subscribed: asyncio.Future[int] = self._loop.create_future()
        self._waiting_bytes = 0
        self._overrun = False
        self._client = self._make_client()

    async def open(self, choices: Sequence[Sequence[str]]) -> int:
        """Connect and subscribe with QoS 1 to the first choice of topics that is granted.

        Returns which. Raises ``MqttUnreachable``, ``MqttRefused`` or ``MqttLost``.
        """
        options = self._options
        self._choices = choices
        properties = Properties(PacketTypes.CONNECT)
        properties.SessionExpiryInterval = options.session_s
        properties.ReceiveMaximum = options.receive_maximum
        properties.MaximumPacketSize = LARGEST
        try:
            # The name is looked up and the connection made here, which may take a while.
            await asyncio.to_thread(
                self._client.connect,
                options.host,
                options.port,
                options.keep_alive_s,
                clean_start=False,
                properties=properties,
            )
            self._client.begin()
            async with asyncio.timeout(CONNECT_S):
                return await self._subscribed
        except TimeoutError as error:
            raise MqttUnreachable("no answer") from error
        except OSError as error:
            raise MqttUnreachable(str(error)) from error

    async def next(self, timeout_s: float) -> MqttPublish | None:
        """The next message, or ``None`` after the timeout. Raises ``MqttLost`` once it is over."""
        if self._messages.empty() and self._client.hangs:
            raise MqttLost(f"its thread has not moved for {HANGS_S:.0f} s")
        try:
            async with asyncio.timeout(timeout_s):
                found = await self._messages.get()
        except TimeoutError:
            return None
        if isinstance(found, MqttError):
            raise found
        self._waiting_bytes -= len(found.payload)
        return found

    def publish(self, topic: str, payload: bytes) -> None:
        """With QoS 1. Raises ``MqttLost`` where there is no connection."""
        sent = self._client.publish(topic, payload, qos=1)
        if sent.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise MqttLost(f"connection ended: {sent.rc.name}")

    def acknowledge(self, message: MqttPublish) -> None:
        """Only now does the broker forget it."""
        self._client.ack(message.mid, message.qos)

    async def close(self) -> None:
        """Hang up; the session stays."""
        await self._client.hang_up()
        # paho's client closes its inner sockets when it is freed: leave no cycle that delays it.
        self._client.on_connect = self._client.on_subscribe = None
        self._client.on_message = self._client.on_disconnect = None
        self._client.ended = lambda _: None
        if self._subscribed.done() and not self._subscribed.cancelled():
            self._subscribed.exception()  # an error that open() no longer waited for is known

    def _make_client(self) -> WatchedClient:
        options = self._options
        client = WatchedClient(
            CallbackAPIVersion.VERSION2,
            options.client_id,
            protocol=MQTTProtocolVersion.MQTTv5,
            manual_ack=True,
            reconnect_on_failure=False,
        )
        client.connect_timeout = CONNECT_S
        if options.username is not None:
            client.username_pw_set(options.username, options.password)
        if options.tls:
            client.tls_set(ca_certs=str(options.ca_file) if options.ca_file else None)
        client.ended = lambda reason: self._call(self._fail, MqttLost(reason))
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.on_disconnect = self._on_disconnect
        return client

    # -- in paho's thread

    def _on_connect(
        self, client: Client, _u: Any, _f: ConnectFlags, reason: ReasonCode, _p: Properties | None
    ) -> None:
        if reason.is_failure:
            self._call(self._fail, MqttRefused(f"connection: {reason}"))
        else:
            self._subscribe(client)

    def _subscribe(self, client: Client) -> None:
        client.subscribe([(topic, 1) for topic in self._choices[self._choice]])

    def _on_subscribe(
        self, client: Client, _u: Any, _mid: int, reasons: list[ReasonCode], _p: Properties | None
    ) -> None:
        topics = self._choices[self._choice]
        refused = [t for t, reason in zip(topics, reasons, strict=False) if reason.is_failure]
        if not refused:
            self._call(self._succeed, self._choice)
        elif self._choice + 1 < len(self._choices):
            self._choice += 1
            self._subscribe(client)
        else:
            names = ", ".join(refused)[:200]
            self._call(self._fail, MqttRefused(f"subscription refused: {names}"))

    def _on_message(self, _client: Client, _u: Any, message: MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:  # the broker's mistake; an exception here ends the thread
            topic = None
        received = MqttPublish(
            topic, bytes(message.payload), message.retain, message.mid, message.qos
        )
        self._call(self._receive, received)

    def _on_disconnect(
        self, _c: Client, _u: Any, _f: DisconnectFlags, reason: ReasonCode, _p: Properties | None
    ) -> None:
        self._call(self._fail, MqttLost(f"connection ended: {reason}"))

    def _call(self, function: Any, *arguments: Any) -> None:
        with suppress(RuntimeError):  # the loop has ended: nobody is left to be told
            self._loop.call_soon_threadsafe(function, *arguments)

    # -- in the loop's thread

    def _succeed(self, choice: int) -> None:
        if not self._subscribed.done():
            self._subscribed.set_result(choice)

    def _receive(self, message: MqttPublish) -> None:
        if self._overrun:
            return
        self._waiting_bytes += len(message.payload)
        if self._messages.qsize() < WAITING_MOST and self._waiting_bytes <= WAITING_BYTES:
            self._messages.put_nowait(message)
            return
        self._overrun = True
        waiting = f"{self._messages.qsize()} messages of {self._waiting_bytes} bytes"
        self._fail(MqttLost(f"more wait to be taken than there is room for: {waiting}"))
        self._client.disconnect()

    def _fail(self, error: MqttError) -> None:
        if not self._subscribed.done():
            self._subscribed.set_exception(error)
        self._messages.put_nowait(error)
