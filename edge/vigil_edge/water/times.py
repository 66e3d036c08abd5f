"""Times as sensor recordings write them. Pure.

ISO 8601 with a space or a ``T``, with or without a zone; ``12/03/2017 1:00`` with day
or month first; ``12-Mar-2017``; ``20170312010000``; seconds since 1970, or thousandths
to billionths of them. A time without a zone is taken at a fixed offset, UTC unless said
otherwise.
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
    r"\s*(Z|UTC|GMT|[+-]\d{1,2}(?::?\d{2})?)?",
    re.IGNORECASE,
)
_DAY_NAME: Final = re.compile(r"(\d{1,2})[-/. ]+([A-Z]{3})[A-Z]*[-/., ]+(\d{4})\b", re.IGNORECASE)
_NAME_DAY: Final = re.compile(r"([A-Z]{3})[A-Z]*\.? +(\d{1,2}),? +(\d{4})\b", re.IGNORECASE)
_MONTHS: Final = (
    *("jan", "feb", "mar", "apr", "may", "jun"),
    *("jul", "aug", "sep", "oct", "nov", "dec"),
)
_HALF_BEFORE: Final = re.compile(r"(上午|下午)\s*(\d[\d:.]*)")
"""Spreadsheets in Taiwan write the half of the day before the time."""
_COMPACT: Final = re.compile(r"((?:19|20)\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)?")
_DECIDED: Final = 20
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_PER_SECOND: Final = {9: 0, 10: 0, 12: 3, 13: 3, 15: 6, 16: 6, 18: 9, 19: 9}
"""Decimal places of a count since 1970, by its digits: from 1973 to 2286."""


@dataclass(frozen=True, slots=True)
class TimeReader:
    """How this recording's times are to be read."""

    day_first: bool = True
    offset: timezone = UTC
    """Of times that do not state one."""

    def read(self, text: str) -> datetime | None:
        """In UTC, or ``None`` where it is no time."""
        try:
            # Python takes thirteen digits for a date, a separator and a time of the year 1612.
            time = self._counted(text) if text.isdigit() else datetime.fromisoformat(text)
        except ValueError:
            try:
                time = self._otherwise(text.strip())
            except (ValueError, OverflowError):
                return None
        if time.tzinfo is None:
            time = time.replace(tzinfo=self.offset)
        try:
            return time.astimezone(UTC)
        except OverflowError:
            return None

    def _otherwise(self, text: str) -> datetime:
        match = _NUMBERS.fullmatch(text)
        if match is None:
            text = _numbered_month(_HALF_BEFORE.sub(_half_after, text))
            match = _NUMBERS.fullmatch(text)
        if match is not None:
            return self._from_numbers(match)
        if text[:1].isdigit() and text.replace(".", "", 1).isdigit():
            return self._counted(text)
        upper = text.upper()
        stripped = upper.removesuffix("UTC").removesuffix("GMT").strip()
        if stripped != upper:
            return datetime.fromisoformat(stripped).replace(tzinfo=UTC)
        return datetime.fromisoformat(upper)

    def _counted(self, text: str) -> datetime:
        """``20170312``, ``201703120100``, or a count since 1970, which may have a fraction."""
        compact = _COMPACT.fullmatch(text)
        if compact is not None:
            year, month, day, hour, minute, seconds = compact.groups(default="0")
            return datetime(  # noqa: DTZ001  # the recording's offset follows
                int(year), int(month), int(day), int(hour), int(minute), int(seconds)
            )
        whole, _, fraction = text.partition(".")
        if len(whole) == 8 and not fraction:
            return datetime.fromisoformat(whole)
        places = _PER_SECOND.get(len(whole))
        if places is None:
            raise ValueError(f"{text!r} is no count since 1970")
        digits = whole + fraction
        seconds_end = len(whole) - places
        micro = digits[seconds_end : seconds_end + 6].ljust(6, "0")
        return _EPOCH + timedelta(seconds=int(digits[:seconds_end]), microseconds=int(micro))

    def _from_numbers(self, match: re.Match[str]) -> datetime:
        first, second, third, hour, minute, seconds, fraction, half, zone = match.groups()
        year, month, day = _ordered(first, second, third, self.day_first)
        hours = int(hour or 0)
        if half is not None:
            hours = hours % 12 + (12 if half[0] in "Pp" else 0)
        time = datetime(  # noqa: DTZ001  # the zone follows, or is the recording's offset
            year, month, day, 0, int(minute or 0), 0,
            int((fraction or "0").ljust(6, "0")[:6]),
        ) + timedelta(hours=_hour(hours), seconds=_second(seconds))  # fmt: skip
        if zone is None:
            return time
        if zone[0] not in "+-":
            return time.replace(tzinfo=UTC)
        return time.replace(tzinfo=parse_offset(zone))


def day_first(texts: Iterable[str]) -> bool:
    """Whether ``12/03/2017`` is the 12th of March, from all of a recording's times.

    Numbers above 12 decide. Where there is none in the whole file, the order under which
    time runs forward in the more even steps does, and the day before the month where both do.
    """
    steps = {True: _Steps(), False: _Steps()}
    readers = {order: TimeReader(day_first=order) for order in steps}
    for text in texts:
        for order, reader in readers.items():
            steps[order].add(reader.read(text))
        if abs(steps[True].unreadable - steps[False].unreadable) >= _DECIDED:
            break
    return steps[True].badness() <= steps[False].badness()


def order_matters(text: str) -> bool:
    """Whether this is a time that could be read with day or month first."""
    match = _NUMBERS.fullmatch(text.strip())
    return match is not None and len(match[1]) <= 2


def parse_offset(text: str) -> timezone:
    """``+08:00``, ``+0800``, ``8``, ``UTC+8`` or ``UTC``. Raises ``ValueError``."""
    if text.upper() in {"Z", "UTC", "GMT"}:
        return UTC
    match = re.fullmatch(r"(?:UTC|GMT)?([+-]?)(\d{1,2})(?::?(\d{2}))?", text.strip().upper())
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


def _numbered_month(text: str) -> str:
    """``12-Mar-2017`` and ``March 12, 2017`` as ``2017-3-12``; what follows stays."""
    named = _DAY_NAME.match(text)
    if named is not None:
        day, name, year = named.groups()
    else:
        named = _NAME_DAY.match(text)
        if named is None:
            return text
        name, day, year = named.groups()
    if name.lower() not in _MONTHS:
        return text
    return f"{year}-{_MONTHS.index(name.lower()) + 1}-{day}{text[named.end() :]}"


def _half_after(found: re.Match[str]) -> str:
    return f"{found[2]} {'AM' if found[1] == '上午' else 'PM'}"


def _second(text: str | None) -> int:
    """60 is a leap second, the first of the next minute here."""
    seconds = int(text or 0)
    if seconds > 60:
        raise ValueError(f"second {seconds}")
    return seconds


def _hour(hours: int) -> int:
    """24:00 is written by some loggers for the end of a day."""
    if hours > 24:
        raise ValueError(f"hour {hours}")
    return hours
