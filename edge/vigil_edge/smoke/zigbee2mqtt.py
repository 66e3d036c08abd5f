"""What a smoke alarm says through Zigbee2MQTT. Pure; any bytes raise only the declared error.

Source: zigbee2mqtt.io, "MQTT topics and messages" and the exposes of its smoke, heat, gas and
carbon monoxide alarms, of which some come from the IAS zone status bits of ZCL 8.2.2.2.1.3.
"""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from vigil_edge.smoke import payload as payloads
from vigil_edge.smoke import words
from vigil_edge.smoke.errors import PayloadMalformed
from vigil_edge.smoke.words import KINDS, Kind

_TEST_KEYS: Final = ("test", "testing", "test_mode", "test_in_progress")
"""Not ``self_test`` or ``self_checking``: those are commands, and some stay true for ever."""
_FAULT_KEYS: Final = ("trouble", "device_fault", "fault_alarm", "fault", "hardware_fault")
_SELF_TEST_KEYS: Final = ("self_test_result", "checking_result", "selftest_result", "test_result")
_TAMPER_KEYS: Final = ("tamper", "tampered", "tamper_alarm", "temper_alarm")
_BATTERY_LOW_KEYS: Final = ("battery_low", "low_battery", "battery_alarm", "battery_low_alarm")
_BATTERY_KEYS: Final = ("battery", "battery_percentage", "battery_level")
_END_KEYS: Final = ("lifecycle", "end_of_life", "end_of_service", "expired", "eol")
_MUTED_KEYS: Final = ("muted", "mute", "silence", "silenced", "hush", "mute_buzzer", "muffling")
_DENSITY_KEYS: Final = ("smoke_density", "smoke_concentration", "smoke_value")
_DENSITY_LIMIT: Final = 1e9
_BATTERY_UNKNOWN: Final = 255
_BATTERY_WORDS: Final = {
    **dict.fromkeys(("low", "critical", "empty", "replace", "depleted", "flat", "warning"), True),
    **dict.fromkeys(("middle", "medium", "high", "normal", "full", "good", "ok"), False),
}
_CO_DANGER_PPM: Final = 300.0
"""EN 50291-1: at this concentration an alarm has to sound within 3 minutes."""
_SECONDS_BELOW: Final = 1e11
"""A number below this is in seconds since 1970: as milliseconds it would lie before 1973."""
_RAW: Final = 200


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
    tamper: bool | None = None
    end_of_service: bool | None = None
    muted: bool | None = None
    battery_low: bool | None = None
    battery_percent: float | None = None
    link_quality: int | None = None
    """Zigbee LQI, 0 to 255."""
    smoke_density: float | None = None
    """In the device's own measure (mostly dB/m, ppm or a scale)."""
    last_seen: datetime | None = None
    has_fire_key: bool = False
    """Whether any fire key was there with a value that can be read."""
    plainly_fire: bool = False
    """Whether one of those was a key that only alarms use."""
    measured: frozenset[Kind] = frozenset()
    """Kinds that the message states as a truth, so that a bare number is a concentration."""
    unreadable: tuple[str, ...] = ()
    """Keys whose value cannot be: taken for not said, or for what it plainly means."""

    def fire(self, kind: Kind) -> bool | None:
        """Of one kind."""
        value: bool | None = getattr(self, kind)
        return value

    @property
    def may_be_fire(self) -> bool:
        """Whether it says fire, or says of one what cannot be read."""
        return bool(self.doubtful) or any(self.fire(kind) for kind in KINDS)

    def as_json(self) -> dict[str, Any]:
        """What ``vigil-edge smoke decode`` prints: what cannot be read counts as a fire."""
        shown: dict[str, Any] = {
            kind: True if kind in self.doubtful else self.fire(kind) for kind in KINDS
        }
        shown |= {
            "battery_percent": self.battery_percent,
            "battery_low": self.battery_low,
            "fault": self.fault,
            "test": self.test,
            "tamper": self.tamper,
            "end_of_service": self.end_of_service,
            "muted": self.muted,
        }
        return shown | ({"unreadable": list(self.unreadable)} if self.unreadable else {})


def read(payload: bytes | str, measured: Collection[Kind] = ()) -> AlarmReport:
    """One device message, taking what can be read: a broken battery value must not hide smoke.

    ``measured`` are kinds of which a bare number is known to be a concentration. Raises
    ``PayloadMalformed`` where there is nothing to read.
    """
    text = payloads.text_of(payload)
    try:
        value = payloads.value_of(text)
    except PayloadMalformed:
        report = _report(payloads.salvaged(text), measured)
        if report.has_fire_key or report.doubtful:
            return report
        if _is_fire_word(text):
            return _doubtful(text)
        raise
    if isinstance(value, payloads.Pairs):
        return _report(value, measured)
    report = _report(value, measured)
    if report.has_fire_key or report.doubtful:
        return report
    if isinstance(value, str | bool) and words.meaning(value).fire:
        return _doubtful(text)
    raise PayloadMalformed(
        f"the payload is a JSON {type(value).__name__}; Zigbee2MQTT sends an object"
        " (set `output: json` in its configuration)"
    )


def read_attribute(name: str, payload: bytes, measured: Collection[Kind] = ()) -> AlarmReport:
    """One attribute with ``output: attribute``: a topic each, with the bare value as payload."""
    text = payloads.text_of(payload)
    try:
        value = payloads.value_of(text)
    except PayloadMalformed:
        value = text
    return _report(payloads.Pairs([(name, value)]), measured)


def _is_fire_word(text: str) -> bool:
    """Of a message that is a bare word; one that was cut off is no word."""
    return not set(text) & set('{}[]:"') and words.meaning(text).fire is True


def _doubtful(text: str) -> AlarmReport:
    return AlarmReport(doubtful=("smoke",), raw=text[:_RAW], unreadable=("smoke",))


def _report(value: Any, measured: Collection[Kind]) -> AlarmReport:
    fields = _Fields(payloads.flattened(value))
    fires = _Fires(fields, measured)
    test = fields.any_truth(_TEST_KEYS)
    muted = fields.any_truth(_MUTED_KEYS)
    battery_low, battery_percent = fields.battery()
    return AlarmReport(
        smoke=fires.said["smoke"],
        heat=fires.said["heat"],
        co=fires.said["co"],
        gas=fires.said["gas"],
        doubtful=tuple(fires.doubtful),
        raw=f"{fires.raw}"[:_RAW] if fires.doubtful else None,
        test=True if fires.test else test,
        fault=fields.fault(),
        tamper=fields.any_truth(_TAMPER_KEYS),
        end_of_service=fields.end_of_service(),
        muted=True if fires.muted else muted,
        battery_low=battery_low,
        battery_percent=battery_percent,
        link_quality=fields.link_quality(),
        smoke_density=fields.first_number(_DENSITY_KEYS),
        last_seen=fields.instant("last_seen"),
        has_fire_key=any(said is not None for said in fires.said.values()),
        plainly_fire=fires.plainly,
        measured=frozenset(fires.stated),
        unreadable=tuple(dict.fromkeys([*fires.doubtful, *fields.unreadable])),
    )


def online(payload: bytes) -> bool | None:
    """``bridge/state`` and ``availability``: ``{"state": …}``, or the bare word of old versions."""
    text = payloads.text_of(payload)
    try:
        state = json.loads(text)
    except (ValueError, RecursionError):
        state = text
    if isinstance(state, dict):
        state = state.get("state")
    return {"online": True, "offline": False}.get(state) if isinstance(state, str) else None


class _Fires:
    """Every fire key of a message together: any of one kind that says fire is a fire."""

    def __init__(self, fields: _Fields, measured: Collection[Kind]) -> None:
        self.said: dict[Kind, bool | None] = dict.fromkeys(KINDS)
        self.doubtful: list[Kind] = []
        self.raw = ""
        self.test = self.muted = self.plainly = False
        keyed = [(k, key, v) for key, v in fields.pairs if (k := words.kind_of(key)) is not None]
        self.stated: set[Kind] = {k for k, key, v in keyed if not _is_bare_number(key, v)}
        doubts: dict[Kind, str] = {}
        for kind, key, value in keyed:
            if _is_bare_number(key, value) and kind in {*self.stated, *measured}:
                self._take_concentration(kind, value)
                continue
            said = words.meaning(value)
            self.test |= said.test
            self.muted |= said.muted
            if not said.readable:
                doubts.setdefault(kind, f"{key}: {payloads.shown(value)}")
            elif said.fire is not None or said.test:
                self.plainly |= words.is_plainly_fire(key)
            if said.fire is not None:
                self.said[kind] = bool(self.said[kind]) or said.fire
        for key, value in fields.pairs:
            if words.is_said_in_general(key, value):
                self.said["smoke"] = self.plainly = True
            elif words.hints_at_fire(key, value):
                doubts.setdefault("smoke", f"{key}: {payloads.shown(value)}")
        for kind, raw in doubts.items():
            if not self.said[kind]:
                self.said[kind] = None
                self.doubtful.append(kind)
                self.raw = self.raw or raw

    def _take_concentration(self, kind: Kind, value: Any) -> None:
        number = words.as_number(value)
        if kind == "co" and number is not None and number >= _CO_DANGER_PPM:
            self.said[kind] = True


def _is_bare_number(key: str, value: Any) -> bool:
    return words.may_be_measured(key) and words.as_number(value) is not None


class _Fields:
    """Typed reading of a payload that notes what it could not read."""

    def __init__(self, pairs: Sequence[tuple[str, Any]]) -> None:
        self.pairs = pairs
        self.unreadable: list[str] = []

    def _values(self, keys: Collection[str]) -> list[tuple[str, Any]]:
        return [(key, value) for key, value in self.pairs if key in keys and value is not None]

    def any_truth(self, keys: Collection[str]) -> bool | None:
        said: list[bool] = []
        for key, value in self._values(keys):
            found = words.truth(value)
            if found is not None:
                said.append(found)
            elif not words.meaning(value).readable:
                self.unreadable.append(key)
        return any(said) if said else None

    def fault(self) -> bool | None:
        """Faults as truth values or in words, and self tests that failed."""
        said: list[bool | None] = []
        for key, value in self._values({*_FAULT_KEYS, *_SELF_TEST_KEYS}):
            if key in _SELF_TEST_KEYS or (
                isinstance(value, str) and words.failed(value) is not None
            ):
                said.append(words.failed(value) if isinstance(value, str) else None)
            elif isinstance(value, str) and key == "fault" and words.truth(value) is None:
                continue  # a device's own word, such as "none" or "no_fault_detected"
            else:
                said.append(self.any_truth((key,)))
        known = [one for one in said if one is not None]
        return any(known) if known else None

    def end_of_service(self) -> bool | None:
        """``lifecycle`` is a truth on some devices and a number of days on others."""
        said: list[bool] = []
        for _, value in self._values(_END_KEYS):
            if isinstance(value, str) and words.plain(value) in {
                "expired",
                "end_of_life",
                "replace",
            }:
                said.append(True)
            elif isinstance(value, bool | str) and words.as_number(value) is None:
                found = words.truth(value)
                said += [] if found is None else [found]
        return any(said) if said else None

    def battery(self) -> tuple[bool | None, float | None]:
        """The device's own warning, and percent; 255 is ZCL's "unknown"."""
        low: list[bool] = []
        percent: float | None = None
        warned = self.any_truth(_BATTERY_LOW_KEYS)
        low += [] if warned is None else [warned]
        for key, value in self._values({*_BATTERY_KEYS, "battery_state", "battery_status"}):
            number = words.as_number(value)
            word = _BATTERY_WORDS.get(words.plain(value)) if isinstance(value, str) else None
            if word is not None:
                low.append(word)
                if key in _BATTERY_KEYS and word is False:
                    self.unreadable.append(key)
            elif key not in _BATTERY_KEYS or number == _BATTERY_UNKNOWN:
                continue
            elif number is None or not 0 <= number <= 100:
                self.unreadable.append(key)
            elif percent is None:
                percent = int(number) if number.is_integer() else number
        return (any(low) if low else None), percent

    def link_quality(self) -> int | None:
        for key, value in self._values(("linkquality",)):
            number = words.as_number(value)
            if number is not None and 0 <= number <= 255:
                return round(number)
            self.unreadable.append(key)
        return None

    def first_number(self, keys: tuple[str, ...]) -> float | None:
        for name in keys:
            for key, value in self._values((name,)):
                number = words.as_number(value)
                if number is not None and abs(number) <= _DENSITY_LIMIT:
                    return number
                self.unreadable.append(key)
        return None

    def instant(self, name: str) -> datetime | None:
        """ISO 8601 or milliseconds since 1970, as Zigbee2MQTT's ``last_seen`` setting chooses."""
        for key, value in self._values((name,)):
            found = _instant(value)
            if found is not None:
                return found
            self.unreadable.append(key)
        return None


def _instant(value: Any) -> datetime | None:
    number = words.as_number(value)
    try:
        if number is not None:
            if not math.isfinite(number):
                return None
            seconds = number if abs(number) < _SECONDS_BELOW else number / 1000
            return datetime.fromtimestamp(seconds, UTC)
        if isinstance(value, str):
            time = datetime.fromisoformat(value.strip())
            return None if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        pass
    return None
