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


@dataclass(frozen=True, slots=True)
class Ways:
    """Computed once for all steps, and for the next maps on that ground."""

    turns: list[csr_array]
    """(links, links), from column to row: for each direction, and last for none."""
    over: Singles
    """(links,): how many go on at once from a link that is shorter than a step is; else people
    would be slow where streets are short."""
    leave: csr_array
    """(links, nodes): out of a halt, any way."""

    def turned(self, kind: int, moving: Singles) -> Singles:
        """(links,): where those are who come to the end of their links, in one step."""
        turn = self.turns[kind]
        found: Singles = turn @ moving
        if self.over.any():
            passing = found * self.over
            found -= passing
            # Two products with what has few entries: their matrix product has eight times as many.
            found += turn @ passing
        return found


@lru_cache(maxsize=KEPT)
def ways(ground: Ground, towards: float, straight: float, step_m: float) -> Ways:
    """``towards`` and ``straight``: how much people prefer their direction, and straight on where
    they have none: exp(liking · cos(turn)). ``step_m``: what is walked in one step of time."""
    links, nodes = len(ground.begin), len(ground.nodes)
    all_links = np.arange(links)
    step = (ground.nodes[ground.end] - ground.nodes[ground.begin]) / ground.length_m[:, None]
    order = np.argsort(ground.begin, kind="stable")
    first = np.searchsorted(ground.begin[order], np.arange(nodes + 1))
    ways_out = np.diff(first)
    counts = ways_out[ground.end]
    source = np.repeat(all_links, counts)
    offset = np.arange(len(source)) - np.repeat(np.cumsum(counts) - counts, counts)
    target = order[first[ground.end[source]] + offset]
    back = (target == (source + links // 2) % links) & (counts[source] > 1)
    structure = csr_array((np.arange(len(source)), (target, source)), shape=(links, links))
    place = structure.data.copy()
    likings = [towards * (step @ direction)[target] for direction in DIRECTIONS]
    likings.append(straight * (step[source] * step[target]).sum(axis=1))
    turns = []
    for liking in likings:
        weight = np.where(back, _BACK, 1.0) * np.exp(liking)
        weight /= np.bincount(source, weight, minlength=links)[source]
        turn = csr_array((weight[place], structure.indices, structure.indptr), shape=(links, links))
        turns.append(_packed(turn))
    leave = csr_array(
        (1.0 / ways_out[ground.begin], (all_links, ground.begin)), shape=(links, nodes)
    )
    return Ways(turns, _over(ground, step_m), leave)


def _packed(turn: csr_array) -> csr_array:
    """In half the memory: it is walked over some thousand times."""
    packed = csr_array(turn).astype(np.float32)
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
