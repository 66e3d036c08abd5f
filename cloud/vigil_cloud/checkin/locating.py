"""Where a beacon is among sensors, second by second, from signal strengths. Pure.

A hidden Markov model on a grid: strength falls with the logarithm of distance, at an exponent that
is the hall's own and one of the model's hidden values; what each sensor reads too high or too low
(antenna, wall, case) is unknown and learned from the walk itself, never from where anybody was;
people walk at a walking pace. Looking ahead, forward and backward passes are joined; without, the
forward pass alone. Constants are physics, or were set in simulated halls (``make bench
ARGS=locate``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]

_MARGIN_M: Final = 1.0
_MOST_CELLS: Final = 4_000
_ROUNDS: Final = 3
_TINY: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Physics:
    """What is believed of halls, people and radios."""

    exponents: tuple[float, ...] = (1.5, 2.0, 2.6)
    """Halls guide waves along (less than the 2 of free space); things between dim them."""
    above_m: float = 1.2
    """How much higher a sensor hangs than a beacon is carried: nobody is nearer."""
    noise_db: float = 6.0
    """Shadows and bodies, of the mean of one second."""
    fading_db: float = 4.0
    """Of a single advert, beside that."""
    bias_db: float = 3.0
    pace_m: float = 0.7
    """Standard deviation of a second's step along each axis."""
    common: float = 0.8
    """How much of a second's mean deviation is the carrier's body and not distance."""
    worth: float = 0.5
    """Of a second's witness: shadows last for some steps, so seconds are not independent."""
    independent: float = 0.2
    """The same of readings, where biases are learned."""
    tails: float = 4.0
    """Degrees of freedom of Student's t: a wall in the way throws nobody across the hall."""


class Sensor(NamedTuple):
    """``place`` in metres."""

    name: str
    place: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Fix:
    """At ``second`` (of the track's clock, whole): metres, and which sensor is nearest."""

    second: int
    x: float
    y: float
    nearest: str


def locate(
    sensors: Sequence[Sensor],
    heard: Sequence[tuple[float, int, float]],
    *,
    causal: bool,
    physics: Physics = Physics(),
) -> list[Fix]:
    """``heard``: time in seconds, number of the sensor, dBm; in order of time.

    Looking ahead takes some 50 kB of memory a second of the track, ``causal`` next to none.
    """
    seconds, strengths, counts = _by_second(len(sensors), heard)
    hall = _Hall(sensors, physics)
    beliefs: Iterable[Singles] = (
        hall.causal(strengths, counts) if causal else hall.smoothed(strengths, counts)
    )
    fixes = []
    for second, belief in zip(seconds, beliefs, strict=True):
        here = belief.sum(axis=0, dtype=np.float64)
        mass = np.bincount(hall.closest.ravel(), here.ravel(), minlength=len(sensors))
        x, y = float((here * hall.x).sum()), float((here * hall.y).sum())
        fixes.append(Fix(second, x, y, sensors[int(mass.argmax())].name))
    return fixes


def _by_second(
    sensors: int, heard: Sequence[tuple[float, int, float]]
) -> tuple[list[int], Floats, Floats]:
    """Every second from the first to the last, and (seconds, sensors) means and how many were
    heard; NaN: none."""
    at = np.floor(np.array([time for time, _, _ in heard])).astype(np.int64)
    first = int(at[0])
    total = np.zeros((int(at[-1]) - first + 1, sensors))
    count = np.zeros_like(total)
    for second, (_, sensor, strength) in zip(at - first, heard, strict=True):
        total[second, sensor] += strength
        count[second, sensor] += 1
    with np.errstate(invalid="ignore"):
        means = total / np.where(count > 0, count, np.nan)
    return list(range(first, int(at[-1]) + 1)), means, count


class _Hall:
    """The grid, (exponents, x, y); what is believed of the exponent goes with each cell."""

    def __init__(self, sensors: Sequence[Sensor], physics: Physics) -> None:
        self._physics = physics
        places = np.array([sensor.place for sensor in sensors])
        low, high = places.min(axis=0) - _MARGIN_M, places.max(axis=0) + _MARGIN_M
        cell = max(0.4, float(np.sqrt(np.prod(high - low) / _MOST_CELLS)))
        xs, ys = (np.arange(a, b + cell, cell) for a, b in zip(low, high, strict=True))
        self.x, self.y = np.meshgrid(xs, ys, indexing="ij")
        apart = np.hypot(self.x[..., None] - places[:, 0], self.y[..., None] - places[:, 1])
        self.closest = apart.argmin(axis=-1)
        loss = -10 * np.log10(np.hypot(apart, physics.above_m))
        self._expected = np.array(physics.exponents)[:, None, None, None] * loss
        self._sigma = (0.0, physics.pace_m / cell, physics.pace_m / cell)
        self._flat = np.full(self._expected.shape[:3], 1 / self._expected[..., 0].size)

    def smoothed(self, strengths: Floats, counts: Floats) -> list[Singles]:
        """What is believed of each second, with all of them known."""
        level, bias = self._first_guess(strengths), np.zeros(self._expected.shape[::3])
        heard = counts > 0
        beliefs: list[Singles] = []
        for _ in range(_ROUNDS):
            beliefs = self._both_ways(strengths, counts, level, bias)
            total, weight = np.zeros_like(bias), np.zeros_like(bias)
            for row, those, belief in zip(strengths, heard, beliefs, strict=True):
                self._learn(row, those, belief, total, weight)
            level, bias = self._calibrated(total, weight, level)
        return beliefs

    def causal(self, strengths: Floats, counts: Floats) -> Iterator[Singles]:
        """The same, with the seconds before known alone; so of level and biases."""
        belief = self._flat
        level, bias = self._first_guess(strengths[:1]), np.zeros(self._expected.shape[::3])
        total, weight = np.zeros_like(bias), np.zeros_like(bias)
        for row, count in zip(strengths, counts, strict=True):
            belief = self._moved(belief) * self._likelihood(row, count, level, bias)
            belief = belief / belief.sum()
            yield belief.astype(np.float32)
            self._learn(row, count > 0, belief.astype(np.float32), total, weight)
            level, bias = self._calibrated(total, weight, level)

    def _first_guess(self, strengths: Floats) -> Floats:
        """(exponents,): the level at 1 m, as if the beacon were anywhere."""
        known = strengths[np.isfinite(strengths)]
        middle = float(np.median(known)) if len(known) else -75.0
        return np.asarray(middle - np.median(self._expected, axis=(1, 2, 3)))

    def _likelihood(self, row: Floats, count: Floats, level: Floats, bias: Floats) -> Floats:
        """Of each exponent and cell."""
        heard, physics = count > 0, self._physics
        if not heard.any():
            return np.ones_like(self._flat)
        noise = np.sqrt(physics.noise_db**2 + physics.fading_db**2 / count[heard])
        want = self._expected[..., heard] + (level[:, None] + bias[:, heard])[:, None, None, :]
        off = (row[heard] - want) / noise
        # A body dims all sensors alike: what they have in common says little.
        off -= physics.common * off.mean(axis=-1, keepdims=True)
        tails = physics.tails
        log = -physics.worth * (tails + 1) / 2 * np.log1p(off**2 / tails).sum(axis=-1)
        return np.asarray(np.exp(log - log.max()))

    def _moved(self, belief: Floats) -> Floats:
        spread = np.maximum(gaussian_filter(belief, self._sigma, mode="nearest"), 0)
        spread = spread + 1e-12
        return np.asarray(spread / spread.sum())

    def _both_ways(
        self, strengths: Floats, counts: Floats, level: Floats, bias: Floats
    ) -> list[Singles]:
        belief, beliefs = self._flat, []
        for row, count in zip(strengths, counts, strict=True):
            belief = self._moved(belief) * self._likelihood(row, count, level, bias)
            belief = belief / belief.sum()
            beliefs.append(belief.astype(np.float32))
        back = self._flat
        for number in range(len(beliefs) - 1, -1, -1):
            joined = beliefs[number] * back
            beliefs[number] = (joined / joined.sum()).astype(np.float32)
            likely = self._likelihood(strengths[number], counts[number], level, bias)
            back = self._moved(back * likely)
        return beliefs

    def _learn(
        self, row: Floats, heard: NDArray[np.bool_], belief: Singles, total: Floats, weight: Floats
    ) -> None:
        """Add what each exponent would have each sensor deviate by."""
        share = belief.sum(axis=(1, 2), dtype=np.float64)
        mean = np.einsum("nxy,nxys->ns", belief, self._expected) / np.maximum(share, _TINY)[:, None]
        total[:, heard] += row[heard] - mean[:, heard]
        weight[:, heard] += 1

    def _calibrated(self, total: Floats, weight: Floats, level: Floats) -> tuple[Floats, Floats]:
        """Level and biases, these drawn towards none."""
        known = weight[0] > 0
        if not known.any():
            return level, np.zeros_like(total)
        mean = total / np.maximum(weight, 1)
        level = np.median(mean[:, known], axis=1)
        worth = weight * self._physics.independent
        shrink = worth / (worth + (self._physics.noise_db / self._physics.bias_db) ** 2)
        return level, np.where(known, (mean - level[:, None]) * shrink, 0.0)
