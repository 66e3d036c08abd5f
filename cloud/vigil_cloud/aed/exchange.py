"""The register as CSV and as GeoJSON, in OpenStreetMap's keys; tables of the national register come
in as they are. Pure."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from math import isfinite
from typing import Any, ClassVar, Final

from pydantic import TypeAdapter, ValidationError

from vigil_cloud.aed import national
from vigil_cloud.aed.hours import BadOpeningHours, parsed
from vigil_cloud.aed.models import AedSite
from vigil_cloud.api_errors import ApiError
from vigil_cloud.spreadsheets import (
    NoTable,
    column_name,
    day,
    harmless,
    lines_of,
    plain,
    spoilt,
    twice,
)
from vigil_schemas.types import DeviceId

COLUMNS: Final = (
    *("ref", "name", "name:zh", "lat", "lon", "defibrillator:location", "level", "indoor"),
    *("access", "opening_hours", "phone", "operator", "model", "check_date", "in_service"),
    *("pads_until", "battery_until", "device"),
)
MOST_MISTAKES: Final = 50
MOST_UNKNOWN: Final = 50
MOST_SITES: Final = 20_000
_TEXTS: Final = {
    "name": ("name", 120),
    "name:zh": ("name_zh", 120),
    "defibrillator:location": ("location", 300),
    "level": ("level", 16),
    "phone": ("phone", 40),
    "operator": ("operator", 120),
    "model": ("model", 120),
}
_IF_NEW: Final = "name if new"
"""No key of a file: what an AED without a name is called, unless it has one in the register."""
_KNOWN: Final = {
    *COLUMNS,
    *("emergency", "@id", "contact:phone", "emergency:phone"),
    _IF_NEW,
}
"""Columns and keys that something is taken from."""
_TRUTHS: Final = frozenset({"yes", "no", "true", "false"})
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_REF: Final = re.compile(r"\w[\w.-]{0,39}")
"""As the API's addresses name one (``schema.SiteId``)."""
_DEVICE: Final[TypeAdapter[str]] = TypeAdapter(DeviceId)
_ACCESS: Final = frozenset({"yes", "public", "permissive", "customers", "private", "no", "unknown"})


class BadImport(ApiError):
    """Nothing was taken. ``mistakes``: each with its line (CSV) or number (GeoJSON)."""

    code: ClassVar[str] = "bad-aed-import"
    remedy: ClassVar[str] = "Correct every place that is named and import again."
    status: ClassVar[int] = 422

    def __init__(self, mistakes: Sequence[str]) -> None:
        shown = "; ".join(mistakes[:5])
        more = f" (and {len(mistakes) - 5} more)" if len(mistakes) > 5 else ""
        super().__init__(f"Nothing was imported: {shown}{more}")
        self.mistakes = list(mistakes[:MOST_MISTAKES])


@dataclass(frozen=True, slots=True)
class Imported:
    """One AED of a file: of its fields (``register.SiteFields``) those that the file says."""

    ref: str
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Found:
    """What a file says, and its columns or keys that nothing is taken from."""

    sites: list[Imported]
    unknown: list[str]


def to_csv(rows: Sequence[AedSite]) -> str:
    """A header and a line for each. A text that a spreadsheet would run as a formula is quoted."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for row in rows:
        tags = _tags(row)
        writer.writerow([_harmless(tags.get(column, "")) for column in COLUMNS])
    return out.getvalue()


def to_geojson(rows: Sequence[AedSite]) -> str:
    """A FeatureCollection of points (RFC 7946)."""
    features = [
        {
            "type": "Feature",
            "id": row.id,
            "geometry": {"type": "Point", "coordinates": [row.longitude, row.latitude]},
            "properties": {
                "emergency": "defibrillator",
                **{k: v for k, v in _tags(row).items() if v != "" and k not in ("lat", "lon")},
            },
        }
        for row in rows
    ]
    return json.dumps({"type": "FeatureCollection", "features": features}, ensure_ascii=False)


def from_csv(content: bytes) -> Found:
    """Raises ``BadImport``."""
    try:
        (_, header), *lines = lines_of(content)
    except NoTable as error:
        raise BadImport([str(error)]) from error
    names = [column_name(name) for name in header]
    of_nation = national.is_of(names)
    missing = set() if of_nation else {"ref", "name", "lat", "lon"} - set(names)
    if missing:
        raise BadImport([f"line 1: no column {', '.join(sorted(missing))}"])
    if again := twice(names):
        raise BadImport([f"line 1: named twice: {', '.join(again)}"])
    rows = [(f"line {line}", cells) for line, cells in lines]
    long = [where for where, cells in rows if any(one.strip() for one in cells[len(names) :])]
    if long:
        raise BadImport([f"{where}: more cells than columns" for where in long])
    empty = dict.fromkeys(names, "")
    filled = [(where, empty | dict(zip(names, cells, strict=False))) for where, cells in rows]
    if of_nation:
        return Found(_all(filled, national.tags), _unknown({*names} - national.COLUMNS))
    return Found(_all(filled), _unknown(names))


def from_geojson(text: str) -> Found:
    """Raises ``BadImport``."""
    try:
        features = json.loads(text)["features"]
        found = [_feature(number, one) for number, one in enumerate(features, 1)]
    except KeyError as error:
        raise BadImport([f"no GeoJSON of points: there is no {error}"]) from error
    except (ValueError, TypeError, RecursionError) as error:
        raise BadImport([f"no GeoJSON of points: {error}"]) from error
    return Found(_all(found), _unknown(key for _, tags in found for key in tags))


def _unknown(names: Iterable[str]) -> list[str]:
    """Each once, by name; so many are told, so much of each."""
    return [name[:80] for name in sorted({*names} - _KNOWN - {""})[:MOST_UNKNOWN]]


def _feature(number: int, feature: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    geometry, tags = feature["geometry"], dict(feature.get("properties") or {})
    if geometry is None:
        raise ValueError(f"feature {number} has no geometry")
    if geometry["type"] != "Point":
        raise ValueError(f"feature {number} is a {geometry['type']}, not a Point")
    lon, lat = geometry["coordinates"][:2]
    ref = tags.get("ref") or feature.get("id") or tags.get("@id") or ""
    # On OpenStreetMap few AEDs have a name of their own; where they hang is what people look for.
    names = (tags.get(key) for key in ("name", "defibrillator:location", "operator"))
    name = next((str(one)[:120] for one in names if one), f"AED {ref}"[:120] if ref else "")
    phones = (tags.get(key) for key in ("phone", "contact:phone", "emergency:phone"))
    told = {_IF_NEW: name, "phone": next((one for one in phones if one), None)}
    told = {key: value for key, value in told.items() if value is not None}
    place = {"ref": ref, "lat": lat, "lon": lon}
    return f"feature {number}", _in_our_words({**tags, **told, **place})


def _in_our_words(tags: dict[str, Any]) -> dict[str, Any]:
    """OpenStreetMap has more values than are told apart here, and one of them must not keep a
    whole extract out: access by some rule of its own counts as unknown, any part of a building as
    indoors; the first of several telephones is taken, and no check whose day is not said."""
    said = {key: str(tags.get(key) or "").strip().lower() for key in ("access", "indoor")}
    if said["access"]:
        tags["access"] = said["access"] if said["access"] in _ACCESS else "unknown"
    if said["indoor"]:
        tags["indoor"] = said["indoor"] if said["indoor"] in _TRUTHS else "yes"
    if "phone" in tags:
        tags["phone"] = str(tags["phone"]).split(";")[0].strip()
    if not _DAY.fullmatch(str(tags.get("check_date") or "")):
        tags.pop("check_date", None)
    return tags


def _all(
    rows: Sequence[tuple[str, Mapping[str, Any]]],
    tags_of: Callable[[Mapping[str, Any]], Mapping[str, Any]] = dict,
) -> list[Imported]:
    found: dict[str, Imported] = {}
    devices: dict[str, str] = {}
    mistakes: list[str] = []
    for where, tags in rows:
        try:
            one = _site(tags_of(tags))
        except (ValueError, BadOpeningHours) as error:
            mistakes.append(f"{where}: {error}")
            continue
        if one.ref in found:
            mistakes.append(f"{where}: ref {one.ref!r} is there twice")
        device = one.fields.get("device")
        if device is not None and devices.setdefault(device, one.ref) != one.ref:
            mistakes.append(f"{where}: device {device!r} is that of {devices[device]}")
        found[one.ref] = one
    if len(found) > MOST_SITES:
        mistakes.append(f"more than {MOST_SITES} AEDs")
    if mistakes:
        raise BadImport(mistakes)
    return list(found.values())


def _site(tags: Mapping[str, Any]) -> Imported:
    """Raises ``ValueError``, ``BadOpeningHours``."""
    if (what := tags.get("emergency") or "defibrillator") != "defibrillator":
        raise ValueError(f"emergency={str(what)[:40]} is no defibrillator")
    ref = _text(tags, "ref", 40).replace("/", "-")
    if not _REF.fullmatch(ref):
        raise ValueError(f"ref {ref!r}: letters, digits, dots, dashes; a letter or digit first")
    fields: dict[str, Any] = {
        field: _text(tags, key, most) for key, (field, most) in _TEXTS.items() if key in tags
    }
    if not fields.get("name"):
        fields.pop("name", None)
        fields["name_if_new"] = _text(tags, _IF_NEW, 120)
        if not fields["name_if_new"]:
            raise ValueError("name is empty")
    fields["latitude"], fields["longitude"] = _degrees(tags, "lat", 90), _degrees(tags, "lon", 180)
    if access := _text(tags, "access", 16).lower():
        if access not in _ACCESS:
            raise ValueError(f"access {access!r}: one of {', '.join(sorted(_ACCESS))}")
        fields["access"] = access
    if hours := _text(tags, "opening_hours", 255):
        parsed(hours)
        fields["opening_hours"] = hours
    truths = {key: _truth(tags, key) for key in ("indoor", "in_service")}
    fields |= {key: truth for key, truth in truths.items() if truth is not None}
    fields |= {key: _day(tags, key) for key in ("pads_until", "battery_until") if key in tags}
    if checked := _day(tags, "check_date"):
        fields["checked"] = checked
    if "device" in tags:
        fields["device"] = _device(tags)
    return Imported(ref, fields)


def _device(tags: Mapping[str, Any]) -> str | None:
    text = _text(tags, "device", 64)
    try:
        return _DEVICE.validate_python(text) if text else None
    except ValidationError as error:
        raise ValueError(f"device {text!r} is no device's name") from error


def _text(tags: Mapping[str, Any], key: str, most: int) -> str:
    text = plain(str(tags.get(key) or ""))  # as ``to_csv`` wrote it
    if len(text) > most or "\0" in text:
        raise ValueError(f"{key}: at most {most} characters, without NUL")
    if wrong := spoilt(text):
        raise ValueError(f"{key}: {wrong}")
    return text


def _degrees(tags: Mapping[str, Any], key: str, bound: float) -> float:
    try:
        value = float(str(tags[key]))
    except (KeyError, ValueError) as error:
        raise ValueError(f"{key} is no number") from error
    if not isfinite(value) or abs(value) > bound:
        raise ValueError(f"{key} lies outside of the world")
    return value


def _truth(tags: Mapping[str, Any], key: str) -> bool | None:
    """``None``: not said."""
    text = str(tags.get(key) or "").strip().lower()
    if text not in ("", *_TRUTHS):
        raise ValueError(f"{key}: yes or no")
    return text in ("yes", "true") if text else None


def _day(tags: Mapping[str, Any], key: str) -> date | None:
    text = str(tags.get(key) or "").strip()
    try:
        return day(text) if text else None
    except ValueError as error:
        raise ValueError(f"{key}: {error}") from error


def _tags(row: AedSite) -> dict[str, Any]:
    return {
        "ref": row.id,
        "name": row.name,
        "name:zh": row.name_zh,
        "lat": row.latitude,
        "lon": row.longitude,
        "defibrillator:location": row.location,
        "level": row.level,
        "indoor": "yes" if row.indoor else "no",
        "access": row.access,
        "opening_hours": row.opening_hours,
        "phone": row.phone,
        "operator": row.operator,
        "model": row.model,
        "check_date": "" if row.checked is None else row.checked.isoformat(),
        "in_service": "yes" if row.in_service else "no",
        "pads_until": "" if row.pads_until is None else row.pads_until.isoformat(),
        "battery_until": "" if row.battery_until is None else row.battery_until.isoformat(),
        "device": row.device or "",
    }


def _harmless(value: str | float) -> str:
    """A text that begins like a formula is quoted; a number is what it is."""
    if not isinstance(value, str):
        return repr(value)
    return value if value[1:].isdigit() else harmless(value)
