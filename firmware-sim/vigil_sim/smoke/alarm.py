"""One Zigbee smoke alarm: what it senses, when it sounds, and what Zigbee2MQTT says of it.

Pure but for the generator it is given; topics and keys as zigbee2mqtt.io documents them.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Literal

from vigil_sim.faults import Faults

CLEARS_AT: Final = 0.5
"""The alarm falls silent below this share of its threshold."""
BATTERY_LOW_PERCENT: Final = 10.0
CHANCE_STYLES: Final = ("json", "binary")
"""Of corrupt_frame: a message is broken JSON, or not text."""
STATE_STYLES: Final = ("stuck", "link-lost")
"""Of corrupt_frame, as long as its window: smoke stays true; unavailable, nothing is published."""


Dialect = Literal["plain", "state", "two_alarms", "words"]
"""How a converter words an alarm: ``smoke``; ``smoke_state`` and ``battery_state``;
``smoke_alarm_1`` and ``_2``; ``smoke`` as a word. All of them are found in the field."""


def clear_air(_t: float) -> float:
    """No smoke."""
    return 0.0


@dataclass(frozen=True, slots=True)
class ZigbeeAlarm:
    """One alarm. ``obscuration(t)`` is the smoke at the alarm, % per metre, at second ``t``.

    Faults: drop (a message is lost), drift (``battery`` in % per second, ``obscuration`` in
    % per metre and second: a chamber that fouls), clock_skew (``last_seen``), reboot (the alarm is
    off the network) and corrupt_frame in ``CHANCE_STYLES`` and ``STATE_STYLES``.
    """

    friendly_name: str
    device: str
    obscuration: Callable[[float], float] = clear_air
    ieee_address: str = "0x00158d0000000001"
    battery_percent: float = 97.0
    threshold: float = 3.0
    """Alarms at this obscuration, % per metre (EN 14604 tests between about 1 and 5)."""
    faults: Faults = field(default_factory=Faults)
    name: str = ""
    name_zh: str = ""
    latitude: float | None = None
    longitude: float | None = None
    dialect: Dialect = "plain"
    senses_heat: bool = False
    """A combined alarm: its messages have ``heat``."""
    celsius: Callable[[float], float] | None = None
    """Of the air at the alarm, where it tells a temperature."""
    configured: bool = True
    """Whether the gateway's ``[[smoke.alarm]]`` names it; the bridge has it all the same."""


@dataclass(frozen=True, slots=True)
class Condition:
    """What an alarm reports."""

    smoke: bool
    test: bool
    tamper: bool
    battery_percent: float
    optical_density: float
    """dB per metre."""
    reachable: bool = True
    heat: bool = False
    expired: bool = False
    """It says that its service life has ended."""
    celsius: float | None = None

    @property
    def battery_low(self) -> bool:
        """Below 10 %."""
        return self.battery_percent < BATTERY_LOW_PERCENT

    def differs(self, other: Condition) -> bool:
        """Whether a change is worth a message at once."""
        return (
            (self.smoke, self.test, self.tamper, self.battery_low, self.heat, self.expired)
            != (other.smoke, other.test, other.tamper, other.battery_low, other.heat, other.expired)
        ) or (
            abs(self.optical_density - other.optical_density) > 0.1
            or abs((self.celsius or 0.0) - (other.celsius or 0.0)) > 1.0
        )


class SensingChamber:
    """An alarm's own state over time."""

    def __init__(self, alarm: ZigbeeAlarm) -> None:
        self.alarm = alarm
        self.test = False
        """The button is held."""
        self.test_sounds = False
        """The test raises the smoke bit too, as on most alarms."""
        self.heat = False
        """It is hot enough for the heat element."""
        self.expired = False
        self.tamper = False
        """The alarm is off its base."""
        self._smoke = False
        self._link = random.Random(f"link/{alarm.friendly_name}")
        self._quality = 120.0

    def sense(self, t: float) -> Condition:
        """The condition at second ``t`` of the timetable; sounds with hysteresis."""
        alarm, faults = self.alarm, self.alarm.faults
        obscuration = alarm.obscuration(t) + faults.drift(t, "obscuration")
        obscuration = min(max(obscuration, 0.0), 99.9)
        bound = alarm.threshold * (CLEARS_AT if self._smoke else 1.0)
        self._smoke = obscuration >= bound
        battery = alarm.battery_percent + faults.drift(t, "battery")
        return Condition(
            smoke=self._smoke or faults.in_state(t, "stuck") or (self.test and self.test_sounds),
            test=self.test,
            tamper=self.tamper,
            battery_percent=min(max(battery, 0.0), 100.0),
            optical_density=-10 * math.log10(1 - obscuration / 100),
            reachable=not (faults.rebooting(t) or faults.in_state(t, "link-lost")),
            heat=self.heat,
            expired=self.expired,
            celsius=alarm.celsius(t) if alarm.celsius is not None else None,
        )

    def link_quality(self) -> int:
        """Zigbee LQI, wandering."""
        self._quality += self._link.gauss(0.0, 4.0)
        self._quality = min(max(self._quality, 20.0), 255.0)
        return round(self._quality)


def message(
    alarm: ZigbeeAlarm, condition: Condition, link_quality: int, last_seen_s: float
) -> dict[str, Any]:
    """The device's message in its dialect. ``last_seen_s`` is Unix time."""
    seen = datetime.fromtimestamp(last_seen_s, UTC)
    found: dict[str, Any] = {
        "battery": round(condition.battery_percent),
        "battery_low": condition.battery_low,
        "last_seen": seen.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "linkquality": link_quality,
        "smoke": condition.smoke,
        "smoke_density": round(condition.optical_density, 3),
        "tamper": condition.tamper,
        "test": condition.test,
        "voltage": 2000 + 10 * round(condition.battery_percent),
    }
    if alarm.senses_heat:
        found["heat"] = condition.heat
    if condition.expired:
        found["lifecycle"] = True
    if condition.celsius is not None:
        found["temperature"] = round(condition.celsius, 1)
    if alarm.dialect == "state":
        found["smoke_state"] = "alarm" if found.pop("smoke") else "normal"
        found["battery_state"] = "low" if found.pop("battery_low") else "high"
    elif alarm.dialect == "two_alarms":
        found |= {"smoke_alarm_1": found.pop("smoke"), "smoke_alarm_2": False}
    elif alarm.dialect == "words":
        found["smoke"] = "alarm" if found["smoke"] else "clear"
    return found


def broken(style: str | None, payload: bytes, rng: random.Random) -> bytes:
    """A message cut off in mid-JSON (``json``), or bytes that are no text (``binary``)."""
    style = style or rng.choice(CHANCE_STYLES)
    if style == "json":
        return payload[: rng.randrange(1, len(payload))]
    return bytes((0xFF, 0xFE)) + rng.randbytes(len(payload))


def definition(alarm: ZigbeeAlarm, network_address: int) -> dict[str, Any]:
    """The alarm's entry in ``bridge/devices``."""
    numbers = {"battery": "%", "voltage": "mV", "linkquality": "lqi", "smoke_density": "dB/m"}
    spoken = message(alarm, Condition(False, False, False, 97.0, 0.0), 120, 0.0)
    fire = [name for name in ("smoke", "smoke_state", "smoke_alarm_1", "heat") if name in spoken]
    exposes = [
        *(_exposed("binary", name) for name in (*fire, "battery_low", "tamper", "test")),
        *(_exposed("numeric", name, unit=unit) for name, unit in numbers.items()),
    ]
    return {
        "ieee_address": alarm.ieee_address,
        "type": "EndDevice",
        "network_address": network_address,
        "supported": True,
        "disabled": False,
        "friendly_name": alarm.friendly_name,
        "definition": {
            "model": "SIM-SMOKE-1",
            "vendor": "Vigil simulator",
            "description": "Smoke alarm",
            "supports_ota": False,
            "exposes": exposes,
            "options": [],
        },
        "power_source": "Battery",
        "model_id": "SIM-SMOKE-1",
        "manufacturer": "Vigil simulator",
        "interviewing": False,
        "interview_completed": True,
        "endpoints": {"1": {"bindings": [], "clusters": {"input": ["ssIasZone"], "output": []}}},
    }


def _exposed(kind: str, name: str, **keys: str) -> dict[str, Any]:
    exposed: dict[str, Any] = {"type": kind, "name": name, "property": name, "access": 1, **keys}
    if kind == "binary":
        exposed |= {"value_on": True, "value_off": False}
    return exposed


def dumped(value: Any) -> bytes:
    """JSON as Zigbee2MQTT writes it: no blanks."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
