"""What can still be read of an alarm that does not keep the contract.

On the alarm lane nothing true is refused. The contract's own decoder reads first; where it
refuses, this reads leniently, keeps what it understood and lists what it did not
(``shape_doubtful``). The rule throughout: what cannot be read counts as the more dangerous of
the two things that it may mean. Where not even a condition can be read, the alarm is
``unreadable``, possibly a fire. Only what shows no sign of an alarm at all is given up.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple, get_args

from pydantic import TypeAdapter, ValidationError
from pydantic_core import to_json

from vigil_cloud.ingest.unwrap import DANGERS, READ_BYTES, first_value, messages, readable_text
from vigil_schemas.contract import PAYLOADS
from vigil_schemas.envelope import Envelope, Source, schema_url
from vigil_schemas.smoke import SmokeAlarm, SmokeAlarmV1, SmokeCondition
from vigil_schemas.topics import parse
from vigil_schemas.types import ClockQuality, Lane, UtcDatetime

GATEWAY: Final = re.compile(r"[a-z0-9][a-z0-9-]{1,62}")
EPOCH_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
ALARM_TYPES: Final = frozenset({SmokeAlarm.TYPE, SmokeAlarmV1.TYPE})
MOST_DOUBTS: Final = 16
_FAMILY: Final = "city.vigil.smoke.alarm."
_CONDITIONS: Final[frozenset[str]] = frozenset(get_args(SmokeCondition))
_CONDITIONS_V1: Final = frozenset(get_args(SmokeAlarmV1.model_fields["condition"].annotation))
_SYNONYMS: Final = {"fire": "smoke", "flame": "smoke", "carbon_monoxide": "co"}
_ON: Final = frozenset({"true", "on", "yes", "active", "alarm", "detected", "1"})
_OFF: Final = frozenset({"false", "off", "no", "inactive", "cleared", "0"})
_SIGN: Final = re.compile(r"smoke|fire|flame|\bheat\b|carbon_monoxide|\bco\b", re.IGNORECASE)
_SUBJECT: Final = re.compile(r"subject\W{1,8}([a-z0-9][a-z0-9._-]{0,63})")
_TIME: Final[TypeAdapter[datetime]] = TypeAdapter(UtcDatetime)


class Salvaged(NamedTuple):
    """An alarm as far as it was understood. ``source`` and ``sequence`` only where both can be
    read and are the sender's own; without them the sender cannot be told that it is stored."""

    gateway: str
    channel: str
    source: str | None
    sequence: int | None
    envelope: Envelope
    data: SmokeAlarm | SmokeAlarmV1
    doubts: list[str]


def concerns_alarm(topic: str, payload: bytes) -> bool:
    """Whether a fire may hang on this message: all of the alarm lane, and alarms elsewhere."""
    return topic.endswith(f"/{Lane.ALARM}") or _FAMILY.encode() in payload[:READ_BYTES]


def salvage(topic: str, payload: bytes, received: datetime, fault: str) -> list[Salvaged]:
    """Every alarm in it; empty where none can be read, or it came where nobody may send one."""
    addressed = parse(topic)
    if (
        addressed is None
        or not GATEWAY.fullmatch(addressed.gateway)
        or addressed.channel not in set(Lane)
        or not concerns_alarm(topic, payload)
    ):
        return []
    whole = messages(payload)
    found = [one for one in whole if one and _of_alarms(one.get("type"))]
    if not any(whole):
        text = readable_text(payload)
        if not _SIGN.search(text):
            return []
        subject = _SUBJECT.search(text)
        message = {"subject": subject[1] if subject else None, "data": {"condition": text[:100]}}
        found = [message]
    several = [f"message: holds {len(whole)}"] if len(whole) > 1 else []
    return [
        _salvaged(topic, message, _digest(payload, number), received, [fault[:200], *several])
        for number, message in enumerate(found)
    ]


def _salvaged(
    topic: str, message: Mapping[str, Any], digest: str, received: datetime, doubts: list[str]
) -> Salvaged:
    addressed = parse(topic)
    assert addressed is not None  # noqa: S101 - as ``salvage`` found
    data = _alarm(message, digest, received, doubts)
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
    if event_type.startswith(_FAMILY):
        return True
    kind = event_type.rpartition(".")[0]
    known = {name.rpartition(".")[0] for name in PAYLOADS}
    return kind not in known and not kind.endswith(".observation")


def _alarm(
    message: Mapping[str, Any], digest: str, received: datetime, doubts: list[str]
) -> SmokeAlarm | SmokeAlarmV1:
    values = _data(message, doubts)
    condition, raw = _condition(values, doubts)
    since = _time(values.get("since"))
    if since is None:
        doubts.append("data.since: no time that can be read")
    # A made-up identifier is that of this message alone: one that came again with the next fire
    # would be taken for the fire that is over.
    name = values.get("alarm_id")
    if not isinstance(name, str) or not 8 <= len(name) <= 64 or not name.isprintable():
        doubts.append("data.alarm_id: none that can be read")
        long = isinstance(name, str) and len(name) > 64
        name = hashlib.sha256(str(name).encode(errors="replace")).hexdigest() if long else digest
    values |= {
        "alarm_id": name,
        "condition": condition,
        "active": _active(values, doubts),
        "since": since or received,
    }
    if raw is not None:
        values["raw"] = raw
    old = message.get("type") == SmokeAlarmV1.TYPE and condition in _CONDITIONS_V1
    return _without_faults(SmokeAlarmV1 if old else SmokeAlarm, values, doubts)


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
    return {key: message[key] for key in SmokeAlarm.model_fields if key in message}


def _condition(values: dict[str, Any], doubts: list[str]) -> tuple[str, str | None]:
    """The condition, and for ``unreadable`` what could not be read."""
    said = values.get("condition")
    if isinstance(said, str):
        word = re.sub(r"[^a-z0-9]+", "_", said.lower()).strip("_")
        word = _SYNONYMS.get(word, word)
        if word in _CONDITIONS:
            if word != said:
                doubts.append(f"data.condition: read {said[:40]!r} as {word}")
            return word, None
    else:
        for name in DANGERS:
            if _truth(values.get(name)):
                doubts.append(f"data.condition: read from the field {name}")
                return _SYNONYMS.get(name, name), None
    doubts.append(f"data.condition: {said!r} is not known"[:200])
    shown = said if isinstance(said, str) else json.dumps(values, default=str)
    return "unreadable", shown[:200]


def _active(values: Mapping[str, Any], doubts: list[str]) -> bool:
    """Only what plainly says so ends an alarm."""
    said = values.get("active")
    found = _truth(said)
    if found is None or not isinstance(said, bool):
        doubts.append(f"data.active: read {said!r} as {found is not False}"[:200])
    return found is not False


def _truth(value: Any) -> bool | None:
    """``None`` where it says neither."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return value != 0  # NaN is not nothing
    if isinstance(value, str):
        word = value.strip().lower()
        return True if word in _ON else False if word in _OFF else None
    return None


def _without_faults(
    model: type[SmokeAlarm] | type[SmokeAlarmV1], values: dict[str, Any], doubts: list[str]
) -> SmokeAlarm | SmokeAlarmV1:
    """The model of what is sound: a field that is unknown or out of range costs itself only."""
    signs = values.get("signs")
    if isinstance(signs, list):
        values["signs"] = [one for one in signs if isinstance(one, str) and len(one) <= 24][:8]
        if values["signs"] != signs:
            doubts.append("data.signs: not all of them can be read")
    while True:
        try:
            return model.model_validate_json(
                to_json(values, inf_nan_mode="constants", fallback=str), strict=True
            )
        except ValidationError as error:
            faults = error.errors(include_url=False, include_input=False)
            unsound = {str(fault["loc"][0]): fault["msg"] for fault in faults}
            if not unsound.keys() & values.keys():
                raise
            doubts += [
                f"data.{name}: {values.pop(name)!r}: {unsound[name]}"[:200]
                for name in sorted(unsound.keys() & values.keys())
            ]


def _is_name(text: str) -> bool:
    """Whether a device can be called so; U+FFFD stands for what could not be stored."""
    return 0 < len(text) <= 64 and text.isprintable() and "\ufffd" not in text


def _envelope(
    message: Mapping[str, Any],
    data: SmokeAlarm | SmokeAlarmV1,
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

    time = _time(message.get("time"))
    if time is None:
        doubts.append("time: none that can be read")
    quality = str(message.get("clockquality"))
    return Envelope(
        id=text("id", lambda one: 0 < len(one) <= 64 and one.isprintable(), digest),
        source=text("source", lambda one: 2 <= len(one) <= 160, f"/{gateway}"),
        type=data.TYPE,
        # The gateway stands for its device: somebody has to be called, and knows its homes.
        subject=text("subject", _is_name, gateway),
        time=time or received,
        clockquality=ClockQuality(quality)
        if quality in set(ClockQuality)
        else ClockQuality.UNSYNCHRONISED,
        dataschema=schema_url(data.TYPE),
        data=data.model_dump(mode="json"),
    )


def _time(said: Any) -> datetime | None:
    try:
        return _TIME.validate_python(said)
    except ValidationError:
        return None
