"""What can still be read of an alarm that does not keep the contract.

On the alarm lane nothing true is refused. The contract's own decoder reads first; where it
refuses, the messages in the payload are found here, each is given to the domain whose alarm it
is (``AlarmReading``), and what was not understood is listed (``shape_doubtful``). Only what shows
no sign of an alarm at all is given up.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

import structlog

from vigil_cloud.domain.alarms import AlarmReading, DamagedAlarm, time_of
from vigil_cloud.domain.registry import alarm_readings
from vigil_cloud.ingest.unwrap import (
    READ_BYTES,
    first_value,
    is_broken,
    messages,
    readable_text,
    scattered,
)
from vigil_schemas.contract import ALARM_TYPES, PAYLOADS, kind_of, type_of
from vigil_schemas.envelope import Envelope, Source, schema_url
from vigil_schemas.topics import parse
from vigil_schemas.types import ClockQuality, Domain, Lane, Model

DomainOf = Callable[[str, str | None], Domain | None]
"""The domain of a gateway's device (``None``: that cannot be read) where that is known and it
may raise alarms."""
GATEWAY: Final = re.compile(r"[a-z0-9][a-z0-9-]{1,62}")
EPOCH_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
MOST_DOUBTS: Final = 16
_SUBJECT: Final = re.compile(r"subject\W{1,8}([a-z0-9][a-z0-9._-]{0,63})")
_ENVELOPE: Final = frozenset(
    {"id", "source", "type", "subject", "time", "sequence", "clockquality"}
)
_log = structlog.get_logger(__name__)
_TEXT: Final = 100
"""So much of what is no JSON is kept with the alarm; the whole is a dead letter beside it."""


class Salvaged(NamedTuple):
    """An alarm as far as it was understood. ``source`` and ``sequence`` only where both can be
    read and are the sender's own; without them the sender cannot be told that it is stored."""

    gateway: str
    channel: str
    source: str | None
    sequence: int | None
    envelope: Envelope
    data: Model
    doubts: list[str]


def concerns_alarm(topic: str, payload: bytes) -> bool:
    """Whether lives may hang on this message: all of the alarm lane, and alarms elsewhere."""
    if topic.endswith(f"/{Lane.ALARM}"):
        return True
    read = payload[:READ_BYTES]
    return any(family.encode() in read for family in _families())


def alarm_keys() -> frozenset[str]:
    """Data that holds one of these says that something is alarming."""
    return frozenset(key for reading in alarm_readings().values() for key in reading.keys)


def nobodys(_gateway: str, _device: str | None) -> Domain | None:
    """Of a process that knows no devices."""
    return None


def salvage(
    topic: str, payload: bytes, received: datetime, fault: str, domain_of: DomainOf = nobodys
) -> list[Salvaged]:
    """Every alarm in it; empty where none can be read, or it came where nobody may send one."""
    addressed = parse(topic)
    if (
        addressed is None
        or not GATEWAY.fullmatch(addressed.gateway)
        or addressed.channel not in set(Lane)
        or not concerns_alarm(topic, payload)
    ):
        return []
    whole = messages(payload, alarm_keys())
    found = [one for one in whole if one and _of_alarms(one.get("type"))]
    text = readable_text(payload)
    empty = not any(whole)
    if empty:
        found = [{"data": {}}]
    broken = len(found) == len(whole or found) == 1 and is_broken(text)
    if len(found) == 1 and (broken or "subject" not in found[0]):
        found = [_completed(found[0], text)]
    several = [f"message: holds {len(whole)}"] if len(whole) > 1 else []
    read = (
        _salvaged(
            topic,
            message,
            _Text(text if empty or broken else "", nothing_else=empty),
            _digest(payload, number),
            received,
            [fault[:200], *several],
            domain_of,
        )
        for number, message in enumerate(found)
    )
    return [one for one in read if one is not None]


class _Text(NamedTuple):
    """What stands around and behind the fault; empty where every message was read whole."""

    text: str
    nothing_else: bool
    """No JSON at all could be read."""


def _completed(message: Mapping[str, Any], text: str) -> dict[str, Any]:
    """With what stands behind the fault, and texts that the fault cut off made whole."""
    behind = scattered(text, {*_ENVELOPE, *_data_fields()})
    outer = {name: value for name, value in behind.items() if name in _ENVELOPE}
    if "subject" not in outer and (subject := _SUBJECT.search(text)):  # in no JSON at all
        outer["subject"] = subject[1]
    inner = {name: value for name, value in behind.items() if name not in _ENVELOPE}
    data = message.get("data")
    if data is None and "data" not in message and not _ENVELOPE.isdisjoint(message):
        data = {}
    if isinstance(data, dict):
        return {**_longer(message, outer), "data": _longer(data, inner)}
    return _longer(message, outer)


def _longer(known: Mapping[str, Any], behind: Mapping[str, Any]) -> dict[str, Any]:
    cut = {
        name: value
        for name, value in behind.items()
        if name not in known
        or (
            isinstance(value, str)
            and isinstance(known[name], str)
            and value.startswith(known[name])
        )
    }
    return {**known, **cut}


def _salvaged(  # noqa: PLR0913 - what is known of one alarm, given in one place
    topic: str,
    message: Mapping[str, Any],
    around: _Text,
    digest: str,
    received: datetime,
    doubts: list[str],
    domain_of: DomainOf,
) -> Salvaged | None:
    addressed = parse(topic)
    assert addressed is not None  # noqa: S101 - as ``salvage`` found
    named = message.get("type")
    event_type = named if isinstance(named, str) else None
    values = _data(message, doubts)
    subject = message.get("subject")
    device = subject if isinstance(subject, str) and _is_name(subject) else None
    reading = _whose(event_type, values, around, lambda: domain_of(addressed.gateway, device))
    if reading is None:
        return None
    text = around.text if around.nothing_else else ""
    damaged = DamagedAlarm(event_type, values, text[:_TEXT], digest, received, doubts)
    try:
        data = reading.read(damaged)
    except Exception:  # noqa: BLE001 - it costs itself, not the alarms beside it; the payload is kept
        _log.exception("alarm-unreadable", topic=topic)
        return None
    envelope = _envelope(message, data, addressed.gateway, digest, received, doubts)
    source, sequence = own_number(topic, message)
    return Salvaged(
        addressed.gateway,
        addressed.channel,
        source,
        sequence,
        envelope,
        data,
        doubts[:MOST_DOUBTS],
    )


def _whose(
    event_type: str | None,
    values: Mapping[str, Any],
    around: _Text,
    domain_of: Callable[[], Domain | None],
) -> AlarmReading | None:
    """The domain that an alarm is of: by its type, by the keys of its data, by the words around
    the fault, by the device that it is of; else that which takes what nobody explains. In what
    fits several, the first one named in it, and before others the one that takes anything; never
    the order in which domains were registered."""
    readings = dict(sorted(alarm_readings().items()))
    if event_type is not None:
        for domain, reading in readings.items():
            if event_type.startswith(f"city.vigil.{domain}."):
                return reading
    named = _named_in(around.text, readings)
    if named is not None:
        return named
    known = max(readings.values(), key=lambda one: _fits(one, values), default=None)
    if known is not None and known.keys & values.keys():
        return known
    found = _signs_in(around.text, readings)
    if found is None and (not around.nothing_else or "{" in around.text):
        found = readings.get(domain_of() or "")  # the beginning of a message, not mere rubbish
    if found is not None or around.nothing_else:
        return found
    return next((one for one in readings.values() if one.anything), None)


def _named_in(text: str, readings: Mapping[str, AlarmReading]) -> AlarmReading | None:
    families = {family: ALARM_TYPES[name] for name, family in _by_type()}
    found = {text.find(family): of for family, of in families.items() if family in text}
    return readings[found[min(found)]] if found else None


def _signs_in(text: str, readings: Mapping[str, AlarmReading]) -> AlarmReading | None:
    found = [
        (sign.start(), not one.anything, domain)
        for domain, one in readings.items()
        if one.signs is not None and (sign := one.signs.search(text)) is not None
    ]
    return readings[min(found)[2]] if found else None


def _fits(reading: AlarmReading, values: Mapping[str, Any]) -> tuple[int, bool]:
    return len(reading.keys & values.keys()), reading.anything


def _by_type() -> list[tuple[str, str]]:
    """Each alarm's event type, and what it has in common with all its versions."""
    return [(name, f"{kind_of(name)}.") for name in ALARM_TYPES]


def _families() -> set[str]:
    return {family for _, family in _by_type()}


def _digest(payload: bytes, number: int) -> str:
    """What names the so-many-th alarm in a payload that does not name it itself."""
    return hashlib.sha256(payload + (b"#%d" % number if number else b"")).hexdigest()


def own_number(topic: str, message: Mapping[str, Any]) -> tuple[str | None, int | None]:
    """Source and sequence where both are readable and the topic's own: nobody may move
    another's mark."""
    addressed, source, number = parse(topic), message.get("source"), message.get("sequence")
    if addressed is None or addressed.channel not in set(Lane) or not isinstance(source, str):
        return None, None
    # An alarm's is read more leniently: its sender has to hear that it is stored.
    digits = r"[0-9]{1,16}" if addressed.channel == Lane.ALARM else r"[0-9]{16}"
    plain = isinstance(number, str) or (addressed.channel == Lane.ALARM and type(number) is int)
    if not plain or not re.fullmatch(digits, str(number)):
        return None, None
    sequence = int(str(number))
    try:
        own = Source.parse(source)
    except ValueError:
        return None, None
    if (
        (own.gateway, own.lane) != (addressed.gateway, addressed.channel)
        or not GATEWAY.fullmatch(own.gateway)
        or not EPOCH_NAME.fullmatch(own.epoch)
        or sequence < 1
    ):
        return None, None
    return source, sequence


def _of_alarms(event_type: Any) -> bool:
    """Whether this is, or may be, the type of an alarm."""
    if not isinstance(event_type, str):
        return True
    if any(event_type.startswith(family) for family in _families()):
        return True
    kind = kind_of(event_type)
    known = {kind_of(name) for name in PAYLOADS}
    return kind not in known and not kind.endswith(".observation")


def _data(message: Mapping[str, Any], doubts: list[str]) -> dict[str, Any]:
    found = message.get("data")
    packed = message.get("data_base64")
    if found is None and isinstance(packed, str):
        try:
            found = base64.b64decode(packed).decode(errors="replace")
        except (ValueError, binascii.Error):
            found = None
    if isinstance(found, str):
        found = first_value(found)
    if isinstance(found, list):
        found = next((one for one in found if isinstance(one, dict)), None)
    if isinstance(found, dict):
        return dict(found)
    doubts.append("data: no object")
    return {key: message[key] for key in _data_fields() if key in message}


def _data_fields() -> frozenset[str]:
    """What may stand in an alarm's data, and is no attribute of its envelope."""
    fields = {name for one in ALARM_TYPES for name in PAYLOADS[one].model_fields}
    return (alarm_keys() | fields) - Envelope.model_fields.keys()


def _is_name(text: str) -> bool:
    """Whether a device can be called so; U+FFFD stands for what could not be stored."""
    return 0 < len(text) <= 64 and text.isprintable() and "\ufffd" not in text


def _envelope(
    message: Mapping[str, Any],
    data: Model,
    gateway: str,
    digest: str,
    received: datetime,
    doubts: list[str],
) -> Envelope:
    def text(key: str, good: Callable[[str], bool], otherwise: str) -> str:
        said = message.get(key)
        if isinstance(said, str) and good(said):
            return said
        doubts.append(f"{key}: {said!r}"[:200])
        return otherwise

    time = time_of(message.get("time"))
    if time is None:
        doubts.append("time: none that can be read")
    quality = str(message.get("clockquality"))
    return Envelope(
        id=text("id", lambda one: 0 < len(one) <= 64 and one.isprintable(), digest),
        source=text("source", lambda one: 2 <= len(one) <= 160, f"/{gateway}"),
        type=type_of(type(data)),
        # The gateway stands for its device: somebody has to be called, and knows its homes.
        subject=text("subject", _is_name, gateway),
        time=time or received,
        clockquality=ClockQuality(quality)
        if quality in set(ClockQuality)
        else ClockQuality.UNSYNCHRONISED,
        dataschema=schema_url(type_of(type(data))),
        data=data.model_dump(mode="json"),
    )
