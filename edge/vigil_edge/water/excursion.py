"""When a signal leaves its bounds, and when it is back. Pure, with a state that can be kept.

An excursion begins at the first of ``consecutive`` readings beyond a bound and ends at
the first of as many readings back inside it by ``hysteresis``. Readings that failed
quality control or are missing neither begin nor end one, and suspect ones not by
themselves: one reading that is not suspect must be among them, or four in a row must say
the same. Two things are never only a gap: a reading at or beyond the end of what the
sensor can measure (``off_scale_high``, ``off_scale_low``), and a signal that is lost on
its way to a bound (``lost_while_rising``, ``lost_while_falling``). An id follows from
device, parameter, kind and start, so that deriving it twice gives the same one.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID, uuid5

from vigil_edge.water.trend import Direction, Heading, Trend
from vigil_schemas.senml import instant, microseconds
from vigil_schemas.types import QartodFlag
from vigil_schemas.water import WaterExcursion

NAMESPACE: Final = UUID("0f3c1d52-98a1-5d7c-9a10-6d1c7d6f0a55")
Kind = Literal["above", "below", "rate", "off_scale_high", "off_scale_low"]
_LOST: Final[dict[Direction, Literal["lost_while_rising", "lost_while_falling"]]] = {
    "rising": "lost_while_rising",
    "falling": "lost_while_falling",
}
_USABLE: Final = (QartodFlag.GOOD, QartodFlag.NOT_EVALUATED, QartodFlag.SUSPECT)
_NOWHERE: Final = (math.inf, -math.inf)
_BELIEVED: Final = 4
"""So many suspect readings in a row are believed, as by the spike test."""


@dataclass(frozen=True, slots=True)
class Bound:
    """One bound of one signal, in its unit (per second for ``rate``)."""

    parameter: str
    unit: str | None
    kind: Kind
    limit: float
    """Infinite where only the sensor itself says that it is off scale."""
    hysteresis: float = 0.0
    consecutive: int = 2
    at_limit: bool = False
    """Whether a reading that equals the limit is beyond it."""

    @property
    def off_scale(self) -> bool:
        """Whether it is an end of the sensor's range."""
        return self.kind in ("off_scale_high", "off_scale_low")

    @property
    def downward(self) -> bool:
        """Whether low readings are beyond it."""
        return self.kind in ("below", "off_scale_low")

    def beyond(self, value: float) -> bool:
        """Whether the value (or rate) is outside."""
        if self.at_limit and value == self.limit:
            return True
        return value < self.limit if self.downward else value > self.limit

    def back(self, value: float) -> bool:
        """Whether it is inside by the hysteresis."""
        if self.beyond(value):
            return False
        if self.downward:
            return value >= self.limit + self.hysteresis
        return value <= self.limit - self.hysteresis


@dataclass(slots=True)
class _Watch:
    """What is known of one bound between readings; times in microseconds since 1970."""

    active: bool = False
    count: int = 0
    """Readings in a row that speak for a change."""
    sure: bool = False
    """Whether one of them is believed."""
    since_us: int = 0
    """Of the first of them."""
    crossing: float = 0.0
    """Its value."""
    flag: int = 2
    started_us: int = 0
    extreme: float = 0.0
    extreme_flag: int = 2


@dataclass(slots=True)
class _Loss:
    """A signal without readings; times in microseconds since 1970."""

    missing: int = 0
    """Readings in a row that are missing."""
    since_us: int = 0
    heading: Direction | None = None
    """Where the signal was going at the first of them."""
    last: float | None = None
    active: bool = False
    back: int = 0
    back_us: int = 0


@dataclass(slots=True)
class _Signal:
    """One parameter between readings; times in microseconds since 1970."""

    suspects: int = 0
    """Suspect readings in a row."""
    doubtful_us: int | None = None
    """Of the first reading since the last believed one."""
    time_us: int | None = None
    """Of the last believed reading."""
    value: float = 0.0
    calm: bool = False
    """Whether no bound of it is crossed or about to be: most readings need no more."""
    trend: Trend = field(default_factory=Trend)
    loss: _Loss = field(default_factory=_Loss)


class Excursions:
    """All bounds of one device. ``headings`` says of each parameter what it may approach."""

    def __init__(
        self,
        device: str,
        bounds: list[Bound],
        state: bytes | None = None,
        headings: Mapping[str, Heading] | None = None,
    ) -> None:
        self._device = device
        self._bounds: dict[str, list[Bound]] = {}
        for bound in bounds:
            self._bounds.setdefault(bound.parameter, []).append(bound)
        self._ends = {
            name: [bound for bound in some if bound.off_scale]
            for name, some in self._bounds.items()
        }
        """The ends of each sensor's range."""
        self._inside = {name: _inside(some) for name, some in self._bounds.items()}
        self._headings = headings or {}
        self._watches = {(b.parameter, b.kind): _Watch() for b in bounds}
        self._signals = {name: _Signal() for name in {*self._bounds, *self._headings}}
        self._told: dict[str, WaterExcursion] = {}
        """Of excursions that stand: what was told of each."""
        if state:
            self._restore(json.loads(state))

    def state(self) -> bytes:
        """For the constructor of another run."""
        kept = {
            "watches": [[*key, asdict(watch)] for key, watch in self._watches.items()],
            "signals": {name: asdict(signal) for name, signal in self._signals.items()},
            "told": [one.model_dump(mode="json") for one in self._told.values()],
        }
        return json.dumps(kept, separators=(",", ":")).encode()

    def was_told(self, excursion: WaterExcursion) -> None:
        """What became of an event of ``take``: told so, of which more was known than here."""
        if excursion.phase == "onset":
            self._told[excursion.excursion_id] = excursion
        else:
            self._told.pop(excursion.excursion_id, None)

    def standing(self) -> list[WaterExcursion]:
        """Onsets of what has not ended, as they were told; of one that an earlier release told,
        with the newest value that crossed the bound."""
        found = [
            self._event(bound, watch, ended_us=None)
            for some in self._bounds.values()
            for bound in some
            if (watch := self._watches[bound.parameter, bound.kind]).active
        ]
        found += [
            self._lost_event(name, signal.loss, ended_us=None)
            for name, signal in self._signals.items()
            if signal.loss.active and name in self._headings
        ]
        return [self._told.get(one.excursion_id, one) for one in found]

    @property
    def active(self) -> int:
        """Excursions that have begun and not ended."""
        return sum(watch.active for watch in self._watches.values()) + sum(
            signal.loss.active for signal in self._signals.values()
        )

    @property
    def stirred(self) -> bool:
        """Whether a bound is crossed or about to be, or a signal is lost on its way to one."""
        return any(watch.active or watch.count for watch in self._watches.values()) or any(
            signal.loss.active for signal in self._signals.values()
        )

    def take(
        self, parameter: str, time: datetime, value: float | None, flag: QartodFlag
    ) -> list[WaterExcursion]:
        """One reading in; onsets and ends out. ±inf is a reading beyond the sensor's scale."""
        signal = self._signals.get(parameter)
        if signal is None:
            return []
        time_us = microseconds(time)
        if value is None:
            lost = self._missing(parameter, signal, time_us)
            return [] if lost is None else [lost]
        low, high = self._inside.get(parameter, _NOWHERE)
        calm = signal.calm and low < value < high
        ends = [] if calm else [b for b in self._ends.get(parameter, ()) if b.beyond(value)]
        usable = flag in _USABLE and math.isfinite(value)
        if not usable and not ends:
            return []
        found = [self._present(parameter, signal, time_us)]
        if math.isfinite(value):
            signal.trend.take(time_us, value)
        signal.suspects = signal.suspects + 1 if flag is QartodFlag.SUSPECT else 0
        believed = signal.suspects == 0 or signal.suspects >= _BELIEVED
        if usable:
            found += self._rate(parameter, signal, time_us, value, flag, believed=believed)
            if not calm:
                found += self._levels(parameter, signal, time_us, value, flag, ends, believed)
        else:
            signal.calm = False
            found += [self._judge(bound, time_us, value, flag, sure=True) for bound in ends]
        return [event for event in found if event is not None]

    def _levels(  # noqa: PLR0913 - one reading with its signal and what is known of its bounds
        self,
        parameter: str,
        signal: _Signal,
        time_us: int,
        value: float,
        flag: QartodFlag,
        ends: list[Bound],
        believed: bool,
    ) -> list[WaterExcursion | None]:
        """Every bound but those of the rate; ``ends`` are those that the value is beyond."""
        bounds = [bound for bound in self._bounds.get(parameter, ()) if bound.kind != "rate"]
        found = [
            self._judge(bound, time_us, value, flag, sure=believed or bound in ends)
            for bound in bounds
        ]
        watches = [self._watches[parameter, bound.kind] for bound in bounds]
        signal.calm = not any(watch.active or watch.count for watch in watches)
        return found

    def _rate(
        self,
        parameter: str,
        signal: _Signal,
        time_us: int,
        value: float,
        flag: QartodFlag,
        *,
        believed: bool,
    ) -> list[WaterExcursion | None]:
        """From the last reading that is believed to this one, if it is.

        The first reading after a jump is suspect by the spike test. Once the jump is
        believed, its rate is that from the last believed reading to the first after it.
        """
        if signal.doubtful_us is None:
            signal.doubtful_us = time_us
        if not believed:
            return []
        began, last_us = signal.doubtful_us, signal.time_us
        signal.doubtful_us = None
        found: list[WaterExcursion | None] = []
        if last_us is not None and began > last_us:
            rate = abs(value - signal.value) / ((began - last_us) / 1e6)
            found = [
                self._judge(bound, began, rate, flag, sure=True)
                for bound in self._bounds.get(parameter, ())
                if bound.kind == "rate"
            ]
        # Also where it lies behind: a clock that was set back must not end the rates.
        if last_us is None or time_us != last_us:
            signal.time_us, signal.value = time_us, value
        return found

    def _judge(
        self, bound: Bound, time_us: int, value: float, flag: QartodFlag, *, sure: bool
    ) -> WaterExcursion | None:
        watch = self._watches[bound.parameter, bound.kind]
        if watch.active and _further(bound, value, watch.extreme):
            watch.extreme, watch.extreme_flag = value, int(flag)
        if not (bound.back(value) if watch.active else bound.beyond(value)):
            watch.count, watch.sure = 0, False
            return None
        watch.count += 1
        watch.sure = watch.sure or sure
        if watch.count == 1:
            watch.since_us, watch.crossing, watch.flag = time_us, value, int(flag)
            if not watch.active:
                watch.extreme, watch.extreme_flag = value, int(flag)
        elif not watch.active and _further(bound, value, watch.extreme):
            watch.extreme, watch.extreme_flag = value, int(flag)
        if watch.count < bound.consecutive or not watch.sure:
            return None
        watch.count, watch.sure = 0, False
        if watch.active:
            watch.active = False
            return self._event(bound, watch, ended_us=max(watch.since_us, watch.started_us))
        watch.active, watch.started_us = True, watch.since_us
        return self._event(bound, watch, ended_us=None)

    # -- a signal that is lost

    def _missing(self, parameter: str, signal: _Signal, time_us: int) -> WaterExcursion | None:
        loss, heading = signal.loss, self._headings.get(parameter)
        loss.back = 0
        if loss.active or heading is None:
            return None
        loss.missing += 1
        if loss.missing == 1:
            loss.since_us, loss.last = time_us, signal.trend.last
            loss.heading = signal.trend.heading(time_us, heading)
        if loss.heading is None or loss.missing < self._consecutive(parameter):
            return None
        loss.active = True
        return self._lost_event(parameter, loss, ended_us=None)

    def _present(self, parameter: str, signal: _Signal, time_us: int) -> WaterExcursion | None:
        loss = signal.loss
        loss.missing = 0
        if not loss.active:
            return None
        loss.back += 1
        if loss.back == 1:
            loss.back_us = time_us
        if loss.back < self._consecutive(parameter):
            return None
        loss.active, loss.back = False, 0
        return self._lost_event(parameter, loss, ended_us=max(loss.back_us, loss.since_us))

    def _consecutive(self, parameter: str) -> int:
        return max((bound.consecutive for bound in self._bounds.get(parameter, [])), default=2)

    def _lost_event(self, parameter: str, loss: _Loss, ended_us: int | None) -> WaterExcursion:
        assert loss.heading is not None  # noqa: S101  # only what headed somewhere is lost
        kind, heading = _LOST[loss.heading], self._headings[parameter]
        approached = heading.high if loss.heading == "rising" else heading.low
        unit = next((bound.unit for bound in self._bounds.get(parameter, [])), None)
        return WaterExcursion(
            excursion_id=self._id(parameter, kind, loss.since_us),
            phase="onset" if ended_us is None else "end",
            parameter=parameter,
            unit=unit,
            kind=kind,
            limit=approached if math.isfinite(approached) else None,
            value=loss.last,
            flag=QartodFlag.MISSING,
            started=instant(loss.since_us),
            ended=None if ended_us is None else instant(ended_us),
        )

    def _event(self, bound: Bound, watch: _Watch, ended_us: int | None) -> WaterExcursion:
        onset = ended_us is None
        value = watch.crossing if onset else watch.extreme
        return WaterExcursion(
            excursion_id=self._id(bound.parameter, bound.kind, watch.started_us),
            phase="onset" if onset else "end",
            parameter=bound.parameter,
            unit=bound.unit,
            kind=bound.kind,
            limit=bound.limit if math.isfinite(bound.limit) else None,
            value=value if math.isfinite(value) else None,
            flag=QartodFlag(watch.flag if onset else watch.extreme_flag),
            started=instant(watch.started_us),
            ended=None if ended_us is None else instant(ended_us),
        )

    def _id(self, parameter: str, kind: str, started_us: int) -> str:
        return str(uuid5(NAMESPACE, f"{self._device}/{parameter}/{kind}/{started_us}"))

    def _restore(self, kept: dict[str, Any]) -> None:
        """Bounds that are configured no more are forgotten."""
        for parameter, kind, watch in kept["watches"]:
            if (parameter, kind) in self._watches:
                self._watches[parameter, kind] = _Watch(**watch)
        for name, signal in kept.get("signals", {}).items():
            if name in self._signals:
                trend, loss = Trend(**signal.pop("trend")), _Loss(**signal.pop("loss"))
                self._signals[name] = _Signal(**signal, trend=trend, loss=loss)
        told = [WaterExcursion.model_validate(one) for one in kept.get("told", ())]
        standing = {one.excursion_id for one in self.standing()}
        self._told = {one.excursion_id: one for one in told if one.excursion_id in standing}


def _inside(bounds: list[Bound]) -> tuple[float, float]:
    """Between which values no bound is crossed, whatever their kind but the rate."""
    levels = [bound for bound in bounds if bound.kind != "rate"]
    low = max((bound.limit for bound in levels if bound.downward), default=-math.inf)
    return low, min((bound.limit for bound in levels if not bound.downward), default=math.inf)


def event_id(excursion: WaterExcursion) -> str:
    """The id of the message that carries it: the same however often it is derived."""
    return str(uuid5(NAMESPACE, f"{excursion.excursion_id}/{excursion.phase}"))


def _further(bound: Bound, value: float, extreme: float) -> bool:
    return value < extreme if bound.downward else value > extreme
