"""What an alert of a gate says beside its title."""

from __future__ import annotations

from typing import Literal

from vigil_cloud.domain.detail import AlertDetail
from vigil_schemas.types import UtcDatetime


class GateDetail(AlertDetail):
    """Which gate, when the water is expected there, and from when it may open."""

    type: Literal["irrigation-gate"] = "irrigation-gate"
    order: str
    gate: str
    area: str = ""
    area_zh: str = ""
    arrival: UtcDatetime | None = None
    may_open: UtcDatetime | None = None
