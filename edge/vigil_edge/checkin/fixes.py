"""Where a moving station was at a moment, from what its satellite receiver says. Pure: time comes
in.

Nothing is guessed: a fix counts for moments near it alone, and what the receiver estimates without
satellites (dead reckoning) or simulates is none.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from vigil_edge.position.fix import Fix, NoFix
from vigil_schemas.checkin import StationPosition

KEPT_S: Final = 120.0
_MOST: Final = 2_400
_WIDEST_M: Final = 100_000.0


@dataclass(frozen=True, slots=True)
class _Moment:
    tick: float
    at: datetime
    fix: Fix


def _tick_of(moment: _Moment) -> float:
    return moment.tick


class Fixes:
    """What one receiver has said lately. Ticks are seconds of a clock that nobody sets."""

    def __init__(self, max_age_s: float) -> None:
        self._max_age_s = max_age_s
        self._fixes: list[_Moment] = []
        """In the order of their ticks; looked up two thousand times a second."""
        self._last_time: str | None = None
        self._reports = False
        """The receiver is there, as far as its last word goes."""
        self._lacks_fix = False
        """Its last word was that it has none."""

    def add(self, said: Fix | NoFix, tick: float, at: datetime) -> None:
        """One report, as it came in. One that only repeats the last fix is no new one."""
        self._reports = True
        self._lacks_fix = isinstance(said, NoFix)
        if isinstance(said, NoFix) or (said.time is not None and said.time == self._last_time):
            return
        self._last_time = said.time
        insort(self._fixes, _Moment(tick, at, said), key=_tick_of)
        old = bisect_left(self._fixes, self._fixes[-1].tick - KEPT_S, key=_tick_of)
        del self._fixes[: max(old, len(self._fixes) - _MOST)]

    def lost(self) -> None:
        """The receiver cannot be asked any more; what it said before still counts."""
        self._reports = False

    def last_at(self) -> datetime | None:
        """Of the newest fix."""
        return self._fixes[-1].at if self._fixes else None

    def at(self, tick: float) -> StationPosition:
        """Where the station was then, or why that is not known. The error grows with what it may
        have driven between the fix and the moment."""
        after = bisect_left(self._fixes, tick, key=_tick_of)
        beside = self._fixes[max(0, after - 1) : after + 1]
        nearest = min(beside, key=lambda moment: abs(moment.tick - tick), default=None)
        if nearest is None or abs(nearest.tick - tick) > self._max_age_s:
            return self._unknown()
        fix, within_m = nearest.fix, nearest.fix.within_m
        if within_m is not None:
            driven_m = fix.speed_m_s * abs(nearest.tick - tick)
            within_m = round(min(within_m + driven_m, _WIDEST_M), 1)
        return StationPosition(
            state="fixed",
            latitude=fix.latitude,
            longitude=fix.longitude,
            within_m=within_m,
            at=nearest.at,
        )

    def _unknown(self) -> StationPosition:
        if not self._reports:
            return StationPosition(state="no-receiver", at=self.last_at())
        if self._lacks_fix or not self._fixes:
            return StationPosition(state="no-fix", at=self.last_at())
        return StationPosition(state="too-old", at=self.last_at())
