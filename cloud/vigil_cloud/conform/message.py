"""One message: what ingest would do with it, and every fault in it with its place.

Ingest's ``Decoder`` decides; the faults come from the same models. Whatever it refuses or marks
has at least one finding here, by construction.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple

from vigil_cloud.conform.rules import RULES
from vigil_cloud.ingest.decode import Decoded, Decoder, Fact, Observation, Refusal
from vigil_cloud.ingest.salvage import alarm_keys, own_number
from vigil_cloud.ingest.subscriber import MAXIMUM_PACKET_BYTES
from vigil_cloud.ingest.unwrap import parsed
from vigil_schemas.asyncapi import channels_of
from vigil_schemas.contract import DOWNWARD, OBSERVATION_TYPES, PAYLOADS, kind_of
from vigil_schemas.discovery import DiscoveryReport, LookReport
from vigil_schemas.envelope import (
    Envelope,
    Source,
    check_addressed,
    decode_data,
    decode_envelope,
    observed_domain,
)
from vigil_schemas.errors import Fault, InvalidMessage
from vigil_schemas.gateway import (
    CommandResult,
    ConfigurationReport,
    DeviceHealth,
    GatewayHealth,
    ObservationLoss,
)
from vigil_schemas.senml import UNITS, SenmlRecord, resolve
from vigil_schemas.topics import STATUS, parse
from vigil_schemas.types import ClockQuality

Verdict = Literal["stored", "kept, marked", "refused", "dead letter", "not heard"]
"""``refused``: it lies among the dead letters and its number counts as stored, which the receipt
tells. ``dead letter``: the same without a source and number, so that no receipt can tell it.
``not heard``: ingest never gets it."""

_OF_THE_GATEWAY: Final = (
    *(GatewayHealth, ObservationLoss, CommandResult, ConfigurationReport),
    *(DiscoveryReport, LookReport),
)
_UNITS_MEANT: Final = {
    **dict.fromkeys(("C", "°C", "degC", "celsius"), "Cel"),
    **dict.fromkeys(("mg/L", "mg/l", "g/m3"), "kg/m3 (divide by 1000)"),
    **dict.fromkeys(("uS/cm", "µS/cm", "mS/cm"), "S/m"),
    **dict.fromkeys(("NTU", "FNU"), "none, with the unit in the name (turbidity_FNU)"),
    **dict.fromkeys(("dBA", "dB(A)"), "dB, with the weighting in the name (LAeq)"),
    **dict.fromkeys(("percent", "pct"), "%"),
}


class Heard(NamedTuple):
    """A message as it came from the broker."""

    topic: str
    payload: bytes
    qos: int
    retain: bool | None
    """Whether its sender set retain; ``None``: that cannot be told."""
    stock: bool
    """The broker had kept it from before the watch."""
    at: datetime


class Finding(NamedTuple):
    """One thing to say about the gateway."""

    code: str
    """A key of ``rules.RULES``."""
    what: str
    where: tuple[str | int, ...] = ()
    """The place in the message."""


class Judged(NamedTuple):
    """One message, understood as far as it goes."""

    heard: Heard
    verdict: Verdict
    decoded: Sequence[Decoded]
    findings: list[Finding]
    envelope: Envelope | None
    source: Source | None
    number: int | None
    type: str | None
    id: str | None

    @property
    def fact(self) -> Fact | None:
        """Its event, where it is one that is taken."""
        found = self.decoded[0] if self.decoded else None
        return found if isinstance(found, Fact) else None


def judge(decoder: Decoder, heard: Heard) -> Judged:
    """Decode one message from a gateway as ingest does, and name its faults."""
    raw = parsed(heard.payload, alarm_keys()) or {}
    named = raw.get("type")
    event_type = named if isinstance(named, str) else None
    own, number = own_number(heard.topic, raw)
    source = Source.parse(own) if own is not None else None
    addressed = parse(heard.topic)
    identity = raw.get("id")
    identity = identity if isinstance(identity, str) else None
    envelope: Envelope | None = None
    if addressed is None or len(heard.payload) > MAXIMUM_PACKET_BYTES:
        what = (
            f"{heard.topic} is no topic of the contract"
            if addressed is None
            else f"{len(heard.payload)} bytes: the broker keeps it from ingest"
        )
        code = "wrong-topic" if addressed is None else "too-large"
        found = [Finding(code, what)]
        return Judged(heard, "not heard", (), found, None, source, number, event_type, identity)
    decoded = decoder.decode_all(heard.topic, heard.payload, heard.at)
    findings = [*_faults(heard, raw, event_type)]
    if not findings:
        envelope = decode_envelope(heard.payload)
        findings += _about(envelope, heard, decoded)
    findings += _of_the_decoder(decoded, list(findings), heard.at)
    return Judged(
        heard, _verdict(decoded), decoded, findings, envelope, source, number, event_type, identity
    )


def digest(envelope: Envelope) -> str:
    """What an event says, whatever its number and the quality of its clock."""
    said = [envelope.type, envelope.subject, envelope.time.isoformat(), envelope.data]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _verdict(decoded: Sequence[Decoded]) -> Verdict:
    first = decoded[0]
    if isinstance(first, Refusal):
        told = first.source is not None and first.sequence is not None
        return "refused" if told else "dead letter"
    return "kept, marked" if isinstance(first, Fact) and first.marks else "stored"


def _faults(heard: Heard, raw: dict[str, Any], event_type: str | None) -> Iterator[Finding]:
    """What the contract's models refuse, with every place; empty where they take it whole."""
    try:
        envelope = decode_envelope(heard.payload)
    except InvalidMessage as error:
        yield from _of_envelope(error, heard.payload, raw)
        return
    try:
        check_addressed(heard.topic, envelope)
    except InvalidMessage as error:
        code = "wrong-lane" if error.reason == "wrong-lane" else "wrong-source"
        if "sequence" in str(error).partition(":")[0]:
            yield Finding("envelope", "a message on a lane needs a number", ("sequence",))
        else:
            yield Finding(code, str(error), ("source",))
    if event_type is not None and event_type in DOWNWARD:
        yield Finding("type-unknown", f"{event_type} is sent by the cloud alone", ("type",))
        return
    try:
        data = decode_data(envelope)
    except InvalidMessage as error:
        if error.reason == "unknown-type":
            yield Finding("type-unknown", str(error), ("type",))
        else:
            yield from _of_data(error, raw)
        return
    if isinstance(data, list):
        yield from _of_readings(data, envelope)


def _of_envelope(error: InvalidMessage, payload: bytes, raw: dict[str, Any]) -> Iterator[Finding]:
    if error.reason == "oversized":
        yield Finding("too-large", str(error))
    elif error.reason == "malformed-json" or not error.faults:
        try:
            payload.decode()
        except UnicodeDecodeError as broken:
            yield Finding("not-utf8", f"byte {broken.start} is no UTF-8: {broken.reason}")
        else:
            yield Finding("not-json" if error.faults else "envelope", str(error))
    elif not error.faults[0].where:
        yield Finding("not-json", f"one JSON object is a message: {error.faults[0].what}")
    else:
        for fault in error.faults:
            yield _placed(fault, raw, "envelope")


def _of_data(error: InvalidMessage, raw: dict[str, Any]) -> Iterator[Finding]:
    if error.faults:
        for fault in error.faults:
            yield _placed(fault, raw, "data")
        return
    place, _, what = str(error).removeprefix("data.").partition(": ")
    where = tuple(int(one) if one.isdigit() else one for one in place.split("."))
    yield Finding("data", what or place, ("data", *where) if what else ("data",))


def _placed(fault: Fault, raw: dict[str, Any], otherwise: str) -> Finding:
    value = _value(raw, fault.where)
    what = fault.what.removeprefix("Value error, ")
    if value is not None:
        what = f"{what}; it is {json.dumps(value, ensure_ascii=False)[:80]}"
    if "a time is text" in fault.what:
        return Finding(
            "time-without-zone" if _has_no_zone(value) else "time-malformed", what, fault.where
        )
    return Finding(otherwise, what, fault.where)


def _value(raw: Any, where: tuple[str | int, ...]) -> Any:
    for step in where:
        try:
            raw = raw[step]
        except (KeyError, IndexError, TypeError):
            return None
    return raw if isinstance(raw, str | int | float | bool) else None


def _has_no_zone(value: Any) -> bool:
    if not isinstance(value, str):
        return False
    try:
        return datetime.fromisoformat(value).tzinfo is None
    except ValueError:
        return False


def _of_readings(records: list[SenmlRecord], envelope: Envelope) -> Iterator[Finding]:
    for position, record in enumerate(records):
        for field, unit in (("u", record.u), ("bu", record.bu)):
            if unit is not None and unit not in UNITS:
                meant = _UNITS_MEANT.get(unit)
                hint = f"; write {meant}" if meant else ""
                what = f"unit {unit!r} is not a registered SenML unit{hint}"
                yield Finding("unit", what, ("data", position, field))
    read = 0
    try:
        for one in resolve(records):
            if read == 0 and one.device != envelope.subject:
                what = f"the pack is of {one.device!r}, the subject is {envelope.subject!r}"
                yield Finding("wrong-subject", what, ("subject",))
            read += 1
    except ValueError as error:
        if "unit" not in str(error).partition(" ")[0]:
            yield Finding("data", str(error), ("data", read))
    else:
        if not read:
            yield Finding("data", "the pack has no reading", ("data",))


def _about(envelope: Envelope, heard: Heard, decoded: Sequence[Decoded]) -> Iterator[Finding]:
    """Of a message whose shape is right: what it says, and where."""
    addressed = parse(heard.topic)
    assert addressed is not None  # noqa: S101 - as ``judge`` found
    yield from _on_its_channel(envelope, addressed.channel)
    fact = decoded[0] if isinstance(decoded[0], Fact) else None
    if fact is not None:
        yield from _subject(envelope, fact, addressed.gateway)
    if envelope.type in PAYLOADS and envelope.type not in _newest():
        newest = envelope.type.rpartition(".")[0]
        yield Finding("older-version", f"{envelope.type}: there is a newer {newest}", ("type",))
    if envelope.clockquality is ClockQuality.UNSYNCHRONISED:
        yield Finding("clock-unsynchronised", "clockquality unsynchronised", ("clockquality",))


def _on_its_channel(envelope: Envelope, channel: str) -> Iterator[Finding]:
    """The channel as AsyncAPI lists it; an older version belongs where the newest does."""
    event_type = envelope.type
    if observed_domain(event_type) is not None and event_type not in OBSERVATION_TYPES:
        what = f"{event_type}: its domain is not registered here"
        yield Finding("type-unknown", what, ("type",))
        return
    belongs = [
        name
        for name, (_, upward, types) in channels_of().items()
        if upward and kind_of(event_type) in {kind_of(one) for one in types}
    ]
    if channel not in belongs:
        what = f"{event_type} came on {channel}, it belongs on {' or '.join(belongs) or 'none'}"
        yield Finding("wrong-lane", what, ("type",))


def _subject(envelope: Envelope, fact: Fact, gateway: str) -> Iterator[Finding]:
    own = fact.channel == STATUS or isinstance(fact.data, _OF_THE_GATEWAY)
    if own and envelope.subject != gateway:
        what = f"{envelope.type} is about the gateway; its subject is {envelope.subject!r}"
        yield Finding("wrong-subject", what, ("subject",))
    if isinstance(fact.data, DeviceHealth) and fact.data.device != envelope.subject:
        what = f"it is about {fact.data.device!r}; its subject is {envelope.subject!r}"
        yield Finding("wrong-subject", what, ("subject",))


def _newest() -> frozenset[str]:
    """Of each kind of event, the highest version."""
    newest: dict[str, int] = {}
    for name in PAYLOADS:
        kind, _, version = name.rpartition(".v")
        newest[kind] = max(newest.get(kind, 0), int(version))
    return frozenset(f"{kind}.v{version}" for kind, version in newest.items())


def _of_the_decoder(
    decoded: Sequence[Decoded], known: list[Finding], at: datetime
) -> Iterator[Finding]:
    """What ingest itself complains of, where that was not named yet."""
    first = decoded[0]
    if isinstance(first, Refusal):
        if first.reason in ("future-dated", "stale"):
            code = "time-ahead" if first.reason == "future-dated" else "time-behind"
            yield Finding(code, first.detail, ("data",))
        elif not any(RULES[one.code].fault for one in known):
            yield Finding("refused", f"{first.reason}: {first.detail}")
        return
    for one in decoded:
        if not isinstance(one, Fact):
            continue
        for place, claimed in one.marks.get("claimed_times", {}).items():
            ahead = datetime.fromisoformat(claimed) > at
            what = f"{claimed} cannot be: another time stands for it"
            yield Finding("time-ahead" if ahead else "time-behind", what, _claimed_at(place))
        if not any(RULES[each.code].fault for each in known):
            for doubt in one.marks.get("shape_doubtful", ()):
                yield Finding("hard-to-read", str(doubt))


def _claimed_at(place: str) -> tuple[str | int, ...]:
    return (place,) if place == "time" else ("data", *place.split("."))


def device_of(judged: Judged) -> str | None:
    """The device that a message speaks for; ``None``: the gateway itself, or nobody."""
    first = judged.decoded[0] if judged.decoded else None
    if isinstance(first, Observation):
        return first.device
    fact = judged.fact
    if fact is None or fact.channel == STATUS or isinstance(fact.data, _OF_THE_GATEWAY):
        return None
    return fact.envelope.subject
