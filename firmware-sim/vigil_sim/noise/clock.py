"""The one clock of a noise camera's microphone and pictures."""

from __future__ import annotations

import time


class StreetClock:
    """The one clock of a microphone and its camera: seconds since the device was switched on."""

    def __init__(self) -> None:
        self._monotonic = time.monotonic()
        self._unix = time.time()

    def now(self) -> float:
        """Seconds since switching on."""
        return time.monotonic() - self._monotonic

    def at_monotonic(self, monotonic: float) -> float:
        """The street's time at a reading of ``time.monotonic()``."""
        return monotonic - self._monotonic

    def unix(self, t: float) -> float:
        """Seconds since 1970 UTC at the street's time ``t``."""
        return self._unix + t
