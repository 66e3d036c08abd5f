"""A few streets as GeoJSON with OpenStreetMap's tags."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

MIDDLE = (120.4431, 23.4733)
"""Longitude and latitude at which the two roads cross: the middle of a tile of zoom 14."""


def feature(kind: str, coordinates: Any, **tags: Any) -> dict[str, Any]:
    tags = {name.replace("__", ":"): value for name, value in tags.items()}
    return {
        "type": "Feature",
        "properties": tags,
        "geometry": {"type": kind, "coordinates": coordinates},
    }


def features() -> list[dict[str, Any]]:
    """Two roads, a street, a stream, a park, a building, a hospital as an area, a power line."""
    east, north = MIDDLE
    square = [[0.001, 0.001], [0.003, 0.001], [0.003, 0.003], [0.001, 0.003], [0.001, 0.001]]
    return [
        feature(
            "LineString",
            [[east - 0.02, north], [east, north], [east + 0.02, north]],
            highway="primary",
            name="中山路",
            name__en="Zhongshan Road",
        ),
        feature(
            "LineString",
            [[east, north - 0.02], [east, north], [east, north + 0.02]],
            highway="secondary",
            name="民族路",
            other_tags='"name:en"=>"Minzu Road","lanes"=>"2"',
        ),
        feature(
            "LineString",
            [[east - 0.01, north + 0.004], [east + 0.01, north + 0.004]],
            highway="residential",
        ),
        feature(
            "LineString",
            [[east - 0.02, north - 0.006], [east + 0.02, north - 0.006]],
            waterway="canal",
        ),
        feature(
            "Polygon", [[[east + x, north + y] for x, y in square]], leisure="park", name="公園"
        ),
        feature(
            "Polygon", [[[east - x, north + y] for x, y in square]], amenity="hospital", name="醫院"
        ),
        feature("Polygon", [[[east - x / 4, north - y / 4] for x, y in square]], building="yes"),
        feature("LineString", [[east, north], [east + 0.01, north + 0.01]], power="line"),
    ]


def geojson(**foreign: Any) -> str:
    whole = {"type": "FeatureCollection", **foreign, "features": features()}
    return json.dumps(whole, ensure_ascii=False)


def written(folder: Path, **foreign: Any) -> Path:
    path = folder / "streets.geojson"
    path.write_text(geojson(**foreign), "utf-8")
    return path
