"""Short-time spectra of all channels, the same for any split of the sound into blocks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt
from scipy import fft

Spectra = npt.NDArray[np.complex64]
"""Shape (snapshots, bins, microphones)."""

STEP_S: Final = 0.02
"""From one snapshot to the next; each is twice as long, so that they overlap by half."""


def centre(number: int, rate_hz: int) -> int:
    """The sample in the middle of a snapshot; without drift at any rate."""
    return (2 * number * rate_hz + 50) // 100


@dataclass(slots=True)
class Snapshots:
    """Feed blocks in order; snapshot k has its middle at k · 20 ms. Before and behind the sound
    there is silence."""

    rate_hz: int
    channels: int
    bins: npt.NDArray[np.int64]
    """Of the transform of ``2·half`` samples."""
    half: int = field(init=False)
    _window: npt.NDArray[np.float32] = field(init=False)
    _kept: npt.NDArray[np.float32] = field(init=False)
    _kept_from: int = field(init=False)
    """Sample number of the first one kept."""
    _next: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self.half = half_window(self.rate_hz)
        self._kept = np.zeros((self.half, self.channels), np.float32)
        self._kept_from = -self.half
        phase = (np.arange(2 * self.half) + 0.5) * np.pi / self.half
        self._window = (0.5 - 0.5 * np.cos(phase)).astype(np.float32)[:, np.newaxis]

    def feed(self, frames: npt.NDArray[np.float32]) -> Spectra:
        """``frames``: shape (n, channels). What is complete now."""
        self._kept = np.concatenate([self._kept, frames])
        end = self._kept_from + len(self._kept)
        begins = []
        while centre(self._next, self.rate_hz) + self.half <= end:
            begins.append(centre(self._next, self.rate_hz) - self.half - self._kept_from)
            self._next += 1
        spectra = self._transformed(begins)
        drop = centre(self._next, self.rate_hz) - self.half - self._kept_from
        self._kept, self._kept_from = self._kept[drop:], self._kept_from + drop
        return spectra

    def flush(self) -> Spectra:
        """The last ones, that reach beyond the end."""
        return self.feed(np.zeros((2 * self.half, self.channels), np.float32))

    def _transformed(self, begins: list[int]) -> Spectra:
        if not begins:
            return np.empty((0, len(self.bins), self.channels), np.complex64)
        parts = np.stack([self._kept[at : at + 2 * self.half] for at in begins])
        parts *= self._window
        spectra = fft.rfft(parts, axis=1)
        return np.asarray(spectra[:, self.bins], dtype=np.complex64)


def half_window(rate_hz: int) -> int:
    """Samples of 20 ms."""
    return round(STEP_S * rate_hz)
