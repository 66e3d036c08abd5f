"""Where a discharge came from: a posterior over outfalls, times and masses. Pure.

For each outfall (and each reach without one) what the stations saw is explained by one release that
lasted for a while, carried by velocities that are known to about a fifth: a factor that all reaches
share, and one of each reach, so that stations on the same way err together. Most candidates are
ruled out by what their water passes and by the moments of the curves; the rest are fitted, and
weighed by Laplace's approximation of their evidence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, log, pi, sqrt
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from vigil_cloud.water.channels import Channels
from vigil_cloud.water.responses import Response, Responses

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
"""Candidates that are fitted in the end."""
_LASTING: Final = (log(2400.0), 1.2)
"""Mean and standard deviation of the logarithm of a release's duration in seconds."""
_ANYWHERE: Final = 0.1
"""The share of discharges that come from no registered outfall."""
_GRID: Final = 1024
_Z90: Final = 1.6449


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


def trace(channels: Channels, observed: Mapping[str, Observed]) -> list[Suspect]:
    """Suspects, the likeliest first; none where no station has seen anything, or nobody's water
    passes those that have."""
    curves = _curves(observed)
    seen = [one for one in curves if one.seen]
    if not seen:
        return []
    begin = min(float(one.times[0]) for one in curves)
    end = max(float(one.times[-1]) for one in curves)
    longest = sum(one.length_m / one.velocity_m_s for one in channels.reaches.values())
    responses = Responses(channels, period_s=min(longest, 4 * (end - begin)) * 1.3, count=_GRID)
    ranked: list[tuple[float, _Trial]] = []
    for candidate in _candidates(channels):
        found = responses.of(candidate.reach, candidate.offset_m)
        if all(one.station in found for one in seen):
            trial = _Trial(candidate, found, curves, responses.step_s)
            ranked.append((trial.rough(), trial))
    ranked.sort(key=lambda pair: pair[0])
    fits = [trial.fit() for _, trial in ranked[:_FITTED]]
    return _weighed(fits, [one.station for one in seen])


def _weighed(fits: Sequence[_Fit], seen: Sequence[str]) -> list[Suspect]:
    if not fits:
        return []
    best = max(one.evidence for one in fits)
    weights = [exp(one.evidence - best) for one in fits]
    suspects = [
        Suspect(
            fit.candidate.reach,
            fit.candidate.outfall,
            weight / sum(weights),
            (fit.start - _Z90 * fit.start_sd, fit.start + _Z90 * fit.start_sd),
            (
                exp(fit.log_mass - _Z90 * fit.log_mass_sd),
                exp(fit.log_mass + _Z90 * fit.log_mass_sd),
            ),
            exp(fit.log_lasting),
            seen,
        )
        for fit, weight in zip(fits, weights, strict=True)
    ]
    return sorted(suspects, key=lambda one: -one.probability)


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
        every = max(1, len(all_times) // _KEPT)
        times, values = all_times[::every], all_values[::every]
        peak = float(values.max())
        low = values[np.abs(values) <= max(0.1 * peak, 0.0)]
        noise = 1.4826 * float(np.median(np.abs(low - np.median(low)))) if len(low) else 0.0
        floor = max(noise, 0.003 * highest, _OF_PEAK * peak, 1e-12)
        sigma = np.sqrt((_RELATIVE * values) ** 2 + floor**2)
        sigma *= sqrt(max(1.0, len(times) / _COUNTED))
        weights = np.gradient(times) * np.where(values > 2 * floor, values, 0.0)
        total = float(weights.sum())
        mean = float((weights * times).sum() / total) if total > 0 else 0.0
        variance = float((weights * (times - mean) ** 2).sum() / total) if total > 0 else 0.0
        seen = peak > max(_SEEN * noise, 0.01 * highest) and total > 0
        curves.append(_Curve(station, times, values, sigma, seen, mean, variance, total))
    return curves


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
        shares = np.array(
            [[one.travel_s.get(name, 0.0) / one.mean_s for name in names] for one in passed]
        )
        covariance = COMMON**2 + APART**2 * shares @ shares.T + 1e-6 * np.eye(len(passed))
        self._root = np.linalg.cholesky(covariance)
        self._means = np.array([one.mean_s for one in passed])
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
        mass = exp(min(max(float(log_mass), -60.0), 60.0))
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
        return _Fit(
            self._candidate,
            float(evidence),
            float(found.x[0]),
            sqrt(max(covariance[0, 0], 0.0)),
            float(found.x[2]),
            sqrt(max(covariance[2, 2], 0.0) + APART**2),  # the flow where it went in
            float(found.x[1]),
        )
