"""LLRP 1.0.1/1.1 on the wire: messages and the parameters inside them.

Pure. Decoding any bytes raises ``LlrpError`` or nothing else. Source: EPCglobal
"Low Level Reader Protocol (LLRP)" 1.1, sections 10 (messages) and 17 (binary encoding). A
message is 3 reserved bits, 3 version bits, 10 type bits, u32 length of the whole frame, u32
message id. A TLV parameter is 6 reserved bits, 10 type bits, u16 length with its own header; a
TV parameter is one byte with the top bit set and a body whose size only the standard tells.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from vigil_edge.checkin.errors import (
    LlrpBadLength,
    LlrpBadVersion,
    LlrpError,
    LlrpOversized,
    LlrpTruncated,
    LlrpUnknownMessage,
    LlrpUnknownParameter,
)

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

TV_BYTES: Final[dict[int, int]] = {
    1: 2, 2: 8, 3: 8, 4: 8, 5: 8, 6: 1, 7: 2, 8: 2, 9: 4, 10: 2,
    11: 2, 12: 2, 13: 12, 14: 2, 15: 2, 16: 4, 17: 2, 18: 4, 19: 2, 20: 2,
}  # fmt: skip
"""Body sizes of the TV-encoded parameters, LLRP 1.1 section 17.2.1.2."""

_GUESSED_TV_BYTES: Final = (2, 1, 4, 8, 12, 3, 6, 5, 7, 10, 16)
"""Sizes that are tried for a TV parameter that the standard does not know."""
_TV_FLAG: Final = 0x80
_TYPE_MASK: Final = 0x3FF
TYPES_OF_TLV: Final = 128
"""TV parameters have types below, TLV parameters from here on."""


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
            size = TV_BYTES.get(kind, 0)
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


def check_body(message: Frame) -> None:
    """That the lengths inside add up, for messages made of parameters. Raises ``LlrpError``."""
    if message.type in _MADE_OF_PARAMETERS:
        for _ in parameters(message.body):
            pass


def encode(type: int, id: int, body: bytes = b"", version: int = 1) -> bytes:
    """One message as bytes."""
    return struct.pack(">HII", version << 10 | type, HEADER_BYTES + len(body), id) + body


def tlv(type: int, body: bytes) -> bytes:
    """One TLV parameter as bytes."""
    return struct.pack(">HH", type, 4 + len(body)) + body
