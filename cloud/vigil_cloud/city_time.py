"""The city's own time, as people write and read it; everything stored is UTC."""

from __future__ import annotations

from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

CITY_ZONE: Final = ZoneInfo("Asia/Taipei")


def city_clock(at: datetime, now: datetime) -> str:
    """Hours and minutes as people say them; with the day where it is another than now."""
    local, today = at.astimezone(CITY_ZONE), now.astimezone(CITY_ZONE).date()
    day = "" if local.date() == today else f"{local:%m-%d} "
    return f"{day}{local:%H:%M}"


def city_stamp(moment: datetime | None) -> str:
    """Date and time to the second; a dash where there is none."""
    return "–" if moment is None else f"{moment.astimezone(CITY_ZONE):%Y-%m-%d %H:%M:%S}"
