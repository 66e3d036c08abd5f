"""What stations saw, made ready for the search for a source: the noise of each curve, whether it is
more than noise, and fewer values where little happens. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import sqrt
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_MODEL: Final = 0.02
"""Of the value: what a model of one dimension leaves out, beside the noise."""
_OF_PEAK: Final = 0.006
"""The same of the highest value."""
_SEEN: Final = 6.0
"""Times the noise: from here on a station has seen something."""
LEAST: Final = 1e-9
"""g/m³: less is what an arithmetic leaves of 0."""
_COUNTED: Final = 60
"""A station's curve says as much as so many independent values at most: neighbours err alike."""
_FINE: Final = 160
"""Values that are kept of where something passes."""
_COARSE: Final = 60
"""And of everywhere else."""
_BLANK: Final = 12
"""Fewer values do not tell noise from a curve."""
_ZEROS: Final = 0.25
"""From this share on zeros are where noise was cut off."""
_CUT: Final = 1.46
"""Root of the mean square of noise that is cut so, by how far it is from its neighbours' middle."""


SPARSE: Final = 4
"""Fewer values are grab samples: they say how much there was, and nothing of a curve."""
_SAMPLE: Final = 0.25
"""Of a grab sample's value: whoever takes it is a little early or late, and at one bank."""
_LEVEL: Final = 0.02
"""Of the logarithm of a curve's height, beside what flows are off by: the slope of a probe, and
water that is not mixed over the whole section."""
_NO_LEVEL: Final = 3.0
"""The same of what says nothing of an amount."""
_BENT: Final = 0.12
"""Of the value: a pH bends what it shows, a turbidity settles."""


class Observed(NamedTuple):
    """Of one station: seconds, and g/m³ above the background. ``timing_only``: the values are no
    concentration (a fall of pH, a turbidity), only when they rise and fall counts."""

    times_s: Floats
    values: Floats
    timing_only: bool = False


@dataclass(frozen=True, slots=True)
class Curve:
    """What one station saw."""

    station: str
    times: Floats
    values: Floats
    sigma: Floats
    """Standard deviations, so large that their number counts as ``counted``."""
    seen: bool
    mean_s: float
    variance_s2: float
    counted: int
    level_sd: float = _LEVEL
    sample: bool = False
    """Grab samples, no curve."""
    step_s: float = 0.0
    """Between two values as they were measured."""


def curves(observed: Mapping[str, Observed]) -> list[Curve]:
    """Of each station with a value."""
    highest = max(
        (
            float(one.values.max())
            for one in observed.values()
            if len(one.values) and not one.timing_only
        ),
        default=0.0,
    )
    return [
        _curve(station, one, 0.0 if one.timing_only else highest)
        if len(one.times_s) >= SPARSE
        else _sample(station, one, highest)
        for station, one in observed.items()
        if len(one.times_s)
    ]


def _sample(station: str, given: Observed, highest: float) -> Curve:
    sigma = np.hypot(_SAMPLE * given.values, 0.02 * highest + 1e-12)
    count = len(given.values)
    return Curve(station, given.times_s, given.values, sigma, False, 0.0, 0.0, count, sample=True)


def _curve(station: str, given: Observed, highest: float) -> Curve:
    peak = float(given.values.max())
    stands_out = _stands_out(given.values)
    quiet = _quiet_noise(given.values, peak)
    if not stands_out:
        quiet = max(quiet, _jitter(given.values))
    seen = stands_out and peak > max(_SEEN * quiet, 0.01 * highest, LEAST)
    smooth = _smoothed(given.values)
    busy = smooth > max(4 * quiet, 0.02 * peak) if seen else np.zeros(len(smooth), bool)
    times, values, height, of = _thinned(given, smooth, busy)
    relative = _relative_noise(given.values, smooth, busy)
    sigma = np.sqrt(
        ((relative * height) ** 2 + max(quiet, 1e-12) ** 2) / of
        + ((_BENT if given.timing_only else _MODEL) * height) ** 2
        + max(_OF_PEAK * peak, 0.002 * highest) ** 2
    )
    effective = np.count_nonzero(height > 0.02 * peak) if seen else 0
    sigma *= sqrt(max(1.0, effective / _COUNTED))
    weights = np.gradient(times) * np.where(values > max(3 * quiet, 0.02 * peak), values, 0.0)
    total = float(weights.sum())
    mean = float((weights * times).sum() / total) if total > 0 else 0.0
    variance = float((weights * (times - mean) ** 2).sum() / total) if total > 0 else 0.0
    return Curve(
        station,
        times,
        values,
        sigma,
        seen and total > 0,
        mean,
        variance,
        min(len(times), _COUNTED),
        _NO_LEVEL if given.timing_only else _LEVEL,
        step_s=float(np.median(np.diff(given.times_s))),
    )


def _thinned(given: Observed, smooth: Floats, busy: NDArray[np.bool_]) -> tuple[Floats, ...]:
    """Means of so many in a row that few are left, most of them where something passes: one of
    each would step over a short peak. Times, values, smooth values, and of how many each is."""
    count = len(given.values)
    near = busy.copy()
    if busy.any():
        first, last = int(np.flatnonzero(busy)[0]), int(np.flatnonzero(busy)[-1])
        margin = max(4, (last - first) // 4)
        near[max(0, first - margin) : last + margin + 1] = True
    fine = max(1, int(near.sum()) // _FINE)
    coarse = max(fine, (count - int(near.sum())) // _COARSE)
    starts, at = [], 0
    edges = np.flatnonzero(np.diff(near.astype(int))) + 1
    for end in [*edges.tolist(), count]:
        starts += list(range(at, end, fine if near[at] else coarse))
        at = end
    firsts = np.array(starts)
    of = np.diff(np.append(firsts, count)).astype(float)

    def mean(values: Floats) -> Floats:
        return np.asarray(np.add.reduceat(values, firsts) / of)

    return mean(given.times_s), mean(given.values), np.maximum(mean(smooth), 0.0), of


def _smoothed(values: Floats) -> Floats:
    """Medians of five, then means of three: a height for the noise, which a single value is not."""
    if len(values) < _BLANK:
        return values.copy()
    padded = np.pad(values, 2, mode="edge")
    medians = np.median(np.lib.stride_tricks.sliding_window_view(padded, 5), axis=1)
    return np.convolve(np.pad(medians, 1, mode="edge"), np.ones(3) / 3, "valid")


def _relative_noise(values: Floats, smooth: Floats, busy: NDArray[np.bool_]) -> float:
    """Noise of a probe per value: of how far values are from the middle of their neighbours."""
    inner = busy[1:-1] & (smooth[1:-1] > 0)
    if np.count_nonzero(inner) < _BLANK:
        return 0.06
    apart = (values[1:-1] - (values[:-2] + values[2:]) / 2)[inner] / smooth[1:-1][inner]
    found = 1.4826 / sqrt(1.5) * float(np.median(np.abs(apart)))
    return min(max(found, 0.01), 0.3)


def _quiet_noise(values: Floats, peak: float) -> float:
    """Of where nothing passes. A background that was taken off and cut at 0 leaves zeros and the
    upper half of the noise: zeros alone would say that there is none."""
    near = np.abs(values) <= max(0.1 * peak, 0.0)
    low = values[near]
    if not len(low):
        return 0.0
    spread = 1.4826 * float(np.median(np.abs(low - np.median(low))))
    inner = near[:-2] & near[1:-1] & near[2:]
    if np.count_nonzero(low == 0) < _ZEROS * len(low) or np.count_nonzero(inner) < _BLANK:
        return spread
    apart = values[1:-1] - (values[:-2] + values[2:]) / 2
    return max(spread, _CUT * 1.4826 / sqrt(1.5) * float(np.median(np.abs(apart[inner]))))


def _jitter(values: Floats) -> float:
    """Noise, by how far values are from the middle of their neighbours."""
    if len(values) < 3:
        return 0.0
    apart = values[1:-1] - (values[:-2] + values[2:]) / 2
    return 1.4826 / sqrt(1.5) * float(np.median(np.abs(apart)))


def _stands_out(values: Floats) -> bool:
    """Whether there is more in it than noise. The highest value of noise alone is no peak: three in
    a row have to be high."""
    if len(values) < _BLANK:
        return True
    highest = float(np.convolve(values, np.ones(3) / 3, "valid").max())
    return highest > _SEEN * _jitter(values)
