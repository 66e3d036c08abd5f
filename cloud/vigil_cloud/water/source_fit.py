"""One possible source against what the stations saw: the best release, and how well it fits. Pure.

A release of constant rate, carried by velocities that are known to about a fifth: a factor of the
slowness that all reaches share, and one of each reach, so that stations on one way err together. A
station's response (``responses``) is delayed by its factor and widened by that and a half (the
variance of dispersion goes with the third power of the slowness), with a share of its own; what
the nodes say of flows (``flow_balance``) ties both to its height. Least
squares by Levenberg and Marquardt with exact derivatives, from several beginnings, and over
durations one by one: of a short release only start and duration together are seen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import exp, hypot, log, pi, sqrt
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from vigil_cloud.water.descent import Place, descended, middle, settled
from vigil_cloud.water.flow_balance import Balance
from vigil_cloud.water.responses import Response
from vigil_cloud.water.station_curves import Curve

Floats = NDArray[np.float64]
_WIDTH: Final = 0.02
"""Of the logarithm of a curve's width at one station: a reach is not of one section."""
_SHORTEST_S: Final = 1.0
"""A station at the outfall itself: factors of a travel time need one."""
_LONGEST_LOG: Final = 14.0
_STEPS: Final = 40
_BEGINNING: Final = 4
"""Steps from each beginning, before the best of them goes on."""
_SURE: Final = 0.1
"""Standard deviation of the logarithm of a duration, up to which one normal distribution says all
of it."""
_COARSEST: Final = 0.5
"""Between the logarithms of durations that are tried."""
_TRIED: Final = 8
"""To each side."""
_HELD_STEPS: Final = 6
_NEAR: Final = 1e-4
"""Damping beside the best."""
_UNLIKELY: Final = 6.0
"""So much less likely (a logarithm) than the best, a duration counts for nothing."""
_BANK_S: Final = 10.0
_OF_STEP: Final = 0.25
_WIDER: Final = 1.5
START, LASTING, MASS, ALL, _FIRST = range(5)
"""Places of the parameters; after them what each station's factor and width are made of, its level,
and the width of all."""


class Known(NamedTuple):
    """How well a network and a release are known beforehand."""

    velocity: float = 0.2
    """The share by which registered velocities may be off, in common and each by itself; and by
    which the water of a reach comes to its end slower, or faster, than on its mean."""
    dispersion: float = 0.2
    """The same of dispersion."""
    lasting_s: tuple[float, float] = (2400.0, 3.32)
    """Of the release's duration: the middle, and the factor of one standard deviation."""

    @property
    def slowness_sd(self) -> float:
        """Standard deviation of the logarithm, evenly within that share."""
        return self.velocity / sqrt(3)

    @property
    def width_sd(self) -> float:
        """Of the logarithm of a width, which goes with the root of dispersion."""
        return self.dispersion / sqrt(3) / 2


class Fit(NamedTuple):
    """The best release of one source. Times in seconds, mass in grams."""

    evidence: float
    """Logarithm, without the source's prior; comparable between sources of one case."""
    start_s: float
    start_sd: float
    log_mass: float
    log_mass_sd: float
    log_lasting: float
    factor: float
    """By which all water was slower than it is thought to be."""
    misfit: float
    counted: int


class _Lasted(NamedTuple):
    """What a release was like if it lasted for so long."""

    evidence: float
    start: tuple[float, float]
    """Middle and standard deviation."""
    log_mass: tuple[float, float]


_USUAL: Final = Known()


def _widening(response: Response) -> float:
    """By how much the logarithm of its width grows with that of how slow all water is."""
    parts = response.spread_s2.values()
    grows = sum(3 * one.dispersion + one.storage for one in parts) / 2
    return grows / max(response.variance_s2, _SHORTEST_S**2)


class Trial:
    """One source against the curves: those that saw something, then those that saw nothing."""

    def __init__(
        self,
        responses: Mapping[str, Response],
        seen: Sequence[Curve],
        blank: Sequence[Curve],
        step_s: float,
        balance: Balance,
        known: Known = _USUAL,
    ) -> None:
        self._seen, count = seen, len(seen)
        self._common, self._known = known.slowness_sd, known
        self._lasting = (log(known.lasting_s[0]), log(known.lasting_s[1]))
        curves = [*seen, *blank]
        of = [responses[one.station] for one in curves]
        self._step_s = step_s
        self._mean = np.maximum([one.mean_s for one in of], _SHORTEST_S)
        self._total = np.stack([one.cumulated for one in of])
        self._spread = [one.variance_s2 for one in of[:count]]
        self._times = np.concatenate([one.times for one in curves])
        self._values = np.concatenate([one.values for one in curves])
        self._sigma = np.concatenate([one.sigma for one in curves])
        self._station = np.repeat(np.arange(len(curves)), [len(one.times) for one in curves])
        self._counted = sum(one.counted for one in curves)
        self._own, self._widens, self._heights = self._roots(of[:count], balance)
        self._wider = [_widening(one) for one in of]
        self._describe(count, len(curves))
        self._place = self._begun()

    def _roots(self, of: Sequence[Response], balance: Balance) -> tuple[Floats, Floats, Floats]:
        """Of the covariance of the logarithms of the stations' delays, widths and heights, what all
        reaches share aside. A slow reach delays by its share of the time and widens by its share
        of the variance, at every station below it alike, and little water dilutes little: all
        three err together. How a velocity changes within a reach delays what goes through a part
        of it."""
        names = sorted({name for one in of for name in (*one.travel_s, *one.grows)})
        count = len(of)
        delays, widths, dispersions, heights, uneven = np.zeros((5, count, len(names)))
        for row, one in enumerate(of):
            variance = max(one.variance_s2, _SHORTEST_S**2)
            for column, name in enumerate(names):
                heights[row, column] = one.grows.get(name, 0.0)
                uneven[row, column] = one.uneven_s.get(name, 0.0) / self._mean[row]
                if name not in one.travel_s:
                    continue
                delays[row, column] = -one.travel_s[name] / self._mean[row]
                part = one.spread_s2[name]
                widths[row, column] = -(3 * part.dispersion + part.storage) / variance / 2
                dispersions[row, column] = part.dispersion / variance / 2
        moved = np.concatenate((delays, widths, heights))
        covariance = moved @ balance.covariance(names) @ moved.T
        covariance[:count, :count] += uneven @ uneven.T
        own = [hypot(a.level_sd, b.doubt) for a, b in zip(self._seen, of, strict=True)]
        covariance += np.diag(np.concatenate((np.repeat([1e-4, _WIDTH], count), own)) ** 2)
        spread = (2 * self._known.width_sd) ** 2 * dispersions @ dispersions.T
        covariance[count : 2 * count, count : 2 * count] += spread
        root = np.asarray(np.linalg.cholesky(covariance))
        return root[:count], root[count : 2 * count], root[2 * count :]

    def _describe(self, seen: int, stations: int) -> None:
        """Delay, width and height of each station are linear in the parameters."""
        size = _FIRST + 3 * seen + 1
        delay, level, width = np.zeros((3, stations, size))
        own = _FIRST + np.arange(3 * seen)
        delay[:, ALL] = self._common
        delay[:seen, own] = self._own
        delay[seen:, own] = self._own.mean(axis=0)  # what saw nothing is passed as the others are
        level[:, ALL] = self._common
        level[:seen, own] = self._heights
        width[:, ALL] = self._common * np.array(self._wider)
        width[:seen, own] = self._widens
        width[seen:, own] = _WIDER * delay[seen:, own]
        width[:, -1] = self._known.width_sd
        self._delay, self._level, self._width = delay, level, width
        self._weight = np.ones(size)
        self._weight[[START, MASS]] = 0.0
        self._weight[LASTING] = 1 / self._lasting[1]
        self._usual = np.zeros(size)
        self._usual[LASTING] = self._lasting[0]

    def _begun(self) -> Place:
        """Start, duration and factors by the curves' moments alone, the mass by least squares; of
        a few durations, each with and without factors, the best after a few steps."""
        count = len(self._seen)
        first = int(np.argmin(self._mean[:count]))
        spare = max(self._seen[first].variance_s2 - self._spread[first], 0.0)
        tried = (min(max(sqrt(12 * spare), 300.0), 8 * 3600.0), 900.0, 5400.0)
        starts = [self._started(lasting) for lasting in tried]
        plain = self._usual.copy()
        plain[START] = self._seen[first].mean_s - tried[0] / 2 - self._mean[first]
        plain[LASTING] = log(tried[0])
        starts.append(self._weighed(plain))
        found = [descended(self._at, self._at(one), _BEGINNING) for one in starts]
        return min(found, key=lambda one: one.cost)

    def _started(self, lasting: float) -> Floats:
        count = len(self._seen)
        mean = self._mean[:count]
        centres = np.array([one.mean_s for one in self._seen]) - lasting / 2
        covariance = self._common**2 + self._own @ self._own.T
        inverse = np.linalg.inv(covariance)
        starts = np.linspace((centres - mean * 1.7).min(), (centres - mean * 0.55).max(), 80)
        factors = np.log(np.maximum(centres[None, :] - starts[:, None], 1e-3) / mean)
        costs = np.einsum("ij,jk,ik->i", factors, inverse, factors)
        best = int(np.argmin(costs))
        pulled = inverse @ factors[best]
        parameters = self._usual.copy()
        parameters[START], parameters[LASTING] = starts[best], log(lasting)
        parameters[ALL] = self._common * pulled.sum()
        parameters[_FIRST : _FIRST + 3 * count] = self._own.T @ pulled
        return self._weighed(parameters)

    def _weighed(self, parameters: Floats) -> Floats:
        """With the mass that fits the others best."""
        parameters[MASS] = 0.0
        shape = self._shape(parameters)[0]
        weight = shape / self._sigma**2
        above, below = float(weight @ self._values), float(weight @ shape)
        parameters[MASS] = log(max(above / max(below, 1e-300), 1e-12))
        return parameters

    def _shape(self, parameters: Floats) -> tuple[Floats, Floats]:
        """What the stations would have seen, and its derivatives by the parameters."""
        station = self._station
        delay = (self._delay @ parameters)[station]
        narrow = np.exp(-(self._width @ parameters))[station]
        mean = self._mean[station]
        late = mean * np.exp(delay)
        lasting = exp(min(max(float(parameters[LASTING]), 0.0), _LONGEST_LOG))
        level = (self._level @ parameters)[station]
        mass = exp(min(max(float(parameters[MASS]), -60.0), 60.0))
        scale = mass / lasting * np.exp(level)
        began = (self._times - parameters[START] - late) * narrow + mean
        ended = began - lasting * narrow
        (so_far, rate), (before, rate_before) = self._passed(began), self._passed(ended)
        value = scale * (so_far - before)
        moves = scale * (rate - rate_before) * narrow
        widens = scale * (rate_before * (ended - mean) - rate * (began - mean))
        slope = (-moves * late)[:, None] * self._delay[station]
        slope += widens[:, None] * self._width[station]
        slope += value[:, None] * self._level[station]
        slope[:, START] -= moves
        slope[:, LASTING] += scale * rate_before * lasting * narrow - value
        slope[:, MASS] += value
        return value, slope

    def _passed(self, since: Floats) -> tuple[Floats, Floats]:
        """How much of a gram has passed, s/m³, and at which rate."""
        last = self._total.shape[1] - 1
        place = np.clip(since / self._step_s, 0.0, last - 1e-9)
        cell = place.astype(int)
        lower, upper = self._total[self._station, cell], self._total[self._station, cell + 1]
        inside = (since > 0) & (since < last * self._step_s)
        rate = np.where(inside, (upper - lower) / self._step_s, 0.0)
        return lower + (place - cell) * (upper - lower), rate

    def _residuals(self, parameters: Floats) -> tuple[Floats, Floats]:
        value, slope = self._shape(parameters)
        data = (self._values - value) / self._sigma
        prior = self._weight * (parameters - self._usual)
        return np.concatenate((data, prior)), slope

    def _at(self, parameters: Floats) -> Place:
        residuals, slope = self._residuals(parameters)
        count = len(self._values)
        scaled = slope / self._sigma[:, None]
        data, prior = residuals[:count], residuals[count:]
        curvature = scaled.T @ scaled + np.diag(self._weight**2)
        downhill = scaled.T @ data - self._weight * prior
        cost = float(residuals @ residuals) / 2
        return Place(parameters, cost, curvature, downhill, float(data @ data))

    def improve(self, steps: int) -> float:
        """Go on towards the best fit; how badly it fits then."""
        self._place = descended(self._at, self._place, steps)
        return self._place.cost

    def fit(self) -> Fit:
        """The best explanation, and how much weight all explanations like it have."""
        self.improve(_STEPS)
        best = self._place
        lasted = self._lastings(best)
        likeliest = max(one.evidence for one in lasted)
        weights = np.exp([one.evidence - likeliest for one in lasted])
        start, start_sd = middle([one.start for one in lasted], weights)
        log_mass, log_mass_sd = middle([one.log_mass for one in lasted], weights)
        return Fit(
            evidence=likeliest + log(float(weights.sum())),
            start_s=start,
            start_sd=hypot(start_sd, self._blurred_s()),
            log_mass=log_mass,
            log_mass_sd=log_mass_sd,
            log_lasting=float(best.parameters[LASTING]),
            factor=exp(self._common * float(best.parameters[ALL])),
            misfit=best.square / max(self._counted, 1),
            counted=self._counted,
        )

    def _lastings(self, best: Place) -> list[_Lasted]:
        """Durations that explain what was seen, each by Laplace's approximation; one where it is
        known well."""
        every = np.arange(len(best.parameters))
        off = sqrt(max(float(settled(best.curvature)[0][LASTING, LASTING]), 0.0))
        if off <= _SURE:
            return [self._lasted(best, every, 0.0)]
        free, step = np.delete(every, LASTING), min(off, _COARSEST)
        found = [self._lasted(best, free, log(step))]
        highest = found[0].evidence
        for side in (-step, step):
            place = best
            for _ in range(_TRIED):
                moved = place.parameters.copy()
                moved[LASTING] += side
                begun = self._at(moved)._replace(damping=_NEAR)
                place = descended(self._at, begun, _HELD_STEPS, held=LASTING)
                one = self._lasted(place, free, log(step))
                highest = max(highest, one.evidence)
                if one.evidence < highest - _UNLIKELY:
                    break
                found.append(one)
        return found

    def _lasted(self, place: Place, free: NDArray[np.int_], log_step: float) -> _Lasted:
        """Of what is free; ``log_step``: of the durations that it stands for."""
        covariance, logarithm = settled(place.curvature[np.ix_(free, free)])

        def of(parameter: int) -> tuple[float, float]:
            at = int(np.flatnonzero(free == parameter)[0])
            return float(place.parameters[parameter]), sqrt(max(float(covariance[at, at]), 0.0))

        evidence = -place.cost - logarithm / 2 + len(free) / 2 * log(2 * pi) + log_step
        return _Lasted(evidence, of(START), of(MASS))

    def _blurred_s(self) -> float:
        """No start is known better than values follow each other, and a bank is mixed to."""
        return _BANK_S + _OF_STEP * min(one.step_s for one in self._seen)
