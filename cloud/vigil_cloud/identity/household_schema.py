"""What the API says of households and districts."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from vigil_cloud.identity.reader import Relation
from vigil_cloud.identity.schema import Username
from vigil_cloud.parameters import NAME, ONE_LINE
from vigil_schemas.types import DeviceId, UtcDatetime

HouseholdKey = Annotated[
    str, StringConstraints(min_length=1, max_length=48, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
]
DistrictId = Annotated[
    str, StringConstraints(min_length=1, max_length=40, pattern=r"^[a-z0-9][a-z0-9-]*$")
]
PersonKeyText = Annotated[
    str, StringConstraints(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")
]
_Text = Annotated[str, StringConstraints(max_length=200, pattern=ONE_LINE)]


class _Body(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")


class PositionBody(_Body):
    """Degrees, WGS 84."""

    latitude: Annotated[float, Field(ge=-90, le=90)]
    longitude: Annotated[float, Field(ge=-180, le=180)]


class HouseholdBody(_Body):
    """What a household is called and where it is; sealed under a key of its own."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=120, pattern=NAME)]
    address: _Text = ""
    district: DistrictId | None = None
    position: PositionBody | None = None


class NewMember(_Body):
    """An account, or a person (a resident), until a moment or for good."""

    account: Username | None = None
    person: PersonKeyText | None = None
    relation: Annotated[Relation, Field(strict=False)] = Relation.RESIDENT
    until: Annotated[UtcDatetime | None, Field(strict=False)] = None


class Added(BaseModel):
    """The membership's number."""

    number: int


class MemberEntry(BaseModel):
    """Somebody of a household."""

    number: int
    account: str | None
    person: str | None
    relation: Relation
    since: UtcDatetime
    until: UtcDatetime | None


class HomeDevice(BaseModel):
    """A device in a home."""

    device: DeviceId
    since: UtcDatetime
    until: UtcDatetime | None


class HouseholdEntry(BaseModel):
    """A household as administrators see it."""

    key: str
    name: str
    address: str
    district: str | None
    position: PositionBody | None
    created: UtcDatetime
    members: list[MemberEntry]
    devices: list[HomeDevice]


class HouseholdList(BaseModel):
    """By key; ``next`` is the ``after`` of the following page."""

    households: list[HouseholdEntry]
    next: Annotated[str | None, Field(description="null on the last page")]


class HomeMember(BaseModel):
    """Somebody of the reader's home, by the name that they are known by."""

    name: str
    relation: Relation


class DeviceEnd(BaseModel):
    """A device whose place in a home ends by itself."""

    device: DeviceId
    ends: UtcDatetime


class HomeEntry(BaseModel):
    """A home of the reader's."""

    key: str
    name: str
    relation: Relation
    devices: list[DeviceId]
    members: list[HomeMember]
    """Empty for a contact person, who is told of alarms and does not look into the home."""
    ends_soon: UtcDatetime | None
    """When the reader belongs to it no more, where it is time to say so."""
    devices_end: list[DeviceEnd]
    """What soon stands there no more, by device."""


class HomeList(BaseModel):
    """By key."""

    homes: list[HomeEntry]


Outline = Annotated[list[PositionBody], Field(min_length=3, max_length=500)]
"""Corners in order; the last is joined to the first."""


class DistrictBody(_Body):
    """What people call it, and where it lies on a map; without ``outline`` that stays as it is."""

    name: Annotated[str, StringConstraints(min_length=1, max_length=80, pattern=NAME)]
    name_zh: Annotated[str, StringConstraints(min_length=1, max_length=80, pattern=NAME)]
    outline: Outline | None = None
    """null: it is drawn nowhere."""


class DistrictEntry(BaseModel):
    """A part of the city."""

    district: str
    name: str
    name_zh: str
    outline: list[PositionBody] | None


class DistrictList(BaseModel):
    """By id."""

    districts: list[DistrictEntry]


class Limits(_Body):
    """The districts that an account is limited to; null: the whole city. Never an empty list:
    that would say nothing and be read as everything."""

    districts: Annotated[list[DistrictId] | None, Field(min_length=1, max_length=200)]


class PlaceBody(_Body):
    """Where it stands; null: nowhere that is told."""

    district: DistrictId | None
