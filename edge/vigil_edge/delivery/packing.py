"""From a fact to the bytes of its message: prepared, packed with its neighbours, composed."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, Final, NamedTuple

from pydantic import TypeAdapter

from vigil_edge.delivery.outgoing import Outgoing
from vigil_schemas.envelope import (
    SEQUENCE_DIGITS,
    Envelope,
    fits,
    schema_url,
)
from vigil_schemas.errors import VigilError
from vigil_schemas.senml import SenmlRecord, microseconds
from vigil_schemas.topics import MAX_MESSAGE_BYTES
from vigil_schemas.types import ClockQuality, Lane, isoformat_utc

PACK_RECORDS: Final = 200
"""Readings that one merged message holds at most."""
PACK_BYTES: Final = 64 * 1024
_HEAD_BYTES: Final = 2048
"""More than the attributes around ``data`` can take."""

_RECORDS: Final[TypeAdapter[list[SenmlRecord]]] = TypeAdapter(list[SenmlRecord])
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class UnsendableFact(VigilError):
    """A pipeline handed over something that is not in the contract: a mistake in the program."""

    code: ClassVar[str] = "unsendable-fact"
    remedy: ClassVar[str] = "This is a mistake in the program: report it with the message."


class Row(NamedTuple):
    """A fact as the outbox keeps it; ``body`` is the JSON of ``data``."""

    type: str
    subject: str
    time_us: int
    quality: str
    id: str | None
    records: int
    """Readings in an observation; 0 for everything else."""
    body: bytes


class Waiting(NamedTuple):
    """An observation that has no sequence number yet."""

    ordinal: int
    row: Row


@dataclass(slots=True)
class Packed:
    """Observations of one device that go out as one message."""

    rows: list[Row]
    ordinals: list[int]
    records: int = 0
    unpacked_bytes: int = 0
    row: Row = field(init=False)

    def has_room_for(self, row: Row) -> bool:
        """Whether the row may join: the message stays within its limits, and no id is its own."""
        head = self.rows[0]
        return (
            head.records > 0
            and head.id is None
            and row.id is None
            and head.quality == row.quality
            and self.records + row.records <= PACK_RECORDS
            and self.unpacked_bytes + len(row.body) <= PACK_BYTES
        )

    def add(self, waiting: Waiting) -> None:
        """Put one more row into it."""
        self.rows.append(waiting.row)
        self.ordinals.append(waiting.ordinal)
        self.records += waiting.row.records
        self.unpacked_bytes += len(waiting.row.body)

    def close(self) -> None:
        """Merge: the first row's attributes, one base time, the readings in order."""
        last = self.rows[-1]
        body = self.rows[0].body if len(self.rows) == 1 else _merge(row.body for row in self.rows)
        self.row = self.rows[0]._replace(time_us=last.time_us, records=self.records, body=body)


def prepare(outgoing: Outgoing, quality: ClockQuality) -> tuple[Lane, Row]:
    """Check a fact against the contract and write out its data. Raises ``UnsendableFact``."""
    data = outgoing.data
    if isinstance(data, list):
        known = fits(outgoing.type, data) and outgoing.lane is Lane.OBSERVATION
        if not data or data[0].bn is None or data[0].bt is None:
            raise UnsendableFact("build observations with vigil_schemas.senml.pack")
        body = _RECORDS.dump_json(data, exclude_none=True)
    else:
        known = fits(outgoing.type, data)
        body = data.model_dump_json(exclude_none=True).encode()
    if not known:
        raise UnsendableFact(
            f"{outgoing.type!r} with {type(data).__name__} on lane {outgoing.lane} "
            "is not in the contract"
        )
    if len(body) > MAX_MESSAGE_BYTES - _HEAD_BYTES:
        raise UnsendableFact(f"{outgoing.type} of {len(body)} bytes; hand it over in parts")
    if not (0 < len(outgoing.subject) <= 64 and 0 < len(outgoing.id or "x") <= 64):
        raise UnsendableFact(f"subject {outgoing.subject!r} or id {outgoing.id!r} is too long")
    if outgoing.time.tzinfo is None:
        raise UnsendableFact(f"{outgoing.type}: its time has no zone")
    row = Row(
        outgoing.type,
        outgoing.subject,
        microseconds(outgoing.time),
        quality.value,
        outgoing.id,
        len(data) if isinstance(data, list) else 0,
        body,
    )
    return outgoing.lane, row


def packs(waiting: Iterable[Waiting], room: int) -> list[Packed]:
    """At most ``room`` messages out of waiting observations, each device's in its own order."""
    made: list[Packed] = []
    open_packs: dict[tuple[str, str], Packed] = {}
    for entry in waiting:
        key = (entry.row.subject, entry.row.type)
        pack = open_packs.get(key)
        if pack is None or not pack.has_room_for(entry.row):
            # Beyond the room a device's pack is still opened, so that its later rows wait too.
            pack = open_packs[key] = Packed([], [])
            made.append(pack)
        pack.add(entry)
    for pack in made[:room]:
        pack.close()
    return made[:room]


def compose(row: Row, source: str, sequence: int) -> bytes:
    """The whole message. The envelope is written by hand: the body is JSON already."""
    head = {
        "specversion": "1.0",
        "id": row.id,
        "source": source,
        "type": row.type,
        "subject": row.subject,
        "time": isoformat_utc(moment(row.time_us)),
        "sequence": f"{sequence:0{SEQUENCE_DIGITS}d}",
        "clockquality": row.quality,
        "datacontenttype": Envelope.model_fields["datacontenttype"].default,
        "dataschema": schema_url(row.type),
    }
    return json.dumps(head, ensure_ascii=False).encode()[:-1] + b',"data":' + row.body + b"}"


def moment(time_us: int) -> datetime:
    """Aware UTC, exact to the microsecond, of microseconds since 1970."""
    return _EPOCH + timedelta(microseconds=time_us)


def _merge(bodies: Iterable[bytes]) -> bytes:
    merged: list[dict[str, Any]] = []
    first_us = 0
    for body in bodies:
        base_us = 0
        for record in json.loads(body):
            base_us = round(record.pop("bt") * 1e6) if "bt" in record else base_us
            time_us = base_us + round(record.get("t", 0.0) * 1e6)
            if merged:
                record.pop("bn", None)
            else:
                first_us = base_us
                record["bt"] = base_us / 1e6
            record["t"] = (time_us - first_us) / 1e6
            merged.append(record)
    return json.dumps(merged, ensure_ascii=False, separators=(",", ":")).encode()
