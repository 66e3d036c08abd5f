"""What an alert of a water parameter out of its bounds says."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from vigil_cloud.domain.detail import AlertDetail
from vigil_schemas.types import UtcDatetime
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
    suspect: str | None = None
    """The likeliest source, once it is calculated: a registered outfall or a reach."""
    suspect_name: str = ""
    suspect_name_zh: str = ""
    suspect_probability: float | None = None


class AnomalyDetail(AlertDetail):
    """A water event that the detector found: no bound was crossed."""

    type: Literal["water-anomaly"] = "water-anomaly"
    kind: Literal["anomaly"] = "anomaly"
    parameter: str
    unit: str | None = None
    limit: float | None = None
    """None: no bound was crossed."""
    value: float | None = None
    """When it was found."""
    by: float | None = None
    """So far from what was usual, with its sign."""
    score: float
    """Times the threshold that keeps the city's rate of false alarms."""
    started: UtcDatetime
    ended: UtcDatetime | None = None
    late: bool = False
    """Found in what a gateway had kept through an outage."""
    incident: str | None = None
    """What it is part of; the alert is that of the incident's first excursion."""
    excursions: int = 1
    """How many the incident has."""
    devices: list[str] = Field(default_factory=list)
    """The probes of an incident that has several excursions; at most 50 are named."""
    suspect: str | None = None
    """The likeliest source, once it is calculated: a registered outfall or a reach."""
    suspect_name: str = ""
    suspect_name_zh: str = ""
    suspect_probability: float | None = None
