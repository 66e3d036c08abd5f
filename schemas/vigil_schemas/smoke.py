"""Smoke: an alarm in a home, and its condition. Terms follow Matter's Smoke CO Alarm cluster.

Observed parameters: ``battery`` % , ``smoke_density`` where the device reports one.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from vigil_schemas.types import Model, UtcDatetime


class SmokeAlarm(Model):
    """``city.vigil.smoke.alarm.v1``: one condition of an alarm became active or cleared."""

    TYPE: ClassVar[str] = "city.vigil.smoke.alarm.v1"

    alarm_id: Annotated[str, Field(min_length=8, max_length=64)]
    """The same for the activation and the clearing of one condition."""
    condition: Literal[
        "smoke", "test", "battery_alert", "hardware_fault", "tamper", "link_lost", "end_of_service"
    ]
    active: bool
    since: UtcDatetime
    """When this state was reported."""
    battery_percent: Annotated[float, Field(ge=0, le=100)] | None = None
    link_quality: Annotated[int, Field(ge=0, le=255)] | None = None
