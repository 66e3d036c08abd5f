"""Sirens and horns."""

from __future__ import annotations

import numpy as np

from vigil_sim.noise.clips.parts import (
    Array,
    Random,
    burst,
    formants,
    lowpass,
    moved,
    tone,
    unit,
    wander,
)


def siren(rng: Random, n: int, fs: int) -> Array:
    """Wail, yelp, two tones, or a rotor that runs up and down; standing or driving by."""
    t = np.arange(n) / fs
    kind = rng.choice(["wail", "yelp", "two tones", "rotor", "phaser"])
    low = rng.uniform(350, 800)
    high = low * rng.uniform(1.25, 2.6)
    phase = rng.random()
    if kind == "two tones":
        period = rng.uniform(0.5, 2.2)
        high = low * rng.uniform(1.15, 1.5)
        frequency = np.where((t / period + phase) % 1 < 0.5, low, high)
        frequency = lowpass(np.concatenate([np.full(fs // 4, frequency[0]), frequency]), fs, 30, 1)
        frequency = np.clip(frequency[fs // 4 :], 0.9 * low, 1.1 * high)
    else:
        period = {
            "wail": rng.uniform(1.5, 7),
            "yelp": rng.uniform(0.2, 0.5),
            "rotor": rng.uniform(4, 14),
            "phaser": rng.uniform(0.06, 0.15),
        }[str(kind)]
        at = (t / period + phase) % 1
        rise = rng.uniform(0.2, 0.7)
        shape = np.where(at < rise, at / rise, (1 - at) / (1 - rise))
        if rng.random() < 0.5:
            shape = 0.5 - 0.5 * np.cos(np.pi * shape)
        frequency = low * (high / low) ** shape
    voice = tone(rng, frequency, fs, int(rng.integers(1, 9)), rng.uniform(0.5, 2))
    voice = formants(rng, voice, fs, 500, 4000, 2)
    if rng.random() < 0.3:
        other = frequency * rng.uniform(1.1, 1.6)
        voice = voice + 0.6 * tone(rng, other, fs, 4, 1.2)
    if rng.random() < 0.4:
        voice = moved(
            rng, voice, fs, rng.uniform(0, 1) * t[-1], rng.uniform(5, 25), rng.uniform(4, 40)
        )
    return unit(voice * (1 + 0.15 * wander(rng, n, fs, 4)))


def horn(rng: Random, n: int, fs: int) -> Array:
    """One to six blasts of one to three reeds, of a car, lorry, scooter or train."""
    t = np.arange(n) / fs
    base = rng.choice([rng.uniform(300, 520), rng.uniform(140, 320), rng.uniform(380, 650)])
    reeds = int(rng.integers(1, 4))
    slope = rng.uniform(0.2, 1.3)
    voice = np.zeros(n)
    for _ in range(reeds):
        frequency = base * rng.choice([1.0, 1.19, 1.25, 1.335, 1.5]) * rng.uniform(0.98, 1.02)
        course = frequency * (1 + 0.004 * wander(rng, n, fs, 3))
        voice = voice + tone(rng, course, fs, int(rng.integers(8, 30)), slope, 0.7)
    voice = formants(rng, voice, fs, 400, 4000, 3)
    envelope = np.zeros(n)
    at = rng.uniform(0, 0.3) * t[-1]
    for _ in range(int(rng.integers(1, 7))):
        length = np.exp(rng.uniform(np.log(0.08), np.log(3.5)))
        rise, fall = rng.uniform(0.005, 0.05), rng.uniform(0.01, 0.1)
        envelope = np.maximum(envelope, burst(n, fs, at, length, rise, fall))
        at += length + rng.uniform(0.08, 0.8)
        if at > t[-1]:
            break
    voice = voice * envelope
    if rng.random() < 0.3:
        voice = moved(
            rng, voice, fs, rng.uniform(0, 1) * t[-1], rng.uniform(5, 20), rng.uniform(4, 20)
        )
    return unit(voice)
