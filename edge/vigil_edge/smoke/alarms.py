"""From what an alarm says to conditions that begin and end. Pure, with a state that can be kept.

Terms follow Matter's Smoke CO Alarm cluster (0x005C). A condition that is repeated is one
event; what a message does not say stays as it was. ``smoke`` is raised during a test as
well: whether there is smoke while somebody tests cannot be known here, and the ``test``
condition beside it says how to read it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal
from uuid import UUID, uuid5

from vigil_edge.smoke.zigbee2mqtt import AlarmReport
from vigil_schemas.senml import instant, microseconds
from vigil_schemas.smoke import SmokeAlarm

NAMESPACE: Final = UUID("2a3b7c1e-8c55-5b0d-9d52-7a4de1d6a9c3")
Condition = Literal["smoke", "test", "battery_alert", "hardware_fault", "tamper", "link_lost"]
BATTERY_ALERT_BELOW: Final = 10.0
BATTERY_GOOD_FROM: Final = 15.0
"""For devices that state a percentage and no warning of their own, percent."""
_PAST: Final = timedelta(days=2)
_FUTURE: Final = timedelta(seconds=30)


@dataclass(slots=True)
class _Known:
    """What is known of one alarm; times in microseconds since 1970."""

    active: dict[str, int]
    """Active conditions and when each began."""
    heard_us: int
    battery: float | None = None
    link: int | None = None
    heard: bool = False
    """Whether it ever spoke, or Zigbee2MQTT vouched for it; ``heard_us`` may only count from."""


class Alarms:
    """All alarms behind one broker."""

    def __init__(self, state: bytes | None = None) -> None:
        self._known: dict[str, _Known] = {}
        for device, active, heard_us, battery, *heard in json.loads(state) if state else []:
            known = _Known(dict(active), heard_us, battery)
            known.heard = bool(heard and heard[0])  # absent in states of 0.1
            self._known[device] = known

    def state(self) -> bytes:
        """For the constructor of another run."""
        kept = [[d, k.active, k.heard_us, k.battery, k.heard] for d, k in self._known.items()]
        return json.dumps(kept, separators=(",", ":")).encode()

    def active(self, device: str) -> frozenset[str]:
        """Conditions of one alarm that are active."""
        known = self._known.get(device)
        return frozenset(known.active if known else ())

    def heard(self, device: str) -> bool:
        """Whether there was ever a sign that this alarm is alive."""
        known = self._known.get(device)
        return known is not None and known.heard

    def take(
        self, device: str, report: AlarmReport, now: datetime, *, retained: bool = False
    ) -> list[SmokeAlarm]:
        """One message. A retained one tells how things stand, not that the alarm is alive.

        Unless it says itself that the alarm spoke lately.
        """
        known = self._of(device)
        time = _plausible(report.last_seen, now)
        if report.battery_percent is not None:
            known.battery = float(report.battery_percent)
        known.link = report.link_quality
        said: list[tuple[Condition, bool | None]] = [
            ("smoke", report.smoke),
            ("test", report.test),
            ("tamper", report.tamper),
            ("hardware_fault", report.fault),
            ("battery_alert", _battery_alert(report)),
        ]
        if not retained:
            known.heard, known.heard_us = True, microseconds(now)
            said.append(("link_lost", False))
        elif report.last_seen is not None and _believable(report.last_seen, now):
            known.heard = True
            known.heard_us = max(known.heard_us, microseconds(time))
        return [
            event
            for condition, active in said
            if active is not None
            for event in self._turn(device, condition, active, time)
        ]

    def availability(self, device: str, online: bool, now: datetime) -> list[SmokeAlarm]:
        """What Zigbee2MQTT says of the link to an alarm."""
        known = self._of(device)
        if online:
            known.heard = True
            known.heard_us = max(known.heard_us, microseconds(now))
        return list(self._turn(device, "link_lost", not online, now))

    def expect(self, device: str, now: datetime) -> None:
        """From now on this alarm's silence counts, if it was never heard before."""
        known = self._of(device)
        known.heard_us = known.heard_us or microseconds(now)

    def silent(self, limit: timedelta, now: datetime) -> list[tuple[str, SmokeAlarm]]:
        """Alarms that have not been heard of for as long as this, with what to say of each."""
        before = microseconds(now - limit)
        return [
            (device, event)
            for device, known in self._known.items()
            if 0 < known.heard_us <= before
            for event in self._turn(device, "link_lost", True, now)
        ]

    def _of(self, device: str) -> _Known:
        return self._known.setdefault(device, _Known({}, 0))

    def _turn(
        self, device: str, condition: Condition, active: bool, time: datetime
    ) -> Iterator[SmokeAlarm]:
        known = self._known[device]
        began_us = known.active.get(condition)
        if active == (began_us is not None):
            return
        if began_us is None:
            began_us = known.active[condition] = microseconds(time)
        else:
            del known.active[condition]
            time = max(time, instant(began_us))
        yield SmokeAlarm(
            alarm_id=str(uuid5(NAMESPACE, f"{device}/{condition}/{began_us}")),
            condition=condition,
            active=active,
            since=time,
            battery_percent=known.battery,
            link_quality=known.link,
        )


def event_id(alarm: SmokeAlarm) -> str:
    """The id of the message that carries it: the same however often it is derived."""
    return str(uuid5(NAMESPACE, f"{alarm.alarm_id}/{alarm.active}"))


def _battery_alert(report: AlarmReport) -> bool | None:
    """The device's own warning where it gives one, else by its percentage, with hysteresis."""
    if report.battery_low is not None:
        return report.battery_low
    if report.battery_percent is None:
        return None
    if report.battery_percent < BATTERY_ALERT_BELOW:
        return True
    return False if report.battery_percent >= BATTERY_GOOD_FROM else None


def _plausible(stated: datetime | None, now: datetime) -> datetime:
    """When the coordinator heard the alarm, unless its clock is off."""
    if stated is None or not _believable(stated, now):
        return now
    return min(stated, now)


def _believable(stated: datetime, now: datetime) -> bool:
    return now - _PAST <= stated <= now + _FUTURE
