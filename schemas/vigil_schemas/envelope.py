"""The envelope of every message: a CloudEvents 1.0 event in JSON.

Extensions used: ``sequence`` (per source, gapless from 1, sixteen digits so that
text order is number order) and ``clockquality``.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import to_json

from vigil_schemas import domains as _shipped  # noqa: F401 - importing it registers them
from vigil_schemas.contract import PAYLOADS
from vigil_schemas.errors import Fault, InvalidMessage
from vigil_schemas.senml import Pack, SenmlRecord, parse_pack
from vigil_schemas.topics import MAX_MESSAGE_BYTES, parse
from vigil_schemas.types import ClockQuality, Domain, Lane, Model, UtcDatetime

SCHEMA_BASE: Final = "https://vigil.example/schemas/"
SEQUENCE_DIGITS: Final = 16
CLOUD_SOURCE: Final = "/cloud"

_OBSERVATION: Final = re.compile(r"city\.vigil\.([a-z][a-z0-9]{1,31})\.observation\.v1")


def observed_domain(event_type: str) -> Domain | None:
    """Whose observations have this event type; ``None`` where it is not one of observations."""
    found = _OBSERVATION.fullmatch(event_type)
    return None if found is None else found[1]


def schema_url(event_type: str) -> str:
    """Where the JSON Schema of this type's data is published."""
    return f"{SCHEMA_BASE}{event_type}.json"


class Source(NamedTuple):
    """``/{gateway}/{lane}/{epoch}``: whose sequence numbers these are.

    The epoch is drawn at each opening of an outbox, whose numbers then begin at 1, so
    that a disk that was replaced or fell back in time is not taken for a repetition.
    """

    gateway: str
    lane: str
    epoch: str

    def __str__(self) -> str:
        return f"/{self.gateway}/{self.lane}/{self.epoch}"

    @classmethod
    def parse(cls, text: str) -> Source:
        """Raises ``ValueError`` where the text is not a source of a gateway."""
        parts = text.split("/")
        if len(parts) != 4 or parts[0]:
            raise ValueError(f"source {text!r} is not /gateway/lane/epoch")
        return cls(*parts[1:])


class Envelope(BaseModel):
    """CloudEvents attributes; ``data`` is kept as parsed JSON until its type is known."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    specversion: Literal["1.0"] = "1.0"
    id: Annotated[str, Field(min_length=1, max_length=64)]
    source: Annotated[str, Field(min_length=2, max_length=160)]
    type: Annotated[str, Field(min_length=8, max_length=80)]
    subject: Annotated[str, Field(min_length=1, max_length=64)]
    time: UtcDatetime
    sequence: Annotated[str, Field(pattern=r"^\d{16}$")] | None = None
    clockquality: ClockQuality = ClockQuality.UNSYNCHRONISED
    datacontenttype: Literal["application/json"] = "application/json"
    dataschema: Annotated[str, Field(max_length=200)]
    data: Any

    @property
    def number(self) -> int | None:
        """``sequence`` as a number."""
        return None if self.sequence is None else int(self.sequence)


class Message(NamedTuple):
    """A decoded message: the envelope and its typed data."""

    envelope: Envelope
    data: Model | list[SenmlRecord]


_PACK: Final[TypeAdapter[list[SenmlRecord]]] = TypeAdapter(Pack)


def fits(event_type: str, data: Model | list[SenmlRecord]) -> bool:
    """Whether data may be sent under this type: its model's own, or any domain's observations."""
    if isinstance(data, list):
        return observed_domain(event_type) is not None
    return getattr(data, "TYPE", None) == event_type


def encode(  # noqa: PLR0913 - an envelope's attributes, all by name
    *,
    id: str,  # CloudEvents' own word
    source: str,
    type: str,
    subject: str,
    time: UtcDatetime,
    data: Model | list[SenmlRecord],
    sequence: int | None = None,
    clock_quality: ClockQuality = ClockQuality.SYNCHRONISED,
) -> bytes:
    """One message as UTF-8 JSON. Raises ``ValueError`` where ``type`` is not that of ``data``."""
    if not fits(type, data):
        raise ValueError(f"type {type!r} is not that of {data.__class__.__name__}")
    if isinstance(data, list):
        body: Any = _PACK.dump_python(data, mode="json", exclude_none=True, exclude_defaults=False)
    else:
        body = data.model_dump(mode="json", exclude_none=True)
    envelope = Envelope(
        id=id,
        source=source,
        type=type,
        subject=subject,
        time=time,
        sequence=None if sequence is None else f"{sequence:0{SEQUENCE_DIGITS}d}",
        clockquality=clock_quality,
        dataschema=schema_url(type),
        data=body,
    )
    return envelope.model_dump_json(exclude_none=True).encode()


_NUL: Final = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
"""The escape, and not a backslash that is followed by the same letters."""


def decode_envelope(payload: bytes) -> Envelope:
    """The envelope alone. Raises ``InvalidMessage`` (malformed-json, oversized, wrong-schema)."""
    if len(payload) > MAX_MESSAGE_BYTES:
        raise InvalidMessage(
            "oversized", f"message of {len(payload)} bytes; the limit is {MAX_MESSAGE_BYTES}"
        )
    if b"\\u0000" in payload and _NUL.search(payload):
        raise InvalidMessage("wrong-schema", "message: a text holds a NUL, which no store keeps")
    try:
        return Envelope.model_validate_json(payload, strict=True)
    except ValidationError as error:
        faults = _faults(error)
        reason = "malformed-json" if faults[0].kind == "json_invalid" else "wrong-schema"
        where = ".".join(str(part) for part in faults[0].where) or "message"
        raise InvalidMessage(reason, f"{where}: {faults[0].what}", faults) from error


def _faults(error: ValidationError, *outside: str) -> list[Fault]:
    """All that pydantic found; ``outside`` is where the validated part stands in the message."""
    return [
        Fault((*outside, *one["loc"]), one["msg"], one["type"])
        for one in error.errors(include_url=False, include_input=False)
    ]


def decode_data(envelope: Envelope) -> Model | list[SenmlRecord]:
    """The typed data, uncoerced. Raises ``InvalidMessage`` (unknown-type, wrong-schema)."""
    try:
        if observed_domain(envelope.type) is not None:
            return parse_pack(envelope.data)
        model = PAYLOADS.get(envelope.type)
        if model is None:
            raise InvalidMessage("unknown-type", f"type {envelope.type!r} is not in the contract")
        # As JSON: there, strict lets a text be a time or one of an enumeration's words.
        return model.model_validate_json(
            to_json(envelope.data, inf_nan_mode="constants"), strict=True
        )
    except ValidationError as error:
        faults = _faults(error, "data")
        where = ".".join(str(part) for part in faults[0].where)
        raise InvalidMessage("wrong-schema", f"{where}: {faults[0].what}", faults) from error
    except ValueError as error:
        raise InvalidMessage("wrong-schema", f"data.{error}") from error


def decode(payload: bytes) -> Message:
    """A whole message. Raises ``InvalidMessage``."""
    envelope = decode_envelope(payload)
    return Message(envelope, decode_data(envelope))


def check_addressed(topic_name: str, envelope: Envelope) -> Source:
    """That a message from a gateway came on its own branch and lane.

    Raises ``InvalidMessage`` (wrong-gateway, wrong-lane, wrong-schema).
    """
    topic = parse(topic_name)
    try:
        source = Source.parse(envelope.source)
    except ValueError as error:
        raise InvalidMessage("wrong-schema", f"source: {error}") from error
    if topic is None or topic.gateway != source.gateway:
        raise InvalidMessage("wrong-gateway", f"{envelope.source} came on {topic_name}")
    if topic.channel != source.lane:
        raise InvalidMessage("wrong-lane", f"{envelope.source} came on {topic_name}")
    if topic.channel in set(Lane) and envelope.sequence is None:
        raise InvalidMessage("wrong-schema", "sequence: a message on a lane needs one")
    return source
