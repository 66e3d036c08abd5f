"""What a smoke alarm says through Zigbee2MQTT. Pure; any bytes raise only the declared error.

Source: zigbee2mqtt.io, "MQTT topics and messages" and the exposes of its smoke, heat, gas and
carbon monoxide alarms, of which some come from the IAS zone status bits of ZCL 8.2.2.2.1.3.
"""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any, Final

from vigil_edge.smoke import payload as payloads
from vigil_edge.smoke import words
from vigil_edge.smoke.errors import PayloadMalformed
from vigil_edge.smoke.fields import Fields
from vigil_edge.smoke.report import AlarmReport
from vigil_edge.smoke.words import KINDS, Kind

_CO_DANGER_PPM: Final = 300.0
"""EN 50291-1: at this concentration an alarm has to sound within 3 minutes."""
_RAW: Final = 200


def read(
    payload: bytes | str, measured: Collection[Kind] = (), without: Collection[str] = ()
) -> AlarmReport:
    """One device message, taking what can be read: a broken battery value must not hide smoke.

    ``measured`` are kinds of which a bare number is known to be a concentration, ``without`` keys
    that say nothing of the alarm. Raises ``PayloadMalformed`` where there is nothing to read.
    """
    text = payloads.text_of(payload)
    try:
        value = payloads.value_of(text)
    except PayloadMalformed:
        report = _report(payloads.salvaged(text), measured, without)
        if payloads.is_cut_off(text):
            report = report.of_cut_off()
        if report.has_fire_key or report.doubtful:
            return report
        if _is_fire_word(text):
            return _doubtful(text)
        raise
    if isinstance(value, payloads.Pairs):
        return _report(value, measured, without)
    report = _report(value, measured)
    if report.has_fire_key or report.doubtful:
        return report
    if isinstance(value, str | bool) and words.meaning(value).fire:
        return _doubtful(text)
    raise PayloadMalformed(
        f"the payload is a JSON {type(value).__name__}; Zigbee2MQTT sends an object"
        " (set `output: json` in its configuration)"
    )


def read_value(value: Any, measured: Collection[Kind] = ()) -> AlarmReport:
    """A value of ``payload.value_of``: what somebody's decoder made of a message, by its keys."""
    return _report(value, measured)


def read_attribute(
    name: str, payload: bytes, measured: Collection[Kind] = (), without: Collection[str] = ()
) -> AlarmReport:
    """One attribute with ``output: attribute``: a topic each, with the bare value as payload."""
    text = payloads.text_of(payload)
    try:
        value = payloads.value_of(text)
    except PayloadMalformed:
        value = text
    return _report(payloads.Pairs([(name, value)]), measured, without)


def _is_fire_word(text: str) -> bool:
    """Of a message that is a bare word; one that was cut off is no word."""
    return not set(text) & set('{}[]:"') and words.meaning(text).fire is True


def _doubtful(text: str) -> AlarmReport:
    return AlarmReport(doubtful=("smoke",), raw=text[:_RAW], unreadable=("smoke",))


def _report(value: Any, measured: Collection[Kind], without: Collection[str] = ()) -> AlarmReport:
    fields = Fields([pair for pair in payloads.flattened(value) if pair[0] not in without])
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
        contaminated=fields.contaminated(),
        tamper=fields.tamper(),
        end_of_service=fields.end_of_service(),
        muted=True if fires.muted else muted,
        battery_low=battery_low,
        battery_percent=battery_percent,
        link_quality=fields.link_quality(),
        smoke_density=fields.smoke_density(),
        temperature=fields.temperature(),
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
        keyed = [
            (k, key, v)
            for key, v in fields.pairs
            if (k := words.kind_of(key)) is not None and not words.is_temperature(key, v)
        ]
        self.stated: set[Kind] = {k for k, key, v in keyed if not _is_bare_number(key, v)}
        doubts: dict[Kind, str] = {}
        for kind, key, value in keyed:
            if kind == "smoke" and words.is_any_alarm(key):
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
