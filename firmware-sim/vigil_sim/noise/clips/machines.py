"""Helicopters and chainsaws."""

from __future__ import annotations

import numpy as np

from vigil_sim.noise.clips.parts import (
    Array,
    Random,
    band,
    coloured,
    formants,
    lowpass,
    pulses,
    tone,
    unit,
    wander,
)


def helicopter(rng: Random, n: int, fs: int) -> Array:
    """Blades that slap 9 to 32 times a second, the tail rotor, a turbine, air; near or far."""
    t = np.arange(n) / fs
    blades = rng.uniform(9, 32) * (1 + 0.01 * wander(rng, n, fs, 1))
    phase = np.cumsum(blades) / fs + rng.random()
    sharp = rng.uniform(1, 12)
    slap = np.exp(sharp * (np.cos(2 * np.pi * phase) - 1))
    uneven = 1 + rng.uniform(0, 0.3) * rng.standard_normal(4)
    slap = slap * uneven[np.floor(phase).astype(int) % 4]
    air = band(
        coloured(rng, n, rng.uniform(0, 6)), fs, rng.uniform(40, 300), rng.uniform(600, 7000), 1
    )
    total = unit(air * (rng.uniform(0.02, 0.6) + slap))
    thump = np.gradient(slap) * fs
    total = total + unit(formants(rng, thump, fs, 25, 400, 3)) * rng.uniform(0.2, 2)
    tail = tone(rng, blades * rng.uniform(3.5, 6.5), fs, 12, rng.uniform(0.6, 1.6))
    total = total + tail * rng.uniform(0, 0.5)
    if rng.random() < 0.6:
        whine = tone(rng, np.full(n, rng.uniform(600, 5000)), fs, 2, 1)
        total = total + whine * rng.uniform(0, 0.3)
    swing = 10 ** (rng.uniform(-4, 4) * (t / t[-1] - 0.5) / 2)
    return unit(lowpass(total * swing, fs, rng.uniform(800, 9000), 1))


def chainsaw(rng: Random, n: int, fs: int) -> Array:
    """A two-stroke engine that idles, blips, runs free and cuts; its chain's noise."""
    idle, full = rng.uniform(35, 60), rng.uniform(110, 230)
    count = max(2, int(n / fs * rng.uniform(0.3, 3)) + 2)
    choice = rng.random()
    if choice < 0.4:
        knots = rng.uniform(0.75, 1.0, count)
    elif choice < 0.8:
        knots = rng.choice([0.0, 0.3, 0.8, 1.0], count)
    else:
        knots = rng.uniform(0.0, 0.15, count)
    throttle = np.interp(np.linspace(0, count - 1, n), np.arange(count), knots)
    frequency = idle + (full - idle) * throttle
    frequency = frequency * (1 + rng.uniform(0.002, 0.02) * wander(rng, n, fs, 20))
    raw = pulses(rng, frequency, fs, rng.uniform(0.005, 0.04))
    engine = formants(rng, raw, fs, 200, 6000, int(rng.integers(3, 8)))
    chain = band(rng.standard_normal(n), fs, rng.uniform(800, 2500), rng.uniform(5000, 15000), 1)
    chain = chain * (0.2 + np.abs(lowpass(np.abs(raw), fs, 400, 1)))
    gain = 0.15 + throttle ** rng.uniform(0.5, 1.5)
    return unit((unit(engine) + unit(chain) * rng.uniform(0.1, 1.2)) * gain)
