"""What the API says of AEDs, volunteers and calls."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from fastapi import Path
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from vigil_cloud.aed.calls import HowFar, Word
from vigil_cloud.aed.cohorts import Kind
from vigil_cloud.aed.debriefs import Debrief
from vigil_cloud.aed.dispatch import Role as CallRole
from vigil_cloud.aed.tester import TesterResult
from vigil_cloud.aed.volunteers import Bar
from vigil_schemas.checkin import TagId
from vigil_schemas.types import DeviceId, UtcDatetime

SiteId = Annotated[str, Path(pattern=r"^[\w][\w.-]{0,39}$")]
CallId = Annotated[str, Path(pattern=r"^[a-z0-9-]{2,63}:[\x21-\x7e]{8,64}$")]
Access = Literal["yes", "public", "permissive", "customers", "private", "no", "unknown"]
CalloutState = Literal[
    "called", "accepted", "on-the-way", "arrived", "declined", "recalled", "released"
]
Latitude = Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)]
Longitude = Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]


def _no_time(value: object) -> object:
    if not isinstance(value, str) or len(value) != 10:
        raise ValueError("a day as 2027-05-31")
    return value


Day = Annotated[date, BeforeValidator(_no_time), Field(strict=False)]


def text(most: int, least: int = 0) -> StringConstraints:
    """So many characters at most, and at least."""
    return StringConstraints(min_length=least, max_length=most, pattern=r"^[^\x00]*$")


class Body(BaseModel):
    """What is sent: strict, and nothing that is not known."""

    model_config = ConfigDict(strict=True, extra="forbid", use_attribute_docstrings=True)


class Answer(BaseModel):
    """What is answered, from a row or by name."""

    model_config = ConfigDict(from_attributes=True, use_attribute_docstrings=True)


class SiteBody(Body):
    """One AED of the register, in OpenStreetMap's terms."""

    name: Annotated[str, text(120, 1)]
    name_zh: Annotated[str, text(120)] = ""
    latitude: Latitude
    longitude: Longitude
    location: Annotated[str, text(300)] = ""
    """``defibrillator:location``: where in the place, for somebody who runs."""
    level: Annotated[str, text(16)] = ""
    indoor: bool = False
    access: Access = "yes"
    opening_hours: Annotated[str, text(255, 1)] = "24/7"
    phone: Annotated[str, text(40)] = ""
    operator: Annotated[str, text(120)] = ""
    model: Annotated[str, text(120)] = ""
    in_service: bool | None = None
    """Null: as it is; a new one is in service."""
    pads_until: Day | None = None
    battery_until: Day | None = None
    device: DeviceId | None = None
    """Its cabinet, where a gateway watches it."""


class SiteEntry(Answer):
    """One AED and how it stands."""

    id: str
    name: str
    name_zh: str
    latitude: float
    longitude: float
    location: str
    level: str
    indoor: bool
    access: str
    opening_hours: str
    phone: str
    operator: str
    model: str
    in_service: bool
    checked: date | None
    pads_until: date | None
    battery_until: date | None
    device: str | None
    taken: bool
    usable: bool
    """Somebody may be sent for it, when it is open."""
    open_now: bool
    hours_readable: bool
    """False: its opening hours are no such; it counts as closed until somebody corrects them."""
    always_reachable: bool
    """Usable, and open at every hour of the coming year."""
    tag: str | None
    """On the defibrillator itself; with where it was seen last only for those who keep the
    register, and the police."""
    tag_seen: UtcDatetime | None
    tag_station: str | None
    due: date
    """When somebody has to go there."""
    overdue: bool


class SiteList(Answer):
    """The whole register, with its share that is reachable at all hours."""

    sites: list[SiteEntry]
    reachable: int
    """How many are reachable at all hours."""


class Imported(Answer):
    """What a file brought."""

    sites: int
    kept_out: list[str]
    """Said to be in service by the file, and left out of it: a patrol found them unfit."""
    unknown: list[str]
    """Its columns, or keys of GeoJSON, that nothing is taken from; the first 50 by name."""


class TagBody(Body):
    """The tag that sticks on the defibrillator; null: none does."""

    tag: TagId | None


class PatrolEntry(Answer):
    """What somebody found who stood before it."""

    patrol: int
    at: UtcDatetime
    account: str
    findings: dict[str, bool]
    usable: bool
    pads_until: date | None
    battery_until: date | None
    note: str
    tester: TesterResult | None
    """What a tester of defibrillators measured."""
    troubles: list[str]
    """What of that keeps it from being fetched: `tester-failed`, `energy-off`,
    `charges-slowly`."""
    photos: list[int]


class PatrolPhotoEntry(Answer):
    """A photograph that is of the patrol that is told next."""

    photo: int
    at: UtcDatetime


class PatrolList(Answer):
    """Of one AED, the newest first."""

    patrols: list[PatrolEntry]


class PatrolBody(Body):
    """What somebody found who stood before it; what is not named was not found well."""

    present: bool
    indicator_ok: bool
    pads_sealed: bool
    cabinet_ok: bool
    sign_visible: bool
    pads_until: Day | None = None
    battery_until: Day | None = None
    note: Annotated[str, text(1000)] = ""
    tester: TesterResult | None = None
    """What a tester of defibrillators measured, where one was used."""


class OwnCohort(Answer):
    """The cohort that one is of."""

    id: str
    name: str
    name_zh: str
    kind: Kind
    hours: str


class HoursBody(Body):
    """When one may be called, as OpenStreetMap's opening_hours; empty: at all hours."""

    hours: Annotated[str, text(255)]


class FixedPlace(Answer):
    """Where and when a volunteer can be called without a position of now."""

    latitude: float
    longitude: float
    hours: str
    consented: UtcDatetime
    counts_now: bool
    """Within its hours."""


class VolunteerEntry(Answer):
    """One's own standing."""

    consented: UtcDatetime | None
    certificate_until: date | None
    on_call: bool
    located: UtcDatetime | None
    """When the position was given that is kept while on call."""
    located_until: UtcDatetime | None
    """Until when it counts as a position of now."""
    ending_told: str
    """How the message went that it is about to end; empty: none was due."""
    fixed_place: FixedPlace | None
    """One's own, kept until one withdraws it; never shown to anybody else."""
    hours: str
    """When one may be called; empty: at all hours."""
    cohort: OwnCohort | None
    bars: list[Bar]
    """Why one is not called; empty: one is."""


class NamedVolunteer(VolunteerEntry):
    """The same for an administrator; never where they are."""

    username: str
    display_name: str


class VolunteerList(Answer):
    """By user name."""

    volunteers: list[NamedVolunteer]


class ConsentBody(Body):
    """To be called, and to be found while on call."""

    consent: bool


class OnCallBody(Body):
    """``position``: on call, here; null: off call, and the position is forgotten."""

    position: tuple[Longitude, Latitude] | None = Field(strict=False)
    at_fixed_place: bool = False
    """Without a position: on call all the same, called from the fixed place alone."""


class FixedPlaceWhere(Body):
    """A place, and when one is there."""

    position: tuple[Longitude, Latitude] = Field(strict=False)
    hours: Annotated[str, text(255, 1)]
    """As OpenStreetMap's opening_hours: ``Mo-Fr 08:00-18:00``."""


class FixedPlaceBody(Body):
    """A place and when one is there; sending it is the consent to its being kept, null withdraws
    it and forgets the place."""

    place: FixedPlaceWhere | None


class CertificateBody(Body):
    """The last day of a certificate that was seen; null: there is none."""

    until: Day | None


class AnswerBody(Body):
    """A volunteer's word."""

    answer: Word


class AedPlace(Answer):
    """Where an AED is that somebody fetches."""

    id: str
    name: str
    name_zh: str
    latitude: float
    longitude: float
    location: str
    level: str


class MyCall(Answer):
    """A call that one is needed for, or was."""

    call: str
    over: bool
    place: str
    place_zh: str
    latitude: float | None
    longitude: float | None
    pressed: UtcDatetime
    role: CallRole
    state: CalloutState
    called: UtcDatetime
    predicted_s: float
    fetch: AedPlace | None
    """Which AED to bring."""
    others: int
    """How many others have accepted."""
    aed_role: HowFar
    """How far whoever brings an AED is."""
    debrief_due: bool
    """One has been there, or was coming as it ended, and has not said how it went."""


class MyCalls(Answer):
    """Those of the last day, the newest first."""

    calls: list[MyCall]


class CalloutEntry(Answer):
    """One volunteer of a call."""

    username: str | None
    """``null``: the account was removed since."""
    role: CallRole
    site: str | None
    state: CalloutState
    predicted_s: float
    called: UtcDatetime
    answered: UtcDatetime | None
    arrived: UtcDatetime | None
    told: str
    thanked: str
    """How the thanks went; empty: none was due yet."""
    debrief: Debrief | None


class CallEntry(Answer):
    """One press of a button, for those who lead."""

    call: str
    alert: str
    case: str | None
    state: Literal["new", "calling", "late", "over"]
    """``late``: told too late for anybody to be called by itself."""
    place: str
    place_zh: str
    pressed: UtcDatetime
    presses: int
    callouts: list[CalloutEntry]


class CallList(Answer):
    """The newest first."""

    calls: list[CallEntry]
