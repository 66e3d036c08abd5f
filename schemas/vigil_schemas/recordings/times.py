"""Times as sensor recordings write them. Pure.

ISO 8601 with a space or a ``T``, with or without a zone; ``12/03/2017 1:00`` with day or
month (or, of two digits, the year) first; ``12-Mar-2017``; ``20170312010000``; seconds
since 1970, or thousandths to billionths of them; a spreadsheet's days since 1899-12-30;
years of the Republic of China (``113/05/12``, ``民國113年5月12日``, ``1130512``: +1911).
A time without a zone is taken at a fixed offset, UTC unless said otherwise.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import chain
from typing import Final, Literal, NamedTuple

from vigil_schemas.recordings.zones import parse_offset, zone

Order = Literal["day", "month", "year"]
"""What the first of three short numbers is."""

_NUMBERS: Final = re.compile(
    r"(\d{1,4})[/.-](\d{1,2})[/.-](\d{1,4})"
    r"(?:[ T]+(\d{1,2})[:.](\d{1,2})(?:[:.](\d{1,2})(?:[.,](\d{1,9}))?)?\s*([AaPp]\.?[Mm]\.?)?)?"
    r"\s*(Z|UTC|GMT|[+-]\d{1,2}(?::?\d{2})?)?",
    re.IGNORECASE,
)
_ZONE_BEHIND: Final = re.compile(r"(.*[\d.mM])\s*\(?([A-Za-z]{3,4}|(?:UTC|GMT)\s*[+-][\d:]+)\)?")
_DAY_NAME: Final = re.compile(
    r"(\d{1,2})[-/. ]+([A-Z]{3})[A-Z]*[-/., ]+(\d{4}|\d\d)\b", re.IGNORECASE
)
_NAME_DAY: Final = re.compile(r"([A-Z]{3})[A-Z]*\.? +(\d{1,2}),? +(\d{4})\b", re.IGNORECASE)
_MONTHS: Final = (
    *("jan", "feb", "mar", "apr", "may", "jun"),
    *("jul", "aug", "sep", "oct", "nov", "dec"),
)
_HALF_BEFORE: Final = re.compile(r"(上午|下午|AM|PM)\s*(\d[\d:.]*)")
"""Spreadsheets in Taiwan write the half of the day before the time."""
_CHINESE_DATE: Final = re.compile(r"(\d{1,4})\s*年\s*(\d{1,2})\s*月\s*(\d{1,2})\s*日?")
_CHINESE_CLOCK: Final = re.compile(
    r"(\d{1,2})\s*[時时點点]\s*(?:(\d{1,2})\s*分)?\s*(?:(\d{1,2})\s*秒)?"
)
_ERA: Final = re.compile(r"(?:中華)?民[國国]\s*(\d{2,3})(?!\d)")
_DAY_OF_WEEK: Final = re.compile(
    r"\s*[(（]?(?:星期|週|周)?[一二三四五六日天][)）]|\s*星期[一二三四五六日天]"
)
_DIGITS_AND_CLOCK: Final = re.compile(r"(\d{5}|\d{7}|\d{8})\s+(\d{1,2}:.*)")
_ROC_COMPACT: Final = re.compile(r"(\d{3})(\d\d)(\d\d)(?:[ T]?(\d\d):?(\d\d)(?::?(\d\d))?)?")
_COMPACT: Final = re.compile(r"((?:19|20)\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)?")
_WEEKDAY: Final = re.compile(r"(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?,? +", re.IGNORECASE)
_COUNT: Final = re.compile(r"\d+(?:[.,]\d*)?(?:[eE]\+?\d{1,2})?")
_DECIDED: Final = 20
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_PER_SECOND: Final = {9: 0, 10: 0, 12: 3, 13: 3, 15: 6, 16: 6, 18: 9, 19: 9}
"""Decimal places of a count since 1970, by its digits: from 1973 to 2286."""
_SPREADSHEET: Final = datetime(1899, 12, 30)  # noqa: DTZ001  # the recording's offset follows
_SPREADSHEET_DAYS: Final = range(20_000, 80_000)
"""From 1954 to 2119."""
_ROC_BEFORE: Final = 1911
_ROC_YEARS: Final = range(50, 200)
_PIVOT: Final = 69
_OLDEST: Final = 1800
"""No recording is older: an earlier year was read from something else."""

ROC: Final = "roc"
SPREADSHEET: Final = "spreadsheet"
UNKNOWN_CST: Final = "cst"


class TimeReader:
    """How this recording's times are to be read.

    ``offset`` is that of times that do not state one, ``cst`` what the letters ``CST``
    mean. ``seen`` counts what was understood in a way that the file's owner should know of.
    """

    def __init__(
        self, order: Order = "day", offset: tzinfo = UTC, cst: tzinfo | None = None
    ) -> None:
        self.order = order
        self.offset = offset
        self.cst = cst
        self.republic = False
        """Whether years of two digits are of the Republic of China, where they come first."""
        self.seen: Counter[str] = Counter()

    def read(self, text: str, offset: tzinfo | None = None) -> datetime | None:
        """In UTC, or ``None`` where it is no time. ``offset`` of this one, if it states none."""
        try:
            # Python takes thirteen digits for a date, a separator and a time of the year 1612.
            time = self._counted(text) if text.isdigit() else datetime.fromisoformat(text)
            if time.year < _OLDEST:
                time = self._otherwise(text.strip())
        except ValueError:
            try:
                time = self._otherwise(text.strip())
            except (ValueError, OverflowError):
                return None
        if time.tzinfo is None:
            time = time.replace(tzinfo=offset or self.offset)
        try:
            return time.astimezone(UTC)
        except OverflowError:
            return None

    def _otherwise(self, text: str) -> datetime:
        match = _NUMBERS.fullmatch(text)
        if match is None:
            plain = _plain(text)
            match = _NUMBERS.fullmatch(plain)
            if match is None:
                return self._rare(plain)
        return self._from_numbers(match)

    def _rare(self, text: str) -> datetime:
        if _COUNT.fullmatch(text):
            return self._counted(text.replace(",", "."))
        compact = _ROC_COMPACT.fullmatch(text)
        if compact is not None:
            return self._republic(compact)
        apart = _DIGITS_AND_CLOCK.fullmatch(text)
        if apart is not None:
            return self._otherwise(f"{self._counted(apart[1]):%Y-%m-%d} {apart[2]}")
        behind = _ZONE_BEHIND.fullmatch(text)
        if behind is not None:
            return self._with_zone(behind[1], behind[2])
        time = datetime.fromisoformat(text.upper())
        return time.replace(year=self._year(time.year)) if time.year < _OLDEST else time

    def _with_zone(self, text: str, letters: str) -> datetime:
        meant = zone(letters, self.cst)
        if meant is None:
            self.seen[UNKNOWN_CST] += letters.upper() == "CST"
            raise ValueError(f"{letters!r} is no zone that is known here")
        time = TimeReader(self.order, meant, self.cst).read(text)
        if time is None:
            raise ValueError(f"{text!r} is no time")
        return time

    def _counted(self, text: str) -> datetime:
        """``20170312``, ``201703120100``, a count since 1970 or a spreadsheet's of days."""
        compact = _COMPACT.fullmatch(text)
        if compact is not None:
            year, month, day, hour, minute, seconds = compact.groups(default="0")
            return datetime(  # noqa: DTZ001  # the recording's offset follows
                int(year), int(month), int(day), int(hour), int(minute), int(seconds)
            )
        if "e" in text or "E" in text:  # a spreadsheet shows long numbers so
            text = format(float(text), ".6f").rstrip("0").rstrip(".")
        whole, _, fraction = text.partition(".")
        if len(whole) == 8 and not fraction:
            return datetime.fromisoformat(whole)
        if len(whole) in (7, 11) and not fraction:
            republic = _ROC_COMPACT.fullmatch(whole)
            if republic is not None:
                return self._republic(republic)
        if len(whole) == 5 and int(whole) in _SPREADSHEET_DAYS:
            self.seen[SPREADSHEET] += 1
            return _SPREADSHEET + _days(int(whole), fraction)
        places = _PER_SECOND.get(len(whole))
        if places is None:
            raise ValueError(f"{text!r} is no count since 1970")
        digits = whole + fraction
        seconds_end = len(whole) - places
        micro = digits[seconds_end : seconds_end + 6].ljust(6, "0")
        return _EPOCH + timedelta(seconds=int(digits[:seconds_end]), microseconds=int(micro))

    def _from_numbers(self, match: re.Match[str]) -> datetime:
        first, second, third, hour, minute, seconds, fraction, half, stated = match.groups()
        year, month, day = _ordered(first, second, third, self.order)
        if len(first) <= 2 and (self.order == "year" or len(third) <= 2):
            year = self._of_two_digits(year)
        hours = int(hour or 0)
        if half is not None:
            hours = hours % 12 + (12 if half[0] in "Pp" else 0)
        time = datetime(  # noqa: DTZ001  # the zone follows, or is the recording's offset
            self._year(year), month, day, 0, int(minute or 0), 0,
            int((fraction or "0").ljust(6, "0")[:6]),
        ) + timedelta(hours=_hour(hours), seconds=_second(seconds))  # fmt: skip
        if stated is None:
            return time
        if stated[0] not in "+-":
            return time.replace(tzinfo=UTC)
        return time.replace(tzinfo=parse_offset(stated))

    def _republic(self, match: re.Match[str]) -> datetime:
        year, month, day, hour, minute, second = (int(part or 0) for part in match.groups())
        if year not in _ROC_YEARS:
            raise ValueError(f"year {year}")
        return datetime(  # noqa: DTZ001  # the recording's offset follows
            self._year(year), month, day, 0, minute
        ) + timedelta(hours=_hour(hour), seconds=_second(str(second)))

    def _of_two_digits(self, year: int) -> int:
        """As C does: 69 is 1969 and 68 is 2068; but 99 is 2010 in the Republic of China."""
        if year < _PIVOT:
            return year + 2000
        if not self.republic or self.order != "year":
            return year + 1900
        self.seen[ROC] += 1
        return year + _ROC_BEFORE

    def _year(self, year: int) -> int:
        """Years of the Republic have three digits, and no recording is from the year 113."""
        if year not in _ROC_YEARS:
            return year
        self.seen[ROC] += 1
        return year + _ROC_BEFORE


class Decision(NamedTuple):
    """In which order dates are written, and whether the file leaves no other."""

    order: Order
    certain: bool


def decide_order(texts: Iterable[str]) -> Decision:
    """Whether ``12/03/17`` is the 12th of March, from all of a recording's times.

    Numbers above 12 decide. Where there is none in the whole file, the order under which
    time runs forward in the more even steps does, and the day before the month where both do.
    """
    remaining = iter(texts)
    first = next((text for text in remaining if order_matters(text)), "")
    match = _NUMBERS.fullmatch(first.strip())
    short = match is not None and len(match[3]) <= 2
    orders: tuple[Order, ...] = ("day", "month", "year") if short else ("day", "month")
    steps = {order: _Steps() for order in orders}
    readers = {order: TimeReader(order) for order in orders}
    for text in chain([first], remaining):
        for order, reader in readers.items():
            steps[order].add(reader.read(text))
        least, second, *_ = sorted(step.unreadable for step in steps.values())
        if second - least >= _DECIDED:
            break
    best = min(orders, key=lambda order: steps[order].badness())
    certain = all(
        steps[order].unreadable > steps[best].unreadable or steps[order].same(steps[best])
        for order in orders
        if order != best
    )
    return Decision(best, certain)


def order_matters(text: str) -> bool:
    """Whether this is a time that could be read with day, month or year first."""
    match = _NUMBERS.fullmatch(text.strip())
    return match is not None and len(match[1]) <= 2


def is_republic(text: str) -> bool:
    """Whether its year has the three digits of the Republic of China's."""
    match = _NUMBERS.fullmatch(text.strip())
    return match is not None and len(match[1]) == 3 and int(match[1]) in _ROC_YEARS


def order_in_header(name: str) -> Order | None:
    """What a column's name says of it: ``Date (MM/DD/YYYY)``."""
    said = re.search(r"(y{2,4}|m{1,2}|d{1,2})([/.-])(m{1,2}|d{1,2})\2(y{2,4}|d{1,2})", name.lower())
    if said is None:
        return None
    orders: dict[str, Order] = {"d": "day", "m": "month", "y": "year"}
    return orders[said[1][0]]


class _Steps:
    """How well an order of day and month explains a recording."""

    def __init__(self) -> None:
        self.unreadable = 0
        self.backward = 0
        self.longest = timedelta(0)
        self.first: datetime | None = None
        self._last: datetime | None = None

    def add(self, time: datetime | None) -> None:
        if time is None:
            self.unreadable += 1
            return
        self.first = self.first or time
        if self._last is not None:
            step = time - self._last
            self.backward += step < timedelta(0)
            self.longest = max(self.longest, abs(step))
        self._last = time

    def badness(self) -> tuple[int, int, timedelta]:
        return self.unreadable, self.backward, self.longest

    def same(self, other: _Steps) -> bool:
        """Whether it makes no difference, as for 05/05/2019 alone."""
        return (self.first, self._last) == (other.first, other._last)


def _ordered(first: str, second: str, third: str, order: Order) -> tuple[int, int, int]:
    """Year as it was written, month and day."""
    if len(first) > 2:
        return int(first), int(second), int(third)
    if order == "year":
        if len(third) > 2:
            raise ValueError("the year stands last")
        return int(first), int(second), int(third)
    day, month = (first, second) if order == "day" else (second, first)
    return int(third), int(month), int(day)


def _plain(text: str) -> str:
    """With full-width digits, Chinese units and names of months made numbers."""
    text = unicodedata.normalize("NFKC", text).strip()
    if not text.isascii():
        text = _DAY_OF_WEEK.sub(" ", _ERA.sub(lambda era: era[1].zfill(3), text))
        text = _CHINESE_DATE.sub(lambda d: f"{d[1]}-{d[2]}-{d[3]} ", text)
        text = _CHINESE_CLOCK.sub(lambda c: f"{c[1]}:{c[2] or '00'}:{c[3] or '00'}", text)
    text = _HALF_BEFORE.sub(_half_after, text)
    return _numbered_month(" ".join(text.split()))


def _numbered_month(text: str) -> str:
    """``12-Mar-2017`` and ``March 12, 2017`` as ``2017-3-12``; what follows stays."""
    weekday = _WEEKDAY.match(text)
    text = text if weekday is None else text[weekday.end() :]
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
    if len(year) == 2:
        year = f"{'19' if int(year) >= _PIVOT else '20'}{year}"
    return f"{year}-{_MONTHS.index(name.lower()) + 1}-{day}{text[named.end() :]}"


def _half_after(found: re.Match[str]) -> str:
    return f"{found[2]} {'AM' if found[1] in ('上午', 'AM') else 'PM'}"


def _days(whole: int, fraction: str) -> timedelta:
    """A spreadsheet's days, to the second where it wrote no more digits than that takes."""
    seconds = float(f"0.{fraction or 0}") * 86_400
    rounded = round(seconds) if len(fraction) < 9 else round(seconds, 3)
    return timedelta(days=whole, seconds=rounded)


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
