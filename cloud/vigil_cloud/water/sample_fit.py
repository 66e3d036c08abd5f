"""One possible source against grab samples alone: what they leave open, summed over a grid. Pure.

A sample says how much there was at one moment, and nothing of a curve: whatever had brought water
past the station by then explains it, with the mass that it takes. There is no best release to look
around of, as there is for curves (``source_fit``), so starts, durations, masses and how slow the
water was are all tried. Of masses, four times as much is half as likely.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import exp, log
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vigil_cloud.water.responses import Response
from vigil_cloud.water.source_fit import Fit, Known
from vigil_cloud.water.station_curves import Curve, Floats

_STARTS: Final = 240
_MASSES: Final = np.linspace(log(0.3), log(1_000.0), 36)
"""Logarithms, above the mass that is enough where most of it was passing."""
_RARER: Final = 0.5
"""Power of the mass with which it becomes less likely."""
_SLOWNESS: Final = ((-1.5, 0.13), (-0.75, 0.23), (0.0, 0.28), (0.75, 0.23), (1.5, 0.13))
_LASTING: Final = ((-1.0, 0.25), (0.0, 0.5), (1.0, 0.25))
"""Standard deviations of a logarithm, and their weights."""
_Z90: Final = 1.6449


class _Tried(NamedTuple):
    """A duration and a slowness, with their weight beforehand; of one gram, (values, starts)."""

    lasting: float
    slower: float
    weight: float
    passing: Floats


class _Seen(NamedTuple):
    times: Floats
    values: Floats
    sigma: Floats
    station: NDArray[Any]
    """Number of each value's."""
    totals: Sequence[Floats]


def fit(
    responses: Mapping[str, Response], curves: Sequence[Curve], step_s: float, known: Known
) -> Fit | None:
    """What ``curves``, samples and stations that saw nothing, say of this source; ``None`` where
    nothing that it could do explains them."""
    of = [responses[one.station] for one in curves]
    seen = _Seen(
        np.concatenate([one.times for one in curves]),
        np.concatenate([one.values for one in curves]),
        np.concatenate([one.sigma for one in curves]),
        np.repeat(np.arange(len(curves)), [len(one.times) for one in curves]),
        [one.cumulated for one in of],
    )
    # Before the first station's first value until the last: earlier, and all had passed by.
    ways = max(1.4 * one.mean_s + 4 * one.variance_s2**0.5 for one in of)
    longest = known.lasting_s[0] * known.lasting_s[1]
    starts = np.linspace(seen.times.min() - ways - longest, seen.times.max(), _STARTS)
    return _summed(seen, starts, list(_tried(seen, starts, step_s, known)))


def _tried(seen: _Seen, starts: Floats, step_s: float, known: Known) -> Iterator[_Tried]:
    grid = np.arange(len(seen.totals[0])) * step_s
    since = seen.times[:, None] - starts[None, :]
    for b, share in _LASTING:
        lasting = known.lasting_s[0] * known.lasting_s[1] ** b
        for a, weight in _SLOWNESS:
            slower = exp(known.slowness_sd * a)
            passing = np.empty(since.shape)
            for number, total in enumerate(seen.totals):
                own = seen.station == number
                begun = np.interp(since[own] / slower, grid, total, left=0.0)
                ended = np.interp((since[own] - lasting) / slower, grid, total, left=0.0)
                passing[own] = slower * (begun - ended) / lasting
            yield _Tried(lasting, slower, share * weight, passing)


def _summed(seen: _Seen, starts: Floats, tried: Sequence[_Tried]) -> Fit | None:
    scaled = seen.values / seen.sigma
    peaks = np.max([one.passing.max(axis=1) for one in tried], axis=0)
    shown = (seen.values > 0) & (peaks > 0)
    if not shown.any():
        return None
    masses = log(float((seen.values[shown] / peaks[shown]).max())) + _MASSES
    grams = np.exp(masses)
    logs = np.empty((len(tried), len(starts), len(masses)))
    best = float("inf")
    for number, one in enumerate(tried):
        unit = one.passing / seen.sigma[:, None]
        along, square = scaled @ unit, (unit**2).sum(axis=0)
        misses = float(scaled @ scaled) - 2 * along[:, None] * grams + square[:, None] * grams**2
        best = min(best, float(misses.min()))
        logs[number] = log(one.weight) - misses / 2 - _RARER * masses
    weights = np.exp(logs - logs.max())
    counted = len(seen.times)
    step = (starts[1] - starts[0]) * (masses[1] - masses[0])
    evidence = float(logs.max() + np.log(weights.sum() * step))
    likeliest = tried[int(weights.sum(axis=(1, 2)).argmax())]
    start, start_sd = _interval(starts, weights.sum(axis=(0, 2)))
    mass, mass_sd = _interval(masses, weights.sum(axis=(0, 1)))
    return Fit(
        evidence=evidence,
        start_s=start,
        start_sd=start_sd,
        log_mass=mass,
        log_mass_sd=mass_sd,
        log_lasting=log(likeliest.lasting),
        factor=likeliest.slower,
        misfit=max(best, 0.0) / counted,
        counted=counted,
    )


def _interval(places: Floats, weights: Floats) -> tuple[float, float]:
    """Middle and standard deviation of a normal one with the same 90 %."""
    shares = np.cumsum(weights) / weights.sum()
    half = (places[1] - places[0]) / 2
    low, high = (float(np.interp(part, shares, places + half)) for part in (0.05, 0.95))
    return (low + high) / 2, max((high - low) / 2, half) / _Z90
