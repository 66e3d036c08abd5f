"""Canals and rivers as a directed graph: what lies upstream and downstream, how far along the
water, and how long the water takes. Pure.

Positions are (longitude, latitude) in degrees, WGS 84; lengths are metres, times seconds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import pairwise
from math import cos, hypot, inf, radians
from typing import Final, Literal, NamedTuple

Position = Sequence[float]
EARTH_RADIUS_M: Final = 6_371_008.8
USUAL_VELOCITY_M_S: Final = 0.5
"""Of a reach that says neither its velocity nor how long the water takes."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """One reach, from ``start`` to ``end`` in the water's direction."""

    id: str
    start: str
    end: str
    length_m: float
    line: Sequence[Position] = ()
    travel_s: float | None = None
    """``None``: at ``USUAL_VELOCITY_M_S``."""
    reversible: bool = False

    @property
    def seconds_per_metre(self) -> float:
        """How slow the water is."""
        if self.travel_s is None or self.length_m <= 0:
            return 1 / USUAL_VELOCITY_M_S
        return self.travel_s / self.length_m


class Place(NamedTuple):
    """On a reach, so far from its beginning."""

    reach: str
    offset_m: float


class Way(NamedTuple):
    """Along the water from one place to a spot."""

    spot: str
    distance_m: float
    travel_s: float


class Nearest(NamedTuple):
    """The place of a line that a position is nearest to."""

    share: float
    """Of the line's length, 0 to 1."""
    distance_m: float


class Box(NamedTuple):
    """What a line lies in."""

    west: float
    south: float
    east: float
    north: float

    def distance_m(self, position: Position) -> float:
        """No point of the line is nearer than that: 1 % less than to the box, since a degree is
        as long as where it is measured."""
        across = min(max(position[0], self.west), self.east)
        up = min(max(position[1], self.south), self.north)
        return 0.99 * _distance(position, (across, up))


class Network:
    """Reaches, and what stands on them by its id."""

    def __init__(self, stretches: Iterable[Stretch], spots: Mapping[str, Place]) -> None:
        self._stretches = {one.id: one for one in stretches}
        self._spots = {
            spot: place for spot, place in spots.items() if place.reach in self._stretches
        }
        self._into: defaultdict[str, list[Stretch]] = defaultdict(list)
        self._out_of: defaultdict[str, list[Stretch]] = defaultdict(list)
        self._on: defaultdict[str, list[tuple[str, float]]] = defaultdict(list)
        for one in self._stretches.values():
            self._into[one.end].append(one)
            self._out_of[one.start].append(one)
        for spot, place in self._spots.items():
            self._on[place.reach].append((spot, place.offset_m))

    def place_of(self, spot: str) -> Place | None:
        """Where it stands; ``None`` where it is on no reach."""
        return self._spots.get(spot)

    def upstream(self, spot: str, most_m: float = inf) -> list[Way]:
        """Spots whose water comes by here, nearest first."""
        return self._walk(spot, most_m, "up")

    def downstream(self, spot: str, most_m: float = inf) -> list[Way]:
        """Spots that the water from here comes by, nearest first."""
        return self._walk(spot, most_m, "down")

    def around(self, spot: str, most_m: float) -> dict[str, Way]:
        """Spots within a distance along the water, upstream or downstream."""
        found: dict[str, Way] = {}
        for way in (*self.upstream(spot, most_m), *self.downstream(spot, most_m)):
            known = found.get(way.spot)
            if known is None or way.distance_m < known.distance_m:
                found[way.spot] = way
        return found

    def _walk(self, spot: str, most_m: float, way: Literal["up", "down"]) -> list[Way]:
        """Dijkstra's shortest ways over nodes; a reach that turns is walked both ways."""
        here = self._spots.get(spot)
        if here is None:
            return []
        found: dict[str, Way] = {}
        own = self._stretches[here.reach]
        queue: list[tuple[float, float, str]] = []
        for against in _directions(own, way):
            self._along(own, here.offset_m, against, (0.0, 0.0), found)
            left = here.offset_m if against else own.length_m - here.offset_m
            node = own.start if against else own.end
            heappush(queue, (left, left * own.seconds_per_metre, node))
        seen: set[str] = set()
        while queue:
            distance, travel, node = heappop(queue)
            if node in seen or distance > most_m:
                continue
            seen.add(node)
            for reach, against in self._from(node, way):
                entry = reach.length_m if against else 0.0
                self._along(reach, entry, against, (distance, travel), found)
                far = reach.start if against else reach.end
                after = travel + reach.length_m * reach.seconds_per_metre
                heappush(queue, (distance + reach.length_m, after, far))
        found.pop(spot, None)
        near = (one for one in found.values() if one.distance_m <= most_m)
        return sorted(near, key=lambda one: (one.distance_m, one.spot))

    def _from(self, node: str, way: Literal["up", "down"]) -> list[tuple[Stretch, bool]]:
        """Reaches that go on from a node, and whether they are walked against their line."""
        into = [(one, True) for one in self._into[node] if way == "up" or one.reversible]
        out = [(one, False) for one in self._out_of[node] if way == "down" or one.reversible]
        return into + out

    def _along(
        self,
        reach: Stretch,
        offset_m: float,
        against: bool,
        before: tuple[float, float],
        found: dict[str, Way],
    ) -> None:
        """What stands on one reach beyond an offset."""
        for spot, at in self._on[reach.id]:
            ahead = offset_m - at if against else at - offset_m
            if ahead < 0:
                continue
            distance = before[0] + ahead
            if spot not in found or distance < found[spot].distance_m:
                travel = before[1] + ahead * reach.seconds_per_metre
                found[spot] = Way(spot, distance, travel)


def _directions(reach: Stretch, way: Literal["up", "down"]) -> tuple[bool, ...]:
    return (True, False) if reach.reversible else (way == "up",)


def cycle(stretches: Iterable[Stretch]) -> list[str]:
    """Nodes of a circle in which water would flow for ever; empty where there is none. Reaches
    that turn around are left out: with them a circle is no contradiction."""
    after: defaultdict[str, set[str]] = defaultdict(set)
    coming: defaultdict[str, int] = defaultdict(int)
    for one in stretches:
        if not one.reversible and one.end not in after[one.start]:
            after[one.start].add(one.end)
            coming[one.end] += 1
    free = [node for node in after if coming[node] == 0]
    while free:
        for node in after.pop(free.pop(), set()):
            coming[node] -= 1
            if coming[node] == 0:
                free.append(node)
    left = {node for node, count in coming.items() if count > 0}
    # What only follows a circle is not in it.
    while ends := {node for node in left if not after.get(node, set()) & left}:
        left -= ends
    return sorted(left)


def islands(stretches: Sequence[Stretch]) -> list[list[str]]:
    """Ids of reaches that hang together, one list for each part; the largest first."""
    parent: dict[str, str] = {}

    def root(node: str) -> str:
        while parent.setdefault(node, node) != node:
            parent[node] = parent[parent[node]]
            node = parent[node]
        return node

    for one in stretches:
        parent[root(one.start)] = root(one.end)
    parts: defaultdict[str, list[str]] = defaultdict(list)
    for one in stretches:
        parts[root(one.start)].append(one.id)
    return sorted((sorted(ids) for ids in parts.values()), key=lambda ids: (-len(ids), ids))


def length_of(line: Sequence[Position]) -> float:
    """Metres along a line."""
    return sum(_distance(a, b) for a, b in pairwise(line))


def box_of(line: Sequence[Position]) -> Box:
    """Of a line with one position at least."""
    across, up = [one[0] for one in line], [one[1] for one in line]
    return Box(min(across), min(up), max(across), max(up))


def nearest(line: Sequence[Position], position: Position) -> Nearest:
    """Where on the line a position is nearest to it. A line has two positions at least."""
    whole = length_of(line)
    best, before = Nearest(0.0, inf), 0.0
    for a, b in pairwise(line):
        (bx, by), (px, py) = _metres(a, b), _metres(a, position)
        square = bx * bx + by * by
        along = 0.0 if square == 0 else min(1.0, max(0.0, (px * bx + py * by) / square))
        distance = hypot(px - along * bx, py - along * by)
        if distance < best.distance_m:
            share = (before + along * hypot(bx, by)) / whole if whole else 0.0
            best = Nearest(share, distance)
        before += hypot(bx, by)
    return best


def at_share(line: Sequence[Position], share: float) -> tuple[float, float]:
    """The position at a share of the line's length."""
    left = share * length_of(line)
    for a, b in pairwise(line):
        step = _distance(a, b)
        if left <= step and step > 0:
            part = left / step
            return (a[0] + part * (b[0] - a[0]), a[1] + part * (b[1] - a[1]))
        left -= step
    return (line[-1][0], line[-1][1])


def _metres(origin: Position, position: Position) -> tuple[float, float]:
    """East and north of an origin: plane enough for a city."""
    east = radians(position[0] - origin[0]) * EARTH_RADIUS_M * cos(radians(origin[1]))
    return east, radians(position[1] - origin[1]) * EARTH_RADIUS_M


def _distance(a: Position, b: Position) -> float:
    return hypot(*_metres(a, b))
