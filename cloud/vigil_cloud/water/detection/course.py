"""How well a signal can be foretold over about as long as a visit takes: learnt from its own quiet
water, so that what comes back from a visit elsewhere is told from what an hour changes. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan, nan, sqrt
from typing import Final

_AHEAD: Final = 6
"""Intervals."""
_EACH: Final = 8
"""Of so many values one is held against where the values before pointed to."""
_MISSED: Final = 0.05
"""Share of these that may be farther off than ``foretold`` says."""
_LEARNS: Final = 0.06
_AT_FIRST: Final = 1.5
_WELL, _BADLY = 1.0, 8.0
"""``foretold`` is so much at least and at most."""


class Course:
    """Of one signal."""

    __slots__ = ("_by_day", "_follow", "_from", "_offset", "_rows", "_scale", "_slope", "foretold")

    def __init__(self, follow: float) -> None:
        """``follow``: share by which the level goes along with what is usual, in an interval."""
        self._follow = follow
        self.foretold = _AT_FIRST
        """Times what it usually changes in the time, it is away from where it was foretold to be,
        but for one time in twenty."""
        self._from = nan
        self._slope = self._scale = self._by_day = self._offset = 0.0
        self._rows = 0

    def interrupted(self) -> None:
        """A value that is missing, late, held or doubted: what was foretold is not asked."""
        self._from, self._rows = nan, 0

    def take(self, x: float, slope: float, scale: float, usual: float) -> None:
        """The next value, an interval after the last; where it is pointing to (``slope``, before
        it), what it usually changes by, and what its hour of the day usually adds."""
        self._rows += 1
        if isnan(self._from) or self._rows > _AHEAD:
            if self._rows >= _EACH:
                self._from, self._slope, self._scale = x, slope, scale
                self._by_day, self._offset, self._rows = self._follow * usual, usual, 0
            return
        if self._rows < _AHEAD:
            self._by_day += self._follow * usual
            return
        by_day = self._by_day + usual - self._offset
        off = away(x - self._from, self._slope, by_day, _AHEAD) / self._scale / sqrt(_AHEAD)
        learnt = self.foretold * (1 + _LEARNS * ((1.0 if off > self.foretold else 0.0) - _MISSED))
        self.foretold = min(max(learnt, _WELL), _BADLY)

    def state(self) -> list[float | str]:
        """To be stored, as JSON, which has no nan."""
        kept = (self._slope, self._scale, self._by_day, self._offset, self._rows)
        return [self.foretold, str(self._from), *kept]

    def restore(self, state: Sequence[float | str]) -> None:
        """As it was stored."""
        self.foretold, self._from, *kept = map(float, state)
        self._slope, self._scale, self._by_day, self._offset = kept[:4]
        self._rows = int(kept[4])


def away(change: float, slope: float, by_day: float, intervals: int) -> float:
    """How far a change is from the nearest of none, the trend, and the time of the day."""
    return min(abs(change), abs(change - slope * intervals), abs(change - by_day))
