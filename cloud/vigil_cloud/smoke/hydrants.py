"""Hydrants and other water for fire engines: taken whole from a file, the nearest told to 119.

GeoJSON as OpenStreetMap has them (``emergency=fire_hydrant``, ``water_tank``, ``suction_point``,
``fire_water_pond``; ``fire_hydrant:type``, ``ref``), of what has an extent its middle; or CSV with
``id,lon,lat,kind``. A file with a mistake changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import cos, isfinite, radians
from typing import Any, ClassVar, Final

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from vigil_cloud.geodesy import distance_m
from vigil_cloud.smoke.models import Hydrant
from vigil_cloud.spreadsheets import NoTable, rows_of
from vigil_schemas.errors import VigilError

WITHIN_M: Final = 300.0
"""Further hoses are not laid first."""
TOLD: Final = 3
MOST: Final = 200_000
"""Of a file."""
COLUMNS: Final = ("id", "lon", "lat", "kind")
CHINESE: Final = {"編號": "id", "經度": "lon", "緯度": "lat", "種類": "kind", "型式": "kind"}
KINDS: Final[dict[str, tuple[str, str]]] = {
    "pillar": ("pillar hydrant", "地上式消防栓"),
    "underground": ("underground hydrant", "地下式消防栓"),
    "wall": ("wall hydrant", "壁式消防栓"),
    "pipe": ("standpipe", "立管"),
    "hydrant": ("hydrant", "消防栓"),
    "water_tank": ("water tank", "蓄水池"),
    "suction_point": ("suction point", "取水點"),
    "fire_water_pond": ("pond", "消防水池"),
}
"""In both languages."""
_OF_TEXT: Final = {
    **{kind: kind for kind in KINDS},
    **{"地上式": "pillar", "地上": "pillar", "地下式": "underground", "地下": "underground"},
    **{"": "hydrant", "fire_hydrant": "hydrant", "dry_barrel": "pillar", "消防栓": "hydrant"},
}
_TAGGED: Final = frozenset({"fire_hydrant", "water_tank", "suction_point", "fire_water_pond"})
_DEGREE_M: Final = 111_195.0
_LONGEST: Final = 64
_Entry = tuple[str, Sequence[str], dict[str, Any]]
"""Where it stands in the file, its names (the best first), and the rest of its row."""


class BadHydrants(VigilError):
    """A file that is no list of hydrants; the message names the place of the first mistake."""

    code: ClassVar[str] = "bad-hydrants"
    remedy: ClassVar[str] = (
        "GeoJSON of points with emergency=fire_hydrant, or CSV with id,lon,lat,kind, longitude"
        " first. Nothing was changed."
    )


@dataclass(frozen=True, slots=True)
class Near:
    """One close to a fire. ``away_m``: as the crow flies, m."""

    id: str
    kind: str
    latitude: float
    longitude: float
    away_m: int


def replace(session: Session, content: bytes) -> int:
    """The file's in place of those before; how many. Raises ``BadHydrants``."""
    rows = parse(content)
    session.execute(delete(Hydrant))
    session.execute(insert(Hydrant), rows)
    return len(rows)


def parse(content: bytes) -> list[dict[str, Any]]:
    """Rows of ``Hydrant``, one at least. Raises ``BadHydrants``."""
    found: dict[str, dict[str, Any]] = {}
    is_json = content.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[")
    for place, names, row in _of_geojson(content) if is_json else _of_csv(content):
        fresh = [name for name in names if name not in found]
        if not fresh:  # a ``ref`` may come twice in a city, OpenStreetMap's own number does not
            raise BadHydrants(f"{place}: {names[0]!r} is there twice")
        found[fresh[0]] = {"id": fresh[0], **row}
        if len(found) > MOST:
            raise BadHydrants(f"more than {MOST} hydrants")
    if not found:
        raise BadHydrants("the file holds not one hydrant")
    return list(found.values())


def near(session: Session, latitude: float | None, longitude: float | None) -> list[Near]:
    """The nearest ``TOLD`` within ``WITHIN_M``; none where nothing is known of the place."""
    if latitude is None or longitude is None:
        return []
    north = WITHIN_M / _DEGREE_M
    east = north / max(cos(radians(latitude)), 0.01)
    query = select(Hydrant).where(
        Hydrant.latitude.between(latitude - north, latitude + north),
        Hydrant.longitude.between(longitude - east, longitude + east),
    )
    found = [
        Near(
            row.id,
            row.kind,
            row.latitude,
            row.longitude,
            round(distance_m((latitude, longitude), (row.latitude, row.longitude))),
        )
        for row in session.scalars(query)
    ]
    close = [one for one in found if one.away_m <= WITHIN_M]
    return sorted(close, key=lambda one: (one.away_m, one.id))[:TOLD]


def said(found: Sequence[Near], language: int) -> str:
    """One line for 119; ``language``: 0 English, 1 Chinese. Empty where none is known."""
    if not found:
        return ""
    if language:
        each = "；".join(
            f"{_word(one, 1)} {one.id}，{one.away_m} 公尺"
            f"（{one.latitude:.5f}, {one.longitude:.5f}）"
            for one in found
        )
        return f"鄰近水源：{each}。"
    each = "; ".join(
        f"{_word(one, 0)} {one.id}, {one.away_m} m ({one.latitude:.5f}, {one.longitude:.5f})"
        for one in found
    )
    return f"Hydrants: {each}."


def _word(one: Near, language: int) -> str:
    """Nothing that stands here keeps 119 from being called."""
    return KINDS.get(one.kind, KINDS["hydrant"])[language]


def _of_csv(content: bytes) -> Iterator[_Entry]:
    try:
        rows = rows_of(content, COLUMNS, CHINESE, MOST)
    except NoTable as error:
        raise BadHydrants(str(error)) from error
    for line, row in rows:
        place = f"line {line}"
        yield (
            place,
            _names(place, [row["id"]]),
            _row(place, row["lon"], row["lat"], row["kind"]),
        )


def _of_geojson(content: bytes) -> Iterator[_Entry]:
    try:
        document = json.loads(content.decode("utf-8-sig"))
        features = document["features"]
        if document["type"] != "FeatureCollection" or not isinstance(features, list):
            raise KeyError("features")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise BadHydrants("it is no GeoJSON FeatureCollection in UTF-8") from error
    for number, feature in enumerate(features, 1):
        place = f"feature {number}"
        try:
            tags = feature.get("properties") or {}
            geometry = feature["geometry"]
            if tags.get("emergency", "fire_hydrant") not in _TAGGED:
                raise BadHydrants(f"{place}: emergency={tags['emergency']!r} is no water")
            lon, lat = _middle(geometry["coordinates"])
            named = [tags.get("ref"), tags.get("@id"), feature.get("id"), tags.get("id")]
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise BadHydrants(f"{place}: it has no place that can be read") from error
        yield place, _names(place, named), _row(place, lon, lat, _kind(tags))


def _middle(coordinates: Any) -> tuple[Any, Any]:
    """Of a point itself; of a pond's outline the mean of its vertices."""
    if not isinstance(coordinates[0], list):
        return coordinates[0], coordinates[1]
    inner = [_middle(one) for one in coordinates]
    return sum(lon for lon, _ in inner) / len(inner), sum(lat for _, lat in inner) / len(inner)


def _names(place: str, given: Sequence[Any]) -> list[str]:
    """``ref`` is what stands on it; else OpenStreetMap's own number."""
    found = [str(one).strip() for one in given if one is not None]
    found = [one for one in found if one]
    bad = next((one for one in found if len(one) > _LONGEST or not one.isprintable()), None)
    if not found or bad is not None:
        told = (bad or "")[:80]
        raise BadHydrants(f"{place}: id: {told!r} is no name of 1 to {_LONGEST} characters")
    return found


def _kind(tags: Mapping[str, Any]) -> str:
    what = str(tags.get("emergency", "fire_hydrant"))
    return str(tags.get("fire_hydrant:type", "")) if what == "fire_hydrant" else what


def _row(place: str, lon: Any, lat: Any, kind: str) -> dict[str, Any]:
    return {
        "kind": _OF_TEXT.get(kind.strip().lower(), "hydrant"),
        "latitude": _number(place, "lat", lat, 90.0),
        "longitude": _number(place, "lon", lon, 180.0),
    }


def _number(place: str, column: str, value: Any, most: float) -> float:
    try:
        number = float(value) if not isinstance(value, bool) else float("nan")
    except (TypeError, ValueError, OverflowError):
        number = float("nan")
    if not isfinite(number) or abs(number) > most:
        raise BadHydrants(f"{place}: {column}: {str(value)[:40]!r} lies outside of ±{most:g}")
    return number
