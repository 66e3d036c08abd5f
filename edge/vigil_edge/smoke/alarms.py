"""From what alarms say to conditions that begin, change and end. Pure, with a state to be kept.

A condition that is repeated is one event; what a message does not say stays as it was. What an
old message says (``age``) is raised once as unconfirmed and ends nothing. Smoke during a self
test is told as such, and becomes a fire where it outlasts the test (``self_test``).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from vigil_edge.smoke import battery, self_test, upkeep
from vigil_edge.smoke.age import AHEAD, OLD_AFTER, BridgeClock
from vigil_edge.smoke.changes import Changes, Told
from vigil_edge.smoke.condition import (
    URGENT,
    Active,
    Known,
    kept,
    of_first_release,
    restored,
    told_last,
)
from vigil_edge.smoke.report import AlarmReport
from vigil_edge.smoke.words import KINDS
from vigil_schemas.senml import instant, microseconds
from vigil_schemas.smoke import SmokeCondition

_ZIGBEE2MQTT: Final = datetime(2018, 1, 1, tzinfo=UTC)
"""Nothing was ever ``last_seen`` before there was Zigbee2MQTT."""
_STANDS: Final = URGENT - {"test"}
_AWAY_S: Final = 900.0
"""Longer than what was kept is ever old: so long nobody was here to hear an alarm."""
_CLOCK_STEP_US: Final = 1_000_000
"""The wall clock moved this much more, or less, than time passed: it was set, or we slept."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """How a message came: when by both clocks, and whether the broker had kept it.

    ``trace`` is the same for the same message wherever it is delivered again.
    """

    now: datetime
    moment: float
    """Monotonic, seconds."""
    retained: bool = False
    trace: str = ""
    partial: bool = False
    """It was one attribute, whose ``last_seen`` comes as another message."""


class Alarms:
    """All alarms behind one bridge. ``now`` and ``moment`` say when this run began."""

    def __init__(self, state: bytes | None, now: datetime, moment: float) -> None:
        self.clock = BridgeClock()
        self._known: dict[str, Known] = {}
        self._looked = microseconds(now), moment
        """Both clocks when they were looked at last."""
        found = json.loads(state) if state else {}
        if isinstance(found, list):
            now_us = microseconds(now)
            self._known = dict(of_first_release(entry, now_us, moment) for entry in found)
        elif found:
            # Time passed while nobody was here; a clock that was set back says nothing of it.
            away = max((microseconds(now) - found["saved_us"]) / 1e6, 0.0)
            self._known = {
                device: restored(entry, moment - away) for device, entry in found["devices"].items()
            }
            self._forgive(round(away * 1e6) if away > _AWAY_S else 0, microseconds(now))
        self._changes = Changes(self._known)

    def _forgive(self, away_us: int, now_us: int) -> None:
        """That nobody was here is no alarm's silence: after a power cut of hours each of them would
        be told as lost. Nor was any heard after now, by a clock that begins anew."""
        for known in self._known.values():
            if known.heard_us:
                known.heard_us = min(known.heard_us + away_us, now_us)

    def state(self, now: datetime, moment: float) -> bytes:
        """For the constructor of another run."""
        devices = {device: kept(known, moment) for device, known in self._known.items()}
        found = {"saved_us": microseconds(now), "devices": devices}
        return json.dumps(found, separators=(",", ":")).encode()

    def known(self, device: str) -> Known | None:
        """What is known of one alarm, to be looked at only."""
        return self._known.get(device)

    def active(self, device: str) -> frozenset[str]:
        """Conditions of one alarm that are active."""
        known = self._known.get(device)
        return frozenset(known.active if known else ())

    def standing(self) -> list[Told]:
        """Fires that were told and have not ended, with what was told of each last: for a cloud
        that may know nothing of them."""
        return [
            (device, told_last(device, condition, known, active))
            for device, known in self._known.items()
            for condition, active in known.active.items()
            if condition in _STANDS and not active.during_test
        ]

    def weakened(self) -> list[tuple[str, SmokeCondition]]:
        """Alarms and what weakens each (a battery, a fault, a lost link): of what stands all that
        is no fire and no test."""
        return [
            (device, condition)
            for device, known in self._known.items()
            for condition in known.active
            if condition not in URGENT
        ]

    def told_again(self, device: str, condition: str) -> Told | None:
        """What was told of it last, where it still stands."""
        known = self._known.get(device)
        for name, active in known.active.items() if known else ():
            if name == condition and known is not None:
                return device, told_last(device, name, known, active)
        return None

    # -- what is heard

    def take(self, device: str, report: AlarmReport, receipt: Receipt) -> list[Told]:
        """One message, and what follows from it, also for the other alarms of the bridge."""
        known = self._of(device)
        now, stamp = receipt.now, report.last_seen
        self._follow_clock(now, receipt.moment)
        live = self.clock.is_live(stamp, retained=receipt.retained, moment=receipt.moment, now=now)
        self._forget_future(known, report, receipt)
        newest_us = known.newest_us
        known.live = False
        stamp_us = None if stamp is None else microseconds(stamp)
        if stamp_us is not None and newest_us is not None and stamp_us < newest_us:
            return []  # overtaken, by the bridge's own time
        if stamp_us is None:
            is_news = receipt.trace not in known.traces
        else:
            is_news = newest_us is None or stamp_us > newest_us
        self._note(known, report, receipt, live)
        known.live = live
        if live:
            found = list(self._live(device, known, report, receipt))
            if _is_life(known, report, receipt, live):
                found += self._changes.turn(device, known, "link_lost", False, now, receipt.moment)
            return found
        return list(self._old(device, known, report, receipt)) if is_news else []

    def availability(
        self, device: str, online: bool, now: datetime, moment: float, *, retained: bool = False
    ) -> list[Told]:
        """What Zigbee2MQTT says of the link to an alarm.

        A retained "online" says nothing new of an alarm that has fallen silent since.
        """
        known = self._of(device)
        self._follow_clock(now, moment)
        if not online:
            known.lost_by_silence = False
            return list(self._changes.turn(device, known, "link_lost", True, now, moment))
        if retained and known.lost_by_silence and "link_lost" in known.active:
            return []
        known.heard = True
        known.heard_us = max(known.heard_us, microseconds(now))
        return list(self._changes.turn(device, known, "link_lost", False, now, moment))

    def asked_to_test(self, device: str, moment: float) -> None:
        """Smoke that it says now is its self test's, until it outlasts it."""
        self._of(device).test_asked = moment

    def garbled(self, device: str) -> None:
        """A message of it could not be read at all."""
        self._of(device).garbled = True

    def misread(self, device: str, said: str, moment: float) -> None:
        """A frame of it is none of its model; others may be."""
        self._of(device).misread = said, moment

    def expect(self, device: str, now: datetime) -> None:
        """From now on this alarm's silence counts, if it was never heard before."""
        known = self._of(device)
        known.heard_us = known.heard_us or microseconds(now)

    def silent(self, limit: timedelta, now: datetime, moment: float) -> list[Told]:
        """Alarms that have not been heard of for too long, with what to say of each: for as long
        as this at most, and sooner those that speak more often (``supervision``)."""
        self._follow_clock(now, moment)
        now_us, most_s = microseconds(now), limit.total_seconds()
        found: list[Told] = []
        for device, known in self._known.items():
            before_us = now_us - round(known.rhythm.patience_s(most_s) * 1e6)
            if 0 < known.heard_us <= before_us and "link_lost" not in known.active:
                known.lost_by_silence = True
                found += self._changes.turn(device, known, "link_lost", True, now, moment)
        return found

    def _follow_clock(self, now: datetime, moment: float) -> None:
        """How long an alarm has been silent does not change by the wall clock being set."""
        now_us, (before_us, before) = microseconds(now), self._looked
        self._looked = now_us, moment
        step_us = now_us - before_us - round((moment - before) * 1e6)
        if abs(step_us) < _CLOCK_STEP_US:
            return
        for known in self._known.values():
            if known.heard_us:
                known.heard_us = max(known.heard_us + step_us, 1)

    def tick(self, moment: float) -> list[Told]:
        """Smoke that has outlasted the self test which it came with: it is a fire."""
        return [
            event
            for device, known in self._known.items()
            if self_test.is_outlasted(known, moment)
            for event in self._changes.no_test(device, known)
        ]

    # -- one message

    def _of(self, device: str) -> Known:
        return self._known.setdefault(device, Known())

    def _forget_future(self, known: Known, report: AlarmReport, receipt: Receipt) -> None:
        """A ``last_seen`` from the future that this message contradicts was a wrong clock's.

        The future is by the bridge's clock. While that is only being found to be set back, a
        fire that it states at the very time of our clock is not overtaken by what it said then.
        """
        stamp, now = report.last_seen, receipt.now
        if stamp is None or known.newest_us is None:
            return
        bound = self.clock.now(receipt.moment, now) + AHEAD
        if report.may_be_fire and not receipt.retained and abs(now - stamp) <= AHEAD:
            bound = min(bound, now + AHEAD)
        if stamp <= bound < instant(known.newest_us):
            known.newest_us = None

    def _note(self, known: Known, report: AlarmReport, receipt: Receipt, live: bool) -> None:
        if report.battery_percent is not None:
            known.battery = float(report.battery_percent)
        known.garbled = False
        if report.misread is not None:
            known.misread = report.misread, receipt.moment
        known.link = report.link_quality
        known.density = report.smoke_density
        known.measured |= report.measured
        known.fire_said |= report.has_fire_key
        if report.last_seen is not None:
            known.newest_us = microseconds(report.last_seen)
        elif not live and report.may_be_fire:
            known.remember(receipt.trace)
        if _is_life(known, report, receipt, live):
            now_us = microseconds(receipt.now)
            if known.spoke and known.heard_us and not _something_happens(known, report):
                known.rhythm.heard((now_us - known.heard_us) / 1e6)
            known.heard = known.spoke = True
            known.heard_us = now_us
            if report.battery_percent is not None:
                known.battery_track = battery.noted(
                    known.battery_track, now_us, report.battery_percent
                )
        elif report.last_seen is not None and not known.heard:
            # Its silence counts from when the bridge last heard it.
            stated_us = max(microseconds(report.last_seen), 1)
            known.heard_us = min(known.heard_us or stated_us, stated_us)

    def _live(
        self, device: str, known: Known, report: AlarmReport, receipt: Receipt
    ) -> Iterator[Told]:
        time = _since(report.last_seen, receipt.now)
        moment = receipt.moment
        if report.test is not None:
            if not report.test and "test" in known.active:
                known.test_over = moment
            yield from self._changes.turn(device, known, "test", report.test, time, moment)
        during_test = self_test.is_running(known, moment)
        for kind in KINDS:
            said = report.fire(kind)
            if said:
                tested = during_test and kind != "heat"
                yield from self._changes.fire(
                    device, known, kind, Active(microseconds(time), moment, during_test=tested)
                )
            elif said is False and not _precedes(known, kind, report, receipt):
                yield from self._changes.turn(device, known, kind, False, time, moment)
        yield from self._changes.smoke_rises(device, known, report.smoke_density)
        yield from self._changes.gets_hot(device, known, report.temperature, moment)
        if report.doubtful:
            yield from self._changes.doubt(
                device, known, report, Active(microseconds(time), moment)
            )
        elif report.has_fire_key and not _precedes(known, "unreadable", report, receipt):
            yield from self._changes.turn(device, known, "unreadable", False, time, moment)
        for condition, active in upkeep.conditions(report, _battery_days(known, report, receipt)):
            if active is not None:
                yield from self._changes.turn(device, known, condition, active, time, moment)

    def _old(
        self, device: str, known: Known, report: AlarmReport, receipt: Receipt
    ) -> Iterator[Told]:
        """What it says is raised as it was then; nothing ends, and no test begins."""
        time = min(report.last_seen or receipt.now, receipt.now)
        time = receipt.now if time < _ZIGBEE2MQTT else time
        at_us = microseconds(time)
        for kind in KINDS:
            if report.fire(kind) and kind not in known.active:
                tested = bool(report.test) and kind != "heat"
                active = Active(at_us, receipt.moment, at_us, during_test=tested)
                yield from self._changes.fire(device, known, kind, active)
        if report.doubtful:
            yield from self._changes.doubt(
                device, known, report, Active(at_us, receipt.moment, at_us)
            )
        for condition, is_active in upkeep.conditions(report):
            if is_active:
                yield from self._changes.turn(device, known, condition, True, time, receipt.moment)


def _battery_days(known: Known, report: AlarmReport, receipt: Receipt) -> float | None:
    """Until it is empty; of one that was warned of less, so that the warning does not flap."""
    if report.battery_percent is None:
        return None
    days = battery.days_left(known.battery_track, microseconds(receipt.now), report.battery_percent)
    if days is not None and "battery_alert" in known.active:
        return days / battery.HYSTERESIS
    return days


def _is_life(known: Known, report: AlarmReport, receipt: Receipt, live: bool) -> bool:
    """An attribute without a time is none where another attribute tells the time."""
    untold = receipt.partial and report.last_seen is None and known.newest_us is not None
    return live and not untold


def _something_happens(known: Known, report: AlarmReport) -> bool:
    """An alarm that rings, is tested or is about to speaks more often than its supervision asks."""
    return (
        report.may_be_fire
        or bool(report.test)
        or any(condition in URGENT for condition in known.active)
    )


def _precedes(
    known: Known, condition: SmokeCondition, report: AlarmReport, receipt: Receipt
) -> bool:
    """Whether the broker kept this report from before the condition began."""
    active, stamp = known.active.get(condition), report.last_seen
    if not receipt.retained or active is None or stamp is None:
        return False
    return microseconds(stamp) < active.began_us


def _since(stated: datetime | None, now: datetime) -> datetime:
    """When the bridge heard a live message, unless its clock differs from ours."""
    if stated is None or not -AHEAD <= now - stated <= OLD_AFTER:
        return now
    return min(stated, now)
