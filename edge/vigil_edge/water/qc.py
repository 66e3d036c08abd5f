"""Quality control of one signal, reading by reading: QARTOD's tests in strictly causal form.

Pure: time and value in, flag out. Source: IOOS QARTOD "Manual for Real-Time Quality
Control of In-Situ … Data" (gross range, rate of change, flat line, spike, missing).
QARTOD's spike test looks at the next reading too; here a jump is held against the
signal's own recent changes, flagged at once, and believed when it stays. A flag is
never taken back, so a live stream and a replay of it agree.
"""

from __future__ import annotations

import math
from typing import Final

from vigil_schemas.recordings.limits import UNLIMITED, Limits
from vigil_schemas.types import QartodFlag

SPIKE_FACTOR: Final = 8.0
SPIKE_WARM_UP: Final = 24
_SPIKE_BELIEVED: Final = 4
"""A jump seen in this many readings in a row is the water's, not the sensor's."""
_TRACK: Final = 0.04
_TRACKED_SHARE: Final = 0.1
"""The tracked change is exceeded by this share of changes (the 90th percentile)."""
CHANGE_RISES: Final = 1 + _TRACK * (1 - _TRACKED_SHARE) * 4
CHANGE_FALLS: Final = 1 - _TRACK * _TRACKED_SHARE * 4
GAP_FACTOR: Final = 4.0
_CLOCK_BELIEVED: Final = 4
"""So many readings in a row that run forward behind an earlier one: the clock was set back."""
FLAT_FAIL: Final = 4.0
STILL_FACTOR: Final = 4.0


class SignalQc:
    """The tests of one signal. Feed it readings in the order in which they come."""

    __slots__ = (
        "_behind",
        "_behind_t",
        "_change",
        "_flat_count",
        "_flat_since",
        "_flat_value",
        "_held",
        "_in_fail",
        "_in_suspect",
        "_last_t",
        "_limits",
        "_period",
        "_reference",
        "_seen",
    )

    def __init__(self, limits: Limits = UNLIMITED) -> None:
        self._limits = limits
        # Asked for at every reading: kept as plain numbers.
        self._in_fail = limits.fail or (-math.inf, math.inf)
        self._in_suspect = limits.suspect or (-math.inf, math.inf)
        self._last_t: float | None = None
        self._behind = 0
        self._behind_t = -math.inf
        self._reference: float | None = None
        self._period = math.inf
        self._change = 0.0
        self._seen = 0
        self._held = 0
        self._flat_value = math.nan
        self._flat_since = 0.0
        self._flat_count = 0

    def check(self, t: float | None, value: float | None) -> QartodFlag:
        """Flag one reading; ``t`` in seconds from any origin, ``None`` where it cannot be known.

        A missing value is ``None`` or NaN; an infinite one is off scale and fails. Readings
        whose time is unknown or not after the one before get the tests that need no time,
        until it shows that the clock was set back: one reading with a date far ahead costs
        no more than a few.
        """
        if value is None:
            return QartodFlag.MISSING
        if value - value != 0.0:
            return QartodFlag.MISSING if math.isnan(value) else QartodFlag.FAIL
        low, high = self._in_fail
        if not low <= value <= high:
            return QartodFlag.FAIL  # nor may it become what later readings are compared with
        if t is not None and t == self._last_t and value != self._flat_value:
            self._held = 0  # two values for one moment: neither is to be believed
            return QartodFlag.SUSPECT
        if t is None or (self._last_t is not None and t <= self._last_t and self._is_late(t)):
            return self._in_range(value)
        self._behind = 0
        evaluated, suspect = self._against_the_past(t, value)
        self._last_t = t
        if value != self._flat_value:
            self._flat_value, self._flat_since, self._flat_count = value, t, 1
        else:
            flat = self._flat(t, value)
            if flat is QartodFlag.FAIL:
                return flat
            suspect = suspect or flat is QartodFlag.SUSPECT
        if suspect:
            return QartodFlag.SUSPECT
        in_range = self._in_range(value)
        if in_range is QartodFlag.NOT_EVALUATED and evaluated:
            return QartodFlag.GOOD
        return in_range

    def _is_late(self, t: float) -> bool:
        """Whether a reading behind the newest is only that, and the clock was not set back."""
        self._behind = self._behind + 1 if t > self._behind_t else 1
        self._behind_t = t
        if self._behind < _CLOCK_BELIEVED:
            return True
        self._behind_t = -math.inf
        self._last_t = self._reference = None
        self._held, self._flat_value = 0, math.nan
        return False

    def _in_range(self, value: float) -> QartodFlag:
        low, high = self._in_suspect
        if not low <= value <= high:
            return QartodFlag.SUSPECT
        limits = self._limits
        if limits.fail is None and limits.suspect is None:
            return QartodFlag.NOT_EVALUATED
        return QartodFlag.GOOD

    def _against_the_past(self, t: float, value: float) -> tuple[bool, bool]:
        """Whether rate or spike could be tested, and whether either is suspect."""
        if self._last_t is None or self._reference is None:
            self._reference = value
            return False, False
        step = t - self._last_t
        usual = self._period
        self._period = step if usual == math.inf else usual + 0.1 * (min(step, 3 * usual) - usual)
        if step > GAP_FACTOR * usual:  # after a gap nothing can be said of a change
            self._reference, self._held = value, 0
            return False, False
        jump = abs(value - self._reference)
        evaluated = suspect = False
        limits = self._limits
        if limits.rate_suspect is not None:
            evaluated = True
            suspect = jump > limits.rate_suspect * step * (self._held + 1)
        if limits.spike and self._seen >= SPIKE_WARM_UP:
            evaluated = True
            # Most changes are not larger than usual ones: nothing more is to be asked then.
            if jump > SPIKE_FACTOR * self._change:
                suspect = suspect or jump > self._floor()
        self._learn(jump)
        if suspect and self._held + 1 < _SPIKE_BELIEVED:
            self._held += 1
        else:
            self._reference, self._held = value, 0
        return evaluated, suspect

    def _floor(self) -> float:
        limits, reference = self._limits, self._reference or 0.0
        return max(limits.spike_floor, limits.spike_floor_share * abs(reference))

    def _learn(self, jump: float) -> None:
        """Track a high quantile of the changes, without keeping them.

        Rises by a fixed share where a change is above it and falls where below, so that
        one enormous spike teaches it no more than a small one.
        """
        if self._seen == 0 or self._change == 0.0:
            self._change = jump
        elif jump > self._change:
            self._change *= CHANGE_RISES
        else:
            self._change *= CHANGE_FALLS
        self._seen += 1

    def _flat(self, t: float, value: float) -> QartodFlag:
        """For a reading that is the same as the one before."""
        limits = self._limits
        self._flat_count += 1
        if limits.flat_s is None or value <= limits.flat_above:
            return QartodFlag.GOOD
        allowed = limits.flat_s
        if limits.still is not None and limits.still[0] <= value <= limits.still[1]:
            allowed *= STILL_FACTOR
        still = t - self._flat_since
        if still < allowed or self._flat_count < limits.flat_readings:
            return QartodFlag.GOOD
        if still < FLAT_FAIL * allowed or self._flat_count < FLAT_FAIL * limits.flat_readings:
            return QartodFlag.SUSPECT
        return QartodFlag.FAIL
