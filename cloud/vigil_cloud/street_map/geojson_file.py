"""A GeoJSON file of a city's streets as things to draw. Raises one sentence for what is none."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from vigil_cloud.street_map.errors import MapFileInvalid
from vigil_cloud.street_map.openstreetmap import (
    Kind,
    Shape,
    kind_of,
    names_of,
    poi_of,
    tags_of,
)
from vigil_cloud.street_map.pmtiles_file import plain

LARGEST: Final = 512 * 1024 * 1024
"""Bytes; it is read as a whole. A whole country is for a program of its own (tippecanoe)."""
OPENSTREETMAP: Final = "© OpenStreetMap contributors"
_LATITUDE: Final = 85.0
"""Web Mercator ends there."""
_SHAPES: Final[Mapping[str, Shape]] = {
    "Point": "Point",
    "LineString": "LineString",
    "MultiLineString": "LineString",
    "Polygon": "Polygon",
    "MultiPolygon": "Polygon",
}
_DEPTH: Final = {
    "Point": 0,
    "LineString": 1,
    "MultiLineString": 2,
    "Polygon": 2,
    "MultiPolygon": 3,
}


@dataclass(frozen=True, slots=True)
class Thing:
    """One feature that is drawn."""

    kind: Kind
    names: dict[str, str]
    geometry: dict[str, Any]
    """GeoJSON, checked: positions are numbers on the earth."""
    in_the_middle: bool = False
    """An area that is drawn as a point."""


@dataclass(frozen=True, slots=True)
class Streets:
    """What a file holds."""

    things: list[Thing]
    left_out: int
    """Features that the map does not draw."""
    attribution: str
    """The file's own, else OpenStreetMap's."""
    said: bool
    """Whether the file says whom to name."""


def read(path: Path) -> Streets:
    """GeoJSON (RFC 7946), or one feature a line (RFC 8142). Raises ``MapFileInvalid``,
    ``OSError``."""
    size = path.stat().st_size
    if size > LARGEST:
        raise MapFileInvalid(
            f"{path.name} has {size // 1024**2} MiB, more than {LARGEST // 1024**2}: make PMTiles"
            " of it with tippecanoe or planetiler"
        )
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise MapFileInvalid(f"{path.name} is no GeoJSON: it is not UTF-8") from error
    features, said = _features(path.name, text)
    things: list[Thing] = []
    left_out = 0
    for number, feature in enumerate(features, 1):
        found = list(_things(f"{path.name}, feature {number}", feature))
        things += found
        left_out += not found
    if not any(thing.kind.layer == "roads" for thing in things):
        raise MapFileInvalid(f"{path.name} holds no street ({left_out} features of other kinds)")
    return Streets(things, left_out, said or OPENSTREETMAP, bool(said))


def _features(name: str, text: str) -> tuple[list[Any], str]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        lines = [line.strip("\x1e \t\r") for line in text.split("\n")]
        if len(lines) < 2 or not lines[0].startswith("{"):
            raise MapFileInvalid(f"{name} is no GeoJSON: {error}") from error
        return _by_line(name, lines), ""
    if isinstance(document, dict) and document.get("type") == "Feature":
        return [document], ""
    if not isinstance(document, dict) or document.get("type") != "FeatureCollection":
        raise MapFileInvalid(f"{name} is no GeoJSON FeatureCollection")
    features = document.get("features")
    if not isinstance(features, list):
        raise MapFileInvalid(f"{name} is a FeatureCollection without features")
    return features, plain(str(document.get("attribution") or ""))


def _by_line(name: str, lines: list[str]) -> list[Any]:
    found = []
    for number, line in enumerate(lines, 1):
        if not line:
            continue
        try:
            found.append(json.loads(line))
        except (ValueError, RecursionError) as error:
            raise MapFileInvalid(f"{name} is no GeoJSON: line {number}: {error}") from error
    return found


def _things(where: str, feature: Any) -> Iterator[Thing]:
    if not isinstance(feature, dict) or feature.get("type") != "Feature":
        raise MapFileInvalid(f"{where} is no GeoJSON feature")
    geometry, properties = feature.get("geometry"), feature.get("properties") or {}
    if geometry is None or not isinstance(properties, dict):
        return
    if not isinstance(geometry, dict) or not isinstance(geometry.get("type"), str):
        raise MapFileInvalid(f"{where} has a geometry that is none")
    kind_of_geometry = geometry["type"]
    shape = _SHAPES.get(kind_of_geometry)
    if shape is None:
        return
    tags = tags_of(properties)
    drawn, middle = kind_of(tags, shape), poi_of(tags) if shape == "Polygon" else None
    if drawn is None and middle is None:
        return
    positions = _checked(where, geometry.get("coordinates"), _DEPTH[kind_of_geometry])
    whole = {"type": kind_of_geometry, "coordinates": positions}
    if drawn is not None:
        yield Thing(drawn, names_of(tags), whole)
    if middle is not None:
        yield Thing(middle, names_of(tags), whole, in_the_middle=True)


def _checked(where: str, coordinates: Any, depth: int) -> Any:
    """Positions of two numbers each. Raises ``MapFileInvalid``."""
    if depth == 0:
        return _position(where, coordinates)
    if not isinstance(coordinates, list) or not coordinates:
        raise MapFileInvalid(f"{where} has no coordinates")
    return [_checked(where, one, depth - 1) for one in coordinates]


def _position(where: str, found: Any) -> tuple[float, float]:
    if isinstance(found, list) and len(found) >= 2:
        longitude, latitude = found[0], found[1]
        if (
            all(isinstance(one, int | float) and not isinstance(one, bool) for one in found[:2])
            and abs(longitude) <= 180
            and abs(latitude) <= _LATITUDE
        ):
            return float(longitude), float(latitude)
    raise MapFileInvalid(f"{where} has a position that is no longitude and latitude: {found!r:.80}")
