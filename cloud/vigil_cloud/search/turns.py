"""Which ways people take: the turns of a ground, and its shortest ways. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array, csr_array

from vigil_cloud.search.ground import KEPT, Floats, Ground, Numbers, Singles

HEADINGS: Final = 6
_ANGLES: Final = np.arange(HEADINGS) * 2 * np.pi / HEADINGS
DIRECTIONS: Final = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1)
_BACK: Final = 0.1
"""How much somebody likes to turn round, beside going on."""
_NOT_BACK: Final = np.float32(1 - _BACK)


@dataclass(frozen=True, slots=True)
class Ways:
    """Computed once for all steps, and for the next maps on that ground.

    People are counted in a table (links, columns): for each direction and last for none, each of
    ``lengths`` of walks.

    Whoever has a direction likes each way out of a corner by where it leads alone, wherever they
    come from, but for the way back. So all who come to a corner are added up there and shared out
    again, and what was too much on the way back is taken off: a product with a matrix that has an
    entry for each pair of links at a corner costs several times as much."""

    lengths: int
    begin: Numbers
    ways_out: Numbers
    """(nodes,)"""
    corners: csr_array
    """(nodes, links): at which each link ends."""
    ends: Numbers
    """Links out of corners with no other way, and ..."""
    to_ends: Numbers
    """... those that lead there."""
    shares: Singles
    """(links, columns): of whoever comes by that link, how many do not turn round for each of the
    likings of all ways."""
    likings: Singles
    """(links, columns): how much each link is liked as a way out."""
    straight: _Straight
    over: Singles
    """(links, columns): how many go on at once from a link that is shorter than a step is; else
    people would be slow where streets are short."""
    any_over: bool

    def leave(self, halted: Floats) -> Floats:
        """(links,): out of a halt, any way."""
        return np.asarray((halted / self.ways_out)[self.begin])

    def go_on(self, walking: Singles, wanting: Singles, room: Singles) -> None:
        """Who comes to the end of their links, by their ``shares`` in ``wanting``, is put where
        they are after one step. What stands in ``wanting`` and ``room`` is lost: memory of that
        size costs more than what is done with it."""
        self._onto(wanting, room)
        if self.any_over:
            np.multiply(room, self.over, out=wanting)
            room -= wanting
            walking += room
            wanting *= self.shares
            self._onto(wanting, room)
        walking += room

    def _onto(self, wanting: Singles, found: Singles) -> None:
        come = (self.corners @ wanting) / _NOT_BACK
        np.take(come, self.begin, axis=0, out=found, mode="clip")
        half = len(wanting) // 2
        found[:half] -= wanting[half:]
        found[half:] -= wanting[:half]
        found[self.ends] += wanting[self.to_ends]
        found *= self.likings
        for column in range(-self.lengths, 0):
            found[:, column] = self.straight.onto(wanting[:, column] / _NOT_BACK)


class _Turns:
    """(links, links), from column to row: what whoever has no direction likes of each way."""

    def __init__(self, liked: csr_array) -> None:
        self._liked = liked

    def onto(self, wanting: Singles) -> Singles:
        return np.asarray(self._liked @ wanting)


class _FewTurns:
    """The same where links lead in a few directions only, and one of each at most to a corner."""

    def __init__(self, ground: Ground, numbers: Numbers, liked: Floats) -> None:
        few = len(liked)
        self._shape = (len(ground.nodes), few)
        self._into, self._out = ground.end * few + numbers, ground.begin * few + numbers
        self._liked, self._back = _singles(liked), np.float32(_NOT_BACK * liked.min())

    def shares(self) -> Floats:
        """(links,): one in the sum of the likings behind each."""
        ways_out = np.zeros(self._shape)
        ways_out.ravel()[self._out] = 1.0
        return np.asarray(1 / ((ways_out @ self._liked).ravel()[self._into] - self._back))

    def onto(self, wanting: Singles) -> Singles:
        come = np.zeros(self._shape, dtype=np.float32)
        come.ravel()[self._into] = wanting
        found: Singles = (come @ self._liked).ravel()[self._out]
        half = len(wanting) // 2
        found[:half] -= self._back * wanting[half:]
        found[half:] -= self._back * wanting[:half]
        return found


_Straight = _Turns | _FewTurns


@lru_cache(maxsize=KEPT)
def ways(ground: Ground, towards: float, straight: float, step_m: float, lengths: int) -> Ways:
    """``towards`` and ``straight``: how much people prefer their direction, and straight on where
    they have none: exp(liking · cos(turn)). ``step_m``: what is walked in one step of time."""
    links, nodes = len(ground.begin), len(ground.nodes)
    all_links, ones = np.arange(links), np.ones(links, dtype=np.float32)
    the_other_way = (all_links + links // 2) % links
    step = (ground.nodes[ground.end] - ground.nodes[ground.begin]) / ground.length_m[:, None]
    ways_out = np.bincount(ground.begin, minlength=nodes)
    only_way = ways_out[ground.begin] == 1
    ends = np.flatnonzero(only_way)
    corners = csr_array((ones, (ground.end, all_links)), shape=(nodes, links))
    likings = np.exp(towards * step @ DIRECTIONS.T)
    out_of = corners @ likings[the_other_way]
    not_back = np.where(only_way, 0.0, _NOT_BACK)[:, None] * likings
    shares = 1 / (out_of[ground.end] - not_back[the_other_way])
    weight, turns = _straight_on(ground, step, straight)
    one = np.ones((links, 1))
    over = _over(ground, step_m)
    return Ways(
        *(lengths, ground.begin, ways_out, _packed(corners), ends, the_other_way[ends]),
        _singles(_NOT_BACK * np.repeat(np.hstack([shares, weight[:, None]]), lengths, axis=1)),
        _singles(np.repeat(np.hstack([likings, one]), lengths, axis=1)),
        *(turns, _singles(np.repeat(over[:, None], (HEADINGS + 1) * lengths, axis=1))),
        bool(over.any()),
    )


def _straight_on(ground: Ground, step: Floats, straight: float) -> tuple[Floats, _Straight]:
    """(links,) one in the sum of the likings behind each link, and those: each way out of its end
    by how little it turns."""
    if not ground.streets:  # a lattice: each corner has more ways than one, and has each once
        angles = np.round(np.arctan2(step[:, 1], step[:, 0]) / np.pi, 6) % 2
        _, first, numbers = np.unique(angles, return_index=True, return_inverse=True)
        few = _FewTurns(ground, numbers, np.exp(straight * step[first] @ step[first].T))
        return few.shares(), few
    links, nodes = len(ground.begin), len(ground.nodes)
    order = np.argsort(ground.begin, kind="stable")
    first = np.searchsorted(ground.begin[order], np.arange(nodes + 1))
    counts = np.diff(first)[ground.end]
    source = np.repeat(np.arange(links), counts)
    offset = np.arange(len(source)) - np.repeat(np.cumsum(counts) - counts, counts)
    target = order[first[ground.end[source]] + offset]
    back = (target == (source + links // 2) % links) & (counts[source] > 1)
    weight = np.exp(straight * (step[source] * step[target]).sum(axis=1))
    weight[back] *= _BACK
    liked = csr_array((weight, (target, source)), shape=(links, links))
    return 1 / np.bincount(source, weight, minlength=links), _Turns(_packed(liked))


def _singles(values: Floats) -> Singles:
    return np.ascontiguousarray(values, dtype=np.float32)


def _packed(table: csr_array) -> csr_array:
    """In half the memory: it is walked over some thousand times."""
    packed = csr_array(table).astype(np.float32)
    packed.indices = packed.indices.astype(np.int32)
    packed.indptr = packed.indptr.astype(np.int32)
    return packed


def _over(ground: Ground, step_m: float) -> Singles:
    return np.asarray(np.clip(1 - ground.length_m / step_m, 0.0, 0.8), dtype=np.float32)


def distances(ground: Ground, node: int) -> Floats:
    """(nodes,): along the streets from ``node``, metres."""
    from scipy.sparse.csgraph import dijkstra

    return np.asarray(dijkstra(_graph(ground), indices=node))


def parents(ground: Ground, goal: int) -> Numbers:
    """(nodes,): the next node of the shortest way to ``goal``; its own for the goal."""
    from scipy.sparse.csgraph import dijkstra

    before: NDArray[np.int64] = dijkstra(_graph(ground), indices=goal, return_predecessors=True)[
        1
    ].astype(np.int64)
    return np.asarray(np.where(before < 0, goal, before))


def _graph(ground: Ground) -> csr_array:
    nodes = len(ground.nodes)
    return coo_array((ground.length_m, (ground.begin, ground.end)), shape=(nodes, nodes)).tocsr()


def singles(values: Floats) -> Singles:
    """(n, 1) in half the memory, for tables (n, columns)."""
    return np.asarray(values[:, None], dtype=np.float32)


def shared_out(values: Floats, shares: Singles, room: Singles | None = None) -> Singles:
    """(n, columns): each by the same shares; in ``room``."""
    return np.asarray(np.dot(singles(values), shares[None, :], out=room))
