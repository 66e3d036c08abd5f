"""When a signal leaves its bounds, and when it is back. Pure, with a state that can be kept.

An excursion begins at the first of ``consecutive`` readings beyond a bound and ends at
the first of as many readings back inside it by ``hysteresis``. Readings that failed
quality control or are missing neither begin nor end one. Its id follows from device,
parameter, kind and start, so that deriving it twice gives the same one.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final, Literal
from uuid import UUID, uuid5

from vigil_schemas.senml import instant, microseconds
from vigil_schemas.types import QartodFlag
from vigil_schemas.water import WaterExcursion

NAMESPACE: Final = UUID("0f3c1d52-98a1-5d7c-9a10-6d1c7d6f0a55")
Kind = Literal["above", "below", "rate"]
_USABLE: Final = (QartodFlag.GOOD, QartodFlag.NOT_EVALUATED, QartodFlag.SUSPECT)


@dataclass(frozen=True, slots=True)
class Bound:
    """One bound of one signal, in its unit (per second for ``rate``)."""

    parameter: str
    unit: str | None
    kind: Kind
    limit: float
    hysteresis: float = 0.0
    consecutive: int = 2

    def beyond(self, value: float) -> bool:
        """Whether the value (or rate) is outside."""
        return value < self.limit if self.kind == "below" else value > self.limit

    def back(self, value: float) -> bool:
        """Whether it is inside by the hysteresis."""
        if self.kind == "below":
            return value >= self.limit + self.hysteresis
        return value <= self.limit - self.hysteresis


@dataclass(slots=True)
class _Watch:
    """What is known of one bound between readings; times in microseconds since 1970."""

    active: bool = False
    count: int = 0
    """Readings in a row that speak for a change."""
    since_us: int = 0
    """Of the first of them."""
    crossing: float = 0.0
    """Its value."""
    flag: int = 2
    started_us: int = 0
    extreme: float = 0.0
    extreme_flag: int = 2


@dataclass(slots=True)
class _Last:
    """The reading before, for the rate."""

    time_us: int
    value: float


class Excursions:
    """All bounds of one device."""

    def __init__(self, device: str, bounds: list[Bound], state: bytes | None = None) -> None:
        self._device = device
        self._bounds = bounds
        self._watches = {(b.parameter, b.kind): _Watch() for b in bounds}
        self._last: dict[str, _Last] = {}
        if state:
            self._restore(json.loads(state))

    def state(self) -> bytes:
        """For the constructor of another run."""
        kept = {
            "watches": [[*key, asdict(watch)] for key, watch in self._watches.items()],
            "last": {name: asdict(last) for name, last in self._last.items()},
        }
        return json.dumps(kept, separators=(",", ":")).encode()

    @property
    def active(self) -> int:
        """Excursions that have begun and not ended."""
        return sum(watch.active for watch in self._watches.values())

    def take(
        self, parameter: str, time: datetime, value: float | None, flag: QartodFlag
    ) -> Iterator[WaterExcursion]:
        """One reading in; onsets and ends out."""
        if value is None or flag not in _USABLE:
            return
        time_us = microseconds(time)
        last = self._last.get(parameter)
        rate: float | None = None
        if last is not None and time_us > last.time_us:
            rate = (value - last.value) / ((time_us - last.time_us) / 1e6)
        # Also where it lies behind: a clock that was set back must not end the rates.
        if last is None or time_us != last.time_us:
            self._last[parameter] = _Last(time_us, value)
        for bound in self._bounds:
            if bound.parameter != parameter:
                continue
            measured = value if bound.kind != "rate" else None if rate is None else abs(rate)
            if measured is not None:
                yield from self._judge(bound, time_us, measured, flag)

    def _judge(
        self, bound: Bound, time_us: int, value: float, flag: QartodFlag
    ) -> Iterator[WaterExcursion]:
        watch = self._watches[bound.parameter, bound.kind]
        if watch.active and _further(bound, value, watch.extreme):
            watch.extreme, watch.extreme_flag = value, int(flag)
        if not (bound.back(value) if watch.active else bound.beyond(value)):
            watch.count = 0
            return
        watch.count += 1
        if watch.count == 1:
            watch.since_us, watch.crossing, watch.flag = time_us, value, int(flag)
            if not watch.active:
                watch.extreme, watch.extreme_flag = value, int(flag)
        elif not watch.active and _further(bound, value, watch.extreme):
            watch.extreme, watch.extreme_flag = value, int(flag)
        if watch.count < bound.consecutive:
            return
        watch.count = 0
        if watch.active:
            watch.active = False
            yield self._event(bound, watch, ended_us=max(watch.since_us, watch.started_us))
        else:
            watch.active, watch.started_us = True, watch.since_us
            yield self._event(bound, watch, ended_us=None)

    def _event(self, bound: Bound, watch: _Watch, ended_us: int | None) -> WaterExcursion:
        name = f"{self._device}/{bound.parameter}/{bound.kind}/{watch.started_us}"
        onset = ended_us is None
        return WaterExcursion(
            excursion_id=str(uuid5(NAMESPACE, name)),
            phase="onset" if onset else "end",
            parameter=bound.parameter,
            unit=bound.unit,
            kind=bound.kind,
            limit=bound.limit,
            value=watch.crossing if onset else watch.extreme,
            flag=QartodFlag(watch.flag if onset else watch.extreme_flag),
            started=instant(watch.started_us),
            ended=None if ended_us is None else instant(ended_us),
        )

    def _restore(self, kept: dict[str, Any]) -> None:
        """Bounds that are configured no more are forgotten."""
        for parameter, kind, watch in kept["watches"]:
            if (parameter, kind) in self._watches:
                self._watches[parameter, kind] = _Watch(**watch)
        self._last = {name: _Last(**last) for name, last in kept["last"].items()}


def event_id(excursion: WaterExcursion) -> str:
    """The id of the message that carries it: the same however often it is derived."""
    return str(uuid5(NAMESPACE, f"{excursion.excursion_id}/{excursion.phase}"))


def _further(bound: Bound, value: float, extreme: float) -> bool:
    return value < extreme if bound.kind == "below" else value > extreme
