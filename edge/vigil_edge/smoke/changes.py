"""How conditions of alarms begin, change and end, and what a fire at one says of the others. Pure.

A fire that stands is told again where it is confirmed, rises or spreads: with a second alarm of the
bridge, or with heat beside smoke, a self test was none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final

from vigil_edge.smoke import rising
from vigil_edge.smoke.condition import Active, Known, ended, told, told_last
from vigil_edge.smoke.report import AlarmReport
from vigil_schemas.senml import microseconds
from vigil_schemas.smoke import SmokeAlarm, SmokeCondition

_CLEAR_FADES: Final = 0.95

Told = tuple[str, SmokeAlarm]
"""A device, and what to tell of it."""


class Changes:
    """Of all alarms behind one bridge, which ``known`` holds."""

    def __init__(self, known: Mapping[str, Known]) -> None:
        self._known = known

    def fire(self, device: str, known: Known, kind: SmokeCondition, now: Active) -> Iterator[Told]:
        """A fire begins, or what was unconfirmed is confirmed."""
        before = known.active.get(kind)
        if before is None:
            known.begin(kind, now)
        elif before.unconfirmed_us is not None and now.unconfirmed_us is None:
            before.unconfirmed_us = None
            before.during_test = now.during_test
            before.moment = now.moment
        else:
            return
        active = known.active[kind]
        if active.during_test and active.unconfirmed_us is None:
            active.during_test = not self._burns(device, known)
        if active.density is None and known.density is not None:
            rising.begin(active, max(known.density, known.clear_density))
        yield device, told(device, kind, known, active)
        if active.told_as_fire and kind in ("smoke", "heat"):
            yield from self._spreads(device, kind)

    def _burns(self, device: str, known: Known) -> bool:
        """Whether there is a fire besides the smoke of this alarm."""
        return "heat" in known.active or any(
            active.told_as_fire
            for other, theirs in self._known.items()
            if other != device
            for kind in ("smoke", "heat")
            if (active := theirs.active.get(kind)) is not None
        )

    def _spreads(self, device: str, kind: SmokeCondition) -> Iterator[Told]:
        """What a new fire at one alarm means for fires that were told before."""
        for other, known in self._known.items():
            if other != device:
                yield from self._sign(other, known, "second_alarm")
            elif kind == "heat":
                yield from self._sign(other, known, "heat")

    def _sign(self, device: str, known: Known, sign: str) -> Iterator[Told]:
        """A further sign of a fire that rings; with a test it was none, then."""
        active = known.active.get("smoke")
        if active is None or active.unconfirmed_us is not None or sign in active.signs:
            return
        active.signs.append(sign)
        active.during_test = False
        # With the density of the last rise, by which it is known (``event_id``): told once more
        # on a new connection, it is the same message.
        yield device, told_last(device, "smoke", known, active)

    def smoke_rises(self, device: str, known: Known, density: float | None) -> Iterator[Told]:
        """It is denser than when the fire was told last."""
        active = known.active.get("smoke")
        if density is None:
            return
        if active is None:
            known.clear_density = max(density, known.clear_density * _CLEAR_FADES)
        elif active.density is None:
            rising.begin(active, max(density, known.clear_density))
        elif active.told_as_fire and rising.rises(active, density, known.clear_density):
            if "density" not in active.signs:
                active.signs.append("density")
            yield device, told(device, "smoke", known, active)

    def gets_hot(
        self, device: str, known: Known, celsius: float | None, moment: float
    ) -> Iterator[Told]:
        """Heat beside smoke, from an alarm that tells a temperature and no heat of its own."""
        if celsius is not None and known.warming.is_hot(celsius, moment):
            yield from self._sign(device, known, "heat")

    def no_test(self, device: str, known: Known) -> Iterator[Told]:
        """What was told as a self test's smoke has outlasted it."""
        for condition, active in known.active.items():
            if active.during_test and active.unconfirmed_us is None:
                active.during_test = False
                yield device, told(device, condition, known, active)
        if "smoke" in known.active:
            yield from self._spreads(device, "smoke")

    def doubt(self, device: str, known: Known, report: AlarmReport, now: Active) -> Iterator[Told]:
        """A fire key that cannot be read."""
        before = known.active.get("unreadable")
        if before is None:
            known.begin("unreadable", now)
        elif before.unconfirmed_us is not None and now.unconfirmed_us is None:
            before.unconfirmed_us = None
        else:
            return
        active = known.active["unreadable"]
        active.raw = report.raw
        yield device, told(device, "unreadable", known, active)

    def turn(
        self,
        device: str,
        known: Known,
        condition: SmokeCondition,
        active: bool,
        time: datetime,
        moment: float,
    ) -> Iterator[Told]:
        """Whatever stands without further signs begins or ends."""
        before = known.active.get(condition)
        if active and before is None:
            begun = Active(microseconds(time), moment)
            known.begin(condition, begun)
            yield device, told(device, condition, known, begun)
        elif not active and before is not None:
            del known.active[condition]
            yield device, ended(device, condition, known, before, time)
