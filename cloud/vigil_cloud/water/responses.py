"""What each station would see of one gram, wherever it went in: the search for a source asks this
of every outfall. Pure.

As ``transport``, with the water of a reach not pushing back into the one above it: then responses
are products along the way, and all stations of one outfall cost as much as one. The difference
matters within a length of dispersion over velocity above a junction, some tens of metres.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from graphlib import TopologicalSorter
from math import exp, sqrt
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vigil_cloud.water.backwater import uneven
from vigil_cloud.water.channels import Channels, Point, Reach
from vigil_cloud.water.flow_balance import balanced

_Spectrum = NDArray[np.complexfloating[Any, Any]]

_FARTHEST_UP: Final = 7.0
"""Lengths of dispersion over velocity: there a thousandth is left."""
_DRAWN: Final = 1.6
"""So many times the flow that leaves a node must come to it for the rest to be drawn there."""


_FASTEST: Final = 0.4
"""Of its mean time a part of a reach takes so much at least, per length."""


class Spread(NamedTuple):
    """Parts of a variance, s²: they go with different powers of how slow the water is."""

    dispersion: float
    """With the third."""
    storage: float
    """Of standing water beside the stream: with the first."""

    @property
    def whole(self) -> float:
        """Both together."""
        return self.dispersion + self.storage

    def blended(self, share: float, other: Spread, rest: float) -> Spread:
        """Of two ways, so much of each."""
        return Spread(
            share * self.dispersion + rest * other.dispersion,
            share * self.storage + rest * other.storage,
        )


_NONE: Final = Spread(0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Response:
    """Of one station to one gram at time 0, by the nominal velocities."""

    mean_s: float
    """Mean time of travel."""
    variance_s2: float
    gain: float
    """Concentration summed over time per gram: s/m³."""
    travel_s: Mapping[str, float]
    """The mean time by reach."""
    spread_s2: Mapping[str, Spread]
    """What each reach adds to the variance."""
    grows: Mapping[str, float]
    """By how much the logarithm of ``gain`` grows with that of each reach's flow."""
    uneven_s: Mapping[str, float]
    """Standard deviation of the time of a part of a reach, by how much slower than on its mean its
    water comes to its end (``backwater``), with its sign; its whole takes its mean time."""
    doubt: float
    """Standard deviation of the logarithm of ``gain``, beside that of flows and dilution."""
    cumulated: NDArray[np.float64]
    """``gain`` as it grows with time, on the grid that ``Responses`` was made for."""

    @property
    def passes(self) -> bool:
        """Whether most of it comes past within that grid, and decay leaves anything of it."""
        return bool(self.cumulated[-1] > 0.5 * self.gain > 0)


class Responses:
    """Of one network, on an even grid of times that begins at 0."""

    def __init__(
        self, channels: Channels, stations: Collection[str], *, period_s: float, count: int
    ) -> None:
        """``stations`` are asked for, no others. ``period_s``: all that matters has passed after so
        long. ``count``: steps of the grid."""
        self.balance = balanced(channels)
        self._flows = self.balance.flows
        self._reaches = {
            name: replace(one, velocity_m_s=one.velocity_m_s * self.balance.faster[name])
            for name, one in channels.reaches.items()
        }
        self._uneven = {
            name: uneven(one, channels.velocity_within) for name, one in self._reaches.items()
        }
        self._count = 2 * count
        self.step_s = period_s / count
        whole = self._count * self.step_s
        self._damping = np.log(1e8) / whole
        self._s = self._damping + 2j * np.pi * np.arange(self._count // 2 + 1) / whole
        self._ends: dict[str, list[Reach]] = defaultdict(list)
        self._starts: dict[str, list[Reach]] = defaultdict(list)
        for reach in self._reaches.values():
            self._starts[reach.start].append(reach)
            self._ends[reach.end].append(reach)
        below: dict[str, set[str]] = defaultdict(set)
        for reach in self._reaches.values():
            below[reach.end].add(reach.start)
        self._order = list(TopologicalSorter(below).static_order())
        self._place = {node: index for index, node in enumerate(self._order)}
        self._stations: dict[str, list[Point]] = defaultdict(list)
        for point in channels.points.values():
            if point.kind == "station" and point.id in stations:
                self._stations[point.reach].append(point)
        window = np.sinc(np.arange(len(self._s)) / (len(self._s) - 1))
        self._window: NDArray[np.float64] = window
        self._beyond: set[str] = set()
        """Nodes below which a station lies: further down nothing is asked for."""
        for node in reversed(self._order):
            if any(self._asked(one) for one in self._starts[node]):
                self._beyond.add(node)
        self._whole: dict[str, _Passage] = {}
        self._shares: dict[str, tuple[float, Mapping[str, float]]] = {}

    def _asked(self, reach: Reach) -> bool:
        """Whether a station is on it or below it."""
        return bool(self._stations.get(reach.id)) or reach.end in self._beyond

    def of(self, reach: str, offset_m: float) -> dict[str, Response]:
        """By station; those that none of it passes are not in it."""
        found: dict[str, Response] = {}
        source = self._reaches[reach]
        flow = source.flow_m3_s + source.inflow_m3_s * offset_m / source.length_m
        begun = _Wave(self._entry(source, flow), 1.0, 0.0, {}, {}, {}, {})
        for station in self._stations.get(reach, ()):
            if station.offset_m >= offset_m:
                self._see(found, station, begun, station.offset_m - offset_m, offset_m)
            elif (up := self._against(source, begun, offset_m - station.offset_m)) is not None:
                self._see(found, station, up, 0.0, station.offset_m)
        at: dict[str, _Wave] = {}
        if source.end in self._beyond:
            passed = self._along(source, begun, source.length_m - offset_m, offset_m)
            self._arrive(at, source, passed)
        for node in self._order[self._place[source.end] :]:
            wave = at.get(node)
            if wave is None:
                continue
            for one in filter(self._asked, self._starts[node]):
                leaves = wave.part(*self._share(one))
                for station in self._stations.get(one.id, ()):
                    self._see(found, station, leaves, station.offset_m, 0.0)
                if one.end in self._beyond:
                    self._arrive(at, one, self._along(one, leaves, one.length_m, 0.0))
        return found

    def _entry(self, reach: Reach, flow: float) -> _Spectrum:
        """At the place itself some of it goes up first."""
        u = flow / reach.area_m2
        return np.asarray(u / np.sqrt(u * u + 4 * reach.dispersion_m2_s * _rate(reach, self._s)))

    def _against(self, reach: Reach, wave: _Wave, metres: float) -> _Wave | None:
        """What dispersion carries up to a station so far above; ``None``: nothing to speak of."""
        u = reach.velocity_m_s
        if u * metres > _FARTHEST_UP * reach.dispersion_m2_s:
            return None
        root = np.sqrt(u * u + 4 * reach.dispersion_m2_s * _rate(reach, self._s))
        spectrum = wave.spectrum * np.exp(-(u + root) / (2 * reach.dispersion_m2_s) * metres)
        left = exp(-u * metres / reach.dispersion_m2_s)
        spread = {reach.id: Spread(2 * reach.dispersion_m2_s * metres / u**3, 0.0)}
        travel = {reach.id: metres / u}
        # It falls e-fold each few metres, and no register places a probe that well.
        doubt = u * metres / reach.dispersion_m2_s
        return _Wave(
            spectrum, wave.gain * left, metres / u, travel, spread, {}, travel, doubt=doubt
        )

    def _see(
        self, found: dict[str, Response], station: Point, wave: _Wave, metres: float, from_m: float
    ) -> None:
        reach = self._reaches[station.reach]
        there = self._along(reach, wave, metres, from_m)
        # Past the place goes the load; in so much water it is a concentration.
        past = self._flows[reach.id] + reach.inflow_m3_s * (from_m + metres) / reach.length_m
        there = there.part(1 / max(past, 0.05 * self._flows[reach.id]), {reach.id: -1.0})
        # Summed over time before it comes back to time: at the place itself it begins without end.
        summed = np.fft.irfft(there.spectrum * self._window / self._s, self._count) / self.step_s
        half = self._count // 2
        grid = np.arange(half) * self.step_s
        value = np.maximum(summed[:half] * np.exp(self._damping * grid), 0.0)
        cumulated = np.maximum.accumulate(value)
        found[station.id] = Response(
            there.mean_s,
            there.apart_s2 + sum(one.whole for one in there.spread_s2.values()),
            there.gain,
            there.travel_s,
            there.spread_s2,
            there.grows,
            there.uneven_s,
            there.doubt,
            cumulated,
        )

    def _along(self, reach: Reach, wave: _Wave, metres: float, from_m: float) -> _Wave:
        if metres != reach.length_m:
            passed = self._passed(reach, metres, from_m)
        elif (known := self._whole.get(reach.id)) is not None:
            passed = known
        else:
            passed = self._whole[reach.id] = self._passed(reach, metres)
        towards = (2 * from_m + metres) / reach.length_m - 1
        off = passed.mean_s * towards * self._uneven[reach.id].sd
        return _Wave(
            wave.spectrum * passed.spectrum,
            wave.gain * passed.left,
            wave.mean_s + passed.mean_s,
            {**wave.travel_s, reach.id: passed.mean_s},
            {**wave.spread_s2, reach.id: passed.spread_s2},
            wave.grows,
            {**wave.uneven_s, reach.id: off} if off else wave.uneven_s,
            wave.apart_s2,
            wave.doubt,
        )

    def _passed(self, reach: Reach, metres: float, from_m: float = 0.0) -> _Passage:
        """Of a load and a part of a reach."""
        begin = reach.flow_m3_s + reach.inflow_m3_s * from_m / reach.length_m
        end = begin + reach.inflow_m3_s * metres / reach.length_m
        towards = (2 * from_m + metres) / reach.length_m - 1
        slower = max(1 + self._uneven[reach.id].share * towards, _FASTEST)
        u = (begin + end) / 2 / reach.area_m2 / slower
        stays = min(end / begin, 1.0)
        rate = _rate(reach, self._s)
        root = np.sqrt(u * u + 4 * reach.dispersion_m2_s * rate)
        spectrum = np.asarray(stays * np.exp(-2 * rate / (u + root) * metres))
        left, mean, variance = moments(reach, u, metres)
        exchanged = moments(replace(reach, dispersion_m2_s=0.0), u, metres)[2]
        spread = Spread(max(variance - exchanged, 0.0), exchanged)
        return _Passage(spectrum, stays * left, mean, spread)

    def _share(self, reach: Reach) -> tuple[float, Mapping[str, float]]:
        """Of the load that comes to its beginning, and how its logarithm grows with flows."""
        if (known := self._shares.get(reach.id)) is None:
            known = self._shares[reach.id] = self._shared(reach)
        return known

    def _shared(self, reach: Reach) -> tuple[float, Mapping[str, float]]:
        node = reach.start
        comes = {one.id: self._flows[one.id] + one.inflow_m3_s for one in self._ends[node]}
        goes = {one.id: self._flows[one.id] for one in self._starts[node]}
        # Velocities are known to a fifth or so: a small difference is no water that was drawn.
        drawn = sum(comes.values()) > _DRAWN * sum(goes.values())
        of = comes if drawn else goes
        whole = sum(of.values())
        grows = {name: -flow / whole for name, flow in of.items()}
        grows[reach.id] = grows.get(reach.id, 0.0) + 1.0
        return self._flows[reach.id] / whole, grows

    def _arrive(self, at: dict[str, _Wave], reach: Reach, wave: _Wave) -> None:
        """At the end of a reach it is with what else comes there."""
        before = at.get(reach.end)
        at[reach.end] = wave if before is None else before.joined(wave)


class _Passage(NamedTuple):
    """Of a load: its transfer, what withdrawal and decay leave of it, time and its spread."""

    spectrum: _Spectrum
    left: float
    mean_s: float
    spread_s2: Spread


@dataclass(frozen=True, slots=True)
class _Wave:
    spectrum: _Spectrum
    gain: float
    mean_s: float
    travel_s: Mapping[str, float]
    spread_s2: Mapping[str, Spread]
    grows: Mapping[str, float]
    uneven_s: Mapping[str, float]
    apart_s2: float = 0.0
    """Variance of the way itself, where there were several."""
    doubt: float = 0.0
    """As a response's: of what dispersion alone carried against the water."""

    def part(self, share: float, grows: Mapping[str, float]) -> _Wave:
        """So much of it; ``grows``: the logarithm of that share with those of flows."""
        moved = {name: by for name, by in grows.items() if by}
        if not moved and share == 1:
            return self
        summed = {**self.grows, **{one: self.grows.get(one, 0.0) + by for one, by in moved.items()}}
        return replace(self, spectrum=self.spectrum * share, gain=self.gain * share, grows=summed)

    def joined(self, other: _Wave) -> _Wave:
        """Two ways of the same water that meet again."""
        gain = self.gain + other.gain
        a, b = self.gain / gain, other.gain / gain
        mean = a * self.mean_s + b * other.mean_s
        apart = a * (self.mean_s - mean) ** 2 + b * (other.mean_s - mean) ** 2
        apart += a * self.apart_s2 + b * other.apart_s2
        travel = dict(_blend(self.travel_s, a, other.travel_s, b))
        spread = {
            name: self.spread_s2.get(name, _NONE).blended(a, other.spread_s2.get(name, _NONE), b)
            for name in travel
        }
        grows = dict(_blend(self.grows, a, other.grows, b))
        uneven = dict(_blend(self.uneven_s, a, other.uneven_s, b))
        spectrum = self.spectrum + other.spectrum
        return _Wave(spectrum, gain, mean, travel, spread, grows, uneven, apart)


def _blend(
    one: Mapping[str, float], share: float, other: Mapping[str, float], rest: float
) -> Iterator[tuple[str, float]]:
    for name in {*one, *other}:
        yield name, share * one.get(name, 0.0) + rest * other.get(name, 0.0)


def moments(reach: Reach, u: float, metres: float) -> tuple[float, float, float]:
    """What decay leaves over so many metres at a velocity (m/s), and mean (s) and variance (s²) of
    the time of travel: the logarithm of the transfer and its derivatives at s = 0."""
    rate, first, second = reach.decay_1_s, 1.0, 0.0
    if reach.storage_area_m2 > 0 and reach.exchange_1_s > 0:
        back = reach.exchange_1_s * reach.area_m2 / reach.storage_area_m2
        over = reach.decay_1_s + back
        rate += reach.exchange_1_s * reach.decay_1_s / over
        first += reach.exchange_1_s * back / over**2
        second = -2 * reach.exchange_1_s * back / over**3
    root = sqrt(u * u + 4 * reach.dispersion_m2_s * rate)
    mean = metres * first / root
    variance = metres * (2 * reach.dispersion_m2_s * first**2 / root**3 - second / root)
    return exp(-2 * rate / (u + root) * metres), mean, variance


def _rate(reach: Reach, s: _Spectrum) -> _Spectrum:
    rate = s + reach.decay_1_s
    if reach.storage_area_m2 > 0 and reach.exchange_1_s > 0:
        back = reach.exchange_1_s * reach.area_m2 / reach.storage_area_m2
        rate = rate + reach.exchange_1_s * rate / (rate + back)
    return np.asarray(rate)
