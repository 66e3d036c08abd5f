"""A search map for other programs: GeoJSON, KML and GPX, as CalTopo and SARTopo read them. Pure.

What is exported is the drawn map: regions, segments, the last place, next stations, what people saw
and searched. Nothing in it names the person.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final, Literal, NamedTuple
from xml.etree import ElementTree

Format = Literal["geojson", "kml", "gpx"]
MEDIA: Final = {
    "geojson": "application/geo+json",
    "kml": "application/vnd.google-earth.kml+xml",
    "gpx": "application/gpx+xml",
}
_COLOURS: Final = {0.5: "#b91c1c", 0.8: "#ea580c", 0.95: "#ca8a04"}
_SEGMENT: Final = "#1d4ed8"
_SEARCHED: Final = "#15803d"
Rings = Sequence[Sequence[Sequence[float]]]


class Shape(NamedTuple):
    """Polygons (each its outer ring and holes), longitude and latitude."""

    title: str
    note: str
    polygons: Sequence[Rings]
    colour: str
    probability: float | None = None


class Point(NamedTuple):
    """Something with one place. ``at``: ISO 8601, or nothing."""

    title: str
    note: str
    longitude: float
    latitude: float
    at: str = ""


class Sheet(NamedTuple):
    """Everything of one map. ``at``: for which moment, ISO 8601."""

    title: str
    at: str
    shapes: Sequence[Shape]
    points: Sequence[Point]


def region(share: float, area_km2: float, polygons: Sequence[Rings]) -> Shape:
    """Where somebody is with that probability."""
    note = f"{area_km2:.2f} km²"
    return Shape(f"{share:.0%}", note, polygons, _COLOURS.get(share, _SEGMENT), share)


def segment(name: str, probability: float, corners: Sequence[Sequence[float]]) -> Shape:
    """A square to be searched."""
    ring = [list(corner) for corner in corners]
    note = f"POA {probability:.1%}"
    return Shape(f"Segment {name}", note, [[[*ring, ring[0]]]], _SEGMENT, probability)


def area(title: str, note: str, corners: Sequence[Sequence[float]]) -> Shape:
    """A place that was searched."""
    ring = [list(corner) for corner in corners]
    return Shape(title, note, [[[*ring, ring[0]]]], _SEARCHED)


def written(sheet: Sheet, form: Format) -> bytes:
    """The file."""
    return {"geojson": _geojson, "kml": _kml, "gpx": _gpx}[form](sheet)


def _geojson(sheet: Sheet) -> bytes:
    """RFC 7946, with the properties by which CalTopo shows shapes and markers."""
    features: list[dict[str, Any]] = [
        {
            "type": "Feature",
            "properties": {
                "class": "Shape",
                "title": one.title,
                "description": one.note,
                "stroke": one.colour,
                "fill": one.colour,
                "stroke-width": 2,
                "fill-opacity": 0.1,
                "probability": one.probability,
                "time": sheet.at,
            },
            "geometry": {"type": "MultiPolygon", "coordinates": one.polygons},
        }
        for one in sheet.shapes
    ]
    features += [
        {
            "type": "Feature",
            "properties": {
                "class": "Marker",
                "title": one.title,
                "description": one.note,
                "time": one.at or None,
            },
            "geometry": {"type": "Point", "coordinates": [one.longitude, one.latitude]},
        }
        for one in sheet.points
    ]
    found = {"type": "FeatureCollection", "name": sheet.title, "features": features}
    return json.dumps(found, ensure_ascii=False).encode()


def _kml(sheet: Sheet) -> bytes:
    root = ElementTree.Element("kml", xmlns="http://www.opengis.net/kml/2.2")
    document = ElementTree.SubElement(root, "Document")
    _text(document, "name", sheet.title)
    _text(document, "description", sheet.at)
    for shape in sheet.shapes:
        mark = _placemark(document, shape.title, shape.note)
        style = ElementTree.SubElement(mark, "Style")
        _text(ElementTree.SubElement(style, "LineStyle"), "color", _abgr("ff", shape.colour))
        _text(ElementTree.SubElement(style, "PolyStyle"), "color", _abgr("22", shape.colour))
        several = ElementTree.SubElement(mark, "MultiGeometry")
        for rings in shape.polygons:
            polygon = ElementTree.SubElement(several, "Polygon")
            for number, ring in enumerate(rings):
                side = "innerBoundaryIs" if number else "outerBoundaryIs"
                line = ElementTree.SubElement(ElementTree.SubElement(polygon, side), "LinearRing")
                _text(line, "coordinates", " ".join(f"{x:.7f},{y:.7f}" for x, y in ring))
    for point in sheet.points:
        mark = _placemark(document, point.title, point.note)
        if point.at:
            _text(ElementTree.SubElement(mark, "TimeStamp"), "when", point.at)
        spot = ElementTree.SubElement(mark, "Point")
        _text(spot, "coordinates", f"{point.longitude:.7f},{point.latitude:.7f}")
    return _bytes(root)


def _gpx(sheet: Sheet) -> bytes:
    """GPX has no areas: outlines are tracks, each ring a piece."""
    space = "http://www.topografix.com/GPX/1/1"
    root = ElementTree.Element("gpx", xmlns=space, version="1.1", creator="Vigil")
    about = ElementTree.SubElement(root, "metadata")
    _text(about, "name", sheet.title)
    _text(about, "time", sheet.at)
    for point in sheet.points:
        place = {"lat": f"{point.latitude:.7f}", "lon": f"{point.longitude:.7f}"}
        mark = ElementTree.SubElement(root, "wpt", place)
        if point.at:
            _text(mark, "time", point.at)
        _text(mark, "name", point.title)
        _text(mark, "desc", point.note)
    for shape in sheet.shapes:
        track = ElementTree.SubElement(root, "trk")
        _text(track, "name", shape.title)
        _text(track, "desc", shape.note)
        for rings in shape.polygons:
            for ring in rings:
                piece = ElementTree.SubElement(track, "trkseg")
                for x, y in ring:
                    ElementTree.SubElement(piece, "trkpt", {"lat": f"{y:.7f}", "lon": f"{x:.7f}"})
    return _bytes(root)


def _placemark(parent: ElementTree.Element, title: str, note: str) -> ElementTree.Element:
    mark = ElementTree.SubElement(parent, "Placemark")
    _text(mark, "name", title)
    _text(mark, "description", note)
    return mark


def _text(parent: ElementTree.Element, tag: str, text: str) -> None:
    # What XML cannot carry at all would make the file unreadable.
    kept = "".join(one for one in text if one >= " " and one not in "\ufffe\uffff")
    ElementTree.SubElement(parent, tag).text = kept


def _abgr(alpha: str, colour: str) -> str:
    return alpha + colour[5:7] + colour[3:5] + colour[1:3]


def _bytes(root: ElementTree.Element) -> bytes:
    ElementTree.indent(root)
    found: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return found
