"""A change of gain, as an automatic gain control or somebody's hand makes it. Pure.

It multiplies everything that is heard: loud and faint, low and high, the street's floor with the
vehicle before it, by one and the same factor, within 0.2 s, between two steady levels. A vehicle
that comes, goes or opens its throttle moves only the bands that it fills, and each by another
amount. So a change is looked for in two steps: a cheap one in the levels that the meter has anyway
(A and C), and, only where that speaks for it, the spectrum before and
after in bands of an octave, each with the uncertainty that its own fluctuation gives it.
Of a pure tone it cannot be told.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

import numpy as np
import numpy.typing as npt

from vigil_edge.noise.meter.chain import Shapes
from vigil_edge.noise.meter.levels import Slices
from vigil_edge.noise.meter.weighting import Samples
from vigil_edge.noise.sound.pcm import SLICES_PER_SECOND

_KEPT: Final = 3 * SLICES_PER_SECOND
_WINDOW: Final = 10
"""Slices before and after a change that have to be steady."""
_GAPS: Final = (1, 2, 4)
"""Slices that the change itself may take."""
_CHANGE_DB: Final = 2.5
_ALIKE_DB: Final = 2.5
"""By how much the change may differ between A and C: rumble has few independent values in half a
second."""
_SCATTER_DB: Final = 1.2
_TREND_DB: Final = 0.4
"""Between the halves of a window: a source that passes drifts by more."""
_TONE: Final = 1.1
_BANDS_HZ: Final = tuple(22.1 * 2.0**n for n in range(11))
"""Edges of ten octaves, 31.5 Hz to 16 kHz in the middle."""
_WORTH: Final = 0.95
_SURE_DB: Final = 0.8
"""A band whose change is known so well (standard error) counts."""
_LEAST_BANDS: Final = 4
_OFF_DB: Final = 0.5
"""Beside three standard errors, how far a band may be from the common change."""
_FINEST: Final = 16.0
"""Times the noise of rounding to the converter's steps: a band nearer to it does not follow."""


@dataclass(slots=True)
class GainChanges:
    """Of one channel; ``feed`` is asked once for each second, in order."""

    rate_hz: int
    _features: Samples = field(init=False)
    """Of the latest slices: mean squares of A, first and second difference, C, and of the sound
    itself; shape (n, 5)."""
    _units: deque[Samples] = field(init=False)
    """The samples of the same slices."""

    def __post_init__(self) -> None:
        self._features = np.zeros((0, 5))
        self._units = deque(maxlen=_KEPT)

    def feed(self, parts: Sequence[Slices], shapes: Shapes, step: float) -> bool:
        """Whether the gain changed in the second that ends here, or in the one before. ``step``:
        of the converter, in units; 0 for floats."""
        samples, loudness, lower = (
            found[0] if len(found) == 1 else np.concatenate(found)
            for found in (
                [np.diff(part.edges) for part in parts],
                [part.squares_A for part in parts],
                [part.squares_C for part in parts],
            )
        )
        columns = (loudness, shapes.rises, shapes.bends, lower, shapes.squares)
        new = np.array(columns).T / samples[:, np.newaxis]
        new[:, 4] -= (shapes.total / samples) ** 2
        self._features = np.concatenate([self._features, new])[-_KEPT:]
        for part in parts:
            self._units.extend(part.units[a:b] for a, b in pairwise(part.edges))
        return any(self._confirmed(begin, gap, step) for begin, gap in self._suspects(len(new)))

    def _suspects(self, fresh: int) -> list[tuple[int, int]]:
        """First slice of the window before, and slices between the windows."""
        features = self._features
        if len(features) < 2 * _WINDOW + 1 or (features <= 0.0).any():
            return []
        sums = np.zeros((len(features) + 1, 5))
        np.cumsum(features, axis=0, out=sums[1:])
        mean = (sums[_WINDOW:] - sums[:-_WINDOW]) / _WINDOW
        level = 10.0 * np.log10(mean[:, (0, 3)].T)
        steady: npt.NDArray[np.bool_] | None = None
        found: list[tuple[int, int]] = []
        for gap in _GAPS:
            apart = _WINDOW + gap
            # Only what this second brought: the rest was looked at before.
            first = max(0, len(features) - fresh - apart - _WINDOW + 1)
            if len(mean) <= apart:
                continue
            change = level[:, first + apart :] - level[:, first : len(mean) - apart]
            alike = np.abs(change[0]) >= _CHANGE_DB
            if not alike.any():
                continue
            alike &= np.abs(change[1] - change[0]) <= _ALIKE_DB
            if not alike.any():
                continue
            if steady is None:  # costs more than all the rest
                steady = _steady(features, mean)
            alike &= steady[first + apart :] & steady[first : len(mean) - apart]
            found += [(first + int(begin), gap) for begin in np.flatnonzero(alike)]
        return found

    def _confirmed(self, begin: int, gap: int, step: float) -> bool:
        """Whether every band changed alike."""
        units = list(self._units)
        before = self._spectra(units[begin : begin + _WINDOW])
        after = self._spectra(units[begin + _WINDOW + gap : begin + 2 * _WINDOW + gap])
        floor = _FINEST * step**2 / 12.0 * self._shares()
        heard = (before.mean(axis=0) > floor) & (after.mean(axis=0) > floor)
        if not heard.any():
            return False
        change = 10.0 * np.log10(after.mean(axis=0)[heard] / before.mean(axis=0)[heard])
        error = np.hypot(_error_db(before[:, heard]), _error_db(after[:, heard]))
        weight = 1.0 / (error**2 + 0.1**2)
        common = float((weight * change).sum() / weight.sum())
        sure = error <= _SURE_DB
        off = np.abs(change - common) > _OFF_DB + 3.0 * error
        return int(sure.sum()) >= _LEAST_BANDS and abs(common) >= _CHANGE_DB and not off.any()

    def _spectra(self, slices: Sequence[Samples]) -> Samples:
        """Mean square in each band, (pieces, bands): pieces of a slice's length that overlap by
        half, through a Hann window."""
        units = np.concatenate(slices)
        size = len(slices[0])
        pieces = np.lib.stride_tricks.sliding_window_view(units, size)[:: size // 2]
        sound = (pieces - pieces.mean(axis=1, keepdims=True)) * np.hanning(size)
        power = np.abs(np.fft.rfft(sound, axis=1)) ** 2 * (16.0 / 3.0) / size**2
        edges = np.searchsorted(np.fft.rfftfreq(size, 1.0 / self.rate_hz), self._edges())
        sums = np.concatenate([np.zeros((len(power), 1)), np.cumsum(power, axis=1)], axis=1)
        bands: Samples = np.maximum(sums[:, edges[1:]] - sums[:, edges[:-1]], 1e-30)
        return bands

    def _edges(self) -> Samples:
        edges = np.array(_BANDS_HZ)
        return edges[edges < 0.45 * self.rate_hz]

    def _shares(self) -> Samples:
        """Of noise that is alike at all frequencies, what falls into each band."""
        return np.diff(self._edges()) / (0.5 * self.rate_hz)


def _error_db(bands: Samples) -> npt.NDArray[np.float64]:
    """Standard error of a band's mean level, dB, (bands,)."""
    mean = bands.mean(axis=0)
    # Of Hann windows that overlap by half, 19 are worth 18 (Welch 1967).
    spread = bands.std(axis=0, ddof=1) / np.sqrt(_WORTH * len(bands))
    return np.asarray(10.0 / np.log(10.0) * spread / mean)


def _steady(features: Samples, mean: Samples) -> npt.NDArray[np.bool_]:
    """Of each window: whether it neither scatters nor drifts, and is no tone."""
    level = 10.0 * np.log10(features[:, (0, 2)])
    half = _WINDOW // 2
    # About their mean, so that little is lost in the difference of the squares.
    sums = np.zeros((len(level) + 1, 4))
    about = level - level.mean(axis=0)
    np.cumsum(np.hstack([about, about**2]), axis=0, out=sums[1:])
    halves = (sums[half:] - sums[:-half]) / half
    first, second = halves[: len(mean)], halves[half : half + len(mean)]
    whole = (first + second) / 2
    steady = (whole[:, 2:] - whole[:, :2] ** 2 <= _SCATTER_DB**2).all(axis=1)
    steady &= (np.abs(second[:, :2] - first[:, :2]) <= _TREND_DB).all(axis=1)
    return np.asarray(steady & (mean[:, 2] * mean[:, 4] > _TONE * mean[:, 1] ** 2))
