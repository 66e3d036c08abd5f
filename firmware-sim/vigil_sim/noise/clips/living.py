"""Dogs and people."""

from __future__ import annotations

import numpy as np

from vigil_sim.noise.clips.parts import Array, Random, band, burst, formants, tone, unit, wander


def dog(rng: Random, n: int, fs: int) -> Array:
    """One to twelve barks of one dog, or two; yaps, woofs, growls and howls."""
    total = np.zeros(n)
    for _ in range(1 if rng.random() < 0.8 else 2):
        base = np.exp(rng.uniform(np.log(180), np.log(1100)))
        at = rng.uniform(0, 0.5) * n / fs
        howls = rng.random() < 0.12
        gap = rng.uniform(0.1, 1.2)
        rough, breath = rng.uniform(0, 0.5), rng.uniform(0.05, 1.0)
        for _ in range(int(rng.integers(1, 13))):
            length = rng.uniform(0.5, 2) if howls else rng.uniform(0.04, 0.3)
            total += _bark(rng, n, fs, at, length, (base * rng.uniform(0.9, 1.1), rough, breath))
            at += length + gap * rng.uniform(0.6, 1.5)
            if at > n / fs:
                break
    if rng.random() < 0.15:
        growl = band(rng.standard_normal(n), fs, 80, 900, 1)
        growl = unit(growl * (1 + np.sign(wander(rng, n, fs, 60))))
        total = unit(total) + growl * rng.uniform(0.05, 0.4)
    return unit(total)


def _bark(
    rng: Random, n: int, fs: int, at: float, length: float, sound: tuple[float, float, float]
) -> Array:
    base, rough, breath = sound
    first, count = int(at * fs), int((length + 0.2) * fs)
    count = min(count, n - first)
    total = np.zeros(n)
    if count < fs // 50:
        return total
    x = np.arange(count) / fs / length
    rise = rng.uniform(0.15, 0.6)
    course = base * (1 + rise * np.exp(-((x - rng.uniform(0.2, 0.5)) ** 2) / 0.08))
    course = course * (1 + 0.03 * rough * rng.standard_normal(count).cumsum() / np.sqrt(count))
    voice = tone(rng, course, fs, 15, rng.uniform(0.3, 1.4), 0.5)
    noise = band(rng.standard_normal(count), fs, 300, rng.uniform(2500, 8000), 1)
    mixed = formants(rng, voice + breath * unit(noise), fs, 400, 4000, 3)
    shape = burst(count, fs, 0.0, length * 0.6, rng.uniform(0.005, 0.04), length * 0.25)
    total[first : first + count] = mixed * shape * rng.uniform(0.6, 1)
    return total


def voices(rng: Random, n: int, fs: int) -> Array:
    """One speaker to a crowd, talking, calling, laughing or crying."""
    total = np.zeros(n)
    speakers = int(rng.choice([1, 1, 1, 2, 3, 8]))
    for _ in range(speakers):
        total = total + _speaker(rng, n, fs) * rng.uniform(0.3, 1)
    return unit(total)


def _speaker(rng: Random, n: int, fs: int) -> Array:
    base = np.exp(rng.uniform(np.log(85), np.log(450)))
    lively = rng.uniform(0.05, 0.3)
    pitch = base * np.exp(lively * wander(rng, n, fs, rng.uniform(2, 6)))
    voice = tone(rng, pitch, fs, 40, rng.uniform(0.5, 1.3), 0.2)
    hiss = unit(band(rng.standard_normal(n), fs, 2500, 9000, 1))
    total = np.zeros(n)
    at = rng.uniform(0, 0.5)
    pace = rng.uniform(0.1, 0.35) if rng.random() < 0.8 else rng.uniform(0.3, 1.5)
    while at < n / fs:
        length = pace * rng.uniform(0.6, 1.6)
        first, last = int(at * fs), min(n, int((at + length + 0.1) * fs))
        if last - first > fs // 50:
            shape = burst(last - first, fs, 0, length * 0.7, rng.uniform(0.01, 0.06), 0.04)
            part = voice[first:last]
            vowel = formants(rng, part, fs, 280, 3500, 3)
            total[first:last] += vowel * shape * rng.uniform(0.3, 1)
            if rng.random() < 0.4:
                total[first:last] += hiss[first:last] * shape[::-1] * rng.uniform(0.05, 0.5)
        at += length + (rng.uniform(0, 0.06) if rng.random() < 0.8 else rng.uniform(0.2, 1.0))
    return total
