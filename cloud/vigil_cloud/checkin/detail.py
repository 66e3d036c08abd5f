"""What the alert of a visit says, to those who may know where somebody is."""

from __future__ import annotations

from typing import Literal

from vigil_cloud.checkin.doubts import Doubt
from vigil_cloud.domain.detail import AlertDetail
from vigil_schemas.types import Count, UtcDatetime

RuleKind = Literal[
    "unseen", "left-zone", "at-night", "unusual", "amulet-silent", "battery-low", "not-worn"
]


class VisitDetail(AlertDetail):
    """A visit, without the tag: its id would let a reader follow it elsewhere."""

    type: Literal["checkin-visit"] = "checkin-visit"
    visit_id: str
    phase: Literal["arrived", "departed"]
    carrier: Literal["ble", "uhf"]
    arrived: UtcDatetime
    last_seen: UtcDatetime
    sightings: Count
    rssi_max_dbm: float | None = None
    battery_mv: int | None = None
    station_silent_since: UtcDatetime | None = None
    late: bool = False
    """It was told long after it had ended."""
    doubt: Doubt | None = None
    """It may be a copy of the amulet."""


class RuleDetail(AlertDetail):
    """What a guardian's rule found."""

    type: Literal["checkin-rule"] = "checkin-rule"
    rule: RuleKind
    last_seen: UtcDatetime | None = None
    """Absent where no station has ever seen them."""
    hours: Count | None = None
    battery_mv: int | None = None
    doubt: Doubt | None = None
    """The visit behind it may be a copy of the amulet."""


class ThingDetail(AlertDetail):
    """A thing was seen where it should not be, or is looked for."""

    type: Literal["checkin-thing"] = "checkin-thing"
    thing: Literal["bicycle", "scooter", "car", "wheelchair", "aed", "other"]
    seen: UtcDatetime
    away_m: Count | None = None
    """From where it was parked."""


class StationSilentDetail(AlertDetail):
    """A station that has not worked for an hour, for its host."""

    type: Literal["checkin-station-silent"] = "checkin-station-silent"
    reason: Literal["silent", "failed"]
    """``silent``: the box is not heard. ``failed``: its radio or reader is not."""
    since: UtcDatetime
    """Its last sign, or when its radio failed."""
    remedy: str
    """What to do at the place, in English."""
    remedy_zh: str
