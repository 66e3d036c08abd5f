"""What measurements of one sonde come to: flagged readings, and excursions out of their bounds.

The part that polling and emptying a memory share. No socket and no clock.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Final
from uuid import uuid5

from vigil_edge.device.seam import Outgoing
from vigil_edge.position.receiver import Position
from vigil_edge.water.derived import Derivation
from vigil_edge.water.excursion import NAMESPACE, Bound, Excursions, event_id
from vigil_edge.water.out_of_water import Away, OutOfWater
from vigil_edge.water.settings import WaterSettings
from vigil_edge.water.signals import Signal
from vigil_edge.water.sonde import SondeQc
from vigil_edge.water.trend import Heading
from vigil_schemas.contract import observation_type
from vigil_schemas.senml import Reading, microseconds, pack
from vigil_schemas.types import Lane, QartodFlag
from vigil_schemas.water import DOMAIN, LATITUDE, LONGITUDE, WITHIN, WaterExcursion

_PACK_RECORDS: Final = 200
Measured = tuple[datetime, Sequence[float | None]]
"""When, and the values in the order of the signals."""


def bounds(signals: Sequence[Signal]) -> list[Bound]:
    """Every excursion bound that the settings give, and the ends of what can be measured."""
    found: list[Bound] = []
    for s in signals:
        low, high = s.span
        keys = (s.hysteresis, s.consecutive)
        found.append(Bound(s.name, s.unit, "off_scale_high", high, *keys, at_limit=True))
        found.append(
            Bound(s.name, s.unit, "off_scale_low", low, *keys, at_limit=_least_is_the_end(s))
        )
        if s.high is not None:
            found.append(Bound(s.name, s.unit, "above", s.high, s.hysteresis, s.consecutive))
        if s.low is not None:
            found.append(Bound(s.name, s.unit, "below", s.low, s.hysteresis, s.consecutive))
        if s.high_rate is not None:
            found.append(Bound(s.name, s.unit, "rate", s.high_rate, 0.0, s.consecutive))
    return found


def _least_is_the_end(signal: Signal) -> bool:
    """Of most quantities 0 is the least there is, and a reading like any other."""
    return signal.span[0] != 0 or signal.name.lower().startswith("ph")


def _pinned(signal: Signal, value: float | None) -> bool:
    """Whether a reading stands at an end of what can be measured, or beyond: nothing holds that
    back."""
    if value is None:
        return False
    low, high = signal.span
    return value >= high or value < low or (value == low and _least_is_the_end(signal))


def headings(signals: Sequence[Signal]) -> dict[str, Heading]:
    """What each signal may be on its way to when it is lost."""
    found: dict[str, Heading] = {}
    for s in signals:
        low, high = s.span
        high = high if s.high is None else min(s.high, high)
        low = -math.inf if s.low is None else max(s.low, low)
        rates = [rate for rate in (s.high_rate, s.rate_suspect) if rate is not None]
        found[s.name] = Heading(high, low, s.hysteresis, min(rates, default=math.inf))
    return found


class Judge:
    """Quality control and excursions of one sonde; the part that both modes share."""

    def __init__(self, settings: WaterSettings, state: bytes | None) -> None:
        self._device = settings.device
        self._signals = settings.every_signal
        self._derivation = Derivation(settings.signal, settings.derived)
        self._windows = settings.maintenance
        places = {signal.name: place for place, signal in enumerate(self._signals)}
        self._qc = SondeQc(
            (signal.limits() for signal in self._signals),
            [signal.history(places) for signal in self._signals],
        )
        self._out = OutOfWater.of(self._signals)
        self._spans = [signal.span for signal in self._signals]
        self._excursions = Excursions(
            settings.device, bounds(self._signals), state, headings(self._signals)
        )
        self.stirred = False
        """Whether a bound is crossed or about to be, or a reading of the newest measurements is
        suspect: what follows should be seen more often."""

    @property
    def in_air(self) -> list[str]:
        """Conductances that fell as they do when a probe leaves the water."""
        return [self._signals[place].name for place in sorted(self._out.dry)]

    def state(self) -> bytes:
        """Of the excursions, to be kept with what ``outgoing`` returned."""
        return self._excursions.state()

    def outgoing(
        self,
        measured: Sequence[Measured],
        doubtful: Collection[str] = (),
        position: Position | None = None,
    ) -> list[Outgoing]:
        """Observations and events of measurements in order; values in the order of the signals
        that have registers: what is derived follows from them.

        ``doubtful`` names signals that the probe itself does not trust. ``position``: where the
        sonde was, if it moves.
        """
        readings: list[Reading] = []
        events: list[Outgoing] = []
        doubtful = self._derivation.doubtful(doubtful)
        self.stirred = False
        for time, given in measured:
            readings += _place(time, position)
            values = self._derivation.values(given)
            if self._maintained(time):
                readings += self._in_maintenance(time, values)
                continue
            flags = self._derivation.flags(self._qc.check(microseconds(time) / 1e6, values))
            away = self._out.take(microseconds(time) / 1e6, values)
            silent = away.in_air | away.iced | self._derivation.blind(values)
            for place, (signal, span, value, flag) in enumerate(
                zip(self._signals, self._spans, values, flags, strict=True)
            ):
                found = None if flag is QartodFlag.MISSING else value
                flag = _at_the_end(found, span, flag, doubtful=signal.name in doubtful)
                flag = _of_the_water(flag, away, place)
                shown = found if found is None or math.isfinite(found) else None
                readings.append(Reading(signal.name, signal.unit, time, shown, flag))
                if place in silent or (place in away.held and not _pinned(signal, found)):
                    continue  # it says nothing of the water, and not that it is lost
                if place in away.nothing:
                    found, flag = None, QartodFlag.MISSING
                self.stirred = self.stirred or flag is QartodFlag.SUSPECT
                events.extend(
                    self._event(_placed(excursion, position), time)
                    for excursion in self._excursions.take(signal.name, time, found, flag)
                )
        self.stirred = self.stirred or self._excursions.stirred
        return [*events, *self._packs(readings)]

    def _maintained(self, time: datetime) -> bool:
        """Whether the sonde was in somebody's hands, and not in the water."""
        return any(window.begin <= time < window.end for window in self._windows)

    def _in_maintenance(self, time: datetime, values: Sequence[float | None]) -> Iterator[Reading]:
        """Kept, so that a calibration can be seen; no reading of the water: fail."""
        for signal, value in zip(self._signals, values, strict=True):
            there = value is not None and math.isfinite(value)
            flag = QartodFlag.FAIL if there else QartodFlag.MISSING
            yield Reading(signal.name, signal.unit, time, value if there else None, flag)

    def lost(self, time: datetime) -> list[Outgoing]:
        """Events of a sonde that does not answer at ``time``: no reading of any signal."""
        if self._maintained(time):
            return []
        return [
            self._event(excursion, time)
            for signal in self._signals
            for excursion in self._excursions.take(signal.name, time, None, QartodFlag.MISSING)
        ]

    def standing(self, time: datetime) -> list[Outgoing]:
        """Onsets of what has not ended, as they were told: for a cloud that may know nothing of
        them."""
        return [self._outgoing(excursion, time) for excursion in self._excursions.standing()]

    def _event(self, excursion: WaterExcursion, time: datetime) -> Outgoing:
        self._excursions.was_told(excursion)
        return self._outgoing(excursion, time)

    def _outgoing(self, excursion: WaterExcursion, time: datetime) -> Outgoing:
        return Outgoing(
            Lane.EVENT, excursion.TYPE, self._device, time, excursion, event_id(excursion)
        )

    def _packs(self, readings: list[Reading]) -> Iterator[Outgoing]:
        for at in range(0, len(readings), _PACK_RECORDS):
            some = readings[at : at + _PACK_RECORDS]
            first, last = some[0], some[-1]
            name = (
                f"{self._device}/{first.parameter}/{microseconds(first.time)}"
                f"/{last.parameter}/{microseconds(last.time)}"
            )
            yield Outgoing(
                Lane.OBSERVATION,
                observation_type(DOMAIN),
                self._device,
                first.time,
                pack(self._device, some),
                str(uuid5(NAMESPACE, name)),
            )


def _placed(excursion: WaterExcursion, position: Position | None) -> WaterExcursion:
    """With where a sonde that moves was: whoever is called has to know where to go."""
    if position is None or position.state != "fixed":
        return excursion
    where = {"latitude": position.latitude, "longitude": position.longitude}
    return excursion.model_copy(update=where)


def _place(time: datetime, position: Position | None) -> Iterator[Reading]:
    """Where it was measured, with each measurement of a sonde that moves: what is not known is
    missing, and no older place stands for it."""
    if position is None:
        return
    there = position.state == "fixed"
    flag = QartodFlag.GOOD if there else QartodFlag.MISSING
    yield Reading(LATITUDE, "lat", time, position.latitude if there else None, flag)
    yield Reading(LONGITUDE, "lon", time, position.longitude if there else None, flag)
    if there and position.within_m is not None:
        yield Reading(WITHIN, "m", time, position.within_m, flag)


def _at_the_end(
    found: float | None, span: tuple[float, float], flag: QartodFlag, *, doubtful: bool
) -> QartodFlag:
    """A reading at an end of the range may be anything beyond it: suspect at least."""
    doubtful = doubtful or (found is not None and found in span and found != 0)
    good = flag in (QartodFlag.GOOD, QartodFlag.NOT_EVALUATED)
    return QartodFlag.SUSPECT if doubtful and good else flag


def _of_the_water(flag: QartodFlag, away: Away, place: int) -> QartodFlag:
    """What is none of the water's fails; what the logger repeats, and a pH in ice, is suspect at
    least."""
    if flag is QartodFlag.MISSING:
        return flag
    if place in away.nothing or place in away.in_air:
        return QartodFlag.FAIL
    good = flag in (QartodFlag.GOOD, QartodFlag.NOT_EVALUATED)
    doubted = place in away.held or place in away.iced
    return QartodFlag.SUSPECT if good and doubted else flag
