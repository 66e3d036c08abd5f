"""Sounds for judging the veto that share no code, method or figures with those it is trained on.

Vehicles have the spectra of CNOSSOS-EU (Directive (EU) 2015/996, table F-1) and engine orders;
sirens follow the tones of DIN 14610, SAE J1849 and the Japanese and Taiwanese two-tone ones;
helicopters the rotors of real types; rain is drops, thunder N-waves, music plucked strings.
Sums of sines and spectra shaped by FFT, where the training filters pulses. ``sound`` makes one, by
its kind and seed: (n,) at 22,050 Hz, in -1…1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Random = np.random.Generator

FS: Final = 22_050
N: Final = 5 * FS
T: Final[Array] = np.arange(N) / FS
_OCTAVES: Final = np.array([63.0, 125, 250, 500, 1000, 2000, 4000, 8000])
# Categories 1, 2, 3, 4a, 4b: rolling at 70 km/h, its slope, propulsion (dB re 1 pW, octaves).
_ROLLING: Final = np.array(
    [
        [79.7, 85.7, 84.5, 90.2, 97.3, 93.9, 84.1, 74.3],
        [84.0, 88.7, 91.5, 96.7, 97.4, 90.9, 83.8, 80.5],
        [87.0, 91.7, 94.1, 100.7, 100.8, 94.3, 87.1, 82.5],
    ]
)
_SLOPE: Final = np.array([30.0, 41.5, 38.9, 25.7, 32.5, 37.2, 39.0, 40.0])
_PROPULSION: Final = np.array(
    [
        [94.5, 89.2, 88.0, 85.9, 84.2, 86.9, 83.3, 76.1],
        [101.0, 96.5, 98.8, 96.8, 98.6, 95.2, 88.8, 82.7],
        [104.4, 100.6, 101.7, 101.0, 100.1, 95.9, 91.3, 85.3],
        [88.0, 87.5, 89.5, 93.7, 96.6, 98.8, 93.9, 88.7],
        [95.0, 97.2, 92.7, 92.9, 94.7, 93.2, 90.1, 86.5],
    ]
)
# Blade and tail-rotor passages a second: R44, Bell 206, Bell 412, AS350, EC135, UH-60, S-76,
# AW139, CH-47 (two rotors, no tail).
_ROTORS: Final = (
    (13.6, 81.0, 2),
    (13.1, 85.0, 2),
    (21.6, 55.0, 4),
    (19.7, 69.5, 3),
    (26.3, 597.0, 4),
    (17.2, 79.0, 4),
    (19.5, 107.0, 4),
    (24.7, 91.0, 5),
    (11.3, 0.0, 3),
)


def rms(x: Array) -> Array:
    """Scaled to a root mean square of 1."""
    return np.asarray(x / (np.sqrt(np.mean(x**2)) + 1e-12))


def shaped(rng: Random, at_hz: Array, db: Array, n: int = N) -> Array:
    """Gaussian noise whose density follows a curve in dB over the logarithm of frequency."""
    spectrum = np.fft.rfft(rng.standard_normal(n))
    frequency = np.fft.rfftfreq(n, 1 / FS)
    gain = np.interp(np.log(frequency + 1e-3), np.log(at_hz), db)
    return rms(np.fft.irfft(spectrum * 10 ** (gain / 20) * (frequency > 20), n))


def slow(rng: Random, deepest_hz: float, n: int = N) -> Array:
    """A random course of unit size without anything above a frequency."""
    frequency = np.fft.rfftfreq(n, 1 / FS)
    spectrum = np.fft.rfft(rng.standard_normal(n)) * np.exp(-((frequency / deepest_hz) ** 2))
    return rms(np.fft.irfft(spectrum, n))


def partials(frequency: Array, orders: NDArray[Any], amplitude: Callable[[Array], Array]) -> Array:
    """Sines at multiples of a course of frequency, each as loud as its momentary frequency is."""
    phase = 2 * np.pi * np.cumsum(frequency) / FS
    total = np.zeros(len(frequency))
    for order in orders:
        at = order * frequency
        if at.min() > 10_000:
            continue
        part = np.sin(order * phase + 2.4 * order * order)
        total += part * amplitude(at) * (at < 10_500)
    return total


def resonant(
    rng: Random, low: float, high: float, count: int, fall_db: float
) -> Callable[[Array], Array]:
    """A curve of gain over frequency: a few humps upon a slope in dB an octave."""
    humps = np.exp(rng.uniform(np.log(low), np.log(high), count))
    width, size = rng.uniform(0.1, 0.5, count), rng.uniform(3, 16, count)

    def gain(at: Array) -> Array:
        octave = np.log2(np.maximum(at, 1.0))[..., np.newaxis]
        db = (size * np.exp(-(((octave - np.log2(humps)) / width) ** 2))).sum(axis=-1)
        return np.asarray(10 ** ((db - fall_db * (octave[..., 0] - np.log2(low))) / 20))

    return gain


def passing(rng: Random, x: Array, speed: float, nearest_m: float, at_s: float) -> Array:
    """Heard from beside a straight way, with the reflection from the ground."""
    total = np.zeros(N)
    for path, part in ((0.0, 1.0), (rng.uniform(0.1, 1.2), rng.uniform(0.3, 0.9))):
        distance = np.hypot(speed * (T - at_s), nearest_m + path)
        emitted = (T - (distance - nearest_m) / 343.0) % T[-1]
        total += part * np.interp(emitted, T, x) * nearest_m / distance
    return total


def vehicle(rng: Random) -> Array:
    """A car, van, lorry, moped or motorcycle that passes, or pulls away before the microphone."""
    category = int(rng.choice(5, p=[0.4, 0.12, 0.12, 0.16, 0.2]))
    speed = rng.uniform(15, 90 if category < 3 else 75) / 3.6
    propulsion = _PROPULSION[category] + rng.normal(0, 2, 8)
    # The goal is vehicles too loud: half have an exhaust of the rider's own choice.
    open_db = rng.uniform(4, 16) if rng.random() < 0.5 else 0.0
    rolling = np.full(8, -20.0)
    if category < 3:
        rolling = _ROLLING[category] + _SLOPE * np.log10(speed * 3.6 / 70) + rng.normal(0, 2, 8)
    # Octave levels: density falls by 3 dB an octave for the same level.
    density = np.log2(_OCTAVES / 1000) * -3.01
    broad = 10 * np.log10(10 ** (rolling / 10) + 0.5 * 10 ** (propulsion / 10))
    tyres = shaped(rng, _OCTAVES, broad + density) * np.sqrt(np.sum(10 ** (broad / 10)))
    cylinders = (4, 4, 6, 1, int(rng.integers(1, 5)))[category]
    top = (4500, 3500, 2200, 8500, 8000)[category]
    rpm = rng.uniform(0.3, 1.0) * top
    course = rpm * (1 + rng.uniform(-0.25, 0.3) * np.tanh((T - 2.5) / rng.uniform(0.7, 3)))
    turns = course / 60 * (1 + 0.004 * slow(rng, 6))

    def loud(at: Array) -> Array:
        level = np.interp(np.log(np.maximum(at, 20)), np.log(_OCTAVES), propulsion + density / 2)
        return np.asarray(10 ** (level / 20))

    firing = cylinders / 2
    steps = np.arange(1, 60) * 0.5  # a four-stroke engine's cycle is two turns
    strong = np.where(steps % firing == 0, 1.0, rng.uniform(0.02, 0.4))
    strong = strong * np.exp(0.4 * rng.standard_normal(len(steps)))
    engine = np.zeros(N)
    for order, size in zip(steps, strong, strict=True):
        engine += size * partials(turns, np.array([order]), loud)
    engine = rms(engine) * np.sqrt(np.sum(10 ** ((propulsion + open_db) / 10)))
    source = tyres + engine * (1 + 0.1 * slow(rng, 30))
    if rng.random() < 0.15:  # pulls away: no straight way yet
        gone = 0.5 * rng.uniform(1, 3) * np.clip(T - rng.uniform(0, 2), 0, None) ** 2
        nearest = rng.uniform(3, 10)
        return np.asarray(source * nearest / np.hypot(gone, nearest))
    return passing(rng, source, speed, rng.uniform(2.5, 12), rng.uniform(1.0, 4.0))


def siren(rng: Random) -> Array:
    """Two tones, three tones, wail, yelp or hi-lo, distorted by a driver's horn."""
    kind = rng.choice(["din", "japan", "taiwan", "wail", "yelp", "three"])
    if kind in ("din", "japan", "taiwan", "three"):
        tones = {
            "din": (rng.uniform(410, 460), 4 / 3),
            "japan": (770.0, 960 / 770),
            "taiwan": (rng.uniform(620, 760), rng.uniform(1.25, 1.45)),
            "three": (rng.uniform(350, 420), 1.25),
        }[str(kind)]
        length = {"din": 0.7, "japan": 0.65, "taiwan": rng.uniform(0.4, 0.8), "three": 0.5}
        step = ((T + rng.uniform(0, 2)) / length[str(kind)]).astype(int)
        high = step % (3 if kind == "three" else 2) > 0
        frequency = np.where(high, tones[0] * tones[1], tones[0])
    else:
        low, high_hz = rng.uniform(450, 700), rng.uniform(1100, 1800)
        turns = rng.uniform(10, 20) / 60 if kind == "wail" else rng.uniform(150, 250) / 60
        swing = 0.5 - 0.5 * np.cos(2 * np.pi * (turns * T + rng.random()))
        frequency = low + (high_hz - low) * swing ** rng.uniform(0.5, 1.2)
    raw = partials(frequency, np.arange(1, 12), lambda at: 1 / at)
    raw = np.tanh(rng.uniform(0.5, 6) * rms(raw))
    raw = rms(np.diff(raw, prepend=0.0)) * rng.uniform(0.1, 1) + rms(raw)
    if rng.random() < 0.5:
        return passing(rng, raw, rng.uniform(5, 25), rng.uniform(4, 50), rng.uniform(0, 5))
    return raw


def horn(rng: Random) -> Array:
    """Disc and trumpet horns: one or two, hooted or leant upon."""
    gate = np.zeros(N)
    at = rng.uniform(0, 1)
    while at < 4.5:
        length = rng.choice([rng.uniform(0.1, 0.3), rng.uniform(0.5, 3)])
        gate[(at < T) & (at + length > T)] = 1.0
        at += length + rng.uniform(0.1, 1.2)
        if rng.random() < 0.3:
            break
    gate = np.convolve(gate, np.hanning(FS // 40) / np.hanning(FS // 40).sum(), "same")
    base = rng.choice([335.0, 400.0, 420.0, 440.0, 180.0])
    total = np.zeros(N)
    for ratio in (1.0, rng.choice([1.19, 1.25]))[: int(rng.integers(1, 3))]:
        course = np.full(N, base * ratio * rng.uniform(0.97, 1.03))
        total += partials(course, np.arange(1, 30), resonant(rng, 1000, 4500, 3, 3))
    return total * gate


def rain(rng: Random) -> Array:
    """Drops upon water, tin or leaves, each a click or a ringing bubble, and far ones as hiss."""
    total = np.zeros(N)
    bubbles = rng.uniform(0, 1)
    for _ in range(int(np.exp(rng.uniform(np.log(300), np.log(3000))))):
        size = int(rng.uniform(0.002, 0.012) * FS)
        at = int(rng.integers(0, N - size))
        t = np.arange(size) / FS
        if rng.random() < bubbles:
            drop = np.sin(2 * np.pi * rng.uniform(1200, 8000) * t) * np.exp(-t * 500)
        else:
            drop = rng.standard_normal(size) * np.exp(-t * rng.uniform(600, 3000))
        total[at : at + size] += drop * rng.lognormal(0, 1)
    curve = np.array([-14, -12, -8, -4, 0, 0, -2, -5]) + rng.normal(0, 3, 8)
    hiss = shaped(rng, _OCTAVES, curve) * (1 + 0.08 * slow(rng, 1))
    return rms(total) * rng.uniform(0.1, 1.5) + hiss


def helicopter(rng: Random) -> Array:
    """A real type's rotors; hovers or flies over at 80 to 800 m."""
    main, tail, blades = _ROTORS[int(rng.integers(len(_ROTORS)))]
    course = np.full(N, main * rng.uniform(0.98, 1.02))
    speed, height = rng.choice([0.0, rng.uniform(15, 70)]), rng.uniform(80, 800)
    along = speed * (T - rng.uniform(-4, 9))
    course = course / (1 + speed * along / np.hypot(along, height) / 343)
    loading = partials(course, np.arange(1, 25), resonant(rng, 20, 150, 2, rng.uniform(4, 9)))
    # Blades meet each other's wakes: short pulses, one blade not as the next.
    phase = np.cumsum(course) / FS
    width = rng.uniform(0.02, 0.12)
    near = (phase % 1) - 0.5
    strength = (1 + 0.2 * rng.standard_normal(blades))[np.floor(phase).astype(int) % blades]
    slap = strength * near / width * np.exp(-((near / width) ** 2))
    total = rms(loading) * rng.uniform(0.3, 1.5) + rms(slap) * rng.uniform(0.2, 1.5)
    if tail:
        gain = resonant(rng, 60, 900, 2, rng.uniform(3, 8))
        total += rms(partials(course * tail / main, np.arange(1, 12), gain)) * rng.uniform(0, 0.7)
    curve = np.array([0, 0, -1, -4, -8, -14, -22, -32.0]) + rng.normal(0, 2, 8)
    flow = shaped(rng, _OCTAVES, curve)
    total += flow * (1 + rng.uniform(0.2, 0.9) * np.cos(2 * np.pi * phase)) * rng.uniform(0.3, 1.5)
    swing = np.exp(0.25 * slow(rng, 1.5)) * height / np.hypot(along, height)
    return np.asarray(total * swing)


def chainsaw(rng: Random) -> Array:
    """Idles, blips and cuts; a two-stroke engine fires with each turn."""
    goal, state = np.zeros(N), rng.choice(["idle", "cut", "full"], p=[0.2, 0.5, 0.3])
    rpm = {"idle": (2500, 3200), "cut": (7500, 10_500), "full": (11_500, 14_000)}
    at = 0
    while at < N:
        length = int(rng.uniform(0.3, 4) * FS)
        goal[at : at + length] = rng.uniform(*rpm[str(state)])
        state = rng.choice(["idle", "cut", "full"], p=[0.25, 0.45, 0.3])
        at += length
    lag = int(rng.uniform(0.05, 0.25) * FS)
    kernel = np.exp(-np.arange(4 * lag) / lag)
    course = np.convolve(np.pad(goal, (4 * lag, 0), "edge"), kernel / kernel.sum())[4 * lag :][:N]
    course = course / 60 * (1 + rng.uniform(0.003, 0.015) * slow(rng, 15))
    engine = rms(partials(course, np.arange(1, 45), resonant(rng, 250, 4000, 4, 4)))
    teeth = shaped(rng, _OCTAVES, np.array([-30, -25, -15, -8, -2, 0, -1, -6.0]))
    beat = 1 + 0.5 * np.cos(2 * np.pi * np.cumsum(course) / FS)
    power = course / course.max()
    return np.asarray((engine + teeth * beat * rng.uniform(0.1, 1.0)) * power)


def dog(rng: Random) -> Array:
    """Barks: a glottis driven too hard, a formant of the muzzle, a room's silence between."""
    total = np.zeros(N)
    base, at = np.exp(rng.uniform(np.log(250), np.log(900))), rng.uniform(0, 1)
    gain = resonant(rng, 500, 2800, 2, 5)
    while at < 4.6:
        size = int(rng.uniform(0.08, 0.3) * FS)
        x = np.linspace(0, 1, size)
        course = base * (0.8 + 0.5 * np.sin(np.pi * x)) * (1 + 0.02 * rng.standard_normal())
        bark = rms(partials(course, np.arange(1, 20), gain))
        bark += rng.uniform(0.1, 0.7) * shaped(
            rng, _OCTAVES, np.array([-30, -25, -14, -4, 0, -3, -9, -16.0]), size
        )
        first = int(at * FS)
        part = (bark * np.sin(np.pi * x**0.6))[: N - first]
        total[first : first + len(part)] += part
        at += size / FS + rng.uniform(0.1, 1.0)
    return total


def music(rng: Random) -> Array:
    """Plucked strings (Karplus and Strong) in a key, with or without a drum."""
    total = np.zeros(N)
    step, root = rng.uniform(0.12, 0.5), rng.uniform(80, 330)
    for begin in np.arange(0, 5, step):
        for _ in range(int(rng.integers(0, 4))):
            pitch = root * 2 ** (rng.choice([0, 3, 5, 7, 10, 12, 15, 19]) / 12)
            period = max(8, int(FS / pitch))
            ring = rng.uniform(-1, 1, period)
            first = int(begin * FS)
            for at in range(first, min(N, first + int(1.2 * FS)), period):
                part = ring[: N - at]
                total[at : at + len(part)] += part
                ring = 0.498 * (ring + np.roll(ring, 1))
        if rng.random() < 0.4:
            first, size = int(begin * FS), FS // 8
            hit = shaped(rng, _OCTAVES, rng.normal(0, 6, 8), size) * np.exp(-np.arange(size) / 500)
            total[first : first + size] += (hit * rng.uniform(0, 2))[: N - first]
    return total


def voices(rng: Random) -> Array:
    """Vowels after Peterson and Barney, syllable after syllable, of one to four people."""
    vowels = ((270, 2290, 3010), (530, 1840, 2480), (730, 1090, 2440), (570, 840, 2410))
    total = np.zeros(N)
    for _ in range(int(rng.integers(1, 5))):
        base, at = np.exp(rng.uniform(np.log(95), np.log(330))), rng.uniform(0, 0.5)
        while at < 4.7:
            size = int(rng.uniform(0.1, 0.4) * FS)
            x = np.linspace(0, 1, size)
            course = base * (1 + rng.uniform(-0.2, 0.3) * x) * rng.uniform(0.9, 1.15)
            poles = np.array(vowels[int(rng.integers(4))]) * rng.uniform(0.95, 1.2)

            def throat(hz: Array, poles: Array = poles) -> Array:
                off = (hz[..., np.newaxis] - poles) / np.array([70.0, 100, 160])
                return np.asarray((1 / np.sqrt(1 + off**2)).sum(axis=-1) / np.sqrt(hz))

            said = rms(partials(course, np.arange(1, 30), throat)) * np.sin(np.pi * x) ** 0.5
            first = int(at * FS)
            total[first : first + size] += said[: N - first]
            at += size / FS + rng.uniform(0.0, 0.25)
    return total


def thunder(rng: Random) -> Array:
    """N-waves of a crooked channel's pieces, later and duller from further away."""
    total = np.zeros(N)
    away = rng.uniform(300, 3000)
    walk = np.cumsum(rng.normal(0, 60, 400)) + np.linspace(0, rng.uniform(500, 2500), 400)
    distance = np.hypot(away + walk * 0.3, np.linspace(0, 2500, 400))
    arrival = (distance - distance.min()) / 343 + rng.uniform(0, 1.5)
    for at in arrival[arrival < 4.8]:
        size = int(rng.uniform(0.004, 0.03) * (1 + away / 1500) * FS)
        wave = np.linspace(1, -1, size) * np.hanning(size) ** 0.3
        first = int(at * FS)
        total[first : first + size] += (wave * rng.lognormal(0, 0.6))[: N - first]
    return np.asarray(
        total + 0.02 * shaped(rng, _OCTAVES, np.linspace(0, -35, 8)) * np.abs(total).max()
    )


def fire(rng: Random) -> Array:
    """Cracks of all sizes upon a flame's roar."""
    total = np.zeros(N)
    for at in rng.integers(0, N - 500, int(np.exp(rng.uniform(np.log(15), np.log(300))))):
        crack = rng.standard_normal(500) * np.exp(-np.arange(500) / rng.uniform(8, 120))
        total[at : at + 500] += crack * rng.lognormal(0, 1.2)
    roar = shaped(rng, _OCTAVES, np.linspace(0, -rng.uniform(20, 45), 8)) * (1 + 0.2 * slow(rng, 5))
    return rms(total) + roar * rng.uniform(0.02, 0.4)


KINDS: Final[dict[str, Callable[[Random], Array]]] = {
    "vehicle": vehicle,
    "siren": siren,
    "horn": horn,
    "rain": rain,
    "helicopter": helicopter,
    "chainsaw": chainsaw,
    "dog": dog,
    "music": music,
    "voices": voices,
    "thunder": thunder,
    "fire": fire,
}


def sound(kind: str, seed: int, over_db: tuple[float, float] = (8.0, 45.0)) -> Array:
    """One of ``KINDS`` in a street: above distant traffic by so many dB (A-weighted in spirit:
    both are compared above 300 Hz), through walls' echoes, recorded with 16 bit."""
    rng = np.random.default_rng([1997, seed, list(KINDS).index(kind)])
    made = KINDS[kind](rng)
    if rng.random() < 0.5:
        for _ in range(int(rng.integers(1, 8))):
            late = int(rng.uniform(0.004, 0.15) * FS)
            made[late:] += rng.uniform(-0.35, 0.35) * made[:-late]
    street = shaped(rng, _OCTAVES, _ROLLING[0] - np.arange(8) * rng.uniform(1.5, 6))
    street *= np.exp(rng.uniform(0, 0.3) * slow(rng, 1))
    made = made / _treble(made) + street / _treble(street) * 10 ** (-rng.uniform(*over_db) / 20)
    made *= 10 ** (-rng.uniform(1, 35) / 20) / np.abs(made).max()
    return np.asarray(np.round(made * 32768) / 32768)


def _treble(x: Array) -> float:
    spectrum = np.fft.rfft(x)
    return float(np.sqrt(np.mean(np.abs(spectrum[np.fft.rfftfreq(len(x), 1 / FS) > 300]) ** 2)))
