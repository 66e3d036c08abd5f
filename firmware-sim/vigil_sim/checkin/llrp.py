"""The reader's side of LLRP: messages and parameters as bytes.

After EPCglobal "Low Level Reader Protocol" 1.0.1 (2007) and 1.1 (2010), chapters 16 and 17.
Parameters are either TLV (type, length, value) or TV (one byte with the top bit set, value).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from enum import IntEnum
from typing import Final, NamedTuple

HEADER_BYTES: Final = 10
LONGEST_MESSAGE: Final = 1 << 20

TV_BYTES: Final[Mapping[int, int]] = {
    1: 2,  # AntennaID
    2: 8,  # FirstSeenTimestampUTC
    3: 8,  # FirstSeenTimestampUptime
    4: 8,  # LastSeenTimestampUTC
    5: 8,  # LastSeenTimestampUptime
    6: 1,  # PeakRSSI
    7: 2,  # ChannelIndex
    8: 2,  # TagSeenCount
    9: 4,  # ROSpecID
    10: 2,  # InventoryParameterSpecID
    11: 2,  # C1G2_CRC
    12: 2,  # C1G2_PC
    13: 12,  # EPC-96
    14: 2,  # SpecIndex
    15: 2,  # ClientRequestOpSpecResult
    16: 4,  # AccessSpecID
}
"""Value lengths of the TV parameters."""


class MessageType(IntEnum):
    """Messages; a request's response is its type + 10 except CLOSE_CONNECTION's."""

    GET_READER_CAPABILITIES = 1
    GET_READER_CONFIG = 2
    SET_READER_CONFIG = 3
    CLOSE_CONNECTION_RESPONSE = 4
    GET_READER_CAPABILITIES_RESPONSE = 11
    GET_READER_CONFIG_RESPONSE = 12
    SET_READER_CONFIG_RESPONSE = 13
    CLOSE_CONNECTION = 14
    ADD_ROSPEC = 20
    DELETE_ROSPEC = 21
    START_ROSPEC = 22
    STOP_ROSPEC = 23
    ENABLE_ROSPEC = 24
    DISABLE_ROSPEC = 25
    GET_ROSPECS = 26
    ADD_ACCESSSPEC = 40
    DELETE_ACCESSSPEC = 41
    ENABLE_ACCESSSPEC = 42
    DISABLE_ACCESSSPEC = 43
    GET_ACCESSSPECS = 44
    GET_SUPPORTED_VERSION = 46
    SET_PROTOCOL_VERSION = 47
    GET_REPORT = 60
    RO_ACCESS_REPORT = 61
    KEEPALIVE = 62
    READER_EVENT_NOTIFICATION = 63
    ENABLE_EVENTS_AND_REPORTS = 64
    KEEPALIVE_ACK = 72
    ERROR_MESSAGE = 100
    CUSTOM_MESSAGE = 1023


class Status(IntEnum):
    """LLRPStatus codes that this reader gives."""

    SUCCESS = 0
    PARAMETER_ERROR = 100
    FIELD_ERROR = 101
    MISSING_PARAMETER = 103
    UNSUPPORTED_MESSAGE = 109
    UNSUPPORTED_VERSION = 110


class MalformedError(ValueError):
    """Bytes that are not LLRP."""


class LlrpMessage(NamedTuple):
    """One message; ``version`` is 1 (1.0.1) or 2 (1.1)."""

    version: int
    type: int
    id: int
    body: bytes


class Parameter(NamedTuple):
    """One parameter of a message's body."""

    type: int
    value: bytes


def encode_message(message: LlrpMessage) -> bytes:
    """The message with its header."""
    first = (message.version << 10) | message.type
    return struct.pack(">HII", first, HEADER_BYTES + len(message.body), message.id) + message.body


def decode_header(header: bytes) -> tuple[int, int, int, int]:
    """Version, type, whole length and id of ten bytes. Raises ``MalformedError``."""
    first, length, id = struct.unpack(">HII", header)  # noqa: A001  # LLRP's own word
    if not HEADER_BYTES <= length <= LONGEST_MESSAGE:
        raise MalformedError(f"a message cannot be {length} bytes long")
    return (first >> 10) & 0x7, first & 0x3FF, length, id


def tlv(type: int, *values: bytes) -> bytes:
    """A TLV parameter."""
    value = b"".join(values)
    return struct.pack(">HH", type, 4 + len(value)) + value


def tv(type: int, value: bytes) -> bytes:
    """A TV parameter."""
    return bytes((0x80 | type,)) + value


def parameters(data: bytes) -> Iterator[Parameter]:
    """The parameters that follow one another in ``data``. Raises ``MalformedError``."""
    at = 0
    while at < len(data):
        if data[at] & 0x80:
            type, head = data[at] & 0x7F, 1  # noqa: A001  # LLRP's own word
            if type not in TV_BYTES:
                raise MalformedError(f"there is no TV parameter {type}")
            length = head + TV_BYTES[type]
        else:
            if len(data) - at < 4:
                raise MalformedError("a parameter's header is cut off")
            first, length = struct.unpack_from(">HH", data, at)
            type, head = first & 0x3FF, 4  # noqa: A001  # as above
        if length < head or at + length > len(data):
            raise MalformedError(f"parameter {type} does not fit its message")
        yield Parameter(type, data[at + head : at + length])
        at += length


# -- what the reader says


def llrp_status(status: Status = Status.SUCCESS, description: str = "") -> bytes:
    """LLRPStatus (287)."""
    text = description.encode()
    return tlv(287, struct.pack(">HH", status, len(text)), text)


class EventKind(IntEnum):
    """Parameters of a reader event."""

    CONNECTION_ATTEMPT = 256
    CONNECTION_CLOSE = 257


def event_notification(utc_us: int, kind: EventKind, attempt_status: int = 0) -> bytes:
    """Body of READER_EVENT_NOTIFICATION. ``attempt_status`` 0 success, 2 a client is connected."""
    attempt = kind is EventKind.CONNECTION_ATTEMPT
    event = tlv(kind, struct.pack(">H", attempt_status) if attempt else b"")
    return tlv(246, tlv(128, struct.pack(">Q", utc_us)), event)


class Sighting(NamedTuple):
    """A tag in a report; what is None is left out."""

    epc: bytes
    antenna: int | None = None
    rssi_dbm: int | None = None
    first_seen_us: int | None = None
    last_seen_us: int | None = None
    times: int | None = None
    rospec: int | None = None


def access_report(sightings: Iterable[Sighting]) -> bytes:
    """Body of RO_ACCESS_REPORT: one TagReportData (240) each."""
    return b"".join(tlv(240, *_tag_report(sighting)) for sighting in sightings)


def _tag_report(tag: Sighting) -> Iterator[bytes]:
    if len(tag.epc) == 12:
        yield tv(13, tag.epc)
    else:
        yield tlv(241, struct.pack(">H", 8 * len(tag.epc)), tag.epc)
    fields = (
        (9, ">I", tag.rospec),
        (1, ">H", tag.antenna),
        (6, ">b", tag.rssi_dbm),
        (2, ">Q", tag.first_seen_us),
        (4, ">Q", tag.last_seen_us),
        (8, ">H", tag.times),
    )
    for type, form, value in fields:  # noqa: A001  # LLRP's own word
        if value is not None:
            yield tv(type, struct.pack(form, value))
