"""Waterways as CSV and as GeoJSON: read, and written again. Pure.

One file holds reaches (lines), stations, outfalls and gates (points), and irrigation areas
(polygons). In a CSV the shape is a column ``wkt`` (``LINESTRING (120.4 23.4, …)``), or ``lat`` and
``lon`` of a point. What a row is, ``kind`` says; of a line and a polygon the shape says it.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any, ClassVar, Final, NamedTuple

from vigil_cloud.api_errors import ApiError
from vigil_cloud.spreadsheets import NoTable, column_name, harmless, lines_of, plain, spoilt, twice
from vigil_cloud.water.network import length_of

MOST_MISTAKES: Final = 50
MOST_ROWS: Final = 20_000
MOST_CORNERS: Final = 5_000
POINTS: Final = ("station", "outfall", "gate")
KINDS: Final = ("reach", *POINTS, "area")
NUMBERS: Final = (
    *("length_m", "slope", "area_m2", "flow_m3_s", "velocity_m_s", "dispersion_m2_s", "travel_s"),
    *("storage_area_m2", "exchange_1_s", "decay_1_s"),
)
COLUMNS: Final = (
    *("id", "kind", "name", "name_zh", "from", "to", *NUMBERS, "reversible", "reach", "offset_m"),
    *("permit", "owner", "owner_is_person", "device", "area", "g_m3_per_s_m", "wkt"),
)
_ID: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
_DEVICE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")
_WKT: Final = re.compile(r"\s*(POINT|LINESTRING|POLYGON)\s*Z?\s*\((.*)\)\s*", re.IGNORECASE | re.S)
_TYPES: Final = {"point": "Point", "linestring": "LineString", "polygon": "Polygon"}


class BadNetwork(ApiError):
    """Nothing was taken. ``mistakes``: each with its line (CSV) or number (GeoJSON)."""

    code: ClassVar[str] = "bad-water-network"
    remedy: ClassVar[str] = "Correct every place that is named and import again."
    status: ClassVar[int] = 422

    def __init__(self, mistakes: Sequence[str]) -> None:
        shown = "; ".join(mistakes[:5])
        more = f" (and {len(mistakes) - 5} more)" if len(mistakes) > 5 else ""
        super().__init__(f"Nothing was imported: {shown}{more}")
        self.mistakes = list(mistakes[:MOST_MISTAKES])


@dataclass(frozen=True, slots=True)
class ReachRow:
    """A reach of a file."""

    where: str
    id: str
    name: str
    name_zh: str
    from_node: str
    to_node: str
    line: list[list[float]]
    numbers: Mapping[str, float | None]
    reversible: bool


@dataclass(frozen=True, slots=True)
class PointRow:
    """A station, an outfall or a gate of a file. Its place is a position, or a reach with an
    offset, or both."""

    where: str
    id: str
    kind: str
    name: str
    name_zh: str
    position: tuple[float, float] | None
    reach: str | None
    offset_m: float | None
    permit: str = ""
    owner: str = ""
    owner_is_person: bool = False
    device: str | None = None
    area: str | None = None
    g_m3_per_s_m: float | None = None


@dataclass(frozen=True, slots=True)
class AreaRow:
    """An irrigation area of a file."""

    where: str
    id: str
    name: str
    name_zh: str
    corners: list[list[float]]


@dataclass(frozen=True, slots=True)
class Waterways:
    """Everything of one file."""

    reaches: list[ReachRow] = field(default_factory=list)
    points: list[PointRow] = field(default_factory=list)
    areas: list[AreaRow] = field(default_factory=list)


class _Row(NamedTuple):
    where: str
    tags: Mapping[str, Any]
    shape: Mapping[str, Any] | None


def read(content: bytes, format: str) -> Waterways:
    """Raises ``BadNetwork`` with every mistake that the file itself has."""
    rows, mistakes = _csv_rows(content) if format == "csv" else _features(content)
    if len(rows) > MOST_ROWS:
        raise BadNetwork([f"more than {MOST_ROWS} rows"])
    found, wrong = _sorted(rows)
    if mistakes or wrong:
        raise BadNetwork(mistakes + wrong)
    if not rows:
        raise BadNetwork(["there is nothing in it"])
    return found


def from_tables(tables: Iterable[Mapping[str, Any]], name: str) -> Waterways:
    """The same of tables with the columns of a CSV. Raises ``BadNetwork``."""
    rows, mistakes = list[_Row](), list[str]()
    for number, tags in enumerate(tables, 1):
        where = f"{name} {number}"
        try:
            texts = {key: str(value) for key, value in tags.items()}
            rows.append(_Row(where, texts, _csv_shape(texts)))
        except ValueError as error:
            mistakes.append(f"{where}: {error}")
    found, wrong = _sorted(rows)
    if mistakes or wrong:
        raise BadNetwork(mistakes + wrong)
    return found


def _sorted(rows: Sequence[_Row]) -> tuple[Waterways, list[str]]:
    """By what each is, and what is wrong with them."""
    found, mistakes = Waterways(), list[str]()
    known: dict[tuple[str, str], str] = {}
    for row in rows:
        try:
            one = _one(row)
        except ValueError as error:
            mistakes.append(f"{row.where}: {error}")
            continue
        key = (type(one).__name__, one.id)
        if key in known:
            mistakes.append(f"{row.where}: id {one.id!r} is there already, in {known[key]}")
            continue
        known[key] = row.where
        match one:
            case ReachRow():
                found.reaches.append(one)
            case PointRow():
                found.points.append(one)
            case AreaRow():
                found.areas.append(one)
    return found, mistakes


def _csv_rows(content: bytes) -> tuple[list[_Row], list[str]]:
    try:
        (_, header), *lines = lines_of(content)
    except NoTable as error:
        raise BadNetwork([str(error)]) from error
    names = [column_name(name) for name in header]
    if missing := {"id", "kind"} - set(names):
        raise BadNetwork([f"line 1: no column {', '.join(sorted(missing))}"])
    if again := twice(names):
        raise BadNetwork([f"line 1: named twice: {', '.join(again)}"])
    if "wkt" not in names and not {"lat", "lon"} <= set(names):
        raise BadNetwork(["line 1: no column wkt, and no columns lat and lon"])
    unknown = set(names) - {*COLUMNS, "lat", "lon", ""}
    if unknown:
        named = ", ".join(sorted(unknown))
        raise BadNetwork([f"line 1: unknown columns: {named}; known are {', '.join(COLUMNS)}"])
    rows, mistakes = list[_Row](), list[str]()
    for line, cells in lines:
        where = f"line {line}"
        if any(cell.strip() for cell in cells[len(names) :]):
            mistakes.append(f"{where}: more cells than columns")
            continue
        tags = dict(zip(names, cells, strict=False))
        try:
            rows.append(_Row(where, tags, _csv_shape(tags)))
        except ValueError as error:
            mistakes.append(f"{where}: {error}")
    return rows, mistakes


def _csv_shape(tags: Mapping[str, Any]) -> Mapping[str, Any] | None:
    if wkt := (tags.get("wkt") or "").strip():
        match = _WKT.fullmatch(wkt)
        if match is None:
            raise ValueError("wkt is no POINT, LINESTRING or POLYGON")
        kind, inside = _TYPES[match[1].lower()], match[2]
        if kind == "Polygon":
            rings = re.findall(r"\(([^()]*)\)", inside)
            if len(rings) != 1:
                raise ValueError("wkt: a polygon has one ring, without holes")
            return {"type": kind, "coordinates": [_pairs(rings[0])]}
        pairs = _pairs(inside)
        return {"type": kind, "coordinates": pairs[0] if kind == "Point" else pairs}
    lat, lon = (tags.get("lat") or "").strip(), (tags.get("lon") or "").strip()
    if not lat and not lon:
        return None
    return {"type": "Point", "coordinates": [_number("lon", lon), _number("lat", lat)]}


def _pairs(text: str) -> list[list[float]]:
    pairs = [[_number("wkt", part) for part in pair.split()[:2]] for pair in text.split(",")]
    if not pairs or any(len(pair) < 2 for pair in pairs):
        raise ValueError("wkt: each position is a longitude and a latitude")
    return pairs


def _features(content: bytes) -> tuple[list[_Row], list[str]]:
    try:
        text = content.decode("utf-8-sig")  # always (RFC 8259)
    except UnicodeDecodeError as error:
        raise BadNetwork(["it is not UTF-8"]) from error
    try:
        features = json.loads(text)["features"]
        if not isinstance(features, list):
            raise TypeError("features is no list")
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise BadNetwork([f"no GeoJSON FeatureCollection: {error}"]) from error
    rows, mistakes = [], []
    for number, feature in enumerate(features, 1):
        where = f"feature {number}"
        try:
            tags, shape = dict(feature["properties"] or {}), feature.get("geometry")
            tags.setdefault("id", feature.get("id"))
            if shape is not None and not {"type", "coordinates"} <= set(shape):
                raise ValueError("its geometry has no type or no coordinates")
            if any(isinstance(value, dict | list) for value in tags.values()):
                raise ValueError("a property is a text or a number")
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            mistakes.append(f"{where}: no feature: {error}")
            continue
        rows.append(_Row(where, tags, shape))
    return rows, mistakes


def _one(row: _Row) -> ReachRow | PointRow | AreaRow:
    """Raises ``ValueError``."""
    kind = _text(row.tags, "kind", 16).lower()
    type_ = None if row.shape is None else row.shape["type"]
    kind = kind or {"LineString": "reach", "Polygon": "area"}.get(str(type_), "")
    if kind not in KINDS:
        raise ValueError(f"kind {kind!r}: one of {', '.join(KINDS)}")
    name_id = _text(row.tags, "id", 40)
    if not _ID.fullmatch(name_id):
        raise ValueError(f"id {name_id!r}: 1 to 40 letters, digits, dots, dashes")
    for key in ("id", "name", "name_zh", "from", "to", "permit", "owner", "device"):
        if wrong := spoilt(_text(row.tags, key, 160)):
            raise ValueError(f"{key}: {wrong}")
    wanted = {"reach": "LineString", "area": "Polygon"}.get(kind, "Point")
    if type_ is not None and type_ != wanted:
        raise ValueError(f"a {kind} is a {wanted}, not a {type_}")
    name, name_zh = _text(row.tags, "name", 120), _text(row.tags, "name_zh", 120)
    names = (name or name_zh or name_id, name_zh or name or name_id)
    if kind == "reach":
        return _reach(row, name_id, names)
    if kind == "area":
        if row.shape is None:
            raise ValueError("an area needs a polygon")
        rings = row.shape["coordinates"]
        if not isinstance(rings, list) or len(rings) != 1:
            raise ValueError("a polygon has one ring, without holes")
        corners = _positions(rings[0], 4)
        return AreaRow(row.where, name_id, *names, corners)
    return _point(row, name_id, kind, names)


def _reach(row: _Row, name_id: str, names: tuple[str, str]) -> ReachRow:
    if row.shape is None:
        raise ValueError("a reach needs a line")
    line = _positions(row.shape["coordinates"], 2)
    ends = (_text(row.tags, "from", 40), _text(row.tags, "to", 40))
    if not all(_ID.fullmatch(end) for end in ends):
        raise ValueError("from and to name the nodes: 1 to 40 letters, digits, dots, dashes")
    if ends[0] == ends[1]:
        raise ValueError(f"it begins and ends at the same node {ends[0]!r}")
    numbers = {name: _positive(row.tags, name) for name in NUMBERS}
    length = numbers["length_m"]
    if length is None:
        length = length_of(line)
    if length <= 0:
        raise ValueError("its length is 0")
    velocity, travel = numbers["velocity_m_s"], numbers["travel_s"]
    if 0.0 in (velocity, travel):
        raise ValueError("velocity_m_s and travel_s are more than 0; leave out what is not known")
    if travel is None and velocity:
        travel = length / velocity
    numbers |= {"length_m": length, "travel_s": travel}
    turns = _truth(row.tags, "reversible")
    return ReachRow(row.where, name_id, *names, *ends, line, numbers, turns)


def _point(row: _Row, name_id: str, kind: str, names: tuple[str, str]) -> PointRow:
    reach = _text(row.tags, "reach", 40) or None
    offset = _positive(row.tags, "offset_m")
    position = None
    if row.shape is not None:
        (place,) = _positions([row.shape["coordinates"]], 1)
        position = (place[0], place[1])
    elif reach is None or offset is None:
        raise ValueError(f"a {kind} needs a position, or a reach with an offset_m")
    device = _text(row.tags, "device", 64) or None
    if device is not None and not _DEVICE.fullmatch(device):
        raise ValueError(f"device {device!r} is no name of a device")
    if device is not None and kind != "station":
        raise ValueError("only a station has a device")
    permit = _text(row.tags, "permit", 60)
    if kind == "outfall" and not permit:
        raise ValueError("a registered outfall has a permit number (permit)")
    return PointRow(
        row.where,
        name_id,
        kind,
        *names,
        position,
        reach,
        offset,
        permit,
        _text(row.tags, "owner", 160),
        _truth(row.tags, "owner_is_person"),
        device,
        _text(row.tags, "area", 40) or None,
        _factor(row.tags, kind),
    )


def _factor(tags: Mapping[str, Any], kind: str) -> float | None:
    factor = _positive(tags, "g_m3_per_s_m")
    if factor is not None and (kind != "station" or factor == 0):
        raise ValueError("g_m3_per_s_m is more than 0, and a station's alone")
    return factor


def _positions(given: Any, least: int) -> list[list[float]]:
    try:
        found = [[float(part) for part in place[:2]] for place in given]
    except (TypeError, ValueError) as error:
        raise ValueError("a position is a longitude and a latitude") from error
    if not least <= len(found) <= MOST_CORNERS:
        raise ValueError(f"its shape has {len(found)} positions: {least} to {MOST_CORNERS}")
    for place in found:
        if len(place) != 2 or not all(isfinite(part) for part in place):
            raise ValueError("a position is a longitude and a latitude")
        if abs(place[0]) > 180 or abs(place[1]) > 90:
            raise ValueError("a position lies outside of the world: longitude first")
    return found


def _text(tags: Mapping[str, Any], key: str, most: int) -> str:
    given = tags.get(key)
    text = "" if given is None else plain(str(given))  # as ``to_csv`` wrote it
    if len(text) > most or "\0" in text:
        raise ValueError(f"{key}: at most {most} characters")
    return text


def _number(key: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError as error:
        raise ValueError(f"{key}: {text!r} is no number") from error
    if not isfinite(value):
        raise ValueError(f"{key}: {text!r} is no number")
    return value


def _positive(tags: Mapping[str, Any], key: str) -> float | None:
    text = _text(tags, key, 40)
    if not text:
        return None
    value = _number(key, text)
    if value < 0:
        raise ValueError(f"{key} is less than 0")
    return value


def _truth(tags: Mapping[str, Any], key: str) -> bool:
    text = _text(tags, key, 8).lower()
    if text not in ("", "yes", "no", "true", "false"):
        raise ValueError(f"{key}: yes or no")
    return text in ("yes", "true")


class Shown(NamedTuple):
    """One row to write: its tags in the order of ``COLUMNS``, and its shape."""

    tags: Mapping[str, Any]
    type: str
    coordinates: Any


def to_geojson(rows: Iterable[Shown]) -> str:
    """A FeatureCollection (RFC 7946)."""
    features = [
        {
            "type": "Feature",
            "id": row.tags["id"],
            "geometry": {"type": row.type, "coordinates": row.coordinates},
            "properties": {k: v for k, v in row.tags.items() if v not in ("", None)},
        }
        for row in rows
    ]
    return json.dumps({"type": "FeatureCollection", "features": features}, ensure_ascii=False)


def to_csv(rows: Iterable[Shown]) -> str:
    """A header and a line for each. A text that a spreadsheet would run as a formula is quoted."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for row in rows:
        tags = {**row.tags, "wkt": _wkt(row.type, row.coordinates)}
        writer.writerow([_harmless(tags.get(column)) for column in COLUMNS])
    return out.getvalue()


def _wkt(type_: str, coordinates: Any) -> str:
    def pairs(line: Any) -> str:
        return ", ".join(f"{place[0]!r} {place[1]!r}" for place in line)

    if type_ == "Point":
        return f"POINT ({pairs([coordinates])})"
    if type_ == "LineString":
        return f"LINESTRING ({pairs(coordinates)})"
    return f"POLYGON (({pairs(coordinates[0])}))"


def _harmless(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, str):
        return repr(value)
    return harmless(value)
