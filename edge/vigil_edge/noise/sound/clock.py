"""When a sample was: the sample count anchored to the wall clock.

A sound card's clock and the gateway's differ by some parts per million, blocks
arrive late by a varying amount, and NTP may step the wall clock. Samples are
evenly spaced, so the count gives the distances, and arrivals the anchor and, over
minutes, the card's drift against UTC.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from statistics import median
from typing import Final

WINDOW_S: Final = 10.0
SLEW: Final = 500e-6
"""Seconds of correction per second: ten times what a sound card's crystal needs."""
STEP_S: Final = 0.1
"""A disagreement beyond this is no drift: samples were lost, or the clock was set."""
WINDOWS: Final = 30
"""That the drift is worked out from: five minutes."""
_LEAST_WINDOWS: Final = 6
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class StreamTime:
    """Sample number to time, fixed: what an event keeps from its beginning to its end."""

    rate_hz: int
    origin_s: float
    """Of sample 0, seconds since 1970, as it follows from ``anchor`` at the nominal rate."""
    anchor: int = 0
    """Sample about which it holds best."""
    drift: float = 0.0
    """Seconds that pass in UTC beyond each second of nominal samples."""
    unsettled: bool = False
    """Samples were lost, nobody knows how many, and no window was heard since: the least delayed
    block may be yet to come."""

    def at(self, sample: int) -> datetime:
        """UTC, to the microsecond."""
        drifted_s = self.drift * (sample - self.anchor) / self.rate_hz
        return _EPOCH + timedelta(seconds=self.origin_s + sample / self.rate_hz + drifted_s)


@dataclass(slots=True)
class SampleClock:
    """Follows the wall clock slowly; feed it every arrival."""

    rate_hz: int
    _origin_s: float | None = field(init=False, default=None)
    """Of sample 0 at the nominal rate, as it follows from ``_anchor``."""
    _anchor: int = field(init=False, default=0)
    _drift: float = field(init=False, default=0.0)
    _earliest_s: float | None = field(init=False, default=None)
    """The smallest origin that an arrival of this window allows: the least delayed block. Without
    what the drift has added since the anchor."""
    _window_end: int = field(init=False, default=0)
    _settled: bool = field(init=False, default=False)
    _restarted: bool = field(init=False, default=False)
    """And not settled since."""
    _windows: deque[tuple[int, float]] = field(init=False)
    """Sample at each window's end, and the origin that its least delayed block gave."""
    stepped: int = field(init=False, default=0)
    """How often the anchor had to jump."""
    residual_s: float | None = field(init=False, default=None)
    """By how much the last window disagreed."""

    def __post_init__(self) -> None:
        self._windows = deque(maxlen=WINDOWS)

    @property
    def drift(self) -> float | None:
        """Of UTC against the card's nominal rate, seconds a second: positive where the card is
        slow. ``None`` before a minute was heard since the beginning or the last step."""
        return self._drift if len(self._windows) >= _LEAST_WINDOWS else None

    def arrived(self, samples: int, now: datetime, *, may_step: bool) -> None:
        """Block up to sample count ``samples`` is here at ``now``.

        ``may_step`` is false while an event is in progress: its times must not jump.
        """
        origin = (now - _EPOCH).total_seconds() - samples / self.rate_hz
        origin -= self._drifted_s(samples)
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
        self.residual_s = error
        if abs(error) > STEP_S:
            if not may_step:
                return
            self._origin_s += error
            self.stepped += 1
            self._windows.clear()
            self._drift = 0.0
        else:
            self._windows.append((samples, self._earliest_s + self._drifted_s(samples)))
            self._origin_s += max(-SLEW * WINDOW_S, min(SLEW * WINDOW_S, error))
        self._anchor_at(samples)
        self._settled, self._restarted = True, False
        self._earliest_s = None
        self._window_end = samples + int(WINDOW_S * self.rate_hz)

    def restart(self) -> None:
        """Before the next arrival samples are missing, nobody knows how many: the count says
        nothing of the time any more. Also while an event is in progress, since its own mapping is
        fixed and it is doubtful anyhow."""
        if self._origin_s is None:
            return
        self.stepped += 1
        self._origin_s, self._earliest_s, self._drift = None, None, 0.0
        self._windows.clear()
        self._settled, self._restarted = False, True

    def snapshot(self) -> StreamTime:
        """The mapping as it stands. Raises ``ValueError`` before the first arrival."""
        if self._origin_s is None:
            raise ValueError("no block has arrived yet")
        return StreamTime(self.rate_hz, self._origin_s, self._anchor, self._drift, self._restarted)

    def _drifted_s(self, samples: int) -> float:
        return self._drift * (samples - self._anchor) / self.rate_hz

    def _anchor_at(self, samples: int) -> None:
        """From here on the drift counts anew, as it is known by now."""
        assert self._origin_s is not None  # noqa: S101 - set by the first arrival
        self._origin_s += self._drifted_s(samples)
        self._anchor = samples
        half = len(self._windows) // 2
        if len(self._windows) < _LEAST_WINDOWS:
            return
        pairs = zip(self._windows, islice(self._windows, half, None), strict=False)
        slopes = [(b[1] - a[1]) * self.rate_hz / (b[0] - a[0]) for a, b in pairs]
        self._drift = max(-SLEW, min(SLEW, median(slopes)))
