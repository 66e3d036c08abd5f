"""Quality control of all signals of one sonde together: each by itself, and that they live.

Pure and strictly causal, as the tests of one signal. What is added is that sensors do
not stop at the same moment: where none of three or more signals moves by its last digit,
for longer than this sonde ever does, it is the logger that repeats its last record.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import ClassVar, Final

from vigil_edge.water.qc import SignalQc
from vigil_edge.water.qc_history import History
from vigil_schemas.recordings.limits import Limits
from vigil_schemas.types import QartodFlag

ENOUGH_SIGNALS: Final = 3
_WARM_UP: Final = 200.0
_MEMORY: Final = 0.999
_LONGEST_MEMORY: Final = 0.9998
_UNLIKELY: Final = math.log(1e-6)
_LONGER: Final = 2.0
"""Than the longest standstill that is remembered."""


class SondeQc:
    """Feed it the readings of one moment at a time, in the order in which they come."""

    signal_type: ClassVar[type[SignalQc]] = SignalQc

    def __init__(self, limits: Iterable[Limits], history: Sequence[History | None] = ()) -> None:
        """``history``: of each signal, where more is asked of any."""
        self._history = [(place, one) for place, one in enumerate(history) if one is not None]
        self.signals = [self.signal_type(one) for one in limits]
        self.standstill = Standstill()
        self._checks = [one.check for one in self.signals]

    def check(self, t: float | None, values: Sequence[float | None]) -> list[QartodFlag]:
        """A flag for each value, in order; ``t`` as for ``SignalQc.check``."""
        flags = [check(t, value) for check, value in zip(self._checks, values, strict=True)]
        if self._history:
            asked = tuple(flags)
            for place, one in self._history:
                flags[place] = one.check(t, values, asked, place)
        if self.standstill.take(values):
            return [_worse(flag) for flag in flags]
        return flags


class Standstill:
    """Learns how long all signals stay the same as a rule, and says when it is too long."""

    def __init__(self) -> None:
        self.last: tuple[float | None, ...] = ()
        """The values of the newest moment."""
        self._readings = 1
        """In a row that are all the same."""
        self._repeats = 0.0
        self._trials = 0.0
        self._longest = 0.0

    def take(self, values: Sequence[float | None]) -> bool:
        """Whether the readings of this moment only repeat what was."""
        now = tuple(values)
        repeats = now == self.last and len(now) - now.count(None) >= ENOUGH_SIGNALS
        self.last = now
        return self._take(repeats)

    def take_many(self, repeats: Sequence[bool], newest: tuple[float | None, ...]) -> list[bool]:
        """The same of many moments: whether each repeats the one before; the last one's values."""
        self.last = newest
        found: list[bool] = []
        at, count = 0, len(repeats)
        while at < count:
            if repeats[at] or self._readings > 1:
                found.append(self._take(repeats[at]))
                at += 1
                continue
            until = repeats.index(True, at) if True in repeats[at:] else count
            self._learn_nothing(until - at)
            found += [False] * (until - at)
            at = until
        return found

    def _take(self, repeats: bool) -> bool:
        if not repeats:
            self._learn()
            return False
        self._readings += 1
        if self._trials < _WARM_UP or self._readings <= _LONGER * self._longest:
            return False
        chance = (self._repeats + 1) / (self._trials + 2)
        return (self._readings - 1) * math.log(chance) < _UNLIKELY

    def _learn_nothing(self, moments: int) -> None:
        """``_learn`` for so many moments that repeat nothing."""
        kept, trials, longest = self._repeats, self._trials, self._longest
        for _ in range(moments):
            kept *= _MEMORY
            trials = trials * _MEMORY + 1
            longest *= _LONGEST_MEMORY
            if longest < 1:
                longest = 1.0
        self._repeats, self._trials, self._longest = kept, trials, longest

    def _learn(self) -> None:
        """From a standstill that is over, but not more from a long one than from four."""
        forgotten = _MEMORY**self._readings
        repeats = min(self._readings - 1, 4 * max(self._longest, 2.0))
        self._repeats = self._repeats * forgotten + repeats
        self._trials = self._trials * forgotten + repeats + 1
        self._longest = max(self._longest * _LONGEST_MEMORY**self._readings, repeats + 1)
        self._readings = 1


def _worse(flag: QartodFlag) -> QartodFlag:
    good = flag in (QartodFlag.GOOD, QartodFlag.NOT_EVALUATED)
    return QartodFlag.SUSPECT if good else flag
