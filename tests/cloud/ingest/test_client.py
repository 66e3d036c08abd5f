"""The short way for PUBLISH: it finds what paho's own decoder finds, however the bytes arrive."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
from collections.abc import Iterator, Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt._packet import decode_publish
from paho.mqtt.enums import MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from vigil_cloud.ingest.client import Client, Published

PINGRESP = b"\xd0\x00"


class Wire:
    """A client whose broker is this end of a pair of sockets."""

    def __init__(self) -> None:
        self.taken: list[Published] = []
        self.groups: list[int] = []
        self.client = Client("test", self._take)
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        self.broker = ours
        self.broker.setblocking(False)
        self.client._sock = theirs
        self.disconnected = False

        def on_disconnect(*_: object) -> None:
            self.disconnected = True

        self.client.on_disconnect = on_disconnect

    def _take(self, messages: Sequence[Published]) -> None:
        self.taken += messages
        self.groups.append(len(messages))

    def arrive(self, data: bytes) -> MQTTErrorCode:
        """As paho's loop does: read once the socket is readable."""
        self.broker.setblocking(True)
        self.broker.sendall(data)
        outcome = MQTTErrorCode.MQTT_ERR_SUCCESS
        while not outcome and self.client._sock is not None:
            readable, _, _ = select.select([self.client._sock], [], [], 0)
            if not readable:
                break
            outcome = self.client.loop_read()
        return outcome

    def answered(self) -> bytes:
        self.client.loop_write()
        self.broker.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            return self.broker.recv(1 << 16)
        return b""

    def close(self) -> None:
        self.broker.close()
        if self.client._sock is not None:
            self.client._sock.close()


@pytest.fixture
def wire() -> Iterator[Wire]:
    made = Wire()
    yield made
    made.close()


def length(number: int) -> bytes:
    encoded = bytearray()
    while True:
        number, low = divmod(number, 128)
        encoded.append(low | 128 if number else low)
        if not number:
            return bytes(encoded)


def publish(
    topic: bytes, payload: bytes, packet: int, *, properties: bytes = b"\0", flags: int = 0
) -> bytes:
    body = struct.pack("!H", len(topic)) + topic
    if packet:
        body += struct.pack("!H", packet)
    body += properties + payload
    return bytes([0x30 | (2 if packet else 0) | flags]) + length(len(body)) + body


def some_properties(text: str, number: int) -> bytes:
    made = Properties(PacketTypes.PUBLISH)
    made.ContentType = text
    made.MessageExpiryInterval = number
    made.UserProperty = ("name", text)
    return bytes(made.pack())


texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=60)
messages = st.builds(
    publish,
    texts.filter(bool).map(str.encode),
    st.binary(max_size=400),
    st.integers(0, 65535),
    properties=st.one_of(
        st.just(b"\0"), st.builds(some_properties, texts, st.integers(0, 1 << 31))
    ),
    flags=st.sampled_from([0, 1, 8, 9]),
)


@given(
    packets=st.lists(st.one_of(messages, st.just(PINGRESP)), max_size=12),
    cuts=st.lists(st.integers(0, 3000), max_size=8),
)
def test_it_finds_what_paho_finds(packets: list[bytes], cuts: list[int]) -> None:
    """Given any packets, cut anywhere, the messages are those of paho's decoder, in order."""
    stream = b"".join(packets)
    wire = Wire()
    edges = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    for first, last in pairwise(edges):
        assert wire.arrive(stream[first:last]) == MQTTErrorCode.MQTT_ERR_SUCCESS

    expected = []
    for packet in packets:
        if packet == PINGRESP:
            continue
        header = 1 + next(n for n in range(1, 5) if packet[n] < 128)
        found = decode_publish(packet[0], packet[header:], MQTTProtocolVersion.MQTTv5)
        topic, payload = found.topic.decode(), bytes(found.payload)
        expected.append(Published(topic, payload, found.qos, found.mid, found.retain))
    assert wire.taken == expected
    wire.close()


def test_what_came_together_is_handed_on_together(wire: Wire) -> None:
    wire.arrive(b"".join(publish(b"a/b", b"x" * n, n) for n in range(1, 101)))

    assert wire.groups == [100]


def test_a_message_larger_than_one_read(wire: Wire) -> None:
    packet = publish(b"a/b", bytes(range(256)) * 4096, 7)
    for first in range(0, len(packet), 50_000):
        wire.arrive(packet[first : first + 50_000])

    assert wire.taken == [Published("a/b", bytes(range(256)) * 4096, 1, 7)]


def test_a_topic_that_is_no_text_is_still_a_message(wire: Wire) -> None:
    wire.arrive(publish(b"a/\xff", b"x", 1))

    assert wire.taken == [Published("a/\ufffd", b"x", 1, 1)]


@pytest.mark.parametrize(
    "bad",
    [
        b"\x32\xff\xff\xff\xff\x01",  # a length of five bytes
        b"\x32\x01\x00",  # ends inside the topic's length
        b"\x32\x03\x00\x09a",  # ends inside the topic
        b"\x32\x05\x00\x01a\x00\x01",  # ends before its properties
        b"\x32\x08\x00\x01a\x00\x01\x7fab",  # properties longer than the packet
        b"\x00\x00",  # no such packet
    ],
)
def test_what_breaks_the_protocol_ends_the_connection(wire: Wire, bad: bytes) -> None:
    """What came before it counts; nothing is raised, for that would end paho's thread."""
    outcome = wire.arrive(publish(b"a", b"before", 1) + bad + publish(b"a", b"after", 2))

    assert outcome != MQTTErrorCode.MQTT_ERR_SUCCESS
    assert [message.payload for message in wire.taken] == [b"before"]
    assert wire.disconnected


def test_half_a_packet_of_an_old_connection_is_forgotten(wire: Wire) -> None:
    wire.arrive(publish(b"a", b"never whole", 1)[:-4])
    wire.broker.close()
    old = wire.client._sock
    assert wire.client.loop_read() != MQTTErrorCode.MQTT_ERR_SUCCESS
    assert wire.disconnected

    wire.broker, theirs = socket.socketpair()
    theirs.setblocking(False)
    wire.client._sock = theirs
    wire.arrive(publish(b"a", b"whole", 1))

    assert old is not theirs
    assert [message.payload for message in wire.taken] == [b"whole"]


def test_acknowledgements_leave_together_and_in_order(wire: Wire) -> None:
    wire.client.acknowledge([1, 513, 65535])

    assert wire.answered() == b"\x40\x02\x00\x01\x40\x02\x02\x01\x40\x02\xff\xff"


def test_nothing_to_acknowledge_says_nothing(wire: Wire) -> None:
    wire.client.acknowledge([])

    assert wire.answered() == b""


def test_a_callback_that_raises_is_told_and_does_not_end_the_thread(
    wire: Wire, caplog: pytest.LogCaptureFixture
) -> None:
    def stumble(*_: object) -> None:
        raise RuntimeError("news")

    wire.client.on_disconnect = stumble
    wire.broker.close()

    assert wire.client.loop_read() != MQTTErrorCode.MQTT_ERR_SUCCESS
    assert "Caught exception in on_disconnect: news" in caplog.messages
