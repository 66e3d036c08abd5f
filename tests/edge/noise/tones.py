"""Signals with a known answer."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Signal = npt.NDArray[np.float64]


def tone(level_db: float, seconds: float, rate_hz: int = 48000, hz: float = 1000.0) -> Signal:
    """A sine of the given level, pascal; whole periods where hz and seconds allow."""
    amplitude = 20e-6 * 10 ** (level_db / 20) * np.sqrt(2)
    time = np.arange(round(seconds * rate_hz)) / rate_hz
    signal: Signal = amplitude * np.sin(2 * np.pi * hz * time)
    return signal


def silence(seconds: float, rate_hz: int = 48000) -> Signal:
    """Nothing."""
    return np.zeros(round(seconds * rate_hz))
