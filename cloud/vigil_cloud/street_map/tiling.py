"""Vector tiles in one PMTiles file, of things to draw. Pure: a list in, a file out.

Web Mercator; a tile is ``EXTENT`` units wide and holds what lies within ``MARGIN`` units around
it, so that lines of two tiles meet. Below the last zoom, lines are simplified by half a pixel and
what is smaller than one is left out (Mapbox Vector Tile 2.1).
"""

from __future__ import annotations

import gzip
import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import numpy as np
import shapely
from mapbox_vector_tile import encode
from numpy.typing import NDArray
from pmtiles.tile import Compression, TileType, tileid_to_zxy, zxy_to_tileid
from pmtiles.writer import Writer
from shapely.geometry.base import BaseGeometry

from vigil_cloud.street_map.errors import MapFileInvalid
from vigil_cloud.street_map.geojson_file import Streets, Thing
from vigil_cloud.street_map.openstreetmap import LAYERS

Floats = NDArray[np.float64]
Geometries = NDArray[Any]

MIN_ZOOM: Final = 6
MAX_ZOOM: Final = 14
"""A unit of a tile is about half a metre there; pages draw nearer views of the same tiles."""
EXTENT: Final = 4096
MARGIN: Final = 128
_PIXEL: Final = EXTENT / 512
_WIDEST_DEGREES: Final = 8.0
"""Larger than Taiwan; a single stray point would make a tile for each zoom and no sense."""
_DIMENSION: Final = {"pois": 0, "roads": 1, "landuse": 2, "buildings": 2}
Told = Callable[[str], None]
"""Takes a line about how far it is."""


def write(streets: Streets, path: Path, told: Told = lambda _: None) -> None:
    """A new PMTiles file at ``path``. Raises ``MapFileInvalid``, ``OSError``."""
    things = streets.things
    shapes = _geometries(things)
    degrees = _degrees(shapes)
    plane = shapely.transform(shapes, _mercator)
    with path.open("wb") as file:
        writer = Writer(file)
        with closing(writer.tile_f):  # a file of its own, which it closes only where all goes well
            for zoom in range(MIN_ZOOM, MAX_ZOOM + 1):
                tiles = _tiles(things, plane, zoom)
                for tile_id in sorted(tiles):
                    content = _tile(things, tiles[tile_id], tile_id)
                    if content:
                        writer.write_tile(tile_id, gzip.compress(content, mtime=0))
                told(f"zoom {zoom} of {MAX_ZOOM}: {len(tiles)} tiles")
            if not writer.tile_entries:
                raise MapFileInvalid("nothing of the file can be drawn")
            writer.finalize(_header(degrees), _metadata(streets))


def _geometries(things: Sequence[Thing]) -> Geometries:
    found = np.empty(len(things), dtype=object)
    for number, thing in enumerate(things):
        try:
            shape = shapely.geometry.shape(thing.geometry)
        except (ValueError, TypeError, shapely.errors.ShapelyError) as error:
            raise MapFileInvalid(f"a {thing.kind.kind} that has no shape: {error}") from error
        if not shape.is_valid:  # areas that cross themselves: extracts have some everywhere
            shape = _parts(shapely.make_valid(shape), _drawn_as(thing)) or shapely.Point()
        found[number] = shapely.point_on_surface(shape) if thing.in_the_middle else shape
    return found


def _degrees(shapes: Geometries) -> tuple[float, float, float, float]:
    west, south, east, north = (float(one) for one in shapely.total_bounds(shapes))
    if max(east - west, north - south) > _WIDEST_DEGREES:
        raise MapFileInvalid(
            f"the file stretches over {max(east - west, north - south):.0f} degrees: cut the city"
            " out of it"
        )
    return west, south, east, north


def _mercator(positions: Floats) -> Floats:
    """(n, 2) longitude and latitude as parts of the world, from its north-western corner."""
    x = positions[:, 0] / 360.0 + 0.5
    y = 0.5 - np.log(np.tan(math.pi / 4 + np.radians(positions[:, 1]) / 2)) / (2 * math.pi)
    return np.column_stack((x, y))


def _tiles(
    things: Sequence[Thing], plane: Geometries, zoom: int
) -> dict[int, list[tuple[int, BaseGeometry]]]:
    """By tile: which things are in it, and their shapes in units of this zoom."""
    chosen = np.array([at for at, one in enumerate(things) if one.kind.min_zoom <= zoom], np.int64)
    found: dict[int, list[tuple[int, BaseGeometry]]] = defaultdict(list)
    if not len(chosen):
        return found
    shapes = shapely.transform(plane[chosen], lambda positions: positions * (EXTENT * 2.0**zoom))
    seen = ~shapely.is_empty(shapes)
    if zoom < MAX_ZOOM:
        shapes = shapely.simplify(shapes, _PIXEL / 2)
        seen &= (shapely.length(shapes) >= _PIXEL) | (shapely.get_dimensions(shapes) == 0)
    chosen, shapes = chosen[seen], shapes[seen]
    most = 2**zoom - 1
    boxes = shapely.bounds(shapes)
    low = np.clip(np.floor((boxes[:, :2] - MARGIN) / EXTENT), 0, most).astype(np.int64)
    high = np.clip(np.floor((boxes[:, 2:] + MARGIN) / EXTENT), 0, most).astype(np.int64)
    for number, shape, (x0, y0), (x1, y1) in zip(chosen, shapes, low, high, strict=True):
        for x in range(int(x0), int(x1) + 1):
            for y in range(int(y0), int(y1) + 1):
                found[zxy_to_tileid(zoom, x, y)].append((int(number), shape))
    return found


def _tile(
    things: Sequence[Thing], inside: Sequence[tuple[int, BaseGeometry]], tile_id: int
) -> bytes:
    """One tile, encoded; empty where nothing of it is left."""
    _, x, y = tileid_to_zxy(tile_id)
    corner = np.array([x * EXTENT, y * EXTENT], dtype=np.float64)
    shapes = np.array([shape for _, shape in inside], dtype=object)
    low, high = corner - MARGIN, corner + (EXTENT + MARGIN)
    cut = _cut(shapes, (low[0], low[1], high[0], high[1]))
    moved = shapely.transform(cut, lambda positions: positions - corner)
    layers: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for (number, _), shape in zip(inside, moved, strict=True):
        thing = things[number]
        drawn = None if shape is None or shape.is_empty else _on_grid(shape, thing)
        if drawn is not None:
            layers[thing.kind.layer].append(
                {"geometry": drawn, "properties": _properties(thing), "id": number + 1}
            )
    if not layers:
        return b""
    named = [{"name": name, "features": layers[name]} for name in LAYERS if layers.get(name)]
    options = {"y_coord_down": True, "extents": EXTENT}
    content: bytes = encode(named, default_options=options)
    return content


def _cut(shapes: Geometries, box: tuple[float, float, float, float]) -> Geometries:
    """What of them lies in the box: quickly, and where that fails exactly."""
    try:
        found: Geometries = shapely.clip_by_rect(shapes, *box)
    except shapely.errors.GEOSException:  # a part of no area
        found = shapely.intersection(shapely.make_valid(shapes), shapely.box(*box))
    return found


def _dimension(thing: Thing) -> int:
    """In its layer: 0 points, 1 lines, 2 areas."""
    return _DIMENSION.get(thing.kind.layer, _drawn_as(thing))


def _drawn_as(thing: Thing) -> int:
    """In the file."""
    if "Polygon" in thing.geometry["type"]:
        return 2
    return 0 if thing.geometry["type"] == "Point" else 1


def _on_grid(shape: BaseGeometry, thing: Thing) -> BaseGeometry | None:
    """On whole units and still valid; ``None`` where nothing is left."""
    if not shape.is_valid:
        shape = shapely.make_valid(shape)
    return _parts(shapely.set_precision(shape, 1.0), _dimension(thing))


def _parts(shape: BaseGeometry, wanted: int) -> BaseGeometry | None:
    """Of that dimension, as one shape; ``None`` where there is none."""
    whole = shapely.get_parts(shape)
    if any(one.geom_type == "GeometryCollection" for one in whole):
        whole = shapely.get_parts(whole)
    parts = [one for one in whole if shapely.get_dimensions(one) == wanted]
    if not parts:
        return None
    if len(parts) == 1:
        return parts[0]
    joined: BaseGeometry = (
        shapely.multipoints(parts)
        if wanted == 0
        else shapely.multilinestrings(parts)
        if wanted == 1
        else shapely.multipolygons(parts)
    )
    return joined


def _properties(thing: Thing) -> dict[str, str]:
    detail = {"kind_detail": thing.kind.detail} if thing.kind.detail else {}
    return {"kind": thing.kind.kind, **detail, **thing.names}


def _header(degrees: tuple[float, float, float, float]) -> dict[str, Any]:
    west, south, east, north = degrees
    # A street that runs straight north has no width; the format's readers want a box.
    east, north = max(east, west + 1e-6), max(north, south + 1e-6)
    return {
        "tile_type": TileType.MVT,
        "tile_compression": Compression.GZIP,
        "min_lon_e7": math.floor(west * 1e7),
        "min_lat_e7": math.floor(south * 1e7),
        "max_lon_e7": math.ceil(east * 1e7),
        "max_lat_e7": math.ceil(north * 1e7),
        "center_zoom": MAX_ZOOM - 2,
        "center_lon_e7": round((west + east) / 2 * 1e7),
        "center_lat_e7": round((south + north) / 2 * 1e7),
    }


def _metadata(streets: Streets) -> dict[str, Any]:
    there = {thing.kind.layer for thing in streets.things}
    fields = dict.fromkeys(("kind", "kind_detail", "name", "name:zh-Hant", "name:en"), "String")
    return {
        "name": "Streets",
        "type": "overlay",
        "version": "4",
        "description": "Made of GeoJSON in the layers of Protomaps' basemap",
        "attribution": streets.attribution,
        "vector_layers": [
            {"id": name, "fields": fields, "minzoom": MIN_ZOOM, "maxzoom": MAX_ZOOM}
            for name in LAYERS
            if name in there
        ],
    }
