"""What of OpenStreetMap is drawn: its tags as layers and kinds of Protomaps' basemap. Pure.

Layers and kinds are those of https://docs.protomaps.com/basemaps/layers, so that a file of theirs
and one that is made here are drawn by the same sheet.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

Shape = Literal["Point", "LineString", "Polygon"]
LAYERS: Final = ("landuse", "water", "roads", "buildings", "pois")
"""In the order in which they lie on each other."""


class Kind(NamedTuple):
    """Where a thing is drawn, as what, and from which zoom on."""

    layer: str
    kind: str
    min_zoom: int
    detail: str = ""


_ROADS: Final = {
    "motorway": ("highway", 6),
    "trunk": ("major_road", 7),
    "primary": ("major_road", 8),
    "secondary": ("major_road", 10),
    "tertiary": ("major_road", 11),
    "residential": ("minor_road", 12),
    "unclassified": ("minor_road", 12),
    "living_street": ("minor_road", 13),
    "road": ("minor_road", 13),
    "service": ("minor_road", 14),
    "pedestrian": ("path", 13),
    "footway": ("path", 14),
    "path": ("path", 14),
    "steps": ("path", 14),
    "cycleway": ("path", 14),
    "track": ("path", 14),
}
_RAILS: Final = frozenset({"rail", "light_rail", "subway", "narrow_gauge", "tram"})
_WATERWAYS: Final = {"river": 9, "canal": 11, "stream": 13, "drain": 13, "ditch": 14}
_LANDUSE: Final = {
    "leisure": frozenset(
        {"park", "garden", "playground", "pitch", "golf_course", "nature_reserve"}
    ),
    "landuse": frozenset(
        {"forest", "grass", "cemetery", "recreation_ground", "farmland", "orchard", "industrial"}
    ),
    "natural": frozenset({"wood", "scrub", "grassland"}),
    "amenity": frozenset({"school", "university", "college", "hospital"}),
}
_POIS: Final = {
    "amenity": frozenset(
        {
            *("hospital", "clinic", "school", "university", "police", "fire_station", "townhall"),
            *("place_of_worship", "marketplace", "library", "bus_station"),
        }
    ),
    "railway": frozenset({"station", "halt"}),
}
_NOT_BARE: Final = (
    *("highway", "railway", "waterway", "boundary", "natural", "power", "barrier", "building"),
    *("landuse", "leisure", "man_made", "aeroway", "route", "place"),
)
"""A line with one of these is no street of a network without tags."""
_OTHER_TAGS: Final = re.compile(r'"((?:[^"\\]|\\.)*)"=>"((?:[^"\\]|\\.)*)"')


def tags_of(properties: Mapping[str, object]) -> dict[str, str]:
    """A feature's tags; those that GDAL puts into one text (``other_tags``) as well."""
    found = {name: value for name, value in properties.items() if isinstance(value, str) and value}
    for name, value in _OTHER_TAGS.findall(found.pop("other_tags", "")):
        found.setdefault(name, re.sub(r"\\(.)", r"\1", value))
    return found


def names_of(tags: Mapping[str, str]) -> dict[str, str]:
    """Names as the tiles carry them: as spoken there, in traditional Chinese, in English."""
    chinese = tags.get("name:zh-Hant") or tags.get("name:zh-TW") or tags.get("name:zh")
    found = {"name": tags.get("name"), "name:zh-Hant": chinese, "name:en": tags.get("name:en")}
    return {key: value for key, value in found.items() if value}


def kind_of(tags: Mapping[str, str], shape: Shape) -> Kind | None:
    """``None``: it is not drawn. A line without any tag is a street: a bare street network."""
    if shape == "LineString":
        return _line(tags)
    return _area(tags) if shape == "Polygon" else _point(tags)


def _line(tags: Mapping[str, str]) -> Kind | None:
    way = tags.get("highway", "")
    base = way.removesuffix("_link")
    if base in _ROADS:
        kind, zoom = _ROADS[base]
        return Kind("roads", kind, max(zoom, 10) if way != base else zoom, way)
    if tags.get("railway") in _RAILS:
        return Kind("roads", "rail", 10, tags["railway"])
    if tags.get("waterway") in _WATERWAYS:
        return Kind("water", tags["waterway"], _WATERWAYS[tags["waterway"]])
    return None if any(name in tags for name in _NOT_BARE) else Kind("roads", "minor_road", 12)


def _area(tags: Mapping[str, str]) -> Kind | None:
    if tags.get("building", "no") != "no":
        return Kind("buildings", "building", 14)
    if tags.get("natural") == "water" or tags.get("waterway") == "riverbank":
        return Kind("water", "water", 8)
    if tags.get("landuse") in {"reservoir", "basin"}:
        return Kind("water", "water", 11)
    for name, kinds in _LANDUSE.items():
        if tags.get(name) in kinds:
            return Kind("landuse", tags[name], 10)
    return None


def _point(tags: Mapping[str, str]) -> Kind | None:
    for name, kinds in _POIS.items():
        if tags.get(name) in kinds:
            return Kind("pois", tags[name], 13)
    return None


def poi_of(tags: Mapping[str, str]) -> Kind | None:
    """A building or ground that has a name is written in its middle as well."""
    return _point(tags) if "name" in tags else None
