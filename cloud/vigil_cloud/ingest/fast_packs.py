"""The short way for the message that comes most: a plain pack from a source already known.

It takes a message only where every part has the plainest form and stands on something that
the contract's own decoder has let through before (its source, its parameters with their
units); whatever differs in any way is left to that decoder. A test holds the two together.
This is where ingest spends its time, so it works on parsed JSON and whole microseconds.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, Final, NamedTuple

from pydantic_core import from_json

from vigil_cloud.timeseries.port import Point, Series
from vigil_schemas.senml import BASE_NAME_PREFIX, FIRST_US, LAST_US
from vigil_schemas.topics import MAX_MESSAGE_BYTES
from vigil_schemas.types import ClockQuality, QartodFlag

MAX_RECORDS: Final = 2000
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z")
_FLAGS: Final = frozenset(int(flag) for flag in QartodFlag)
_CLOCKS: Final = frozenset(quality.value for quality in ClockQuality)
_BOUND: Final = 1e300
_REMEMBERED: Final = 100_000


_FIELDS: Final = frozenset({"bn", "bt", "n", "u", "t", "v", "qf"})

_Parameter = tuple[Series, str | None, int]
"""Its series, its unit, and how many fields a plain record of it has."""


class FastPack(NamedTuple):
    """What the long way would have found."""

    source: str
    gateway: str
    sequence: int
    device: str
    points: list[Point]
    earliest_us: int
    latest_us: int


class FastPackDecoder:
    """Sources and series that the contract's decoder has let through. Belongs to one thread."""

    def __init__(self) -> None:
        self._sources: dict[str, tuple[str, str]] = {}
        self._series: dict[tuple[str, str, str], dict[str, _Parameter]] = {}
        self._remembered = 0

    def learn(self, topic: str, source: str, gateway: str, event_type: str, device: str) -> None:
        """After the long way: this source came rightly on this topic."""
        if self._remembered > _REMEMBERED:  # names are the senders' choice: bounded
            self._sources.clear()
            self._series.clear()
            self._remembered = 0
        if self._sources.get(source) != (topic, gateway):
            self._sources[source] = (topic, gateway)
            self._remembered += 1
        self._series.setdefault((event_type, gateway, device), {})

    def series(
        self, event_type: str, domain: str, gateway: str, device: str, name: str, unit: str | None
    ) -> tuple[Series, bool]:
        """The one object of a series, and whether its parameter or unit is news."""
        parameters = self._series.setdefault((event_type, gateway, device), {})
        known = parameters.get(name)
        if known is not None and known[1] == unit:
            return known[0], False
        self._remembered += 1
        series = known[0] if known is not None else Series(domain, gateway, device, name)
        parameters[name] = (series, unit, 4 if unit is None else 5)
        return series, True

    def decode(self, topic: str, payload: bytes) -> FastPack | None:
        """``None`` for everything that the contract's decoder has to look at."""
        # With no escapes a key's bytes are the key, so one look finds a second base name.
        if (
            len(payload) > MAX_MESSAGE_BYTES
            or b"\\" in payload
            or payload.count(b'"bn"') != 1
            or payload.count(b'"bt"') != 1
        ):
            return None
        try:
            return self._read(topic, from_json(payload, allow_inf_nan=False))
        except (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError):
            return None

    def _read(self, topic: str, message: dict[str, Any]) -> FastPack | None:
        source, sequence = message["source"], message["sequence"]
        came_on, gateway = self._sources[source]
        event_type, device = message["type"], message["subject"]
        known = self._series[event_type, gateway, device]
        if came_on != topic or not _usual(message) or len(sequence) != 16 or int(sequence) < 1:
            return None
        records = message["data"]
        first = records[0]
        if first["bn"] != f"{BASE_NAME_PREFIX}{device}:" or len(records) > MAX_RECORDS:
            return None
        base = first["bt"]
        if base.__class__ is not float and base.__class__ is not int:
            return None
        found = _points(records, known, round(base * 1e6))
        if found is None:
            return None
        pack = FastPack(source, gateway, int(sequence), device, *found)
        # Beyond what a date can be, the contract has a reason of its own.
        return pack if pack.earliest_us >= FIRST_US and pack.latest_us <= LAST_US else None


def _usual(message: dict[str, Any]) -> bool:
    """Whether the attributes are those of our own encoder, each as the contract wants it."""
    id_, time = message["id"], message["time"]
    datetime.fromisoformat(time)
    return (
        message["specversion"] == "1.0"
        and id_.__class__ is str
        and 0 < len(id_) <= 64
        and id_.isprintable()
        and message["sequence"].isdecimal()
        and message["sequence"].isascii()
        and _TIME.fullmatch(time) is not None
        and message["clockquality"] in _CLOCKS
        and message["datacontenttype"] == "application/json"
        and message["dataschema"].__class__ is str
        and len(message["dataschema"]) <= 200
    )


def _points(  # noqa: C901 - one pass without calls: every reading goes through it
    records: list[dict[str, Any]], known: dict[str, _Parameter], base_us: int
) -> tuple[list[Point], int, int] | None:
    earliest, latest = 1 << 70, -(1 << 70)
    new = tuple.__new__  # a named tuple's own __new__ is a Python call per reading
    points: list[Point] = []
    append = points.append
    for record in records:
        get = record.get
        series, unit, width = known[record["n"]]
        offset, value, flag = get("t"), get("v"), get("qf")
        # As many fields as we look at are no others. With one more or one less it may be that a
        # base value holds, or that something has to be understood (RFC 8428 4.4).
        if len(record) != width and not _FIELDS.issuperset(record):
            return None
        if value.__class__ is not float:
            if value.__class__ is int:
                value = float(value)
            elif value is not None or "v" in record or not _FIELDS.issuperset(record):
                return None
        elif not -_BOUND < value < _BOUND:
            return None
        if offset.__class__ is not float and offset.__class__ is not int:
            if "t" in record or not _FIELDS.issuperset(record):
                return None
            offset = 0.0
        if get("u") != unit or flag.__class__ is not int or flag not in _FLAGS:
            return None
        time_us = base_us + round(offset * 1e6)
        if time_us < earliest:
            earliest = time_us
        if time_us > latest:
            latest = time_us
        append(new(Point, (series, time_us, value, flag)))
    return points, earliest, latest
