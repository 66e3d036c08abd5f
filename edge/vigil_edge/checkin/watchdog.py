"""Tells a stalled radio from a quiet street, and what is tried next. Pure: moments come in.

BlueZ can stop delivering for hours without an error. Whether silence is a fault is decided by a
heartbeat beacon where the station has one, else by how busy the street was just before: after ten
adverts a second, ninety seconds of nothing are no chance; where one comes a minute, they are.
"""

from __future__ import annotations

import math
from enum import Enum
from typing import Final

_MEMORY_S: Final = 600.0
"""The rate of adverts is a mean over about so long: a street that empties is no stall."""
_CHANCE: Final = 1e-4
"""A silence that would come by chance less often than this, at the rate of before, is a stall."""
_RECOVERY_S: Final = 8.0
"""So long each step is given to help."""
_LONGEST_PAUSE: Final = 40.0
"""Pauses between rounds of steps grow up to so many times ``silence_s`` (an hour of 90 s)."""


class Step(Enum):
    """What is tried, the mildest first."""

    SCAN = "scan"
    """Stop and begin the scan."""
    ADAPTER = "adapter"
    """Switch the adapter off and on."""
    SERVICE = "service"
    """Restart the Bluetooth service."""


class Watchdog:
    """Of one radio. ``heartbeat``: a beacon of the station's own is always in reach."""

    def __init__(self, silence_s: float, *, heartbeat: bool) -> None:
        self._silence_s = silence_s
        self._recovery_s = min(_RECOVERY_S, silence_s / 3)
        self._heartbeat = heartbeat
        self._heard: float | None = None
        self._since = 0.0
        """Silence counts from here: the last advert, or the begin of the scan."""
        self._rate = 0.0
        self._rate_at = 0.0
        self._tried: list[Step] = []
        self._next = math.inf
        self._rounds = 0
        self._broken = False
        self.stalled = False
        """The silence is no chance."""

    @property
    def silent(self) -> bool:
        """Something was tried, and nothing was heard since."""
        return bool(self._tried)

    def began(self, moment: float) -> None:
        """The scan began, for the first time or again."""
        self._broken = False
        if self._heard is None:
            self._since = self._rate_at = moment
            self._next = moment + self._silence_s

    def failed(self, moment: float) -> None:
        """The scan could not be begun again: that is no quiet street, and the next step is due."""
        self._broken = self.stalled = True
        self._next = moment + self._recovery_s

    def heard(self, moment: float) -> list[Step]:
        """An advert of any device; what had been tried, where that ended a silence."""
        decay = math.exp(-max(moment - self._rate_at, 0.0) / _MEMORY_S)
        self._rate = self._rate * decay + 1 / _MEMORY_S
        self._rate_at = self._since = self._heard = moment
        self._next = moment + self._silence_s
        tried, self._tried = self._tried, []
        self._rounds, self._broken, self.stalled = 0, False, False
        return tried

    def due(self, moment: float, *, others_hear: bool = False) -> Step | None:
        """What is to be done now; ``None``: nothing. The caller does it and asks again later.
        ``others_hear``: another radio at this place is not silent."""
        if moment < self._next:
            return None
        self.stalled = others_hear or self._broken or self._no_chance()
        step = self._step()
        self._tried.append(step)
        last = step is Step.SERVICE or not self.stalled
        if last:
            self._rounds += 1
            pause = self._silence_s * min(2.0 ** (self._rounds - 1), _LONGEST_PAUSE)
        else:
            pause = self._recovery_s
        self._next = moment + pause
        return step

    def _step(self) -> Step:
        if not self.stalled or not self._tried or self._tried[-1] is Step.SERVICE:
            return Step.SCAN
        return Step.ADAPTER if self._tried[-1] is Step.SCAN else Step.SERVICE

    def _no_chance(self) -> bool:
        if self._heartbeat:
            return True
        # By the rate of before the silence. Longer silences prove no more: streets do empty.
        return self._rate * self._silence_s > -math.log(_CHANCE)
