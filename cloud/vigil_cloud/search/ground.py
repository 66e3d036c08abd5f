"""Where people can walk: streets cut into short links, or free ground as a lattice. Pure.

Metres east and north of a centre (equirectangular, good to a thousandth within 50 km). Streets
are GeoJSON lines that meet where they share a point. Lines that are drawn across each other
without a common point are joined where they cross, if the network is in pieces without that;
small islands (what a fence or a missing footpath cuts off) are joined to the nearest street, and
larger ones are refused.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import ClassVar, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vigil_cloud.geodesy import EARTH_M
from vigil_schemas.errors import VigilError

Floats = NDArray[np.float64]
Numbers = NDArray[np.int64]
Singles = NDArray[np.float32]
Line = Sequence[tuple[float, float]]
"""Longitude and latitude."""

LONGEST_LINK_M: Final = 200.0
"""Some minutes' walk; people are followed along links as a whole."""
_MOST_LINKS: Final = 16_000
"""Longer links are taken where a city has more street than this."""
_SMALL_ISLAND: Final = 0.05
"""Share of all street length; OpenStreetMap extracts have some everywhere."""
_MOST_CROSSED: Final = 4_000
"""Straight pieces that are tried against each other for crossings."""
_MOST_CROSSINGS: Final = 50_000
"""Of these, without a common point: a city of so many is not drawn in so few pieces."""
_SAME_M: Final = 0.5
_MOST_NODES: Final = 6_000
KEPT: Final = 4
"""Grounds, and what is computed of them alone: the maps of a few searches are drawn in turn, every
few minutes, on the same ones."""


class BadStreets(VigilError):
    """A street network on which nobody can be followed."""

    code: ClassVar[str] = "bad-streets"
    remedy: ClassVar[str] = (
        "Give GeoJSON with LineStrings in degrees that share their points where streets meet."
    )


class Note(NamedTuple):
    """What whoever reads a map should know of it: a code for pages, and words."""

    code: str
    text: str


class Centre(NamedTuple):
    """Where metres are counted from, degrees."""

    latitude: float
    longitude: float

    @property
    def _degree_m(self) -> tuple[float, float]:
        north = math.radians(1) * EARTH_M
        return north * math.cos(math.radians(self.latitude)), north

    def metres(self, latitude: Floats, longitude: Floats) -> Floats:
        """(n, 2): east and north."""
        east, north = self._degree_m
        return np.stack(
            [(longitude - self.longitude) * east, (latitude - self.latitude) * north], axis=-1
        )

    def degrees(self, points: Floats) -> Floats:
        """(n, 2): longitude and latitude."""
        return np.asarray(
            points / np.array(self._degree_m) + np.array([self.longitude, self.latitude])
        )


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """``nodes`` (n, 2) in metres; ``begin`` and ``end`` name them for each directed link, of
    ``length_m``. Links stand in pairs: ``i`` and ``i + m`` are the two directions of one.

    Equal to itself alone: what is computed of one is kept by it (``turns.ways``)."""

    centre: Centre
    nodes: Floats
    begin: Numbers
    end: Numbers
    length_m: Floats
    box: tuple[float, float, float, float]
    """West, south, east, north, metres: what a map shows."""
    streets: bool
    notes: list[Note] = field(default_factory=list)

    @property
    def middles(self) -> Floats:
        """(2 m, 2): of each link."""
        return np.asarray((self.nodes[self.begin] + self.nodes[self.end]) / 2)


def streets(lines: Sequence[Line]) -> Ground:
    """From lines in degrees; those of the last map are the same ground. Raises ``BadStreets``."""
    return _of_streets(tuple(tuple((east, north) for east, north, *_ in line) for line in lines))


@lru_cache(maxsize=1)
def _of_streets(lines: tuple[Line, ...]) -> Ground:
    if not any(len(line) > 1 for line in lines):
        raise BadStreets("there is no LineString with two points")
    flat = np.array([point for line in lines for point in line], dtype=float)
    if not np.isfinite(flat).all() or (np.abs(flat) > (180.0, 90.0)).any():
        raise BadStreets("a street has a point that is no longitude and latitude")
    low, high = flat.min(axis=0), flat.max(axis=0)
    centre = Centre(float(low[1] + high[1]) / 2, float(low[0] + high[0]) / 2)
    box = centre.metres(np.array([low[1], high[1]]), np.array([low[0], high[0]])).ravel()
    if max(box[2] - box[0], box[3] - box[1]) > 100_000:
        raise BadStreets("the streets stretch over more than 100 km")
    points = centre.metres(flat[:, 1], flat[:, 0])
    bounds = np.cumsum([0, *(len(line) for line in lines)])
    ends = np.array(
        [
            (at, at + 1)
            for first, last in itertools.pairwise(bounds)
            for at in range(first, last - 1)
        ]
    )
    nodes, pieces = _merged(points, ends)
    notes: list[Note] = []
    if _island_share(nodes, pieces) > _SMALL_ISLAND and len(pieces) <= _MOST_CROSSED:
        nodes, pieces = _crossed(nodes, pieces)
        text = "streets cross without a common point; they are joined where they cross"
        notes.append(Note("streets-crossed", text))
    nodes, pieces, joined = _bridged(nodes, pieces)
    if joined:
        text = f"{joined} small islands of streets are joined to the nearest street"
        notes.append(Note("islands-joined", text))
    nodes, pieces = _cut(nodes, pieces)
    return _ground(centre, nodes, pieces, (box[0], box[1], box[2], box[3]), True, notes)


@lru_cache(maxsize=KEPT)
def free_ground(centre: Centre, box: tuple[float, float, float, float]) -> Ground:
    """A lattice over ``box`` (metres), each point with its eight neighbours."""
    west, south, east, north = box
    step = max(50.0, math.sqrt((east - west) * (north - south) / _MOST_NODES))
    xs, ys = np.arange(west + step / 2, east, step), np.arange(south + step / 2, north, step)
    number = np.arange(len(xs) * len(ys)).reshape(len(xs), len(ys))
    nodes = np.stack(np.meshgrid(xs, ys, indexing="ij"), axis=-1).reshape(-1, 2)
    neighbours = (
        (number[:-1], number[1:]),
        (number[:, :-1], number[:, 1:]),
        (number[:-1, :-1], number[1:, 1:]),
        (number[:-1, 1:], number[1:, :-1]),
    )
    pieces = np.concatenate([np.stack([a.ravel(), b.ravel()], axis=1) for a, b in neighbours])
    return _ground(centre, nodes, pieces, box, False, [])


def _ground(
    centre: Centre,
    nodes: Floats,
    pieces: Numbers,
    box: tuple[float, float, float, float],
    drawn: bool,
    notes: list[Note],
) -> Ground:
    length = np.hypot(*(nodes[pieces[:, 0]] - nodes[pieces[:, 1]]).T)
    begin, end = np.r_[pieces[:, 0], pieces[:, 1]], np.r_[pieces[:, 1], pieces[:, 0]]
    shown = (float(box[0]), float(box[1]), float(box[2]), float(box[3]))
    return Ground(centre, nodes, begin, end, np.r_[length, length], shown, drawn, notes)


def _merged(points: Floats, ends: Numbers) -> tuple[Floats, Numbers]:
    """Points at one place are one; pieces that are there twice, or have no length, go."""
    keys, first, number = np.unique(
        np.round(points / _SAME_M).astype(np.int64), axis=0, return_index=True, return_inverse=True
    )
    del keys
    pieces = np.sort(number.ravel()[ends], axis=1)
    pieces = np.unique(pieces[pieces[:, 0] != pieces[:, 1]], axis=0)
    if not len(pieces):
        raise BadStreets("no street has a length")
    return points[first], pieces


def _labels(nodes: Floats, pieces: Numbers) -> tuple[Numbers, Floats]:
    """Which island each node is of, and how much street each island has, metres."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    length = np.hypot(*(nodes[pieces[:, 0]] - nodes[pieces[:, 1]]).T)
    shape = (len(nodes), len(nodes))
    links = coo_array((np.ones(len(pieces)), (pieces[:, 0], pieces[:, 1])), shape=shape)
    count, label = connected_components(links, directed=False)
    sizes = np.bincount(label[pieces[:, 0]], length, minlength=count)
    return label.astype(np.int64), np.asarray(sizes, dtype=np.float64)


def _island_share(nodes: Floats, pieces: Numbers) -> float:
    _, size = _labels(nodes, pieces)
    return float(1 - size.max() / size.sum())


def _bridged(nodes: Floats, pieces: Numbers) -> tuple[Floats, Numbers, int]:
    """Small islands joined to the mainland. Raises ``BadStreets`` of a large one."""
    from scipy.spatial import cKDTree

    label, size = _labels(nodes, pieces)
    main = int(size.argmax())
    islands = [one for one in np.flatnonzero(size > 0) if one != main]
    if not islands:
        return nodes, pieces, 0
    share = 1 - size[main] / size.sum()
    if share > _SMALL_ISLAND:
        raise BadStreets(
            f"the streets have {len(islands)} islands with {share:.0%} of their length that no"
            " street leads to"
        )
    mainland = np.flatnonzero(label == main)
    away, nearest = cKDTree(nodes[mainland]).query(nodes)
    bridges = []
    for island in islands:
        of = np.flatnonzero(label == island)
        closest = of[away[of].argmin()]
        bridges.append((closest, mainland[nearest[closest]]))
    return nodes, np.concatenate([pieces, np.array(bridges)]), len(islands)


def _crossed(nodes: Floats, pieces: Numbers) -> tuple[Floats, Numbers]:
    """Every piece split where another crosses or meets it."""
    one = nodes[pieces[:, 0]]
    along = nodes[pieces[:, 1]] - one
    length = np.hypot(*along.T)
    cuts: list[Floats] = []
    crossings = 0
    for at in range(len(pieces)):
        apart = one - one[at]
        cross = along[at, 0] * along[:, 1] - along[at, 1] * along[:, 0]
        with np.errstate(divide="ignore", invalid="ignore"):
            here = (apart[:, 0] * along[:, 1] - apart[:, 1] * along[:, 0]) / cross
            there = (apart[:, 0] * along[at, 1] - apart[:, 1] * along[at, 0]) / cross
        near, far = _SAME_M / length[at], _SAME_M / length
        met = (here >= -near) & (here <= 1 + near) & (there >= -far) & (there <= 1 + far)
        met &= np.abs(cross) > 1e-9
        cuts.append(np.unique(np.r_[0.0, np.clip(here[met], 0, 1), 1.0]))
        crossings += len(cuts[-1]) - 2
        if crossings > 2 * _MOST_CROSSINGS:  # each is met on both
            raise BadStreets(
                f"the streets cross without a common point more than {_MOST_CROSSINGS} times"
            )
    points = np.concatenate([one[at] + cut[:, None] * along[at] for at, cut in enumerate(cuts)])
    bounds = np.cumsum([0, *(len(cut) for cut in cuts)])
    steps = np.concatenate(
        [np.arange(first, last - 1) for first, last in itertools.pairwise(bounds)]
    )
    return _merged(points, np.stack([steps, steps + 1], axis=1))


def _cut(nodes: Floats, pieces: Numbers) -> tuple[Floats, Numbers]:
    """Links of even length between crossings, however a street's bends are drawn; longer ones
    where there would be too many."""
    total = float(np.hypot(*(nodes[pieces[:, 0]] - nodes[pieces[:, 1]]).T).sum())
    longest = max(LONGEST_LINK_M, total / _MOST_LINKS)
    new_nodes: list[Floats] = [nodes]
    new_pieces: list[Numbers] = []
    count = len(nodes)
    for chain in _chains(len(nodes), pieces):
        points = nodes[chain]
        along = np.r_[0.0, np.cumsum(np.hypot(*np.diff(points, axis=0).T))]
        parts = max(1, int(np.ceil(along[-1] / longest)))
        if chain[0] == chain[-1]:  # a ring has to have an inside
            parts = max(parts, 3)
        at = along[-1] * np.arange(1, parts) / parts
        inner = np.stack([np.interp(at, along, points[:, axis]) for axis in (0, 1)], axis=1)
        names = np.r_[chain[0], count + np.arange(parts - 1), chain[-1]]
        count += parts - 1
        new_nodes.append(inner)
        new_pieces.append(np.stack([names[:-1], names[1:]], axis=1))
    joined = np.unique(np.sort(np.concatenate(new_pieces), axis=1), axis=0)
    joined = joined[joined[:, 0] != joined[:, 1]]
    used, named = np.unique(joined, return_inverse=True)
    return np.concatenate(new_nodes)[used], named.reshape(joined.shape).astype(np.int64)


def _chains(count: int, pieces: Numbers) -> list[list[int]]:
    """Nodes from crossing (or end) to crossing, all pieces once."""
    beside: list[list[int]] = [[] for _ in range(count)]
    for number, (one, other) in enumerate(pieces.tolist()):
        beside[one].append(number)
        beside[other].append(number)
    ends = pieces.tolist()
    used = [False] * len(ends)
    crossings = [node for node in range(count) if beside[node] and len(beside[node]) != 2]
    rings = (node for node in range(count) if len(beside[node]) == 2)
    found: list[list[int]] = []
    for start in itertools.chain(crossings, rings):
        for first in beside[start]:
            if used[first]:
                continue
            chain, piece = [start], first
            while True:
                used[piece] = True
                one, other = ends[piece]
                chain.append(other if one == chain[-1] else one)
                if len(beside[chain[-1]]) != 2 or chain[-1] == start:
                    break
                one, other = beside[chain[-1]]
                piece = other if one == piece else one
            found.append(chain)
    return found
