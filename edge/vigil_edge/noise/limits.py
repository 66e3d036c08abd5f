"""The limit that holds on a road at a moment: a table of the settings, by date, day and hour. Pure.

The cloud's register judges again by its own table; this one decides what a gateway forwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta, timezone
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field

CITY_ZONE: Final = timezone(timedelta(hours=8))
"""Days and hours are the city's; Taiwan has no summer time."""
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: Final[tuple[Day, ...]] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class LimitSettings(BaseModel):
    """One ``[[noise.limits]]``: a limit with the days and hours on which it holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    limit_db: Annotated[float, Field(ge=40, le=130)]
    """LAFmax, dB(A)."""
    basis: Annotated[str, Field(max_length=120)] = ""
    """Road, speed limit and regulation, as it is to be told with the event."""
    valid_from: date | None = None
    valid_until: date | None = None
    """The last day."""
    days: Annotated[tuple[Day, ...], Field(min_length=1)] = DAYS
    since: time = time(0)
    until: time = time(0)
    """Both the same: all day. Earlier than ``since``: into the next day."""

    def holds(self, moment: datetime) -> bool:
        """``moment``: aware."""
        local = moment.astimezone(CITY_ZONE)
        day, now = local.date(), local.time()
        if self.since != self.until and self.until <= self.since and now < self.until:
            day -= timedelta(days=1)  # of the night that began the day before
        elif self.since != self.until and not self._within(now):
            return False
        return (
            DAYS[day.weekday()] in self.days
            and (self.valid_from is None or self.valid_from <= day)
            and (self.valid_until is None or day <= self.valid_until)
        )

    def _within(self, now: time) -> bool:
        if self.since < self.until:
            return self.since <= now < self.until
        return now >= self.since


def limit_at(table: Sequence[LimitSettings], moment: datetime) -> LimitSettings | None:
    """The first line that holds then."""
    return next((line for line in table if line.holds(moment)), None)
