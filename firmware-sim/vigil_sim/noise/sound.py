"""The street's sound as the microphones' converter gives it: blocks of s16le samples.

Quiet streets cost almost nothing: the background is a seamless loop rendered
once, and its bytes are handed out as they are while no vehicle is near.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from vigil_sim.noise.propagation import SPEED_OF_SOUND, propagate
from vigil_sim.noise.vehicle import (
    MICROPHONE_CENTRE,
    POWERTRAINS,
    SAMPLE_RATE,
    Motion,
    VehicleKind,
    microphone_array,
    source_signal,
)
from vigil_sim.noise.weighting import REFERENCE_PA, LAFmax, a_response

Array = NDArray[np.float64]
HEARD_S = 8.0
"""A vehicle is heard this long before and after it is nearest."""
FADE_S = 3.0
"""It comes out from behind the houses, and goes behind them, in this time."""
LOOP_S = 12.0


def pascal_per_unit(full_scale_peak_db: float) -> float:
    """Pressure of a sample of 1.0, from the peak level of digital full scale."""
    return float(REFERENCE_PA * 10 ** (full_scale_peak_db / 20))


@dataclass(frozen=True, slots=True)
class Vehicle:
    """What is to be heard: one vehicle and how loud it gets at microphone 0."""

    kind: VehicleKind
    speed_m_s: float
    rpm: tuple[float, float]
    LAFmax_db: float
    away: bool = True
    seed: int = 0

    @property
    def motion(self) -> Motion:
        """Its way past the microphones."""
        return Motion.along_road(self.kind, self.speed_m_s, away=self.away)


def passage(vehicle: Vehicle, channels: int = 4) -> NDArray[np.float32]:
    """Sound pressure in pascals, (2·HEARD_S·48000, channels); the middle is when it is nearest.

    The source is scaled so that LAFmax at microphone 0 is exactly what was asked for.
    """
    rng = np.random.default_rng(vehicle.seed)
    half = round(HEARD_S * SAMPLE_RATE)
    t = np.arange(-half, half) / SAMPLE_RATE
    lead = 1.0
    early = round(lead * SAMPLE_RATE)
    source_t = np.arange(-half - early, half) / SAMPLE_RATE
    source = source_signal(vehicle.kind, vehicle.rpm, source_t, rng)
    heard = propagate(
        source,
        -HEARD_S - lead,
        SAMPLE_RATE,
        vehicle.motion,
        microphone_array(channels),
        t,
        POWERTRAINS[vehicle.kind].rear_gain_db,
    )
    fade = np.sin(0.5 * np.pi * np.clip((HEARD_S - np.abs(t)) / FADE_S, 0.0, 1.0)) ** 2
    heard *= fade[:, np.newaxis]
    heard *= 10 ** ((vehicle.LAFmax_db - LAFmax(heard[:, 0], SAMPLE_RATE)) / 20)
    return heard.astype(np.float32)


def background(level_db: float, channels: int, seed: int) -> Array:
    """A seamless loop of a city at night, pascals, (LOOP_S·48000, channels), LAeq ``level_db``.

    Distant traffic and machines as sixteen independent plane waves from all round, so that
    the microphones hear it with the coherence that a diffuse field has.
    """
    rng = np.random.default_rng(seed)
    size = round(LOOP_S * SAMPLE_RATE)
    frequency = fft.rfftfreq(size, 1 / SAMPLE_RATE)
    shape = 1.0 / (1.0 + (frequency / 180.0) ** 2) ** 0.55 / (1.0 + (frequency / 5000.0) ** 2)
    shape *= frequency > 25.0
    positions = microphone_array(channels) - MICROPHONE_CENTRE
    spectra = np.zeros((channels, frequency.size), dtype=np.complex128)
    for bearing in 2 * np.pi * (np.arange(16) + rng.random(16)) / 16:
        direction = np.array([np.cos(bearing), np.sin(bearing), 0.1])
        wave = shape * np.exp(2j * np.pi * rng.random(frequency.size))
        wave *= rng.rayleigh(size=frequency.size)
        for channel, delay in enumerate(positions @ direction / SPEED_OF_SOUND):
            spectra[channel] += wave * np.exp(2j * np.pi * frequency * delay)
    power = float(np.sum(np.abs(spectra[0] * a_response(frequency)) ** 2) * 2 / size**2)
    spectra *= REFERENCE_PA * 10 ** (level_db / 20) / np.sqrt(power)
    return np.asarray(fft.irfft(spectra, size).T)


class StreetSound:
    """What the converter gives at any sample index: the loop, and the vehicles that pass."""

    def __init__(
        self, *, channels: int, full_scale_peak_db: float, background_db: float, seed: int
    ) -> None:
        self.channels = channels
        self.full_scale_peak_db = full_scale_peak_db
        self._scale = 32768.0 / pascal_per_unit(full_scale_peak_db)
        loop = background(background_db, channels, seed) * self._scale
        self._loop = loop.astype(np.float32)
        self._quiet = np.round(loop).astype("<i2").tobytes()
        self._passages: list[tuple[int, NDArray[np.float32]]] = []

    def add(self, nearest_sample: int, pressure: NDArray[np.float32]) -> None:
        """Let a rendered passage be heard, nearest at this sample."""
        self._passages.append((nearest_sample - len(pressure) // 2, pressure))

    def block(self, first: int, count: int, gain_db: float = 0.0) -> bytes:
        """Samples ``first`` to ``first + count``, interleaved s16le; clips as a converter does."""
        near = [
            (begins, pressure)
            for begins, pressure in self._passages
            if begins < first + count and begins + len(pressure) > first
        ]
        if not near and gain_db == 0.0:
            return self._loop_bytes(first, count)
        index = np.arange(first, first + count) % len(self._loop)
        mixed = self._loop[index]
        for begins, pressure in near:
            start, stop = max(begins, first), min(begins + len(pressure), first + count)
            mixed[start - first : stop - first] += (
                pressure[start - begins : stop - begins] * self._scale
            )
        mixed *= 10 ** (gain_db / 20)
        return np.clip(np.round(mixed), -32768, 32767).astype("<i2").tobytes()

    def forget_before(self, sample: int) -> None:
        """Let go of passages that are over."""
        self._passages = [p for p in self._passages if p[0] + len(p[1]) > sample]

    def _loop_bytes(self, first: int, count: int) -> bytes:
        width = 2 * self.channels
        start = (first % len(self._loop)) * width
        data = self._quiet[start : start + count * width]
        while len(data) < count * width:
            data += self._quiet[: count * width - len(data)]
        return data
