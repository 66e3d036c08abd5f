"""What is in no other class, and no vehicle: fire, hammering, birds, insects, bells, wind."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import signal

from vigil_sim.noise.clips.parts import (
    Array,
    Random,
    band,
    burst,
    coloured,
    formants,
    lowpass,
    tone,
    unit,
    wander,
)


def other(rng: Random, n: int, fs: int) -> Array:
    """Any of them."""
    kinds: tuple[Callable[[Random, int, int], Array], ...] = (
        _crackle,
        _crackle,
        _knocks,
        _birds,
        _insects,
        _bells,
        _beeps,
        _gusts,
    )
    return unit(kinds[int(rng.integers(len(kinds)))](rng, n, fs))


def _crackle(rng: Random, n: int, fs: int) -> Array:
    """Fire, gravel, paper, fireworks far away: separate short cracks upon a faint roar."""
    x = np.zeros(n)
    count = 1 + int(rng.poisson(np.exp(rng.uniform(np.log(2), np.log(120))) * n / fs))
    x[rng.integers(0, n, count)] = rng.standard_normal(count) * rng.exponential(1, count)
    length = int(0.03 * fs)
    kernel = rng.standard_normal(length) * np.exp(
        -np.arange(length) / fs / np.exp(rng.uniform(np.log(3e-4), np.log(6e-3)))
    )
    cracks = band(signal.fftconvolve(x, kernel)[:n], fs, rng.uniform(100, 1500), 10000, 1)
    roar = lowpass(coloured(rng, n, rng.uniform(2, 6)), fs, rng.uniform(200, 4000), 1)
    roar = unit(roar * np.exp(0.3 * wander(rng, n, fs, 5)))
    return unit(cracks) + roar * rng.uniform(0.01, 0.8)


def _knocks(rng: Random, n: int, fs: int) -> Array:
    """Hammering, steps, doors, hands that clap."""
    total = np.zeros(n)
    at, gap = rng.random(), np.exp(rng.uniform(np.log(0.1), np.log(1.5)))
    fall = np.exp(rng.uniform(np.log(0.005), np.log(0.2)))
    low = rng.uniform(60, 1500)
    while at < n / fs:
        noise = band(rng.standard_normal(fs // 2), fs, low, low * rng.uniform(2, 8), 1)
        first = int(at * fs)
        hit = unit(noise)[: n - first] * np.exp(-np.arange(min(fs // 2, n - first)) / fs / fall)
        total[first : first + len(hit)] += hit * rng.uniform(0.5, 1)
        at += gap * rng.uniform(0.8, 1.3)
    return total


def _birds(rng: Random, n: int, fs: int) -> Array:
    total = 0.02 * coloured(rng, n, 3)
    at = rng.random()
    while at < n / fs:
        length = rng.uniform(0.03, 0.6)
        base = np.exp(rng.uniform(np.log(600), np.log(7000)))
        course = base * np.exp(rng.uniform(0, 0.3) * wander(rng, n, fs, 15))
        total += tone(rng, course, fs, 3, 2) * burst(n, fs, at, length, 0.01, 0.03)
        at += length + rng.uniform(0.02, 1)
    return total


def _insects(rng: Random, n: int, fs: int) -> Array:
    t = np.arange(n) / fs
    low = rng.uniform(2500, 6500)
    song = band(rng.standard_normal(n), fs, low, low * rng.uniform(1.05, 1.5), 2)
    trill = 1 + np.sign(np.sin(2 * np.pi * rng.uniform(5, 90) * t) + rng.uniform(-0.5, 0.5))
    return unit(song * (trill + 0.1)) + 0.05 * coloured(rng, n, 4)


def _bells(rng: Random, n: int, fs: int) -> Array:
    t = np.arange(n) / fs
    total = np.zeros(n)
    at, base = rng.random(), rng.uniform(200, 2500)
    while at < n / fs:
        for ratio in (0.5, 1.0, 1.19, 1.5, 2.0, 2.74, 3.76):
            ring = np.sin(2 * np.pi * base * ratio * t) * rng.uniform(0.1, 1)
            total += ring * burst(n, fs, at, 0.0, 0.002, rng.uniform(0.2, 2) / ratio)
        at += rng.uniform(0.3, 3)
    return total


def _beeps(rng: Random, n: int, fs: int) -> Array:
    t = np.arange(n) / fs
    frequency = np.full(n, rng.uniform(700, 4000))
    on = ((t / rng.uniform(0.1, 1.2)) % 1 < rng.uniform(0.2, 0.8)).astype(float)
    return tone(rng, frequency, fs, 5, 1.2) * lowpass(on, fs, 100, 1)


def _gusts(rng: Random, n: int, fs: int) -> Array:
    """Wind upon the microphone and in trees."""
    blow = np.exp(rng.uniform(0.3, 1.2) * wander(rng, n, fs, rng.uniform(0.5, 8)))
    low = lowpass(coloured(rng, n, rng.uniform(6, 10)), fs, rng.uniform(40, 250), 1)
    leaves = band(rng.standard_normal(n), fs, 1000, rng.uniform(4000, 9000), 1)
    howl = formants(rng, rng.standard_normal(n), fs, 200, 900, 2)
    total = unit(low) * blow + unit(leaves) * blow * rng.uniform(0, 0.5)
    return total + howl * blow * rng.uniform(0, 0.3)
