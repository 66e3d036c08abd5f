"""Opening hours in OpenStreetMap's language, and who is reachable at all hours. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import ClassVar, Final
from zoneinfo import ZoneInfo

from opening_hours import OpeningHours, ParserError  # type: ignore[attr-defined]  # untyped there

from vigil_cloud.api_errors import ApiError

CITY: Final = ZoneInfo("Asia/Taipei")
PUBLIC_ACCESS: Final = frozenset({"yes", "public", "permissive"})
_SPAN: Final = timedelta(days=366)
"""What is open for so long without an end is open at all hours."""
_HOLIDAY: Final = re.compile(r"\b[PS]H\b")


class BadOpeningHours(ApiError):
    """Not of OpenStreetMap's form. ``text`` is what was given."""

    code: ClassVar[str] = "bad-opening-hours"
    remedy: ClassVar[str] = (
        "Write OpenStreetMap's opening_hours, such as 24/7 or Mo-Fr 08:00-18:00."
    )
    status: ClassVar[int] = 422

    def __init__(self, text: str) -> None:
        super().__init__(f"{text[:80]!r} are no opening hours.")
        self.text = text[:80]


def parsed(text: str) -> OpeningHours:
    """Raises ``BadOpeningHours``."""
    try:
        return OpeningHours(text)
    except ParserError as error:
        raise BadOpeningHours(text) from error


def opener(text: str) -> Callable[[datetime], bool]:
    """Whether it is open at an aware moment, by the city's clock. What is unknown is closed."""
    hours = parsed(text)
    return lambda moment: hours.is_open(moment.astimezone(CITY).replace(tzinfo=None))


def is_always_open(text: str, today: datetime) -> bool:
    """On every day of the coming year, at every hour. What names holidays is not: which days
    they are is not known here."""
    hours = parsed(text)
    if _HOLIDAY.search(text):
        return False
    start = today.astimezone(CITY).replace(tzinfo=None, hour=0, minute=0, second=0, microsecond=0)
    if not hours.is_open(start):
        return False
    change = start
    while (following := hours.next_change(change)) is not None and following < start + _SPAN:
        if not hours.is_open(following):
            return False
        change = following
    return True
