"""What the alert of a visit says, to those who may know where somebody is."""

from __future__ import annotations

from typing import Literal

from vigil_cloud.domain.detail import AlertDetail
from vigil_schemas.types import Count, UtcDatetime


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
