"""Words and scalar types that every message shares."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from enum import IntEnum, StrEnum
from typing import Annotated, Final

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
)

Domain = Annotated[str, Field(pattern=r"^[a-z][a-z0-9]{1,31}$")]
"""Names a domain (``noise``); the same word names its rooms in all packages.

Any word of this form: which domains there are is said by what is registered, and what is
registered nowhere stays closed. Each shipped domain's module holds its own as ``DOMAIN``."""


class Lane(StrEnum):
    """Outbox lanes, most urgent first. The lane is also the topic's last level."""

    ALARM = "alarm"
    EVENT = "event"
    OBSERVATION = "observation"

    @property
    def priority(self) -> int:
        """0 is sent first."""
        return _LANE_PRIORITY[self]


_LANE_PRIORITY = {Lane.ALARM: 0, Lane.EVENT: 1, Lane.OBSERVATION: 2}


class ClockQuality(StrEnum):
    """How far a device's time stamp can be trusted."""

    SYNCHRONISED = "synchronised"
    HOLDOVER = "holdover"
    UNSYNCHRONISED = "unsynchronised"


class QartodFlag(IntEnum):
    """Quality flags of QARTOD (IOOS), as carried in a SenML record's ``qf``."""

    GOOD = 1
    NOT_EVALUATED = 2
    SUSPECT = 3
    FAIL = 4
    MISSING = 9


def _flag(value: object) -> object:
    """An enumeration of numbers would take ``true`` and ``1.0`` for 1."""
    if isinstance(value, QartodFlag):
        return value
    if type(value) is not int:
        raise ValueError("a QARTOD flag is a whole number")
    return QartodFlag(value)


Flag = Annotated[QartodFlag, BeforeValidator(_flag)]
"""A QARTOD flag as a message carries it."""

_RFC3339: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)


def _rfc3339(value: object) -> object:
    """Text becomes a time only in RFC 3339's form. Left to itself pydantic also takes numbers
    (and guesses seconds or milliseconds), texts of digits and bare dates."""
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str) or _RFC3339.fullmatch(value) is None:
        raise ValueError("a time is text in RFC 3339's form with a zone, 2026-05-01T08:00:00Z")
    return datetime.fromisoformat(value.upper())


def _to_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError as error:  # in UTC it lies before year 1 or after year 9999
        raise ValueError("the time lies outside of the calendar") from error


def isoformat_utc(value: datetime) -> str:
    """RFC 3339 in UTC with a ``Z``; microseconds only where there are any."""
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


UtcDatetime = Annotated[
    AwareDatetime,
    BeforeValidator(_rfc3339),
    AfterValidator(_to_utc),
    PlainSerializer(isoformat_utc, return_type=str, when_used="json"),
]
"""An aware time stamp, held in UTC. A naive one, a number and a bare date are refused."""

FORETOLD: Final = "foretold"
"""Marks a field (``Annotated[…, FORETOLD]``) whose time lies ahead by what it means, as the end of
a certificate does: no sign of a clock that is wrong."""

LARGEST_INTEGER: Final = 2**53 - 1
"""The largest whole number that every JSON reader keeps exactly (RFC 7493, 2.2)."""

Count = Annotated[int, Field(ge=0, le=LARGEST_INTEGER)]
Ordinal = Annotated[int, Field(ge=1, le=LARGEST_INTEGER)]
"""Numbers that begin at 1: sequences, sessions, revisions."""

GatewayId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{1,62}$")]
"""Names a gateway; also its MQTT user name and the common name of its certificate."""

DeviceId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
"""Names a device, unique in the city."""

FoundId = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]
"""Names what a gateway found by itself."""
ChoiceKey = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
"""What somebody had to say of it."""
ChoiceValue = Annotated[str, Field(max_length=120, pattern=r"^[^\x00-\x1f]*$")]

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Decibel = Annotated[float, Field(ge=-40.0, le=220.0, allow_inf_nan=False)]
"""A sound level in dB re 20 µPa."""


class Model(BaseModel):
    """Base of every message part: frozen, and closed against unknown keys."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True
    )
