"""Growing pauses between attempts, with jitter so that a city's gateways do not return as one."""

from __future__ import annotations

from random import Random
from typing import Final

FIRST_S: Final = 1.0
LAST_S: Final = 60.0


class Backoff:
    """1 s, 2 s, 4 s … 60 s, each shortened by up to half at random."""

    def __init__(self, rng: Random, *, first_s: float = FIRST_S, last_s: float = LAST_S) -> None:
        self._rng = rng
        self._first_s = first_s
        self._last_s = last_s
        self._failures = 0

    def next(self) -> float:
        """Seconds to rest after one more failure."""
        pause = min(self._first_s * 2.0 ** min(self._failures, 30), self._last_s)
        self._failures += 1
        return pause * self._rng.uniform(0.5, 1.0)

    def reset(self) -> None:
        """After a success."""
        self._failures = 0
