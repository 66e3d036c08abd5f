"""Opening hours in OpenStreetMap's language, and who is reachable at all hours. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import ClassVar, Final

from opening_hours import OpeningHours, ParserError  # type: ignore[attr-defined]  # untyped there

from vigil_cloud.api_errors import ApiError
from vigil_cloud.city_time import CITY_ZONE

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


@lru_cache(maxsize=4096)
def parsed(text: str) -> OpeningHours:
    """Raises ``BadOpeningHours``."""
    try:
        return OpeningHours(text)
    except ParserError as error:
        raise BadOpeningHours(text) from error


def readable(text: str) -> bool:
    """Whether these are opening hours; what was stored once need not be for good."""
    try:
        parsed(text)
    except BadOpeningHours:
        return False
    return True


def opener(text: str) -> Callable[[datetime], bool]:
    """Whether it is open at an aware moment, by the city's clock. What is unknown is closed."""
    hours = parsed(text)
    return lambda moment: hours.is_open(moment.astimezone(CITY_ZONE).replace(tzinfo=None))


def is_always_open(text: str, today: datetime) -> bool:
    """On every day of the coming year, at every hour. What names holidays is not: which days
    they are is not known here."""
    return _always_open_from(text, today.astimezone(CITY_ZONE).date())


@lru_cache(maxsize=4096)
def _always_open_from(text: str, day: date) -> bool:
    """A year is looked through: once a day for each text, not for each AED and request."""
    hours = parsed(text)
    if _HOLIDAY.search(text):
        return False
    start = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - of the city's clock, as the library wants it
    if not hours.is_open(start):
        return False
    change = start
    while (following := hours.next_change(change)) is not None and following < start + _SPAN:
        if not hours.is_open(following):
            return False
        change = following
    return True
