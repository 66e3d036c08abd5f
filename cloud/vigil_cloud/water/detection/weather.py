"""Whether a change of the water may be a discharge, or rain explains it. Pure.

Rain raises the stage, dilutes what conducts and washes turbidity in. A discharge moves a signal in
a direction of its own and by more than a calibration does.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import inf, nan
from typing import Final

from vigil_cloud.water.detection.kinds import CONDUCTIVITY, DISINFECTANT, FLOW
from vigil_cloud.water.detection.series import Series

_FLOOD: Final = 4.0
"""Times its usual distance from its level: the stage says that it has rained."""
_FLOODED_S: Final = 86400.0
_DOUBLED: Final = 100.0
"""Per cent: more is told, however often it happens."""
_FLUSH: Final = 2.0
"""Times what is usual: so much conductance the first water of a flood washes in."""
_SPIKE_IN_FLOOD: Final = 0.75
"""Share of a value that no flood takes away, or adds three times, and gives back at once."""
_SLOW_S: Final = 6 * 3600.0
_DILUTED: Final = 0.985
"""Of the conductance of the last hours: what is discharged brings ions, rain does not."""
_MOST_DISINFECTANT: Final = 5.0
"""mg/L: more of what is named like it is chloride."""
_DILUTED_S: Final = 12 * 3600.0
"""So long rain lasts in the water after it was last seen to dilute it."""


class Weather:
    """Of one station, brought up to date row by row."""

    def __init__(self) -> None:
        self.flood_s = -inf
        """When the stage last stood far above its level, or came down from there."""
        self.diluted_s = -inf
        """When the conductance last did, below it."""
        self.dry = inf
        """The conductance before that."""
        self.slow = nan
        """The conductance of the last hours."""
        self.treated = False
        """Whether it carries a disinfectant: no rain comes into a pipe."""
        self._now_s = -inf
        self._risen = self._saltier = False

    @property
    def flooded(self) -> bool:
        """Whether that was within the last day."""
        return self._now_s - self.flood_s <= _FLOODED_S and not self.treated

    @property
    def diluted(self) -> bool:
        """Whether it has rained into the water lately, and nothing else came since."""
        lately = self._now_s - self.diluted_s <= _DILUTED_S
        return lately and not self._risen and not self.treated

    def flooding(self, size: float, base: float) -> bool:
        """Whether a flood may have moved a signal so far and back within an interval."""
        return self.flooded and -_SPIKE_IN_FLOOD * abs(base) < size < 3 * abs(base)

    def state(self) -> list[float]:
        """All that is remembered of earlier rows."""
        kept = [self.flood_s, self.diluted_s, self.dry, self.slow, self._now_s]
        return [*kept, float(self.treated)]

    def restore(self, state: list[float]) -> None:
        """As it was stored."""
        self.flood_s, self.diluted_s, self.dry, self.slow, self._now_s = state[:5]
        self.treated = any(state[5:])  # of an earlier version it is seen in the next row

    def watch(self, at_s: float, signals: Iterable[Series]) -> None:
        """Take the signals of a row, after they have taken their values."""
        since, self._now_s = at_s - self._now_s, at_s
        self._risen = self._saltier = False
        rises = falls = treated = known = False
        for one in signals:
            name = one.kind.name  # quicker to compare than kinds
            if name == FLOW.name:
                rises, falls = rises or one.z > _FLOOD, falls or one.z < -_FLOOD
            elif name == CONDUCTIVITY.name:
                self._conductance(at_s, one.value, since)
            elif name == DISINFECTANT.name:
                treated = treated or 0 < one.usual <= _MOST_DISINFECTANT
                known = True
        if known:
            self.treated = treated
        # A gate that closes is no rain, and what raises the conductance too is a discharge's own
        # water; a flood that is there falls as well.
        if (rises and not self._saltier) or ((rises or falls) and self.flooded):
            self.flood_s = at_s

    def _conductance(self, at_s: float, x: float, since: float) -> None:
        if not self.slow > 0 or since > 4 * _SLOW_S:
            self.slow = x
        if 0 < x < _DILUTED * self.slow:
            if at_s - self.diluted_s > _DILUTED_S:
                self.dry = self.slow
            self.diluted_s = at_s
        self._saltier = x > self.slow / _DILUTED
        self._risen = self._saltier and x > self.dry / _DILUTED
        self.slow += min(since / _SLOW_S, 1.0) * (x - self.slow)

    def is_water(self, one: Series, size: float, base: float, *, supported: bool = False) -> bool:
        """Whether a change is in a direction and of a size that a discharge has; ``supported``:
        another signal says the same and no rain explains that, so that it is neither a calibration
        nor rain."""
        kind = one.kind
        if not (kind.rises if size > 0 else kind.falls):
            return False
        if one.beyond * size <= 0:
            return False
        if supported:
            return True
        if self.explains(one, size):
            return False
        if kind.share_alone > 0 and not self._more_than_by_itself(one):
            return False
        return abs(size) > max(kind.calibration, kind.calibration_share * abs(base))

    def _more_than_by_itself(self, one: Series) -> bool:
        """Whether a rise that no other signal shares is larger than this water rises by itself, of
        salt on roads, of ice, of what it drains."""
        share = max(100 * one.kind.share_alone, min(one.rising.threshold, _DOUBLED))
        return 100 * (one.value - one.usual) > share * abs(one.usual)

    def moved(self, one: Series, apart: float, joint: bool, *, supported: bool = False) -> bool:
        """Whether a lasting change is large enough for a discharge: half of that of a step, which
        may be a calibration, and less where several signals agree. ``supported`` as above."""
        kind = one.kind
        if not supported and (self.explains(one, apart) or (one.value - one.mean) * apart < 0):
            return False  # rain, or a dull day: it falls behind its usual course and still rises
        beyond = one.beyond
        share = kind.share_of if joint else kind.share_alone
        if beyond * apart <= 0 or abs(beyond) < share * abs(one.usual):
            return False  # back to what is usual
        if joint:
            return abs(apart) > one.little
        if kind.share_alone > 0 and not self._more_than_by_itself(one):
            return False
        least = max(kind.calibration, kind.calibration_share * abs(one.level)) / 2
        return abs(apart) > max(least, kind.share_alone * abs(one.level))

    def explains(self, one: Series, size: float) -> bool:
        """Whether rain explains a change: more water, diluted, what it washes in, and the way back
        to what was before."""
        kind, raining = one.kind, self.flooded or self.diluted
        if kind.name == "turbidity":
            return raining
        if kind == CONDUCTIVITY:
            if self.flooded and one.value <= _FLUSH * one.usual:
                return True
            return self.diluted and one.value <= self.dry / _DILUTED
        return raining and abs(size) <= kind.rain
