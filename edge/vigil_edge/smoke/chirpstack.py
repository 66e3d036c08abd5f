"""A LoRaWAN alarm behind ChirpStack v4: its integration's JSON events. Pure.

Source: chirpstack.io, "Integrations: events" (uplink: ``deduplicationId``, ``time``,
``deviceInfo``, ``fCnt``, ``fPort``, ``data`` in base64, ``object`` of the device profile's own
decoder, ``rxInfo``; status: ``batteryLevel``, ``batteryLevelUnavailable``,
``externalPowerSource``).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from vigil_edge.smoke import lorawan, words, zigbee2mqtt
from vigil_edge.smoke import payload as payloads
from vigil_edge.smoke.errors import FrameMalformed, PayloadMalformed
from vigil_edge.smoke.payload import Pairs
from vigil_edge.smoke.phrases import snake_case
from vigil_edge.smoke.report import AlarmReport

_TG563A_FAULTS: Final = (
    *("smoke_chamber_failure", "ultrasonic_sensor_failure", "infrared_sensor_failure"),
    *("buzzer_failure", "air_inlet_covered"),
)
_EUI: Final = re.compile(r"[0-9a-fA-F]{16}")
_BESIDE: Final = re.compile(r"[^a-z0-9]+")
_PROFILES: Final = {"gs524n": "gs524n", "tg563a": "tg563a", "ra02a": "ra02a", "ra02c": "ra02a"}
"""What a device profile's name contains, in small letters and digits alone."""


@dataclass(frozen=True, slots=True)
class Uplink:
    """One event of one device."""

    report: AlarmReport
    eui: str | None = None
    """DevEUI, in small letters."""
    name: str | None = None
    counter: int | None = None
    """``fCnt``, of the session in ``address``."""
    address: str | None = None
    """``devAddr``: another one after the device has joined again, with a counter from 0."""
    identity: str | None = None
    """``deduplicationId``: the same wherever this uplink is delivered again."""
    time: datetime | None = None
    rssi: float | None = None
    malformed: bool = False
    """Whether its frame is none of this model, and may say a fire all the same."""

    @property
    def may_be_alarm(self) -> bool:
        """What it says is of a fire, also of a device that nobody configured."""
        return self.report.has_fire_key or self.malformed


def read(payload: bytes | str) -> AlarmReport:
    """An uplink or a status event, as one alarm's report. Raises ``PayloadMalformed``."""
    try:
        event = _event(payload)
    except PayloadMalformed:
        if (cut := _cut_off(payload)) is None:
            raise
        return cut
    return replace(_report(event), last_seen=event.time())


def read_event(payload: bytes | str) -> Uplink:
    """The same with who sent it, and as which of its messages; a frame that is none of its model
    and may say fire is one too. Raises ``PayloadMalformed``."""
    try:
        event = _event(payload)
    except PayloadMalformed:
        if (cut := _cut_off(payload)) is None:
            raise
        return Uplink(cut, malformed=True)
    malformed = False
    try:
        report = _report(event)
    except FrameMalformed as error:
        if not error.may_be_fire:
            raise
        malformed, report = True, _of_fire(error)
    return Uplink(
        report=replace(report, last_seen=event.time()),
        eui=event.eui(),
        name=event.text("deviceInfo", "deviceName"),
        counter=event.whole("fCnt"),
        address=event.text("devAddr"),
        identity=event.text("deduplicationId"),
        time=event.time(),
        malformed=malformed,
    )


def _event(payload: bytes | str) -> _Event:
    value = payloads.value_of(payloads.text_of(payload))
    if not isinstance(value, Pairs):
        raise PayloadMalformed(
            f"the payload is a JSON {type(value).__name__}; ChirpStack sends an object"
        )
    return _Event(value)


def _cut_off(payload: bytes | str) -> AlarmReport | None:
    """What a message says that is broken or was cut off, where that may be a fire: by its words,
    else by its frame, where that is whole."""
    found = payloads.salvaged(payloads.text_of(payload))
    report = zigbee2mqtt.read_value(found).of_cut_off()
    if report.may_be_fire:
        return report
    event = _Event(found)
    codec = codec_of(event.text("deviceProfileName"))
    port = event.text("fPort") or ""
    try:
        frame = None if codec is None else event.frame()
        if codec is None or frame is None:
            return None
        report = lorawan.DECODERS[codec](frame, int(port) if port.isdecimal() else None)
    except FrameMalformed as error:
        return _of_fire(error) if error.may_be_fire else None
    return report if report.may_be_fire else None


def _of_fire(error: FrameMalformed) -> AlarmReport:
    """Of a frame that is none of this model and says fire: with its counter and time, as any."""
    said = str(error)
    doubt = AlarmReport(doubtful=("smoke",), raw=said[:200], unreadable=("smoke",))
    return replace(error.whole or doubt, misread=said)


class _Event:
    """Typed reading of one event; a key that comes twice counts as it came last."""

    def __init__(self, value: Pairs) -> None:
        self._pairs = dict(value.pairs)

    def at(self, *path: str) -> Any:
        found: Any = self._pairs
        for name in path:
            if isinstance(found, Pairs):
                found = dict(found.pairs)
            found = found.get(name) if isinstance(found, dict) else None
        return found

    def text(self, *path: str) -> str | None:
        found = self.at(*path)
        return found if isinstance(found, str) and found else None

    def whole(self, *path: str) -> int | None:
        found = self.at(*path)
        return found if isinstance(found, int) and not isinstance(found, bool) else None

    def eui(self) -> str | None:
        found = self.text("deviceInfo", "devEui")
        return found.lower() if found is not None and _EUI.fullmatch(found) else None

    def time(self) -> datetime | None:
        try:
            time = datetime.fromisoformat(self.text("time") or "")
        except ValueError:
            return None
        return time if time.tzinfo is not None else None

    def decoded(self) -> tuple[Any, bool]:
        """``object``, also as a text with JSON in it, as ChirpStack 3 has it in ``objectJSON``; and
        whether that text was cut off."""
        found = self.at("object")
        text = self.text("objectJSON") if found is None else found
        if not isinstance(text, str):
            return found, False
        try:
            return payloads.value_of(text), False
        except PayloadMalformed:
            said = payloads.salvaged(text)
            return (said if said.pairs else found), payloads.is_cut_off(text)

    def frame(self) -> bytes | None:
        """``data``; ``None`` where there is none. Raises ``FrameMalformed``."""
        data = self.at("data")
        if data is None or data == "":
            return None
        if not isinstance(data, str):
            raise FrameMalformed("the uplink's `data` is no base64 text")
        try:
            return base64.b64decode(data, validate=True)
        except ValueError as error:  # also of letters that are no ASCII
            raise FrameMalformed(f"the uplink's `data` is no base64: {error}") from error


def codec_of(profile: str | None) -> str | None:
    """The codec that a device profile's name contains: "Milesight GS-524N (AS923)"."""
    plain = _BESIDE.sub("", (profile or "").lower())
    return next((codec for part, codec in _PROFILES.items() if part in plain), None)


def _report(event: _Event) -> AlarmReport:
    """By the frame where the device's codec is known, else by what ChirpStack decoded of it."""
    profile = event.text("deviceInfo", "deviceProfileName")
    codec = codec_of(profile)
    decoded, is_cut = event.decoded()
    if codec is not None:
        try:
            frame = event.frame()
            if frame is not None:
                return lorawan.DECODERS[codec](frame, event.whole("fPort"))
        except FrameMalformed as error:
            found = isinstance(decoded, Pairs) and decoded.pairs
            said = _of_object(decoded, is_cut=is_cut) if found else None
            if said is None or (error.may_be_fire and not (said.has_fire_key or said.doubtful)):
                raise
            return replace(said, misread=str(error))
    if isinstance(decoded, Pairs):
        return _of_object(decoded, is_cut=is_cut)
    if event.at("batteryLevelUnavailable") is not None or event.at("batteryLevel") is not None:
        return _of_status(event)
    if event.at("data") in (None, ""):
        if event.at("deviceInfo") is None:
            raise PayloadMalformed("there is no `deviceInfo`: it is no event of ChirpStack v4")
        return AlarmReport()  # an uplink of the network alone, a join
    raise PayloadMalformed(
        f"device profile {profile!r} names no codec that is known ({', '.join(lorawan.DECODERS)}),"
        " and the uplink has no `object`: name the profile after the model, or give it a codec"
    )


def _of_status(event: _Event) -> AlarmReport:
    level = words.as_number(event.at("batteryLevel"))
    said = event.at("batteryLevelUnavailable") is not True and level is not None
    return AlarmReport(battery_percent=level if said and 0 <= (level or 0) <= 100 else None)


def _of_object(decoded: Pairs, *, is_cut: bool) -> AlarmReport:
    report = _of_keys(decoded)
    return report.of_cut_off() if is_cut else report


def _of_keys(decoded: Pairs) -> AlarmReport:
    """Of the decoders that the manufacturers publish; else by its keys, as any converter's."""
    said = {snake_case(key): value for key, value in payloads.flattened(decoded)}
    for key in ("event", "message_type"):
        name = said.get(key)
        if isinstance(name, str) and name.lower() in lorawan.GS524N_MESSAGES:
            return lorawan.gs524n_message(
                lorawan.GS524N_MESSAGES[name.lower()],
                battery=words.as_number(said.get("battery")),
                density=words.as_number(said.get("concentration")),
                temperature=words.as_number(said.get("temperature")),
            )
    if "smoke_chamber_failure" in said:
        return _of_tg563a(said)
    return zigbee2mqtt.read_value(decoded)


def _of_tg563a(said: Mapping[str, Any]) -> AlarmReport:
    """Its status as 0 and 1; one that cannot be read, or is not there, is not said."""
    smoke = said.get("smoke_alarm")
    if words.meaning(smoke).fire is None:
        return zigbee2mqtt.read_value(Pairs([("smoke_alarm", smoke)]))
    faults = [words.truth(said.get(name)) for name in _TG563A_FAULTS]
    mounted = words.truth(said.get("mounted"))
    return lorawan.tg563a_status(
        smoke=bool(words.meaning(smoke).fire),
        battery_low=words.truth(said.get("battery_low")),
        fault=any(faults),
        fouled=words.truth(said.get("fouled_smoke_chamber")),
        mounted=mounted,
    )
