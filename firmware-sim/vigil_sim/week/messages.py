"""The contract's messages, as gateways would send them: envelopes with a gapless sequence."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from vigil_schemas.contract import observation_type
from vigil_schemas.envelope import SEQUENCE_DIGITS, Source, encode, schema_url
from vigil_schemas.gateway import GatewayBirth
from vigil_schemas.senml import BASE_NAME_PREFIX
from vigil_schemas.topics import STATUS, topic
from vigil_schemas.types import ClockQuality, Lane, Model, isoformat_utc


@dataclass(frozen=True, slots=True)
class Sent:
    """One message on its way; ``sequence`` 0 for what no receipt confirms (a birth)."""

    topic: str
    source: str
    sequence: int
    payload: bytes


class Outboxes:
    """Every gateway's numbers. What was composed is counted by lane and domain."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(f"{seed}/messages")
        self._epoch = f"{seed % 2**32:08x}"
        self._numbers: defaultdict[str, int] = defaultdict(int)
        self.counts: Counter[str] = Counter()
        """Messages by what they are."""
        self.points = 0
        """Readings in them."""

    def event(
        self,
        lane: Lane,
        gateway: str,
        device: str,
        at: datetime,
        data: Model,
        clock: ClockQuality = ClockQuality.SYNCHRONISED,
    ) -> Sent:
        """An event or an alarm."""
        source, number = self._next(gateway, lane)
        kind: str = data.TYPE  # type: ignore[attr-defined]  # every event model has one
        self.counts[kind] += 1
        payload = encode(
            id=self._id(),
            source=source,
            type=kind,
            subject=device,
            time=at,
            data=data,
            sequence=number,
            clock_quality=clock,
        )
        return Sent(topic(gateway, lane.value), source, number, payload)

    def birth(self, gateway: str, at: datetime, birth: GatewayBirth) -> Sent:
        """Who is here, and what with."""
        self.counts[birth.TYPE] += 1
        source = str(Source(gateway, STATUS, self._epoch))
        payload = encode(
            id=self._id(), source=source, type=birth.TYPE, subject=gateway, time=at, data=birth
        )
        return Sent(topic(gateway, STATUS), source, 0, payload)

    def pack(
        self,
        gateway: str,
        domain: str,
        device: str,
        at: datetime,
        records: Sequence[str],
        first: datetime,
    ) -> Sent:
        """One device's readings. ``records``: SenML in JSON without a base, times relative to
        ``first`` (``record``). Put together as text: there are millions of them; a test holds
        them to the contract's own decoder."""
        source, number = self._next(gateway, Lane.OBSERVATION)
        kind = observation_type(domain)
        self.counts[kind] += 1
        self.points += len(records)
        base = f'{{"bn":"{BASE_NAME_PREFIX}{device}:","bt":{first.timestamp():.1f},'
        body = ",".join([base + records[0][1:], *records[1:]])
        payload = (
            f'{{"specversion":"1.0","id":"{self._id()}","source":"{source}","type":"{kind}",'
            f'"subject":"{device}","time":"{isoformat_utc(at)}",'
            f'"sequence":"{number:0{SEQUENCE_DIGITS}d}","clockquality":"synchronised",'
            f'"datacontenttype":"application/json","dataschema":"{schema_url(kind)}",'
            f'"data":[{body}]}}'
        ).encode()
        return Sent(topic(gateway, Lane.OBSERVATION.value), source, number, payload)

    @property
    def epoch(self) -> str:
        """Of every gateway's outbox."""
        return self._epoch

    def _next(self, gateway: str, lane: Lane) -> tuple[str, int]:
        source = str(Source(gateway, lane.value, self._epoch))
        self._numbers[source] += 1
        return source, self._numbers[source]

    def _id(self) -> str:
        return f"{self._random.getrandbits(128):032x}"


_GOOD: Final = 1


def record(parameter: str, unit: str | None, offset_s: float, value: float) -> str:
    """One reading."""
    of = "" if unit is None else f'"u":"{unit}",'
    return f'{{"n":"{parameter}",{of}"t":{offset_s:.1f},"v":{value:.6g},"qf":{_GOOD}}}'
