"""What an alert of a smoke alarm says."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from vigil_cloud.domain.detail import AlertDetail
from vigil_cloud.emergency.detail import EmergencyState
from vigil_schemas.smoke import SmokeCondition
from vigil_schemas.types import UtcDatetime


class ConditionDetail(AlertDetail):
    """One condition of an alarm: what its messages told, activation and clearing together.

    Whether it lasts, the alert's state says; a clearing that came first knows less.
    """

    type: Literal["smoke-condition"] = "smoke-condition"
    alarm_id: str | None = None
    condition: SmokeCondition
    active: bool | None = None
    """As the latest activation said."""
    since: UtcDatetime | None = None
    cleared: UtcDatetime | None = None
    during_test: bool = False
    """A self test was running: only the home was told."""
    no_test_because: str | None = None
    """Why what came with a self test is a fire after all."""
    signs: list[str] = Field(default_factory=list)
    """Further signs of fire: `density`, `heat`, `second_alarm`."""
    smoke_density: float | None = None
    raw: str | None = None
    """What could not be read."""
    battery_percent: Annotated[float | None, Field(ge=0, le=100)] = None
    link_quality: Annotated[int | None, Field(ge=0, le=255)] = None
    times: int = 1
    """How often it went on within minutes: one that flaps is told once."""
    repeats: str | None = None
    """The alert that counts it, of a fire that was told with another one."""
    emergency: EmergencyState | None = None
    """How 119 stands; null while nothing is known of it."""


class CodeLockedDetail(AlertDetail):
    """A home's code was guessed at."""

    type: Literal["smoke-code-locked"] = "smoke-code-locked"
    until: UtcDatetime
    """It counts again then."""


class MovedDetail(AlertDetail):
    """What rang was listed in another home while its fire lasted."""

    type: Literal["smoke-moved"] = "smoke-moved"
    fire: str


class TestDueDetail(AlertDetail):
    """An alarm that nobody has tested for a month."""

    type: Literal["smoke-test-due"] = "smoke-test-due"


class NotWatchedDetail(AlertDetail):
    """A home lists an alarm that no gateway reads any more."""

    type: Literal["smoke-not-watched"] = "smoke-not-watched"
