"""A table of limits as one line of text, so that it can be changed from a page. Pure.

``76 22:00-06:00 mon,tue 2026-01-01/2026-12-31 Zhongshan Road; 82``: limit in dB(A), then hours,
days, first and last day of validity as far as they matter, then the basis; lines end with ``;``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import time
from typing import Any, Final

from vigil_edge.noise.limits import DAYS, LimitSettings

_HOURS: Final = re.compile(r"(\d{2}:\d{2})-(\d{2}:\d{2})")
_DAYS: Final = re.compile(r"(mon|tue|wed|thu|fri|sat|sun)(,(mon|tue|wed|thu|fri|sat|sun))*")
_DATES: Final = re.compile(r"(\d{4}-\d{2}-\d{2})?/(\d{4}-\d{2}-\d{2})?")


def read(text: str) -> list[dict[str, Any]]:
    """The tables that ``gateway.toml`` would hold. Raises ``ValueError`` where a line begins with
    no number."""
    return [_line(words) for part in text.split(";") if (words := part.split())]


def _line(words: list[str]) -> dict[str, Any]:
    first, *rest = words
    try:
        line: dict[str, Any] = {"limit_db": float(first)}
    except ValueError as error:
        raise ValueError(f"{first!r} is no limit in dB: write 76 22:00-06:00; 82") from error
    if rest and (found := _HOURS.fullmatch(rest[0])):
        line |= {"since": f"{found[1]}:00", "until": f"{found[2]}:00"}
        rest = rest[1:]
    if rest and _DAYS.fullmatch(rest[0]):
        line["days"] = rest[0].split(",")
        rest = rest[1:]
    if rest and rest[0] != "/" and (found := _DATES.fullmatch(rest[0])):
        dates = {"valid_from": found[1], "valid_until": found[2]}
        line |= {key: day for key, day in dates.items() if day}
        rest = rest[1:]
    if rest:
        line["basis"] = " ".join(rest)
    return line


def write(limits: Sequence[LimitSettings]) -> str:
    """What ``read`` takes; what it cannot say (seconds, a basis with ``;``) is left out of it."""
    return "; ".join(" ".join(_words(line)) for line in limits)


def _words(line: LimitSettings) -> Iterator[str]:
    yield f"{line.limit_db:g}"
    if (line.since, line.until) != (time(0), time(0)):
        yield f"{line.since:%H:%M}-{line.until:%H:%M}"
    if line.days != DAYS:
        yield ",".join(line.days)
    if line.valid_from or line.valid_until:
        yield f"{line.valid_from or ''}/{line.valid_until or ''}"
    if line.basis:
        yield " ".join(line.basis.replace(";", ",").split())
