"""Times as sensor recordings write them. Pure.

ISO 8601 with a space or a ``T``, with or without a zone; ``12/03/2017 1:00`` with day
or month first; seconds or milliseconds since 1970. A time without a zone is taken at a
fixed offset, UTC unless said otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Final

_NUMBERS: Final = re.compile(
    r"(\d{1,4})[/.-](\d{1,2})[/.-](\d{1,4})"
    r"(?:[ T]+(\d{1,2})[:.](\d{1,2})(?:[:.](\d{1,2})(?:[.,](\d{1,9}))?)?\s*([AaPp]\.?[Mm]\.?)?)?"
    r"\s*(Z|UTC|GMT|[+-]\d{2}:?\d{2})?"
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECONDS_FROM: Final = 100_000_000_000


@dataclass(frozen=True, slots=True)
class TimeReader:
    """How this recording's times are to be read."""

    day_first: bool = True
    offset: timezone = UTC
    """Of times that do not state one."""

    def read(self, text: str) -> datetime | None:
        """In UTC, or ``None`` where it is no time."""
        try:
            time = datetime.fromisoformat(text)
        except ValueError:
            try:
                found = self._otherwise(text.strip())
            except (ValueError, OverflowError):
                return None
            if found is None:
                return None
            time = found
        if time.tzinfo is None:
            time = time.replace(tzinfo=self.offset)
        try:
            return time.astimezone(UTC)
        except OverflowError:
            return None

    def _otherwise(self, text: str) -> datetime | None:
        match = _NUMBERS.fullmatch(text)
        if match is not None:
            return self._from_numbers(match)
        number = text.removesuffix(".0")
        if number.isdecimal() and number.isascii() and 9 <= len(number) <= 13:
            value = int(number)
            per_second = 1000 if value >= _MILLISECONDS_FROM else 1
            return _EPOCH + timedelta(microseconds=value * 1_000_000 // per_second)
        stripped = text.removesuffix("UTC").removesuffix("GMT").strip()
        if stripped != text:
            return datetime.fromisoformat(stripped).replace(tzinfo=UTC)
        return datetime.fromisoformat(text)

    def _from_numbers(self, match: re.Match[str]) -> datetime:
        first, second, third, hour, minute, seconds, fraction, half, zone = match.groups()
        year, month, day = _ordered(first, second, third, self.day_first)
        hours = int(hour or 0)
        if half is not None:
            hours = hours % 12 + (12 if half[0] in "Pp" else 0)
        time = datetime(  # noqa: DTZ001  # the zone follows, or is the recording's offset
            year, month, day, 0, int(minute or 0), int(seconds or 0),
            int((fraction or "0").ljust(6, "0")[:6]),
        ) + timedelta(hours=_hour(hours))  # fmt: skip
        if zone is None:
            return time
        if not zone.startswith(("+", "-")):
            return time.replace(tzinfo=UTC)
        return time.replace(tzinfo=parse_offset(zone))


def day_first(texts: Iterable[str]) -> bool:
    """Whether ``12/03/2017`` is the 12th of March, from all of a recording's times.

    A number above 12 decides. Where there is none in the whole file, the order under
    which time runs forward in the more even steps does, and the day before the month
    where both do.
    """
    steps = {True: _Steps(), False: _Steps()}
    readers = {order: TimeReader(day_first=order) for order in steps}
    for text in texts:
        for order, reader in readers.items():
            steps[order].add(reader.read(text))
    return steps[True].badness() <= steps[False].badness()


def order_matters(text: str) -> bool:
    """Whether this is a time that could be read with day or month first."""
    match = _NUMBERS.fullmatch(text.strip())
    return match is not None and len(match[1]) <= 2


def parse_offset(text: str) -> timezone:
    """``+08:00``, ``+0800``, ``8`` or ``UTC``. Raises ``ValueError``."""
    if text.upper() in {"Z", "UTC", "GMT"}:
        return UTC
    match = re.fullmatch(r"([+-]?)(\d{1,2})(?::?(\d{2}))?", text.strip())
    if match is None or int(match[2]) > 14 or int(match[3] or 0) > 59:
        raise ValueError(f"{text!r} is not an offset such as +08:00")
    size = timedelta(hours=int(match[2]), minutes=int(match[3] or 0))
    return timezone(-size if match[1] == "-" else size)


class _Steps:
    """How well an order of day and month explains a recording."""

    def __init__(self) -> None:
        self.unreadable = 0
        self.backward = 0
        self.longest = timedelta(0)
        self._last: datetime | None = None

    def add(self, time: datetime | None) -> None:
        if time is None:
            self.unreadable += 1
            return
        if self._last is not None:
            step = time - self._last
            self.backward += step < timedelta(0)
            self.longest = max(self.longest, abs(step))
        self._last = time

    def badness(self) -> tuple[int, int, timedelta]:
        return self.unreadable, self.backward, self.longest


def _ordered(first: str, second: str, third: str, day_first: bool) -> tuple[int, int, int]:
    if len(first) > 2:
        return int(first), int(second), int(third)
    day, month = (first, second) if day_first else (second, first)
    year = int(third)
    return (year + 2000 if len(third) <= 2 else year), int(month), int(day)


def _hour(hours: int) -> int:
    """24:00 is written by some loggers for the end of a day."""
    if hours > 24:
        raise ValueError(f"hour {hours}")
    return hours
