"""Where a signal was heading when it was lost. Pure, with a state that can be kept.

A sensor that a strong discharge drives out of its range, or destroys, often answers with
nothing at all. What can be known then is what it showed until then: whether it rose (or
fell) faster than this signal ever does, would have reached its bound within a few more
readings, or stood close to it already.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Final, Literal

Direction = Literal["rising", "falling"]

_WINDOW: Final = 4
"""Readings over which a slope is taken."""
_AHEAD: Final = 5.0
"""Usual intervals that a slope is carried on: reaching the bound within them is fast."""
_CLOSE: Final = 0.1
"""Share of the way from the other bound that counts as close."""
_MOST_OF_THE_WAY: Final = 0.5
"""Share of the way from its usual level to the bound that a signal must have gone."""
_UNUSUAL: Final = 12.0
"""Times the signal's own usual change."""
_LEAST_CHANGE: Final = 0.01
"""Share of its level that a usual change is at least taken to be."""
_WARM_UP: Final = 12
_SETTLED: Final = 8
_LEVEL: Final = 0.02
_CHANGE: Final = 0.05
_GAP: Final = 4.0
"""Usual intervals after which a loss has nothing to do with the last reading any more."""
_GAP_UNKNOWN_US: Final = 3_600_000_000


@dataclass(frozen=True, slots=True)
class Heading:
    """What a signal may approach; ``inf`` where there is nothing. Rates per second."""

    high: float = math.inf
    low: float = -math.inf
    margin: float = 0.0
    """How near a bound is close in any case."""
    rate: float = math.inf


@dataclass(slots=True)
class Trend:
    """The recent course of one signal. Feed it readings in order."""

    times: list[int] = field(default_factory=list)
    """Microseconds since 1970, of the last readings."""
    values: list[float] = field(default_factory=list)
    usual_us: float = 0.0
    """Usual interval; 0 while unknown."""
    change: float = 0.0
    """Usual size of a change."""
    level: float = 0.0
    seen: int = 0

    def take(self, time_us: int, value: float) -> None:
        """One finite reading."""
        if self.times:
            step = time_us - self.times[-1]
            if step <= 0:  # a clock that was set back
                self.times, self.values, step = [], [], 0
            usual = self.usual_us or step
            if step:
                self.usual_us = usual + 0.1 * (min(step, 3 * usual) - usual)
            if step > _GAP * usual:
                self.times, self.values = [], []
        if self.values:
            jump = abs(value - self.values[-1])
            limit = jump if self.seen < _SETTLED else min(jump, 4 * self._usual_change())
            share = max(_CHANGE, 1 / (self.seen + 1))
            self.change += share * (limit - self.change)
        self.level += max(_LEVEL, 1 / (self.seen + 1)) * (value - self.level)
        self.seen += 1
        self.times.append(time_us)
        self.values.append(value)
        if len(self.times) > _WINDOW:
            del self.times[0], self.values[0]

    @property
    def last(self) -> float | None:
        """The newest reading."""
        return self.values[-1] if self.values else None

    def heading(self, time_us: int, bounds: Heading) -> Direction | None:
        """For a reading that is missing at ``time_us``: where the signal was going."""
        if not self.values:
            return None
        silent = time_us - self.times[-1]
        if silent > (_GAP * self.usual_us if self.usual_us else _GAP_UNKNOWN_US):
            return None
        watched = bounds.high if math.isfinite(bounds.high) else None
        asked = watched is not None or math.isfinite(bounds.rate)
        if asked and self._approaches(watched, bounds.low, bounds, 1.0):
            return "rising"
        if math.isfinite(bounds.low) and self._approaches(-bounds.low, -bounds.high, bounds, -1.0):
            return "falling"
        return None

    def _approaches(self, bound: float | None, other: float, bounds: Heading, sign: float) -> bool:
        """With ``sign`` −1 everything is seen upside down."""
        values = [sign * value for value in self.values]
        last, level = values[-1], sign * self.level
        rise = last - values[0]
        climbing = rise > 0 and last == max(values)
        if bound is not None:
            way = bound - other
            close = max(bounds.margin, _CLOSE * way if math.isfinite(way) else 0.0)
            if last >= bound - close:
                return True
            if self.seen >= _SETTLED and last - level >= _MOST_OF_THE_WAY * (bound - level) > 0:
                return True
        if not climbing:
            return False
        span_us = self.times[-1] - self.times[0], self.times[-1] - self.times[-2]
        slope = max(rise / span_us[0], (last - values[-2]) / span_us[1])
        if slope * 1e6 >= bounds.rate:
            return True
        if bound is not None and last + slope * _AHEAD * self.usual_us >= bound:
            return True
        return self.seen >= _WARM_UP and rise >= _UNUSUAL * self._usual_change() > 0

    def _usual_change(self) -> float:
        return max(self.change, _LEAST_CHANGE * abs(self.level))
