"""LLRP as a check-in station needs it: what it prints of a message, and what it asks a reader for.

Why a codec of our own: a station needs one report and a handful of requests, and each
byte of them comes from a network that strangers can reach; what is here can be read whole.
``llrp_frames`` has the encoding, ``llrp_reports`` what readers say.
"""

from __future__ import annotations

import struct
from typing import Any, Final

from vigil_edge.checkin.errors import LlrpUnknownMessage
from vigil_edge.checkin.llrp_frames import (
    HEADER_BYTES,
    MAX_FRAME_BYTES,
    MESSAGES,
    Frame,
    check_body,
    encode,
    frame,
    frame_length,
    frames,
    message_type,
    parameters,
    tlv,
)
from vigil_edge.checkin.llrp_reports import (
    LLRP_STATUS,
    REFUSALS,
    RO_SPEC,
    Capabilities,
    ReaderEvent,
    TagReport,
    capabilities,
    readable_tag_reports,
    reader_event,
    ro_spec_ids,
    status,
    tag_reports,
)

__all__ = [
    "HEADER_BYTES",
    "MAX_FRAME_BYTES",
    "MESSAGES",
    "REFUSALS",
    "Capabilities",
    "Frame",
    "ReaderEvent",
    "TagReport",
    "as_json",
    "capabilities",
    "continuous_inventory",
    "encode",
    "frame",
    "frame_length",
    "frames",
    "keep_alive_every",
    "message_type",
    "readable_tag_reports",
    "reader_event",
    "ro_spec_ids",
    "status",
    "tag_reports",
    "tlv",
]
EVERYTHING: Final = b"\x00"
"""Body of a GetReaderCapabilities that asks for all of them."""


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
