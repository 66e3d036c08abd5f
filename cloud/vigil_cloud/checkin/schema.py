"""What the API says of persons and where they have been."""

from __future__ import annotations

from pydantic import BaseModel

from vigil_cloud.alerts.schema import VisitEntry
from vigil_schemas.types import UtcDatetime


class Enrolled(BaseModel):
    """A person as administrators see them: under their pseudonym, without name, tags or places."""

    key: str
    created: UtcDatetime
    tags: int
    """How many they carry."""
    guardians: list[str]


class Named(Enrolled):
    """As the operator's command line shows them, which opens the database itself."""

    name: str
    carries: list[str]
    """The tags themselves."""


class EnrolledList(BaseModel):
    """By key."""

    people: list[Enrolled]


class Footprints(BaseModel):
    """Oldest first."""

    visits: list[VisitEntry]
