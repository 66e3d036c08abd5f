"""Third-octave bands (IEC 61260-1:2014, class 1, base 10), streaming, 20 Hz to 20 kHz.

Each band is a Butterworth band-pass of order 4 in each skirt at the lowest of the halved
sampling rates that holds it; the halving filters are flat to 0.001 dB and 80 dB deep. A band
is given where its nominal frequency lies at or below 0.45 × the rate and its upper edge below
half of it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

import numpy as np
from scipy import signal

from vigil_edge.noise.meter.chain import before, core, sections_of
from vigil_edge.noise.meter.weighting import Samples

NOMINAL: Final = (
    *("20", "25", "31.5", "40", "50", "63", "80", "100", "125", "160", "200", "250", "315"),
    *("400", "500", "630", "800", "1000", "1250", "1600", "2000", "2500", "3150", "4000"),
    *("5000", "6300", "8000", "10000", "12500", "16000", "20000"),
)
_FIRST: Final = -17
"""20 Hz is 1000 · 10^(-17/10)."""
_HALF_BAND: Final = 10 ** (1 / 20)
_ORDER: Final = 4
_HIGHEST: Final = 0.45
_HOLDS: Final = 0.375
"""Of a halved rate: what lies below is not touched by the halving."""
_TAPS: Final = 43


def exact_hz(index: int) -> float:
    """Mid-band frequency of ``NOMINAL[index]`` (5.2)."""
    return float(1000.0 * 10 ** ((_FIRST + index) / 10))


@lru_cache(maxsize=1)
def halving_taps() -> Samples:
    """A half-band low-pass, shape (43,): 1 up to 0.1875 of the rate, 80 dB down from 0.3125."""
    taps = signal.firwin(_TAPS, 0.5, window=("kaiser", 8.3))
    taps[np.arange(_TAPS) % 2 == 1] = 0.0
    taps[_TAPS // 2] = 0.5
    taps[::2] *= 0.5 / taps[::2].sum()
    return np.asarray(taps, dtype=np.float64)


@lru_cache(maxsize=16)
def stages(rate_hz: float) -> tuple[tuple[int, ...], ...]:
    """Which bands are filtered at the rate itself, at half of it, and so on."""
    there = [
        index
        for index, name in enumerate(NOMINAL)
        if float(name) <= _HIGHEST * rate_hz and exact_hz(index) * _HALF_BAND < 0.4999 * rate_hz
    ]
    found: list[tuple[int, ...]] = []
    while there:
        rate_hz /= 2.0
        staying = [k for k in there if exact_hz(k) * _HALF_BAND > _HOLDS * rate_hz]
        found.append(tuple(staying))
        there = [k for k in there if k not in staying]
    return tuple(found)


def band_sections(index: int, rate_hz: float) -> Samples:
    """One band at one rate: shape (4, 6)."""
    middle = exact_hz(index)
    edges = [middle / _HALF_BAND, middle * _HALF_BAND]
    sos = signal.butter(_ORDER, edges, "bandpass", fs=rate_hz, output="sos")
    return np.asarray(sos, dtype=np.float64)


@dataclass(slots=True)
class _Stage:
    """The bands of one rate, and the way to half of it."""

    rate_hz: float
    bands: tuple[int, ...]
    memory: Samples = field(init=False)
    sections: Samples = field(init=False)
    energy: Samples = field(init=False)
    samples: int = field(init=False, default=0)
    before: Samples = field(init=False)
    """What the halving filter still needs, and a sample that waits for its pair."""

    def __post_init__(self) -> None:
        found = [band_sections(index, self.rate_hz) for index in self.bands]
        self.sections = np.vstack(found) if found else np.zeros((0, 6))
        self.memory = np.zeros((len(self.sections), 2))
        self.energy = np.zeros(len(self.bands))
        self.before = np.zeros(_TAPS - 1)


class ThirdOctaves:
    """One channel's bands; feed blocks of any size in order."""

    def __init__(self, rate_hz: int, *, compiled: bool = True) -> None:
        self._core = core() if compiled else None
        self._stages = [
            _Stage(rate_hz / 2**n, bands) for n, bands in enumerate(stages(float(rate_hz)))
        ]

    def prime(self, beginning: Samples) -> None:
        """Settle the filters on a signal that was already there; see ``Chain.prime``."""
        self.settle(before(beginning))

    def settle(self, samples: Samples) -> None:
        """Let the filters run over samples that are not to be measured."""
        self.feed(samples)
        for stage in self._stages:
            stage.energy[:], stage.samples = 0.0, 0

    def feed(self, samples: Samples) -> None:
        """The next samples, shape (n,)."""
        for stage in self._stages:
            if not len(samples):
                return
            stage.samples += len(samples)
            self._filter(stage, samples)
            if stage is not self._stages[-1]:
                samples = self._halved(stage, samples)

    def mean_squares(self) -> dict[str, float | None]:
        """Of each nominal frequency, the mean square so far; ``None`` where it is not measured."""
        found: dict[str, float | None] = dict.fromkeys(NOMINAL)
        for stage in self._stages:
            for index, energy in zip(stage.bands, stage.energy, strict=True):
                if stage.samples:
                    found[NOMINAL[index]] = float(energy) / stage.samples
        return found

    def _filter(self, stage: _Stage, samples: Samples) -> None:
        if self._core is not None:
            self._core.bands(samples, sections_of(stage.sections), stage.memory, stage.energy)
        else:
            for band in range(len(stage.bands)):
                rows = slice(_ORDER * band, _ORDER * (band + 1))
                filtered, stage.memory[rows] = signal.sosfilt(
                    stage.sections[rows], samples, zi=stage.memory[rows]
                )
                stage.energy[band] += filtered @ filtered
        stage.memory[np.abs(stage.memory) < 1e-60] = 0.0

    def _halved(self, stage: _Stage, samples: Samples) -> Samples:
        waiting = np.concatenate([stage.before, samples])
        out = np.empty(max(0, len(waiting) - (_TAPS - 1) + 1) // 2)
        taps = halving_taps()
        if self._core is not None:
            self._core.halve(waiting, taps, out)
        elif len(out):
            out[:] = np.convolve(waiting, taps, "valid")[::2]
        stage.before = waiting[2 * len(out) :]
        return out
