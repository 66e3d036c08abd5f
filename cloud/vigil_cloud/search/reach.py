"""What stations hear of a beacon, by how far it is. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
from scipy.sparse import csr_array

from vigil_cloud.search.ground import KEPT, Floats, Ground, Numbers

HOLD_OFF_S: Final = 600.0
DETECTIONS_A_MINUTE: Final = 0.5
_EDGE_M: Final = 12.0
"""Reach of a radio ends softly; people also walk beside the street's middle line."""
_SAMPLE_M: Final = 15.0


class Station(NamedTuple):
    """``place`` in metres; times in seconds of the epoch, infinite where it always is online."""

    name: str
    place: tuple[float, float]
    range_m: float
    online_since: float = -np.inf
    online_until: float = np.inf
    detections_a_minute: float = DETECTIONS_A_MINUTE
    worked_until: float = -np.inf
    """Until when it was online before ``online_since``; never, if that is when it began."""


def at_points(points: Floats, stations: Sequence[Station]) -> csr_array:
    """(points, stations): how much of a beacon at each point each station hears, 0 to 1."""
    from scipy.spatial import cKDTree

    shape = (len(points), len(stations))
    if not stations:
        return csr_array(shape)
    places = np.array([station.place for station in stations])
    reach = np.array([station.range_m for station in stations])
    within = cKDTree(points).query_ball_point(places, reach + 2 * _EDGE_M)
    rows = np.concatenate([np.array(some, dtype=np.int64) for some in within])
    columns = np.repeat(np.arange(len(stations)), [len(some) for some in within])
    apart = np.hypot(*(points[rows] - places[columns]).T)
    values = np.clip((reach[columns] - apart) / _EDGE_M / 2 + 0.5, 0, 1)
    return csr_array((values, (rows, columns)), shape=shape)


def along_links(ground: Ground, stations: Sequence[Station]) -> csr_array:
    """(links, stations): the same of each link, the mean over its length. A link is longer than
    some stations reach."""
    half = len(ground.begin) // 2
    near = _near(ground.middles[:half], ground.length_m[:half], stations)
    begin, end = ground.nodes[ground.begin[near]], ground.nodes[ground.end[near]]
    samples = max(1, int(np.ceil(np.median(ground.length_m) / _SAMPLE_M)))
    shares = (np.arange(samples) + 0.5) / samples
    points = begin[:, None] + shares[None, :, None] * (end - begin)[:, None]
    hears = at_points(points.reshape(-1, 2), stations).tocoo()
    # Entries of one link and station are added up.
    one_way = csr_array(
        (hears.data / samples, (near[hears.row // samples], hears.col)), shape=(half, len(stations))
    )
    from scipy.sparse import vstack

    return csr_array(vstack([one_way, one_way]))


def _near(middles: Floats, length_m: Floats, stations: Sequence[Station]) -> Numbers:
    """Links of which some part may be heard: few, where a city is large."""
    from scipy.spatial import cKDTree

    if not stations:
        return np.zeros(0, dtype=np.int64)
    reach_m = max(station.range_m for station in stations) + 2 * _EDGE_M
    away, _ = cKDTree(np.array([station.place for station in stations])).query(middles)
    return np.flatnonzero(away <= reach_m + length_m / 2)


class Hears(NamedTuple):
    """``links`` (links, stations) and ``nodes`` (nodes, stations): how much of a beacon each
    station hears, 0 to 1."""

    links: csr_array
    nodes: csr_array


def on(ground: Ground, stations: Sequence[Station]) -> Hears:
    """On all of a ground; where the stations stand as they stood it is not computed again, whether
    or not they were online."""
    return _on(ground, tuple(Station("", one.place, one.range_m) for one in stations))


@lru_cache(maxsize=KEPT)
def _on(ground: Ground, stations: tuple[Station, ...]) -> Hears:
    return Hears(along_links(ground, stations), at_points(ground.nodes, stations))


def around(nodes: Floats, station: Station) -> Floats:
    """(nodes,): where somebody is whom the station has just heard."""
    apart = np.hypot(*(nodes - np.array(station.place)).T)
    inside = np.clip((station.range_m - apart) / _EDGE_M / 2 + 0.5, 0, 1)
    if not inside.any():
        inside[apart.argmin()] = 1.0
    return np.asarray(inside / inside.sum())


def of(hears: csr_array, station: int) -> Floats:
    """(points,): what one station hears."""
    return np.asarray(hears[:, [station]].todense()).ravel()
