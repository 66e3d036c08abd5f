"""What a gateway finds where devices may be, and what one of them says before it is configured.

Asked for by ``discover`` and ``look``; both are answered at once, and what was found comes with a
report of its own when it is known. A gateway keeps addresses to itself as far as people need not
see them: it remembers what it found, and the cloud adds a device by naming the finding.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from vigil_schemas.control import CommandId
from vigil_schemas.types import (
    ChoiceKey,
    Count,
    DeviceId,
    Domain,
    FoundId,
    Model,
    UtcDatetime,
)

MOST_FOUND = 300
"""Findings of one search that are told; those beyond are counted."""


class Option(Model):
    """One answer to a ``Choice``."""

    value: Annotated[str, Field(max_length=120)]
    title: Annotated[str, Field(max_length=200)]
    title_zh: Annotated[str, Field(max_length=200)]


class Choice(Model):
    """What somebody has to say of a finding, because the device does not."""

    key: ChoiceKey
    title: Annotated[str, Field(max_length=120)]
    title_zh: Annotated[str, Field(max_length=120)]
    options: Annotated[list[Option], Field(min_length=1, max_length=100)]


class Fact(Model):
    """Something that a device told of itself, or that was measured of it."""

    name: Annotated[str, Field(max_length=60)]
    value: Annotated[str, Field(max_length=200)]


class FoundDevice(Model):
    """One device that answered, or was heard."""

    found: FoundId
    """The same thing at the same place has the same one, also at the next search."""
    domain: Domain
    driver: Annotated[str, Field(max_length=40)]
    title: Annotated[str, Field(max_length=160)]
    title_zh: Annotated[str, Field(max_length=160)]
    facts: Annotated[list[Fact], Field(max_length=24)] = Field(default_factory=list)
    choices: Annotated[list[Choice], Field(max_length=8)] = Field(default_factory=list)
    device: DeviceId | None = None
    """As what it is configured already."""
    addable: bool = True
    """False: it is shown so that people know of it; adding it needs the gateway's own file."""
    readable: bool = False
    """Whether ``look`` can read it."""


class Searched(Model):
    """One place where was looked."""

    domain: Domain
    place: Annotated[str, Field(max_length=200)]
    found: Count = 0
    code: Annotated[str, Field(max_length=60)] | None = None
    """Why it could not be searched, or not to its end."""
    message: Annotated[str, Field(max_length=400)] | None = None


class DiscoveryReport(Model):
    """``city.vigil.gateway.discovery.v1``: what a search found, when it begins and when it ends."""

    TYPE: ClassVar[str] = "city.vigil.gateway.discovery.v1"

    command_id: CommandId
    state: Literal["searching", "done", "interrupted"]
    began: UtcDatetime
    ended: UtcDatetime | None = None
    searched: Annotated[list[Searched], Field(max_length=200)] = Field(default_factory=list)
    found: Annotated[list[FoundDevice], Field(max_length=MOST_FOUND)] = Field(default_factory=list)
    untold: Count = 0
    """Findings beyond those."""


class RawReading(Model):
    """One value as the device gave it, and what it would be taken for."""

    name: Annotated[str, Field(max_length=80)]
    raw: Annotated[str, Field(max_length=200)]
    """Registers in hexadecimal, a field's own text, a signal strength."""
    value: Annotated[float, Field(allow_inf_nan=False)] | None = None
    unit: Annotated[str, Field(max_length=40)] | None = None
    doubt: Annotated[str, Field(max_length=200)] | None = None
    """Why it is no reading."""


class LookReport(Model):
    """``city.vigil.gateway.look.v1``: the raw values that were asked for."""

    TYPE: ClassVar[str] = "city.vigil.gateway.look.v1"

    command_id: CommandId
    found: FoundId
    time: UtcDatetime
    readings: Annotated[list[RawReading], Field(max_length=100)] = Field(default_factory=list)
    code: Annotated[str, Field(max_length=60)] | None = None
    """Why it could not be read."""
    message: Annotated[str, Field(max_length=400)] | None = None
