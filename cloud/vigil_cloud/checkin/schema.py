"""What the API says of persons and where they have been."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from vigil_cloud.checkin.doubts import Doubt
from vigil_schemas.checkin import PositionState
from vigil_schemas.types import UtcDatetime


class Enrolled(BaseModel):
    """A person as administrators see them: under their pseudonym, without name, tags or places."""

    key: str
    created: UtcDatetime
    tags: int
    """How many they carry."""
    guardians: list[str]
    not_called: list[str]
    """Those of the guardians who hear no alert: no consent opens alerts to them."""


class Named(Enrolled):
    """As the operator's command line shows them, which opens the database itself."""

    name: str
    carries: list[str]
    """The tags themselves."""


class EnrolledList(BaseModel):
    """By key."""

    people: list[Enrolled]


class PositionEntry(BaseModel):
    """Of a station that moves: how well it knew where it was. Its coordinates are the visit's."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    state: PositionState
    """``fixed``; else why the place is not known."""
    within_m: float | None
    """As good as its receiver says it is, metres; ``None``: it does not say."""
    at: UtcDatetime | None
    """Of the satellites' fix."""


class VisitEntry(BaseModel):
    """One stay, at one station or between several."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    visit_id: str
    device: str
    name: str
    name_zh: str
    latitude: float | None
    longitude: float | None
    position: PositionEntry | None = None
    """Of a station that moves; ``None``: it stands there."""
    arrived: UtcDatetime
    began_before: bool = False
    """It began before what the consent opens: ``arrived`` is where that begins."""
    last_seen: UtcDatetime
    departed: UtcDatetime | None
    silent_since: UtcDatetime | None
    """The last sign of the station itself, where it fell silent while the visit went on."""
    present: bool
    """Whether it goes on as far as can be known: a sign within half an hour, and no departure."""
    sightings: int
    """How often it was heard; 1: a single sign, somebody who passed."""
    late: bool
    """It was told long after it had ended: where the person was, and not where they are."""
    doubt: Doubt | None
    """It may be a copy of the beacon, or one that was replayed."""
    clock_quality: str | None
    """What the gateway says of its clock (``synchronised``, …)."""
    still_since: UtcDatetime | None
    """Since when the amulet has not moved: perhaps nobody wears it."""
    merged: list[str] = Field(default_factory=list)
    """Further visits that are part of this stay."""
    also: list[str] = Field(default_factory=list)
    """Names of other stations that heard it."""


class VisitNews(VisitEntry):
    """A visit, and whose it was."""

    person_key: str


class Footprints(BaseModel):
    """Oldest first."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    visits: list[VisitEntry]
    since: UtcDatetime | None
    """The consent opens nothing older; null: all that is kept."""


class UsualPlace(BaseModel):
    """A station at which the person often is."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    device: str
    name: str
    name_zh: str
    latitude: float | None
    longitude: float | None
    visits: int
    """Of the last sixty days."""
    days: int
    """On how many of them."""
    hours: list[int]
    """Hours of the day, UTC, at which they mostly are there."""
    usual_now: bool
    """Whether they often are there at this hour."""


class LastSign(VisitEntry):
    """The newest visit, with what can be said of it now."""

    at: UtcDatetime
    """The last sign of the person there."""
    age_s: float
    confidence: Literal["high", "medium", "low"]
    """How far it says where the person is now."""
    reasons: list[Literal["old", "very-old", "station-offline", "single-sign", "doubtful"]]
    """Why the confidence is not high."""
    station_online: bool
    station_offline_since: UtcDatetime | None


class PhoneSign(BaseModel):
    """A citizen's phone heard the amulet: a weaker source, and no better than about 200 m."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    at: UtcDatetime
    age_s: float
    latitude: float
    longitude: float
    within_m: float


class LastPlaceEntry(BaseModel):
    """Where somebody was last, in one look."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    last: LastSign | None
    """null: no station has heard the person within what is kept."""
    not_seen_since: UtcDatetime | None
    """The last sign of a station, where there is none of the last half hour."""
    phone: PhoneSign | None
    """Where a phone has heard the amulet since that; null: none has."""
    usual_places: list[UsualPlace]
    """The most frequent first, ten at most."""
