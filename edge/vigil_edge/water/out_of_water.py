"""Which readings of one moment are none of the water: a probe that was lifted out of it, a logger
that repeats what it had, electronics that show nothing but zeros. Pure and strictly causal.

What a discharge does is not among it: no water has a conductance of nothing or a pH of 0 exactly,
and none loses nine tenths of its conductance within one reading, down to that of rain. A pH beside
such a conductance still counts: only what follows from the probe's being in the air does not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from vigil_edge.water.signals import Signal
from vigil_schemas.recordings import expected

_RAIN_US_CM: Final = 50.0
"""Conductance of rain at most."""
_LOST: Final = 0.1
"""Share of the last believed conductance that is left when a probe leaves the water."""
_BACK: Final = 0.5
"""Share from which on it is in the water again."""
_ZEROS: Final = 3
"""So many signals at 0 at once, a conductance or a pH among them."""
_PER_UNIT: Final = {"S/m": 1e4, None: 1.0}
"""µS/cm for each."""


@dataclass(frozen=True, slots=True)
class Away:
    """Places among the signals of one moment."""

    held: frozenset[int] = frozenset()
    """Show once more exactly what they showed, while another signal gives nothing: no reading."""
    nothing: frozenset[int] = frozenset()
    """Show 0 because nothing is there: as missing."""
    in_air: frozenset[int] = frozenset()
    """Of a probe in the air: its conductance, and the air's temperature."""


_IN_WATER: Final = Away()


@dataclass(slots=True)
class OutOfWater:
    """Of one sonde. Feed it the values of each moment, in order."""

    conductances: Sequence[tuple[int, float]]
    """Place, and µS/cm for each of its unit."""
    temperatures: frozenset[int]
    acidities: frozenset[int]
    last: list[float | None] = field(default_factory=list)
    wet: dict[int, float] = field(default_factory=dict)
    """The last conductance in the water, by place."""
    dry: set[int] = field(default_factory=set)

    @classmethod
    def of(cls, signals: Sequence[Signal]) -> OutOfWater:
        """By the names of the signals."""
        known = [expected.limits_for(one.name) for one in signals]
        return cls(
            [
                (place, _PER_UNIT[one.unit])
                for place, one in enumerate(signals)
                if known[place] is expected.CONDUCTIVITY and one.unit in _PER_UNIT
            ],
            frozenset(n for n, limits in enumerate(known) if limits is expected.TEMPERATURE),
            frozenset(n for n, limits in enumerate(known) if limits is expected.PH),
        )

    def take(self, values: Sequence[float | None]) -> Away:
        """``None`` is missing."""
        before, self.last = self.last, list(values)
        zeros = frozenset(place for place, value in enumerate(values) if value == 0)
        nothing = self._nothing(zeros)
        held = _held(before, values) - nothing
        in_air = self._in_air(values, held | nothing)
        if not (nothing or held or in_air):
            return _IN_WATER
        return Away(held, nothing, in_air)

    def _nothing(self, zeros: frozenset[int]) -> frozenset[int]:
        never = self.acidities | {place for place, _ in self.conductances}
        return zeros if len(zeros) >= _ZEROS and zeros & never else frozenset()

    def _in_air(self, values: Sequence[float | None], but: frozenset[int]) -> frozenset[int]:
        for place, factor in self.conductances:
            value = values[place]
            if value is None or place in but or not math.isfinite(value):
                continue
            wet = self.wet.get(place)
            if place in self.dry:
                if (wet is not None and value >= _BACK * wet) or value * factor > _RAIN_US_CM:
                    self.dry.discard(place)
            elif wet is not None and value < _LOST * wet and value * factor < _RAIN_US_CM:
                self.dry.add(place)
            if place not in self.dry:
                self.wet[place] = value
        if not self.dry:
            return frozenset()
        return frozenset(self.dry) | self.temperatures


def _held(before: Sequence[float | None], values: Sequence[float | None]) -> frozenset[int]:
    """All, or all but one, of what is there: of two signals it may be chance."""
    there = [place for place, value in enumerate(values) if value is not None]
    if len(there) == len(values) or len(there) < 2 or len(before) != len(values):
        return frozenset()
    same = frozenset(place for place in there if values[place] == before[place])
    return same if len(same) >= max(len(there) - 1, 2) else frozenset()
