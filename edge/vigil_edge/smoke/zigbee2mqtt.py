"""What a smoke alarm says through Zigbee2MQTT. Pure; any bytes raise only the declared errors.

Source: zigbee2mqtt.io, "MQTT topics and messages" and the exposes of its smoke
alarms, which come from the IAS zone status bits of ZCL 8.2.2.2.1.3.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from vigil_edge.smoke.errors import PayloadMalformed, PayloadWrongType

_FAULT_KEYS: Final = ("trouble", "device_fault", "fault_alarm", "fault")
_DENSITY_KEYS: Final = ("smoke_density", "smoke_concentration")
_DENSITY_LIMIT: Final = 1e9
_PLAIN_WORDS: Final = {
    "true": True,
    "on": True,
    "1": True,
    "false": False,
    "off": False,
    "0": False,
}


@dataclass(frozen=True, slots=True)
class AlarmReport:
    """One message of one alarm. ``None`` is what the payload does not say."""

    smoke: bool | None = None
    test: bool | None = None
    fault: bool | None = None
    tamper: bool | None = None
    battery_low: bool | None = None
    battery_percent: float | None = None
    link_quality: int | None = None
    """Zigbee LQI, 0 to 255."""
    smoke_density: float | None = None
    """In the device's own measure (mostly dB/m, ppm or a scale)."""
    last_seen: datetime | None = None
    unreadable: tuple[str, ...] = ()
    """Keys whose value cannot be: taken for not said, or for what it plainly means."""

    def as_json(self) -> dict[str, Any]:
        """What ``vigil-edge smoke decode`` prints."""
        return {
            "smoke": self.smoke,
            "battery_percent": self.battery_percent,
            "fault": self.fault,
            "test": self.test,
            "tamper": self.tamper,
        }


def decode(payload: bytes | str) -> AlarmReport:
    """One device message, strictly. Raises ``PayloadMalformed`` or ``PayloadWrongType``."""
    report = _report(_object(payload, _refuse_constant))
    if report.unreadable:
        names = ", ".join(report.unreadable)
        raise PayloadWrongType(
            f"cannot read {names}: a value of the wrong type or out of range", report.unreadable
        )
    return report


def read(payload: bytes | str) -> AlarmReport:
    """One device message, taking what can be read: a broken battery value must not hide smoke.

    Raises ``PayloadMalformed`` where there is nothing to read.
    """
    return _report(_object(payload, float))


def _report(values: dict[str, Any]) -> AlarmReport:
    fields = _Fields(values)
    return AlarmReport(
        smoke=fields.truth("smoke"),
        test=fields.truth("test"),
        fault=fields.any_truth(_FAULT_KEYS),
        tamper=fields.truth("tamper"),
        battery_low=fields.truth("battery_low"),
        battery_percent=fields.number("battery", 0, 100),
        link_quality=fields.whole("linkquality", 0, 255),
        smoke_density=fields.first_number(_DENSITY_KEYS),
        last_seen=fields.instant("last_seen"),
        unreadable=tuple(fields.unreadable),
    )


def online(payload: bytes) -> bool | None:
    """``bridge/state`` and ``availability``: ``{"state": …}``, or the bare word of old versions."""
    text = payload.decode(errors="replace").strip()
    try:
        state = json.loads(text)
    except (ValueError, RecursionError):
        state = text
    if isinstance(state, dict):
        state = state.get("state")
    return {"online": True, "offline": False}.get(state) if isinstance(state, str) else None


def _object(payload: bytes | str, constant: Callable[[str], float]) -> dict[str, Any]:
    try:
        text = payload.decode() if isinstance(payload, bytes) else payload
        value = json.loads(text, parse_constant=constant)
    except (ValueError, RecursionError) as error:
        raise PayloadMalformed(f"the payload is not JSON: {error}") from error
    if not isinstance(value, dict):
        raise PayloadMalformed(
            f"the payload is a JSON {type(value).__name__}; Zigbee2MQTT sends an object"
            " (set `output: json` in its configuration)"
        )
    return value


def _refuse_constant(word: str) -> float:
    raise ValueError(f"{word} is not JSON")


class _Fields:
    """Typed reading of a payload that notes what it could not read."""

    def __init__(self, values: dict[str, Any]) -> None:
        self._values = values
        self.unreadable: list[str] = []

    def truth(self, key: str) -> bool | None:
        """What is no truth value is noted, and still taken where it can mean one thing only."""
        value = self._values.get(key)
        if value is None or isinstance(value, bool):
            return value
        self.unreadable.append(key)
        return _PLAIN_WORDS.get(str(value).lower()) if isinstance(value, str | int) else None

    def any_truth(self, keys: tuple[str, ...]) -> bool | None:
        """``fault`` is a word on some devices, a truth value on others: words are not read."""
        said: list[bool] = []
        for key in keys:
            if key == "fault" and isinstance(self._values.get(key), str):
                continue
            value = self.truth(key)
            if value is not None:
                said.append(value)
        return any(said) if said else None

    def number(self, key: str, low: float, high: float) -> float | None:
        value = self._values.get(key)
        if value is None:
            return None
        number = not isinstance(value, bool) and isinstance(value, int | float)
        if not number or not low <= value <= high:
            self.unreadable.append(key)
            return None
        return float(value) if isinstance(value, float) else int(value)

    def whole(self, key: str, low: int, high: int) -> int | None:
        value = self.number(key, low, high)
        return None if value is None else round(value)

    def first_number(self, keys: tuple[str, ...]) -> float | None:
        for key in keys:
            value = self.number(key, -_DENSITY_LIMIT, _DENSITY_LIMIT)
            if value is not None:
                return float(value)
        return None

    def instant(self, key: str) -> datetime | None:
        """ISO 8601 or milliseconds since 1970, as Zigbee2MQTT's ``last_seen`` setting chooses."""
        value = self._values.get(key)
        if value is None:
            return None
        try:
            if isinstance(value, str):
                time = datetime.fromisoformat(value)
                return None if time.tzinfo is None else time.astimezone(UTC)
            if isinstance(value, int | float) and not isinstance(value, bool):
                return datetime.fromtimestamp(value / 1000, UTC)
        except (ValueError, OverflowError, OSError):
            pass
        self.unreadable.append(key)
        return None
