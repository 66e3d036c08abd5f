"""What one message of an alarm says, whatever it came over: one model for all adapters. Pure.

Terms follow Matter's Smoke CO Alarm cluster (0x005C): smoke, heat, CO, battery, end of service,
mute, test, contamination, hardware fault, tamper.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from vigil_edge.smoke.words import KINDS, Kind


@dataclass(frozen=True, slots=True)
class AlarmReport:
    """One message of one alarm. ``None`` is what the payload does not say."""

    smoke: bool | None = None
    heat: bool | None = None
    co: bool | None = None
    gas: bool | None = None
    doubtful: tuple[Kind, ...] = ()
    """Kinds of fire whose key carried what cannot be read, and no other key a fire."""
    raw: str | None = None
    """What could not be read, for people."""
    test: bool | None = None
    fault: bool | None = None
    contaminated: bool | None = None
    """Its chamber is fouled: a fault to whoever relies on it."""
    tamper: bool | None = None
    end_of_service: bool | None = None
    muted: bool | None = None
    battery_low: bool | None = None
    battery_percent: float | None = None
    link_quality: int | None = None
    """Zigbee LQI, 0 to 255."""
    smoke_density: float | None = None
    """In the device's own measure (mostly dB/m, ppm or a scale)."""
    temperature: float | None = None
    """Of the air at the alarm, °C."""
    last_seen: datetime | None = None
    has_fire_key: bool = False
    """Whether any fire key was there with a value that can be read."""
    plainly_fire: bool = False
    """Whether one of those was a key that only alarms use."""
    measured: frozenset[Kind] = frozenset()
    """Kinds that the message states as a truth, so that a bare number is a concentration."""
    unreadable: tuple[str, ...] = ()
    """Keys whose value cannot be: taken for not said, or for what it plainly means."""
    misread: str | None = None
    """What was wrong with its frame, where something else told what it says."""

    def fire(self, kind: Kind) -> bool | None:
        """Of one kind."""
        value: bool | None = getattr(self, kind)
        return value

    @property
    def broken(self) -> bool | None:
        """A fault of its own, or a chamber that is fouled."""
        return True if self.contaminated else self.fault

    @property
    def may_be_fire(self) -> bool:
        """Whether it says fire, or says of one what cannot be read."""
        return bool(self.doubtful) or any(self.fire(kind) for kind in KINDS)

    def of_cut_off(self) -> AlarmReport:
        """The same of a message that was cut off: it ends no fire and no test, since behind what is
        left another key may have said them."""
        return replace(
            self,
            smoke=self.smoke or None,
            heat=self.heat or None,
            co=self.co or None,
            gas=self.gas or None,
            test=self.test or None,
            has_fire_key=any(self.fire(kind) for kind in KINDS),
        )

    def as_json(self) -> dict[str, Any]:
        """What ``vigil-edge smoke decode`` prints: what cannot be read counts as a fire."""
        shown: dict[str, Any] = {
            kind: True if kind in self.doubtful else self.fire(kind) for kind in KINDS
        }
        shown |= {
            "battery_percent": self.battery_percent,
            "battery_low": self.battery_low,
            "fault": self.broken,
            "test": self.test,
            "tamper": self.tamper,
            "end_of_service": self.end_of_service,
            "muted": self.muted,
        }
        return shown | ({"unreadable": list(self.unreadable)} if self.unreadable else {})
