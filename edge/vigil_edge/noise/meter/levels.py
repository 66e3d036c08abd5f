"""The sound level meter: pascal in, levels out, in slices of 50 ms.

Pure and streaming. Everything that follows works on slices, cut at fixed sample
numbers, so that no result depends on the size of the blocks that were fed.
Levels are dB re 20 µPa (IEC 61672-1:2013).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import signal

from vigil_edge.noise.meter.clipping import Clipping
from vigil_edge.noise.meter.weighting import Samples, Weightings
from vigil_edge.noise.sound.pcm import slice_edge, slices_within

REFERENCE_PA: Final = 20e-6
FAST_S: Final = 0.125
SLOW_S: Final = 1.0
FLOOR_DB: Final = -40.0
"""The smallest level that the contract carries; digital silence reads as this."""
CLIPPING_AT: Final = 0.999
"""Of full scale: a converter that has reached this has clipped."""
_FLOOR_PA2: Final = REFERENCE_PA**2 * 10 ** (FLOOR_DB / 10)


def level_db(mean_square_pa2: float) -> float:
    """Level of a mean square pressure, dB re 20 µPa, not below ``FLOOR_DB``."""
    return 10.0 * math.log10(max(mean_square_pa2, _FLOOR_PA2) / REFERENCE_PA**2)


def mean_square_pa2(db: float) -> float:
    """The mean square pressure, Pa², of a level."""
    return float(REFERENCE_PA**2 * 10 ** (db / 10))


def pascal_per_unit(full_scale_peak_db: float) -> float:
    """Pascal of digital full scale whose peak level is given in dB re 20 µPa."""
    return float(REFERENCE_PA * 10 ** (full_scale_peak_db / 20))


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
        decay = math.exp(-1.0 / (self.rate_hz * self.time_constant_s))
        running, self._memory = signal.lfilter(
            [1.0 - decay], [1.0, -decay], squares, zi=self._memory
        )
        # Denormal numbers of a long silence are slow.
        self._memory[self._memory < 1e-60] = 0.0
        return np.asarray(running, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class Slices:
    """k consecutive slices of about 50 ms each; ``edges`` says where each begins."""

    first_sample: int
    edges: npt.NDArray[np.intp]
    """Shape (k + 1,): first sample of each slice, and the end of the last, within these."""
    squares_A: Samples
    """Sum of squared pressure, Pa² · samples, shape (k,)."""
    squares_C: Samples
    squares_Z: Samples
    LAF: Samples
    """Fast running mean square at every sample, Pa², shape (edges[-1],)."""
    LAF_max: Samples
    """Shape (k,), Pa²."""
    overload: npt.NDArray[np.bool_]
    """Shape (k,): the input reached its limit, or was cut off below it."""

    def fast(self, index: int) -> Samples:
        """LAF of one slice, Pa², at every sample."""
        return self.LAF[self.edges[index] : self.edges[index + 1]]

    def start(self, index: int) -> int:
        """First sample of one slice, counted from the start of the stream."""
        return self.first_sample + int(self.edges[index])

    def samples(self, index: int) -> int:
        """Samples in one slice."""
        return int(self.edges[index + 1] - self.edges[index])

    def __len__(self) -> int:
        return len(self.edges) - 1


@dataclass(slots=True)
class Meter:
    """One calibrated channel."""

    rate_hz: int
    pascal_per_unit: float
    overload_at: float = math.inf
    """Where the input has clipped, in its own units."""
    flat_at: float | None = None
    """Runs of equal samples at this value have clipped too: floats of unknown full scale."""
    _weightings: Weightings = field(init=False)
    _fast: TimeWeighting = field(init=False)
    _clipping: Clipping = field(init=False)
    _rest: Samples = field(init=False)
    _next_sample: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self._weightings = Weightings(self.rate_hz)
        self._fast = TimeWeighting(self.rate_hz)
        self._clipping = Clipping(self.rate_hz)
        self._rest = np.zeros(0)

    def prime(self, beginning: Samples) -> None:
        """Settle the filters on the beginning of a signal; see ``Weightings.prime``."""
        self._weightings.prime(beginning * self.pascal_per_unit)

    def settle(self, units: Samples) -> None:
        """Let the filters run over samples that are not to be measured."""
        self._weightings(units * self.pascal_per_unit)

    def feed(self, units: Samples) -> Slices | None:
        """The next samples, shape (n,); returns the slices that they complete, if any."""
        samples = np.concatenate([self._rest, units]) if len(self._rest) else units
        begun = slices_within(self._next_sample, self.rate_hz)
        over = slices_within(self._next_sample + len(samples), self.rate_hz)
        edges = np.array(
            [slice_edge(n, self.rate_hz) - self._next_sample for n in range(begun, over + 1)],
            dtype=np.intp,
        )
        self._rest = samples[edges[-1] :].copy()
        return self._measure(samples[: edges[-1]], edges) if over > begun else None

    def flush(self) -> Slices | None:
        """What is left at the end, as one shorter slice."""
        rest, self._rest = self._rest, np.zeros(0)
        edges = np.array([0, len(rest)], dtype=np.intp)
        return self._measure(rest, edges) if len(rest) else None

    def _measure(self, units: Samples, edges: npt.NDArray[np.intp]) -> Slices:
        weighted = self._weightings(units * self.pascal_per_unit)
        squares = weighted.A**2
        fast = self._fast(squares)
        begins = edges[:-1]
        overload = np.maximum.reduceat(np.abs(units), begins) >= self.overload_at
        if self.flat_at is not None:
            overload |= np.logical_or.reduceat(_flat(units, self.flat_at), begins)
        cut_off = self._clipping.feed(units)
        overload[np.searchsorted(edges, cut_off, side="right") - 1] = True
        first, self._next_sample = self._next_sample, self._next_sample + len(units)
        return Slices(
            first_sample=first,
            edges=edges,
            squares_A=np.add.reduceat(squares, begins),
            squares_C=np.add.reduceat(weighted.C**2, begins),
            squares_Z=np.add.reduceat(weighted.Z**2, begins),
            LAF=fast,
            LAF_max=np.maximum.reduceat(fast, begins),
            overload=overload,
        )


def _flat(units: Samples, at: float) -> npt.NDArray[np.bool_]:
    """Where three samples in a row have the same value at about ±``at``: a clipped crest."""
    near = np.abs(np.abs(units) - at) <= at * (1.0 - CLIPPING_AT)
    flat = np.zeros(len(units), dtype=np.bool_)
    if len(units) > 2:
        flat[2:] = near[2:] & (units[2:] == units[1:-1]) & (units[1:-1] == units[:-2])
    return flat


@dataclass(frozen=True, slots=True)
class Levels:
    """Levels over a stretch of samples."""

    first_sample: int
    samples: int
    LAeq: float
    LAFmax: float
    LCeq: float
    LZeq: float
    overload: bool


@dataclass(slots=True)
class Average:
    """Adds up slices; ``levels`` says what they amount to."""

    first_sample: int = 0
    samples: int = 0
    _A: float = 0.0
    _C: float = 0.0
    _Z: float = 0.0
    _LAF_max: float = 0.0
    _overload: bool = False

    def add(self, slices: Slices, index: int) -> None:
        """Add slice ``index`` of ``slices``."""
        self.samples += slices.samples(index)
        self._A += float(slices.squares_A[index])
        self._C += float(slices.squares_C[index])
        self._Z += float(slices.squares_Z[index])
        self._LAF_max = max(self._LAF_max, float(slices.LAF_max[index]))
        # Latched: an average with clipped samples in it stays marked (5.11).
        self._overload |= bool(slices.overload[index])

    @property
    def levels(self) -> Levels:
        """Raises ``ZeroDivisionError`` where nothing was added."""
        return Levels(
            self.first_sample,
            self.samples,
            LAeq=level_db(self._A / self.samples),
            LAFmax=level_db(self._LAF_max),
            LCeq=level_db(self._C / self.samples),
            LZeq=level_db(self._Z / self.samples),
            overload=self._overload,
        )


@dataclass(slots=True)
class Seconds:
    """Cuts slices into whole seconds and keeps the total of everything."""

    rate_hz: int
    total: Average = field(default_factory=Average)
    _second: Average = field(default_factory=Average)

    def feed(self, slices: Slices) -> Iterator[Levels]:
        """The seconds that these slices complete."""
        for index in range(len(slices)):
            self.total.add(slices, index)
            self._second.add(slices, index)
            if self._second.samples >= self.rate_hz:
                yield self._second.levels
                end = slices.start(index) + slices.samples(index)
                self._second = Average(first_sample=end)
