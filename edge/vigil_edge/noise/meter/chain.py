"""Samples of one channel through weightings and time weightings, slice by slice.

Two cores give the same numbers (to 1e-9 dB): loops compiled by numba (``compiled.py`` and
``lanes.py``), and SciPy where numba is not installed, and live, where memory counts and speed does
not.
``core`` says which is used.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from functools import cache
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from scipy import signal

from vigil_edge.noise.meter.weighting import Samples, a_after_c_sections, c_sections, z_sections

_log = logging.getLogger("vigil.noise")
FAST_S: Final = 0.125
SLOW_S: Final = 1.0
Edges = npt.NDArray[np.int64]
_ALIKE: Final = 0.05
"""Of the energy: what differs by less is the same again."""
_DENORMAL: Final = 1e-60
"""In digital silence a filter's memory dies away into denormal numbers, which are slow."""


@cache
def core() -> Any | None:
    """The compiled loops; ``None`` where numba is not installed or cannot be loaded."""
    try:
        from vigil_edge.noise.meter import compiled
    except ImportError:
        return None
    except OSError as error:  # its shared library does not suit this system
        _log.warning("numba cannot be loaded, the meter takes SciPy: %s", error)
        return None
    return compiled


@dataclass(frozen=True, slots=True)
class Weighted:
    """One block after the three weightings, each of shape (n,), pascal."""

    A: Samples
    C: Samples
    Z: Samples


@dataclass(slots=True)
class TimeWeighting:
    """Exponential time weighting (5.8), exact at every sample; feed blocks in order.

    It begins at rest: a level rises to its value and never starts above it.
    """

    rate_hz: int
    time_constant_s: float = FAST_S
    _memory: Samples = field(init=False)

    def __post_init__(self) -> None:
        self._memory = np.zeros(1)

    def __call__(self, squares: Samples) -> Samples:
        """Running mean square, shape (n,), of squared pressure, shape (n,); both Pa²."""
        decay = _decay(self.rate_hz, self.time_constant_s)
        running, self._memory = signal.lfilter(
            [1.0 - decay], [1.0, -decay], squares, zi=self._memory
        )
        self._memory[self._memory < _DENORMAL] = 0.0
        return np.asarray(running, dtype=np.float64)


@dataclass(slots=True)
class Weightings:
    """The three filters of one channel with their memory; feed blocks in order.

    A is made from C's output, so all three cost seven second-order sections at 48 kHz.
    """

    rate_hz: int
    _c: Samples = field(init=False)
    _a: Samples = field(init=False)
    _z: Samples = field(init=False)

    def __post_init__(self) -> None:
        self._c = np.zeros((len(c_sections(self.rate_hz)), 2))
        self._a = np.zeros((len(a_after_c_sections(self.rate_hz)), 2))
        self._z = np.zeros((len(z_sections(self.rate_hz)), 2))

    def prime(self, beginning: Samples) -> None:
        """See ``Chain.prime``."""
        self(before(beginning))

    def __call__(self, block: Samples) -> Weighted:
        """Weight the next block, shape (n,), pascal."""
        c, self._c = signal.sosfilt(c_sections(self.rate_hz), block, zi=self._c)
        a, self._a = signal.sosfilt(a_after_c_sections(self.rate_hz), c, zi=self._a)
        z, self._z = signal.sosfilt(z_sections(self.rate_hz), block, zi=self._z)
        for memory in (self._c, self._a, self._z):
            memory[np.abs(memory) < _DENORMAL] = 0.0
        return Weighted(a, c, z)


@dataclass(frozen=True, slots=True)
class Found:
    """What a chain makes of k slices; each of shape (k,) unless said otherwise, pascal."""

    squares_A: Samples
    """Sum of squares."""
    squares_C: Samples
    squares_Z: Samples
    LAF_max: Samples
    """Pa², as the next three."""
    LAF_min: Samples
    LAF_end: Samples
    LAS_max: Samples
    C_max: Samples
    """Largest |C| at a sample."""
    LAF: Samples
    """Fast running mean square at every sample, Pa², shape (n,)."""
    C: Samples
    """C-weighted pressure at every sample, shape (n,)."""


class Chain:
    """The filters of one channel with their memory; feed whole slices in order."""

    def __init__(self, rate_hz: int, *, compiled: bool = True) -> None:
        self._core = core() if compiled else None
        self._sections = [
            sections_of(sections(rate_hz))
            for sections in (c_sections, a_after_c_sections, z_sections)
        ]
        self._memories = [np.zeros((len(sections), 2)) for sections in self._sections]
        self._lanes = None if self._core is None else _in_lanes(self._core, self._sections)
        if self._core is not None and self._lanes is not None:
            self._memories = [np.zeros((2, self._core.LANES))]
        self._decay = np.array([_decay(rate_hz, FAST_S), _decay(rate_hz, SLOW_S)])
        self._running = np.zeros(2)
        self._weightings = Weightings(rate_hz)
        self._fast, self._slow = TimeWeighting(rate_hz, FAST_S), TimeWeighting(rate_hz, SLOW_S)

    def prime(self, beginning: Samples) -> None:
        """Settle the filters on a signal that was already there, before the first block.

        What stands for that is ``before``, made of the beginning itself. Shape (n,), pascal; a
        second of it is enough.
        """
        self.settle(before(beginning))

    def settle(self, samples: Samples) -> None:
        """Let the filters run over samples, pascal, that are not to be measured."""
        if not len(samples):
            return
        if self._core is None:
            self._weightings(samples)
        else:
            self(samples, 1.0, np.array([0, len(samples)]))
            self._running[:] = 0.0

    def __call__(self, units: Samples, pascal_per_unit: float, edges: Edges) -> Found:
        """The next slices: ``units``, shape (n,), cut at ``edges``, shape (k + 1,), 0 to n."""
        if self._core is None:
            return self._by_scipy(units * pascal_per_unit, edges)
        fast, c = np.empty(len(units)), np.empty(len(units))
        sums = np.empty((len(edges) - 1, self._core.SUMS))
        weigh, sections = self._core.weigh, self._sections
        if self._lanes is not None:
            weigh, sections = self._core.weigh_lanes, [self._lanes]
        weigh(
            units, pascal_per_unit, *sections, *self._memories, self._decay, self._running,
            edges, fast, c, sums,
        )  # fmt: skip
        for memory in (*self._memories, self._running):
            memory[np.abs(memory) < _DENORMAL] = 0.0
        one = np.ascontiguousarray(sums.T)
        return Found(one[0], one[1], one[2], one[3], one[4], one[5], one[6], one[7], fast, c)

    def _by_scipy(self, samples: Samples, edges: Edges) -> Found:
        if not len(samples):  # of which SciPy would make an error
            return Found(*(np.zeros(0) for _ in fields(Found)))
        weighted = self._weightings(samples)
        squares = weighted.A**2
        fast, slow = self._fast(squares), self._slow(squares)
        begins = edges[:-1]
        return Found(
            squares_A=np.add.reduceat(squares, begins),
            squares_C=np.add.reduceat(weighted.C**2, begins),
            squares_Z=np.add.reduceat(weighted.Z**2, begins),
            LAF_max=np.maximum.reduceat(fast, begins),
            LAF_min=np.minimum.reduceat(fast, begins),
            LAF_end=fast[edges[1:] - 1],
            LAS_max=np.maximum.reduceat(slow, begins),
            C_max=np.maximum.reduceat(np.abs(weighted.C), begins),
            LAF=fast,
            C=weighted.C,
        )


@dataclass(frozen=True, slots=True)
class Shapes:
    """What k slices look like before any filter, in units; each of shape (k,)."""

    least: Samples
    most: Samples
    total: Samples
    """Σx"""
    squares: Samples
    """Σx²"""
    rises: Samples
    """Σ of the first difference squared: high frequencies weigh more."""
    bends: Samples
    """Σ of the second difference squared: they weigh more still."""
    run: Samples
    """Samples in the longest run of equal ones that ends here or goes on."""
    run_value: Samples

    def part(self, begin: int, end: int) -> Shapes:
        """The slices from ``begin`` up to ``end``."""
        return Shapes(
            self.least[begin:end],
            self.most[begin:end],
            self.total[begin:end],
            self.squares[begin:end],
            self.rises[begin:end],
            self.bends[begin:end],
            self.run[begin:end],
            self.run_value[begin:end],
        )

    @staticmethod
    def joined(parts: Sequence[Shapes]) -> Shapes:
        """One after the other."""
        if len(parts) == 1:
            return parts[0]
        return Shapes(
            *(np.concatenate([getattr(part, one.name) for part in parts]) for one in fields(Shapes))
        )


class Shape:
    """Looks at one channel's samples; feed whole slices in order."""

    def __init__(self, *, compiled: bool = True) -> None:
        self._core = core() if compiled else None
        # The last two samples, and how long the last has been the same.
        self._before = np.array([0.0, math.nan, 0.0])
        self._begun = False

    def __call__(self, units: Samples, edges: Edges) -> Shapes:
        """The next slices; see ``Chain.__call__``."""
        if not self._begun and len(units):
            # Before the first sample there was nothing that it could differ from.
            self._before[:] = units[0], units[0], 0.0
            self._begun = True
        found = np.empty((len(edges) - 1, 8))
        if self._core is not None:
            self._core.shape(units, edges, self._before, found)
        elif len(units):
            self._by_numpy(units, edges, found)
        return Shapes(*np.ascontiguousarray(found.T))

    def _by_numpy(self, units: Samples, edges: Edges, found: Samples) -> None:
        begins = edges[:-1]
        whole = np.concatenate([self._before[:2], units])
        rises = np.diff(whole)
        columns = (
            np.minimum.reduceat(units, begins),
            np.maximum.reduceat(units, begins),
            np.add.reduceat(units, begins),
            np.add.reduceat(units**2, begins),
            np.add.reduceat(rises[1:] ** 2, begins),
            np.add.reduceat(np.diff(rises) ** 2, begins),
        )
        found[:, :6] = np.stack(columns, axis=1)
        # Where each run begins; the first may have begun before these samples.
        at = np.arange(float(len(units)))
        since = np.where(whole[2:] != whole[1:-1], at, -self._before[2])
        runs = at - np.maximum.accumulate(since) + 1.0
        for index, (begin, end) in enumerate(pairwise(edges)):
            longest = begin + int(np.argmax(runs[begin:end]))
            found[index, 6], found[index, 7] = runs[longest], units[longest]
        self._before[:] = whole[-2], whole[-1], runs[-1]


def before(beginning: Samples) -> Samples:
    """What may have come before a signal, made of its own beginning, shape (≤ n,).

    Where it repeats itself, as a tone does, the beginning up to the place from which it goes on
    as it began. Otherwise the beginning mirrored in time. Either way offset and value go on
    unbroken, so that filters do not ring at the first sample.
    """
    pattern = beginning[: len(beginning) // 16]
    places = beginning[len(beginning) // 2 :]
    if len(pattern) > 1 and len(places) >= len(pattern):
        alike = signal.correlate(places, pattern, "valid", "fft")
        squares = np.concatenate([[0.0], np.cumsum(places**2)])
        energy = squares[len(pattern) :] - squares[: -len(pattern)]
        differing = energy + pattern @ pattern - 2.0 * alike
        place = int(np.argmin(differing))
        if differing[place] <= _ALIKE * (pattern @ pattern):
            return np.ascontiguousarray(beginning[: len(beginning) // 2 + place])
    return np.ascontiguousarray(beginning[::-1])


def _in_lanes(core: Any, sections: Sequence[Samples]) -> Samples | None:
    """Coefficients of every lane, shape (5, lanes), where C and A, and Z, fit into their chains
    as ``lanes.py`` has them; ``None`` otherwise."""
    c, a, z = map(len, sections)
    if (c, a) != (3, 1) or z > core.CHAINS[1]:
        return None
    lanes: Samples = np.zeros((5, core.LANES))
    lanes[0] = 1.0  # a lane without a section passes on what it gets
    lanes[:, : c + a] = np.vstack(sections[:2]).T
    lanes[:, core.CHAINS[0] : core.CHAINS[0] + z] = sections[2].T
    return lanes


def sections_of(sos: Samples) -> Samples:
    """Rows b0 b1 b2 a1 a2 of second-order sections, shape (k, 6)."""
    return np.ascontiguousarray(sos[:, [0, 1, 2, 4, 5]])


def _decay(rate_hz: int, time_constant_s: float) -> float:
    return math.exp(-1.0 / (rate_hz * time_constant_s))
