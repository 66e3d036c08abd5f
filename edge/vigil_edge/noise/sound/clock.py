"""When a sample was: the sample count anchored to the wall clock.

A sound card's clock and the gateway's differ by some parts per million, blocks
arrive late by a varying amount, and NTP may step the wall clock. Samples are
evenly spaced, so the count gives the distances, and arrivals only the anchor.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

WINDOW_S: Final = 10.0
SLEW: Final = 500e-6
"""Seconds of correction per second: ten times what a sound card's crystal needs."""
STEP_S: Final = 0.1
"""A disagreement beyond this is no drift: samples were lost, or the clock was set."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class StreamTime:
    """Sample number to time, fixed: what an event keeps from its beginning to its end."""

    rate_hz: int
    origin_s: float
    """Of sample 0, seconds since 1970."""

    def at(self, sample: int) -> datetime:
        """UTC, to the microsecond."""
        return _EPOCH + timedelta(seconds=self.origin_s + sample / self.rate_hz)


@dataclass(slots=True)
class SampleClock:
    """Follows the wall clock slowly; feed it every arrival."""

    rate_hz: int
    _origin_s: float | None = field(init=False, default=None)
    _earliest_s: float | None = field(init=False, default=None)
    """The smallest origin that an arrival of this window allows: the least delayed block."""
    _window_end: int = field(init=False, default=0)
    _settled: bool = field(init=False, default=False)
    stepped: int = field(init=False, default=0)
    """How often the anchor had to jump."""

    def arrived(self, samples: int, now: datetime, *, may_step: bool) -> None:
        """Block up to sample count ``samples`` is here at ``now``.

        ``may_step`` is false while an event is in progress: its times must not jump.
        """
        origin = (now - _EPOCH).total_seconds() - samples / self.rate_hz
        self._earliest_s = origin if self._earliest_s is None else min(self._earliest_s, origin)
        if self._origin_s is None:
            self._origin_s = origin
            self._window_end = samples + int(WINDOW_S * self.rate_hz)
        if not self._settled:
            # The first block may have waited in a buffer: an earlier origin is a better one.
            self._origin_s = self._earliest_s
        if samples < self._window_end:
            return
        error = self._earliest_s - self._origin_s
        if abs(error) > STEP_S:
            if not may_step:
                return
            self._origin_s += error
            self.stepped += 1
        else:
            self._origin_s += max(-SLEW * WINDOW_S, min(SLEW * WINDOW_S, error))
        self._settled = True
        self._earliest_s = None
        self._window_end = samples + int(WINDOW_S * self.rate_hz)

    def snapshot(self) -> StreamTime:
        """The mapping as it stands. Raises ``ValueError`` before the first arrival."""
        if self._origin_s is None:
            raise ValueError("no block has arrived yet")
        return StreamTime(self.rate_hz, self._origin_s)
