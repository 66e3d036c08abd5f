"""Where a beacon is among sensors, second by second, from signal strengths. Pure.

A hidden Markov model on a grid: strength falls with the logarithm of distance; what each sensor
reads too high or too low (antenna, wall, case) is unknown and learned from the walk itself, never
from where anybody was; people walk at a walking pace. Looking ahead, forward and backward passes
are joined; without, the forward pass alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

Floats = NDArray[np.float64]

_EXPONENT: Final = 1.5
"""Halls guide waves along: less than the 2 of free space."""
_NOISE_DB: Final = 6.0
"""Fading and bodies, of the mean of one second."""
_BIAS_DB: Final = 3.0
_NEAREST_M: Final = 1.0
_PACE_M: Final = 0.7
"""Standard deviation of a second's step along each axis."""
_MARGIN_M: Final = 1.0
_MOST_CELLS: Final = 6_000
_COMMON: Final = 0.8
"""How much of a second's mean deviation is the carrier's body and not distance."""
_ROUNDS: Final = 4


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
    sensors: Sequence[Sensor], heard: Sequence[tuple[float, int, float]], *, causal: bool
) -> list[Fix]:
    """``heard``: time in seconds, number of the sensor, dBm; in order of time.

    Looking ahead takes some 150 kB of memory a second of the track, ``causal`` next to none.
    """
    seconds, strengths = _by_second(len(sensors), heard)
    grid = _grid(sensors)
    places = np.array([sensor.place for sensor in sensors])
    apart = np.hypot(grid[0][..., None] - places[:, 0], grid[1][..., None] - places[:, 1])
    expected = -10 * _EXPONENT * np.log10(np.maximum(apart, _NEAREST_M))
    cell_m = float(grid[0][1, 0] - grid[0][0, 0])
    sigma = _PACE_M / cell_m
    beliefs: Iterable[Floats]
    if causal:
        beliefs = _causal(strengths, expected, sigma)
    else:
        beliefs = _smoothed(strengths, expected, sigma)
    closest = apart.argmin(axis=-1)
    fixes = []
    for second, belief in zip(seconds, beliefs, strict=True):
        mass = np.bincount(closest.ravel(), belief.ravel(), minlength=len(sensors))
        x, y = float((belief * grid[0]).sum()), float((belief * grid[1]).sum())
        fixes.append(Fix(second, x, y, sensors[int(mass.argmax())].name))
    return fixes


def _by_second(sensors: int, heard: Sequence[tuple[float, int, float]]) -> tuple[list[int], Floats]:
    """Every second from the first to the last, and (seconds, sensors) means; NaN: not heard."""
    at = np.floor(np.array([time for time, _, _ in heard])).astype(np.int64)
    first = int(at[0])
    total = np.zeros((int(at[-1]) - first + 1, sensors))
    count = np.zeros_like(total)
    for second, (_, sensor, strength) in zip(at - first, heard, strict=True):
        total[second, sensor] += strength
        count[second, sensor] += 1
    with np.errstate(invalid="ignore"):
        return list(range(first, int(at[-1]) + 1)), total / np.where(count > 0, count, np.nan)


def _grid(sensors: Sequence[Sensor]) -> tuple[Floats, Floats]:
    places = np.array([sensor.place for sensor in sensors])
    low, high = places.min(axis=0) - _MARGIN_M, places.max(axis=0) + _MARGIN_M
    cell = max(0.4, float(np.sqrt(np.prod(high - low) / _MOST_CELLS)))
    xs, ys = (np.arange(a, b + cell, cell) for a, b in zip(low, high, strict=True))
    x, y = np.meshgrid(xs, ys, indexing="ij")
    return x, y


def _likelihood(row: Floats, expected: Floats, level: float, bias: Floats) -> Floats:
    """Of each cell; heavy tails, so that a body in the way does not throw the beacon across."""
    heard = np.isfinite(row)
    if not heard.any():
        return np.ones(expected.shape[:-1])
    off = (row[heard] - level - bias[heard] - expected[..., heard]) / _NOISE_DB
    # A body dims all sensors alike: what they have in common says little.
    off -= _COMMON * off.mean(axis=-1, keepdims=True)
    log = -2.5 * np.log1p(off**2 / 4).sum(axis=-1)
    return np.asarray(np.exp(log - log.max()))


def _moved(belief: Floats, sigma: float) -> Floats:
    spread = np.maximum(gaussian_filter(belief, sigma, mode="nearest"), 0) + 1e-12
    return np.asarray(spread / spread.sum())


def _first_guess(strengths: Floats, expected: Floats) -> float:
    """The level at 1 m, as if the beacon were anywhere."""
    return float(np.nanmedian(strengths) - np.median(expected))


def _smoothed(strengths: Floats, expected: Floats, sigma: float) -> list[Floats]:
    level, bias = _first_guess(strengths, expected), np.zeros(expected.shape[-1])
    beliefs: list[Floats] = []
    for _ in range(_ROUNDS):
        beliefs = _both_ways(strengths, expected, level, bias, sigma)
        mean = np.array([(one[..., None] * expected).sum(axis=(0, 1)) for one in beliefs])
        heard = np.isfinite(strengths)
        off = np.where(heard, strengths - mean, 0.0)
        level = float(np.nanmedian(strengths - mean - bias))
        bias = _bias(off.sum(axis=0) - level * heard.sum(axis=0), heard.sum(axis=0))
    return beliefs


def _bias(total: Floats, count: Floats) -> Floats:
    """Drawn towards none; readings a second apart are not independent: a fifth as many count."""
    worth = count / 5
    mean = total / np.maximum(count, 1)
    return np.asarray(mean * worth / (worth + (_NOISE_DB / _BIAS_DB) ** 2))


def _both_ways(
    strengths: Floats, expected: Floats, level: float, bias: Floats, sigma: float
) -> list[Floats]:
    likely = [_likelihood(row, expected, level, bias) for row in strengths]
    flat = np.full(likely[0].shape, 1 / likely[0].size)
    forth, belief = [], flat
    for one in likely:
        belief = _moved(belief, sigma) * one
        belief = belief / belief.sum()
        forth.append(belief)
    beliefs, back = [], flat
    for one, before in zip(reversed(likely), reversed(forth), strict=True):
        joined = before * back
        beliefs.append(joined / joined.sum())
        back = _moved(back * one, sigma)
    return beliefs[::-1]


def _causal(strengths: Floats, expected: Floats, sigma: float) -> Iterator[Floats]:
    """Level and biases are those of the seconds before."""
    shape = expected.shape[:-1]
    belief = np.full(shape, 1 / (shape[0] * shape[1]))
    level, bias = _first_guess(strengths[:1], expected), np.zeros(expected.shape[-1])
    total, count = np.zeros_like(bias), np.zeros_like(bias)
    for row in strengths:
        belief = _moved(belief, sigma) * _likelihood(row, expected, level, bias)
        belief = belief / belief.sum()
        yield belief
        heard = np.isfinite(row)
        off = row - (belief[..., None] * expected).sum(axis=(0, 1))
        total[heard] += off[heard]
        count[heard] += 1
        level = float(np.median(total[count > 0] / count[count > 0])) if heard.any() else level
        bias = _bias(total - level * count, count)
