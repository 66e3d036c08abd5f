"""What makes a second's levels doubtful: one flag for each, on the second it happened in. Pure.

A flagged second is measured and told as any other, but no case may rest on it.

- ``overload``: the input reached its limit. ``clipping``: crests were cut off below it.
- ``silent``: every sample the same. ``stuck``: the input gives one value, and no sound, for 20 ms
  and more. ``drop-out``: zeros, or one held value, in the midst of sound.
- ``dc``: an offset that takes a tenth of the range, or (of unknown range) ten times the sound.
- ``under-range``: the sound moves less than a step of the converter, or lies below the range.
- ``gain-change``: every band grew or fell by as much, within 0.2 s, between two steady levels: an
  automatic gain, or somebody's hand (``gain.py``).
- ``start-up``: the microphone was being switched on (``channel.startup_samples``).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from vigil_edge.noise.meter.chain import Shapes
from vigil_edge.noise.meter.clipping import Clipping
from vigil_edge.noise.meter.gain import GainChanges
from vigil_edge.noise.meter.levels import Slices
from vigil_edge.noise.meter.weighting import Samples

OVERLOAD: Final = "overload"
CLIPPING: Final = "clipping"
SILENT: Final = "silent"
STUCK: Final = "stuck"
DROP_OUT: Final = "drop-out"
DC: Final = "dc"
UNDER_RANGE: Final = "under-range"
GAIN_CHANGE: Final = "gain-change"
START_UP: Final = "start-up"
CLOCK_UNSETTLED: Final = "clock-unsettled"
"""Of a passage: samples were lost shortly before, nobody knows how many, and what was heard since
does not yet tell its time to a block's delay."""

_DC_SHARE: Final = 0.1
_DC_SOUNDS: Final = 10.0
_DROP_OUT_S: Final = 0.002
_STUCK_S: Final = 0.02
_ALIVE_STEPS: Final = 16.0
"""A standard deviation of so many steps of the converter does not stand still by chance."""
_EDGE_SHARE: Final = 0.02
"""Of the swing: a run so near the end of it is a crest that was cut off."""
_UNDER_STEPS: Final = 1.0
_FULL_BITS: Final = 31


@dataclass(slots=True)
class Signs:
    """Of one channel; ``second`` is asked once for each second, in order."""

    rate_hz: int
    full_scale: float
    """In units; infinite where it is not known."""
    is_float: bool
    lowest_mean_square: float = 0.0
    """Below this A-weighted mean square, Pa², the range ends."""
    finest: int = 1
    """Of ``_bits``, the lowest that these samples have room for."""
    _clipping: Clipping = field(init=False)
    _bits: int = field(init=False, default=0)
    """Every bit that was ever set in a sample."""
    _heard: bool = field(init=False, default=False)
    _gain: GainChanges = field(init=False)

    def __post_init__(self) -> None:
        self._clipping = Clipping(self.rate_hz)
        self._gain = GainChanges(self.rate_hz)

    def second(self, parts: Sequence[Slices]) -> tuple[frozenset[str], frozenset[str]]:
        """Flags of the second that ends here, of which ``parts`` are all slices, and those that
        belong to the second before, too."""
        units = parts[0].units if len(parts) == 1 else np.concatenate([one.units for one in parts])
        shapes = Shapes.joined([part.shapes for part in parts])
        found = set()
        if any(part.overload.any() for part in parts):
            found.add(OVERLOAD)
        if len(self._clipping.feed(units, (float(shapes.least.min()), float(shapes.most.max())))):
            found.add(CLIPPING)
        mean = float(shapes.total.sum()) / len(units)
        deviation = math.sqrt(max(0.0, float(shapes.squares.sum()) / len(units) - mean**2))
        found |= self._offset(mean, deviation)
        found |= self._stillness(shapes, len(units))
        if SILENT not in found:
            loudness = sum(float(part.squares_A.sum()) for part in parts) / len(units)
            found |= self._range(units, loudness, deviation)
        changed = self._gain.feed(parts, shapes, self._step)
        if changed:
            found.add(GAIN_CHANGE)
        self._heard |= SILENT not in found
        return frozenset(found), frozenset({GAIN_CHANGE} if changed else ())

    def _offset(self, mean: float, deviation: float) -> set[str]:
        if math.isfinite(self.full_scale):
            return {DC} if abs(mean) >= _DC_SHARE * self.full_scale else set()
        return {DC} if abs(mean) > _DC_SOUNDS * deviation > 0.0 else set()

    @property
    def _step(self) -> float:
        """Of the converter, in units: its lowest bit that was ever set; 0 for floats."""
        if self.is_float or not self._bits:
            return 0.0
        return float((self._bits & -self._bits) * 2.0**-_FULL_BITS)

    def _stillness(self, shapes: Shapes, samples: int) -> set[str]:
        least, most = float(shapes.least.min()), float(shapes.most.max())
        if least == most:
            # Zeros from the beginning are a channel that is not connected; others stand still.
            return {SILENT, STUCK} if self._heard or least != 0.0 else {SILENT}
        longest = int(np.argmax(shapes.run))
        run_s = float(shapes.run[longest]) / self.rate_hz
        value = float(shapes.run_value[longest])
        edge = _EDGE_SHARE * (most - least)
        squares = float(shapes.squares.sum()) / samples - (float(shapes.total.sum()) / samples) ** 2
        alive = math.sqrt(max(0.0, squares)) >= _ALIVE_STEPS * self._step
        cut_off = value >= most - edge or value <= least + edge
        if run_s < _DROP_OUT_S or not alive or (cut_off and value != 0.0 and run_s < _STUCK_S):
            return set()
        if value == 0.0:
            # Zeros before the first sound of all are a stream that begins.
            begins = not self._heard and bool((shapes.run[: longest + 1] >= shapes.run[0]).all())
            begins &= shapes.most[0] == shapes.least[0] == 0.0
            return set() if begins else {DROP_OUT}
        return {STUCK} if run_s >= _STUCK_S else {DROP_OUT}

    def _range(self, units: Samples, mean_square: float, deviation: float) -> set[str]:
        if not self.is_float and not self._bits & self.finest:
            whole = (units * 2.0**_FULL_BITS).astype(np.int64)
            self._bits |= int(np.bitwise_or.reduce(whole))
        low = mean_square < self.lowest_mean_square
        return {UNDER_RANGE} if low or deviation < _UNDER_STEPS * self._step else set()
