"""Flows of a network that add up at its nodes, from velocities that are a little off. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vigil_cloud.water.channels import Channels, Reach

Floats = NDArray[np.float64]
_UNKNOWN: Final = 0.08
"""Of the flow at a node: ditches and seepage that nobody registered."""
_ROUNDS: Final = 6
_MOST: Final = 2000


@dataclass(frozen=True, slots=True)
class Balance:
    """What reaches say of themselves and what their nodes need, together."""

    flows: Mapping[str, float]
    """At the beginning of each reach, m³/s."""
    faster: Mapping[str, float]
    """By how many times each reach runs faster than it says."""
    number: Mapping[str, int]
    off: Floats | None
    """Covariance of what logarithms of velocities, and so of flows, are still off by; ``None``:
    each by itself, as it was given."""
    sd: float
    """Of each of them before the nodes were asked."""

    def covariance(self, names: Sequence[str]) -> Floats:
        """Of these reaches."""
        if self.off is None:
            return np.asarray(self.sd**2 * np.eye(len(names)))
        at = [self.number[name] for name in names]
        return np.asarray(self.off[np.ix_(at, at)])


def balanced(channels: Channels) -> Balance:
    """Least squares between the logarithm of the flow that each reach says itself and what comes to
    and leaves its nodes. Where much more or less leaves than comes, that is believed (weights as
    of Cauchy's distribution): clean water joins, or some is drawn. What a flow turns out to be off
    by is its velocity's error: that of the section is part of it."""
    reaches = list(channels.reaches.values())
    number = {one.id: place for place, one in enumerate(reaches)}
    sd = channels.velocity_within / sqrt(3)
    given = np.array([one.flow_m3_s for one in reaches])
    off, covariance = np.zeros(len(reaches)), None
    if len(reaches) <= _MOST:
        off, covariance = _fitted(reaches, given, sd**2)
    return Balance(
        {name: float(given[at] * exp(off[at])) for name, at in number.items()},
        {name: exp(float(off[at])) for name, at in number.items()},
        number,
        covariance,
        sd,
    )


def _fitted(reaches: Sequence[Reach], given: Floats, variance: float) -> tuple[Floats, Floats]:
    """Logarithms by which flows are off, and their covariance."""
    balance, target = _nodes(reaches)
    into, out_of = np.maximum(-balance, 0) @ given, np.maximum(balance, 0) @ given
    scale = _UNKNOWN * np.maximum(into, out_of)
    weights, off = np.ones(len(target)), np.zeros(len(given))
    covariance = variance * np.eye(len(given))
    for number in range(_ROUNDS if len(target) else 0):
        slopes = balance * (given * np.exp(off))
        spread = variance * _squared(slopes)
        firm = spread + np.diag(scale**2 / weights)
        missing = target - balance @ (given * np.exp(off)) + slopes @ off
        if number == _ROUNDS - 1:  # of all the rounds the last alone says how well it is known
            gain = variance * np.linalg.solve(firm, slopes).T
            covariance = variance * (np.eye(len(given)) - gain @ slopes)
        off = np.clip(variance * slopes.T @ np.linalg.solve(firm, missing), -1.0, 1.0)
        left = (balance @ (given * np.exp(off)) - target) / scale
        # Of differences that the velocities' errors would explain nothing is doubted.
        usual = 1 + np.diag(spread) / scale**2
        weights = 1 / (1 + left**2 / usual * 2)
    return off, (covariance + covariance.T) / 2


def _squared(slopes: Floats) -> Floats:
    """``slopes @ slopes.T``; each reach has two nodes at most."""
    found = np.diag((slopes**2).sum(axis=1))
    above, below = slopes.argmax(axis=0), slopes.argmin(axis=0)
    both = np.flatnonzero((slopes.max(axis=0) > 0) & (slopes.min(axis=0) < 0))
    product = slopes[above[both], both] * slopes[below[both], both]
    np.add.at(found, (above[both], below[both]), product)
    np.add.at(found, (below[both], above[both]), product)
    return found


def _nodes(reaches: Sequence[Reach]) -> tuple[Floats, Floats]:
    """Of each node that has reaches above and below it: what leaves less what comes, by reach, and
    what joins on the way."""
    into: dict[str, list[int]] = defaultdict(list)
    out_of: dict[str, list[int]] = defaultdict(list)
    for place, one in enumerate(reaches):
        into[one.end].append(place)
        out_of[one.start].append(place)
    nodes = [node for node in into if node in out_of]
    balance, target = np.zeros((len(nodes), len(reaches))), np.zeros(len(nodes))
    for row, node in enumerate(nodes):
        balance[row, out_of[node]] += 1
        balance[row, into[node]] -= 1
        target[row] = sum(reaches[place].inflow_m3_s for place in into[node])
    return balance, target
