"""Level over time: modulation, how a pass-by fits, and impulses."""

from __future__ import annotations

import itertools
from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy import fft

Array = NDArray[np.float64]

_CARRIERS_HZ: Final = ((50, 250), (250, 1000), (1000, 4000), (4000, 10_000))
_MODULATION_HZ: Final = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 130.0)
_WIDTHS_S: Final = (0.15, 0.25, 0.4, 0.65, 1.0, 1.6, 2.5)


def power_of(frames: Array, length: int | None = None) -> Array:
    """Of each frame, along the last axis: the squared magnitude of its transform."""
    spectrum = fft.rfft(frames, length)
    return np.asarray(spectrum.real**2 + spectrum.imag**2)


def modulation(sound: Array, rate_hz: int) -> Array:
    """Depth of modulation per octave from 1 to 130 Hz in four carriers, and its strongest line.

    A helicopter's blades, syllables, an engine's firing and drops of rain differ in it.
    """
    size, hop = 256, 64
    frames = sliding_window_view(sound, size)[::hop] * np.hanning(size)
    power = power_of(frames)
    frequency = np.fft.rfftfreq(size, 1 / rate_hz)
    frame_hz = rate_hz / hop
    found: list[float] = []
    for low, high in _CARRIERS_HZ:
        envelope = np.sqrt(power[:, (frequency >= low) & (frequency < high)].sum(axis=1))
        smooth = _smoothed(envelope, round(0.5 * frame_hz))
        relative = envelope / (smooth + 0.02 * float(envelope.mean()) + 1e-9) - 1.0
        at, density = _density(relative, frame_hz)
        for begin, end in itertools.pairwise(_MODULATION_HZ):
            part = density[(at >= begin) & (at < end)]
            found.append(10 * np.log10(float(part.sum()) + 1e-5))
        zone = (at >= 7) & (at < 60)
        lines, middle = density[zone], float(np.median(density[zone]))
        found.append(10 * np.log10((float(lines.max()) + 1e-9) / (middle + 1e-9)))
        found.append(np.log2(float(at[zone][lines.argmax()])))
    return np.array(found)


def _density(signal: Array, frame_hz: float) -> tuple[Array, Array]:
    size = min(512, len(signal))
    frames = sliding_window_view(signal, size)[:: max(1, size // 2)] * np.hanning(size)
    density = power_of(frames, 512).mean(axis=0) / size**2 * 4
    at = np.asarray(np.fft.rfftfreq(512, 1 / frame_hz), np.float64)
    return at, np.asarray(density, np.float64)


def passing(level: Array, frame_hz: float) -> Array:
    """How well 1/(1 + (t/w)²), a source on a straight way, fits the level (dB, per frame)."""
    width = max(1, round(0.125 * frame_hz))
    count = max(4, len(level) // width)
    power = 10 ** (level / 10)
    steps = np.array([part.mean() for part in np.array_split(power, count)])
    track = 10 * np.log10(steps)
    track = np.maximum(track - track.max(), -50.0)
    t = np.arange(count) * 0.125
    best = (1e9, 0.0, 0.0, 0.0)
    for w in _WIDTHS_S:
        shapes = -10 * np.log10(1 + ((t[None, :] - t[:, None]) / w) ** 2)
        residual = track[None, :] - shapes
        error = residual.std(axis=1)
        at = int(error.argmin())
        if error[at] < best[0]:
            best = (float(error[at]), np.log2(w), at / count, float(np.ptp(shapes[at])))
    slow = 10 * np.log10(_smoothed(steps, min(8, count)))
    peak = int(slow.argmax())
    before, after = track[:peak], track[peak + 1 :]
    return np.array(
        [
            *np.percentile(track, [5, 25, 50, 75, 95]),
            min(best[0], 20.0),
            *best[1:],
            (track - np.maximum(slow - slow.max(), -50)).std(),
            float(np.mean(np.diff(before) > -0.5)) if len(before) > 1 else 0.5,
            float(np.mean(np.diff(after) < 0.5)) if len(after) > 1 else 0.5,
            np.abs(np.diff(track)).mean(),
            np.abs(np.diff(track)).max(),
            float((track < -40).mean()),
        ]
    )


def impulses(sound: Array, rate_hz: int) -> Array:
    """Kurtosis and crest of the whole and of its treble: crackle, drops, hammering."""
    treble = np.diff(sound, 2)
    found: list[float] = []
    for part in (sound, treble):
        power = part**2
        found.append(np.log(float(np.mean(power**2)) / (float(np.mean(power)) ** 2 + 1e-12) + 1e-3))
        frames = power[: len(power) // 128 * 128].reshape(-1, 128)
        crest = frames.max(axis=1) / (frames.mean(axis=1) + 1e-12)
        found += list(np.percentile(np.log(crest + 1e-3), [50, 95]))
        second = power[: len(power) // (rate_hz // 20) * (rate_hz // 20)]
        short = np.log(second.reshape(-1, rate_hz // 20).mean(axis=1) + 1e-9)
        found.append(float(short.std()))
    return np.array(found)


def _smoothed(values: Array, width: int) -> Array:
    """A moving mean that shortens at both ends."""
    width = max(1, min(width, len(values)))
    kernel = np.ones(width)
    return np.convolve(values, kernel, "same") / np.convolve(np.ones(len(values)), kernel, "same")
