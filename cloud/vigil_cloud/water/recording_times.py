"""Times of a recording as the detector takes them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from math import isnan, nan
from typing import Final, Literal, NamedTuple

Order = Literal["day", "month"]
"""What comes first in ``3/4/2026``."""
_SHORT: Final = re.compile(
    r"(\d{1,2})[/-](\d{1,2})[/-](\d{4})"
    r"(?:[ T]+(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d*)?)?(?:\s*([AaPp])\.?[Mm]\.?)?)?"
)


class Decision(NamedTuple):
    """``told``: what is to be said of it; nothing where the file leaves no other order."""

    order: Order
    told: str = ""


def is_short(text: str) -> bool:
    """Whether day and month stand before the year, in an order that the text does not tell."""
    return _SHORT.fullmatch(text.strip()) is not None


def moment(text: str, order: Order = "day") -> float:
    """Seconds since 1970, of UTC where no zone is stated; nan for what is no time."""
    text = text.strip()
    if (short := _SHORT.fullmatch(text)) is not None:
        return _short(short, order)
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        pass
    else:
        return (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp()
    try:
        return float(text)
    except ValueError:
        return nan


def _short(match: re.Match[str], order: Order) -> float:
    first, second, year, *clock = (int(one or 0) for one in match.groups()[:6])
    day, month = (first, second) if order == "day" else (second, first)
    hour, minute, seconds = clock
    half = match[7]
    if half is not None:
        hour = hour % 12 + (12 if half in "Pp" else 0)
    try:
        return datetime(year, month, day, hour, minute, seconds, tzinfo=UTC).timestamp()
    except ValueError:
        return nan


def decide(texts: Iterable[str]) -> Decision:
    """Which comes first, from all the times of a file: numbers above 12 tell; where there are
    none, time runs forward in even steps. Where both orders do the day comes first, as it does in
    most of the world."""
    steps: dict[Order, _Steps] = {"day": _Steps(), "month": _Steps()}
    example = ""
    for text in texts:
        if is_short(text):
            example = example or text.strip()
            for tried, one in steps.items():
                one.add(moment(text, tried))
    day, month = steps["day"], steps["month"]
    order: Order = "month" if month.badness() < day.badness() else "day"
    if day.unreadable != month.unreadable or day.same(month):
        return Decision(order)
    why = "nothing in the file tells" if day.badness() == month.badness() else "so they run evenly"
    return Decision(order, f"times such as {example!r} are read with the {order} first: {why}")


class _Steps:
    """How well an order explains the times."""

    def __init__(self) -> None:
        self.unreadable = self._backward = 0
        self._longest = 0.0
        self._first = self._last = nan

    def add(self, at: float) -> None:
        """One more time."""
        if isnan(at):
            self.unreadable += 1
            return
        if isnan(self._last):
            self._first = at
        else:
            self._backward += at < self._last
            self._longest = max(self._longest, abs(at - self._last))
        self._last = at

    def badness(self) -> tuple[int, int, float]:
        """Smaller is better."""
        return self.unreadable, self._backward, self._longest

    def same(self, other: _Steps) -> bool:
        """Whether it makes no difference, as for 5/5/2026 alone."""
        return (self._first, self._last) == (other._first, other._last)
