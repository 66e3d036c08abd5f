"""What RTP and RTCP say of when a picture was taken (RFC 3550): the sender's report ties its RTP
clock to its own wall clock. Pure."""

from __future__ import annotations

import struct
from collections import deque
from dataclasses import dataclass, field
from typing import Final

VIDEO_HZ: Final = 90_000
"""Of every RTP payload format for video."""
_SENDER_REPORT: Final = 200
_NTP_EPOCH_S: Final = 2_208_988_800
"""From 1900 to 1970."""
_WRAP: Final = 1 << 32
_PICTURES: Final = 500
"""Ten seconds at 50 a second: a player may be behind by so much."""
_NEAR_S: Final = 0.1
HOLDS_S: Final = 60.0
"""So long a report tells the time: a camera's two clocks drift apart, and reports come every few
seconds."""


@dataclass(frozen=True, slots=True)
class SenderReport:
    """One of a sender: its RTP clock showed ``rtp`` when its wall clock showed ``wall_s``."""

    ssrc: int
    wall_s: float
    """Seconds since 1970."""
    rtp: int


def sender_reports(packet: bytes) -> list[SenderReport]:
    """In a compound RTCP packet; what is torn or something else is left out."""
    found, at = [], 0
    while at + 8 <= len(packet):
        first, kind, words = struct.unpack_from("!BBH", packet, at)
        end = at + 4 * (words + 1)
        if first >> 6 != 2 or end > len(packet):
            break
        if kind == _SENDER_REPORT and end - at >= 28:
            ssrc, seconds, fraction, rtp = struct.unpack_from("!4I", packet, at + 4)
            if seconds:  # a sender that has no wall clock says 0
                wall_s = seconds - _NTP_EPOCH_S + fraction / _WRAP
                found.append(SenderReport(ssrc, wall_s, rtp))
        at = end
    return found


def rtp_time(packet: bytes) -> tuple[int, int] | None:
    """Sender and timestamp of an RTP packet; ``None`` for what is none."""
    if len(packet) < 12 or packet[0] >> 6 != 2:
        return None
    timestamp, ssrc = struct.unpack_from("!2I", packet, 4)
    return ssrc, timestamp


@dataclass(slots=True)
class SenderClock:
    """One sender's, fed with its packets in order."""

    first: int | None = field(init=False, default=None)
    """Timestamp of its first RTP packet: where players begin to count."""
    report: SenderReport | None = field(init=False, default=None)
    """The latest."""
    _reported: int = field(init=False, default=0)
    """Ticks since the first packet when it came."""
    _lately: deque[int] = field(init=False)
    """Ticks since the first of the latest pictures, each once."""

    def __post_init__(self) -> None:
        self._lately = deque(maxlen=_PICTURES)

    def packet(self, timestamp: int) -> None:
        """One of its RTP packets; those of one picture share a timestamp."""
        self.first = timestamp if self.first is None else self.first
        last = self._lately[-1] if self._lately else 0
        ticks = last + _signed(timestamp - self.first - last)
        if not self._lately or ticks != last:
            self._lately.append(ticks)

    def told(self, report: SenderReport) -> None:
        """One of its reports."""
        self.report = report
        self._reported = self._lately[-1] if self._lately else 0

    def wall_s(self, since_first_s: float) -> float | None:
        """When the picture was taken that came about so long after the first, by the sender's wall
        clock; ``None`` without a report within a minute of it, or where no picture is near."""
        if self.first is None or self.report is None:
            return None
        asked = since_first_s * VIDEO_HZ
        nearest = min(self._lately, key=lambda ticks: abs(ticks - asked))
        if abs(nearest - asked) > _NEAR_S * VIDEO_HZ:
            return None
        passed = _signed(self.first + nearest - self.report.rtp)
        # By the packets that came, since the 32-bit clock turns over every 13 hours.
        if max(abs(nearest - self._reported), abs(passed)) > HOLDS_S * VIDEO_HZ:
            return None
        return self.report.wall_s + passed / VIDEO_HZ


def _signed(ticks: int) -> int:
    """By the nearest turn of the 32-bit clock."""
    return (ticks + _WRAP // 2) % _WRAP - _WRAP // 2
