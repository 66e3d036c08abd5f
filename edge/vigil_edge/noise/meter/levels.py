"""The sound level meter: pascal in, levels out, in slices of 50 ms.

Pure and streaming. Everything that follows works on slices, cut at fixed sample
numbers, so that no result depends on the size of the blocks that were fed.
Levels are dB re 20 µPa (IEC 61672-1:2013).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from vigil_edge.noise.meter.chain import Chain, Shape, Shapes
from vigil_edge.noise.meter.peaks import TruePeak
from vigil_edge.noise.meter.thirds import ThirdOctaves
from vigil_edge.noise.meter.weighting import Samples
from vigil_edge.noise.sound.pcm import SLICES_PER_SECOND, slice_edge, slices_within

REFERENCE_PA: Final = 20e-6
FLOOR_DB: Final = -40.0
"""The smallest level that the contract carries; digital silence reads as this."""
CLIPPING_AT: Final = 0.999
"""Of full scale: a converter that has reached this has clipped."""
RISEN_S: Final = 0.75
"""A Fast level that began at rest is 0.01 dB short after so long: least levels and percentiles
are taken from here on."""
_PRIME_S: Final = 1.0
"""The weightings have settled by then; narrow bands take all that is there."""
_FLOOR_PA2: Final = REFERENCE_PA**2 * 10 ** (FLOOR_DB / 10)
_NO_FLAGS: Final[frozenset[str]] = frozenset()


def level_db(mean_square_pa2: float) -> float:
    """Level of a mean square pressure, dB re 20 µPa, not below ``FLOOR_DB``."""
    return 10.0 * math.log10(max(mean_square_pa2, _FLOOR_PA2) / REFERENCE_PA**2)


def mean_square_pa2(db: float) -> float:
    """The mean square pressure, Pa², of a level."""
    return float(REFERENCE_PA**2 * 10 ** (db / 10))


def pascal_per_unit(full_scale_peak_db: float) -> float:
    """Pascal of digital full scale whose peak level is given in dB re 20 µPa."""
    return float(REFERENCE_PA * 10 ** (full_scale_peak_db / 20))


@dataclass(frozen=True, slots=True)
class Slices:
    """k consecutive slices of about 50 ms each; ``edges`` says where each begins."""

    first_sample: int
    edges: npt.NDArray[np.int64]
    """Shape (k + 1,): first sample of each slice, and the end of the last, within these."""
    squares_A: Samples
    """Sum of squared pressure, Pa² · samples, shape (k,)."""
    squares_C: Samples
    squares_Z: Samples
    LAF: Samples
    """Fast running mean square at every sample, Pa², shape (edges[-1],)."""
    LAF_max: Samples
    """Shape (k,), Pa², as the next three."""
    LAF_min: Samples
    LAF_end: Samples
    LAS_max: Samples
    C_peak: Samples
    """Highest |C|, pascal, shape (k,): between samples, where the meter was asked for peaks."""
    shapes: Shapes
    units: Samples
    """The samples themselves, before any filter, shape (edges[-1],)."""
    overload: npt.NDArray[np.bool_]
    """Shape (k,): the input reached its limit."""

    def fast(self, index: int) -> Samples:
        """LAF of one slice, Pa², at every sample."""
        return self.LAF[self.edges[index] : self.edges[index + 1]]

    def start(self, index: int) -> int:
        """First sample of one slice, counted from the start of the stream."""
        return self.first_sample + int(self.edges[index])

    def samples(self, index: int) -> int:
        """Samples in one slice."""
        return int(self.edges[index + 1] - self.edges[index])

    def part(self, begin: int, end: int) -> Slices:
        """The slices from ``begin`` up to ``end``."""
        if begin == 0 and end == len(self):
            return self
        first, last = int(self.edges[begin]), int(self.edges[end])
        each = {
            name: getattr(self, name)[begin:end] for name in (*_OF_SLICES, "overload", "C_peak")
        }
        return Slices(
            first_sample=self.first_sample + first,
            edges=self.edges[begin : end + 1] - first,
            LAF=self.LAF[first:last],
            units=self.units[first:last],
            shapes=self.shapes.part(begin, end),
            **each,
        )

    def __len__(self) -> int:
        return len(self.edges) - 1


_OF_SLICES: Final = (
    "squares_A", "squares_C", "squares_Z", "LAF_max", "LAF_min", "LAF_end", "LAS_max"
)  # fmt: skip


@dataclass(slots=True)
class Meter:
    """One calibrated channel."""

    rate_hz: int
    pascal_per_unit: float
    overload_at: float = math.inf
    """Where the input has clipped, in its own units."""
    flat_at: float | None = None
    """Runs of equal samples at this value have clipped too: floats of unknown full scale."""
    peaks: bool = False
    """Look for peaks of C between samples, too."""
    bands: bool = False
    """Third octaves as well."""
    compiled: bool = True
    third_octaves: ThirdOctaves | None = field(init=False)
    _chain: Chain = field(init=False)
    _shape: Shape = field(init=False)
    _peak: TruePeak | None = field(init=False)
    _rest: Samples = field(init=False)
    _next_sample: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self._chain = Chain(self.rate_hz, compiled=self.compiled)
        self._shape = Shape(compiled=self.compiled)
        self._peak = TruePeak() if self.peaks else None
        self.third_octaves = (
            ThirdOctaves(self.rate_hz, compiled=self.compiled) if self.bands else None
        )
        self._rest = np.zeros(0)

    def prime(self, beginning: Samples) -> None:
        """Settle the filters on the beginning of a signal; see ``Chain.prime``."""
        self._chain.prime(beginning[: int(_PRIME_S * self.rate_hz)] * self.pascal_per_unit)
        if self.third_octaves is not None:
            self.third_octaves.prime(beginning * self.pascal_per_unit)

    def settle(self, units: Samples) -> None:
        """Let the filters run over samples that are not to be measured."""
        self._chain.settle(units * self.pascal_per_unit)
        if self.third_octaves is not None:
            self.third_octaves.settle(units * self.pascal_per_unit)

    def feed(self, units: Samples) -> Slices | None:
        """The next samples, shape (n,); returns the slices that they complete, if any."""
        samples = np.concatenate([self._rest, units]) if len(self._rest) else units
        begun = slices_within(self._next_sample, self.rate_hz)
        over = slices_within(self._next_sample + len(samples), self.rate_hz)
        edges = np.array(
            [slice_edge(n, self.rate_hz) - self._next_sample for n in range(begun, over + 1)],
            dtype=np.int64,
        )
        self._rest = samples[edges[-1] :].copy()
        return self._measure(samples[: edges[-1]], edges) if over > begun else None

    def flush(self) -> Slices | None:
        """What is left at the end, as one shorter slice."""
        rest, self._rest = self._rest, np.zeros(0)
        edges = np.array([0, len(rest)], dtype=np.int64)
        return self._measure(rest, edges) if len(rest) else None

    def _measure(self, units: Samples, edges: npt.NDArray[np.int64]) -> Slices:
        found = self._chain(units, self.pascal_per_unit, edges)
        shapes = self._shape(units, edges)
        if self.third_octaves is not None:
            self.third_octaves.feed(units * self.pascal_per_unit)
        peak = found.C_max if self._peak is None else self._peak(found.C, found.C_max, edges)
        overload = np.maximum(shapes.most, -shapes.least) >= self.overload_at
        if self.flat_at is not None:
            overload |= np.logical_or.reduceat(_flat(units, self.flat_at), edges[:-1])
        first, self._next_sample = self._next_sample, self._next_sample + len(units)
        return Slices(
            first_sample=first,
            edges=edges,
            **{name: getattr(found, name) for name in _OF_SLICES},
            LAF=found.LAF,
            C_peak=peak,
            shapes=shapes,
            units=units,
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
    LAFmin: float | None
    """``None`` where the Fast level was rising from rest all the time."""
    LASmax: float
    LCeq: float
    LCpeak: float
    LZeq: float
    overload: bool
    flags: frozenset[str] = _NO_FLAGS
    """What makes these levels doubtful; see ``signs.py``."""


@dataclass(frozen=True, slots=True)
class _Sums:
    """What some slices add to an average: worked out once, for the second and for the total."""

    samples: int
    A: float
    C: float
    Z: float
    LAF_max: float
    LAF_min: float
    """Of those in which the Fast level had risen; infinite where it had not."""
    LAS_max: float
    C_peak: float
    overload: bool

    @classmethod
    def of(cls, slices: Slices, begin: int, end: int, rate_hz: int) -> _Sums:
        """The slices from ``begin`` up to ``end``."""
        within, risen_at = slice(begin, end), RISEN_S * rate_hz
        LAF_min = math.inf
        if slices.start(begin) >= risen_at:
            LAF_min = float(slices.LAF_min[within].min())
        elif slices.start(end - 1) >= risen_at:
            starts = slices.first_sample + slices.edges[begin:end]
            LAF_min = float(slices.LAF_min[within][starts >= risen_at].min())
        return cls(
            int(slices.edges[end] - slices.edges[begin]),
            float(slices.squares_A[within].sum()),
            float(slices.squares_C[within].sum()),
            float(slices.squares_Z[within].sum()),
            float(slices.LAF_max[within].max()),
            LAF_min,
            float(slices.LAS_max[within].max()),
            float(slices.C_peak[within].max()),
            bool(slices.overload[within].any()),
        )


@dataclass(slots=True)
class Average:
    """Adds up slices; ``levels`` says what they amount to."""

    rate_hz: int
    first_sample: int = 0
    samples: int = 0
    flags: frozenset[str] = _NO_FLAGS
    _A: float = 0.0
    _C: float = 0.0
    _Z: float = 0.0
    _LAF_max: float = 0.0
    _LAF_min: float = math.inf
    _LAS_max: float = 0.0
    _C_peak: float = 0.0
    overload: bool = False
    """Latched: an average with clipped samples in it stays marked (5.11)."""

    def add(self, sums: _Sums) -> None:
        """Add some slices."""
        self.samples += sums.samples
        self._A += sums.A
        self._C += sums.C
        self._Z += sums.Z
        self._LAF_max = max(self._LAF_max, sums.LAF_max)
        self._LAF_min = min(self._LAF_min, sums.LAF_min)
        self._LAS_max = max(self._LAS_max, sums.LAS_max)
        self._C_peak = max(self._C_peak, sums.C_peak)
        self.overload |= sums.overload

    @property
    def exposure_db(self) -> float:
        """LAE: the level of one second with the same energy (3.12)."""
        return level_db(self._A / self.rate_hz)

    @property
    def levels(self) -> Levels:
        """Raises ``ZeroDivisionError`` where nothing was added."""
        return Levels(
            self.first_sample,
            self.samples,
            LAeq=level_db(self._A / self.samples),
            LAFmax=level_db(self._LAF_max),
            LAFmin=level_db(self._LAF_min) if math.isfinite(self._LAF_min) else None,
            LASmax=level_db(self._LAS_max),
            LCeq=level_db(self._C / self.samples),
            LCpeak=level_db(self._C_peak**2),
            LZeq=level_db(self._Z / self.samples),
            overload=self.overload,
            flags=self.flags,
        )


@dataclass(slots=True)
class Seconds:
    """Cuts slices into whole seconds and keeps the total of everything."""

    rate_hz: int
    total: Average = field(init=False)
    _second: Average = field(init=False)
    _slices: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.total, self._second = Average(self.rate_hz), Average(self.rate_hz)

    def feed(self, slices: Slices) -> Iterator[Levels]:
        """The seconds that these slices complete."""
        begin = 0
        while begin < len(slices):
            end = min(len(slices), begin + SLICES_PER_SECOND - self._slices)
            # Second by second, so that sums come to the same however blocks were cut.
            sums = _Sums.of(slices, begin, end, self.rate_hz)
            self._second.add(sums)
            self.total.add(sums)
            self._slices += end - begin
            if self._second.samples >= self.rate_hz:
                yield self._second.levels
                self._begin(slices.start(end - 1) + slices.samples(end - 1))
            begin = end

    def flush(self) -> Levels | None:
        """The second that was not completed, if it was begun."""
        rest = self._second
        if not rest.samples:
            return None
        self._begin(rest.first_sample + rest.samples)
        return rest.levels

    def _begin(self, sample: int) -> None:
        self._second, self._slices = Average(self.rate_hz, first_sample=sample), 0


def flagged(levels: Levels, flags: frozenset[str]) -> Levels:
    """The same levels with these flags, too."""
    return replace(levels, flags=levels.flags | flags) if flags else levels
