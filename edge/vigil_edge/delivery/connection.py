"""One connection to the broker, from CONNECT to its end.

paho runs its sockets in a thread of its own; every callback is carried over to the
event loop at once, and only there is anything decided.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any, ClassVar, Final

import structlog
from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from vigil_edge.configuration.sections import CloudSettings
from vigil_edge.mqtt import WatchedClient
from vigil_edge.repeated import Repeated
from vigil_schemas.errors import VigilError
from vigil_schemas.topics import COMMAND, CONFIG, MAX_MESSAGE_BYTES, RECEIPT, STATUS, topic
from vigil_schemas.types import Lane

CONNECT_S: Final = 10.0
GOODBYE_S: Final = 2.0
_OBSERVATION_BYTES: Final = 512 * 1024
"""Unacknowledged observation bytes at most: an alarm queues behind no more than these."""
INBOX_BYTES: Final = 16 << 20
"""Of messages that came and were not taken yet: ten thousands of receipts."""
_HEAD_BYTES: Final = 1024
"""More than the topic and the properties of a message can take."""

_TAKEN_OVER: Final = 0x8E
"""MQTT 5, 3.14.2.1: somebody else has connected under our client id."""

_log = structlog.get_logger("uplink")


class UplinkError(VigilError):
    """The broker is not reachable, refuses us or went away; the agent tries again."""

    code: ClassVar[str] = "uplink-failed"
    remedy: ClassVar[str] = (
        "Check the broker's address, the credentials and the network; nothing is lost meanwhile."
    )


class Connection:
    """One connection from CONNECT to its end."""

    def __init__(
        self, settings: CloudSettings, gateway: str, will: bytes, count: Callable[[str], None]
    ) -> None:
        """``will``: what the broker says on the status topic when we vanish."""
        self._settings = settings
        self._gateway = gateway
        self._count = count
        self._repeated = Repeated()
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[str] = self._loop.create_future()
        self._accepted: asyncio.Future[int] = self._loop.create_future()
        self._subscribed: asyncio.Future[None] = self._loop.create_future()
        self.wake = asyncio.Event()
        """Set when something may be sent again, or the connection has ended."""
        self.taken_over = False
        """Whether it ended because another box connected under this gateway's name."""
        self._receive_maximum = 1
        self._largest: int | None = None
        self._unacknowledged: dict[int, tuple[Lane | None, int]] = {}
        """By packet id: the lane and how many bytes."""
        self._inbox: asyncio.Queue[MQTTMessage] = asyncio.Queue()
        self._inbox_bytes = 0
        self._client = self._new_client(will)

    @property
    def ended(self) -> str | None:
        """Why, once it has."""
        return self._ended.result() if self._ended.done() else None

    @property
    def hangs(self) -> bool:
        """Whether the thread of the connection does not move any more."""
        return self._client.hangs

    def _new_client(self, will: bytes) -> WatchedClient:
        settings = self._settings
        client = WatchedClient(
            CallbackAPIVersion.VERSION2,
            client_id=self._gateway,
            protocol=MQTTProtocolVersion.MQTTv5,
            reconnect_on_failure=False,
        )
        client.connect_timeout = 5.0
        client.largest = MAX_MESSAGE_BYTES + _HEAD_BYTES
        client.max_inflight_messages = 0  # we count ourselves, alarms first
        if settings.tls:
            client.tls_set_context(settings.tls_context())
        password = settings.password()
        if settings.username or password is not None:
            client.username_pw_set(settings.username or self._gateway, password)
        client.will_set(self._topic(STATUS), will, qos=1, retain=True)
        client.ended = lambda reason: self._tell(self._end, reason)
        client.on_connect = self._on_connect
        client.on_connect_fail = lambda *_: self._tell(self._end, "the broker is not reachable")
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        client.on_publish = self._on_publish
        client.on_message = lambda _c, _u, message: self._tell(self._take, message)
        return client

    def _topic(self, channel: str) -> str:
        return topic(self._gateway, channel)

    # -- in paho's thread --------------------------------------------------------------------

    def _tell(self, what: Callable[..., object], *args: object) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has closed: nobody to tell
            self._loop.call_soon_threadsafe(what, *args)

    def _on_connect(
        self, _c: Client, _u: Any, _f: ConnectFlags, reason: ReasonCode, given: Properties | None
    ) -> None:
        if reason.is_failure:
            self._tell(self._end, f"the broker refuses this gateway: {reason}")
            return
        self._tell(
            self._welcome,
            getattr(given, "ReceiveMaximum", 65535),
            getattr(given, "MaximumPacketSize", None),
        )

    def _on_disconnect(
        self, _c: Client, _u: Any, _f: DisconnectFlags, reason: ReasonCode, _p: Properties | None
    ) -> None:
        if reason.value == _TAKEN_OVER:
            self._tell(self._give_way)
        else:
            self._tell(self._end, f"the connection ended: {reason}")

    def _on_subscribe(
        self, _c: Client, _u: Any, _mid: int, reasons: list[ReasonCode], _p: Properties | None
    ) -> None:
        refused = [str(reason) for reason in reasons if reason.is_failure]
        if refused:
            self._tell(self._end, f"the broker refuses a subscription: {', '.join(refused)}")
        else:
            self._tell(_settle, self._subscribed, None)

    def _on_publish(
        self, _c: Client, _u: Any, mid: int, reason: ReasonCode, _p: Properties | None
    ) -> None:
        self._tell(self._acknowledged, mid, reason.value, str(reason))

    # -- in the event loop -------------------------------------------------------------------

    def _welcome(self, receive_maximum: int, largest: int | None) -> None:
        self._receive_maximum = receive_maximum
        self._largest = largest
        _settle(self._accepted, receive_maximum)

    def _end(self, reason: str) -> None:
        _settle(self._ended, reason)
        self.wake.set()

    def _give_way(self) -> None:
        self.taken_over = True
        self._end(
            f"something else connected as {self._gateway}: if this recurs, two boxes share the"
            " name, and one has to be switched off or given another"
        )

    def _take(self, message: MQTTMessage) -> None:
        self._inbox_bytes += _HEAD_BYTES + len(message.payload)
        if self._inbox_bytes > INBOX_BYTES:
            self._end(
                f"the broker sends faster than this gateway takes: {self._inbox.qsize()} wait"
            )
            self._client.disconnect()
            return
        self._inbox.put_nowait(message)

    def _acknowledged(self, mid: int, code: int, reason: str) -> None:
        lane, _ = self._unacknowledged.pop(mid, (None, 0))
        if code >= 0x80:
            # Stays in the outbox and is sent again later: an ACL can be mended.
            self._count(f"publish-{reason.lower().replace(' ', '-')}")
            to = lane.value if lane else STATUS
            if self._repeated.due(f"{reason} {to}"):
                _log.warning(
                    "the broker refuses a message; check the ACL of this gateway",
                    reason=reason,
                    lane=to,
                )
        self.wake.set()

    async def open(self) -> None:
        """CONNECT and subscribe. Raises ``UplinkError``, ``OSError``."""
        settings = self._settings
        wishes = Properties(PacketTypes.CONNECT)
        wishes.MaximumPacketSize = MAX_MESSAGE_BYTES + _HEAD_BYTES
        await asyncio.to_thread(
            self._client.connect,
            settings.host,
            settings.port,
            settings.keepalive_s,
            clean_start=True,
            properties=wishes,
        )
        self._client.begin()
        await self._unless_ended(self._accepted)
        channels = [(self._topic(channel), 1) for channel in (RECEIPT, COMMAND, CONFIG)]
        self._client.subscribe(channels)
        await self._unless_ended(self._subscribed)

    async def _unless_ended(self, future: asyncio.Future[Any]) -> None:
        await asyncio.wait(
            {future, self._ended}, timeout=CONNECT_S, return_when=asyncio.FIRST_COMPLETED
        )
        if self._ended.done():
            raise UplinkError(self._ended.result())
        if not future.done():
            raise UplinkError(f"the broker did not answer within {CONNECT_S:.0f} s")

    def fits(self, payload: bytes) -> bool:
        """Whether the broker takes messages as large as this one."""
        return self._largest is None or len(payload) + 256 <= self._largest

    def may_send(self, lane: Lane) -> bool:
        """Whether the broker, and the lanes before this one, let a message of it go now."""
        if len(self._unacknowledged) >= self._receive_maximum:
            return False
        if lane is not Lane.OBSERVATION:
            return True
        under_way = sum(
            size for which, size in self._unacknowledged.values() if which is Lane.OBSERVATION
        )
        return under_way < _OBSERVATION_BYTES

    def publish(
        self, channel: str, payload: bytes, lane: Lane | None, *, retain: bool = False
    ) -> bool:
        """False where the connection has just ended."""
        info = self._client.publish(self._topic(channel), payload, qos=1, retain=retain)
        if info.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            self._end(f"the connection ended: {info.rc.name}")
            return False
        self._unacknowledged[info.mid] = (lane, len(payload))
        return True

    async def receive(self) -> list[tuple[bytes, bool]]:
        """What has come, in order, and whether the broker had retained it.

        Waits for one message at least; cleared ones are left out.
        """
        messages = [await self._inbox.get()]
        while not self._inbox.empty():
            messages.append(self._inbox.get_nowait())
        self._inbox_bytes = 0
        return [(bytes(each.payload), each.retain) for each in messages if each.payload]

    async def close(self, goodbye: bytes) -> None:
        """Say goodbye where there is still somebody to say it to, and end paho's thread."""
        if self._accepted.done() and not self._ended.done():
            self.publish(STATUS, goodbye, None, retain=True)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(GOODBYE_S):
                    while self._unacknowledged and not self._ended.done():
                        self.wake.clear()
                        await self.wake.wait()
        await self._client.hang_up()
        self._let_go()

    def _let_go(self) -> None:
        """Untie paho's client from us: collected at once, it frees its wake-up sockets now."""
        client = self._client
        client.on_connect = client.on_connect_fail = client.on_disconnect = None
        client.on_subscribe = client.on_publish = client.on_message = None
        client.ended = lambda _: None
        del self._client


def _settle(future: asyncio.Future[Any], result: Any) -> None:
    if not future.done():
        future.set_result(result)
