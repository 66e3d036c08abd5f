"""One connection to the broker, from CONNECT to its end.

paho runs its sockets in a thread of its own; every callback is carried over to the
event loop at once, and only there is anything decided.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Final

import structlog
from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from vigil_edge.mqtt import WatchedClient
from vigil_schemas.control import AnyReceipt, Command, Configuration, Receipt, ReceiptV1
from vigil_schemas.envelope import decode
from vigil_schemas.errors import InvalidMessage, VigilError
from vigil_schemas.gateway import GatewayBirth, GatewayDeath
from vigil_schemas.topics import COMMAND, CONFIG, MAX_MESSAGE_BYTES, RECEIPT, STATUS, topic
from vigil_schemas.types import Lane

if TYPE_CHECKING:
    from vigil_edge.delivery.uplink import Uplink

CONNECT_S: Final = 10.0
GOODBYE_S: Final = 2.0
_LOOK_S: Final = 15.0
"""At least so often it is asked whether paho's thread still moves."""
_OBSERVATION_BYTES: Final = 512 * 1024
"""Unacknowledged observation bytes at most: an alarm queues behind no more than these."""

_HEAD_BYTES: Final = 1024
"""More than the topic and the properties of a message can take."""

_log = structlog.get_logger("uplink")


class UplinkError(VigilError):
    """The broker is not reachable, refuses us or went away; the agent tries again."""

    code: ClassVar[str] = "uplink-failed"


class Connection:
    """One connection from CONNECT to its end."""

    def __init__(self, uplink: Uplink, session: int) -> None:
        self.uplink = uplink
        self.session = session
        self.epoch = uplink.outbox.epoch
        """Birth and last will belong together: under another epoch we connect anew."""
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[str] = self._loop.create_future()
        self._accepted: asyncio.Future[int] = self._loop.create_future()
        self._subscribed: asyncio.Future[None] = self._loop.create_future()
        self._wake = asyncio.Event()
        self._receive_maximum = 1
        self._largest: int | None = None
        self._unacknowledged: dict[int, tuple[Lane | None, int]] = {}
        """By packet id: the lane and how many bytes."""
        self._inbox: asyncio.Queue[MQTTMessage] = asyncio.Queue()
        self._client = self._new_client()

    def _new_client(self) -> WatchedClient:
        settings = self.uplink.settings
        client = WatchedClient(
            CallbackAPIVersion.VERSION2,
            client_id=self.uplink.gateway,
            protocol=MQTTProtocolVersion.MQTTv5,
            reconnect_on_failure=False,
        )
        client.connect_timeout = 5.0
        client.max_inflight_messages = 0  # we count ourselves, alarms first
        if settings.tls:
            client.tls_set_context(settings.tls_context())
        password = settings.password()
        if settings.username or password is not None:
            client.username_pw_set(settings.username or self.uplink.gateway, password)
        death = GatewayDeath(session=self.session, clean=False)
        client.will_set(
            self._topic(STATUS),
            self.uplink.status(death, GatewayDeath.TYPE, self.epoch),
            qos=1,
            retain=True,
        )
        client.ended = lambda reason: self._tell(self._end, reason)
        client.on_connect = self._on_connect
        client.on_connect_fail = lambda *_: self._tell(self._end, "the broker is not reachable")
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        client.on_publish = self._on_publish
        client.on_message = lambda _c, _u, message: self._tell(self._inbox.put_nowait, message)
        return client

    def _topic(self, channel: str) -> str:
        return topic(self.uplink.gateway, channel)

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
        self._wake.set()

    def _acknowledged(self, mid: int, code: int, reason: str) -> None:
        lane, _ = self._unacknowledged.pop(mid, (None, 0))
        if code >= 0x80:
            # Stays in the outbox and is sent again later: an ACL can be mended.
            self.uplink.sides.count(f"publish-{reason.lower().replace(' ', '-')}")
            _log.warning(
                "the broker refuses a message; check the ACL of this gateway",
                reason=reason,
                lane=lane.value if lane else STATUS,
            )
        self._wake.set()

    async def open(self) -> None:
        """CONNECT, subscribe, birth. Raises ``UplinkError``."""
        settings = self.uplink.settings
        wishes = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho leaves it untyped
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
        self.publish_status(self.uplink.sides.birth(self.session))
        for window in self.uplink.windows.values():
            window.reconnected()

    async def _unless_ended(self, future: asyncio.Future[Any]) -> None:
        await asyncio.wait(
            {future, self._ended}, timeout=CONNECT_S, return_when=asyncio.FIRST_COMPLETED
        )
        if self._ended.done():
            raise UplinkError(self._ended.result())
        if not future.done():
            raise UplinkError(f"the broker did not answer within {CONNECT_S:.0f} s")

    async def pump(self) -> None:
        """Send and listen until the connection ends. Raises ``UplinkError``."""
        self.uplink.outbox.on_change = self._wake.set
        listening = asyncio.create_task(self._listen())
        listening.add_done_callback(lambda _: self._wake.set())
        try:
            while not self._ended.done() and not listening.done():
                self._wake.clear()
                await self.uplink.refill()
                if self.uplink.outbox.epoch != self.epoch:
                    raise UplinkError("the outbox begins a new epoch: connecting anew")
                if self._client.hangs:
                    raise UplinkError("the thread of the connection does not move any more")
                self._send()
                await self._rest()
            if listening.done():
                listening.result()
            raise UplinkError(self._ended.result())
        finally:
            self.uplink.outbox.on_change = lambda: None
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)

    async def _rest(self) -> None:
        now = self.uplink.sides.monotonic()
        due = [at for window in self.uplink.windows.values() if (at := window.due()) is not None]
        try:
            async with asyncio.timeout(max(0.0, min([now + _LOOK_S, *due]) - now)):
                await self._wake.wait()
        except TimeoutError:
            return

    def _send(self) -> None:
        now = self.uplink.sides.monotonic()
        for window in self.uplink.windows.values():
            window.tick(now)
        for lane, window in self.uplink.windows.items():  # alarm, event, observation
            while (message := window.next()) is not None and self._may_send(lane):
                window.sent(message.sequence, now)
                if self._largest is not None and len(message.payload) + 256 > self._largest:
                    self.uplink.sides.count("publish-larger-than-broker-allows")
                    continue
                if not self._publish(lane.value, message.payload, lane):
                    return

    def _may_send(self, lane: Lane) -> bool:
        if len(self._unacknowledged) >= self._receive_maximum:
            return False
        if lane is not Lane.OBSERVATION:
            return True
        under_way = sum(
            size for which, size in self._unacknowledged.values() if which is Lane.OBSERVATION
        )
        return under_way < _OBSERVATION_BYTES

    def publish_status(self, birth: GatewayBirth) -> None:
        payload = self.uplink.status(birth, GatewayBirth.TYPE, self.epoch)
        self._publish(STATUS, payload, None, retain=True)

    def _publish(
        self, channel: str, payload: bytes, lane: Lane | None, *, retain: bool = False
    ) -> bool:
        info = self._client.publish(self._topic(channel), payload, qos=1, retain=retain)
        if info.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            self._end(f"the connection ended: {info.rc.name}")
            return False
        self._unacknowledged[info.mid] = (lane, len(payload))
        return True

    async def _listen(self) -> None:
        while True:
            messages = [await self._inbox.get()]
            while not self._inbox.empty():
                messages.append(self._inbox.get_nowait())
            # Receipts are cumulative: of those that came meanwhile the furthest says it all.
            receipts: dict[str, AnyReceipt] = {}
            for message in messages:
                data = self._decoded(message)
                if isinstance(data, Receipt | ReceiptV1):
                    known = receipts.get(data.source)
                    if known is None or data.stored >= known.stored:
                        receipts[data.source] = data
                elif data is not None:
                    await self._obey(data)
            for receipt in receipts.values():
                await self._obey(receipt)
            self._wake.set()

    async def _obey(self, data: object) -> None:
        """What one message asks for. A mistake in that must not cost the connection:

        a retained configuration comes again with every new one.
        """
        try:
            if isinstance(data, Receipt | ReceiptV1):
                await self.uplink.take_receipt(data)
            elif isinstance(data, Command):
                await self.uplink.sides.command(data)
            elif isinstance(data, Configuration):
                await self.uplink.sides.configuration(data)
        except Exception:
            self.uplink.sides.count("received-crashed")
            _log.exception("a message from the cloud could not be followed", type=type(data))

    def _decoded(self, message: MQTTMessage) -> object:
        if not message.payload:  # a retained message was cleared
            return None
        try:
            return decode(bytes(message.payload)).data
        except InvalidMessage as error:
            self.uplink.sides.count(f"received-{error.reason}")
            _log.warning("unreadable message", error=str(error))
            return None

    async def close(self) -> None:
        """Say goodbye where there is still somebody to say it to, and end paho's thread."""
        if self._accepted.done() and not self._ended.done():
            death = GatewayDeath(session=self.session, clean=True)
            payload = self.uplink.status(death, GatewayDeath.TYPE, self.epoch)
            self._publish(STATUS, payload, None, retain=True)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(GOODBYE_S):
                    while self._unacknowledged and not self._ended.done():
                        self._wake.clear()
                        await self._wake.wait()
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
