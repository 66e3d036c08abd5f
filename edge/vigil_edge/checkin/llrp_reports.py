"""What an LLRP reader says: tags, its clock, how a request went. Pure.

Source: LLRP 1.1, sections 13 (reports and events) and 14 (status). Decoding any bytes raises
``LlrpError`` or nothing else.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from vigil_edge.checkin import epc as epcs
from vigil_edge.checkin.errors import LlrpBadLength, LlrpError, LlrpTruncated
from vigil_edge.checkin.llrp_frames import TV_BYTES, TYPES_OF_TLV, Parameter, parameters
from vigil_schemas.senml import instant
from vigil_schemas.types import isoformat_utc

TAG_REPORT_DATA: Final = 240
EPC_DATA: Final = 241
LLRP_STATUS: Final = 287
EVENT_DATA: Final = 246
UTC_TIMESTAMP: Final = 128
CONNECTION_ATTEMPT: Final = 256
CONNECTION_CLOSE: Final = 257
RO_SPEC: Final = 177
GENERAL_CAPABILITIES: Final = 137
LLRP_CAPABILITIES: Final = 142
_HAS_CLOCK: Final = 0x4000


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


def status(body: bytes) -> tuple[int, str]:
    """Code (0 is success) and description of the LLRPStatus in a response."""
    for parameter in parameters(body):
        if parameter.type == LLRP_STATUS:
            if len(parameter.body) < 4:
                raise LlrpTruncated("LLRPStatus is too short", parameter.offset)
            code, length = struct.unpack_from(">HH", parameter.body)
            return int(code), parameter.body[4 : 4 + length].decode(errors="replace")
    raise LlrpError("the response has no LLRPStatus")


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a reader can do, as far as it says so (LLRP 1.1, 9.2.1 and 9.2.2)."""

    antennas: int | None = None
    clock: bool | None = None
    """Whether it stamps with UTC, and not with its time since it was switched on."""
    manufacturer: int | None = None
    """IANA private enterprise number."""
    model: int | None = None
    firmware: str | None = None
    ro_specs: int | None = None
    """How many it keeps; 0 or ``None``: not said."""


def capabilities(body: bytes) -> Capabilities:
    """Of a GetReaderCapabilitiesResponse. Raises ``LlrpError``."""
    found: dict[str, Any] = {}
    for item in parameters(body):
        if item.type == GENERAL_CAPABILITIES and len(item.body) >= 14:
            antennas, flags, maker, model, length = struct.unpack_from(">HHIIH", item.body)
            found |= {
                "antennas": int(antennas),
                "clock": bool(flags & _HAS_CLOCK),
                "manufacturer": int(maker),
                "model": int(model),
                "firmware": item.body[14 : 14 + length].decode(errors="replace"),
            }
        if item.type == LLRP_CAPABILITIES and len(item.body) >= 8:
            found["ro_specs"] = int(struct.unpack_from(">I", item.body, 4)[0])
    return Capabilities(**found)


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
        elif item.type < TYPES_OF_TLV and item.type not in TV_BYTES:
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
