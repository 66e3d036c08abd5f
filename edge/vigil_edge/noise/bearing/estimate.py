"""Bearings of a stream of sound, one every 40 ms, each with what it is worth."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import special

from vigil_edge.noise.bearing.array import Array, MicrophoneArray
from vigil_edge.noise.bearing.search import SNAPSHOTS, Fits, Search
from vigil_edge.noise.bearing.smoothing import FARTHEST, smoothed
from vigil_edge.noise.bearing.spectra import STEP_S, Snapshots, Spectra

INTERVAL_S: Final = 2 * STEP_S
CHUNK: Final = 25
"""Frames that are fitted at once: 1 s."""
WITHIN_DEG: Final = 5.0
"""``confidence`` is the chance that the source stands within this of the azimuth."""
LEAST_CONFIDENCE: Final = 0.5
_SHARE: Final = 0.5
_FEW_LINES: Final = 0.35
_CLEAR: Final = 0.012
"""Nats per bin by which the best direction is ahead of any other when it is surely the one."""
_CAUTION: Final = 2.5
"""The errors of single bearings are so much larger than their curvature says: neighbouring bins
of a window share their noise, and weights are estimates too."""


@dataclass(frozen=True, slots=True)
class Bearing:
    """One answer or abstention."""

    t: float
    """Seconds since the beginning: the middle of the window."""
    azimuth: float | None
    """Degrees counter-clockwise from +x, 0 ≤ azimuth < 360; None: it cannot be told."""
    confidence: float
    """0 to 1: see ``WITHIN_DEG``; of an abstention, what it would have been."""
    mirror: float | None = None
    """The other azimuth that sounds alike, of an array in a line or on a wall."""


@dataclass(slots=True)
class _Fitted:
    """Single frames, not yet smoothed; each (n,)."""

    azimuth: Array
    mirror: Array
    sigma: Array
    clear: Array
    """Chance that it is this direction and no other."""
    answered: npt.NDArray[np.bool_]

    @classmethod
    def none(cls) -> _Fitted:
        empty = np.empty(0)
        return cls(empty, empty, empty, empty, np.empty(0, bool))

    def and_then(self, later: _Fitted) -> _Fitted:
        return _Fitted(
            np.concatenate([self.azimuth, later.azimuth]),
            np.concatenate([self.mirror, later.mirror]),
            np.concatenate([self.sigma, later.sigma]),
            np.concatenate([self.clear, later.clear]),
            np.concatenate([self.answered, later.answered]),
        )

    def without_first(self, count: int) -> _Fitted:
        return _Fitted(
            self.azimuth[count:],
            self.mirror[count:],
            self.sigma[count:],
            self.clear[count:],
            self.answered[count:],
        )


@dataclass(slots=True)
class Estimator:
    """Feed the sound of all channels in order; the same for any split into blocks.

    Bearings come some 1.5 s late: neighbours on both sides count.
    """

    array: MicrophoneArray
    rate_hz: int
    _search: Search = field(init=False)
    _snapshots: Snapshots = field(init=False)
    _spectra: Spectra = field(init=False)
    _fitted: _Fitted = field(init=False, default_factory=_Fitted.none)
    _before: int = field(init=False, default=0)
    """Frames of ``_fitted`` that are told already and serve as neighbours."""
    _told: int = field(init=False, default=0)
    _energy: Array = field(init=False)
    _samples: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        microphones = len(self.array.positions)
        self._search = Search(self.array, self.rate_hz)
        self._snapshots = Snapshots(self.rate_hz, microphones, self._search.bins)
        self._spectra = np.empty((0, len(self._search.bins), microphones), np.complex64)
        self._energy = np.zeros(microphones)

    def feed(self, frames: npt.NDArray[np.float32]) -> list[Bearing]:
        """``frames``: shape (n, microphones), in any unit."""
        self._samples += len(frames)
        self._spectra = np.concatenate([self._spectra, self._snapshots.feed(frames)])
        told: list[Bearing] = []
        while len(self._spectra) > 2 * CHUNK:
            told += self._taken(CHUNK, last=False)
        return told

    def flush(self) -> list[Bearing]:
        """At the end of the sound."""
        self._spectra = np.concatenate([self._spectra, self._snapshots.flush()])
        whole = round(self._samples / self.rate_hz / INTERVAL_S, 6)
        due = int(whole) - self._told - len(self._fitted.azimuth) + self._before
        told: list[Bearing] = []
        while due > CHUNK:
            told += self._taken(CHUNK, last=False)
            due -= CHUNK
        return told + self._taken(max(due, 0), last=True)

    def _taken(self, count: int, *, last: bool) -> list[Bearing]:
        """Fit ``count`` more frames; what can be told now."""
        if count:
            index = 2 * np.arange(count)[:, None] + np.arange(SNAPSHOTS)[None]
            spectra = self._levelled(self._spectra[index])
            self._fitted = self._fitted.and_then(self._judged(self._search.fit(spectra)))
            self._spectra = self._spectra[2 * count :]
        have = len(self._fitted.azimuth)
        until = have if last else max(self._before, have - FARTHEST)
        told = list(self._bearings(self._before, until))
        self._told += len(told)
        drop = max(0, until - FARTHEST)
        self._fitted = self._fitted.without_first(drop)
        self._before = until - drop
        return told

    def _levelled(self, spectra: Spectra) -> Spectra:
        """With the microphones' gains made equal, as the sound itself shows them."""
        self._energy *= 0.9
        self._energy += (spectra.real**2 + spectra.imag**2).sum(axis=(0, 1, 2))
        level = np.sqrt(self._energy / max(float(self._energy.mean()), 1e-30))
        loudest = float(np.abs(spectra).max(initial=0.0)) or 1.0
        gains = 1.0 / (np.where(level > 1e-6, level, 1.0) * loudest)
        return spectra * gains.astype(np.float32)

    def _judged(self, fits: Fits) -> _Fitted:
        microphones = len(self.array.positions)
        ours, other = self.array.direction(fits.slowness)
        horizontal = np.maximum(np.hypot(ours[:, 0], ours[:, 1]), 0.05)
        variance = np.trace(fits.covariance, axis1=1, axis2=2) / self.array.rank
        sigma = _CAUTION * np.degrees(np.sqrt(variance)) / horizontal
        least = 1.0 - _SHARE * (microphones - 1) / microphones
        enough = fits.share > np.minimum(0.9, least + _FEW_LINES / np.sqrt(fits.lines))
        clear = 1.0 - np.exp(-np.maximum(fits.gain - fits.rival, 0.0) / _CLEAR)
        return _Fitted(
            np.degrees(np.arctan2(ours[:, 1], ours[:, 0])) % 360.0,
            np.degrees(np.arctan2(other[:, 1], other[:, 0])) % 360.0,
            sigma,
            np.where(enough, clear, clear * np.clip(fits.share / least, 0.0, 1.0) / 2),
            enough,
        )

    def _bearings(self, first: int, end: int) -> Iterator[Bearing]:
        if end <= first:
            return
        azimuth, error = smoothed(self._fitted.azimuth, self._fitted.sigma, self._fitted.answered)
        for index in range(first, end):
            t = round((self._told + index - first + 0.5) * INTERVAL_S, 3)
            sigma = float(self._fitted.sigma[index])
            answered = bool(self._fitted.answered[index])
            spread = float(error[index]) if answered else sigma
            within = float(special.erf(WITHIN_DEG / max(spread, 1e-3) / math.sqrt(2.0)))
            confidence = round(float(self._fitted.clear[index]) * within, 3)
            if not answered or confidence < LEAST_CONFIDENCE:
                yield Bearing(t, None, min(confidence, LEAST_CONFIDENCE))
                continue
            mirror = None
            if self.array.ambiguous is not None:
                mirror = _degrees(float(self._fitted.mirror[index]))
            yield Bearing(t, _degrees(float(azimuth[index])), confidence, mirror)


def _degrees(azimuth: float) -> float:
    return round(azimuth, 2) % 360.0


def bearings(
    array: MicrophoneArray, rate_hz: int, blocks: Iterable[npt.NDArray[np.float32]]
) -> Iterator[Bearing]:
    """Of a whole recording, given as blocks of shape (n, microphones)."""
    estimator = Estimator(array, rate_hz)
    for block in blocks:
        yield from estimator.feed(block)
    yield from estimator.flush()
