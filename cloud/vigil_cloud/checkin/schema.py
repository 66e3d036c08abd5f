"""What the API says of persons and where they have been."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

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


class VisitEntry(BaseModel):
    """One stay at one station."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    visit_id: str
    device: str
    name: str
    name_zh: str
    latitude: float | None
    longitude: float | None
    arrived: UtcDatetime
    last_seen: UtcDatetime
    departed: UtcDatetime | None
    silent_since: UtcDatetime | None
    """The last sign of the station itself, where it fell silent while the visit went on."""
    present: bool
    """Whether it goes on as far as can be known: a sign within half an hour, and no departure."""


class VisitNews(VisitEntry):
    """A visit, and whose it was."""

    person_key: str


class Footprints(BaseModel):
    """Oldest first."""

    visits: list[VisitEntry]
