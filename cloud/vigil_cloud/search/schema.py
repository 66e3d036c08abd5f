"""What the API says of searches, and what it takes. Coordinates: WGS 84, degrees."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from vigil_cloud.cases.schema import Code, Looked, PersonKey, Reason
from vigil_cloud.search.checkins import VisitEntry
from vigil_schemas.types import UtcDatetime

Latitude = Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)]
Longitude = Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]
Words = Annotated[str, StringConstraints(max_length=1000, pattern=r"^[^\x00]*$")]
Number = Annotated[float, Field(allow_inf_nan=False)]
Corner = Annotated[list[Number], Field(min_length=2, max_length=2)]


class _Body(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", use_attribute_docstrings=True)


class _Answer(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True)


class ReportMissing(_Body):
    """A guardian reports somebody missing. Only the person has to be known."""

    person_key: PersonKey
    clothes: Words = ""
    place: Words = ""
    """Where they were last seen, in words."""
    last_seen: UtcDatetime | None = None
    latitude: Latitude | None = None
    longitude: Longitude | None = None


class Reported(_Answer):
    """The case that the report has opened, or joined."""

    case_id: str
    number: str
    joined: bool
    """Somebody had reported it before."""


class OpenSearch(_Answer):
    """A search under way for a person whom the reader guards."""

    case_id: str
    number: str
    person_key: str
    opened: UtcDatetime


class OpenSearches(_Answer):
    """Of the reader's."""

    searches: list[OpenSearch]


class AddEntry(_Body):
    """Somebody was seen, or a place was searched: a point with a radius, or an area."""

    kind: Literal["seen", "searched"]
    at: UtcDatetime
    text: Words = ""
    latitude: Latitude | None = None
    longitude: Longitude | None = None
    radius_m: Annotated[float, Field(gt=0, le=20_000, allow_inf_nan=False)] | None = None
    area: Annotated[list[Corner], Field(max_length=200)] = []
    """Corners, longitude and latitude; at least three."""
    worth: Annotated[float, Field(ge=0.0, le=1.0, allow_inf_nan=False)] | None = None
    """How probably it was the person who was seen, or would have been found where it was searched
    (POD); null: as usual (0.6 and 0.7)."""


class EndSearch(Looked):
    """How it ended."""

    outcome: Code
    text: Reason


class LastPlace(_Answer):
    """The newest sign of the person that has a place."""

    name: str
    name_zh: str
    latitude: float
    longitude: float
    at: UtcDatetime
    source: Literal["report", "visit", "hit"]


class RingEntry(_Answer):
    """So many of those who were searched for were found within so far."""

    share: float
    radius_m: float


class StationEntry(_Answer):
    """A station near the last place, or one that has heard the person."""

    device: str
    name: str
    name_zh: str
    latitude: float
    longitude: float
    online: bool
    distance_m: float | None
    """From the last place."""


class HitEntry(_Answer):
    """The person was at a station."""

    id: int
    device: str
    name: str
    name_zh: str
    latitude: float | None
    longitude: float | None
    first: UtcDatetime
    last: UtcDatetime
    received: UtcDatetime
    at_once: bool
    """From the watch list; else from a visit."""
    late: bool
    """Told more than ten minutes after it was."""
    doubts: list[Literal["time", "owner", "identity"]]


class EntryShown(_Answer):
    """What somebody brought."""

    id: int
    kind: Literal["seen", "searched", "tip", "phone"]
    """``phone``: some citizen's phone heard the amulet; rounded to about 200 m."""
    at: UtcDatetime
    entered: UtcDatetime
    account: str | None
    """null: a passer-by or a phone, whom nobody knows."""
    text: str
    contact: str
    """How a passer-by can be asked back; empty where they did not say."""
    latitude: float | None
    longitude: float | None
    radius_m: float | None
    area: list[list[float]]
    worth: float
    """How reliable what was seen is, or the probability of detection (POD) of the search there."""


class WatchState(_Answer):
    """How far the watch list has come."""

    until: UtcDatetime
    stations: int
    watching: int
    waiting: int
    unable: int
    """Of an earlier release: their visits are looked at when they come."""
    left_out: int
    """Of the person's tags: so many found no room on the list."""


class Contour(_Answer):
    """The smallest region in which the person is with that probability."""

    probability: float
    area_km2: float
    polygons: list[list[list[list[float]]]]
    """Each its outer ring and its holes, longitude and latitude."""


class NextStation(_Answer):
    """A station that may hear the person next."""

    device: str
    name: str
    name_zh: str
    latitude: float
    longitude: float
    probability: float


class SegmentEntry(_Answer):
    """A square to be searched."""

    name: str
    """Column and row, as said by radio."""
    corners: list[list[float]]
    probability: float
    """That the person is there now (POA)."""
    way_m: float
    """To be walked for a probability of detection of 63 %."""
    covered: float
    """How probably the person would have been found there already (POD)."""


class Likely(_Answer):
    """Where the person probably is: an estimate, drawn by the worker every few minutes."""

    at: UtcDatetime
    """For which moment."""
    since: UtcDatetime
    """Of the last sign that it begins with."""
    footprint_since: UtcDatetime | None
    """It is drawn from no older check-ins, as the reader's consent opens none; null: from all."""
    contours: list[Contour]
    next_stations: list[NextStation]
    """The likeliest first."""
    segments: list[SegmentEntry]
    """The likeliest first."""
    notes: list[str]
    """``no-streets``, ``home-first``, ``far-from-streets``, ``islands-joined``,
    ``streets-crossed``."""


class TaskEntry(_Answer):
    """What a plan asks of one segment."""

    name: str
    corners: list[list[float]]
    hours: float
    """Of one team."""
    detection: float
    """POD of these hours."""
    gain: float
    """By how much they raise the probability that the person is found."""


class SearchPlan(_Answer):
    """The hours at hand shared out so that the person is found most probably."""

    at: UtcDatetime
    """Of the map that it goes by."""
    team_hours: float
    found: float
    """The probability that the person is found by it."""
    tasks: list[TaskEntry]
    """The greatest gain first."""


class SearchMap(_Answer):
    """Everything of a search that has a place. After its end, and for whoever guards without a
    consent, the footprint and what is drawn from it are left out."""

    case_id: str
    number: str
    version: int
    opened: UtcDatetime
    ended: UtcDatetime | None
    access_until: UtcDatetime | None
    """Until when the reader sees it; null: as long as there is a case."""
    clothes: str
    place: str
    last_seen: UtcDatetime | None
    """As reported."""
    last_place: LastPlace | None
    rings: list[RingEntry]
    """Around the last place."""
    likely: Likely | None
    """null: withheld like the footprint, or not drawn yet. To a guardian whose footprint begins
    later, what is drawn of that part alone."""
    footprint: list[VisitEntry]
    """Of the last seven days, oldest first."""
    footprint_withheld: bool
    footprint_since: UtcDatetime | None
    """The reader's consent opens nothing older; null: all of it, or nothing."""
    stations: list[StationEntry]
    hits: list[HitEntry]
    entries: list[EntryShown]
    watch: WatchState | None
    guardian: bool
    """The reader decides for the person, and sees who looked (``/looks``)."""
    link: str | None
    """Under it passers-by report what they saw; null: there is none."""
