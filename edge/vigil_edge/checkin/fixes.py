"""Where a moving station was at a moment, from what its satellite receiver says. Pure: time comes
in.

Nothing is guessed: a fix counts for moments near it alone, and what the receiver estimates without
satellites (dead reckoning) or simulates is none.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

from vigil_schemas.checkin import StationPosition

KEPT_S: Final = 120.0
_MOST: Final = 2_400
_FIX: Final = 2
"""``mode`` from which there is a position (2D)."""
_GUESSED: Final = frozenset({5, 8})
"""``status``: dead reckoning, simulated."""
_WIDEST_M: Final = 100_000.0

Finite = Annotated[float, Field(allow_inf_nan=False)]


class Report(BaseModel):
    """A TPV object of gpsd (gpsd_json(5)). Degrees, metres, metres a second; horizontal errors as
    the receiver estimates them."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    kind: Annotated[Literal["TPV"], Field(alias="class")]
    mode: int
    """0 unknown, 1 no fix, 2 two dimensions, 3 three."""
    status: int | None = None
    time: str | None = None
    lat: Annotated[Finite, Field(ge=-90, le=90)] | None = None
    lon: Annotated[Finite, Field(ge=-180, le=180)] | None = None
    eph: Annotated[Finite, Field(ge=0)] | None = None
    epx: Annotated[Finite, Field(ge=0)] | None = None
    epy: Annotated[Finite, Field(ge=0)] | None = None
    speed: Annotated[Finite, Field(ge=0)] | None = None

    @property
    def is_fix(self) -> bool:
        """Whether satellites say where it is."""
        known = self.lat is not None and self.lon is not None
        return known and self.mode >= _FIX and self.status not in _GUESSED

    @property
    def error_m(self) -> float | None:
        """How far off it may be; ``None``: it does not say."""
        if self.eph is not None:
            return self.eph
        if self.epx is None or self.epy is None:
            return None
        return math.hypot(self.epx, self.epy)


@dataclass(frozen=True, slots=True)
class _Fix:
    tick: float
    at: datetime
    latitude: float
    longitude: float
    error_m: float | None
    speed: float


def _tick_of(fix: _Fix) -> float:
    return fix.tick


class Fixes:
    """What one receiver has said lately. Ticks are seconds of a clock that nobody sets."""

    def __init__(self, max_age_s: float) -> None:
        self._max_age_s = max_age_s
        self._fixes: list[_Fix] = []
        """In the order of their ticks; looked up two thousand times a second."""
        self._last_time: str | None = None
        self._reports = False
        """The receiver is there, as far as its last word goes."""
        self._lacks_fix = False
        """Its last word was that it has none."""

    def add(self, report: Report, tick: float, at: datetime) -> None:
        """One report, as it came in. One that only repeats the last fix is no new one."""
        self._reports = True
        if not report.is_fix:
            self._lacks_fix = True
            return
        self._lacks_fix = False
        if report.time is not None and report.time == self._last_time:
            return
        self._last_time = report.time
        assert report.lat is not None  # noqa: S101 - of a fix
        assert report.lon is not None  # noqa: S101
        fix = _Fix(tick, at, report.lat, report.lon, report.error_m, report.speed or 0.0)
        insort(self._fixes, fix, key=_tick_of)
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
        nearest = min(beside, key=lambda fix: abs(fix.tick - tick), default=None)
        if nearest is None or abs(nearest.tick - tick) > self._max_age_s:
            return self._unknown()
        within_m = None
        if nearest.error_m is not None:
            driven_m = nearest.speed * abs(nearest.tick - tick)
            within_m = round(min(nearest.error_m + driven_m, _WIDEST_M), 1)
        return StationPosition(
            state="fixed",
            latitude=nearest.latitude,
            longitude=nearest.longitude,
            within_m=within_m,
            at=nearest.at,
        )

    def _unknown(self) -> StationPosition:
        if not self._reports:
            return StationPosition(state="no-receiver", at=self.last_at())
        if self._lacks_fix or not self._fixes:
            return StationPosition(state="no-fix", at=self.last_at())
        return StationPosition(state="too-old", at=self.last_at())
