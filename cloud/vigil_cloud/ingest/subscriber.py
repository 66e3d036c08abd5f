"""The MQTT 5 side of ingest: one connection that subscribes, acknowledges and sends receipts."""

from __future__ import annotations

import contextlib
import ssl
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit

import paho.mqtt.client as mqtt
import structlog
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from vigil_cloud.ingest.client import Client, Published
from vigil_cloud.ingest.progress import Progress
from vigil_cloud.ingest.queue import Arrived, Queue
from vigil_schemas.control import Receipt, ReceiptV1, RefusalReason
from vigil_schemas.envelope import CLOUD_SOURCE, encode, schema_url
from vigil_schemas.errors import VigilError
from vigil_schemas.topics import MAX_MESSAGE_BYTES, RECEIPT, topic
from vigil_schemas.types import isoformat_utc

RECEIVE_MAXIMUM: Final = 1000
"""Messages that the broker may have on the way to us unacknowledged: the bound on memory."""
MAXIMUM_PACKET_BYTES: Final = 4 * MAX_MESSAGE_BYTES
"""Above the contract's limit, so that what is too large reaches the dead-letter table; what is
larger than this the broker keeps from us (MQTT 5, 3.1.2.11.4), however much it lets in."""
KEEPALIVE_S: Final = 20
_RECEIPT_SCHEMA: Final = schema_url(ReceiptV1.TYPE)
_log = structlog.get_logger(__name__)


class BrokerAway(VigilError):
    """No connection to the broker now."""

    code: ClassVar[str] = "broker-away"
    remedy: ClassVar[str] = (
        "Check that the broker runs and is reachable; ingest connects again by itself."
    )


@dataclass(frozen=True, slots=True)
class BrokerAddress:
    """Where the broker is and how it is told who we are."""

    host: str
    port: int
    tls: bool = False
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    username: str = ""
    password: str = ""

    @classmethod
    def parse(cls, url: str, **more: Any) -> BrokerAddress:
        """From ``mqtt://host:port`` or ``mqtts://host:port``. Raises ``ValueError``."""
        parts = urlsplit(url)
        if parts.scheme not in {"mqtt", "mqtts"} or not parts.hostname:
            raise ValueError(
                f"broker_url {url!r} is neither mqtt://host:port nor mqtts://host:port"
            )
        tls = parts.scheme == "mqtts"
        return cls(parts.hostname, parts.port or (8883 if tls else 1883), tls, **more)


def build_client(
    address: BrokerAddress, name: str, taken: Callable[[Sequence[Published]], None]
) -> Client:
    """An MQTT 5 client with TLS and credentials as configured; not connected."""
    client = Client(name, taken)
    introduce(client, address)
    client.max_queued_messages_set(5_000)
    client.max_inflight_messages_set(200)
    return client


def introduce(client: mqtt.Client, address: BrokerAddress) -> None:
    """Give a client that is not connected TLS, credentials and pauses between attempts."""
    if address.tls:
        context = ssl.create_default_context(cafile=address.ca_file)
        if address.certificate_file:
            context.load_cert_chain(address.certificate_file, address.key_file)
        client.tls_set_context(context)
    if address.username:
        client.username_pw_set(address.username, address.password)
    client.reconnect_delay_set(min_delay=1, max_delay=5)


def receipt_message(
    gateway: str,
    source: str,
    progress: Progress,
    now: datetime,
    reasons: Sequence[RefusalReason] | None = None,
) -> bytes:
    """A receipt in its envelope: with ``reasons``, none or some, a ``Receipt`` of version 2.

    ``ReceiptV1`` is put together by hand: it is the message that the cloud sends most. All its
    texts are names that validation let through; no escape can be needed.
    """
    if reasons is not None:
        return encode(
            id=uuid.uuid4().hex,
            source=CLOUD_SOURCE,
            type=Receipt.TYPE,
            subject=gateway,
            time=now,
            data=Receipt(
                source=source,
                stored=progress.stored,
                beyond=progress.beyond,
                refused=progress.refused,
                time=now,
                reasons=list(reasons),
            ),
        )
    beyond = ",".join(f"[{first},{last}]" for first, last in progress.beyond)
    return (
        f'{{"specversion":"1.0","id":"{uuid.uuid4().hex}","source":"{CLOUD_SOURCE}",'
        f'"type":"{ReceiptV1.TYPE}","subject":"{gateway}","time":"{isoformat_utc(now)}",'
        f'"clockquality":"synchronised","datacontenttype":"application/json",'
        f'"dataschema":"{_RECEIPT_SCHEMA}","data":{{"source":"{source}",'
        f'"stored":{progress.stored},"beyond":[{beyond}],"refused":{progress.refused}}}}}'
    ).encode()


class Subscriber:
    """Reconnects by itself, each time anew: what an old session would have kept, gateways send
    again (docs/decisions/0002). Acknowledging only what is stored is how the broker learns to
    send no faster than the stores take."""

    def __init__(
        self,
        address: BrokerAddress,
        filters: Iterable[str],
        waiting: Queue,
        *,
        now: Callable[[], datetime],
        at_once: bool = False,
    ) -> None:
        """``at_once``: the broker's acknowledgement is sent on arrival. It promises nothing to a
        gateway, which waits for the receipt; but acknowledgements leave in the order of arrival
        (MQTT 5, 4.6), and one gateway's flood would keep the broker from sending another's
        fire."""
        self._at_once = at_once
        self._address = address
        self._filters = list(filters)
        self._waiting = waiting
        self._now = now
        self._connection = 0
        self.subscribed = False
        self._away = False
        self._client = self._built()

    def _built(self) -> Client:
        name = f"vigil-ingest-{uuid.uuid4().hex[:16]}"
        client = build_client(self._address, name, self._arrived)
        client.on_connect = self._connected
        client.on_connect_fail = self._not_reached
        client.on_disconnect = self._disconnected
        client.on_subscribe = self._granted
        return client

    def start(self) -> None:
        """Begin to connect; a broker that is away is tried again."""
        properties: Any = Properties(PacketTypes.CONNECT)
        properties.ReceiveMaximum = RECEIVE_MAXIMUM
        properties.MaximumPacketSize = MAXIMUM_PACKET_BYTES
        self._client.connect_async(
            self._address.host,
            self._address.port,
            keepalive=KEEPALIVE_S,
            clean_start=True,
            properties=properties,
        )
        self._client.loop_start()

    def mend(self) -> None:
        """Called now and then: what paho does not do again by itself is done again here.

        A subscription that was refused (a right that is granted a moment later), and the
        thread, should anything unforeseen have ended it.
        """
        if not self._client.running:
            _log.error("broker-thread-ended", filters=self._filters)
            self.subscribed = False
            self._connection += 1
            self._client = self._built()
            self.start()
        elif self._client.is_connected() and not self.subscribed:
            self._subscribe()

    def stop(self) -> None:
        """Disconnect; the queue must be closed before, so that nobody waits in a callback."""
        with contextlib.suppress(OSError):
            self._client.disconnect()
        self._client.loop_stop()

    def receipt(
        self,
        gateway: str,
        source: str,
        progress: Progress,
        reasons: Sequence[RefusalReason] | None = None,
    ) -> None:
        """Not kept while disconnected: the gateway sends again and is told again."""
        if not self._client.is_connected():
            return
        payload = receipt_message(gateway, source, progress, self._now(), reasons)
        self._client.publish(topic(gateway, RECEIPT), payload, qos=1)

    def publish(self, name: str, payload: bytes, retain: bool) -> bool:
        """Hand a message to the broker; ``False`` while there is none or too much waits for it."""
        if not self._client.is_connected():
            return False
        handed = self._client.publish(name, payload, qos=1, retain=retain)
        return handed.rc == mqtt.MQTT_ERR_SUCCESS

    def acknowledge(self, messages: Iterable[Arrived]) -> None:
        """In order of arrival; those of an earlier connection no longer concern the broker."""
        connection = self._connection
        self._client.acknowledge(
            [
                message.acknowledgement[1]
                for message in messages
                if message.acknowledgement is not None and message.acknowledgement[0] == connection
            ]
        )

    def _connected(
        self,
        _client: mqtt.Client,
        _userdata: object,
        _flags: mqtt.ConnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if reason.is_failure:
            _log.warning("broker-refused", reason=str(reason))
            return
        self._connection += 1
        self._away = False
        self._subscribe()

    def _not_reached(self, _client: mqtt.Client, _userdata: object) -> None:
        if not self._away:
            self._away = True
            _log.warning("broker-away", host=self._address.host, port=self._address.port)

    def _subscribe(self) -> None:
        options = SubscribeOptions(qos=1)
        self._client.subscribe([(name, options) for name in self._filters])

    def _granted(
        self,
        _client: mqtt.Client,
        _userdata: object,
        _mid: int,
        reasons: list[ReasonCode],
        _properties: Properties | None,
    ) -> None:
        refused = [str(reason) for reason in reasons if reason.is_failure]
        if refused:
            _log.error("subscription-refused", filters=self._filters, reasons=refused)
            return
        if not self.subscribed:
            self.subscribed = True
            _log.info("subscribed", filters=self._filters)

    def _disconnected(
        self,
        _client: mqtt.Client,
        _userdata: object,
        _flags: mqtt.DisconnectFlags,
        reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:
        if self.subscribed:
            _log.warning("broker-disconnected", reason=str(reason))
        self.subscribed = False
        self._connection += 1

    def _arrived(self, messages: Sequence[Published]) -> None:
        received, monotonic, connection = self._now(), time.monotonic(), self._connection
        later = not self._at_once
        self._waiting.put(
            [
                Arrived(
                    topic,
                    payload,
                    received,
                    monotonic,
                    (connection, packet) if qos and later else None,
                    retained,
                )
                for topic, payload, qos, packet, retained in messages
            ]
        )
        if self._at_once:
            self._client.acknowledge([one.packet for one in messages if one.qos])
