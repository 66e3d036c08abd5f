"""Taiwan's national register of AEDs (Ministry of Health and Welfare, open data), as the register's
own keys say it. Pure.

Its table has a line for each AED: where it hangs, by three columns of words, and from when to when
it can be fetched on weekdays, Saturdays and Sundays. What its remarks say of other hours is for
people: an AED is open when the columns say so.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Final

_ID: Final = "aedid"
_NAME: Final = "場所名稱"
_ADDRESS: Final = ("場所縣市", "場所區域", "場所地址")
_WHERE: Final = ("aed放置地點", "aed地點描述")
_REMARK: Final = "開放使用時間備註"
_PHONE: Final = "開放時間緊急連絡電話"
_LATITUDE: Final = "地點lat"
_LONGITUDE: Final = "地點lng"
_DAYS: Final = {"周一至周五": "Mo-Fr", "周六": "Sa", "周日": "Su"}
COLUMNS: Final = frozenset(
    (_ID, _NAME, *_ADDRESS, *_WHERE, _REMARK, _PHONE, _LATITUDE, _LONGITUDE)
) | {f"{day}{end}" for day in _DAYS for end in "起迄"}
"""In small letters, as a table's header is read here."""
_NOTHING: Final = frozenset(("", "-", "empty", "null", "無"))
_CLOCK: Final = re.compile(r"(\d{1,2}):([0-5]\d)(?::[0-5]\d)?")
_LONGEST: Final = 300
_PHONE_PARTS: Final = re.compile(r"[\n;、,，；/]+")


def is_of(names: Collection[str]) -> bool:
    """Whether a table with this header is one of the national register."""
    return {_ID, _NAME, _LATITUDE, _LONGITUDE} <= {*names}


def tags(row: Mapping[str, str]) -> dict[str, str]:
    """A line in the register's keys. Raises ``ValueError`` for hours that cannot be read, and
    where no place is given."""
    said = {key: " ".join((row.get(key) or "").split()) for key in COLUMNS - {_PHONE}}
    told = {key: "" if value.lower() in _NOTHING else value for key, value in said.items()}
    if not told[_LATITUDE].strip("0.") and not told[_LONGITUDE].strip("0."):
        raise ValueError("地點LAT and 地點LNG are empty or 0: it has no place")
    found = {
        "ref": told[_ID],
        "name": told[_NAME][:120],
        "name:zh": told[_NAME][:120],
        "lat": told[_LATITUDE],
        "lon": told[_LONGITUDE],
        "defibrillator:location": _where(told),
        "phone": _phone(row.get(_PHONE) or ""),
        "opening_hours": _hours(told),
    }
    return {key: value for key, value in found.items() if value or key in ("ref", "lat", "lon")}


def _where(told: Mapping[str, str]) -> str:
    county, district, street = (told[key] for key in _ADDRESS)
    for part in (district, county):
        if part and part not in street:
            street = part + street
    parts = dict.fromkeys((*(told[key] for key in _WHERE), street, told[_REMARK]))
    return ", ".join(part for part in parts if part)[:_LONGEST]


def _phone(text: str) -> str:
    parts = [part.strip() for part in _PHONE_PARTS.split(text)]
    return next((part[:40] for part in parts if part.lower() not in _NOTHING), "")


def _hours(told: Mapping[str, str]) -> str:
    """Empty where nothing is said: nobody is sent for an AED by a guess."""
    spans = {
        day: _span(f"{name}起", told[f"{name}起"], told[f"{name}迄"]) for name, day in _DAYS.items()
    }
    if set(spans.values()) == {"00:00-24:00"}:
        return "24/7"
    return "; ".join(f"{day} {span}" for day, span in spans.items() if span)


def _span(name: str, opens: str, closes: str) -> str:
    if not opens and not closes:
        return ""
    first, last = _CLOCK.fullmatch(opens), _CLOCK.fullmatch(closes)
    if first is None or last is None or int(first[1]) > 23 or int(last[1]) > 24:
        raise ValueError(f"{name}: {opens[:20]!r} to {closes[:20]!r} are no hours such as 08:00:00")
    begin, end = f"{int(first[1]):02}:{first[2]}", f"{int(last[1]):02}:{last[2]}"
    if end in ("23:59", "24:00"):
        end = "24:00"
    return "" if begin == end else f"{begin}-{end}"
