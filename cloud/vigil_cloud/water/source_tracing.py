"""Where a discharge came from: a posterior over outfalls, times and masses. Pure.

For each outfall (and each reach without one) what the stations saw is explained by one release that
lasted for a while (``source_fit``). Most candidates are ruled out by what their water passes and by
a few steps of the fit; the rest are fitted, and weighed by Laplace's approximation of their
evidence.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from math import exp, log, sqrt
from typing import Final, NamedTuple

import numpy as np

from vigil_cloud.water import sample_fit
from vigil_cloud.water.channels import Channels, Point, Reach
from vigil_cloud.water.responses import Responses, moments
from vigil_cloud.water.source_fit import Fit, Known, Trial
from vigil_cloud.water.station_curves import LEAST, Curve, Observed, curves

__all__ = ["Observed", "Suspect", "Traced", "trace"]

_FITTED: Final = 8
"""Candidates that are fitted whatever their first steps say."""
_HOPELESS: Final = 40.0
"""So much worse (a logarithm) by their first steps than the best, further ones are not fitted."""
_FIRST_STEPS: Final = 8
_CONTRADICTED: Final = 12.0
"""One sample alone rules nobody out: it may have been taken, or labelled, wrongly."""
_UNKNOWN: Final = log(0.02)
"""Prior of something else: no release of this network, or one that was not as it is thought."""
_LOOSER: Final = 3.0
"""Something else leaves residuals so many times larger."""
_ANYWHERE: Final = 0.1
"""The share of discharges that come from no registered outfall."""
_GRID: Final = 1024
_FINEST_GRID: Final = 8192
_HELD: Final = 8_000_000
"""Complex values that are kept of all reaches together (128 MB): thousands of them have a coarser
grid."""
_PER_CURVE: Final = 10
"""Steps of the grid of times in one standard deviation of the narrowest curve."""
_LONGEST_S: Final = 3 * 86400.0
"""What travels longer is traced only where it was looked at for as long."""
_Z90: Final = 1.6449
_MOST: Final = 60.0
"""Of a logarithm."""

Prior = Callable[[str, str | None], float]
"""Of a reach and an outfall (or ``None``): how many times as likely as others, from what is known
of them. 1: as likely."""


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
    offset_m: float = 0.0
    """Where on its reach."""
    slower: float = 1.0
    """The likeliest factor by which all water took longer than its velocities say."""


class Traced(NamedTuple):
    """Suspects, the likeliest first, and how far they can be believed."""

    suspects: list[Suspect]
    unexplained: float
    """Probability that it was none of them; with theirs it adds up to 1 where there are any."""
    misfit: float
    """Mean square of the residuals of the best of them, in their standard deviations: about 1 or
    less where it explains what was seen."""
    untried: int = 0
    """Candidates for which there was no time."""
    apart: Sequence[str] = ()
    """Stations that saw something which no water can have brought there and to the others."""


class _Candidate(NamedTuple):
    reach: str
    offset_m: float
    outfall: str | None
    prior: float


def trace(
    channels: Channels,
    observed: Mapping[str, Observed],
    prior: Prior | None = None,
    spare: Callable[[], bool] = lambda: True,
    lasting_s: tuple[float, float] | None = None,
) -> Traced:
    """Grab samples alone leave much open, and count where there is no curve of it. No suspects
    where no station has seen anything, or nobody's water passes those that have.
    ``spare``: whether there is time for a further candidate; the likeliest beforehand are tried
    first, a few in any case. ``lasting_s``: from how short to how long the release was, seconds,
    where that is known."""
    known = Known(channels.velocity_within, channels.dispersion_within)
    if lasting_s is not None:
        least, most = lasting_s
        known = known._replace(lasting_s=(sqrt(least * most), max((most / least) ** 0.25, 1.01)))
    every = curves(observed)
    shown = [one for one in every if one.seen]
    alone = not shown
    if alone and not (shown := _in_samples(every)):
        return Traced([], 0.0, 0.0)
    seen, above = _together(channels, shown)
    apart = sorted({one.station for one in shown} - {one.station for one in seen})
    responses = _responses(channels, every, seen, len(above))
    candidates = [one for one in _candidates(channels, prior) if one.reach in above]
    candidates.sort(key=lambda one: -one.prior)
    if alone:
        return _by_samples(candidates, responses, every, seen, known, spare)._replace(apart=apart)
    trials: list[tuple[_Candidate, float, Trial]] = []
    tried = 0
    for candidate in candidates:
        if tried >= _FITTED and not spare():
            break
        tried += 1
        for lowered, trial in _trials([candidate], responses, every, seen, known):
            trials.append((lowered, trial.improve(_FIRST_STEPS) - log(lowered.prior), trial))
    trials.sort(key=lambda one: one[1])
    fits = []
    for number, (candidate, rough, trial) in enumerate(trials):
        if number >= _FITTED and (rough > trials[0][1] + _HOPELESS or not spare()):
            break
        fits.append((candidate, trial.fit()))
    traced = _weighed(fits, [one.station for one in seen])
    return traced._replace(untried=len(candidates) - tried, apart=apart)


def _together(channels: Channels, shown: Sequence[Curve]) -> tuple[list[Curve], set[str]]:
    """Those that one release can have come past, and the reaches whose water comes past them all:
    the most, and of as many those that saw the most. A probe on an island, or on another branch,
    clears nobody."""
    passing = {one.station: _above(channels, [channels.points[one.station].reach]) for one in shown}
    every = sorted(set().union(*passing.values()))

    def worth(reach: str) -> tuple[int, float]:
        past = [one for one in shown if reach in passing[one.station]]
        return len(past), sum(float(one.values.max()) for one in past)

    most = max(every, key=worth)
    seen = [one for one in shown if most in passing[one.station]]
    return seen, set.intersection(*(passing[one.station] for one in seen))


def _above(channels: Channels, reaches: Sequence[str]) -> set[str]:
    """Reaches whose water comes past all of these, which are among them: of a whole city's network
    the others need no response."""
    into: dict[str, list[Reach]] = defaultdict(list)
    for one in channels.reaches.values():
        into[one.end].append(one)
    found: set[str] | None = None
    for name in reaches:
        passing, waiting = {name}, [channels.reaches[name].start]
        while waiting:
            for one in into[waiting.pop()]:
                if one.id not in passing:
                    passing.add(one.id)
                    waiting.append(one.start)
        found = passing if found is None else found & passing
    return found or set()


def _responses(
    channels: Channels, every: Sequence[Curve], seen: Sequence[Curve], reaches: int
) -> Responses:
    looked_at = max(float(one.times[-1]) for one in every) - min(
        float(one.times[0]) for one in every
    )
    longest = _longest_s(channels, [channels.points[one.station] for one in seen])
    period = max(min(longest, max(5.2 * looked_at, _LONGEST_S)), 60.0)
    narrowest = sqrt(max(min(one.variance_s2 for one in seen), 1.0))
    count, finest = _GRID, min(_FINEST_GRID, _HELD // max(reaches, 1))
    while period / count > narrowest / _PER_CURVE and 2 * count <= finest:
        count *= 2
    return Responses(channels, {one.station for one in every}, period_s=period, count=count)


def _trials(
    candidates: Sequence[_Candidate],
    responses: Responses,
    every: Sequence[Curve],
    seen: Sequence[Curve],
    known: Known,
) -> Iterator[tuple[_Candidate, Trial]]:
    for candidate in candidates:
        found = responses.of(candidate.reach, candidate.offset_m)
        if all(one.station in found and found[one.station].passes for one in seen):
            blank = [one for one in every if not one.seen and one.station in found]
            elsewhere = sum(_against(one) for one in every if one.station not in found)
            lowered = candidate._replace(prior=candidate.prior * exp(-elsewhere))
            yield lowered, Trial(found, seen, blank, responses.step_s, responses.balance, known)


def _in_samples(every: Sequence[Curve]) -> list[Curve]:
    """Grab samples that show more than the highest value of all the curves, which saw nothing."""
    noise = max((float(one.values.max()) for one in every if not one.sample), default=0.0)
    return [one for one in every if one.sample and float(one.values.max()) > max(noise, LEAST)]


def _by_samples(
    candidates: Sequence[_Candidate],
    responses: Responses,
    every: Sequence[Curve],
    seen: Sequence[Curve],
    known: Known,
    spare: Callable[[], bool],
) -> Traced:
    """Where no station has a curve of it."""
    fits: list[tuple[_Candidate, Fit]] = []
    tried = 0
    for candidate in candidates:
        if tried >= _FITTED and not spare():
            break
        tried += 1
        found = responses.of(candidate.reach, candidate.offset_m)
        if not all(one.station in found and found[one.station].passes for one in seen):
            continue
        there = [one for one in every if one.station in found]
        one = sample_fit.fit(found, there, responses.step_s, known)
        if one is not None:
            fits.append((candidate, one))
    traced = _weighed(fits, [one.station for one in seen])
    return traced._replace(untried=len(candidates) - tried)


def _against(curve: Curve) -> float:
    """How much (a logarithm) a sample that shows it speaks against a source that does not come past
    there."""
    if not curve.sample:
        return 0.0
    return min(float(((np.maximum(curve.values, 0.0) / curve.sigma) ** 2).sum()) / 2, _CONTRADICTED)


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


def _weighed(fits: Sequence[tuple[_Candidate, Fit]], seen: Sequence[str]) -> Traced:
    if not fits:
        return Traced([], 1.0, 0.0)
    evidences = [fit.evidence + log(candidate.prior) for candidate, fit in fits]
    first = int(np.argmax(evidences))
    best, highest = fits[first][1], evidences[first]
    # Something else: what the best leaves is noise that is larger than it was taken for.
    squares = best.misfit * best.counted / 2
    other = _UNKNOWN + squares * (1 - 1 / _LOOSER**2) - best.counted * log(_LOOSER)
    weights = [exp(one - highest) for one in evidences]
    whole = sum(weights)
    unexplained = 1 / (1 + whole * _exp(-other))
    suspects = [
        Suspect(
            candidate.reach,
            candidate.outfall,
            weight / whole * (1 - unexplained),
            (fit.start_s - _Z90 * fit.start_sd, fit.start_s + _Z90 * fit.start_sd),
            (
                _exp(fit.log_mass - _Z90 * fit.log_mass_sd),
                _exp(fit.log_mass + _Z90 * fit.log_mass_sd),
            ),
            _exp(fit.log_lasting),
            seen,
            candidate.offset_m,
            fit.factor,
        )
        for (candidate, fit), weight in zip(fits, weights, strict=True)
    ]
    suspects.sort(key=lambda one: -one.probability)
    return Traced(suspects, unexplained, best.misfit)


def _exp(value: float) -> float:
    """What the observations say nothing of has an interval without an end."""
    return exp(min(max(value, -_MOST), _MOST))


def _candidates(channels: Channels, prior: Prior | None) -> list[_Candidate]:
    outfalls = [one for one in channels.points.values() if one.kind == "outfall"]
    taken = {one.reach for one in outfalls}
    empty = [one for one in channels.reaches.values() if one.id not in taken]
    anywhere = (_ANYWHERE if outfalls else 1.0) / max(sum(one.length_m for one in empty), 1e-9)
    registered = (1 - _ANYWHERE if empty else 1.0) / max(len(outfalls), 1)

    def known(reach: str, outfall: str | None) -> float:
        return 1.0 if prior is None else max(prior(reach, outfall), 1e-6)

    return [
        *(
            _Candidate(one.reach, one.offset_m, one.id, registered * known(one.reach, one.id))
            for one in outfalls
        ),
        *(
            _Candidate(
                one.id, one.length_m / 2, None, anywhere * one.length_m * known(one.id, None)
            )
            for one in empty
        ),
    ]
