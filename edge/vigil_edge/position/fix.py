"""What a receiver says, line by line: gpsd's JSON and NMEA 0183. Pure.

A line of NMEA that is none is no error: serial lines begin in the middle of one, and receivers say
much that nobody asked for. What a receiver guesses (dead reckoning, a simulator, a place typed in
by hand) is no fix.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import Any, Final, Literal

State = Literal["fixed", "too-old", "no-fix", "no-receiver"]
"""``no-fix``: it sees too few satellites, or guesses. ``no-receiver``: it cannot be asked."""

_FIRST_FIX: Final = 2
"""gpsd's mode of a fix in two dimensions."""
_GUESSED: Final = frozenset({5, 7, 8})
"""gpsd's status of dead reckoning, a place that was surveyed once, a simulated one
(gpsd_json(5)). 6 is dead reckoning held by satellites, as receivers of cars say all day: a fix."""
_NMEA_GUESSED: Final = frozenset({"0", "6", "7", "8"})
"""GGA's quality: none, dead reckoning, by hand, simulated."""
_RMC_GUESSED: Final = frozenset("NEMS")
"""RMC's mode (NMEA 2.3): not valid, dead reckoning, by hand, simulated."""
_UERE_M: Final = 5.0
"""Error of one pseudorange, about: times the dilution of precision it is that of the place."""
_MOST_WITHIN_M: Final = 100_000.0


@dataclass(frozen=True, slots=True)
class Fix:
    """A place, WGS 84, degrees; ``within_m``: how far off it may be horizontally."""

    latitude: float
    longitude: float
    within_m: float | None = None
    speed_m_s: float = field(default=0.0, compare=False)
    time: str | None = field(default=None, compare=False)
    """Of the fix, as the receiver writes it: one that says the same again only repeats itself."""


@dataclass(frozen=True, slots=True)
class NoFix:
    """The receiver answers and has none."""

    unreadable: bool = field(default=False, compare=False)
    """It said a place that is none."""


class NotGpsd(ValueError):
    """What answers is not gpsd."""


Said = Fix | NoFix | None
"""``None``: the line says nothing of where it is."""


def of_gpsd(line: bytes) -> Said:
    """One report of gpsd (``TPV``, gpsd_json(5)). Raises ``NotGpsd``."""
    try:
        report = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise NotGpsd("it sends what is no JSON: is it gpsd?") from error
    if not isinstance(report, dict) or "class" not in report:
        raise NotGpsd("it sends what is no object of gpsd")
    if report["class"] != "TPV":
        return None
    mode, status = report.get("mode"), report.get("status")
    if not isinstance(mode, int):
        return NoFix(unreadable=True)
    latitude, longitude = report.get("lat"), report.get("lon")
    place = _place(_number(latitude), _number(longitude))
    if place is None:
        return NoFix(unreadable=latitude is not None and longitude is not None)
    if mode < _FIRST_FIX or (isinstance(status, int) and status in _GUESSED):
        return NoFix()
    time, speed = report.get("time"), _number(report.get("speed"))
    return Fix(
        *place,
        _within(_horizontal(report)),
        max(0.0, speed or 0.0),
        time if isinstance(time, str) else None,
    )


def _horizontal(report: dict[str, Any]) -> float | None:
    """``eph``, or what ``epx`` and ``epy`` come to, metres."""
    if (whole := _number(report.get("eph"))) is not None:
        return whole
    east, north = _number(report.get("epx")), _number(report.get("epy"))
    return None if east is None or north is None else math.hypot(east, north)


class Nmea:
    """Of one receiver: what its GGA says of the error goes with the place of its RMC, too."""

    def __init__(self) -> None:
        self._gga = False
        """Whether it sends any: then RMC, which says less, is not asked."""

    def take(self, line: bytes) -> Said:
        """One sentence of any talker (``GP``, ``GN``, ``BD`` …)."""
        fields = _sentence(line)
        if fields is None or len(fields[0]) != 5:
            return None
        what = fields[0][2:]
        if what == "GGA" and len(fields) > 8:
            self._gga = True
            return _gga(fields)
        if what == "RMC" and len(fields) > 6 and not self._gga:
            return _rmc(fields)
        return None


def _sentence(line: bytes) -> list[str] | None:
    """The fields of a sentence whose checksum is right."""
    body, star, sum_ = line.strip().partition(b"*")
    if not body.startswith(b"$") or not star:
        return None
    found = 0
    for one in body[1:]:
        found ^= one
    try:
        if int(sum_[:2], 16) != found or len(sum_) != 2:
            return None
        return body[1:].decode("ascii").split(",")
    except ValueError:
        return None


def _gga(fields: list[str]) -> Fix | NoFix:
    if fields[6] in _NMEA_GUESSED or not fields[6]:
        return NoFix()
    place = _degrees(fields[2:6])
    if place is None:
        return NoFix()
    dilution = _decimal(fields[8])
    return Fix(*place, _within(None if dilution is None else _UERE_M * dilution))


def _rmc(fields: list[str]) -> Fix | NoFix:
    guessed = len(fields) > 12 and fields[12][:1] in _RMC_GUESSED and fields[12] != ""
    place = _degrees(fields[3:7])
    if fields[2] != "A" or guessed or place is None:
        return NoFix()
    return Fix(*place)


def _degrees(fields: list[str]) -> tuple[float, float] | None:
    """``ddmm.mm,N,dddmm.mm,E``."""
    north, south_or_north, east, west_or_east = fields
    latitude, longitude = _minutes(north, 2), _minutes(east, 3)
    if latitude is None or longitude is None:
        return None
    if south_or_north not in ("N", "S") or west_or_east not in ("E", "W"):
        return None
    return _place(
        -latitude if south_or_north == "S" else latitude,
        -longitude if west_or_east == "W" else longitude,
    )


def _minutes(text: str, digits: int) -> float | None:
    whole, minutes = text[:digits], _decimal(text[digits:])
    if len(whole) != digits or not whole.isascii() or not whole.isdigit() or minutes is None:
        return None
    return int(whole) + minutes / 60 if 0 <= minutes < 60 else None


def _decimal(text: str) -> float | None:
    if not text or not set(text) <= set("0123456789."):
        return None
    try:
        return float(text)
    except ValueError:
        return None


def _place(latitude: float | None, longitude: float | None) -> tuple[float, float] | None:
    if latitude is None or longitude is None:
        return None
    return (latitude, longitude) if abs(latitude) <= 90 and abs(longitude) <= 180 else None


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:  # a whole number of hundreds of digits
        return None


def _within(metres: float | None) -> float | None:
    return None if metres is None or metres < 0 else min(metres, _MOST_WITHIN_M)
