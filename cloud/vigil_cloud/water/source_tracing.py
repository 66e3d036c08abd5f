"""Where a discharge came from: a posterior over outfalls, times and masses. Pure.

For each outfall (and each reach without one) what the stations saw is explained by one release that
lasted for a while, carried by velocities that are known to about a fifth: a factor that all reaches
share, and one of each reach, so that stations on the same way err together. Most candidates are
ruled out by what their water passes and by the moments of the curves; the rest are fitted, and
weighed by Laplace's approximation of their evidence.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from heapq import nsmallest
from math import exp, log, pi, sqrt
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from vigil_cloud.water.channels import Channels, Point, Reach
from vigil_cloud.water.responses import Response, Responses, moments

Floats = NDArray[np.float64]
COMMON: Final = 0.2 / sqrt(3)
"""Standard deviation of the logarithm of the factor of all velocities: within a fifth."""
APART: Final = 0.2 / sqrt(3)
"""The same of each reach's own."""
_LEVEL: Final = 1.2 * APART
"""The same of a curve's height beside its delay: the flow past the station, and the dilution on the
way."""
_RELATIVE: Final = 0.08
"""Of the value: noise of the probe, and what the model of one dimension leaves out."""
_OF_PEAK: Final = 0.02
_SEEN: Final = 6.0
"""Times the noise: from here on a station has seen something."""
_COUNTED: Final = 25
"""A station's curve says as much as so many independent values at most: neighbours err alike."""
_KEPT: Final = 240
"""Values of a station that are looked at."""
_FITTED: Final = 8
"""Candidates that are fitted whatever their moments say."""
_MOST_FITTED: Final = 24
_HOPELESS: Final = 60.0
"""So much worse (a logarithm) by their moments than the best, further ones are not fitted."""
_UNKNOWN: Final = log(0.02)
"""Prior of something else: no release of this network, or one that was not as it is thought."""
_LOOSER: Final = 3.0
"""Something else leaves residuals so many times larger."""
_LASTING: Final = (log(2400.0), 1.2)
"""Mean and standard deviation of the logarithm of a release's duration in seconds."""
_ANYWHERE: Final = 0.1
"""The share of discharges that come from no registered outfall."""
_GRID: Final = 1024
_FINEST_GRID: Final = 8192
_LONGEST_S: Final = 3 * 86400.0
"""What travels longer is traced only where it was looked at for as long."""
_BLANK: Final = 12
"""Fewer values do not tell noise from a curve."""
_SHORTEST_S: Final = 1.0
"""A station at the outfall itself: factors of a travel time need one."""
_Z90: Final = 1.6449
_MOST: Final = 60.0
"""Of a logarithm."""


class Observed(NamedTuple):
    """Of one station: seconds, and g/m³ above the background."""

    times_s: Floats
    values: Floats


@dataclass(frozen=True, slots=True)
class Suspect:
    """A possible source, with 90 % intervals if it was this one."""

    reach: str
    outfall: str | None
    probability: float
    start_s: tuple[float, float]
    mass_g: tuple[float, float]
    duration_s: float
    """The likeliest."""
    explains: Sequence[str]
    """Stations that have seen something and are explained by it."""


class Traced(NamedTuple):
    """Suspects, the likeliest first, and how far they can be believed."""

    suspects: list[Suspect]
    unexplained: float
    """Probability that it was none of them; with theirs it adds up to 1 where there are any."""
    misfit: float
    """Mean square of the residuals of the best of them, in their standard deviations: about 1 or
    less where it explains what was seen."""


class _Candidate(NamedTuple):
    reach: str
    offset_m: float
    outfall: str | None
    prior: float


@dataclass(frozen=True, slots=True)
class _Curve:
    """What one station saw."""

    station: str
    times: Floats
    values: Floats
    sigma: Floats
    seen: bool
    mean_s: float
    variance_s2: float
    total: float


class _Fit(NamedTuple):
    candidate: _Candidate
    evidence: float
    start: float
    start_sd: float
    log_mass: float
    log_mass_sd: float
    log_lasting: float
    misfit: float
    counted: int


def trace(channels: Channels, observed: Mapping[str, Observed]) -> Traced:
    """No suspects where no station has seen anything, or nobody's water passes those that have."""
    curves = _curves(observed)
    seen = [one for one in curves if one.seen]
    if not seen:
        return Traced([], 0.0, 0.0)
    looked_at = max(float(one.times[-1]) for one in curves) - min(
        float(one.times[0]) for one in curves
    )
    stations = {one.station for one in curves}
    longest = _longest_s(channels, [channels.points[one.station] for one in seen])
    period = max(min(longest, max(5.2 * looked_at, _LONGEST_S)), 60 * _SHORTEST_S)
    count = _GRID
    while period / count > 5.2 * looked_at / _GRID and count < _FINEST_GRID:
        count *= 2
    responses = Responses(channels, stations, period_s=period, count=count)

    def tried() -> Iterator[tuple[float, _Trial]]:
        for candidate in _candidates(channels):
            found = responses.of(candidate.reach, candidate.offset_m)
            if all(one.station in found and found[one.station].passes for one in seen):
                trial = _Trial(candidate, found, curves, responses.step_s)
                yield trial.rough(), trial

    best = nsmallest(_MOST_FITTED, tried(), key=lambda pair: pair[0])
    fits = [
        trial.fit()
        for number, (rough, trial) in enumerate(best)
        if number < _FITTED or rough <= best[0][0] + _HOPELESS
    ]
    return _weighed(fits, [one.station for one in seen])


def _longest_s(channels: Channels, stations: Sequence[Point]) -> float:
    """After so long whatever went in anywhere has passed them, by the nominal velocities."""
    times: dict[str, tuple[float, float]] = {}
    above: dict[str, set[str]] = defaultdict(set)
    into: dict[str, list[Reach]] = defaultdict(list)
    for one in channels.reaches.values():
        above[one.end].add(one.start)
        into[one.end].append(one)
        slowest = min(one.flow_m3_s, one.flow_m3_s + one.inflow_m3_s) / one.area_m2
        times[one.id] = moments(one, slowest, one.length_m)[1:]
    at: dict[str, tuple[float, float]] = {}
    for node in TopologicalSorter(above).static_order():
        ways = [
            (at[one.start][0] + times[one.id][0], at[one.start][1] + times[one.id][1])
            for one in into[node]
        ]
        at[node] = max(ways, default=(0.0, 0.0))
    longest = 0.0
    for station in stations:
        reach = channels.reaches[station.reach]
        mean, variance = (a + b for a, b in zip(at[reach.start], times[reach.id], strict=True))
        longest = max(longest, 1.3 * mean, mean + 6 * sqrt(variance))
    return longest


def _weighed(fits: Sequence[_Fit], seen: Sequence[str]) -> Traced:
    if not fits:
        return Traced([], 1.0, 0.0)
    best = max(fits, key=lambda one: one.evidence)
    # Something else: what the best leaves is noise that is larger than it was taken for.
    squares = best.misfit * best.counted / 2
    other = _UNKNOWN + squares * (1 - 1 / _LOOSER**2) - best.counted * log(_LOOSER)
    weights = [exp(one.evidence - best.evidence) for one in fits]
    whole = sum(weights)
    unexplained = 1 / (1 + whole * _exp(-other))
    suspects = [
        Suspect(
            fit.candidate.reach,
            fit.candidate.outfall,
            weight / whole * (1 - unexplained),
            (fit.start - _Z90 * fit.start_sd, fit.start + _Z90 * fit.start_sd),
            (
                _exp(fit.log_mass - _Z90 * fit.log_mass_sd),
                _exp(fit.log_mass + _Z90 * fit.log_mass_sd),
            ),
            _exp(fit.log_lasting),
            seen,
        )
        for fit, weight in zip(fits, weights, strict=True)
    ]
    suspects.sort(key=lambda one: -one.probability)
    return Traced(suspects, unexplained, best.misfit)


def _exp(value: float) -> float:
    """What the observations say nothing of has an interval without an end."""
    return exp(min(max(value, -_MOST), _MOST))


def _candidates(channels: Channels) -> list[_Candidate]:
    outfalls = [one for one in channels.points.values() if one.kind == "outfall"]
    taken = {one.reach for one in outfalls}
    empty = [one for one in channels.reaches.values() if one.id not in taken]
    anywhere = (_ANYWHERE if outfalls else 1.0) / max(sum(one.length_m for one in empty), 1e-9)
    registered = (1 - _ANYWHERE if empty else 1.0) / max(len(outfalls), 1)
    return [
        *(_Candidate(one.reach, one.offset_m, one.id, registered) for one in outfalls),
        *(_Candidate(one.id, one.length_m / 2, None, anywhere * one.length_m) for one in empty),
    ]


def _curves(observed: Mapping[str, Observed]) -> list[_Curve]:
    highest = max(
        (float(one.values.max()) for one in observed.values() if len(one.values)), default=0
    )
    curves = []
    for station, (all_times, all_values) in observed.items():
        if len(all_times) < 2:
            continue
        times, values = _thinned(all_times), _thinned(all_values)
        peak = float(values.max())
        low = values[np.abs(values) <= max(0.1 * peak, 0.0)]
        noise = 1.4826 * float(np.median(np.abs(low - np.median(low)))) if len(low) else 0.0
        stands_out = _stands_out(values)
        if not stands_out:
            noise = max(noise, _jitter(values))
        floor = max(noise, 0.003 * highest, _OF_PEAK * peak, 1e-12)
        sigma = np.sqrt((_RELATIVE * values) ** 2 + floor**2)
        sigma *= sqrt(max(1.0, len(times) / _COUNTED))
        weights = np.gradient(times) * np.where(values > 2 * floor, values, 0.0)
        total = float(weights.sum())
        mean = float((weights * times).sum() / total) if total > 0 else 0.0
        variance = float((weights * (times - mean) ** 2).sum() / total) if total > 0 else 0.0
        seen = stands_out and peak > max(_SEEN * noise, 0.01 * highest) and total > 0
        curves.append(_Curve(station, times, values, sigma, seen, mean, variance, total))
    return curves


def _thinned(values: Floats) -> Floats:
    """Means of so many in a row that few are left: one of each would step over a short peak."""
    every = max(1, len(values) // _KEPT)
    firsts = np.arange(0, len(values), every)
    counts = np.diff(np.append(firsts, len(values)))
    return np.asarray(np.add.reduceat(values, firsts) / counts)


def _jitter(values: Floats) -> float:
    """Noise, by how far values are from the middle of their neighbours."""
    apart = values[1:-1] - (values[:-2] + values[2:]) / 2
    return 1.4826 / sqrt(1.5) * float(np.median(np.abs(apart)))


def _stands_out(values: Floats) -> bool:
    """Whether there is more in it than noise. The highest value of noise alone is no peak: three in
    a row have to be high."""
    if len(values) < _BLANK:
        return True
    highest = float(np.convolve(values, np.ones(3) / 3, "valid").max())
    return highest > _SEEN * _jitter(values)


class _Trial:
    """One candidate against what was seen."""

    def __init__(
        self,
        candidate: _Candidate,
        responses: Mapping[str, Response],
        curves: Sequence[_Curve],
        step_s: float,
    ) -> None:
        self._candidate, self._step_s = candidate, step_s
        self._seen = [one for one in curves if one.seen]
        self._blank = [one for one in curves if not one.seen and one.station in responses]
        self._responses = responses
        passed = [responses[one.station] for one in self._seen]
        names = sorted({name for one in passed for name in one.travel_s})
        self._means = np.maximum([one.mean_s for one in passed], _SHORTEST_S)
        travelled = np.array([[one.travel_s.get(name, 0.0) for name in names] for one in passed])
        shares = travelled / self._means[:, None]
        covariance = COMMON**2 + APART**2 * shares @ shares.T + 1e-6 * np.eye(len(passed))
        self._root = np.linalg.cholesky(covariance)
        self._start = self._rough_start()

    def _rough_start(self) -> tuple[float, float, Floats]:
        """Start, logarithm of the duration, and the factors, by the curves' moments alone."""
        first = int(np.argmin(self._means))
        curve, response = self._seen[first], self._responses[self._seen[first].station]
        spare = max(curve.variance_s2 - response.variance_s2, 0.0)
        lasting = min(max(sqrt(12 * spare), 300.0), 8 * 3600.0)
        centres = np.array([one.mean_s for one in self._seen]) - lasting / 2
        nearest = float((centres - self._means * 0.6).min())
        farthest = float((centres - self._means * 1.6).max())
        best = (np.inf, 0.0, np.zeros(len(centres)))
        for start in np.linspace(min(nearest, farthest), max(nearest, farthest), 60):
            factor = np.log(np.maximum(centres - start, 1e-3) / self._means)
            z = np.linalg.solve(self._root, factor)
            cost = float(z @ z)
            if cost < best[0]:
                best = (cost, float(start), z)
        return best[1], log(lasting), best[2]

    def rough(self) -> float:
        """How badly it fits by these; small is good."""
        start, lasting, z = self._start
        parameters = np.concatenate(([start, lasting, self._rough_mass()], z, np.zeros(len(z))))
        return float((self._residuals(parameters) ** 2).sum()) / 2 - log(self._candidate.prior)

    def _rough_mass(self) -> float:
        start, lasting, z = self._start
        above = below = 0.0
        for curve, shape in self._shapes(start, lasting, z, np.zeros(len(z))):
            above += float((curve.values * shape / curve.sigma**2).sum())
            below += float((shape**2 / curve.sigma**2).sum())
        return log(max(above / max(below, 1e-300), 1e-12))

    def _shapes(
        self, start: float, lasting: float, z: Floats, level: Floats
    ) -> list[tuple[_Curve, Floats]]:
        """Per curve what one gram would have made of it."""
        factors = np.exp(self._root @ z)
        usual = float(np.exp(np.mean(np.log(factors))))
        span = exp(lasting)
        levels = np.exp(_LEVEL * level)
        of = [
            *zip(self._seen, factors, levels, strict=True),
            *((one, usual, 1.0) for one in self._blank),
        ]
        found = []
        for curve, factor, height in of:
            cumulated = self._responses[curve.station].cumulated
            since = (curve.times - start) / factor / self._step_s
            until = since - span / factor / self._step_s
            grid = np.arange(len(cumulated))
            passed = np.interp(since, grid, cumulated) - np.interp(until, grid, cumulated)
            found.append((curve, passed * height * factor / span))
        return found

    def _residuals(self, parameters: Floats) -> Floats:
        start, lasting, log_mass = parameters[:3]
        z, level = np.split(parameters[3:], 2)
        lasting = min(max(float(lasting), 0.0), 14.0)
        mass = _exp(float(log_mass))
        parts = [
            (curve.values - mass * shape) / curve.sigma
            for curve, shape in self._shapes(float(start), lasting, z, level)
        ]
        usual, spread = _LASTING
        return np.concatenate([*parts, [(lasting - usual) / spread], z, level])

    def fit(self) -> _Fit:
        """The best explanation, and how much weight all explanations like it have."""
        start, lasting, z = self._start
        begun = np.concatenate(([start, lasting, self._rough_mass()], z, np.zeros(len(z))))
        scale = np.concatenate(([exp(lasting) / 2, 0.5, 0.2], np.ones(2 * len(z))))
        found = least_squares(
            self._residuals, begun, x_scale=scale, diff_step=1e-4, method="trf", max_nfev=40
        )
        curvature = found.jac.T @ found.jac + 1e-9 * np.diag(1 / scale**2)
        covariance = np.linalg.inv(curvature)
        _, size = np.linalg.slogdet(curvature)
        evidence = (
            -found.cost + log(self._candidate.prior) - size / 2 + len(begun) / 2 * log(2 * pi)
        )
        curves = [*self._seen, *self._blank]
        counted = sum(min(len(one.times), _COUNTED) for one in curves)
        residuals = found.fun[: -1 - 2 * len(z)]
        return _Fit(
            self._candidate,
            float(evidence),
            float(found.x[0]),
            sqrt(max(covariance[0, 0], 0.0)),
            float(found.x[2]),
            sqrt(max(covariance[2, 2], 0.0) + APART**2),  # the flow where it went in
            float(found.x[1]),
            float(residuals @ residuals) / max(counted, 1),
            counted,
        )
