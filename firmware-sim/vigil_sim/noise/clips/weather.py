"""Rain and thunder."""

from __future__ import annotations

import numpy as np
from scipy import signal

from vigil_sim.noise.clips.parts import (
    Array,
    Random,
    band,
    coloured,
    lowpass,
    resonate,
    unit,
    wander,
)


def rain(rng: Random, n: int, fs: int) -> Array:
    """The hiss of many drops, near drops upon something, gutters; drizzle to cloudburst."""
    hiss = coloured(rng, n, rng.uniform(-2, 4))
    hiss = band(hiss, fs, rng.uniform(100, 1500), rng.uniform(3000, 16000), 1)
    total = unit(hiss) * (1 + rng.uniform(0, 0.2) * wander(rng, n, fs, rng.uniform(0.3, 3)))
    drops = np.zeros(n)
    rate = np.exp(rng.uniform(np.log(5), np.log(3000)))
    count = int(rng.poisson(rate * n / fs))
    drops[rng.integers(0, n, count)] += rng.exponential(1, count) ** rng.uniform(0.7, 2)
    splash = np.zeros(n)
    for _ in range(int(rng.integers(1, 5))):
        frequency = np.exp(rng.uniform(np.log(400), np.log(9000)))
        splash = splash + resonate(drops, fs, float(frequency), rng.uniform(0.7, 6))
    total = total * rng.uniform(0.1, 1) + unit(splash) * rng.uniform(0.05, 1.2)
    if rng.random() < 0.3:  # water that runs
        run = band(rng.standard_normal(n), fs, 300, rng.uniform(900, 3000), 1)
        total = total + unit(run * (1 + 0.5 * wander(rng, n, fs, 12))) * rng.uniform(0.1, 0.7)
    return unit(total)


def thunder(rng: Random, n: int, fs: int) -> Array:
    """A crack or only the rumble, many arrivals one over another; often with rain."""
    t = np.arange(n) / fs
    begin = rng.uniform(-0.3, 0.6) * t[-1]
    envelope = np.zeros(n)
    spread = rng.uniform(0.3, 3)
    for _ in range(int(rng.integers(3, 25))):
        at = begin + rng.exponential(spread)
        size, fall = rng.exponential(1), rng.uniform(0.1, 1.5)
        rise = rng.uniform(0.01, 0.4)
        past = np.clip(t - at, 0, None)
        envelope += size * np.clip(past / rise, 0, 1) * np.exp(-past / fall) * (t > at)
    rumble = lowpass(coloured(rng, n, rng.uniform(3, 9)), fs, rng.uniform(60, 500), 1)
    total = unit(rumble) * (envelope + 0.02)
    if rng.random() < 0.5:
        at = int(np.clip(begin, 0, 0.8 * t[-1]) * fs)
        crack = np.zeros(n)
        count = int(rng.integers(3, 40))
        where = at + (rng.exponential(0.15, count) * fs).astype(int)
        crack[where[where < n]] = rng.standard_normal(int((where < n).sum()))
        kernel = coloured(rng, fs // 4, 2) * np.exp(
            -np.arange(fs // 4) / fs / rng.uniform(0.01, 0.1)
        )
        crack = signal.fftconvolve(crack, kernel)[:n]
        total = unit(total) + unit(crack) * rng.uniform(0.2, 2)
    if rng.random() < 0.6:
        total = unit(total) + rain(rng, n, fs) * 10 ** (-rng.uniform(3, 30) / 20)
    return unit(total)
