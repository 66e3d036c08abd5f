"""When something was, as somebody says it whose clock may be wrong by a little."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from vigil_cloud.search.errors import BadEntry

AHEAD: Final = timedelta(minutes=10)
"""So far ahead a phone's clock may be: what it calls now is now."""
LONGEST_AGO: Final = timedelta(days=3653)
"""Ten years: nobody is looked for by where they were before, and a date of another century was
mistyped."""


def passed(at: datetime, now: datetime) -> datetime:
    """The moment as it is kept: what a clock that is a little ahead says is now. Raises
    ``BadEntry``."""
    if at > now + AHEAD:
        minutes = int(AHEAD / timedelta(minutes=1))
        raise BadEntry(
            f"{at:%Y-%m-%d %H:%M} (UTC) lies in the future, by more than the {minutes} minutes by"
            " which a clock may be ahead: look at the date, and at the phone's clock."
        )
    if at < now - LONGEST_AGO:
        years = round(LONGEST_AGO / timedelta(days=365.25))
        raise BadEntry(
            f"{at:%Y-%m-%d} is more than {years} years ago: look at the date. What happened before"
            " may be told in words."
        )
    return min(at, now)
