"""The programme over HTTP: bodies and what is shown."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from vigil_cloud.identity.household_schema import HouseholdKey
from vigil_cloud.smoke.programme.eligibility import Objection, Risk
from vigil_cloud.smoke.programme.home_rows import Resident
from vigil_cloud.smoke.programme.progress import Party, Phase
from vigil_schemas.types import DeviceId, UtcDatetime

Room = Literal["bedroom", "living-room", "kitchen", "stairs", "other"]
Refusal = Literal["no-risk-group", "served-already", "another-application", "not-in-the-city"]
Wrong = Literal["silent", "wrong-place", "not-fixed", "incomplete"]
Leaving = Literal["not-wanted", "moved", "died", "demolished"]
Village = Annotated[str, Field(max_length=40, pattern=r"^[^\x00-\x1f]*$")]
District = Annotated[str, Field(min_length=1, max_length=40)]
_Serial = Annotated[str, Field(min_length=3, max_length=40, pattern=r"^[0-9A-Za-z-]+$")]


class _Body(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", use_attribute_docstrings=True)


class _Shown(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True)


class ReferralBody(_Body):
    """An application for somebody else, who agreed to it."""

    particulars: Resident
    risks: Annotated[list[Risk], Field(max_length=11)]
    district: District | None = None
    village: Village = ""
    agreed: Literal[True]
    """The household knows of it and agrees to be written down."""


class OwnApplicationBody(_Body):
    """An application for the reader's own home: for one of those that the reader belongs to, whose
    address is known, or for one that the city does not know yet, with where it is."""

    household: HouseholdKey | None = None
    address: Annotated[str, Field(max_length=200, pattern=r"^[^\x00-\x1f]*$")] = ""
    """Of a home that is not known yet."""
    risks: Annotated[list[Risk], Field(max_length=11)]
    name: Annotated[str, Field(max_length=80, pattern=r"^[^\x00-\x1f]*$")] = ""
    phone: Annotated[str, Field(max_length=40, pattern=r"^[0-9+#*()\- ]*$")] = ""
    village: Village = ""
    agreed: Literal[True]
    """The household agrees to be written down, as the notice says."""

    @model_validator(mode="after")
    def _one_home(self) -> Self:
        if (self.household is None) != bool(self.address.strip()):
            raise ValueError("give either household, or the address of a home that is not known")
        return self


class EligibilityBody(_Body):
    """What an application for the reader's own home would say."""

    household: HouseholdKey | None = None
    """`null`: of a home that the city does not know yet."""
    risks: Annotated[list[Risk], Field(max_length=11)]


class Eligibility(_Shown):
    """Whether the home could apply now. Nothing was written down."""

    eligible: bool
    objections: list[Objection]
    """Why not, as far as what is known says."""


class DecisionBody(_Body):
    """Accepted where there is no reason to refuse it."""

    refused: Refusal | None = None
    lives_there: bool = False
    """Of a home that the platform did not know: whoever applied was found to live there, and
    becomes its resident."""


class AppointmentBody(_Body):
    """When somebody comes; ``null``: nobody was at home."""

    at: Annotated[UtcDatetime, Field(strict=False)] | None


class AlarmBody(_Body):
    """One alarm that was fitted."""

    serial: _Serial
    model: Annotated[str, Field(max_length=60, pattern=r"^[^\x00-\x1f]*$")] = ""
    room: Room
    expires: Annotated[date, Field(strict=False)]
    """As it is printed on it."""
    device: DeviceId | None = None
    """As its gateway names it, where one hears it."""


class InstallationBody(_Body):
    """What hangs there now."""

    alarms: Annotated[list[AlarmBody], Field(min_length=1, max_length=2)]


class SignatureBody(_Body):
    """The reader signs for a party, for what it has looked at: refused where other alarms hang
    there now, or it is another round."""

    party: Party
    round: Annotated[int, Field(ge=1, le=1000)]
    digest: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """As the home was shown with it."""
    on_paper: bool = False
    """Of the household: it signed on paper, and the city's officer has it."""


class SentBackBody(_Body):
    """What was found wrong."""

    reason: Wrong


class ReplacedBody(_Body):
    """One alarm that was taken down, and the one that hangs there instead."""

    serial: _Serial
    alarm: AlarmBody


class VisitBody(_Body):
    """A maintenance visit."""

    replaced: Annotated[list[ReplacedBody], Field(max_length=2)] = []


class ClosingBody(_Body):
    """Why the home leaves the programme."""

    reason: Leaving


class AlarmEntry(_Shown):
    """One alarm of a home."""

    serial: str
    model: str
    room: str
    expires: date
    fitted: date
    device: str | None
    until: date | None
    """When it was taken down."""


class ProgrammeHomeEntry(_Shown):
    """One home as lists show it: nobody's name, no address."""

    home: str
    household: str | None
    district: str | None
    village: str
    source: str
    risks: list[str]
    phase: Phase
    round: int
    applied: UtcDatetime
    due: date | None
    """When somebody has to go there; of one where alarms hang."""
    appointment: UtcDatetime | None
    missed: int
    alarms: list[AlarmEntry]
    """Those that hang there."""
    served: bool
    """They are visited and replaced, also while a further round waits."""
    digest: str | None
    """What a signature is for: of the round and the alarms that hang there. `null`: none do."""
    expires: date | None
    warranty_until: date | None
    next_visit: date | None
    signed: list[Party]
    reason: str
    first: bool
    """It is served before others."""


class AppliedHome(ProgrammeHomeEntry):
    """A home that was applied for, and whether it is one that the programme is for."""

    objections: list[Objection]
    """Why it is not eligible, as far as what is known says: it is decided all the same."""


class ProgrammeHomeList(_Shown):
    """What waits first, by its day."""

    homes: list[ProgrammeHomeEntry]
    more: bool


class PhotoEntry(_Shown):
    """One photograph; its picture has an address of its own."""

    photo: int
    at: UtcDatetime
    away_m: float | None
    """From the home, as far as both places are known, m."""


class StepEntry(_Shown):
    """What happened."""

    at: UtcDatetime
    what: str
    who: str | None


class HomeDetail(ProgrammeHomeEntry):
    """One home with everything that is known of it."""

    particulars: Resident
    objections: list[Objection]
    """Why it is not eligible, as far as what is known says."""
    claimed: bool
    """Whoever applied on line says that they live there, and nobody knows yet."""
    signs_itself: bool
    """A resident has an account and signs there: nobody brings a paper for them."""
    signatures: list[SignatureEntry]
    former: list[AlarmEntry]
    photos: list[PhotoEntry]
    steps: list[StepEntry]


class OwnHome(_Shown):
    """The reader's own home in the programme."""

    home: ProgrammeHomeEntry
    name: str
    address: str
    signatures: list[SignatureEntry]
    """Of the certificate."""
    steps: list[OwnStepEntry]
    """What became of the application, in order."""


class OwnStepEntry(_Shown):
    """What happened, without who did it."""

    at: UtcDatetime
    what: str


class SignatureEntry(_Shown):
    """A party of the certificate, and when it signed for what. Nobody's account name."""

    party: Party
    at: UtcDatetime
    round: int | None
    digest: str | None
    """Of the alarms that it signed for, as `digest` of a home; `null`: of a signature that is
    older than digests."""


class OwnHomeList(_Shown):
    """Of every home that the reader lives in."""

    homes: list[OwnHome]


class VillageEntry(_Shown):
    """One village."""

    village: str
    name: str
    name_zh: str
    district: str | None
    latitude: float | None
    longitude: float | None
    households: int | None
    """``None``: nobody has said."""
    applied: int
    served: int
    """Homes in which alarms hang."""
    alarms: int
    working: int
    """Of those alarms, as far as is known."""
    fires: int
    nuisances: int


class Statistics(_Shown):
    """How far the programme has come, of what the reader's districts hold."""

    applied: int
    """Homes that wait for a decision, an appointment or a signature."""
    served: int
    households: int | None
    coverage: float | None
    """Served homes of all households, 0 to 1."""
    alarms: int
    heard: int
    """Those that a gateway hears."""
    working: int
    """Of those that a gateway hears: not failed, lost or at the end of their life. Of the others:
    fitted or visited within a year, and not expired."""
    fires_caught: int
    """Fires of these homes that an alarm told of, by the cause that whoever led them gave."""
    false_alarms: dict[str, int]
    """By cause: cooking, steam, test, fault."""
    expiring: int
    """Homes whose alarms expire within half a year, or have."""
    tested: int
    """Homes whose alarms were tested within a month, of those that a gateway hears."""
    days_to_fit_median: float | None
    """From application to signature, days."""
    villages: list[VillageEntry]
    months: list[MonthEntry]


class MonthEntry(_Shown):
    """How many homes came into service."""

    month: str
    """YYYY-MM."""
    served: int


class ProgrammeMistake(_Shown):
    """What is wrong with one line; the header is line 1."""

    line: int
    text: str


class ProgrammeImported(_Shown):
    """What a file did; with ``dry_run`` or a mistake: what it would do, and nothing was done."""

    done: bool
    rows: int
    added: int
    mistakes: list[ProgrammeMistake]


HomeDetail.model_rebuild()
OwnHome.model_rebuild()
Statistics.model_rebuild()
