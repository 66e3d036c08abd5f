"""Music: chords, melody, bass and drums in random proportions."""

from __future__ import annotations

import numpy as np

from vigil_sim.noise.clips.parts import Array, Random, band, tone, unit


def music(rng: Random, n: int, fs: int) -> Array:
    """A few bars of something with a beat, or of one instrument alone."""
    beat = 60 / rng.uniform(60, 170)
    root = rng.uniform(45, 90)
    scale = root * 2 ** (np.array([0, 2, 4, 5, 7, 9, 11, 12, 14, 16]) / 12)
    parts: list[tuple[Array, float]] = []
    if rng.random() < 0.8:
        parts.append((_notes(rng, n, fs, scale * 4, beat / rng.choice([1, 2, 4])), 1.0))
    if rng.random() < 0.6:
        chords = sum(_notes(rng, n, fs, scale * 2, beat * 4) for _ in range(3))
        parts.append((np.asarray(chords), rng.uniform(0.3, 1)))
    if rng.random() < 0.5:
        parts.append((_notes(rng, n, fs, scale, beat), rng.uniform(0.3, 1)))
    if rng.random() < 0.6:
        parts.append((_drums(rng, n, fs, beat), rng.uniform(0.3, 1.2)))
    if not parts:
        parts.append((_notes(rng, n, fs, scale * 4, beat), 1.0))
    return unit(np.asarray(sum(unit(part) * gain for part, gain in parts)))


def _notes(rng: Random, n: int, fs: int, scale: Array, step: float) -> Array:
    total = np.zeros(n)
    slope, orders = rng.uniform(0.5, 2.2), int(rng.integers(2, 20))
    fall, rise = rng.uniform(0.1, 2), rng.uniform(0.003, 0.08)
    vibrato = rng.uniform(0, 0.01)
    at = -rng.random() * step
    while at < n / fs:
        length = step * rng.choice([1, 1, 2])
        first, last = max(0, int(at * fs)), min(n, int((at + length) * fs))
        if last - first > fs // 100 and rng.random() < 0.9:
            t = np.arange(last - first) / fs
            course = rng.choice(scale) * (1 + vibrato * np.sin(2 * np.pi * 5.5 * t))
            note = tone(rng, course, fs, orders, slope, 0.1)
            total[first:last] += note * np.exp(-t / fall) * np.clip(t / rise, 0, 1)
        at += length
    return total


def _drums(rng: Random, n: int, fs: int, beat: float) -> Array:
    total = np.zeros(n)
    t = np.arange(int(0.35 * fs)) / fs
    kick = np.sin(2 * np.pi * 50 * t + 6 * (1 - np.exp(-t / 0.03))) * np.exp(-t / 0.1)
    snare = band(rng.standard_normal(t.size), fs, 300, 8000, 1) * np.exp(-t / 0.07)
    hat = band(rng.standard_normal(t.size), fs, 5000, 10000, 1) * np.exp(-t / 0.03)
    at, count = rng.random() * beat, 0
    while at < n / fs:
        for hit, every, gain in ((kick, 4, 1.0), (snare, 4, 0.7), (hat, 1, 0.4)):
            if (count + (2 if hit is snare else 0)) % every == 0:
                first = int(at * fs)
                part = hit[: n - first]
                total[first : first + len(part)] += unit(hit)[: len(part)] * gain
        at += beat / 2
        count += 1
    return total
