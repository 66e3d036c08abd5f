"""What the API says of persons and where they have been."""

from __future__ import annotations

from pydantic import BaseModel

from vigil_cloud.alerts.schema import VisitEntry
from vigil_schemas.types import UtcDatetime


class PersonEntry(BaseModel):
    """A person whom the reader may follow, or guards, or both."""

    key: str
    name: str
    guardian: bool
    consent_expires: UtcDatetime | None
    """Null: the reader decides for this person but may not see where they are."""


class PersonList(BaseModel):
    """By name."""

    people: list[PersonEntry]


class Footprints(BaseModel):
    """Oldest first."""

    visits: list[VisitEntry]
