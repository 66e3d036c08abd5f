"""What the register takes, over HTTP and from the seed file alike."""

from __future__ import annotations

import re
from datetime import date, time
from typing import Annotated, Final, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

from vigil_schemas.types import DeviceId, UtcDatetime

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: Final[tuple[Day, ...]] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
CertificateKind = Literal["verification", "comparison", "calibration"]
IntersectionId = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
Direction = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{0,40}$")]
Serial = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,63}$")]
Name = Annotated[str, StringConstraints(max_length=120, pattern=r"^[^\x00]*$")]
Basis = Annotated[str, StringConstraints(max_length=300, pattern=r"^[^\x00]*$")]
Level = Annotated[float, Field(ge=40, le=140, allow_inf_nan=False)]


def _day(value: object) -> object:
    """A page sends text, a file's dates come as dates."""
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", value, re.ASCII):
        return date.fromisoformat(value)
    return value


def _time_of_day(value: object) -> object:
    if isinstance(value, str) and re.fullmatch(r"\d{2}:\d{2}(:00)?", value, re.ASCII):
        return time.fromisoformat(value)
    return value


def _ordered(first: date, last: date | None) -> None:
    if last is not None and last < first:
        raise ValueError("valid_until lies before valid_from")


CivilDay = Annotated[date, BeforeValidator(_day)]
"""Of the city's calendar, as ``2027-05-31``."""
TimeOfDay = Annotated[time, BeforeValidator(_time_of_day)]
"""By the city's clock, as ``22:00``."""


class _Body(BaseModel):
    model_config = ConfigDict(
        frozen=True, strict=True, extra="forbid", use_attribute_docstrings=True
    )


class IntersectionBody(_Body):
    """``[[noise_intersection]]``: a place at which vehicles are listened to."""

    id: IntersectionId
    name: Name
    name_zh: Name
    latitude: Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)]
    longitude: Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]
    retired: bool = False
    """Nothing is to be placed there any more. Refused while a device stands there."""


class LimitBody(_Body):
    """A limit in dB(A) on some days between two times of day; where ``until`` is not after
    ``since`` it lasts into the next day, and the whole day where both are the same."""

    limit_db: Level
    days: list[Day] = Field(default_factory=lambda: list(DAYS), min_length=1)
    since: TimeOfDay = time(0)
    until: TimeOfDay = time(0)


class _Withdrawable(_Body):
    withdrawn: bool = False
    """The entry of this key counts no more, and an earlier one counts again: it was a mistake."""


class RoadBody(_Withdrawable):
    """``[[noise_road]]``: what holds for one direction of an intersection from a day on."""

    intersection: IntersectionId
    direction: Direction = ""
    """Empty: every direction that has no entry of its own."""
    valid_from: CivilDay
    valid_until: CivilDay | None = None
    """The last day."""
    speed_limit_kmh: Annotated[int, Field(ge=5, le=200)] | None = None
    sign_distance_m: Annotated[float, Field(ge=0, le=5000, allow_inf_nan=False)] | None = None
    """How far before the microphone the warning sign stands."""
    limits: Annotated[list[LimitBody], Field(min_length=1, max_length=50)]
    """The first that fits counts."""
    basis: Basis = ""
    """The announcement or article that the limit rests on."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        _ordered(self.valid_from, self.valid_until)
        return self


class InstrumentBody(_Body):
    """``[[noise_instrument]]``: a sound level meter."""

    serial: Serial
    maker: Name = ""
    model: Name = ""
    retired: bool = False
    """It measures no more. Refused while a device is it."""


class CertificateBody(_Withdrawable):
    """``[[noise_certificate]]``: of an instrument. A later entry of the same kind and number
    counts instead of an earlier one, which is how a certificate is corrected or withdrawn."""

    instrument: Serial
    kind: CertificateKind
    """`verification` (metrological), `comparison` (with the agency's reference) or `calibration`
    (in the field)."""
    number: Annotated[str, StringConstraints(min_length=1, max_length=80, pattern=r"^[^\x00]*$")]
    issuer: Annotated[str, StringConstraints(max_length=200, pattern=r"^[^\x00]*$")] = ""
    valid_from: CivilDay
    valid_until: CivilDay
    """The last day."""

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        _ordered(self.valid_from, self.valid_until)
        return self


class PlacementBody(_Withdrawable):
    """``[[noise_placement]]``: which instrument a device is, and where it stands, from a moment
    on; without an intersection it was taken down."""

    device: DeviceId
    since: UtcDatetime
    intersection: IntersectionId | None = None
    direction: Direction = ""
    instrument: Serial | None = None


class PenaltyStep(_Body):
    """The amount from so many decibels over the limit on."""

    over_db: Annotated[float, Field(ge=0, le=60, allow_inf_nan=False)]
    amount_twd: Annotated[int, Field(ge=1, le=10**7)]


class RulesBody(_Withdrawable):
    """``[[noise_rules]]``: what the city's method asks from a day on, and what its tariff is."""

    valid_from: CivilDay
    background_margin_db: Annotated[float, Field(ge=0, le=40, allow_inf_nan=False)] = 10.0
    wind_limit_m_s: Annotated[float, Field(gt=0, le=50, allow_inf_nan=False)] = 5.0
    sign_distance_m: Annotated[float, Field(ge=0, le=5000, allow_inf_nan=False)] = 100.0
    penalties: Annotated[list[PenaltyStep], Field(max_length=20)] = Field(default_factory=list)
    basis: Basis = ""


class ComplaintBody(_Withdrawable):
    """``[[noise_complaint]]``: somebody complained of noise at an intersection; not who."""

    reference: Annotated[str, StringConstraints(min_length=1, max_length=64, pattern=r"^[^\x00]*$")]
    intersection: IntersectionId
    received: CivilDay


_MOST: Final = 10_000


class RegisterBody(_Body):
    """Entries to be recorded, all or none. What stands there already in the same words is left."""

    intersections: Annotated[list[IntersectionBody], Field(max_length=_MOST)] = Field(
        default_factory=list
    )
    roads: Annotated[list[RoadBody], Field(max_length=_MOST)] = Field(default_factory=list)
    instruments: Annotated[list[InstrumentBody], Field(max_length=_MOST)] = Field(
        default_factory=list
    )
    certificates: Annotated[list[CertificateBody], Field(max_length=_MOST)] = Field(
        default_factory=list
    )
    placements: Annotated[list[PlacementBody], Field(max_length=_MOST)] = Field(
        default_factory=list
    )
    rules: Annotated[list[RulesBody], Field(max_length=_MOST)] = Field(default_factory=list)
    complaints: Annotated[list[ComplaintBody], Field(max_length=_MOST)] = Field(
        default_factory=list
    )


SECTIONS: Final[dict[str, tuple[str, type[_Body]]]] = {
    "noise_intersection": ("intersections", IntersectionBody),
    "noise_road": ("roads", RoadBody),
    "noise_instrument": ("instruments", InstrumentBody),
    "noise_certificate": ("certificates", CertificateBody),
    "noise_placement": ("placements", PlacementBody),
    "noise_rules": ("rules", RulesBody),
    "noise_complaint": ("complaints", ComplaintBody),
}
"""Of the seed file, by name: the field of ``RegisterBody`` and its model."""


class _Recorded(BaseModel):
    model_config = ConfigDict(from_attributes=True, use_attribute_docstrings=True)

    recorded: UtcDatetime
    recorded_by: str


class _Entry(_Recorded):
    withdrawn: bool


class RoadEntry(_Entry):
    """One version."""

    intersection: str
    direction: str
    valid_from: date
    valid_until: date | None
    speed_limit_kmh: int | None
    sign_distance_m: float | None
    limits: list[LimitBody]
    basis: str


class CertificateEntry(_Entry):
    """One entry."""

    instrument: str
    kind: CertificateKind
    number: str
    issuer: str
    valid_from: date
    valid_until: date


class PlacementEntry(_Entry):
    """One entry."""

    device: str
    since: UtcDatetime
    intersection: str | None
    direction: str
    instrument: str | None


class RulesEntry(_Entry):
    """One version."""

    valid_from: date
    background_margin_db: float
    wind_limit_m_s: float
    sign_distance_m: float
    penalties: list[PenaltyStep]
    basis: str


class ComplaintEntry(_Entry):
    """One complaint, as it was recorded last."""

    reference: str
    intersection: str
    received: date


class ComplaintList(BaseModel):
    """The latest received first."""

    complaints: list[ComplaintEntry]
    more: bool
    """There are more than were asked for."""


VersionKind = Literal["intersection", "instrument", "complaint"]


class VersionEntry(_Recorded):
    """What it was called from then on."""

    said: dict[str, str | float | bool]
    """As it was entered."""


class VersionList(BaseModel):
    """The latest first. Of what was entered before versions were kept there are none."""

    versions: list[VersionEntry]


class Register(BaseModel):
    """All entries, also those that others have replaced or withdrawn; complaints are asked for
    apart (``GET /noise/complaints``)."""

    intersections: list[IntersectionBody]
    instruments: list[InstrumentBody]
    roads: list[RoadEntry]
    certificates: list[CertificateEntry]
    placements: list[PlacementEntry]
    rules: list[RulesEntry]


class Entered(BaseModel):
    """How many entries were new."""

    entered: int
