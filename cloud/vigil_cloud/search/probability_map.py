"""The search map: regions that hold a share, the next stations, and cells. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, Final, Literal

import numpy as np

from vigil_cloud.search import area, habits, reach, regions, rings, whereabouts
from vigil_cloud.search.clues import Brought
from vigil_cloud.search.ground import BadStreets, Centre, Floats, Ground, Note, free_ground
from vigil_cloud.search.ground import streets as street_ground
from vigil_cloud.search.model import Belief
from vigil_cloud.search.regions import Raster
from vigil_cloud.search.replay_files import Listed, Seen

Prior = Literal["filter", "koester"]
_MARGIN_M: Final = 1_500.0
_FARTHEST_M: Final = 25_000.0
_ANOTHER_MAP_M: Final = 100_000.0
"""From all streets, which stretch no further: nobody is followed there."""
_BESIDE_M: Final = 200.0
"""A station whose reach ends further from all streets may be of another map."""
_NEXT: Final = 10
_NEXT_SCALE_M: Final = 600.0
"""How near a station must be to where somebody is, to be the next that hears them."""


@dataclass(frozen=True, slots=True)
class SearchMap:
    """``next_stations``: names with probabilities, the likeliest first."""

    at_s: float
    raster: Raster
    centre: Centre
    next_stations: list[tuple[str, float]]
    notes: list[Note]
    ground: Ground

    def contours(self) -> list[dict[str, float]]:
        """Share and area of each region."""
        cell_km2 = (self.raster.cell_m / 1000) ** 2
        return [
            {
                "probability": share,
                "area_km2": round(
                    float(np.count_nonzero(regions.region(self.raster, share)) * cell_km2), 6
                ),
            }
            for share in regions.SHARES
        ]

    def geojson(self) -> dict[str, Any]:
        """A MultiPolygon for each region, in degrees, with its ``probability``."""
        return {
            "type": "FeatureCollection",
            "features": [
                {
                    "type": "Feature",
                    "properties": {**contour, "time": self.at_s},
                    "geometry": {
                        "type": "MultiPolygon",
                        "coordinates": self.polygons(contour["probability"]),
                    },
                }
                for contour in self.contours()
            ],
        }

    def polygons(self, share: float) -> list[list[list[list[float]]]]:
        """Outlines of one region in degrees: each its outer ring and its holes."""
        corner = np.array([self.raster.west, self.raster.south])
        return [
            [
                self.centre.degrees(corner + np.array(ring) * self.raster.cell_m).round(7).tolist()
                for ring in polygon
            ]
            for polygon in regions.outlines(regions.region(self.raster, share))
        ]

    def cells(self) -> tuple[Floats, Floats]:
        """Longitude and latitude (n, 2) of the middle of each cell of 50 m, and p (n,)."""
        coarse = self.raster
        if coarse.cell_m < area.CELL_M:
            coarse = coarse.coarser(round(area.CELL_M / coarse.cell_m))
        columns, rows = coarse.mass.shape
        x = coarse.west + (np.arange(columns) + 0.5) * coarse.cell_m
        y = coarse.south + (np.arange(rows) + 0.5) * coarse.cell_m
        middles = np.stack(np.meshgrid(x, y, indexing="ij"), axis=-1).reshape(-1, 2)
        return self.centre.degrees(middles), coarse.mass.ravel()


def draw(
    listed: Sequence[Listed],
    seen: Sequence[Seen],
    at_s: float,
    lines: Sequence[Sequence[tuple[float, float]]] | None,
    prior: Prior = "filter",
    brought: Sequence[Brought] = (),
) -> SearchMap:
    """``seen``: of one person, oldest first, none after ``at_s``; ``brought``: what people saw and
    searched since the last of them. Raises ``BadStreets``."""
    ground = _free(listed, seen, at_s) if lines is None else street_ground(lines)
    stations = _placed(ground, listed)
    numbers = {station.name: number for number, station in enumerate(stations)}
    been = [(numbers[one.station], one.at_s) for one in seen]
    _require_here(ground, stations[been[-1][0]])
    if prior == "koester":
        raster = _ring_raster(ground, stations[been[-1][0]].place)
        return SearchMap(at_s, raster, ground.centre, [], ground.notes, ground)
    known = habits.of(ground, stations, been, at_s)
    placed = [one.placed(ground.centre) for one in brought]
    clues = [one for one in placed if one is not None]
    belief = whereabouts.believe(ground, stations, been, known, at_s, clues=clues)
    raster = area.raster(ground, belief)
    notes = [*ground.notes, *_off_the_streets(ground, stations[been[-1][0]])]
    if known.homes:
        text = "their home counts a fifth of what their habits say: look there first"
        notes.append(Note("home-first", text))
    following = _next(ground, stations, belief, at_s)
    return SearchMap(at_s, raster, ground.centre, following, notes, ground)


def _require_here(ground: Ground, last: reach.Station) -> None:
    """Raises ``BadStreets`` where the streets are of another place than the last station."""
    away_m = _away_m(ground, last)
    if ground.streets and away_m > _ANOTHER_MAP_M:
        raise BadStreets(
            f"the last station, {last.name!r}, stands {away_m / 1000:.0f} km from all streets: they"
            " are of another place, or its latitude and longitude are wrong"
        )


def _away_m(ground: Ground, station: reach.Station) -> float:
    return float(np.hypot(*(ground.nodes - np.array(station.place)).T).min())


def _off_the_streets(ground: Ground, last: reach.Station) -> list[Note]:
    away_m = _away_m(ground, last)
    if away_m <= last.range_m + _BESIDE_M:
        return []
    text = f"the last station, {last.name!r}, stands {away_m:.0f} m from all streets"
    return [Note("far-from-streets", text)]


def _placed(ground: Ground, listed: Sequence[Listed]) -> list[reach.Station]:
    places = ground.centre.metres(
        np.array([one.latitude for one in listed]), np.array([one.longitude for one in listed])
    )
    return [
        reach.Station(
            *(one.name, (float(place[0]), float(place[1])), one.range_m),
            *(one.online_since, one.online_until, one.detections_a_minute, one.worked_until),
        )
        for one, place in zip(listed, places, strict=True)
    ]


def _free(listed: Sequence[Listed], seen: Sequence[Seen], at_s: float) -> Ground:
    """The ground around the last station: as far as the stations stretch, and somebody gets."""
    by_name = {one.name: one for one in listed}
    last = by_name[seen[-1].station]
    centre = Centre(last.latitude, last.longitude)
    places = centre.metres(
        np.array([one.latitude for one in listed]), np.array([one.longitude for one in listed])
    )
    far = min(_FARTHEST_M, 3_000.0 + max(0.0, at_s - seen[-1].at_s) * 5.0)
    near = places[(np.abs(places) <= far).all(axis=1)]
    low = np.maximum(near.min(axis=0) - _MARGIN_M, -far)
    high = np.minimum(near.max(axis=0) + _MARGIN_M, far)
    return free_ground(centre, (float(low[0]), float(low[1]), float(high[0]), float(high[1])))


def _ring_raster(ground: Ground, place: tuple[float, float]) -> Raster:
    """Koester's rings around ``place``, all of them: a map's edge does not shrink a ring."""
    cell_m = area.CELL_M
    west, south, east, north = ground.box
    far = rings.URBAN[-1].radius_m * 1.05
    corner, middle = np.array([west, south]), np.array(place)
    low = np.floor((np.minimum(middle - far, corner) - corner) / cell_m)
    high = np.ceil((np.maximum(middle + far, [east, north]) - corner) / cell_m)
    x = west + (np.arange(low[0], high[0]) + 0.5) * cell_m - place[0]
    y = south + (np.arange(low[1], high[1]) + 0.5) * cell_m - place[1]
    away = np.hypot(x[:, None], y[None, :])
    # Within a ring the nearer cells come first, so that 80 % of people is a circle too.
    mass = rings.density(away) * (1 - 1e-9 * away)
    corner = corner + low * cell_m
    return Raster(mass / mass.sum(), float(corner[0]), float(corner[1]), cell_m)


def _next(
    ground: Ground,
    stations: Sequence[reach.Station],
    belief: Belief,
    at_s: float,
) -> list[tuple[str, float]]:
    """Who hears them next, if anybody does: by how near each online station is to where they
    are."""
    points = np.concatenate([ground.middles, ground.nodes])
    mass = np.concatenate([belief.links, belief.nodes])
    kept = np.argsort(-mass)[:4_000]
    points, mass = points[kept], mass[kept]
    online = [s for s in stations if s.online_since <= at_s < min(s.online_until, inf)]
    if not online:
        return []
    places = np.array([station.place for station in online])
    apart = np.hypot(
        points[:, None, 0] - places[None, :, 0], points[:, None, 1] - places[None, :, 1]
    )
    strength = np.array([station.range_m * station.detections_a_minute for station in online])
    pull = strength * np.exp(-apart / _NEXT_SCALE_M)
    total = pull.sum(axis=1)
    likely = ((mass / np.where(total > 0, total, 1.0)) @ pull) / mass.sum()
    best = np.argsort(-likely)[:_NEXT]
    return [(online[number].name, float(likely[number])) for number in best if likely[number] > 0]
