"""Smoke: an alarm in a home, and its condition. Terms follow Matter's Smoke CO Alarm cluster.

Observed parameters: ``battery`` % , ``smoke_density`` where the device reports one.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field

from vigil_schemas.commands import Mute, PlayVoice, SelfTest
from vigil_schemas.contract import DomainContract
from vigil_schemas.types import Domain, Model, UtcDatetime

DOMAIN: Final[Domain] = "smoke"

SmokeCondition = Literal[
    "smoke",
    "heat",
    "co",
    "gas",
    "unreadable",
    "test",
    "battery_alert",
    "hardware_fault",
    "tamper",
    "link_lost",
    "end_of_service",
]
"""``unreadable``: a fire key carried a word or shape that cannot be read, possibly a fire."""


SmokePrompt = Literal["fire_alarm", "co_alarm", "help_coming", "all_clear"]
"""Recordings that a gateway in a home may have."""
PROMPTS: Final[tuple[SmokePrompt, ...]] = ("fire_alarm", "co_alarm", "help_coming", "all_clear")


class SmokeAlarmV1(Model):
    """``city.vigil.smoke.alarm.v1``: as gateways of 0.1 send it; still accepted."""

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


class SmokeAlarm(Model):
    """``city.vigil.smoke.alarm.v2``: one condition of an alarm became active, changed or cleared.

    The same ``alarm_id`` again with ``active`` true tells what has been learned meanwhile:
    that it is no test after all (``during_test`` false), or a further sign of fire.
    """

    TYPE: ClassVar[str] = "city.vigil.smoke.alarm.v2"

    alarm_id: Annotated[str, Field(min_length=8, max_length=64)]
    """The same for the activation and the clearing of one condition."""
    condition: SmokeCondition
    active: bool
    since: UtcDatetime
    """When this state began, by the device's own time where it gave a believable one."""
    during_test: bool = False
    """A self test was running: only the home is told, until it turns out to be a fire."""
    unconfirmed_since: UtcDatetime | None = None
    """The report is old (retained or cached): when it was made, or received where it does
    not say. It shows that there may have been smoke, not that there is."""
    signs: list[Annotated[str, Field(max_length=24)]] = Field(default_factory=list, max_length=8)
    """Further signs of fire since it began: ``density``, ``heat``, ``second_alarm``."""
    smoke_density: Annotated[float, Field(ge=-1e9, le=1e9)] | None = None
    rises: Annotated[int, Field(ge=1, le=1000)] | None = None
    """How many rises of its smoke were told, this one included: two of one density are two."""
    raw: Annotated[str, Field(max_length=200)] | None = None
    """What could not be read, for ``unreadable``."""
    battery_percent: Annotated[float, Field(ge=0, le=100)] | None = None
    link_quality: Annotated[int, Field(ge=0, le=255)] | None = None


CONTRACT: Final = DomainContract(
    name=DOMAIN,
    events=(SmokeAlarm,),
    alarms=(SmokeAlarm,),
    accepted=(SmokeAlarmV1,),
    commands=(SelfTest, Mute, PlayVoice),
)
