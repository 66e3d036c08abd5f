"""What the simulated reader says about itself: capabilities and configuration.

A four-port reader of Taiwan's band (NCC LP0002, 922.25–927.75 MHz).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from vigil_sim.checkin.llrp import llrp_status, tlv

MANUFACTURER: Final = 0
"""No vendor's enterprise number: the reader has no vendor's extensions."""
MODEL: Final = 1
FIRMWARE: Final = b"vigil-sim 1"
_TAIWAN: Final = 158
_LP0002: Final = 8
_CHANNELS_KHZ: Final = tuple(range(922_250, 928_000, 500))
_POWER_STEPS: Final = 9
"""Transmit power from 10 to 30 dBm in steps of 2.5 dB."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """What GET_READER_CONFIG asks about."""

    reader_id: bytes
    antennas: int = 4
    connected: int = 1
    """How many of the antennas are plugged in, from port 1."""
    power_index: int = _POWER_STEPS
    mode: int = 1000
    events: int = (1 << 4) | (1 << 8)
    """Bit per event type that the reader reports."""
    state: int = 0x7AA9AFE6
    """LLRPConfigurationStateValue: changes with the configuration."""
    keepalive_ms: int = 0


def capabilities(antennas: int) -> bytes:
    """Body of GET_READER_CAPABILITIES_RESPONSE."""
    return b"".join(
        (
            llrp_status(),
            _general(antennas),
            _llrp_capabilities(),
            _regulatory(),
            tlv(327, b"\x00\x00\x01"),
        )
    )


def _general(antennas: int) -> bytes:
    has_utc_clock = 0x4000
    protocols = [tlv(140, struct.pack(">HHB", n, 1, 1)) for n in range(1, antennas + 1)]
    return tlv(
        137,
        struct.pack(">HHII", antennas, has_utc_clock, MANUFACTURER, MODEL),
        struct.pack(">H", len(FIRMWARE)),
        FIRMWARE,
        tlv(139, struct.pack(">HH", 1, 0)),
        tlv(141, struct.pack(">HH", 4, 4)),
        *protocols,
    )


def _llrp_capabilities() -> bytes:
    # No RF survey, no client requests, no state awareness; 16 ROSpecs of 8 specs.
    return tlv(142, struct.pack(">BBHIIIII", 0, 1, 0, 16, 8, 8, 0, 0))


def _regulatory() -> bytes:
    powers = [
        tlv(145, struct.pack(">Hh", step, 1000 + 250 * (step - 1)))
        for step in range(1, _POWER_STEPS + 1)
    ]
    hops = tlv(
        147,
        struct.pack(">BBH", 1, 0, len(_CHANNELS_KHZ)),
        struct.pack(f">{len(_CHANNELS_KHZ)}I", *_CHANNELS_KHZ),
    )
    mode = tlv(
        329, struct.pack(">IBBBBIIIII", 1000, 0x80, 2, 2, 2, 250_000, 1500, 20_000, 20_000, 0)
    )
    band = tlv(144, *powers, tlv(146, b"\x80", hops), tlv(328, mode))
    return tlv(143, struct.pack(">HH", _TAIWAN, _LP0002), band)


def configuration(about: Configuration) -> bytes:
    """Body of GET_READER_CONFIG_RESPONSE with everything in it."""
    ports = range(1, about.antennas + 1)
    return b"".join(
        (
            llrp_status(),
            tlv(218, struct.pack(">BH", 0, len(about.reader_id)), about.reader_id),
            *(_antenna_properties(port, port <= about.connected) for port in ports),
            *(_antenna_configuration(port, about) for port in ports),
            _event_spec(about.events),
            _report_spec(),
            tlv(239, b"\x01"),
            tlv(217, struct.pack(">I", about.state)),
            tlv(220, struct.pack(">BI", int(about.keepalive_ms > 0), about.keepalive_ms)),
            *(tlv(225, struct.pack(">HBB", port, 0, 0)) for port in range(1, 5)),
            *(tlv(219, struct.pack(">HB", port, 0)) for port in range(1, 5)),
            tlv(226, b"\x00"),
        )
    )


def _antenna_properties(port: int, connected: bool) -> bytes:
    return tlv(221, struct.pack(">BHh", 0x80 if connected else 0, port, 0))


def _antenna_configuration(port: int, about: Configuration) -> bytes:
    return tlv(
        222,
        struct.pack(">H", port),
        tlv(223, struct.pack(">H", 1)),
        tlv(224, struct.pack(">HHH", 1, 0, about.power_index)),
        tlv(
            330,
            b"\x00",
            tlv(335, struct.pack(">HH", about.mode, 0)),
            tlv(336, struct.pack(">BHI", 0x40, 32, 0)),
        ),
    )


def _event_spec(events: int) -> bytes:
    states = (
        tlv(245, struct.pack(">HB", kind, 0x80 if events >> kind & 1 else 0)) for kind in range(9)
    )
    return tlv(244, *states)


def _report_spec() -> bytes:
    # After each tag: antenna, RSSI, first seen; no PC and CRC words.
    return tlv(237, b"\x02\x00\x01", tlv(238, struct.pack(">H", 0x1600), tlv(348, b"\x00")))
