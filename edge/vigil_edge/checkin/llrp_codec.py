"""LLRP 1.0.1/1.1 on the wire: frames, and the few messages that a check-in station needs.

Pure. Decoding any bytes raises ``LlrpError`` or nothing else. Source: EPCglobal
"Low Level Reader Protocol (LLRP)" 1.1, sections 10 (messages), 13 (tag reports) and
17 (binary encoding). A message is 3 reserved bits, 3 version bits, 10 type bits, u32
length of the whole frame, u32 message id. A TLV parameter is 6 reserved bits, 10 type
bits, u16 length with its own header; a TV parameter is one byte with the top bit set
and a body whose size only the standard tells.

Why a codec of our own: a station needs one report and a handful of requests, and each
byte of them comes from a network that strangers can reach; what is here can be read whole.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from vigil_edge.checkin import epc as epcs
from vigil_edge.checkin.errors import (
    LlrpBadLength,
    LlrpBadVersion,
    LlrpError,
    LlrpOversized,
    LlrpTruncated,
    LlrpUnknownMessage,
    LlrpUnknownParameter,
)
from vigil_schemas.senml import instant
from vigil_schemas.types import isoformat_utc

HEADER_BYTES: Final = 10
MAX_FRAME_BYTES: Final = 1 << 20
VERSIONS: Final = (1, 2)

MESSAGES: Final[dict[int, str]] = {
    1: "GetReaderCapabilities",
    11: "GetReaderCapabilitiesResponse",
    2: "GetReaderConfig",
    12: "GetReaderConfigResponse",
    3: "SetReaderConfig",
    13: "SetReaderConfigResponse",
    4: "CloseConnectionResponse",
    14: "CloseConnection",
    20: "AddROSpec",
    30: "AddROSpecResponse",
    21: "DeleteROSpec",
    31: "DeleteROSpecResponse",
    22: "StartROSpec",
    32: "StartROSpecResponse",
    23: "StopROSpec",
    33: "StopROSpecResponse",
    24: "EnableROSpec",
    34: "EnableROSpecResponse",
    25: "DisableROSpec",
    35: "DisableROSpecResponse",
    26: "GetROSpecs",
    36: "GetROSpecsResponse",
    40: "AddAccessSpec",
    50: "AddAccessSpecResponse",
    41: "DeleteAccessSpec",
    51: "DeleteAccessSpecResponse",
    42: "EnableAccessSpec",
    52: "EnableAccessSpecResponse",
    43: "DisableAccessSpec",
    53: "DisableAccessSpecResponse",
    44: "GetAccessSpecs",
    54: "GetAccessSpecsResponse",
    45: "ClientRequestOp",
    55: "ClientRequestOpResponse",
    46: "GetSupportedVersion",
    56: "GetSupportedVersionResponse",
    47: "SetProtocolVersion",
    57: "SetProtocolVersionResponse",
    60: "GetReport",
    61: "ROAccessReport",
    62: "KeepAlive",
    72: "KeepAliveAck",
    63: "ReaderEventNotification",
    64: "EnableEventsAndReports",
    100: "ErrorMessage",
    1023: "CustomMessage",
}
_TYPES: Final = {name.lower(): number for number, name in MESSAGES.items()}
_MADE_OF_PARAMETERS: Final = frozenset(
    {20, 40, 46, 61, 62, 63, 64, 72, 60, 14, 26, 44, 100}
    | {11, 12, 4, *range(30, 37), 13, *range(50, 56), 57}
)
"""Messages whose body is nothing but parameters, so that their lengths can be checked."""

_TV_BYTES: Final[dict[int, int]] = {
    1: 2, 2: 8, 3: 8, 4: 8, 5: 8, 6: 1, 7: 2, 8: 2, 9: 4, 10: 2,
    11: 2, 12: 2, 13: 12, 14: 2, 15: 2, 16: 4, 17: 2, 18: 4, 19: 2, 20: 2,
}  # fmt: skip
"""Body sizes of the TV-encoded parameters, LLRP 1.1 section 17.2.1.2."""

_GUESSED_TV_BYTES: Final = (2, 1, 4, 8, 12, 3, 6, 5, 7, 10, 16)
"""Sizes that are tried for a TV parameter that the standard does not know."""
_TV_FLAG: Final = 0x80
_TYPE_MASK: Final = 0x3FF
_TYPES_OF_TLV: Final = 128
"""TV parameters have types below, TLV parameters from here on."""
TAG_REPORT_DATA: Final = 240
EPC_DATA: Final = 241
LLRP_STATUS: Final = 287
EVENT_DATA: Final = 246
UTC_TIMESTAMP: Final = 128
CONNECTION_ATTEMPT: Final = 256
CONNECTION_CLOSE: Final = 257
RO_SPEC: Final = 177


class Parameter(NamedTuple):
    """``offset`` is where it begins in what was decoded."""

    type: int
    body: bytes
    offset: int


@dataclass(frozen=True, slots=True)
class Frame:
    """One message as it came."""

    type: int
    id: int
    body: bytes

    @property
    def name(self) -> str:
        """Its name, or ``Message<number>`` where the standard has none."""
        return MESSAGES.get(self.type, f"Message{self.type}")


@dataclass(frozen=True, slots=True)
class TagReport:
    """One TagReportData. ``rssi`` in dBm, times by the reader's clock, EPC in lower-case hex."""

    epc: str | None = None
    antenna: int | None = None
    rssi: int | None = None
    first_seen: datetime | None = None
    last_seen: datetime | None = None
    seen_count: int | None = None
    epc_bits: int | None = None
    """Length of the code; what fills up its last byte is not part of it, and reads as zero."""
    unknown: tuple[int, ...] = ()
    """TV parameters that the standard does not know, left out."""

    def as_json(self) -> dict[str, Any]:
        """What ``vigil-edge checkin decode-llrp`` prints of a tag."""
        shown = {
            "epc": self.epc,
            "epc_bits": self.epc_bits,
            "antenna": self.antenna,
            "rssi": self.rssi,
            "first_seen": None if self.first_seen is None else isoformat_utc(self.first_seen),
            "last_seen": None if self.last_seen is None else isoformat_utc(self.last_seen),
            "count": self.seen_count,
        }
        return {**shown, "unknown_parameters": list(self.unknown)} if self.unknown else shown

    @property
    def uri(self) -> str | None:
        """Its EPC as the GS1 key that it encodes, else as so many raw bits."""
        if self.epc is None or self.epc_bits is None:
            return None
        return epcs.read(self.epc, self.epc_bits).uri


@dataclass(frozen=True, slots=True)
class ReaderEvent:
    """A ReaderEventNotification: the reader's clock, and what it says of the connection.

    ``connection_attempt`` 0 is success; other numbers are refusals (section 13.2.6.13).
    """

    utc: datetime | None
    connection_attempt: int | None
    connection_closed: bool


REFUSALS: Final = {
    1: "another reader-initiated connection is open",
    2: "another client is connected to it: end that one first",
    3: "it failed for a reason of its own",
    4: "another connection was attempted",
}
"""What a reader's ConnectionAttemptEvent says (13.2.6.13)."""


def message_type(name: str) -> int:
    """Its number, by either spelling (``ROAccessReport``, ``RO_ACCESS_REPORT``)."""
    number = _TYPES.get(name.replace("_", "").replace("-", "").lower())
    if number is None:
        raise LlrpUnknownMessage(f"{name!r} is not an LLRP message; ROAccessReport is one")
    return number


def frame_length(header: bytes, offset: int = 0) -> int:
    """Length of the whole frame that these 10 bytes begin. Raises ``LlrpError``."""
    if len(header) < HEADER_BYTES:
        raise LlrpTruncated(
            f"frame at byte {offset} has {len(header)} of the {HEADER_BYTES} bytes of a header",
            offset,
        )
    first, length = struct.unpack_from(">HI", header)
    version = (first >> 10) & 0x7
    if version not in VERSIONS or first >> 13:
        raise LlrpBadVersion(
            f"frame at byte {offset} begins {first:#06x}, which is no LLRP 1.0.1 or 1.1 message",
            offset,
        )
    if length < HEADER_BYTES:
        raise LlrpBadLength(
            f"frame at byte {offset} states {length} bytes, less than its header", offset
        )
    if length > MAX_FRAME_BYTES:
        raise LlrpOversized(
            f"frame at byte {offset} states {length} bytes; the limit is {MAX_FRAME_BYTES}", offset
        )
    return int(length)


def frames(data: bytes) -> Iterator[Frame]:
    """Every message of a recording, in order. Raises ``LlrpError`` at the first bad one."""
    at = 0
    while at < len(data):
        length = frame_length(data[at : at + HEADER_BYTES], at)
        if at + length > len(data):
            raise LlrpTruncated(
                f"frame at byte {at} states {length} bytes and has {len(data) - at}", at
            )
        yield frame(data[at : at + length])
        at += length


def frame(data: bytes) -> Frame:
    """One whole frame, whose length has been checked."""
    first, _, number = struct.unpack_from(">HII", data)
    return Frame(first & _TYPE_MASK, number, data[HEADER_BYTES:])


def parameters(body: bytes, offset: int = 0, *, guess: bool = True) -> Iterator[Parameter]:
    """The parameters laid one after another in ``body``. Raises ``LlrpError``.

    A TV parameter that the standard does not know states no size. With ``guess`` the first
    size is taken with which what follows reads to its end; where none does, it takes the rest.
    """
    at = 0
    while at < len(body):
        if body[at] & _TV_FLAG:
            kind, head = body[at] & ~_TV_FLAG, 1
            size = _TV_BYTES.get(kind, 0)
            if not size:
                if not guess:
                    raise LlrpUnknownParameter(
                        f"TV parameter {kind} at byte {offset + at} has no known size", offset + at
                    )
                size = _guessed_size(body[at + 1 :])
            end = at + 1 + size
        else:
            if at + 4 > len(body):
                raise LlrpTruncated(
                    f"parameter at byte {offset + at} lacks its header", offset + at
                )
            first, length = struct.unpack_from(">HH", body, at)
            kind, head, end = first & _TYPE_MASK, 4, at + length
            if length < head:
                raise LlrpBadLength(
                    f"parameter {kind} at byte {offset + at} states {length} bytes", offset + at
                )
        if end > len(body):
            raise LlrpTruncated(
                f"parameter {kind} at byte {offset + at} ends {end - len(body)} bytes too late",
                offset + at,
            )
        yield Parameter(kind, body[at + head : end], offset + at + head)
        at = end


def _guessed_size(rest: bytes) -> int:
    for size in _GUESSED_TV_BYTES:
        if size > len(rest):
            continue
        try:
            for _ in parameters(rest[size:], guess=False):
                pass
        except LlrpError:
            continue
        return size
    return len(rest)


def tag_reports(body: bytes) -> list[TagReport]:
    """The tags of a ROAccessReport's body, in order. Raises ``LlrpError``."""
    return [
        _tag_report(parameter)
        for parameter in parameters(body)
        if parameter.type == TAG_REPORT_DATA
    ]


def readable_tag_reports(body: bytes) -> tuple[list[TagReport], int]:
    """As ``tag_reports``, and how many parts were unreadable: each costs only itself.

    The frame around them was whole, so the next one can still be found.
    """
    found: list[TagReport] = []
    bad = 0
    parts = parameters(body)
    while True:
        try:
            parameter = next(parts, None)
        except LlrpError:  # where it ends is not known: the rest of the message is lost
            return found, bad + 1
        if parameter is None:
            return found, bad
        if parameter.type == TAG_REPORT_DATA:
            try:
                found.append(_tag_report(parameter))
            except LlrpError:
                bad += 1


def check_body(message: Frame) -> None:
    """That the lengths inside add up, for messages made of parameters. Raises ``LlrpError``."""
    if message.type in _MADE_OF_PARAMETERS:
        for _ in parameters(message.body):
            pass


def as_json(message: Frame) -> dict[str, Any]:
    """``{"message": name, "tags": […]}``, with ``status`` and ``status_description`` of a
    response, and ``connection_attempt`` of a greeting (0: taken). Raises ``LlrpError``."""
    if message.type not in MESSAGES:
        raise LlrpUnknownMessage(f"LLRP has no message of type {message.type} (id {message.id})")
    check_body(message)
    tags = tag_reports(message.body) if message.name == "ROAccessReport" else []
    shown: dict[str, Any] = {"message": message.name, "tags": [tag.as_json() for tag in tags]}
    if message.name.endswith("Response") or message.name == "ErrorMessage":
        shown |= _shown_status(message.body)
    if message.name == "ReaderEventNotification":
        event = reader_event(message.body)
        attempt = event.connection_attempt
        if event.connection_closed:
            shown["connection_closed"] = True
        if attempt is not None:
            shown["connection_attempt"] = attempt
            shown["connection_attempt_description"] = (
                "success" if attempt == 0 else REFUSALS.get(attempt, f"status {attempt}")
            )
    return shown


def _shown_status(body: bytes) -> dict[str, Any]:
    if not any(parameter.type == LLRP_STATUS for parameter in parameters(body)):
        return {}
    code, description = status(body)
    return {"status": code, "status_description": description}


def status(body: bytes) -> tuple[int, str]:
    """Code (0 is success) and description of the LLRPStatus in a response."""
    for parameter in parameters(body):
        if parameter.type == LLRP_STATUS:
            if len(parameter.body) < 4:
                raise LlrpTruncated("LLRPStatus is too short", parameter.offset)
            code, length = struct.unpack_from(">HH", parameter.body)
            return int(code), parameter.body[4 : 4 + length].decode(errors="replace")
    raise LlrpError("the response has no LLRPStatus")


def ro_spec_ids(body: bytes) -> list[tuple[int, int]]:
    """Id and current state (0 disabled, 1 inactive, 2 active) of each ROSpec in a response."""
    found = []
    for parameter in parameters(body):
        if parameter.type == RO_SPEC:
            if len(parameter.body) < 6:
                raise LlrpTruncated("ROSpec is too short", parameter.offset)
            number, _, state = struct.unpack_from(">IBB", parameter.body)
            found.append((int(number), int(state)))
    return found


def reader_event(body: bytes) -> ReaderEvent:
    """What a ReaderEventNotification says. Raises ``LlrpError``."""
    utc: datetime | None = None
    attempt: int | None = None
    closed = False
    for data in parameters(body):
        if data.type != EVENT_DATA:
            continue
        for item in parameters(data.body, data.offset):
            if item.type == UTC_TIMESTAMP:
                utc = _instant(_exactly(item, 8))
            elif item.type == CONNECTION_ATTEMPT:
                attempt = int.from_bytes(_exactly(item, 2), "big")
            elif item.type == CONNECTION_CLOSE:
                closed = True
    return ReaderEvent(utc, attempt, closed)


def encode(type: int, id: int, body: bytes = b"", version: int = 1) -> bytes:
    """One message as bytes."""
    return struct.pack(">HII", version << 10 | type, HEADER_BYTES + len(body), id) + body


def tlv(type: int, body: bytes) -> bytes:
    """One TLV parameter as bytes."""
    return struct.pack(">HH", type, 4 + len(body)) + body


def continuous_inventory(number: int) -> bytes:
    """A ROSpec that begins when enabled, uses every antenna, and reports each tag as it is read.

    Reports carry antenna, peak RSSI, first and last time and count.
    """
    start = tlv(179, b"\x00")  # no start trigger: StartROSpec follows
    stop = tlv(182, struct.pack(">BI", 0, 0))
    antennas = struct.pack(">HH", 1, 0)  # antenna 0 is all of them
    inventory = tlv(186, struct.pack(">HB", 1, 1))  # C1G2
    ai_stop = tlv(184, struct.pack(">BI", 0, 0))
    selector = tlv(238, struct.pack(">H", 0b0001_0111_1000_0000))
    report = tlv(237, struct.pack(">BH", 1, 1) + selector)  # upon 1 tag or the end of the AISpec
    body = struct.pack(">IBB", number, 0, 0) + tlv(178, start + stop)
    return tlv(RO_SPEC, body + tlv(183, antennas + ai_stop + inventory) + report)


def keep_alive_every(milliseconds: int) -> bytes:
    """Body of a SetReaderConfig that asks for KeepAlives at this period and nothing else."""
    return b"\x00" + tlv(220, struct.pack(">BI", 1, milliseconds))


def _tag_report(report: Parameter) -> TagReport:
    epc: str | None = None
    bits: int | None = None
    unknown: list[int] = []
    numbers: dict[int, int] = {}
    for item in parameters(report.body, report.offset):
        if item.type == 13:
            epc, bits = item.body.hex(), 96
        elif item.type == EPC_DATA:
            epc, bits = _epc_data(item)
        elif item.type < _TYPES_OF_TLV and item.type not in _TV_BYTES:
            unknown.append(item.type)
        elif item.type in {1, 2, 4, 6, 8}:
            numbers[item.type] = int.from_bytes(item.body, "big", signed=item.type == 6)
    return TagReport(
        epc=epc,
        antenna=numbers.get(1),
        rssi=numbers.get(6),
        first_seen=_since(numbers.get(2)),
        last_seen=_since(numbers.get(4)),
        seen_count=numbers.get(8),
        epc_bits=bits,
        unknown=tuple(unknown),
    )


def _epc_data(item: Parameter) -> tuple[str, int]:
    """The code in hexadecimal, its padding zeroed, and how many bits it has."""
    if len(item.body) < 2:
        raise LlrpTruncated(f"EPCData at byte {item.offset} lacks its bit count", item.offset)
    bits = int.from_bytes(item.body[:2], "big")
    size = -(-bits // 8)
    if len(item.body) - 2 < size:
        raise LlrpTruncated(
            f"EPCData at byte {item.offset} states {size} bytes and has {len(item.body) - 2}",
            item.offset,
        )
    code = int.from_bytes(item.body[2 : 2 + size], "big")
    padding = 8 * size - bits
    return (code >> padding << padding).to_bytes(size, "big").hex(), bits


def _exactly(item: Parameter, size: int) -> bytes:
    if len(item.body) != size:
        raise LlrpBadLength(
            f"parameter {item.type} at byte {item.offset} has {len(item.body)} bytes, not {size}",
            item.offset,
        )
    return item.body


def _instant(data: bytes) -> datetime | None:
    return _since(int.from_bytes(data, "big"))


def _since(microseconds: int | None) -> datetime | None:
    """``None`` also for times beyond the calendar, which a broken clock can state."""
    if microseconds is None:
        return None
    try:
        return instant(microseconds)
    except OverflowError:
        return None
