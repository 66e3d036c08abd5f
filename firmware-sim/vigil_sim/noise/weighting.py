"""Sound levels of a rendered signal, reckoned over its whole spectrum at once.

Deliberately not the way a sound level meter filters (and sharing nothing with
the gateway): IEC 61672-1:2013 annex E's analogue A-weighting is applied in the
frequency domain, so there is no bilinear warping to agree with by mistake.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import fft, signal

Array = NDArray[np.float64]
REFERENCE_PA = 20e-6
FAST_S = 0.125

_F1, _F2, _F3, _F4 = 20.598997, 107.65265, 737.86223, 12194.217


def a_response(frequency: Array) -> NDArray[np.complex128]:
    """Complex A-weighting at each frequency in Hz, 1 at 1 kHz (IEC 61672-1 E.4)."""

    def raw(f: Array) -> NDArray[np.complex128]:
        s = 1j * f
        return np.asarray(
            (s**4 * _F4**2) / ((s + _F1) ** 2 * (s + _F2) * (s + _F3) * (s + _F4) ** 2)
        )

    return np.asarray(raw(frequency) / np.abs(raw(np.array([1000.0])))[0])


def a_weighted(pressure: Array, sample_rate: int) -> Array:
    """A-weighted pressure, same shape (n,), zero before the beginning."""
    size = fft.next_fast_len(pressure.size + sample_rate // 10, real=True)
    spectrum = fft.rfft(pressure, size)
    spectrum *= a_response(fft.rfftfreq(size, 1 / sample_rate))
    return np.asarray(fft.irfft(spectrum, size)[: pressure.size])


def fast_level(pressure: Array, sample_rate: int) -> Array:
    """LAF in dB re 20 µPa at every sample, (n,); ``pressure`` in pascals, (n,)."""
    squared = a_weighted(pressure, sample_rate) ** 2
    decay = np.exp(-1.0 / (FAST_S * sample_rate))
    mean = signal.lfilter([1 - decay], [1, -decay], squared)
    return np.asarray(10 * np.log10(np.maximum(mean, 1e-30) / REFERENCE_PA**2))


def LAFmax(pressure: Array, sample_rate: int) -> float:
    """The highest A-weighted Fast level, dB re 20 µPa."""
    return float(fast_level(pressure, sample_rate).max())
