"""Whether a change of the water may be a discharge, or rain explains it. Pure.

Rain raises the stage, dilutes what conducts and washes turbidity in. A discharge moves a signal in
a direction of its own and by more than a calibration does.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import inf
from typing import Final

from vigil_cloud.water.detection.kinds import CONDUCTIVITY, Kind
from vigil_cloud.water.detection.series import Series

_FLOOD: Final = 4.0
"""Times its usual distance from its level: the stage says that it has rained."""
_FLOODED_S: Final = 86400.0
_DILUTING: Final = 2.0
_DILUTED: Final = 0.97


class Weather:
    """Of one station, brought up to date row by row."""

    def __init__(self) -> None:
        self.flood_s = -inf
        """When the stage last stood far from its level; all that is remembered of earlier rows."""
        self._now_s = -inf
        self._diluting = False

    @property
    def flooded(self) -> bool:
        """Whether that was within the last day."""
        return self._now_s - self.flood_s <= _FLOODED_S

    def watch(self, at_s: float, signals: Iterable[Series]) -> None:
        """Take the signals of a row, after they have taken their values."""
        self._now_s = at_s
        self._diluting = False
        for one in signals:
            if one.kind.name == "flow" and abs(one.z) > _FLOOD:
                self.flood_s = at_s
            if one.kind is CONDUCTIVITY and one.z < -_DILUTING and one.value < _DILUTED * one.level:
                self._diluting = True

    def is_water(self, one: Series, size: float, base: float) -> bool:
        """Whether a change is in a direction and of a size that a discharge has."""
        kind = one.kind
        if not (kind.rises if size > 0 else kind.falls):
            return False
        if self._raining(kind, size) or (one.value - one.usual) * size <= 0:
            return False
        return abs(size) > max(kind.calibration, kind.calibration_share * abs(base))

    def moved(self, one: Series, apart: float, joint: bool) -> bool:
        """Whether a lasting change is large enough for a discharge: half of that of a step, which
        may be a calibration, and less where several signals agree."""
        kind = one.kind
        if self._raining(kind, apart):
            return False
        beyond = one.value - one.usual
        if beyond * apart <= 0 or abs(beyond) < kind.share_of * abs(one.usual):
            return False  # back to what is usual
        if joint:
            return True
        least = max(kind.calibration, kind.calibration_share * abs(one.level)) / 2
        return abs(apart) > max(least, kind.share_of * abs(one.level))

    def _raining(self, kind: Kind, size: float) -> bool:
        """Whether rain explains a change: more water, diluted, or what it washes in."""
        raining = self.flooded or self._diluting
        return raining if kind.name == "turbidity" else raining and abs(size) <= kind.rain
