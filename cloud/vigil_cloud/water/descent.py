"""Downhill to the least squares, by Levenberg and Marquardt, and what is left open there. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import erf, sqrt
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_FIRST_DAMPING: Final = 1e-2
_ENOUGH: Final = 1e-3
"""Gained by a step: less, and it is there."""
_HALVINGS: Final = 40
_Z90: Final = 1.6449


class Place(NamedTuple):
    """Where a descent has come to."""

    parameters: Floats
    cost: float
    """Half of the squares."""
    curvature: Floats
    slope: Floats
    square: float
    """Of the data alone."""
    damping: float = _FIRST_DAMPING


At = Callable[[Floats], Place]


def descended(at: At, place: Place, steps: int, held: int | None = None) -> Place:
    """So many steps from a place; ``held``: the parameter that stays as it is."""
    free = np.arange(len(place.parameters))
    if held is not None:
        free = np.delete(free, held)
    for _ in range(steps):
        curvature = place.curvature[np.ix_(free, free)]
        damped = curvature + np.diag(place.damping * (np.diag(curvature) + 1e-12))
        tried = place.parameters.copy()
        tried[free] += np.linalg.solve(damped, place.slope[free])
        found = at(tried)
        gained = place.cost - found.cost
        if gained > 0:
            place = found._replace(damping=max(place.damping / 5, 1e-9))
            if gained < _ENOUGH:
                break
        else:
            place = place._replace(damping=place.damping * 8)
            if place.damping > 1e8:
                break
    return place


def settled(curvature: Floats) -> tuple[Floats, float]:
    """Covariance, and the logarithm of the curvature's determinant."""
    firm = curvature + 1e-12 * np.diag(np.diag(curvature) + 1e-9)
    return np.asarray(np.linalg.inv(firm)), float(np.linalg.slogdet(firm)[1])


def middle(parts: Sequence[tuple[float, float]], weights: Floats) -> tuple[float, float]:
    """Of normal distributions (middle and standard deviation) together: of one with the same 90 %
    as they have."""
    if len(parts) == 1:
        return parts[0]
    middles, deviations = np.array(parts).T
    deviations = np.maximum(deviations, 1e-9)
    shares = weights / weights.sum()

    def end(part: float) -> float:
        low = float((middles - 6 * deviations).min())
        high = float((middles + 6 * deviations).max())
        for _ in range(_HALVINGS):
            at = (low + high) / 2
            below = [(1 + erf(one)) / 2 for one in (at - middles) / deviations / sqrt(2)]
            low, high = (at, high) if float(shares @ below) < part else (low, at)
        return at

    first, last = end(0.05), end(0.95)
    return (first + last) / 2, (last - first) / 2 / _Z90
