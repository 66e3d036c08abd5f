"""Vehicles that pass, wait, set off and queue: engines, tyres, and the way they take."""

from __future__ import annotations

import numpy as np

from vigil_sim.noise.clips.parts import (
    Array,
    Random,
    band,
    coloured,
    formants,
    lowpass,
    moved,
    pulses,
    unit,
    wander,
)


def vehicle(rng: Random, n: int, fs: int) -> Array:
    """One or two vehicles of any kind; mostly a pass-by, sometimes waiting or setting off."""
    seconds = n / fs
    total = np.zeros(n)
    for each in range(1 if rng.random() < 0.75 else 2):
        source = _source(rng, n, fs)
        peak = rng.uniform(0.1, 0.9) * seconds
        speed = rng.uniform(4, 28)
        beside = rng.uniform(2.5, 15)
        kind = rng.random()
        if kind < 0.82:
            heard = moved(rng, source, fs, peak, speed, beside)
        elif kind < 0.92:  # sets off, or comes and stops
            t = np.arange(n) / fs
            way = 0.5 * rng.uniform(0.8, 3) * np.clip(t - rng.uniform(0, 0.4) * seconds, 0, None)
            way = way * np.clip(t, 0, None) if rng.random() < 0.5 else (way * t)[::-1]
            heard = source * beside / np.sqrt(way**2 + beside**2)
        else:  # waits with its engine running
            heard = source
        total += unit(heard) * (1 if each == 0 else rng.uniform(0.2, 1))
    return unit(total)


def traffic(rng: Random, n: int, fs: int) -> Array:
    """A busy road: many vehicles at once, none of them near."""
    total = unit(lowpass(coloured(rng, n, rng.uniform(2, 6)), fs, rng.uniform(500, 4000), 1))
    for _ in range(int(rng.integers(2, 6))):
        one = moved(
            rng,
            _source(rng, n, fs),
            fs,
            rng.uniform(-0.3, 1.3) * n / fs,
            rng.uniform(5, 20),
            rng.uniform(8, 40),
        )
        total = total + unit(one) * rng.uniform(0.2, 1.2)
    return unit(total)


def _source(rng: Random, n: int, fs: int) -> Array:
    kind = rng.choice(["car", "sport", "diesel", "scooter", "motorcycle", "electric"])
    t = np.arange(n) / fs
    if kind == "electric":
        return _tyres(rng, n, fs)
    firing = {
        "car": (25, 110),
        "sport": (60, 260),
        "diesel": (18, 80),
        "scooter": (22, 85),
        "motorcycle": (35, 220),
    }[str(kind)]
    low = np.exp(rng.uniform(np.log(firing[0]), np.log(firing[1])))
    course = rng.random()
    if course < 0.45:
        frequency = np.full(n, low)
    elif course < 0.8:  # accelerates or slows down
        end = low * rng.uniform(0.6, 1.9)
        frequency = low + (end - low) / (1 + np.exp(-(t - t[-1] / 2) / rng.uniform(0.3, 2)))
    else:  # changes gear once or twice
        ramp = (t / t[-1] * rng.integers(1, 4) + rng.random()) % 1.0
        frequency = lowpass(low * (1 + rng.uniform(0.2, 0.8) * ramp), fs, 4, 1)
        frequency = np.maximum(frequency, 0.5 * low)
    frequency = frequency * (1 + 0.01 * wander(rng, n, fs, 3))
    cylinders = {"scooter": 1, "motorcycle": int(rng.integers(1, 5))}.get(str(kind), 4)
    raw = pulses(rng, frequency, fs, rng.uniform(0.003, 0.03), cylinders)
    exhaust = formants(rng, raw, fs, 60, rng.choice([600, 1200, 3000]), int(rng.integers(2, 6)))
    gas = band(rng.standard_normal(n), fs, rng.uniform(300, 900), rng.uniform(2000, 7000), 1)
    gas = unit(gas * (0.3 + np.abs(lowpass(np.abs(raw), fs, 300, 1))))
    loud = {"car": 0.5, "sport": 2.0, "diesel": 1.2, "scooter": 1.5, "motorcycle": 2.0}[str(kind)]
    engine = exhaust + gas * rng.uniform(0.05, 0.6)
    engine = lowpass(engine, fs, rng.uniform(1500, 9000), 1)
    tyres = _tyres(rng, n, fs) * rng.uniform(0.1, 1.2)
    return unit(unit(engine) * loud * rng.uniform(0.3, 1.5) + tyres)


def _tyres(rng: Random, n: int, fs: int) -> Array:
    """Noise about 1 kHz, on wet roads with hiss above it, and air about the body below."""
    raw = rng.standard_normal(n)
    total = unit(band(raw, fs, rng.uniform(250, 700), rng.uniform(1200, 2600), 1))
    total = total + unit(lowpass(coloured(rng, n, 5), fs, 300, 1)) * rng.uniform(0, 0.8)
    if rng.random() < 0.35:
        total = total + unit(band(raw, fs, 2000, 9000, 1)) * rng.uniform(0.1, 0.8)
    return unit(total)
