"""Flows of a network that add up at its nodes, from sections and velocities that are a little off.
Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Final

import numpy as np

from vigil_cloud.water.channels import Channels

_OFF: Final = 0.115
"""Of a reach's flow: its velocity is known to about a fifth."""
_UNKNOWN: Final = 0.08
"""Of the flow at a node: ditches and seepage that nobody registered."""
_ROUNDS: Final = 6
_MOST: Final = 2000


def balanced(channels: Channels) -> Mapping[str, float]:
    """Flow at the beginning of each reach, m³/s: weighted least squares between what it says itself
    and what comes to and leaves its nodes. Where much more or less leaves than comes, that is
    believed (weights as of Cauchy's distribution): clean water joins, or some is drawn."""
    reaches = list(channels.reaches.values())
    given = np.array([one.flow_m3_s for one in reaches])
    if len(reaches) > _MOST:
        return {one.id: one.flow_m3_s for one in reaches}
    gains = [one.inflow_m3_s for one in reaches]
    into: dict[str, list[int]] = defaultdict(list)
    out_of: dict[str, list[int]] = defaultdict(list)
    for number, one in enumerate(reaches):
        into[one.end].append(number)
        out_of[one.start].append(number)
    nodes = [node for node in into if node in out_of]
    balance = np.zeros((len(nodes), len(reaches)))
    target = np.zeros(len(nodes))
    scale = np.zeros(len(nodes))
    for row, node in enumerate(nodes):
        balance[row, out_of[node]] += 1
        balance[row, into[node]] -= 1
        target[row] = sum(gains[number] for number in into[node])
        scale[row] = _UNKNOWN * max(given[into[node]].sum(), given[out_of[node]].sum())
    trust = (_OFF * given) ** 2
    # flows = given + trust Aᵀ (A trust Aᵀ + S)⁻¹ (target - A given)
    missing = target - balance @ given
    spread = (balance * trust) @ balance.T
    weights = np.ones(len(nodes))
    found = given
    for _ in range(_ROUNDS if nodes else 0):
        system = spread + np.diag(scale**2 / weights)
        found = given + trust * (balance.T @ np.linalg.solve(system, missing))
        left = (balance @ found - target) / scale
        # Of differences that the velocities' errors would explain nothing is doubted.
        usual = 1 + np.diag(spread) / scale**2
        weights = 1 / (1 + left**2 / usual * 2)
    found = np.clip(found, 0.3 * given, 3 * given)
    return {one.id: float(flow) for one, flow in zip(reaches, found, strict=True)}
