"""Which readings of one moment are none of the water: a probe that was lifted out of it, a logger
that repeats what it had, electronics that show nothing but zeros. Pure and strictly causal.

What a discharge does is not among it: no water has a conductance of nothing or a pH of 0 exactly,
and none loses nine tenths of its conductance within one reading, down to that of rain. A pH beside
such a conductance still counts: only what follows from the probe's being in the air does not.
Ice that grows on a probe shifts its pH by some tenths while the water is as it was; by more than
that a pH counts in ice as well.
Nothing of it lasts for good: a sensor that is dead, a cell that is broken or soft water after a
standard must not keep readings from their bounds. Only a conductance that shows the same to its
last digit since it fell, of a probe that has lost its temperature as well, says nothing for longer:
that is what a logger does that is without its probe, and no water.
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
_WATER_US_CM: Final = 5.0
"""No water outside conducts less: what did before was in the air, or broken."""
_LOST: Final = 0.1
"""Share of the last believed conductance that is left when a probe leaves the water."""
_BACK: Final = 0.5
"""Share from which on it is in the water again."""
_IN_AIR_S: Final = 6 * 3600.0
"""A visit is shorter: what conducts no more for longer is the cell's fault, or the water's."""
_ICE: Final = 0.05
"""°C: at most that cold, water freezes on the probe."""
_NOT_WATER: Final = -1.0
"""°C: colder than this it is in the air."""
_COOLED: Final = 2.0
"""°C at most before that: water cools by and by, a thermistor breaks at once."""
_BY_ICE: Final = 0.5
"""pH: ice on a probe shifts it by less."""
_SOON_S: Final = 600.0
"""Within so long of the conductance's fall a temperature changes to that of the air."""
_WARMER_K: Final = 0.5
"""By more than it does in the water meanwhile."""
_REPEATS: Final = 12
"""Rows that a logger repeats at most beside a value that is missing."""
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
    iced: frozenset[int] = frozenset()
    """A pH in ice, no farther from that of the water before than ice takes it."""


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
    dry: dict[int, float] = field(default_factory=dict)
    """Since when, in seconds, a conductance is that of the air, by place."""
    air: dict[int, float] = field(default_factory=dict)
    """What it showed as it fell, by place."""
    warm: dict[int, float] = field(default_factory=dict)
    """The last temperature in the water, by place."""
    airy: set[int] = field(default_factory=set)
    """Temperatures that changed as the conductance fell."""
    repeats: int = 0
    """Rows in a row that the logger repeated."""
    mild: dict[int, float] = field(default_factory=dict)
    """The last temperature above that of ice, by place."""
    liquid: dict[int, float] = field(default_factory=dict)
    """The last pH outside of ice, by place."""

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

    def take(self, time_s: float, values: Sequence[float | None]) -> Away:
        """The values of a time in seconds, from any origin; ``None`` is missing."""
        before, self.last = self.last, list(values)
        zeros = frozenset(place for place, value in enumerate(values) if value == 0)
        nothing = self._nothing(zeros)
        held = self._held(before, values) - nothing
        in_air = self._in_air(time_s, values, held | nothing)
        iced = self._in_ice(values, held | nothing | in_air)
        if not (nothing or held or in_air or iced):
            return _IN_WATER
        return Away(held, nothing, in_air, iced)

    def _in_ice(self, values: Sequence[float | None], but: frozenset[int]) -> frozenset[int]:
        frozen = False
        for place, value in _numbers(values, self.temperatures - but).items():
            if value > _ICE:
                self.mild[place] = value
            elif value > _NOT_WATER and self.mild.get(place, math.inf) <= _COOLED:
                frozen = True
        acidities = _numbers(values, self.acidities - but)
        if not frozen:
            self.liquid |= acidities
            return frozenset()
        return frozenset(
            place
            for place, value in acidities.items()
            if abs(value - self.liquid.get(place, math.inf)) <= _BY_ICE
        )

    def _nothing(self, zeros: frozenset[int]) -> frozenset[int]:
        never = self.acidities | {place for place, _ in self.conductances}
        return zeros if len(zeros) >= _ZEROS and zeros & never else frozenset()

    def _held(
        self, before: Sequence[float | None], values: Sequence[float | None]
    ) -> frozenset[int]:
        """Only where a value was lost as the repeating began, and for a few rows: of a sensor that
        had been dead before, a steady reading says nothing."""
        same = _same(before, values)
        lost = any(
            now is None and last is not None for now, last in zip(values, before, strict=False)
        )
        if not same or not (lost or 0 < self.repeats < _REPEATS):
            self.repeats = 0
            return frozenset()
        self.repeats += 1
        return same

    def _in_air(
        self, time_s: float, values: Sequence[float | None], but: frozenset[int]
    ) -> frozenset[int]:
        for place, factor in self.conductances:
            value = values[place]
            if value is None or place in but or not math.isfinite(value):
                continue
            wet = self.wet.get(place)
            if place in self.dry:
                back = (wet is not None and value >= _BACK * wet) or value * factor > _RAIN_US_CM
                long = not 0 <= time_s - self.dry[place] < _IN_AIR_S
                if back or (long and not self._repeated(place, values)):
                    del self.dry[place]
            elif wet is not None and _lost(wet, value, factor):
                self.dry[place], self.air[place] = time_s, value
            if place not in self.dry:
                self.wet[place] = value
        if not self.dry:
            self.airy.clear()
            self.warm |= _numbers(values, self.temperatures - but)
            return frozenset()
        since = time_s - max(self.dry.values())
        if not 0 <= since < _IN_AIR_S:
            self.airy.clear()
        elif since <= _SOON_S:
            self.airy |= {
                place
                for place, value in _numbers(values, self.temperatures - but).items()
                if abs(value - self.warm.get(place, math.inf)) > _WARMER_K
            }
        return frozenset(self.dry) | self.airy

    def _repeated(self, place: int, values: Sequence[float | None]) -> bool:
        """Whether it is what it was as it fell, without a temperature beside it."""
        lost = bool(self.temperatures) and all(values[one] is None for one in self.temperatures)
        return lost and values[place] == self.air[place]


def _lost(wet: float, value: float, factor: float) -> bool:
    """Whether a conductance falls as it does when its probe leaves the water."""
    was, now = wet * factor, value * factor
    return was > _WATER_US_CM and now < _RAIN_US_CM and now < _LOST * was


def _numbers(values: Sequence[float | None], places: frozenset[int]) -> dict[int, float]:
    given = ((place, values[place]) for place in places)
    return {place: value for place, value in given if value is not None and math.isfinite(value)}


def _same(before: Sequence[float | None], values: Sequence[float | None]) -> frozenset[int]:
    """What shows what it showed: all, or all but one, of what is there, while another gives
    nothing; of two signals it may be chance."""
    there = [place for place, value in enumerate(values) if value is not None]
    if len(there) == len(values) or len(there) < 2 or len(before) != len(values):
        return frozenset()
    same = frozenset(place for place in there if values[place] == before[place])
    return same if len(same) >= max(len(there) - 1, 2) else frozenset()
