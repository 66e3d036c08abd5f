"""A message's bytes as something to store, or as the reason why not.

Observations do not become objects per reading beyond the point that is stored:
times stay whole microseconds and a series is made once and remembered.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, Final, NamedTuple, cast

import structlog

from vigil_cloud.domain.registry import alarm_reading
from vigil_cloud.ingest.fast_packs import FastPackDecoder
from vigil_cloud.ingest.salvage import (
    EPOCH_NAME,
    GATEWAY,
    DomainOf,
    Salvaged,
    alarm_keys,
    concerns_alarm,
    nobodys,
    own_number,
    salvage,
)
from vigil_cloud.ingest.times import Limits, judged
from vigil_cloud.ingest.unwrap import parsed
from vigil_cloud.timeseries.port import Point
from vigil_schemas.contract import ALARM_TYPES, DOWNWARD, OBSERVATION_TYPES
from vigil_schemas.envelope import (
    Envelope,
    Source,
    check_addressed,
    decode_data,
    decode_envelope,
    observed_domain,
)
from vigil_schemas.errors import InvalidMessage
from vigil_schemas.gateway import GatewayBirth, GatewayDeath
from vigil_schemas.senml import Resolved, SenmlRecord, resolve
from vigil_schemas.topics import STATUS, UP, parse
from vigil_schemas.types import Lane, Model

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_OF_STATUS: Final = frozenset({GatewayBirth.TYPE, GatewayDeath.TYPE})
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
    marks: Mapping[str, Any] = MappingProxyType({})
    """As ``Received.marks``."""

    @property
    def alarm(self) -> bool:
        """Whether lives may hang on it."""
        return self.channel == Lane.ALARM or self.envelope.type in ALARM_TYPES


class Refusal(NamedTuple):
    """A message for the dead-letter table; with its source and number where those are readable."""

    gateway: str
    source: str | None
    sequence: int | None
    reason: str
    detail: str


Decoded = Observation | Fact | Refusal


class Decoder:
    """Remembers sources and series; belongs to one thread."""

    def __init__(self, limits: Limits, domain_of: DomainOf = nobodys) -> None:
        """``domain_of``: asked of a damaged alarm that does not say what it is."""
        self._limits = limits
        self._domain_of = domain_of
        self._fast_packs = FastPackDecoder()

    def decode(self, topic: str, payload: bytes, received: datetime) -> Decoded:
        """As ``decode_all``, the first alone."""
        return self.decode_all(topic, payload, received)[0]

    def decode_all(self, topic: str, payload: bytes, received: datetime) -> Sequence[Decoded]:
        """Never raises for a bad message: that is a ``Refusal``, or alarms with their doubts.
        A message that keeps the contract is one; what is read for all its doubts may hold more."""
        try:
            fast = self._fast_packs.decode(topic, payload)
            if fast is None:
                return (self._decode(topic, payload, received),)
            self._check_times(fast.earliest_us, fast.latest_us, received)
            return (
                Observation(
                    fast.gateway,
                    fast.source,
                    fast.sequence,
                    fast.device,
                    fast.points,
                    _NO_UNITS,
                ),
            )
        except InvalidMessage as error:
            reason, detail = error.reason, str(error)
        except OverflowError as error:  # a time that no clock can show
            reason, detail = "wrong-schema", f"data: {error}"
        except Exception as error:  # noqa: BLE001 - our own mistake: it must not stop the lane
            _log.exception("decoding-failed", topic=topic)
            reason, detail = "internal", f"{type(error).__name__}: {error}"
        if concerns_alarm(topic, payload):
            found = self._salvaged(topic, payload, received, f"{reason}: {detail}")
            if found:
                return found
        return (refuse(topic, payload, reason, detail),)

    def _salvaged(self, topic: str, payload: bytes, received: datetime, fault: str) -> list[Fact]:
        try:
            found = salvage(topic, payload, received, fault, self._domain_of)
        except Exception:  # noqa: BLE001 - a mistake of ours in salvaging leaves the plain refusal
            _log.exception("salvaging-failed", topic=topic)
            return []
        return [self._doubtful(one, received) for one in found]

    def _doubtful(self, found: Salvaged, received: datetime) -> Fact:
        envelope, data, marks = judged(
            found.envelope, found.data, received, self._limits, alarm=True
        )
        return Fact(
            found.gateway,
            found.source,
            found.sequence,
            found.channel,
            envelope,
            data,
            {**marks, "shape_doubtful": found.doubts},
        )

    def _decode(self, topic: str, payload: bytes, received: datetime) -> Decoded:
        envelope = decode_envelope(payload)
        source = check_addressed(topic, envelope)
        if not GATEWAY.fullmatch(source.gateway) or source.lane not in UP:
            raise InvalidMessage("wrong-gateway", f"{topic} is no gateway's uplink")
        if not EPOCH_NAME.fullmatch(source.epoch) or not envelope.id.isprintable():
            raise InvalidMessage("wrong-schema", "source or id: unprintable or too long")
        if observed_domain(envelope.type) is not None:
            if envelope.type not in OBSERVATION_TYPES:
                raise InvalidMessage(
                    "unknown-type", f"{envelope.type}: its domain is not registered here"
                )
            if source.lane != Lane.OBSERVATION:
                raise InvalidMessage("wrong-lane", f"observations came on {source.lane}")
            return self._observation(topic, envelope, source, received)
        return self._fact(envelope, source, received)

    def _fact(self, envelope: Envelope, source: Source, received: datetime) -> Fact:
        if (source.lane == STATUS) != (envelope.type in _OF_STATUS):
            raise InvalidMessage("wrong-lane", f"{envelope.type} came on {source.lane}")
        if envelope.type in DOWNWARD:
            raise InvalidMessage("unknown-type", f"{envelope.type} is not sent by gateways")
        data = cast(Model, decode_data(envelope))
        if source.lane == STATUS:  # retained for as long as the gateway stays connected
            return Fact(source.gateway, None, None, STATUS, envelope, data)
        number = _number(envelope)
        reading = alarm_reading(envelope.type)
        if reading is not None:
            names = [envelope.subject, *(str(envelope.data.get(one)) for one in reading.names)]
            if not all(name.isprintable() for name in names):
                told = " or ".join((*reading.names, "subject"))
                raise InvalidMessage("wrong-schema", f"{told}: unprintable")
        alarm = source.lane == Lane.ALARM or envelope.type in ALARM_TYPES
        envelope, data, marks = judged(envelope, data, received, self._limits, alarm=alarm)
        return Fact(source.gateway, envelope.source, number, source.lane, envelope, data, marks)

    def _observation(
        self, topic: str, envelope: Envelope, source: Source, received: datetime
    ) -> Observation:
        records = cast(list[SenmlRecord], decode_data(envelope))
        device, domain = envelope.subject, OBSERVATION_TYPES[envelope.type]
        readings = _resolved(records, device)
        self._fast_packs.learn(topic, envelope.source, source.gateway, envelope.type, device)
        earliest, latest = 1 << 62, -(1 << 62)
        points: list[Point] = []
        units: dict[str, str | None] = {}
        for reading in readings:
            series, news = self._fast_packs.series(
                envelope.type, domain, source.gateway, device, reading.parameter, reading.unit
            )
            if news:
                units[reading.parameter] = reading.unit
            earliest, latest = min(earliest, reading.time_us), max(latest, reading.time_us)
            points.append(Point(series, reading.time_us, reading.value, int(reading.flag)))
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
    """A refusal, with whatever can still be read of whose it is."""
    addressed = parse(topic)
    gateway = addressed.gateway[:63] if addressed else ""
    source = sequence = None
    try:
        source, sequence = own_number(topic, parsed(payload, alarm_keys()) or {})
    except Exception:  # noqa: BLE001 - one message that cannot even be refused would stop the lane for all
        _log.exception("refusing-failed", topic=topic)
    return Refusal(gateway, source, sequence, reason, detail)


def _resolved(records: list[SenmlRecord], subject: str) -> list[Resolved]:
    """The pack's readings; all are of the one device that the envelope's subject names."""
    try:
        readings = list(resolve(records))
    except ValueError as error:
        raise InvalidMessage("wrong-schema", f"data: {error}") from error
    if not readings or readings[0].device != subject:
        of = readings[0].device if readings else None
        raise InvalidMessage(
            "wrong-schema", f"data: the pack is of {of!r}, the subject is {subject!r}"
        )
    return readings


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
