"""Vehicles: how they move past the microphone, and what their engines and tyres give off.

Road coordinates in metres: x along the near lane's driving direction, y to the
left of it, z up; the camera's post stands at the origin. Time in seconds, zero
when the vehicle's source is nearest to the microphones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy import signal

Array = NDArray[np.float64]
VehicleKind = Literal["scooter", "car", "taxi", "van"]

SAMPLE_RATE = 48_000
MICROPHONE_CENTRE = np.array([4.0, 0.0, 4.0])
ARRAY_RADIUS_M = 0.05
TETRAHEDRON = 4
"""Microphones of the whole array; with fewer, azimuths are ambiguous."""
NEAR_LANE_Y = 2.7
FAR_LANE_Y = 6.0
SCOOTER_Y = 1.9


def microphone_array(channels: int = TETRAHEDRON) -> Array:
    """Positions (channels, 3) in metres: the first ``channels`` corners of a tetrahedron."""
    corners = np.array([[1, 1, 1], [1, -1, -1], [-1, 1, -1], [-1, -1, 1]]) / np.sqrt(3)
    return np.asarray(MICROPHONE_CENTRE + ARRAY_RADIUS_M * corners[:channels])


@dataclass(frozen=True, slots=True)
class Powertrain:
    """What makes the sound of one kind of vehicle."""

    firings_per_revolution: float
    resonances_hz: tuple[float, ...]
    """Exhaust pipe and silencer."""
    gas_noise: float
    """Broadband noise of the gas, relative to the pulses."""
    tyre_noise: float
    """Relative to the pulses, both as root mean square."""
    rear_gain_db: float
    """How much louder it is behind (exhaust) than in front."""


POWERTRAINS: dict[VehicleKind, Powertrain] = {
    "scooter": Powertrain(0.5, (240.0, 690.0, 1450.0, 2600.0), 0.35, 0.06, 5.0),
    "car": Powertrain(2.0, (120.0, 310.0, 820.0), 0.12, 1.1, 1.0),
    "taxi": Powertrain(2.0, (120.0, 310.0, 820.0), 0.12, 1.1, 1.0),
    "van": Powertrain(2.0, (95.0, 260.0, 640.0), 0.22, 0.9, 2.0),
}


@dataclass(frozen=True, slots=True)
class Motion:
    """Straight and steady: position(t) = nearest + velocity · t."""

    nearest: tuple[float, float, float]
    velocity: tuple[float, float, float]

    @classmethod
    def along_road(cls, kind: VehicleKind, speed_m_s: float, *, away: bool) -> Motion:
        """In its lane; the source is its exhaust and tyres, low above the road."""
        lane = FAR_LANE_Y if not away else SCOOTER_Y if kind == "scooter" else NEAR_LANE_Y
        x = float(MICROPHONE_CENTRE[0])
        return cls((x, lane, 0.35), (speed_m_s if away else -speed_m_s, 0.0, 0.0))

    def x(self, t: float) -> float:
        """Along the road, metres."""
        return self.nearest[0] + self.velocity[0] * t


def engine_speed(t: Array, rpm: tuple[float, float], half_s: float = 2.5) -> Array:
    """Revolutions per minute over time (n,): a smooth rise while it passes."""
    return rpm[0] + (rpm[1] - rpm[0]) * (0.5 + 0.5 * np.tanh(t / half_s))


def source_signal(
    kind: VehicleKind, rpm: tuple[float, float], t: Array, rng: np.random.Generator
) -> Array:
    """What one vehicle gives off at 1 m, (n,) over the times ``t`` at 48 kHz, root mean square 1.

    Firing pulses with their harmonics excite the exhaust's resonances; gas noise
    rides on the pulses; tyre noise is independent of them.
    """
    train = POWERTRAINS[kind]
    cycles = np.cumsum(engine_speed(t, rpm) / 60.0 * train.firings_per_revolution) / SAMPLE_RATE
    pulses = _pulse_train(cycles, rng)
    exhaust = 0.25 * pulses + sum(_resonate(pulses, f, 6.0) for f in train.resonances_hz)
    exhaust /= _rms(exhaust)
    breath = _band(rng.standard_normal(t.size), 700.0, 4500.0)
    breath *= 0.4 + np.clip(pulses, 0.0, None)
    tyres = _band(rng.standard_normal(t.size), 350.0, 2200.0)
    total = (
        exhaust + train.gas_noise * breath / _rms(breath) + train.tyre_noise * tyres / _rms(tyres)
    )
    return np.asarray(total / _rms(total))


def _pulse_train(cycles: Array, rng: np.random.Generator, harmonics: int = 48) -> Array:
    """Band-limited firing pulses from a phase in cycles; each firing differs a little."""
    size = 4096
    order = np.arange(1, harmonics + 1)
    amplitude = order**-0.55 * (order / (order + 2.5)) * np.exp(-((order / 34.0) ** 2))
    phase = np.pi * order**2 / harmonics + rng.uniform(-0.3, 0.3, harmonics)
    grid = np.arange(size + 1) / size
    table = (amplitude * np.cos(2 * np.pi * np.outer(grid, order) + phase)).sum(axis=1)
    strength = 1.0 + 0.12 * rng.standard_normal(int(cycles[-1]) + 3)
    strength = np.interp(cycles, np.arange(strength.size), strength)
    return np.asarray(strength * np.interp((cycles % 1.0) * size, np.arange(size + 1), table))


def _resonate(x: Array, frequency: float, q: float) -> Array:
    b, a = signal.iirpeak(frequency, q, fs=SAMPLE_RATE)
    return np.asarray(signal.lfilter(b, a, x))


def _band(x: Array, low: float, high: float) -> Array:
    sos = signal.butter(2, [low, high], "bandpass", fs=SAMPLE_RATE, output="sos")
    return np.asarray(signal.sosfilt(sos, x))


def _rms(x: Array) -> float:
    return float(np.sqrt(np.mean(x**2)))
