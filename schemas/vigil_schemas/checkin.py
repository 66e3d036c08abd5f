"""Check-in: a beacon or tag was at a station. Tags are pseudonyms; names never leave the cloud.

Observed parameters per station: ``tags_seen`` count, ``adverts`` count.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field, model_validator

from vigil_schemas.commands import WatchList
from vigil_schemas.contract import DomainContract
from vigil_schemas.types import Domain, Model, UtcDatetime

DOMAIN: Final[Domain] = "checkin"

TagId = Annotated[
    str,
    Field(
        pattern=r"^(ibeacon:[0-9a-f]{32}:\d{1,5}:\d{1,5}|eddystone-uid:[0-9a-f]{20}:[0-9a-f]{12}|epc:[0-9a-f]{8,124})$"
    ),
]
"""``ibeacon:{uuid}:{major}:{minor}``, ``eddystone-uid:{namespace}:{instance}``, ``epc:{hex}``."""
SentId = Annotated[
    str,
    Field(pattern=r"^(eddystone-eid:[0-9a-f]{16}|altbeacon:[0-9a-f]{40})$"),
]
"""What version 2 adds: ``eddystone-eid:{what is sent now}``, which changes every few minutes and
says whose it is to nobody but the cloud, and ``altbeacon:{id, 20 bytes}``."""
CarriedId = Annotated[
    str,
    Field(
        pattern=r"^(ibeacon:[0-9a-f]{32}:\d{1,5}:\d{1,5}|eddystone-uid:[0-9a-f]{20}:[0-9a-f]{12}"
        r"|epc:[0-9a-f]{8,124}|altbeacon:[0-9a-f]{40})$"
    ),
]
"""What somebody may carry under the identity that it sends: of either version, and for good."""
MOST_PASSAGES: Final = 20
PositionState = Literal["fixed", "too-old", "no-fix", "no-receiver"]
"""``too-old``: the newest fix lies further back than the station's settings allow. ``no-fix``: its
receiver sees too few satellites, or guesses. ``no-receiver``: it cannot be asked."""


class StationPosition(Model):
    """Where a station that moves was at a sighting: from satellites, or why that is not known.
    WGS 84, degrees."""

    state: PositionState
    latitude: Annotated[float, Field(ge=-90, le=90)] | None = None
    longitude: Annotated[float, Field(ge=-180, le=180)] | None = None
    within_m: Annotated[float, Field(ge=0, le=100_000)] | None = None
    """How far off it may be horizontally, as the receiver says, metres."""
    at: UtcDatetime | None = None
    """Of the fix, by the gateway's clock."""

    @model_validator(mode="after")
    def _a_place_where_it_is_known(self) -> StationPosition:
        known = self.latitude is not None and self.longitude is not None and self.at is not None
        if (self.state == "fixed") != known:
            raise ValueError("a fix has a latitude, a longitude and a time; nothing else has")
        if not known and (self.latitude, self.longitude) != (None, None):
            raise ValueError("what is no fix has no coordinates")
        return self


class Passage(Model):
    """One passage of a reader's antennas within a visit."""

    first: UtcDatetime
    last: UtcDatetime
    antennas: Annotated[list[Annotated[int, Field(ge=0, le=255)]], Field(max_length=16)]
    """That read it."""
    ordered: bool
    """``antennas`` are in the order in which it passed them: the direction."""
    position: StationPosition | None = None
    """Of a station that moves, at the strongest read."""


class CheckinVisit(Model):
    """``city.vigil.checkin.visit.v1``: sightings of one tag at one station, merged.

    Sent at arrival, every ten minutes while it goes on (``arrived`` with a later
    ``last_seen``), and at departure, under the same ``visit_id``.
    """

    TYPE: ClassVar[str] = "city.vigil.checkin.visit.v1"

    visit_id: Annotated[str, Field(min_length=8, max_length=64)]
    phase: Literal["arrived", "departed"]
    tag: TagId
    carrier: Literal["ble", "uhf"]
    arrived: UtcDatetime
    last_seen: UtcDatetime
    sightings: Annotated[int, Field(ge=1, le=2**31 - 1)]
    rssi_max_dbm: Annotated[float, Field(ge=-130, le=20)] | None = None
    """Strongest sighting so far, dBm."""
    antenna: Annotated[int, Field(ge=0, le=255)] | None = None
    """UHF antenna port of the strongest sighting."""
    battery_mv: Annotated[int, Field(ge=0, le=65_535)] | None = None
    """Battery of the tag, mV, where it tells it (Eddystone-TLM)."""
    temperature_c: Annotated[float, Field(ge=-128, le=128)] | None = None
    """Temperature of the tag, °C, where it tells it."""
    still_since: UtcDatetime | None = None
    """Since when its level has not moved, if that is an hour or more: nobody carries it."""
    passages: Annotated[list[Passage], Field(max_length=MOST_PASSAGES)] | None = None
    """Of a UHF reader: each time that it passed the antennas, as far as the visit goes."""
    position: StationPosition | None = None
    """Of a station that moves, at the strongest sighting so far; absent: it stands where its
    description says."""


class CheckinVisitV2(CheckinVisit):
    """``city.vigil.checkin.visit.v2``: the same, of an identity that version 1 does not have.

    What version 1 can say goes on being sent as version 1.
    """

    TYPE: ClassVar[str] = "city.vigil.checkin.visit.v2"

    tag: SentId


class CheckinSighting(Model):
    """``city.vigil.checkin.sighting.v1``: a tag on the watch list was heard, told at once.

    At the first sign, whatever a visit needs before it counts as one, and again each minute
    while the tag stays. The visit is told beside it as always.
    """

    TYPE: ClassVar[str] = "city.vigil.checkin.sighting.v1"

    sighting_id: Annotated[str, Field(min_length=8, max_length=64)]
    tag: TagId
    carrier: Literal["ble", "uhf"]
    seen: UtcDatetime
    rssi_dbm: Annotated[float, Field(ge=-130, le=20)] | None = None
    antenna: Annotated[int, Field(ge=0, le=255)] | None = None
    position: StationPosition | None = None
    """Of a station that moves."""


class CheckinSightingV2(CheckinSighting):
    """``city.vigil.checkin.sighting.v2``: the same, of an identity that version 1 does not have."""

    TYPE: ClassVar[str] = "city.vigil.checkin.sighting.v2"

    tag: SentId


def _is_new(tag: str) -> bool:
    return tag.startswith(("eddystone-eid:", "altbeacon:"))


def visit_model(tag: str) -> type[CheckinVisit]:
    """The version that has this identity."""
    return CheckinVisitV2 if _is_new(tag) else CheckinVisit


def sighting_model(tag: str) -> type[CheckinSighting]:
    """The version that has this identity."""
    return CheckinSightingV2 if _is_new(tag) else CheckinSighting


CONTRACT: Final = DomainContract(
    name=DOMAIN,
    events=(CheckinVisit, CheckinVisitV2, CheckinSighting, CheckinSightingV2),
    commands=(WatchList,),
)
