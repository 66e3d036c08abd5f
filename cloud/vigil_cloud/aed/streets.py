"""Ways along streets, both ways, and how far everybody is. Pure (numpy, scipy).

Positions are (longitude, latitude) in degrees, WGS 84; distances are metres. A person, a
defibrillator and a patient stand beside the nearest street and reach it straight.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix, csr_matrix
from scipy.sparse.csgraph import connected_components, dijkstra
from scipy.spatial import cKDTree

Position = tuple[float, float]
Metres = NDArray[np.float64]
Indices = NDArray[np.int64]

EARTH_RADIUS_M: Final = 6_371_008.8
_SAME_PLACE: Final = 7
"""Decimals of a degree (about 1 cm) at which two ends are one crossing."""
_SAMPLE_M: Final = 50.0
"""Streets are sampled this finely to find the nearest one."""
_MOST_SAMPLES: Final = 2_000
"""Of one segment: a vertex at (0, 0) makes it 13,000 km long."""
_LEAST_M: Final = 1e-6
"""A sparse graph has no edge of length 0."""
_FRAGMENT_M: Final = 300.0
_FRAGMENT_SHARE: Final = 0.01
"""Streets that nothing joins to the others, no longer than this and no more of all than that, are
taken for a gap in the map (a path through a park, a yard) and not for an island."""
MOST_AEDS: Final = 40
"""So many of those that open or close just now are looked at one by one."""


@dataclass(frozen=True, slots=True)
class Network:
    """Crossings and the segments between them, in metres around ``origin``."""

    origin: Position
    nodes: Metres
    """(n, 2) metres east and north."""
    segments: Indices
    """(m, 2) indices of nodes."""
    tree: Any
    """Of samples along the segments."""
    sampled: Indices
    """Which segment each sample is of."""


def metres(origin: Position, positions: Sequence[Position] | NDArray[np.float64]) -> Metres:
    """(n, 2) metres east and north of the origin: plane enough for a city."""
    found = np.asarray(positions, dtype=np.float64).reshape(-1, 2)
    shrink = np.cos(np.radians(origin[1]))
    east = np.radians(found[:, 0] - origin[0]) * EARTH_RADIUS_M * shrink
    north = np.radians(found[:, 1] - origin[1]) * EARTH_RADIUS_M
    return np.column_stack((east, north))


def network(lines: Sequence[Sequence[Position]], origin: Position) -> Network:
    """Lines are joined where their vertices coincide; where they only cross (a bridge) they are
    not. Fragments are left out: whoever stands on one is beside the nearest street that leads
    somewhere. Raises ``ValueError`` where there is not one segment."""
    ends: list[tuple[int, int]] = []
    numbers: dict[Position, int] = {}
    for line in lines:
        vertices = [
            numbers.setdefault((round(lon, _SAME_PLACE), round(lat, _SAME_PLACE)), len(numbers))
            for lon, lat in line
        ]
        ends += [(min(a, b), max(a, b)) for a, b in pairwise(vertices) if a != b]
    if not ends:
        raise ValueError("there is no street")
    nodes = metres(origin, list(numbers))
    segments = _joined(nodes, np.unique(np.asarray(ends, dtype=np.int64), axis=0))
    samples, sampled = _samples(nodes, segments)
    return Network(origin, nodes, segments, cKDTree(samples), sampled)


def _joined(nodes: Metres, segments: Indices) -> Indices:
    """Without the fragments; a map that is made of nothing else is left as it is."""
    lengths = np.hypot(*(nodes[segments[:, 1]] - nodes[segments[:, 0]]).T)
    shape = (len(nodes), len(nodes))
    graph = coo_matrix((np.ones(len(segments)), (segments[:, 0], segments[:, 1])), shape=shape)
    part = connected_components(graph, directed=False)[1][segments[:, 0]]
    sums = np.bincount(part, weights=lengths)
    fragment = (sums <= _FRAGMENT_M) & (sums <= _FRAGMENT_SHARE * sums.sum())
    if sums[fragment].sum() > sums.sum() / 2:
        return segments
    kept: Indices = segments[~fragment[part]]
    return kept


def _samples(nodes: Metres, segments: Indices) -> tuple[Metres, Indices]:
    first, last = nodes[segments[:, 0]], nodes[segments[:, 1]]
    along = np.ceil(np.hypot(*(last - first).T) / _SAMPLE_M)
    counts = np.minimum(along, _MOST_SAMPLES).astype(np.int64) + 1
    sampled = np.repeat(np.arange(len(segments)), counts)
    starts = np.repeat(np.cumsum(counts) - counts, counts)
    part = (np.arange(len(sampled)) - starts) / np.maximum(counts[sampled] - 1, 1)
    samples = first[sampled] + (last - first)[sampled] * part[:, None]
    return samples, sampled


@dataclass(frozen=True, slots=True)
class Reach:
    """Metres along streets; infinite where no way leads."""

    to_patient: Metres
    """(people,)"""
    to_aed: Metres
    """(aeds, people): from each person to each defibrillator that is the best for them."""
    aed_to_patient: Metres
    """(aeds,)"""


def reach(
    streets: Network,
    patient: Position,
    aeds: Sequence[Position],
    people: Sequence[Position],
    limit_m: float,
    changing: Collection[int] = (),
) -> Reach:
    """How far everybody is from the patient and from the defibrillators.

    Of those that stay open each person has the way by the best one alone; ``changing``, which
    open or close just now, are each told, the ``MOST_AEDS`` nearest of them. Ways longer than
    ``limit_m`` count as out of reach.
    """
    points = metres(streets.origin, [patient, *aeds, *people])
    graph, first = _with_points(streets, points)
    own = np.arange(first, first + len(points))
    from_patient = dijkstra(graph, directed=False, indices=own[0], limit=limit_m)
    aed_nodes, people_nodes = own[1 : 1 + len(aeds)], own[1 + len(aeds) :]
    aed_m = from_patient[aed_nodes]
    to_aed = np.full((len(aeds), len(people)), np.inf)
    near = [n for n in np.argsort(aed_m, kind="stable") if np.isfinite(aed_m[n])]
    steady = np.array([n for n in near if n not in changing], dtype=np.int64)
    if len(steady) and len(people):
        by, totals = _by_the_best(graph, aed_nodes[steady], aed_m[steady], limit_m)
        found = np.flatnonzero(np.isfinite(totals[people_nodes]))
        which = steady[by[people_nodes[found]]]
        to_aed[which, found] = np.maximum(0.0, totals[people_nodes[found]] - aed_m[which])
    one_by_one = [n for n in near if n in changing][:MOST_AEDS]
    if one_by_one and len(people):
        ways = dijkstra(graph, directed=False, indices=aed_nodes[one_by_one], limit=limit_m)
        to_aed[one_by_one] = ways[:, people_nodes]
    return Reach(from_patient[people_nodes], to_aed, aed_m)


def _by_the_best(
    graph: csr_matrix, aeds: Indices, aed_m: Metres, limit_m: float
) -> tuple[Indices, Metres]:
    """Of each node: by which of these AEDs the patient is nearest, and how far that is in all.

    One search from a place beyond all of them, as far from each as the patient is.
    """
    size = graph.shape[0]
    ends = graph.tocoo()
    weights = np.concatenate((ends.data, np.maximum(aed_m, _LEAST_M)))
    rows = np.concatenate((ends.row, np.full(len(aeds), size)))
    columns = np.concatenate((ends.col, aeds))
    beyond = coo_matrix((weights, (rows, columns)), shape=(size + 1, size + 1)).tocsr()
    totals, before = dijkstra(
        beyond, directed=False, indices=size, limit=limit_m, return_predecessors=True
    )
    here = np.arange(size + 1)
    root = np.where((before < 0) | (before == size), here, before).astype(np.int64)
    while not np.array_equal(further := root[root], root):
        root = further
    number = np.zeros(size + 1, dtype=np.int64)
    number[aeds] = np.arange(len(aeds))
    return number[root], totals


def straight(
    patient: Position,
    aeds: Sequence[Position],
    people: Sequence[Position],
    detour: float = 1.3,
) -> Reach:
    """Where there is no map of streets: as the crow flies, times how much longer city streets
    are."""
    points = metres(patient, [patient, *aeds, *people])
    first = 1 + len(aeds)
    of_people, of_aeds = points[first:], points[1:first]
    apart = of_aeds[:, None, :] - of_people[None, :, :]
    return Reach(
        np.hypot(*of_people.T) * detour,
        np.hypot(apart[..., 0], apart[..., 1]) * detour,
        np.hypot(*of_aeds.T) * detour,
    )


def apart(origin: Position, positions: Sequence[Position]) -> Metres:
    """(n,) metres as the crow flies."""
    found: Metres = np.hypot(*metres(origin, positions).T)
    return found


def _with_points(streets: Network, points: Metres) -> tuple[csr_matrix, int]:
    """The graph with each point tied to its street, and the first point's node."""
    nodes, segments = streets.nodes, streets.segments
    nearest, part, beside = _snapped(streets, points)
    feet, first = len(nodes), len(nodes) + len(points)
    """Nodes of the points' places on the street, and of the points themselves."""
    lengths = np.hypot(*(nodes[segments[:, 1]] - nodes[segments[:, 0]]).T)
    pairs = [segments]
    weights = [lengths]
    own = np.column_stack((np.arange(feet, first), np.arange(first, first + len(points))))
    pairs.append(own)
    weights.append(beside)
    order = np.lexsort((part, nearest))
    chain: list[tuple[int, int]] = []
    along: list[float] = []
    last_segment, last_node, last_part = -1, -1, 0.0
    for number in order:
        segment, here = int(nearest[number]), float(part[number])
        if segment != last_segment:
            if last_segment >= 0:
                chain.append((last_node, int(segments[last_segment, 1])))
                along.append((1 - last_part) * float(lengths[last_segment]))
            last_node, last_part = int(segments[segment, 0]), 0.0
        chain.append((last_node, feet + int(number)))
        along.append((here - last_part) * float(lengths[segment]))
        last_segment, last_node, last_part = segment, feet + int(number), here
    chain.append((last_node, int(segments[last_segment, 1])))
    along.append((1 - last_part) * float(lengths[last_segment]))
    pairs.append(np.asarray(chain, dtype=np.int64))
    weights.append(np.asarray(along))
    size = first + len(points)
    ends, metres_ = np.vstack(pairs), np.maximum(np.concatenate(weights), _LEAST_M)
    return coo_matrix((metres_, (ends[:, 0], ends[:, 1])), shape=(size, size)).tocsr(), first


def _snapped(streets: Network, points: Metres) -> tuple[Indices, Metres, Metres]:
    """The nearest segment of each point, where on it (0 to 1), and how far beside it."""
    close, _ = streets.tree.query(points)
    nearest = np.zeros(len(points), dtype=np.int64)
    part, beside = np.zeros(len(points)), np.zeros(len(points))
    for number, point in enumerate(points):
        # The nearest segment has a sample within half a step of the nearest place on it.
        around = streets.tree.query_ball_point(point, close[number] + _SAMPLE_M)
        candidates = np.unique(streets.sampled[around])
        first = streets.nodes[streets.segments[candidates, 0]]
        along = streets.nodes[streets.segments[candidates, 1]] - first
        squared = np.maximum((along**2).sum(axis=1), _LEAST_M)
        where = np.clip(((point - first) * along).sum(axis=1) / squared, 0.0, 1.0)
        apart = np.hypot(*(first + along * where[:, None] - point).T)
        best = int(np.argmin(apart))
        nearest[number], part[number], beside[number] = candidates[best], where[best], apart[best]
    return nearest, part, beside
