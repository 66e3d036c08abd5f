"""What an alert of a cabinet says."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from vigil_cloud.domain.detail import AlertDetail
from vigil_cloud.emergency.detail import EmergencyState
from vigil_schemas.aed import CabinetCondition
from vigil_schemas.types import UtcDatetime

RoleState = Literal["unfilled", "accepted", "on-the-way", "arrived"]


class AedCallDetail(AlertDetail):
    """A pressed button, and who comes. Nobody is named: volunteers are numbers here."""

    type: Literal["aed-call"] = "aed-call"
    call_id: str
    pressed: UtcDatetime
    presses: int = 1
    last_pressed: UtcDatetime | None = None
    door_open: bool | None = None
    emergency: EmergencyState | None = None
    """Null while nothing is known of it yet."""
    in_reach: int | None = None
    """How many volunteers could come; null until it was worked out."""
    nobody_in_reach: bool = False
    lapsed_certificates: int = 0
    """How many are near and were not called for that."""
    called: int = 0
    released: int = 0
    """How many of them may no longer come, as their account was closed, removed or is no
    volunteer's any more; others were called."""
    patient_role: RoleState = "unfilled"
    aed_role: RoleState = "unfilled"
    dispatch_trouble: str | None = None
    """What was wrong when volunteers were chosen."""
    late: bool = False
    """Told so long after the press that no volunteer was called by itself; 119 only where the
    press had come in time."""
    cabinet_said: str | None = None
    """What the message called its cabinet, where none of its gateway is called so."""


class AedRemovalDetail(AlertDetail):
    """The defibrillator is not in its place."""

    type: Literal["aed-removal"] = "aed-removal"
    removal_id: str
    phase: Literal["taken", "returned"] | None = None
    taken: UtcDatetime | None = None
    returned: UtcDatetime | None = None
    opened: bool | None = None
    """Whether the door was opened before; null: nobody saw it."""
    seen: UtcDatetime | None = None
    """Where a station has seen its tag since: when, and where that stands."""
    seen_at: str = ""
    seen_at_zh: str = ""
    seen_latitude: float | None = None
    seen_longitude: float | None = None


class AedCabinetDetail(AlertDetail):
    """Something of a cabinet needs a look."""

    type: Literal["aed-condition"] = "aed-condition"
    condition: CabinetCondition
    condition_id: str | None = None
    active: bool | None = None
    since: UtcDatetime | None = None
    cleared: UtcDatetime | None = None
    message: str = Field(default="")


class AedNotWatchedDetail(AlertDetail):
    """The register names a cabinet that no gateway reads any more."""

    type: Literal["aed-not-watched"] = "aed-not-watched"
