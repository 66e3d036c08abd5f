"""What an alert of a water parameter out of its bounds says."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from vigil_cloud.domain.detail import AlertDetail
from vigil_schemas.water import WaterExcursion


class ExcursionDetail(AlertDetail, WaterExcursion):
    """The excursion as its gateway told it, onset and end together."""

    type: Literal["water-excursion"] = "water-excursion"
    incident: str | None = None
    """What it is part of; the alert is that of the incident's first excursion."""
    excursions: int = 1
    """How many the incident has."""
    devices: list[str] = Field(default_factory=list)
    """The probes of an incident that has several excursions; at most 50 are named."""
