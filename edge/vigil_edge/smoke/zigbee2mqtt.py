"""What a smoke alarm says through Zigbee2MQTT. Pure; any bytes raise only the declared error.

Source: zigbee2mqtt.io, "MQTT topics and messages" and the exposes of its smoke, heat, gas and
carbon monoxide alarms, of which some come from the IAS zone status bits of ZCL 8.2.2.2.1.3.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from vigil_edge.smoke import payload as payloads
from vigil_edge.smoke import words
from vigil_edge.smoke.errors import PayloadMalformed
from vigil_edge.smoke.fields import Fields
from vigil_edge.smoke.words import KINDS, Kind

_CO_DANGER_PPM: Final = 300.0
"""EN 50291-1: at this concentration an alarm has to sound within 3 minutes."""
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
    fields = Fields(payloads.flattened(value))
    fires = _Fires(fields, measured)
    test, muted = fields.test(), fields.muted()
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
        tamper=fields.tamper(),
        end_of_service=fields.end_of_service(),
        muted=True if fires.muted else muted,
        battery_low=battery_low,
        battery_percent=battery_percent,
        link_quality=fields.link_quality(),
        smoke_density=fields.smoke_density(),
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

    def __init__(self, fields: Fields, measured: Collection[Kind]) -> None:  # noqa: C901 - one branch for each key of the payload, in their order
        self.said: dict[Kind, bool | None] = dict.fromkeys(KINDS)
        self.doubtful: list[Kind] = []
        self.raw = ""
        self.test = self.muted = self.plainly = False
        keyed = [(k, key, v) for key, v in fields.pairs if (k := words.kind_of(key)) is not None]
        self.stated: set[Kind] = {k for k, key, v in keyed if not _is_bare_number(key, v)}
        doubts: dict[Kind, str] = {}
        for kind, key, value in keyed:
            if key.startswith("alarm") and kind == "smoke":
                kind = words.kind_in(value) or kind  # "alarm": "co_alarm"
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
            general = words.said_in_general(key, value)
            if general is not None:
                self.said[general[0]] = True
                self.plainly |= general[1]
            elif words.hints_at_fire(key, value):
                doubts.setdefault("smoke", f"{key}: {payloads.shown(value)}")
            elif words.is_co_measured(key):
                self._take_concentration("co", value)
            elif (hot := words.heat_in_temperature(key, value)) is not None:
                self.said["heat"] = bool(self.said["heat"]) or hot
            elif (zone := words.zone_status(key, value)) is not None:
                self.said["smoke"] = bool(self.said["smoke"]) or zone.fire
                self.test |= zone.test
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
