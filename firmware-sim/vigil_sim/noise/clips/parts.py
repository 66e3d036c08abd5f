"""What sounds are put together from: noise of a shape, pulses, harmonics, envelopes.

All are arrays (n,) at a sampling rate ``fs`` in Hz; levels are arbitrary.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import signal

Array = NDArray[np.float64]
Random = np.random.Generator


def unit(x: Array) -> Array:
    """Root mean square 1."""
    return np.asarray(x / (np.sqrt(np.mean(x**2)) + 1e-12))


def coloured(rng: Random, n: int, slope_db: float) -> Array:
    """Noise whose spectrum falls by ``slope_db`` an octave (3: pink, 6: brown)."""
    spectrum = np.fft.rfft(rng.standard_normal(n))
    index = np.maximum(np.arange(spectrum.size), 3 + n // 4000)
    return unit(np.fft.irfft(spectrum * index ** (-slope_db / 6.02), n))


def band(x: Array, fs: int, low: float, high: float, order: int = 2) -> Array:
    """Between two frequencies; what lies outside the rate's band is left out."""
    high = min(high, 0.47 * fs)
    low = min(low, high * 0.7)
    sos = signal.butter(order, [low, high], "bandpass", fs=fs, output="sos")
    return np.asarray(signal.sosfilt(sos, x))


def lowpass(x: Array, fs: int, high: float, order: int = 2) -> Array:
    """Below a frequency."""
    if high >= 0.47 * fs:
        return x
    return np.asarray(signal.sosfilt(signal.butter(order, high, fs=fs, output="sos"), x))


def resonate(x: Array, fs: int, frequency: float, q: float) -> Array:
    """One resonance, gain 1 at its peak."""
    if frequency >= 0.47 * fs:
        return np.zeros_like(x)
    q = max(q, frequency / (0.35 * fs))  # wider than the rate's band it would be unstable
    b, a = signal.iirpeak(frequency, q, fs=fs)
    return np.asarray(signal.lfilter(b, a, x))


def formants(rng: Random, x: Array, fs: int, low: float, high: float, count: int) -> Array:
    """Random resonances between two frequencies, upon a share of the sound itself."""
    total = rng.uniform(0.05, 0.4) * unit(x)
    for frequency in np.exp(rng.uniform(np.log(low), np.log(high), count)):
        total = total + unit(resonate(x, fs, float(frequency), rng.uniform(1.5, 10))) * rng.uniform(
            0.2, 1
        )
    return unit(total)


def wander(rng: Random, n: int, fs: int, per_second: float) -> Array:
    """A slow random course of about unit size."""
    count = max(4, int(n / fs * per_second) + 4)
    knots = rng.standard_normal(count)
    return np.asarray(np.interp(np.linspace(0, count - 1, n), np.arange(count), knots))


def harmonics(phase: Array, frequency: Array, fs: int, amplitudes: Array) -> Array:
    """Sum of the multiples of a phase in cycles; those beyond the rate's band are left out."""
    total = np.zeros_like(phase)
    for order, amplitude in enumerate(amplitudes, 1):
        if order * float(frequency.min()) > 0.45 * fs:
            break
        part = amplitude * np.cos(2 * np.pi * order * phase + 1.7 * order * order)
        total += np.where(order * frequency < 0.45 * fs, part, 0.0)
    return total


def tone(
    rng: Random, frequency: Array, fs: int, orders: int, slope: float, ragged: float = 0.5
) -> Array:
    """A voice of harmonics that fall as order^-slope, each a little different."""
    phase = np.cumsum(frequency) / fs + rng.random()
    order = np.arange(1.0, orders + 1.0)
    amplitude = order**-slope * np.exp(ragged * rng.standard_normal(orders))
    return unit(harmonics(phase, frequency, fs, amplitude))


def pulses(rng: Random, frequency: Array, fs: int, jitter: float, cylinders: int = 1) -> Array:
    """Firing pulses, band-limited by a short kernel; cylinders differ, and each firing does."""
    cycles = np.cumsum(frequency) / fs + rng.random()
    fired = np.flatnonzero(np.diff(np.floor(cycles)) > 0)
    fired = np.clip(
        fired + (jitter * fs / frequency[fired] * rng.standard_normal(fired.size)).astype(int),
        0,
        len(frequency) - 1,
    )
    strengths = 1 + 0.4 * jitter * 10 * rng.standard_normal(fired.size)
    uneven = 1 + rng.uniform(0, 0.4) * rng.standard_normal(cylinders)
    x = np.zeros(len(frequency))
    x[fired] = strengths * uneven[np.arange(fired.size) % cylinders]
    t = np.arange(int(0.02 * fs)) / fs
    fast = rng.uniform(0.0002, 0.0025)
    return unit(signal.fftconvolve(x, np.exp(-t / fast) - 0.3 * np.exp(-t / (3 * fast)))[: len(x)])


def burst(n: int, fs: int, begin: float, length: float, rise: float, fall: float) -> Array:
    """An envelope of 0 to 1: rises, stays, falls; seconds."""
    t = np.arange(n) / fs - begin
    up = np.clip(t / max(rise, 1e-3), 0, 1)
    down = np.exp(-np.clip(t - length, 0, None) / max(fall, 1e-3))
    return np.asarray(up * down * (t > 0))


def moved(rng: Random, x: Array, fs: int, peak_s: float, speed: float, beside_m: float) -> Array:
    """The sound of a source on a straight way: delay, Doppler and 1/r (343 m/s)."""
    n = len(x)
    t = np.arange(n) / fs
    along = speed * (t - peak_s) * (1 if rng.random() < 0.5 else -1)
    distance = np.sqrt(along**2 + beside_m**2)
    emitted = t - (distance - beside_m) / 343.0
    heard = np.interp(emitted, t, x, left=0.0, right=0.0)
    begin = emitted < 0
    if begin.any():  # sound before the recording's own beginning: go on with a mirror of it
        heard[begin] = np.interp(-emitted[begin], t, x)
    return np.asarray(heard * (beside_m / distance))
