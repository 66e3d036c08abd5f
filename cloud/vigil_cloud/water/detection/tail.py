"""Thresholds that keep a false-alarm rate: the upper tail of a score, learnt from its daily maxima.

Scores of natural water have heavy tails that differ from station to station and season to season;
no factor of a standard deviation keeps a rate. The highest score of a day does: its distribution
over four weeks is described by a Gumbel law for its logarithm, whose place and width come from the
median and the median deviation, so that days with a discharge in them change little. What crosses
the threshold all the same on more days than are granted raises it above those. Pure.
"""

from __future__ import annotations

from collections import deque
from math import exp, log
from typing import Final

_DAYS: Final = 28
_FEWEST: Final = 3
_SURE: Final = 10
"""From so many days on the first threshold no longer counts."""
_QUARTER_OF_GUMBEL: Final = 0.693
"""From the lower quarter to the middle: days with a discharge are in the upper half."""
_WIDEST: Final = 0.3
"""Of the logarithm: beyond it days differ by weather, and the days that are granted decide."""
_SMALLEST, _LARGEST = 0.1, 1e4


class Tail:
    """The threshold of one score of one signal."""

    __slots__ = ("days", "first", "granted", "highest", "threshold", "width", "y")

    def __init__(self, first: float, y: float, width: float, granted: int) -> None:
        """``first``: until enough is learnt. ``y``: reduced Gumbel variate of the wanted rate.
        ``width``: of the logarithm, at least. ``granted``: days of 28 that may cross it."""
        self.first, self.y, self.width, self.granted = first, y, width, granted
        self.days: deque[float] = deque(maxlen=_DAYS)
        self.highest = 0.0
        self.threshold = first

    def end_day(self) -> None:
        """Learn from the day that is over."""
        if self.highest > 0:
            self.days.append(log(min(max(self.highest, _SMALLEST), _LARGEST)))
            self.highest = 0.0
        self._learn()

    def _learn(self) -> None:
        count = len(self.days)
        if count < _FEWEST:
            return
        ordered = sorted(self.days)
        middle = (ordered[(count - 1) // 2] + ordered[count // 2]) / 2
        apart = middle - ordered[count // 4]
        width = max(min(apart / _QUARTER_OF_GUMBEL, _WIDEST), self.width)
        wanted = middle + width * self.y
        if count > self.granted:
            wanted = max(wanted, ordered[-1 - self.granted] + self.width / 2)
        if count < _SURE:
            share = count / _SURE
            wanted = share * wanted + (1 - share) * max(wanted, log(self.first))
        self.threshold = exp(wanted)

    def state(self) -> list[float]:
        """To be stored."""
        return [self.highest, *self.days]

    def restore(self, state: list[float]) -> None:
        """As it was stored."""
        self.highest, self.days = state[0], deque(state[1:], maxlen=_DAYS)
        self._learn()
