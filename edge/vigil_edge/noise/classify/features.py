"""What a few seconds of sound are like: figures of physics, independent of their level.

Everything is computed at 22,050 Hz, up to 10 kHz: spectrum and its change, level over time
and how well a pass-by fits it, pitch and tones and their glide, modulation of the envelope
from 1 to 130 Hz. Steps that need two modules live in ``envelope``.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy import fft

from vigil_edge.noise.classify import envelope

Array = NDArray[np.float64]

RATE_HZ: Final = 22_050
SHORTEST_S: Final = 0.5
_FLOOR: Final = 1e-7
"""70 dB under the loudest frame: what lies below is silence."""
_FRAME: Final = 1024
_HOP: Final = 256
_THIRDS_HZ: Final = 50.0 * 2 ** (np.arange(24) / 3)
_OCTAVES_HZ: Final = 62.5 * 2.0 ** np.arange(8)


def features(samples: Array) -> Array:
    """One vector of a stretch of sound, (n,) at 22,050 Hz, of half a second at least.

    Raises ``ValueError`` for less, and for silence.
    """
    if len(samples) < SHORTEST_S * RATE_HZ:
        raise ValueError("shorter than half a second")
    sound = samples - samples.mean()
    size = float(np.sqrt(np.mean(sound**2)))
    if size < 1e-9:
        raise ValueError("silent")
    sound = sound / size
    power = spectrogram(sound, _FRAME, _HOP)
    bands = power @ _third_octaves(_FRAME)
    bands = 10 * np.log10(bands + _FLOOR * float(bands.sum(axis=1).max()))
    level = 10 * np.log10(power.sum(axis=1) + _FLOOR * float(power.sum(axis=1).max()))
    return np.concatenate(
        [
            _spectrum(power, bands, level),
            _changes(bands, level),
            _tones(sound),
            _pitch(sound, 93, 80.0, 1000.0),
            _pitch(sound, 372, 12.0, 110.0),
            envelope.modulation(sound, RATE_HZ),
            envelope.passing(level, RATE_HZ / _HOP),
            envelope.impulses(sound, RATE_HZ),
        ]
    )


def spectrogram(sound: Array, size: int, hop: int) -> Array:
    """Power, (frames, size // 2 + 1), through a Hann window; at least one frame."""
    if len(sound) < size:
        sound = np.pad(sound, (0, size - len(sound)))
    frames = sliding_window_view(sound, size)[::hop] * np.hanning(size)
    return np.asarray(envelope.power_of(frames))


def _third_octaves(size: int) -> Array:
    """Weights (bins, 24): each bin's share of each third of an octave, 50 Hz to 10 kHz."""
    frequency = np.fft.rfftfreq(size, 1 / RATE_HZ)
    step = frequency[1]
    low, high = _THIRDS_HZ * 2 ** (-1 / 6), _THIRDS_HZ * 2 ** (1 / 6)
    left = np.maximum(frequency[:, None] - step / 2, low)
    right = np.minimum(frequency[:, None] + step / 2, high)
    return np.asarray(np.clip((right - left) / step, 0.0, 1.0))


def _spectrum(power: Array, bands: Array, level: Array) -> Array:
    """Its shape on the whole, how it differs between loud and quiet, and how steady it is."""
    mean = 10 * np.log10(np.mean(10 ** (bands / 10), axis=0))
    mean -= 10 * np.log10(np.sum(10 ** (mean / 10)))
    order = np.argsort(level)
    share = max(1, len(order) // 5)
    octaves = bands.reshape(len(bands), 8, 3).mean(axis=2)
    rise = octaves[order[-share:]].mean(axis=0) - octaves[order[:share]].mean(axis=0)
    frequency = np.fft.rfftfreq(_FRAME, 1 / RATE_HZ)
    weight = power * (frequency > 40)
    centroid = np.log2((weight @ frequency + 1e-9) / (weight.sum(axis=1) + 1e-9) + 1.0)
    loud = order[-max(2, len(order) // 2) :]
    bright = float(np.corrcoef(centroid, level)[0, 1]) if level.std() > 0.1 else 0.0
    if not np.isfinite(bright):
        bright = 0.0
    return np.concatenate(
        [
            np.maximum(mean, -60.0),
            rise,
            octaves.std(axis=0),
            [centroid[loud].mean(), centroid[loud].std(), bright],
        ]
    )


def _changes(bands: Array, level: Array) -> Array:
    """Attacks, decays and the change from frame to frame."""
    step = 2
    change = level[step:] - level[:-step] if len(level) > step + 1 else np.zeros(1)
    high = bands[:, 16:].mean(axis=1)
    high_change = high[step:] - high[:-step] if len(high) > step + 1 else np.zeros(1)
    seconds = len(level) * _HOP / RATE_HZ
    flux = np.abs(np.diff(bands, axis=0)) if len(bands) > 1 else np.zeros((1, 24))
    begins = (change[1:] > 6.0) & (change[:-1] <= 6.0)
    return np.array(
        [
            *np.percentile(change, [1, 10, 90, 99]),
            *np.percentile(high_change, [1, 99]),
            np.log1p(float(begins.sum()) / seconds),
            flux[:, :8].mean(),
            flux[:, 8:16].mean(),
            flux[:, 16:].mean(),
        ]
    )


def _tones(sound: Array) -> Array:
    """How far single lines stand out, where, and how they move."""
    power = spectrogram(sound, 4096, 1024) + 1e-12
    frequency = np.fft.rfftfreq(4096, 1 / RATE_HZ)
    total = power.sum(axis=1)
    loud = total >= np.percentile(total, 40)
    flat = []
    for low in _OCTAVES_HZ[:7]:
        part = power[loud][:, (frequency >= low) & (frequency < 2 * low)]
        flat.append(np.median(np.log(part).mean(axis=1) - np.log(part.mean(axis=1))))
    band = (frequency >= 200) & (frequency < 5000)
    part, where = power[:, band], frequency[band]
    strongest = part.argmax(axis=1)
    prominence = 10 * np.log10(part.max(axis=1) / np.median(part, axis=1))
    line = np.log2(where[strongest])
    share = part.max(axis=1) * 3 / part.sum(axis=1)
    tonal = loud & (prominence > 20)
    glide = np.abs(np.diff(line))[tonal[1:] & tonal[:-1]]
    steady = float((glide < 0.03).mean()) if len(glide) else 0.0
    gliding = float(((glide >= 0.03) & (glide < 0.35)).mean()) if len(glide) else 0.0
    middle = line[tonal] if tonal.any() else line
    return np.array(
        [
            *flat,
            *np.percentile(prominence[loud], [10, 50, 90]),
            *np.percentile(share[loud], [50, 90]),
            tonal.sum() / loud.sum(),
            np.median(middle),
            np.percentile(middle, 90) - np.percentile(middle, 10),
            steady,
            gliding,
        ]
    )


def _pitch(sound: Array, milliseconds: int, low: float, high: float) -> Array:
    """Periodicity between two frequencies: the peak of the normalised autocorrelation."""
    size = round(milliseconds * RATE_HZ / 1000)
    first, last = int(RATE_HZ / high), min(int(RATE_HZ / low), size * 2 // 3)
    if len(sound) < size:
        sound = np.pad(sound, (0, size - len(sound)))
    frames = sliding_window_view(sound, size)[:: size // 2] * np.hanning(size)
    power = np.sum(frames**2, axis=1)
    frames = frames[power >= np.percentile(power, 40)]
    # Circular: long enough that no lag that is looked at is met by one from the other end.
    length = fft.next_fast_len(size + last, real=True)
    window = fft.irfft(envelope.power_of(np.hanning(size), length), length)[:last]
    correlation = fft.irfft(envelope.power_of(frames, length), length, axis=1)[:, :last]
    correlation = correlation / (correlation[:, :1] + 1e-12) * (window[0] / (window + 1e-9))
    part = correlation[:, first:]
    peak = part.max(axis=1)
    where = np.log2(RATE_HZ / (first + part.argmax(axis=1)))
    dip = part.max(axis=1) - part.min(axis=1)
    sure = where[peak >= np.percentile(peak, 50)]
    return np.array(
        [
            *np.percentile(np.clip(peak, -1, 1.5), [10, 50, 90]),
            np.median(np.clip(dip, 0, 3)),
            (peak > 0.6).mean(),
            np.median(sure),
            np.percentile(sure, 80) - np.percentile(sure, 20),
            np.median(np.abs(np.diff(where))) if len(where) > 1 else 0.0,
        ]
    )
