"""QARTOD's tests against what is known beside the last few readings: the season (climatology), how
lively a signal is (attenuated signal), and a second sensor (neighbour). Pure and strictly causal.

Source: IOOS QARTOD manuals, tests 7 (climatology), 12 (attenuated signal), 13 (neighbour). The
first two give the flags of ``ioos_qc`` 3 in batch (``climatology_test``,
``attenuated_signal_test``), but where that is known to fail: a season over the end of the year
([11, 2]) is one season here and none there. Only QARTOD's own flags are given: outside of the
season's range is suspect, never fail, since a discharge is out of season, too.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

from vigil_schemas.types import QartodFlag

Period = Literal["month", "quarter", "dayofyear", "hour"]
Spread = Literal["std", "range"]
MOST_READINGS: Final = 20_000
"""Kept of one signal: a window that holds more is not judged."""
_AFRESH: Final = 4096
"""After so many readings the sums are made anew: rounding does not add up."""
_PERIODS: Final[dict[Period, Callable[[datetime], int]]] = {
    "month": lambda at: at.month,
    "quarter": lambda at: (at.month + 2) // 3,
    "dayofyear": lambda at: at.timetuple().tm_yday,
    "hour": lambda at: at.hour,
}


@dataclass(frozen=True, slots=True)
class Season:
    """What is usual in a part of the year or of the day (UTC), both ends included."""

    period: Period
    first: int
    last: int
    low: float
    high: float

    def holds(self, at: datetime) -> bool:
        """Whether a moment lies in it; over the end where ``first`` is after ``last``."""
        place = _PERIODS[self.period](at)
        if self.first <= self.last:
            return self.first <= place <= self.last
        return place >= self.first or place <= self.last


def climatology(seasons: Sequence[Season], t: float, value: float) -> QartodFlag:
    """``t``: seconds since 1970. Of several seasons that hold a moment the last one counts."""
    try:
        at = datetime.fromtimestamp(t, UTC)
    except (OverflowError, ValueError, OSError):
        return QartodFlag.NOT_EVALUATED
    for one in reversed(seasons):
        if one.holds(at):
            usual = one.low <= value <= one.high
            return QartodFlag.GOOD if usual else QartodFlag.SUSPECT
    return QartodFlag.NOT_EVALUATED


@dataclass(frozen=True, slots=True)
class Attenuation:
    """How little a signal may move within ``window_s``: less than ``suspect`` is suspect, less than
    ``fail`` fails; the standard deviation of a sample, or largest less smallest, in its unit."""

    window_s: float
    suspect: float
    fail: float
    spread: Spread = "std"
    readings: int = 2
    """Fewer in the window say nothing."""


class Liveliness:
    """The attenuated signal test of one signal: readings of ``(t - window_s, t]``."""

    __slots__ = (
        "_above",
        "_asked",
        "_base",
        "_below",
        "_cut",
        "_kept",
        "_since",
        "_squares",
        "_sum",
    )

    def __init__(self, asked: Attenuation) -> None:
        self._asked = asked
        self._kept: deque[tuple[float, float]] = deque()
        # Candidates for the largest and the smallest, in order.
        self._above: deque[tuple[float, float]] = deque()
        self._below: deque[tuple[float, float]] = deque()
        self._base = self._sum = self._squares = 0.0
        self._since = 0
        self._cut = -math.inf
        """The window is whole from here on."""

    def check(self, t: float, value: float) -> QartodFlag:
        """A finite reading; one that is not later than the last is not judged."""
        if self._kept and t <= self._kept[-1][0]:
            return QartodFlag.NOT_EVALUATED
        self._add(t, value)
        start = t - self._asked.window_s
        while self._kept[0][0] <= start:
            self._drop()
        if len(self._kept) > MOST_READINGS:
            self._cut = self._kept[0][0]
            self._drop()
        if len(self._kept) < max(self._asked.readings, 1) or self._cut > start:
            return QartodFlag.NOT_EVALUATED
        spread = self._spread()
        if math.isnan(spread):
            return QartodFlag.NOT_EVALUATED
        if spread < self._asked.fail:
            return QartodFlag.FAIL
        return QartodFlag.SUSPECT if spread < self._asked.suspect else QartodFlag.GOOD

    def _add(self, t: float, value: float) -> None:
        self._kept.append((t, value))
        for some, worse in ((self._above, float.__le__), (self._below, float.__ge__)):
            while some and worse(some[-1][1], value):
                some.pop()
            some.append((t, value))
        self._since += 1
        if len(self._kept) == 1 or self._since >= _AFRESH:
            self._since, self._base = 0, value
            apart = [one - value for _, one in self._kept]
            self._sum, self._squares = math.fsum(apart), math.fsum(x * x for x in apart)
            return
        self._sum += value - self._base
        self._squares += (value - self._base) ** 2

    def _drop(self) -> None:
        t, value = self._kept.popleft()
        for some in (self._above, self._below):
            if some and some[0][0] <= t:
                some.popleft()
        self._sum -= value - self._base
        self._squares -= (value - self._base) ** 2

    def _spread(self) -> float:
        if self._asked.spread == "range":
            return self._above[0][1] - self._below[0][1]
        count = len(self._kept)
        if count < 2:
            return math.nan
        if self._above[0][1] == self._below[0][1]:
            return 0.0
        return math.sqrt(max(self._squares - self._sum**2 / count, 0.0) / (count - 1))


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A second sensor of the same quantity at the same place."""

    place: int
    """Among the signals of the sonde."""
    within: float
    """So far apart both may be."""


@dataclass(slots=True)
class History:
    """What is asked of one signal beside ``SignalQc``."""

    seasons: Sequence[Season] = ()
    liveliness: Liveliness | None = None
    neighbour: Neighbour | None = None

    def check(
        self,
        t: float | None,
        values: Sequence[float | None],
        flags: Sequence[QartodFlag],
        place: int,
    ) -> QartodFlag:
        """The flag of the signal at ``place``, at least as bad as the one that it has: what failed
        or is missing is asked nothing more, and nothing is held against it."""
        flag, value = flags[place], values[place]
        if value is None or flag in (QartodFlag.FAIL, QartodFlag.MISSING):
            return flag
        found: list[QartodFlag] = [flag]
        if t is not None and self.seasons:
            found.append(climatology(self.seasons, t, value))
        if t is not None and self.liveliness is not None:
            found.append(self.liveliness.check(t, value))
        if self.neighbour is not None:
            found.append(self._beside(value, values, flags))
        return max(found, key=_ORDER.index)

    def _beside(
        self, value: float, values: Sequence[float | None], flags: Sequence[QartodFlag]
    ) -> QartodFlag:
        assert self.neighbour is not None  # noqa: S101 - as the caller found
        other, flag = values[self.neighbour.place], flags[self.neighbour.place]
        if other is None or flag in (QartodFlag.FAIL, QartodFlag.MISSING):
            return QartodFlag.NOT_EVALUATED
        agrees = abs(value - other) <= self.neighbour.within
        return QartodFlag.GOOD if agrees else QartodFlag.SUSPECT


_ORDER: Final = (
    QartodFlag.NOT_EVALUATED,
    QartodFlag.GOOD,
    QartodFlag.SUSPECT,
    QartodFlag.FAIL,
    QartodFlag.MISSING,
)
"""From the least that is known to the worst."""
