"""A sound as a microphone in a street has it: room, distance, background, and the recorder."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from scipy import signal

from vigil_sim.noise.clips.living import dog, voices
from vigil_sim.noise.clips.machines import chainsaw, helicopter
from vigil_sim.noise.clips.music import music
from vigil_sim.noise.clips.others import other
from vigil_sim.noise.clips.parts import (
    Array,
    Random,
    band,
    coloured,
    formants,
    lowpass,
    resonate,
    unit,
)
from vigil_sim.noise.clips.signals import horn, siren
from vigil_sim.noise.clips.vehicles import traffic, vehicle
from vigil_sim.noise.clips.weather import rain, thunder

SOURCES: Final[dict[str, Callable[[Random, int, int], Array]]] = {
    "vehicle": vehicle,
    "siren": siren,
    "horn": horn,
    "rain": rain,
    "thunder": thunder,
    "helicopter": helicopter,
    "chainsaw": chainsaw,
    "dog": dog,
    "voices": voices,
    "music": music,
    "other": other,
}


def clip(kind: str, seed: int, fs: int = 22_050, seconds: float = 5.0) -> Array:
    """One clip of a class of ``SOURCES``, (n,) in -1…1, repeatable by its seed."""
    rng = np.random.default_rng([seed, sorted(SOURCES).index(kind)])
    n = round(fs * seconds)
    if kind == "vehicle" and rng.random() < 0.08:
        sound = traffic(rng, n, fs)
    else:
        sound = SOURCES[kind](rng, n, fs)
    if rng.random() < 0.6:
        sound = _room(rng, sound, fs)
    if rng.random() < 0.6:
        sound = lowpass(sound, fs, np.exp(rng.uniform(np.log(2500), np.log(12000))), 1)
    sound = unit(sound) + _background(rng, n, fs) * 10 ** (-_over_background_db(rng, kind) / 20)
    return _recorded(rng, sound, fs, kind)


def _over_background_db(rng: Random, kind: str) -> float:
    # Rain, thunder and fire are their own background; the others are seldom alone.
    least = 12.0 if kind == "vehicle" else 8.0
    return float(rng.uniform(least, 55))


def _room(rng: Random, sound: Array, fs: int) -> Array:
    """Facades or a room: a few reflections and a tail of noise."""
    length = int(fs * rng.uniform(0.1, 0.9))
    t = np.arange(length) / fs
    tail = rng.standard_normal(length) * np.exp(-t / rng.uniform(0.03, 0.35))
    response = lowpass(tail, fs, rng.uniform(1500, 8000), 1) * rng.uniform(0.01, 0.15)
    response[0] = 1.0
    for _ in range(int(rng.integers(0, 5))):
        response[int(rng.uniform(0.001, 0.09) * fs)] += rng.uniform(-0.6, 0.6)
    return np.asarray(signal.fftconvolve(sound, response)[: len(sound)])


def _background(rng: Random, n: int, fs: int) -> Array:
    choice = rng.random()
    if choice < 0.35:
        return unit(lowpass(coloured(rng, n, rng.uniform(3, 6)), fs, rng.uniform(400, 4000), 1))
    if choice < 0.55:
        return traffic(rng, n, fs)
    if choice < 0.7:
        return coloured(rng, n, rng.uniform(0, 4))
    if choice < 0.8:
        hum = np.sin(2 * np.pi * rng.choice([50, 60, 100, 120]) * np.arange(n) / fs)
        return unit(0.5 * hum + coloured(rng, n, 4))
    return unit(formants(rng, coloured(rng, n, 3), fs, 60, 5000, 4))


def _recorded(rng: Random, sound: Array, fs: int, kind: str) -> Array:
    """The recorder: its response, band, clipping, silence about a cut clip, steps."""
    if rng.random() < 0.5:
        sound = sound + resonate(sound, fs, np.exp(rng.uniform(4.6, 8.9)), 0.7) * rng.uniform(
            -0.6, 1
        )
    if rng.random() < 0.4:
        sound = band(sound, fs, rng.uniform(25, 150), 0.47 * fs, 1)
    if rng.random() < 0.3:
        sound = lowpass(sound, fs, rng.uniform(4000, 10000), 8)
    peak = float(np.abs(sound).max()) + 1e-12
    sound = sound / peak * 10 ** (-rng.uniform(0, 30) / 20)
    if rng.random() < 0.08:
        sound = np.clip(sound * 10 ** (rng.uniform(3, 12) / 20) / np.abs(sound).max(), -1, 1)
    n = len(sound)
    cut = rng.random()
    short = kind in ("dog", "horn", "other", "voices", "thunder", "siren")
    if cut < (0.3 if short else 0.06):  # cut short and filled with silence, as collections are
        keep = int(n * rng.uniform(0.25, 0.9))
        filled = np.zeros(n)
        filled[:keep] = sound[:keep]
        sound = filled
    elif cut < 0.45:  # shorter
        keep = int(n * rng.uniform(0.3, 0.95))
        begin = int(rng.integers(0, n - keep + 1)) if not short else 0
        sound = sound[begin : begin + keep]
    return np.asarray(np.round(sound * 32767) / 32768)
