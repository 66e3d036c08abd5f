"""Sound that was cut off below full scale: an amplifier, a limiter or a gain before or behind the
converter ran out of range. Pure.

Two signs, both at one ceiling that is never exceeded:

- *Flat crests.* Sound goes through its crests in a curve: where three samples are the same (to
  the step of the converter), their neighbours are a few steps lower at most. A crest that was
  cut off is flat and falls off its edge. One may be chance; the same height again is not.
- *Amplitudes piled up.* Of noise ever fewer samples reach ever greater heights, and of a tone
  √10 times as many lie within ten times as small a distance of its peak. Where many lie at the
  end, from different neighbours, and hardly any just below it, the rest was cut off.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
import numpy.typing as npt

from vigil_edge.noise.meter.weighting import Samples

SHORTEST: Final = 3
"""Samples of a flat crest."""
_WOBBLE_STEPS: Final = 1.5
"""What dither adds to a flat crest, in steps of the converter."""
_EDGE_STEPS: Final = 12.0
"""A crest of n equal samples that is a parabola falls by (1 + 2/n)² steps beside them: 3 at most;
with the wobble 8."""
_AGAIN: Final = 3
"""Crests at one ceiling that are no chance."""
_LONG: Final = 6
_EDGE_SHARE: Final = 0.05
"""Of the swing: one crest that is as long and falls as far is no chance either."""
_PILE: Final = 8
_DIFFERENT: Final = 6
"""Neighbours: a tone whose period is a whole number of samples has the same ones each time."""
_ALIKE: Final = 1e-3
"""Of the swing: neighbours that differ by less are the same."""
_FORGET_S: Final = 60.0
"""A ceiling that nothing has reached for so long may have been a knock or a start-up."""
_CONTINUOUS: Final = 2.0**-20
"""Of the swing: the step of values that lie on no grid."""
_COARSE: Final = 64
"""Steps: what swings through fewer has flat crests by itself."""


@dataclass(slots=True)
class _Ceiling:
    """The highest that a stream has reached; the lowest is that of the stream turned over."""

    rate_hz: int
    _top: float = -np.inf
    _crests: int = 0
    _since: int = 0
    """Samples since it was reached."""

    def feed(self, units: Samples, sign: int, top: float, swing: float) -> npt.NDArray[np.intp]:
        """Where crests begin that were cut off, once they are known for what they are. ``sign``:
        -1 of a stream that is to be turned over; ``top``: the highest sample then, ``swing``: from
        the lowest to it."""
        none = np.zeros(0, dtype=np.intp)
        self._since += len(units)
        if top < self._top - abs(self._top) * 1e-3 and not self._is_forgotten:
            return none
        units = units if sign > 0 else -units
        step = _step(units, swing)
        wobble = _WOBBLE_STEPS * step
        if swing <= _COARSE * step or (top < self._top - wobble and not self._is_forgotten):
            return none
        if abs(top - self._top) > wobble:
            self._crests = 0
        self._top, self._since = top, 0
        begins, lengths, falls = _flat_crests(units, top - wobble)
        flat = (lengths >= SHORTEST) & (falls >= _EDGE_STEPS * step)
        self._crests += int(flat.sum())
        if ((lengths >= _LONG) & (falls >= _EDGE_SHARE * swing) & flat).any():
            self._crests = max(self._crests, _AGAIN)
        if _piled_up(units, top, swing, wobble):
            self._crests = max(self._crests, _AGAIN)
            return begins
        return begins[flat] if self._crests >= _AGAIN else none

    @property
    def _is_forgotten(self) -> bool:
        return self._since >= _FORGET_S * self.rate_hz


def _step(units: Samples, swing: float) -> float:
    """The step of the grid on which all values lie, as a converter's do; else next to nothing."""
    gaps = np.diff(np.unique(units))
    if not len(gaps):
        return swing
    smallest = float(gaps.min())
    multiples = gaps / smallest
    if np.abs(multiples - np.round(multiples)).max() < 0.01:
        return smallest
    return min(smallest, _CONTINUOUS * swing)


def _flat_crests(
    units: Samples, least: float
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], Samples]:
    """Of each run of samples at or above ``least`` that does not touch an end: where it begins,
    how long it is, and how far the nearer of its two neighbours lies below ``least``."""
    high = np.concatenate([[False], units >= least, [False]])
    edges = np.flatnonzero(high[1:] != high[:-1])
    begins, ends = edges[::2], edges[1::2]
    inside = (begins > 0) & (ends < len(units))
    begins, ends = begins[inside], ends[inside]
    falls = least - np.maximum(units[begins - 1], units[np.minimum(ends, len(units) - 1)])
    return begins, ends - begins, falls


def _piled_up(units: Samples, top: float, swing: float, wobble: float) -> bool:
    at_end = np.flatnonzero(units[1:] >= top - wobble)
    if len(at_end) < _PILE:
        return False
    below = int((units[1:] >= top - 10 * wobble).sum()) - len(at_end)
    before = np.unique(np.round(units[at_end] / max(10 * wobble, _ALIKE * swing)))
    return 2 * below < len(at_end) and len(before) >= _DIFFERENT


@dataclass(slots=True)
class Clipping:
    """Of one channel; feed it in order."""

    rate_hz: int
    _upper: _Ceiling = field(init=False)
    _lower: _Ceiling = field(init=False)

    def __post_init__(self) -> None:
        self._upper, self._lower = _Ceiling(self.rate_hz), _Ceiling(self.rate_hz)

    def feed(self, units: Samples, ends: tuple[float, float] | None = None) -> npt.NDArray[np.intp]:
        """Samples, shape (n,), in any unit: where crests begin that were cut off. ``ends``: the
        least and the most of them, where they are known."""
        least, most = ends or (float(units.min()), float(units.max()))
        upper = self._upper.feed(units, 1, most, most - least)
        lower = self._lower.feed(units, -1, -least, most - least)
        return np.concatenate([upper, lower])
