"""A message's bytes as something to store, or as the reason why not.

Observations do not become objects per reading beyond the point that is stored:
times stay whole microseconds and a series is made once and remembered.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple, cast

import structlog
from pydantic_core import from_json

from vigil_cloud.ingest.plain import Known
from vigil_cloud.timeseries.port import Point
from vigil_schemas.control import Command, Configuration, Receipt, ReceiptV1
from vigil_schemas.envelope import (
    OBSERVATION_TYPES,
    Envelope,
    Source,
    check_addressed,
    decode_data,
    decode_envelope,
)
from vigil_schemas.errors import InvalidMessage
from vigil_schemas.gateway import GatewayBirth, GatewayDeath
from vigil_schemas.senml import BASE_NAME_PREFIX, UNITS, SenmlRecord
from vigil_schemas.topics import STATUS, UP, parse
from vigil_schemas.types import Lane, Model

_GATEWAY: Final = re.compile(r"[a-z0-9][a-z0-9-]{1,62}")
_EPOCH_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
_DEVICE: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_SEQUENCE: Final = re.compile(r"\d{16}")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_LANES: Final = frozenset(lane.value for lane in Lane)
_OF_STATUS: Final = frozenset({GatewayBirth.TYPE, GatewayDeath.TYPE})
_DOWNWARD: Final = frozenset({Receipt.TYPE, ReceiptV1.TYPE, Command.TYPE, Configuration.TYPE})
_SALVAGE_BYTES: Final = 1024 * 1024
"""No more than this is searched for the sequence of a message that is refused anyway."""

_NO_UNITS: Final[Mapping[str, str | None]] = {}
_log = structlog.get_logger(__name__)


class Observation(NamedTuple):
    """Readings of one device."""

    gateway: str
    source: str
    sequence: int
    device: str
    points: list[Point]
    units: Mapping[str, str | None]
    """Of parameters that this process had not met before."""


class Fact(NamedTuple):
    """A message that handlers take. ``source`` and ``sequence`` are ``None`` on ``status``."""

    gateway: str
    source: str | None
    sequence: int | None
    channel: str
    envelope: Envelope
    data: Model


class Refusal(NamedTuple):
    """A message for the dead-letter table; with its source and number where those are readable."""

    gateway: str
    source: str | None
    sequence: int | None
    reason: str
    detail: str


Decoded = Observation | Fact | Refusal


@dataclass(frozen=True, slots=True)
class Limits:
    """How far a device's clock may lie from ours."""

    stale_after: timedelta = timedelta(days=400)
    future_after: timedelta = timedelta(minutes=10)


class Decoder:
    """Remembers sources and series; belongs to one thread."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._known = Known()

    def decode(self, topic: str, payload: bytes, received: datetime) -> Decoded:
        """Never raises for a bad message: that is a ``Refusal``."""
        try:
            plain = self._known.plain(topic, payload)
            if plain is None:
                return self._decode(topic, payload, received)
            self._check_times(plain.earliest_us, plain.latest_us, received)
            return Observation(
                plain.gateway, plain.source, plain.sequence, plain.device, plain.points, _NO_UNITS
            )
        except InvalidMessage as error:
            return refuse(topic, payload, error.reason, str(error))
        except OverflowError as error:  # a time that no clock can show
            return refuse(topic, payload, "wrong-schema", f"data: {error}")
        except Exception as error:  # our own mistake: it must not stop the lane
            _log.exception("decoding-failed", topic=topic)
            return refuse(topic, payload, "internal", f"{type(error).__name__}: {error}")

    def _decode(self, topic: str, payload: bytes, received: datetime) -> Decoded:
        envelope = decode_envelope(payload)
        source = check_addressed(topic, envelope)
        if not _GATEWAY.fullmatch(source.gateway) or source.lane not in UP:
            raise InvalidMessage("wrong-gateway", f"{topic} is no gateway's uplink")
        if not _EPOCH_NAME.fullmatch(source.epoch) or not envelope.id.isprintable():
            raise InvalidMessage("wrong-schema", "source or id: unprintable or too long")
        if envelope.type in OBSERVATION_TYPES:
            if source.lane != Lane.OBSERVATION:
                raise InvalidMessage("wrong-lane", f"observations came on {source.lane}")
            return self._observation(topic, envelope, source, received)
        return self._fact(envelope, source, received)

    def _fact(self, envelope: Envelope, source: Source, received: datetime) -> Fact:
        if (source.lane == STATUS) != (envelope.type in _OF_STATUS):
            raise InvalidMessage("wrong-lane", f"{envelope.type} came on {source.lane}")
        if envelope.type in _DOWNWARD:
            raise InvalidMessage("unknown-type", f"{envelope.type} is not sent by gateways")
        data = cast(Model, decode_data(envelope))
        if source.lane == STATUS:  # retained for as long as the gateway stays connected
            return Fact(source.gateway, None, None, STATUS, envelope, data)
        time_us = (envelope.time - _EPOCH) // _MICROSECOND
        self._check_times(time_us, time_us, received)
        return Fact(source.gateway, envelope.source, _number(envelope), source.lane, envelope, data)

    def _observation(
        self, topic: str, envelope: Envelope, source: Source, received: datetime
    ) -> Observation:
        records = cast(list[SenmlRecord], decode_data(envelope))
        device = _device(records, envelope)
        domain = OBSERVATION_TYPES[envelope.type].value
        self._known.learn(topic, envelope.source, source.gateway, envelope.type, device)
        base_us = 0
        earliest, latest = 1 << 62, -(1 << 62)
        points: list[Point] = []
        units: dict[str, str | None] = {}
        for record in records:
            if record.bt is not None:
                base_us = round(record.bt * 1e6)
            if record.u is not None and record.u not in UNITS:
                raise InvalidMessage(
                    "wrong-schema", f"data: unit {record.u!r} of {record.n} is not registered"
                )
            series, news = self._known.series(
                envelope.type, domain, source.gateway, device, record.n, record.u
            )
            if news:
                units[record.n] = record.u
            time_us = base_us + round(record.t * 1e6)
            if time_us < earliest:
                earliest = time_us
            if time_us > latest:
                latest = time_us
            points.append(Point(series, time_us, record.v, int(record.qf)))
        self._check_times(earliest, latest, received)
        return Observation(
            source.gateway, envelope.source, _number(envelope), device, points, units
        )

    def _check_times(self, earliest_us: int, latest_us: int, received: datetime) -> None:
        now_us = (received - _EPOCH) // _MICROSECOND
        if earliest_us < now_us - self._limits.stale_after // _MICROSECOND:
            raise InvalidMessage(
                "stale", f"{_when(earliest_us)} is older than {self._limits.stale_after.days} days"
            )
        if latest_us > now_us + self._limits.future_after // _MICROSECOND:
            raise InvalidMessage(
                "future-dated", f"{_when(latest_us)} lies ahead of {received:%Y-%m-%dT%H:%M:%SZ}"
            )


def refuse(topic: str, payload: bytes, reason: str, detail: str) -> Refusal:
    """A refusal, with whatever can still be read of whose it is.

    Only a source of the topic's own branch and lane counts: nobody may move another's mark.
    """
    addressed = parse(topic)
    gateway = addressed.gateway[:63] if addressed else ""
    source, sequence = _salvage(payload)
    if addressed and source and sequence and addressed.channel in _LANES:
        try:
            own = Source.parse(source)
        except ValueError:
            return Refusal(gateway, None, None, reason, detail)
        if (
            (own.gateway, own.lane) == (addressed.gateway, addressed.channel)
            and _GATEWAY.fullmatch(own.gateway)
            and _EPOCH_NAME.fullmatch(own.epoch)
        ):
            return Refusal(gateway, source, sequence, reason, detail)
    return Refusal(gateway, None, None, reason, detail)


def _salvage(payload: bytes) -> tuple[str | None, int | None]:
    """Source and sequence out of a message that may end in the middle."""
    try:
        found: Any = from_json(payload[:_SALVAGE_BYTES], allow_partial=True)
    except ValueError:
        return None, None
    if not isinstance(found, dict):
        return None, None
    source, sequence = found.get("source"), found.get("sequence")
    if not isinstance(source, str) or not isinstance(sequence, str):
        return None, None
    if not _SEQUENCE.fullmatch(sequence) or int(sequence) < 1:
        return None, None
    return source, int(sequence)


def _device(records: list[SenmlRecord], envelope: Envelope) -> str:
    """The one device that the pack is of; the envelope's subject must be the same."""
    device: str | None = None
    for record in records:
        if record.bn is None:
            continue
        named = record.bn.removeprefix(BASE_NAME_PREFIX).removesuffix(":")
        if not record.bn.startswith(BASE_NAME_PREFIX) or (device or named) != named:
            raise InvalidMessage("wrong-schema", f"data: base name {record.bn!r} is not one device")
        device = named
    if device is None or not _DEVICE.fullmatch(device) or device != envelope.subject:
        raise InvalidMessage(
            "wrong-schema", f"data: the pack is of {device!r}, the subject is {envelope.subject!r}"
        )
    return device


def _number(envelope: Envelope) -> int:
    number = envelope.number
    if not number:
        raise InvalidMessage("wrong-schema", "sequence: numbers begin at 1")
    return number


def _when(time_us: int) -> str:
    try:
        return (_EPOCH + timedelta(microseconds=time_us)).isoformat()
    except OverflowError:
        return f"{time_us} µs"
