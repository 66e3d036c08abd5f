"""Quality control of all signals of one sonde together: each by itself, and that they live.

Pure and strictly causal, as the tests of one signal. What is added is that sensors do
not stop at the same moment: where none of three or more signals moves by its last digit,
for longer than this sonde ever does, it is the logger that repeats its last record.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Final

from vigil_edge.water.qc import Limits, SignalQc
from vigil_schemas.types import QartodFlag

_SIGNALS: Final = 3
_WARM_UP: Final = 200.0
_MEMORY: Final = 0.999
_LONGEST_MEMORY: Final = 0.9998
_UNLIKELY: Final = math.log(1e-6)
_LONGER: Final = 2.0
"""Than the longest standstill that is remembered."""


class SondeQc:
    """Feed it the readings of one moment at a time, in the order in which they come."""

    def __init__(self, limits: Iterable[Limits]) -> None:
        self._checks = [SignalQc(one).check for one in limits]
        self._standstill = Standstill()

    def check(self, t: float | None, values: Sequence[float | None]) -> list[QartodFlag]:
        """A flag for each value, in order; ``t`` as for ``SignalQc.check``."""
        flags = [check(t, value) for check, value in zip(self._checks, values, strict=True)]
        if self._standstill.take(values):
            return [_worse(flag) for flag in flags]
        return flags


class Standstill:
    """Learns how long all signals stay the same as a rule, and says when it is too long."""

    def __init__(self) -> None:
        self._last: tuple[float | None, ...] = ()
        self._readings = 1
        """In a row that are all the same."""
        self._repeats = 0.0
        self._trials = 0.0
        self._longest = 0.0

    def take(self, values: Sequence[float | None]) -> bool:
        """Whether the readings of this moment only repeat what was."""
        now = tuple(values)
        if now != self._last or len(now) - now.count(None) < _SIGNALS:
            self._last = now
            self._learn()
            return False
        self._readings += 1
        if self._trials < _WARM_UP or self._readings <= _LONGER * self._longest:
            return False
        chance = (self._repeats + 1) / (self._trials + 2)
        return (self._readings - 1) * math.log(chance) < _UNLIKELY

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
