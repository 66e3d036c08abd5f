"""How a substance travels down a network of channels: one-dimensional advection and dispersion
with transient storage, decay and dilution. Pure.

The equations are those of OTIS (Runkel 1998), per reach, C in the stream and S in the storage::

    dC/dt = -u dC/dx + D d2C/dx2 + a (S - C) - k C      dS/dt = a A/As (C - S) - k S

They are linear, so they are solved exactly in the Laplace domain: a reach couples the
concentrations at its two ends to the fluxes there, at a node the fluxes add up, and the few nodes
that matter are eliminated one after another for all frequencies at once. The result comes back to
time by one FFT along a damped line (Hosono 1981). There is no grid, so there is no numerical
dispersion, and no limit on the Courant or Peclet number; without dispersion it is a pure delay.

Above the network and below it the channels go on as they are, as in the analytic solution of an
instantaneous release: nothing is reflected. Where more water leaves a node than the reaches bring,
the rest is clean and dilutes; where less leaves, the rest is taken out with what is in it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush
from itertools import pairwise
from math import ceil, log
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from vigil_cloud.water.channels import SHORTEST_M, Channels, Point, Reach

_Spectrum = NDArray[np.complexfloating[Any, Any]]
_MOST_FREQUENCIES: Final = 1 << 17
_FEWEST_FREQUENCIES: Final = 1 << 10
_AT_ONCE: Final = 1 << 14
_HELD: Final = 1 << 24
"""So many complex values at a time (256 MB): a network of thousands of reaches is solved for fewer
frequencies at once."""
_PER_STRETCH: Final = 12
"""Values of one stretch for one frequency: its coefficients, and its part of the system."""
_DECAYED: Final = 1e-9
_UNSPREAD: Final = 0.05
"""So much of the highest frequency is left where part of a pulse comes past in no time at all."""
_ALIAS: Final = 1e-10
"""What comes round again of the period after."""
_INFLOW_STEP: Final = 0.005
"""A reach with lateral inflow is cut into pieces between which the flow changes by so much: half of
it is what a concentration may be off."""
_MOST_PIECES: Final = 200


@dataclass(frozen=True, slots=True)
class Pulse:
    """So many grams at one moment (seconds)."""

    outfall: Point
    mass_g: float
    at_s: float


@dataclass(frozen=True, slots=True)
class Discharge:
    """So many grams a second from one moment to another (seconds)."""

    outfall: Point
    rate_g_s: float
    from_s: float
    until_s: float


@dataclass(frozen=True, slots=True)
class Inflow:
    """So many g/m³ in the water at every reach with nothing upstream, for a time (seconds)."""

    concentration: float
    from_s: float
    until_s: float


Source = Pulse | Discharge


class _Stretch:
    """A piece of a reach between two nodes, as it is for one set of frequencies."""

    def __init__(self, reach: Reach, start: str, end: str, length_m: float, flow: float) -> None:
        self.reach, self.start, self.end = reach, start, end
        self.length_m, self.flow = length_m, flow

    def at(self, s: _Spectrum) -> None:
        """Its coefficients. Stable without dispersion too, where nothing goes upstream."""
        reach, u = self.reach, self.flow / self.reach.area_m2
        rate = s + reach.decay_1_s
        if reach.storage_area_m2 > 0 and reach.exchange_1_s > 0:
            back = reach.exchange_1_s * reach.area_m2 / reach.storage_area_m2
            rate = rate + reach.exchange_1_s * rate / (rate + back)
        root = np.sqrt(u * u + 4 * reach.dispersion_m2_s * rate)
        self.down = reach.area_m2 * (u + root) / 2
        """Flux per concentration of what travels downstream, m³/s."""
        self.up = -2 * reach.area_m2 * reach.dispersion_m2_s * rate / (u + root)
        self.along = np.exp(-2 * rate / (u + root) * self.length_m)
        """What is left of it at the other end."""
        if reach.dispersion_m2_s > 0:
            exponent = (u + root) / (2 * reach.dispersion_m2_s) * self.length_m
            self.against = np.exp(-exponent)
        else:
            self.against = np.zeros_like(s)


@dataclass
class _System:
    """Flux balances of the nodes: ``rows[i][j]`` times the concentration at j, summed, is the
    source at i."""

    rows: dict[str, dict[str, _Spectrum]] = field(default_factory=lambda: defaultdict(dict))

    def add(self, row: str, column: str, value: _Spectrum) -> None:
        held = self.rows[row].get(column)
        self.rows[row][column] = value if held is None else held + value

    def solve(self, sources: dict[str, _Spectrum], wanted: str) -> _Spectrum:
        """The concentration at one node. Nodes with the fewest neighbours are eliminated first, so
        that a tree stays a tree."""
        rows = self.rows
        columns: dict[str, set[str]] = defaultdict(set)
        for row, held in rows.items():
            for column in held:
                columns[column].add(row)
        # Each node with the number of its neighbours as it was when that changed last.
        left = set(rows) - {wanted}
        queue = [(len(rows[one]) + len(columns[one]), one) for one in left]
        heapify(queue)
        while left:
            count, node = heappop(queue)
            if node not in left or count != len(rows[node]) + len(columns[node]):
                continue
            left.remove(node)
            touched = (set(rows[node]) | columns[node]) & left
            pivot, source = rows[node].pop(node), sources.get(node)
            for row in columns[node] - {node}:
                factor = rows[row].pop(node) / pivot
                for column, value in rows[node].items():
                    self.add(row, column, -factor * value)
                    columns[column].add(row)
                if source is not None:
                    before = sources.get(row, np.zeros_like(source))
                    sources[row] = before - factor * source
            for column in rows.pop(node):
                columns[column].discard(node)
            del columns[node]
            for one in touched:
                heappush(queue, (len(rows[one]) + len(columns[one]), one))
        diagonal = rows[wanted][wanted]
        return sources.get(wanted, np.zeros_like(diagonal)) / diagonal


class Transport:
    """The part of a network that matters for one station."""

    def __init__(self, channels: Channels, station: Point, outfalls: Sequence[Point]) -> None:
        self._stretches, node_of = _cut(channels, [station, *outfalls])
        self._node_of = node_of
        self.station = node_of[station]
        upstream: dict[str, set[str]] = defaultdict(set)
        for one in self._stretches:
            upstream[one.end].add(one.start)
        self._nodes, new = {self.station}, [self.station]
        while new:
            found = upstream[new.pop()] - self._nodes
            self._nodes |= found
            new += found
        self._stretches = [one for one in self._stretches if one.start in self._nodes]
        self._heads = {one for one in self._nodes if not upstream[one]}

    @property
    def stretches(self) -> int:
        """How many are calculated; 1 at least."""
        return max(1, len(self._stretches))

    def reaches_station(self, outfall: Point) -> bool:
        """Whether its water comes past the station."""
        return self._node_of[outfall] in self._nodes

    def released(self, sources: Sequence[Source], s: _Spectrum) -> _Spectrum:
        """Laplace transform of the concentration (g/m³) at the station from releases. Above the
        reaches with nothing upstream the channel goes on, with clean water."""
        system = self._system(s)
        for head in self._heads:
            for one in self._stretches:
                if one.start == head:
                    system.add(head, head, -one.up)
        given: dict[str, _Spectrum] = {}
        for source in sources:
            if self.reaches_station(source.outfall):
                node = self._node_of[source.outfall]
                given[node] = given.get(node, np.zeros_like(s)) + _transform(source, s)
        return system.solve(given, self.station)

    def flowing_in(self, inflows: Sequence[Inflow], s: _Spectrum) -> _Spectrum:
        """The same from given concentrations at the beginnings of the network."""
        system = self._system(s)
        given: dict[str, _Spectrum] = {}
        for head in sorted(self._heads):
            system.rows[head] = {head: np.ones_like(s)}
            parts = (
                one.concentration * (np.exp(-s * one.from_s) - np.exp(-s * one.until_s)) / s
                for one in inflows
            )
            given[head] = np.asarray(sum(parts, np.zeros_like(s)))
        return system.solve(given, self.station)

    def _system(self, s: _Spectrum) -> _System:
        system = _System()
        balance: dict[str, float] = defaultdict(float)
        ends = {one.start for one in self._stretches}
        for one in self._stretches:
            one.at(s)
            e1, e2 = one.along, one.against
            whole = 1 - e1 * e2
            system.add(one.start, one.start, (one.down - one.up * e1 * e2) / whole)
            system.add(one.start, one.end, (one.up - one.down) * e2 / whole)
            system.add(one.end, one.start, (one.up - one.down) * e1 / whole)
            system.add(one.end, one.end, (one.down * e1 * e2 - one.up) / whole)
            balance[one.start] -= one.flow
            balance[one.end] += one.flow
            if one.end not in ends:
                system.add(one.end, one.end, one.down)
        for node in ends - self._heads:
            if balance[node] > 0:  # taken out, with what is in it
                system.add(node, node, np.full(s.shape, balance[node] + 0j))
        return system


def concentrations(
    transport: Transport,
    times_s: NDArray[np.float64],
    sources: Sequence[Source] = (),
    inflows: Sequence[Inflow] = (),
) -> NDArray[np.float64]:
    """Concentration (g/m³) above the background at the station, at evenly spaced times (seconds).

    Before the first time nothing may have been released.
    """
    start, step = float(times_s[0]), float(times_s[1] - times_s[0]) if len(times_s) > 1 else 1.0
    sources = [_moved(one, start) for one in sources]
    inflows = [Inflow(i.concentration, i.from_s - start, i.until_s - start) for i in inflows]
    finer = 1
    while True:
        count = 1 << ceil(log(max(2 * len(times_s) * finer, 2 * _FEWEST_FREQUENCIES), 2))
        dt = step / finer
        period = count * dt
        damping = -log(_ALIAS) / period
        s = damping + 2j * np.pi * np.arange(count // 2 + 1) / period
        spectrum = _spectrum(transport, s, sources, inflows)
        size = np.abs(spectrum)
        fine = size[-1] <= _DECAYED * size.max()
        if fine or count >= 2 * _MOST_FREQUENCIES:
            break
        finer *= 2
    if size[-1] > _UNSPREAD * size.max():  # no dispersion: means over a step, else it is a chance
        half = s * step / 2
        spectrum = spectrum * np.sinh(half) / half
    if not fine:  # a front steeper than the grid of times: no ringing beside it
        spectrum = spectrum * np.sinc(np.arange(len(s)) / (len(s) - 1))
    damped = np.fft.irfft(spectrum, count) / dt
    found = damped * np.exp(damping * dt * np.arange(count))
    result: NDArray[np.float64] = np.maximum(found[::finer][: len(times_s)], 0.0)
    return result


def _spectrum(
    transport: Transport, s: _Spectrum, sources: Sequence[Source], inflows: Sequence[Inflow]
) -> _Spectrum:
    found = np.zeros_like(s)
    at_once = min(_AT_ONCE, max(64, _HELD // (_PER_STRETCH * transport.stretches)))
    for first in range(0, len(s), at_once):
        part = slice(first, first + at_once)
        if sources:
            found[part] += transport.released(sources, s[part])
        if inflows:
            found[part] += transport.flowing_in(inflows, s[part])
    return found


def _moved(source: Source, start_s: float) -> Source:
    if isinstance(source, Pulse):
        return Pulse(source.outfall, source.mass_g, source.at_s - start_s)
    from_s, until_s = source.from_s - start_s, source.until_s - start_s
    return Discharge(source.outfall, source.rate_g_s, from_s, until_s)


def _transform(source: Source, s: _Spectrum) -> _Spectrum:
    if isinstance(source, Pulse):
        return np.asarray(source.mass_g * np.exp(-s * source.at_s))
    lasting = (np.exp(-s * source.from_s) - np.exp(-s * source.until_s)) / s
    return np.asarray(source.rate_g_s * lasting)


def _cut(channels: Channels, points: Sequence[Point]) -> tuple[list[_Stretch], Mapping[Point, str]]:
    """Stretches between nodes, one of which stands at each of the points."""
    at: dict[str, set[float]] = defaultdict(set)
    for point in points:
        at[point.reach].add(point.offset_m)
    stretches: list[_Stretch] = []
    names: dict[tuple[str, float], str] = {}
    for reach in channels.reaches.values():
        names[reach.id, 0.0], names[reach.id, reach.length_m] = reach.start, reach.end
        cuts = [0.0]
        for place in sorted({*at[reach.id], *_inflow_cuts(reach)} - {0.0, reach.length_m}):
            if reach.length_m - place < SHORTEST_M:
                names[reach.id, place] = reach.end
            elif place - cuts[-1] < SHORTEST_M:
                names[reach.id, place] = names[reach.id, cuts[-1]]
            else:
                names[reach.id, place] = f"{reach.id} @ {place!r}"
                cuts.append(place)
        for a, b in pairwise([*cuts, reach.length_m]):
            flow = reach.flow_m3_s + reach.inflow_m3_s * (a + b) / 2 / reach.length_m
            start, end = names[reach.id, a], names[reach.id, b]
            stretches.append(_Stretch(reach, start, end, b - a, flow))
    return stretches, {point: names[point.reach, point.offset_m] for point in points}


def _inflow_cuts(reach: Reach) -> Iterator[float]:
    change = abs(reach.inflow_m3_s) / min(reach.flow_m3_s, reach.flow_m3_s + reach.inflow_m3_s)
    pieces = min(_MOST_PIECES, ceil(change / _INFLOW_STEP))
    for number in range(1, pieces):
        yield reach.length_m * number / pieces
