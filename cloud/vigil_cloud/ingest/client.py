"""paho's MQTT client with a shorter way for what ingest does most: take PUBLISH, answer PUBACK.

paho asks the system five times for each packet (wait, first byte, length, body, acknowledge)
and builds objects that nobody here looks at; with small messages that was most of ingest's
work. This client reads what has come in one go, takes plain PUBLISH packets out of it and
hands every other packet to paho byte by byte, as paho would have read it. Connecting,
keep-alive, reconnecting, subscribing and sending stay paho's.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

READ_BYTES: Final = 256 * 1024
_PUBLISH: Final = 0x30
_PUBACK: Final = 0x40
_NAMES: Final = 20_000
"""Topics whose text is remembered; names are the senders' choice."""

_PAHO: Final = logging.getLogger(__name__)
"""paho tells of every packet, and calls an error what is told in our own words elsewhere; only
what a callback raised is news."""
_PAHO.setLevel(logging.ERROR)
_PAHO.addFilter(lambda record: str(record.msg).startswith("Caught exception"))


class Published(NamedTuple):
    """One message: QoS 0 or 1; ``packet`` is its identifier, 0 with QoS 0."""

    topic: str
    payload: bytes
    qos: int
    packet: int
    retained: bool = False
    """The broker had kept it: it may be hours old."""


class MalformedPublish(ValueError):
    """The bytes are no PUBLISH that this client takes: paho has to judge them."""


class Client(mqtt.Client):
    """MQTT 5 with acknowledgements by hand; ``taken`` gets messages in their order, in groups."""

    def __init__(self, name: str, taken: Callable[[Sequence[Published]], None]) -> None:
        super().__init__(
            CallbackAPIVersion.VERSION2, client_id=name, protocol=mqtt.MQTTv5, manual_ack=True
        )
        # A callback that raises would end paho's thread, and with it the intake, without a word.
        self.suppress_exceptions = True
        self.enable_logger(_PAHO)
        self._taken = taken
        self._names: dict[bytes, str] = {}
        self._read_from: Any = None
        """The socket that ``_unread`` came from."""
        self._unread: list[bytes] = []
        self._missing = 0
        """So many bytes until the packet that ``_unread`` begins with may be whole."""
        self._handed: bytes | None = None
        """What paho reads in place of the socket."""

    @property
    def running(self) -> bool:
        """Whether paho's thread is alive."""
        return self._thread is not None

    def loop_read(self, max_packets: int = 1) -> MQTTErrorCode:
        """Everything that has arrived. Called by paho's own loop; ``max_packets`` is ignored, as
        paho does."""
        if self._sock is not self._read_from:
            self._read_from, self._unread, self._missing = self._sock, [], 0
        try:
            data = self._sock_recv(READ_BYTES)
        except BlockingIOError:
            return MQTTErrorCode.MQTT_ERR_SUCCESS
        except OSError:
            data = b""
        if not data:
            return super().loop_read(max_packets)  # meets the same end and deals with it
        self._unread.append(data)
        self._missing -= len(data)
        if self._missing > 0:
            return MQTTErrorCode.MQTT_ERR_SUCCESS
        return self._take(b"".join(self._unread) if len(self._unread) > 1 else data)

    def acknowledge(self, packets: Iterable[int]) -> None:
        """PUBACK for each of the QoS 1 messages, in this order, sent together."""
        acknowledgements = bytearray()
        for packet in packets:
            acknowledgements += bytes((_PUBACK, 2, packet >> 8, packet & 0xFF))
        if acknowledgements:
            self._packet_queue(_PUBACK, acknowledgements, 0, 1)

    def _take(self, data: bytes) -> MQTTErrorCode:
        """Deal with every whole packet and keep the rest."""
        messages: list[Published] = []
        position, self._missing = 0, 0
        while True:
            body, stop = frame(data, position)
            if stop > len(data):
                self._missing = stop - len(data)
                break
            try:
                messages.append(self._message(data, data[position], body, stop))
            except MalformedPublish:
                if messages:
                    self._taken(messages)
                    messages = []
                outcome = self._hand_over(data[position:stop])
                if outcome or self._sock is not self._read_from:
                    return outcome
            position = stop
        self._unread = [data[position:]] if position < len(data) else []
        if messages:
            self._taken(messages)
        return MQTTErrorCode.MQTT_ERR_SUCCESS

    def _message(self, data: bytes, first: int, body: int, stop: int) -> Published:
        qos = first >> 1 & 3
        if first & 0xF0 != _PUBLISH or qos > 1:
            raise MalformedPublish
        after_name = body + 2
        if after_name > stop:
            raise MalformedPublish
        after_name += data[body] << 8 | data[body + 1]
        properties = after_name + 2 * qos
        if properties >= stop:
            raise MalformedPublish
        payload = properties + 1
        if data[properties]:  # properties: none of them means anything to ingest
            length, payload = variable_integer(data, properties)
            payload += length
        if payload > stop:
            raise MalformedPublish
        packet = data[after_name] << 8 | data[after_name + 1] if qos else 0
        name = data[body + 2 : after_name]
        topic = self._names.get(name)
        if topic is None:
            topic = self._remember(name)
        return Published(topic, data[payload:stop], qos, packet, first & 1 == 1)

    def _remember(self, name: bytes) -> str:
        if not name:  # an alias, which we never allowed
            raise MalformedPublish
        if len(self._names) >= _NAMES:
            self._names.clear()
        # Not UTF-8 is the broker's mistake; the message shall reach the dead letters all the same.
        topic = self._names[name] = name.decode(errors="replace")
        return topic

    def _hand_over(self, packet: bytes) -> MQTTErrorCode:
        self._handed = packet
        try:
            return super().loop_read()
        finally:
            self._handed = None

    def _sock_recv(self, bufsize: int) -> bytes:
        if self._handed is None:
            return super()._sock_recv(bufsize)
        if not self._handed:
            raise BlockingIOError
        given, self._handed = self._handed[:bufsize], self._handed[bufsize:]
        return given


def frame(data: bytes, position: int) -> tuple[int, int]:
    """Where the body of the packet at ``position`` begins and where it stops.

    While the packet is not whole the stop lies behind the data, by as many bytes as are known
    to be missing.
    """
    length, body = variable_integer(data, position + 1)
    return body, body + length


def variable_integer(data: bytes, position: int) -> tuple[int, int]:
    """MQTT's variable byte integer and the position behind it (MQTT 5, 1.5.5).

    Where the data ends inside it the position lies behind the data. Five bytes, which no
    integer has, are read over as 0: paho refuses such a packet.
    """
    value = 0
    for offset in range(4):
        if position + offset >= len(data):
            return 0, position + offset + 1
        byte = data[position + offset]
        value |= (byte & 0x7F) << 7 * offset
        if byte < 0x80:
            return value, position + offset + 1
    return 0, position + 5
