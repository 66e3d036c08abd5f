"""Time zones as recordings name them: by offset, by letters, by place. Pure."""

from __future__ import annotations

import re
import zoneinfo
from datetime import UTC, timedelta, timezone, tzinfo
from typing import Final

_HOURS: Final = {
    **{"NST": -3.5, "NDT": -2.5, "AST": -4, "ADT": -3, "EST": -5, "EDT": -4, "CDT": -5},
    **{"MST": -7, "MDT": -6, "PST": -8, "PDT": -7, "AKST": -9, "AKDT": -8, "HST": -10},
    **{"HAST": -10, "WET": 0, "WEST": 1, "BST": 1, "CET": 1, "CEST": 2, "MEZ": 1, "MESZ": 2},
    **{"EET": 2, "EEST": 3, "MSK": 3, "HKT": 8, "SGT": 8, "PHT": 8, "AWST": 8, "JST": 9},
    **{"KST": 9, "ACST": 9.5, "ACDT": 10.5, "AEST": 10, "AEDT": 11, "NZST": 12, "NZDT": 13},
    **{"Z": 0, "UTC": 0, "GMT": 0, "UT": 0},
}
"""Hours ahead of UTC of letters that mean one thing in this trade."""
CENTRAL: Final = timezone(timedelta(hours=-6))
TAIWAN: Final = timezone(timedelta(hours=8))
_AMERICAN: Final = frozenset({"EST", "EDT", "CDT", "MST", "MDT", "PST", "PDT", "AKST", "AKDT"})
_OFFSET: Final = re.compile(r"(?:UTC|GMT)?([+-]?)(\d{1,2})(?::?(\d{2}))?")
_PLACE: Final = re.compile(r"[A-Z][A-Za-z_]+/[A-Za-z_/+-]+")
_IN_A_HEADER: Final = re.compile(
    r"(?:UTC|GMT)\s*[+-]\s*\d{1,2}(?::?\d{2})?|(?<![A-Za-z])[A-Z]{2,4}T(?![A-Za-z])"
    r"|(?<![A-Za-z])(?:UTC|GMT)(?![A-Za-z])|[+-]\d{2}:\d{2}",
    re.IGNORECASE,
)
_SAID_BEFORE: Final = re.compile(
    r"(?:time ?zone|時區|时区)[^A-Za-z0-9+-]*([A-Za-z]+/[A-Za-z_/]+|[A-Za-z0-9:+-]+)", re.IGNORECASE
)
_ZONE_WORD: Final = re.compile(r"time ?zone|時區|时区", re.IGNORECASE)
_TAIWAN_TIME: Final = re.compile(
    r"(?:[台臺][灣湾北]|中原|北京)(?:標準|标准)?[時时][間间區区]?"
    r"|(?:taipei|taiwan) (?:standard )?time",
    re.IGNORECASE,
)
_LOCAL: Final = re.compile(
    r"(?<![A-Za-z])(?:local(?: ?time)?|L[SM]?T)(?![A-Za-z])|[當当本]地|地方[時时]", re.IGNORECASE
)


def parse_offset(text: str) -> timezone:
    """``+08:00``, ``+0800``, ``8``, ``UTC+8`` or ``UTC``. Raises ``ValueError``."""
    if text.upper() in {"Z", "UTC", "GMT"}:
        return UTC
    match = _OFFSET.fullmatch("".join(text.upper().split()))
    if match is None or int(match[2]) > 14 or int(match[3] or 0) > 59:
        raise ValueError(f"{text!r} is not an offset such as +08:00")
    size = timedelta(hours=int(match[2]), minutes=int(match[3] or 0))
    return timezone(-size if match[1] == "-" else size)


def zone(text: str, cst: tzinfo | None = None) -> tzinfo | None:
    """What the letters, the offset or the place mean; ``None`` where that is not known.

    ``CST`` is the time of Chicago and of Taipei: it is ``cst``.
    """
    word = text.strip().strip("()").strip()
    upper = word.upper()
    if upper == "CST":
        return cst
    hours = _HOURS.get(upper)
    if hours is not None:
        return UTC if hours == 0 else timezone(timedelta(hours=hours))
    if _PLACE.fullmatch(word):
        try:
            return zoneinfo.ZoneInfo(word)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            return None
    if re.fullmatch(r"(?:UTC|GMT)?[+-].*", upper):
        try:
            return parse_offset(upper)
        except ValueError:
            return None
    return None


def is_american(text: str) -> bool:
    """Whether these letters leave no doubt that ``CST`` beside them is Chicago's."""
    return text.strip().upper() in _AMERICAN


def in_header(name: str, cst: tzinfo | None = None) -> tzinfo | None:
    """The zone that a column's name gives: ``Date Time, GMT-07:00``, ``time_utc``."""
    if _TAIWAN_TIME.search(name):
        return TAIWAN
    place = _PLACE.search(name)
    if place is not None and (meant := zone(place[0])) is not None:
        return meant
    for found in _IN_A_HEADER.finditer(name.replace("_", " ")):
        meant = zone("".join(found[0].split()), cst)
        if meant is not None:
            return meant
    return None


def in_preface(line: str, cst: tzinfo | None = None) -> tzinfo | None:
    """The zone that a line before the header gives: ``Time zone: UTC-5``."""
    said = _SAID_BEFORE.search(line)
    if said is None:
        return TAIWAN if _ZONE_WORD.search(line) and _TAIWAN_TIME.search(line) else None
    if _TAIWAN_TIME.search(line):
        return TAIWAN
    return zone(said[1], cst)


def speaks_of_cst(name: str) -> bool:
    """Whether a header names the zone that is Chicago's and Taipei's."""
    return re.search(r"(?<![A-Za-z])CST(?![A-Za-z])", name) is not None


def speaks_of_local_time(name: str) -> bool:
    """Whether a header says that its times are of a place that it does not name."""
    return _LOCAL.search(name.replace("_", " ")) is not None


def speaks_of_a_zone(line: str) -> bool:
    """Whether a line before the header names one, known here or not."""
    return _SAID_BEFORE.search(line) is not None
