"""Rights that end by themselves, and when whoever they shut out is told: a month before, a week
before, and on the day. Pure.

A domain and the platform's rooms name what ends (``Source``); ``ends_told`` tells it through
people's own channels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum
from typing import Final, NamedTuple

from sqlalchemy.orm import Session

from vigil_cloud.city_time import CITY_ZONE
from vigil_cloud.identity.cipher import Cipher

LATE: Final = timedelta(days=7)
"""So long after an end that nobody was told of it is told all the same."""
_FROM: Final = time(8)
_TO: Final = time(21)
"""Nobody is woken for what ends in a week, by the city's clock."""


class Step(StrEnum):
    """When somebody is told."""

    MONTH = "month"
    WEEK = "week"
    DAY = "day"
    OVER = "over"
    """It ended, and nothing of the day itself had come through."""


BEFORE: Final = {
    Step.MONTH: timedelta(days=30),
    Step.WEEK: timedelta(days=7),
    Step.DAY: timedelta(days=1),
}
LONGEST: Final = BEFORE[Step.MONTH]


class Words(NamedTuple):
    """The same in both languages."""

    chinese: str
    english: str


@dataclass(frozen=True, slots=True)
class EndsSoon:
    """One right of one account, or that it can give anew."""

    what: str
    """The same for as long as it is the same right: ``consent 12``. At most 80 characters."""
    account_id: int
    """Who is told."""
    begun: datetime | None
    """Of what lasted for less than twice a step's time that step is not told."""
    ends: datetime
    names: Words
    """What ends, so that "ends on …" can stand behind it."""
    remedy: Words
    """What it shuts out from, and what is to be done."""
    page: str
    """Path of the page that leads on."""
    about: str
    """The same for staff, by pseudonym: ``person p1``, ``home h12``."""


class Window(NamedTuple):
    """What ends between these two moments is asked for."""

    first: datetime
    last: datetime

    @classmethod
    def at(cls, now: datetime) -> Window:
        """All of which anybody may have to be told now."""
        return cls(now - LATE, now + LONGEST)


Source = Callable[[Session, Cipher, Window, datetime], Iterable[EndsSoon]]
"""What ends within the window, as it stands now: what was prolonged or replaced meanwhile is left
out. Reads alone."""


@dataclass(frozen=True, slots=True)
class Earlier:
    """What was told last of this right to this account."""

    step: Step
    ends: datetime
    """Its end as it was then."""
    failed: bool
    """It did not come through, and is tried again."""
    again: datetime | None
    """When."""
    tries: int


def due(one: EndsSoon, before: Earlier | None, now: datetime) -> tuple[Step, int] | None:
    """Which step is to be told now, and how often it was tried; ``None``: none."""
    found = step(one.begun, one.ends, now)
    if found is None:
        return None
    if before is None or before.ends != one.ends:
        return found, 0
    if before.step == found:
        waits = not before.failed or (before.again is not None and before.again > now)
        return None if waits else (found, before.tries)
    if found is Step.OVER and before.step is Step.DAY and not before.failed:
        return None
    return found, 0


def step(begun: datetime | None, ends: datetime, now: datetime) -> Step | None:
    """Which is the newest that it is time for; ``None``: none. Of what lasts for a weekend nobody
    is told a month before."""
    left = ends - now
    if left <= timedelta():
        return Step.OVER if left > -LATE else None
    fitting = [
        one
        for one, before in BEFORE.items()
        if left <= before and (begun is None or ends - begun >= 2 * before)
    ]
    return fitting[-1] if fitting else None


def by_day(now: datetime) -> bool:
    """Whether people are told now: not at night."""
    return _FROM <= now.astimezone(CITY_ZONE).time() < _TO
