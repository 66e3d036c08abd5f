"""What the API says of persons and where they have been."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints

from vigil_cloud.alerts.schema import VisitEntry
from vigil_schemas.types import UtcDatetime


class PersonEntry(BaseModel):
    """A person whom the reader may follow, or guards, or both."""

    key: str
    name: str
    guardian: bool
    consent_expires: UtcDatetime | None
    """Null: the reader decides for this person but may not see where they are."""


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


class NewPerson(BaseModel):
    """How the person is called; sealed under a key of their own."""

    model_config = ConfigDict(strict=True, extra="forbid")

    name: Annotated[str, StringConstraints(min_length=1, max_length=120, pattern=r"^[^\x00]*$")]


class EnrolledList(BaseModel):
    """By key."""

    people: list[Enrolled]


class ErasureEntry(BaseModel):
    """What was removed, by kind. ``complete``: free pages and logs of the files are clean as
    well; else `vigil-cloud person erase` again in a quiet hour finishes it."""

    person: str
    removed: dict[str, int]
    complete: bool


class PersonList(BaseModel):
    """By name."""

    people: list[PersonEntry]


class Footprints(BaseModel):
    """Oldest first."""

    visits: list[VisitEntry]
