"""What becomes of a substance in a network of canals: a finite-volume solver.

Advection by van Leer's limited Lax-Wendroff fluxes (second order in space and time where the curve
is smooth, no new extremes where it is steep), dispersion by central differences, transient storage
and decay exactly over each step. A node has no volume: what comes to it, by flow and by dispersion,
leaves it again in the same step, so mass is kept. Cells may change their cross-section (tide).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vigil_sim.water.canals.flow import Flow, Waters
from vigil_sim.water.canals.plan import Canal, Place

Floats = NDArray[np.float64]
_COURANT: Final = 0.8
_DIFFUSIVE: Final = 0.3
_GONE: Final = 1e-5
"""So little of what was spilt is left: it has passed."""
_LOOKED: Final = 100


@dataclass(frozen=True, slots=True)
class Spill:
    """So many grams a second from an outfall, from one moment to another (seconds)."""

    outfall: Place
    rate_g_s: float
    from_s: float
    until_s: float


class _Grid:
    """All cells in one row; before and behind the cells of a canal stands its node."""

    def __init__(self, canals: Sequence[Canal], cells: Mapping[str, int]) -> None:
        self.canals = canals
        self.nodes = sorted({name for one in canals for name in (one.start, one.end)})
        number = {name: index for index, name in enumerate(self.nodes)}
        self.first: dict[str, int] = {}
        size = 0
        for one in canals:
            self.first[one.id] = size + 1
            size += cells[one.id] + 2
        self.cells, self.size = cells, size
        self.inner = np.zeros(size, bool)
        self.width = np.ones(size)
        of: dict[str, Floats] = {
            name: np.zeros(size) for name in ("dispersion", "share", "exchange", "decay")
        }
        for one in canals:
            part = self.part(one.id)
            self.inner[part] = True
            self.width[part] = one.length_m / cells[one.id]
            of["dispersion"][part] = one.dispersion_m2_s
            of["share"][part] = one.storage_share
            of["exchange"][part] = one.exchange_1_s
            of["decay"][part] = one.decay_1_s
        self.dispersion, self.share = of["dispersion"], of["share"]
        self.exchange, self.decay = of["exchange"], of["decay"]
        self.upper = np.array([self.first[one.id] - 1 for one in canals])
        self.lower = np.array([self.first[one.id] + cells[one.id] for one in canals])
        self.upper_node = np.array([number[one.start] for one in canals])
        self.lower_node = np.array([number[one.end] for one in canals])
        self.ends = np.concatenate((self.lower_node, self.upper_node))

    def part(self, canal: str) -> slice:
        return slice(self.first[canal], self.first[canal] + self.cells[canal])

    def at(self, place: Place) -> tuple[int, float]:
        """A cell, and how much of the place belongs to the next one. At the ends of a canal the
        next one is the node."""
        width = self.width[self.first[place.canal]]
        beyond = place.offset_m / width - 0.5
        cell = min(max(int(np.floor(beyond)), 0), self.cells[place.canal] - 2)
        return self.first[place.canal] + cell, min(max(beyond - cell, 0.0), 1.0)


class _Moving:
    """The coefficients of one flow."""

    def __init__(self, grid: _Grid, flow: Flow) -> None:
        self.area = np.ones(grid.size)
        self.flux = np.zeros(grid.size - 1)
        """Through the face behind each cell or node, m³/s."""
        for one in grid.canals:
            part = grid.part(one.id)
            self.area[part] = flow.areas[one.id]
            self.flux[part.start - 1 : part.stop] = flow.faces[one.id]
        spread = self.area * grid.dispersion
        a, b = spread[:-1] / grid.width[:-1] * 2, spread[1:] / grid.width[1:] * 2
        both = grid.inner[:-1] & grid.inner[1:]
        one_sided = np.where(grid.inner[:-1], a, np.where(grid.inner[1:], b, 0.0))
        with np.errstate(divide="ignore", invalid="ignore"):
            self.mixing = np.where(both, np.where(a + b > 0, a * b / (a + b), 0.0), one_sided)
        self.volume = self.area * grid.width
        speed = np.maximum(np.abs(self.flux[:-1]), np.abs(self.flux[1:]))
        within = grid.inner[1:-1]
        courant = (speed / self.volume[1:-1])[within].max()
        diffusive = ((self.mixing[:-1] + self.mixing[1:]) / self.volume[1:-1])[within].max()
        self.longest_s = min(_COURANT / courant, 2 * _DIFFUSIVE / max(diffusive, 1e-12))
        """The longest stable step."""


class Plume:
    """Spills in the canals below them, with the flow of the whole network."""

    def __init__(self, waters: Waters, canals: Sequence[Canal]) -> None:
        """``canals``: those that are calculated; clean water joins from all others."""
        self._grid = _Grid(canals, waters.cells)

    def run(
        self,
        flow: Flow | Callable[[float], Flow],
        spills: Sequence[Spill],
        stations: Sequence[Place],
        until_s: float,
        *,
        from_s: float = 0.0,
        renewed_s: float = 300.0,
    ) -> tuple[Floats, Floats]:
        """Moments (s) and concentrations (g/m³) at the stations, shape (moments, stations), until
        nothing is left. A flow
        that changes is asked for every ``renewed_s``: the cross-sections at that moment, and what
        flows from then on for so long."""
        grid = self._grid
        moving = _Moving(grid, flow if isinstance(flow, Flow) else flow(from_s))
        stream, standing = np.zeros(grid.size), np.zeros(grid.size)
        at = [grid.at(one) for one in stations]
        cell = np.array([one[0] for one in at], int)
        beyond = np.array([one[1] for one in at])
        fed = [(one, grid.at(one.outfall)) for one in spills]
        fed_g = sum(one.rate_g_s * (one.until_s - one.from_s) for one in spills)
        done = max((one.until_s for one in spills), default=until_s)
        now, renewed, moments, found = from_s, from_s, [from_s], [np.zeros(len(at))]
        while now < until_s:
            end = until_s
            if not isinstance(flow, Flow):
                if now >= renewed + renewed_s:
                    renewed = now
                    moving = _Moving(grid, flow(now))
                end = min(end, renewed + renewed_s)
            step = min(moving.longest_s, end - now)
            for spill, (index, share) in fed:
                lasts = min(now + step, spill.until_s) - max(now, spill.from_s)
                if lasts > 0:
                    grams = spill.rate_g_s * lasts
                    stream[index] += grams * (1 - share) / moving.volume[index]
                    stream[index + 1] += grams * share / moving.volume[index + 1]
            _advance(grid, moving, stream, standing, step)
            now += step
            if len(moments) % _LOOKED == 0 and now > done:
                inside = float(((stream + grid.share * standing) * moving.volume)[grid.inner].sum())
                if inside < _GONE * fed_g:
                    break
            moments.append(now)
            found.append(stream[cell] * (1 - beyond) + stream[cell + 1] * beyond)
        return np.array(moments), np.array(found)


def _advance(grid: _Grid, moving: _Moving, stream: Floats, standing: Floats, step: float) -> None:
    _advect(grid, moving, stream, step)
    _spread(grid, moving, stream, step)
    _exchange(grid, stream, standing, step)


def _advect(grid: _Grid, moving: _Moving, stream: Floats, step: float) -> None:
    flux = moving.flux
    last, first = grid.lower - 1, grid.upper
    apart = stream[1:] - stream[:-1]
    apart[first] *= 2  # half a cell from a node
    apart[last] = apart[last - 2]
    product = apart[:-1] * apart[1:]
    whole = apart[:-1] + apart[1:]
    rises = np.zeros(grid.size)
    np.divide(2 * product, whole, out=rises[1:-1], where=(product > 0) & grid.inner[1:-1])
    passed = 0.5 * step * np.abs(flux)
    ahead = stream[:-1] + (0.5 - passed / moving.volume[:-1]) * rises[:-1]
    behind = stream[1:] - (0.5 - passed / moving.volume[1:]) * rises[1:]
    # At a node: what comes to it leaves it, diluted by what is clean. Where more arrives than goes
    # on, the rest leaves the network with what is in it.
    down, up = flux[last], flux[first]
    comes = np.bincount(
        grid.ends,
        np.concatenate((np.maximum(down, 0) * ahead[last], np.maximum(-up, 0) * behind[first])),
        len(grid.nodes),
    )
    goes, arrives = (
        np.bincount(grid.ends, np.concatenate(pair), len(grid.nodes))
        for pair in (
            (np.maximum(-down, 0), np.maximum(up, 0)),
            (np.maximum(down, 0), np.maximum(-up, 0)),
        )
    )
    out = np.maximum(goes, arrives)
    node = np.divide(comes, out, out=np.zeros_like(comes), where=out > 0)
    stream[first], stream[grid.lower] = node[grid.upper_node], node[grid.lower_node]
    ahead[first], behind[last] = stream[first], stream[grid.lower]
    moved = step * np.where(flux > 0, flux * ahead, flux * behind)
    _apply(grid, moving, stream, moved, step * flux)


def _spread(grid: _Grid, moving: _Moving, stream: Floats, step: float) -> None:
    mixing = moving.mixing
    last, first = grid.lower - 1, grid.upper
    weight = np.concatenate((mixing[last], mixing[first]))
    beside = np.concatenate((stream[last], stream[first + 1]))
    whole = np.bincount(grid.ends, weight, len(grid.nodes))
    comes = np.bincount(grid.ends, weight * beside, len(grid.nodes))
    node = np.divide(comes, whole, out=np.zeros_like(comes), where=whole > 0)
    stream[first], stream[grid.lower] = node[grid.upper_node], node[grid.lower_node]
    moved = step * mixing * (stream[:-1] - stream[1:])
    _apply(grid, moving, stream, moved, np.zeros_like(moved))


def _apply(grid: _Grid, moving: _Moving, stream: Floats, moved: Floats, water: Floats) -> None:
    """Grams and cubic metres that went through each face."""
    within = grid.inner[1:-1]
    held = stream[1:-1] * moving.volume[1:-1] + moved[:-1] - moved[1:]
    moving.volume[1:-1] += np.where(within, water[:-1] - water[1:], 0.0)
    stream[1:-1][within] = (held / moving.volume[1:-1])[within]


def _exchange(grid: _Grid, stream: Floats, standing: Floats, step: float) -> None:
    """With the standing water beside the stream, and decay in both: exact."""
    share = grid.share
    beside = share > 0
    if beside.any():
        share = share[beside]
        whole = (stream[beside] + share * standing[beside]) / (1 + share)
        apart = (stream[beside] - standing[beside]) * np.exp(
            -grid.exchange[beside] * (1 + 1 / share) * step
        )
        stream[beside] = whole + apart * share / (1 + share)
        standing[beside] = whole - apart / (1 + share)
    if grid.decay.any():
        left = np.exp(-grid.decay * step)
        stream *= left
        standing *= left
