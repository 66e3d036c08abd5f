"""What a network of canals consists of, and seeded networks of any size. Pure.

The water runs down to one outlet. Every canal is a rectangular channel; what flows in it follows
from the water that enters at its upper ends, and from its bed (``canals.flow``).
"""

from __future__ import annotations

import math
import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

OUTLET: Final = "n0"
_CLEAR_M: Final = 150.0
_CONFLUENCE: Final = 0.62
"""Share of the nodes at which two canals meet."""


@dataclass(frozen=True, slots=True)
class Canal:
    """One channel between two nodes, in the direction in which its bed falls."""

    id: str
    start: str
    end: str
    length_m: float
    width_m: float
    slope: float
    """Fall per length."""
    manning: float
    """Manning's n, s/m^(1/3)."""
    dispersion_m2_s: float
    storage_share: float = 0.0
    """Cross-section of standing water beside the stream, per cross-section of the stream."""
    exchange_1_s: float = 0.0
    decay_1_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Place:
    """A station or an outfall on a canal."""

    id: str
    kind: str
    canal: str
    offset_m: float


@dataclass(frozen=True, slots=True)
class Gate:
    """Stands at the beginning of a canal: shut, a fiftieth of its water still passes. It waters
    fields from ``opens_s`` to ``shuts_s`` of every day (seconds since midnight)."""

    id: str
    canal: str
    opens_s: float
    shuts_s: float


@dataclass(frozen=True, slots=True)
class Plan:
    """A network. ``inflows``: clean water that enters at a node, m³/s."""

    canals: tuple[Canal, ...]
    inflows: Mapping[str, float]
    places: tuple[Place, ...] = ()
    gates: tuple[Gate, ...] = ()
    tide_m: float = 0.0
    """Half of the range of the water level at the outlet, twice a day."""
    by_id: Mapping[str, Canal] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_id", {one.id: one for one in self.canals})

    def stations(self) -> list[Place]:
        """In the order in which they were planned."""
        return [one for one in self.places if one.kind == "station"]

    def outfalls(self) -> list[Place]:
        """In the order in which they were planned."""
        return [one for one in self.places if one.kind == "outfall"]

    def below(self, canal: str) -> list[Canal]:
        """A canal and all that its water comes through, in the water's order."""
        nodes, found = {self.by_id[canal].end}, [self.by_id[canal]]
        for one in self.downwards():
            if one.start in nodes:
                found.append(one)
                nodes.add(one.end)
        return found

    def downwards(self) -> list[Canal]:
        """All of them, none before what flows into it."""
        waiting: dict[str, int] = defaultdict(int)
        out: dict[str, list[Canal]] = defaultdict(list)
        for one in self.canals:
            waiting[one.end] += 1
            out[one.start].append(one)
        free = sorted({one.start for one in self.canals if waiting[one.start] == 0})
        found: list[Canal] = []
        while free:
            for one in out[free.pop()]:
                found.append(one)
                waiting[one.end] -= 1
                if waiting[one.end] == 0:
                    free.append(one.end)
        return found


def tree(seed: int, *, canals: int = 56, outfalls: int = 24, stations: int = 16) -> Plan:
    """A network of confluences. Outfalls stand on as many different canals; stations stand where
    they tell as many outfalls apart as they can, 150 m above the lower ends of their canals."""
    draw = random.Random(f"canals {seed}")
    shape = _branches(draw, canals)
    ends = {number: end for number, (end, _) in enumerate(shape, 1)}
    inflows = {f"n{number}": math.exp(draw.uniform(math.log(0.08), math.log(0.3))) for number in
               sorted(_leaves(shape))}  # fmt: skip
    for number in range(1, canals + 1):
        if f"n{number}" not in inflows and draw.random() < 0.15:  # a ditch that nobody registered
            inflows[f"n{number}"] = draw.uniform(0.02, 0.1)
    carried: dict[int, float] = defaultdict(float)
    for number in range(canals, 0, -1):  # numbers grow upwards
        carried[number] += inflows.get(f"n{number}", 0.0)
        carried[ends[number]] += carried[number]
    made = tuple(_canal(draw, number, ends[number], carried[number]) for number in ends)
    bare = Plan(made, inflows)
    places = [
        Place(f"o{number}", "outfall", canal.id, draw.uniform(0.05, 0.95) * canal.length_m)
        for number, canal in enumerate(draw.sample(made, outfalls), 1)
    ]
    where = _well_placed(bare, {one.canal for one in places}, stations)
    places += [
        Place(f"s{number}", "station", name, _above_junction(bare.by_id[name].length_m))
        for number, name in enumerate(where, 1)
    ]
    return Plan(made, inflows, tuple(places))


def _above_junction(length_m: float) -> float:
    """A probe stands where the water of its own canal alone is, not where it is being mixed."""
    return max(0.6 * length_m, length_m - _CLEAR_M)


def _branches(draw: random.Random, canals: int) -> list[tuple[int, int]]:
    """Per canal (from 1) the node below and the node above, which has the canal's number."""
    shape: list[tuple[int, int]] = [(0, 1)]
    open_ends = [1]
    while len(shape) < canals:
        below = open_ends.pop(draw.randrange(len(open_ends)))
        for _ in range(2 if draw.random() < _CONFLUENCE else 1):
            if len(shape) < canals:
                shape.append((below, len(shape) + 1))
                open_ends.append(len(shape))
    return shape


def _leaves(shape: Sequence[tuple[int, int]]) -> set[int]:
    return {above for _, above in shape} - {below for below, _ in shape}


def _canal(draw: random.Random, number: int, below: int, flow_m3_s: float) -> Canal:
    standing = draw.random() < 0.25
    return Canal(
        f"c{number}",
        f"n{number}",
        f"n{below}",
        length_m=math.exp(draw.uniform(math.log(350), math.log(1500))),
        width_m=1.2 + 2.2 * math.sqrt(flow_m3_s),
        slope=math.exp(draw.uniform(math.log(2.5e-4), math.log(9e-4))),
        manning=draw.uniform(0.022, 0.034),
        dispersion_m2_s=math.exp(draw.uniform(math.log(0.8), math.log(5.0))),
        storage_share=draw.uniform(0.1, 0.4) if standing else 0.0,
        exchange_1_s=math.exp(draw.uniform(math.log(5e-5), math.log(4e-4))) if standing else 0.0,
    )


def _well_placed(plan: Plan, suspected: set[str], stations: int) -> Iterator[str]:
    """Canals, greedily: each next one splits the outfalls into as many groups as it can, a group
    being what passes the same stations; the first is the lowest."""
    ways = {name: [one.id for one in plan.below(name)] for name in sorted(suspected)}
    order = {one.id: place for place, one in enumerate(plan.downwards())}
    chosen: list[str] = [max(order, key=lambda name: order[name])]
    while len(chosen) < stations:

        def groups(name: str) -> tuple[int, int, int]:
            seen: dict[frozenset[str], int] = defaultdict(int)
            for way in ways.values():
                seen[frozenset({*chosen, name} & set(way))] += 1
            return len(seen), -sum(count * count for count in seen.values()), order[name]

        chosen.append(max((name for name in order if name not in chosen), key=groups))
    yield from chosen
