"""What flows in a network of canals: gradually varied flow in rectangular channels.

Flow follows from what enters above. Depths follow from the outlet upwards by the standard equation
``dh/dx = (S0 - Sf) / (1 - Fr2)`` with Manning's friction (Chow, *Open-Channel Hydraulics*, 1959,
chapter 9), in classical Runge-Kutta steps; at a node all canals have one water level. Where depths
change with time (tide, gates), the flow is what the continuity equation leaves of it:
``dQ/dx = -dA/dt``. So water runs backwards where the tide fills a canal faster than it is fed.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vigil_sim.water.canals.plan import OUTLET, Canal, Plan

Floats = NDArray[np.float64]
GRAVITY: Final = 9.81
_CLOSED: Final = 0.02
_ABOVE_CRITICAL: Final = 1.005
_LEAST_M: Final = 0.05
_TIDE_S: Final = 44_712.0
"""M2: 12.42 hours."""


def normal_depth(flow: float, width: float, slope: float, manning: float) -> float:
    """At which friction takes what the slope gives, m. By bisection."""
    low, high = 1e-4, 50.0
    for _ in range(80):
        depth = (low + high) / 2
        if _conveyed(depth, width, manning) * math.sqrt(slope) < flow:
            low = depth
        else:
            high = depth
    return (low + high) / 2


def _conveyed(depth: float, width: float, manning: float) -> float:
    area = width * depth
    return float(area * (area / (width + 2 * depth)) ** (2 / 3) / manning)


def profile(  # noqa: PLR0913 - what a canal is, by name
    flow: Callable[[float], float],
    slope: Callable[[float], float],
    downstream_m: float,
    places: Sequence[float],
    *,
    width: float,
    manning: float,
    walls: bool = True,
) -> Floats:
    """Depths (m) at places (m along the canal, ascending), from the depth at the last of them.
    Subcritical: a depth is kept above the critical one. ``walls``: whether they rub."""

    def steepness(x: float, depth: float) -> float:
        q = flow(x)
        depth = max(
            depth, _ABOVE_CRITICAL * (q * q / (GRAVITY * width * width)) ** (1 / 3), _LEAST_M
        )
        area = width * depth
        radius = area / (width + 2 * depth) if walls else depth
        friction = manning * manning * q * abs(q) / (area * area * radius ** (4 / 3))
        return float((slope(x) - friction) / (1 - q * q / (GRAVITY * width * width * depth**3)))

    depths = np.empty(len(places))
    depths[-1] = downstream_m
    for i in range(len(places) - 1, 0, -1):
        x, h = places[i], float(depths[i])
        step = places[i - 1] - x
        k1 = steepness(x, h)
        k2 = steepness(x + step / 2, h + step / 2 * k1)
        k3 = steepness(x + step / 2, h + step / 2 * k2)
        k4 = steepness(x + step, h + step * k3)
        depths[i - 1] = max(h + step / 6 * (k1 + 2 * k2 + 2 * k3 + k4), _LEAST_M)
    return depths


@dataclass(frozen=True, slots=True)
class Flow:
    """Of each canal at one moment: flow through the faces of its cells (m³/s, one more than there
    are cells, above 0 downstream) and the cross-section of the cells (m²)."""

    faces: Mapping[str, Floats]
    areas: Mapping[str, Floats]


class Waters:
    """The flow of one plan on cells of about ``cell_m``."""

    def __init__(self, plan: Plan, cell_m: float) -> None:
        self.plan = plan
        self.cells = {one.id: max(4, round(one.length_m / cell_m)) for one in plan.canals}
        self._order = plan.downwards()
        self._out: dict[str, list[Canal]] = defaultdict(list)
        for one in self._order:
            self._out[one.start].append(one)

    def steady(self) -> Flow:
        """With every gate open, at mean tide."""
        flows = self._flows(lambda _: 1.0, {})
        return Flow(flows, self._areas(flows, 0.0))

    def during(self, seconds: float, lasts_s: float) -> Flow:
        """Cross-sections at a moment (seconds from midnight), and what flows from then on for
        ``lasts_s``: it fills or empties the canals up to how they are afterwards."""
        now, then = self._filled(seconds), self._filled(seconds + lasts_s)
        taken = {
            one.id: (then[one.id] - now[one.id]) / lasts_s * one.length_m / self.cells[one.id]
            for one in self._order
        }
        return Flow(self._flows(lambda one: self._opening(one, seconds), taken), now)

    def _filled(self, seconds: float) -> Mapping[str, Floats]:
        tide = self.plan.tide_m * math.sin(2 * math.pi * seconds / _TIDE_S)
        return self._areas(self._flows(lambda one: self._opening(one, seconds), {}), tide)

    def _opening(self, canal: Canal, seconds: float) -> float:
        for gate in self.plan.gates:
            if gate.canal == canal.id:
                open_ = gate.opens_s <= seconds % 86_400 < gate.shuts_s
                return 1.0 if open_ else _CLOSED
        return 1.0

    def _flows(
        self, opening: Callable[[Canal], float], filled: Mapping[str, Floats]
    ) -> dict[str, Floats]:
        """From above: what a canal brings to a node is split by width and opening."""
        arrived: dict[str, float] = defaultdict(float, self.plan.inflows)
        found: dict[str, Floats] = {}
        for one in self._order:
            widths = {other.id: other.width_m * opening(other) for other in self._out[one.start]}
            begins = arrived[one.start] * widths[one.id] / sum(widths.values())
            taken = np.concatenate(
                ([0.0], np.cumsum(filled.get(one.id, np.zeros(self.cells[one.id]))))
            )
            found[one.id] = begins - taken
            arrived[one.end] += float(found[one.id][-1])
        return found

    def _areas(self, flows: Mapping[str, Floats], tide_m: float) -> dict[str, Floats]:
        """From below: one water level at each node."""
        levels: dict[str, float] = {}
        found: dict[str, Floats] = {}
        for one in reversed(self._order):
            faces = np.linspace(0, one.length_m, self.cells[one.id] + 1)
            flow = flows[one.id]
            usual = normal_depth(max(float(flow[-1]), 1e-3), one.width_m, one.slope, one.manning)
            below = levels.get(one.end, usual + tide_m if one.end == OUTLET else usual)
            depths = profile(
                lambda x, faces=faces, flow=flow: float(np.interp(x, faces, flow)),  # type: ignore[misc]  # the defaults bind this canal
                lambda _, one=one: one.slope,  # type: ignore[misc]
                max(below, _LEAST_M),
                faces.tolist(),
                width=one.width_m,
                manning=one.manning,
            )
            levels[one.start] = max(float(depths[0]), levels.get(one.start, 0.0))
            found[one.id] = one.width_m * (depths[:-1] + depths[1:]) / 2
        return found
