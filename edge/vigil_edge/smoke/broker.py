"""The local MQTT broker that the alarms are on: every message in order, acknowledged when kept.

paho runs its own thread; messages cross over to asyncio through a queue that the broker's
own flow control bounds, because nothing is acknowledged before ``acknowledge`` is called.
The session outlives a restart of the agent, so that an alarm published meanwhile is
still delivered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from vigil_edge.smoke.errors import BrokerLost, BrokerRefused, BrokerUnreachable
from vigil_edge.smoke.settings import Settings
from vigil_edge.source import SourceError

if TYPE_CHECKING:
    from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
    from paho.mqtt.properties import Properties
    from paho.mqtt.reasoncodes import ReasonCode

_RECEIVE_MAXIMUM: Final = 100
_SESSION_S: Final = 7 * 86_400
_CONNECT_S: Final = 10.0
_KEEP_ALIVE_S: Final = 30


class Message(NamedTuple):
    """``mid`` and ``qos`` are for ``acknowledge``."""

    topic: str
    payload: bytes
    retained: bool
    mid: int
    qos: int


class BrokerSession:
    """One connection. ``client_id`` names the session, and must stay the same.

    Raises ``SourceError`` where a file that the settings name is gone or broken.
    """

    def __init__(self, settings: Settings, client_id: str, topics: Sequence[str]) -> None:
        self._settings = settings
        self._topics = topics
        self._loop = asyncio.get_running_loop()
        self._messages: asyncio.Queue[Message | SourceError] = asyncio.Queue()
        self._subscribed: asyncio.Future[None] = self._loop.create_future()
        try:
            self._client = self._make_client(client_id)
        except OSError as error:  # of the password's or the certificates' file
            raise self._unreachable(str(error)) from error

    async def open(self) -> None:
        """Connect and subscribe. Raises ``SourceError``."""
        from paho.mqtt.packettypes import PacketTypes
        from paho.mqtt.properties import Properties

        settings = self._settings
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho publishes no types for it
        properties.SessionExpiryInterval = _SESSION_S
        properties.ReceiveMaximum = _RECEIVE_MAXIMUM
        try:
            # The name is looked up and the connection made here, which may take a while.
            await asyncio.to_thread(
                self._client.connect,
                settings.host,
                settings.port,
                _KEEP_ALIVE_S,
                clean_start=False,
                properties=properties,
            )
            self._client.loop_start()
            async with asyncio.timeout(_CONNECT_S):
                await self._subscribed
        except TimeoutError as error:
            raise self._unreachable("no answer") from error
        except OSError as error:
            raise self._unreachable(str(error)) from error

    async def next(self, timeout_s: float) -> Message | None:
        """The next message, or ``None`` after the timeout. Raises ``SourceError`` once broken."""
        try:
            async with asyncio.timeout(timeout_s):
                found = await self._messages.get()
        except TimeoutError:
            return None
        if isinstance(found, SourceError):
            raise found
        return found

    def acknowledge(self, message: Message) -> None:
        """Only now does the broker forget it."""
        self._client.ack(message.mid, message.qos)

    async def close(self) -> None:
        """Hang up; the session stays."""
        self._client.disconnect()
        await asyncio.to_thread(self._client.loop_stop)
        # paho's client closes its inner sockets when it is freed: leave no cycle that delays it.
        self._client.on_connect = self._client.on_subscribe = None
        self._client.on_message = self._client.on_disconnect = None
        if self._subscribed.done() and not self._subscribed.cancelled():
            self._subscribed.exception()  # an error that open() no longer waited for is known

    def _make_client(self, client_id: str) -> Client:
        from paho.mqtt.client import Client
        from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion

        client = Client(
            CallbackAPIVersion.VERSION2,
            client_id,
            protocol=MQTTProtocolVersion.MQTTv5,
            manual_ack=True,
            reconnect_on_failure=False,
        )
        client.connect_timeout = _CONNECT_S
        if self._settings.username is not None:
            client.username_pw_set(self._settings.username, self._settings.password())
        if self._settings.tls:
            client.tls_set(ca_certs=str(self._settings.ca_file) if self._settings.ca_file else None)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.on_disconnect = self._on_disconnect
        return client

    # -- in paho's thread

    def _on_connect(
        self,
        client: Client,
        _userdata: Any,
        _flags: ConnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            self._call(self._fail, BrokerRefused(self._settings.device, f"connection: {reason}"))
            return
        client.subscribe([(topic, 1) for topic in self._topics])

    def _on_subscribe(
        self,
        _client: Client,
        _userdata: Any,
        _mid: int,
        reasons: list[ReasonCode],
        _properties: Properties | None,
    ) -> None:
        refused = [
            topic for topic, reason in zip(self._topics, reasons, strict=False) if reason.is_failure
        ]
        if refused:
            names = ", ".join(refused)[:200]
            error = BrokerRefused(self._settings.device, f"subscription refused: {names}")
            self._call(self._fail, error)
        else:
            self._call(self._succeed)

    def _on_message(self, _client: Client, _userdata: Any, message: MQTTMessage) -> None:
        received = Message(
            message.topic, bytes(message.payload), message.retain, message.mid, message.qos
        )
        self._call(self._messages.put_nowait, received)

    def _on_disconnect(
        self,
        _client: Client,
        _userdata: Any,
        _flags: DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        self._call(self._fail, BrokerLost(self._settings.device, f"connection ended: {reason}"))

    def _call(self, function: Any, *arguments: Any) -> None:
        with suppress(RuntimeError):  # the loop has ended: nobody is left to be told
            self._loop.call_soon_threadsafe(function, *arguments)

    # -- in the loop's thread

    def _succeed(self) -> None:
        if not self._subscribed.done():
            self._subscribed.set_result(None)

    def _fail(self, error: SourceError) -> None:
        if not self._subscribed.done():
            self._subscribed.set_exception(error)
        self._messages.put_nowait(error)

    def _unreachable(self, reason: str) -> BrokerUnreachable:
        return BrokerUnreachable(
            self._settings.device, f"cannot reach {self._settings.broker}: {reason}"
        )
