"""The rules that a guardian can set, with their bounds, and what a new person begins with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from vigil_cloud.alerts.schema import Severity

DAY_MINUTES: Final = 1440
NIGHT: Final = (22 * 60, 5 * 60)
"""Minutes of the city's day between which nobody is expected outside."""
Minute = Annotated[int, Field(ge=0, lt=DAY_MINUTES)]


class _Settings(BaseModel):
    model_config = ConfigDict(
        strict=True, extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False
    )


class Zone(_Settings):
    """A circle. WGS 84, degrees and metres."""

    latitude: Annotated[float, Field(ge=-90, le=90)]
    longitude: Annotated[float, Field(ge=-180, le=180)]
    radius_m: Annotated[float, Field(ge=100, le=20_000)]


class Seen(_Settings):
    """Each stay at a station."""

    kind: Literal["seen"] = "seen"


class Unseen(_Settings):
    """No station has seen them for so many hours."""

    kind: Literal["unseen"] = "unseen"
    hours: Annotated[int, Field(ge=1, le=168)]


class LeftZone(Zone):
    """Seen outside of the area in which they are safe."""

    kind: Literal["left-zone"] = "left-zone"


class AtNight(Zone):
    """Seen outside of their home's surroundings at night, by the city's clock."""

    kind: Literal["at-night"] = "at-night"
    night_from: Minute = 22 * 60
    night_until: Minute = 5 * 60
    """Minutes after midnight."""


class Unusual(_Settings):
    """Seen at a station where they were not for two months."""

    kind: Literal["unusual"] = "unusual"


class AmuletSilent(_Settings):
    """The amulet was not heard for so many hours: is it lost, or its battery empty?"""

    kind: Literal["amulet-silent"] = "amulet-silent"
    hours: Annotated[int, Field(ge=12, le=720)]


class BatteryLow(_Settings):
    """The amulet's battery is below this."""

    kind: Literal["battery-low"] = "battery-low"
    below_mv: Annotated[int, Field(ge=1800, le=3600)] = 2400


class NotWorn(_Settings):
    """The amulet has not moved for so many hours: it lies somewhere."""

    kind: Literal["not-worn"] = "not-worn"
    hours: Annotated[int, Field(ge=10, le=168)]


Rule = Annotated[
    Seen | Unseen | LeftZone | AtNight | Unusual | AmuletSilent | BatteryLow | NotWorn,
    Field(discriminator="kind"),
]
RULE: Final[TypeAdapter[Rule]] = TypeAdapter(Rule)
KINDS: Final = (
    "seen",
    "unseen",
    "left-zone",
    "at-night",
    "unusual",
    "amulet-silent",
    "battery-low",
    "not-worn",
)
SEVERITIES: Final[Mapping[str, Severity]] = {
    "unseen": "major",
    "left-zone": "major",
    "at-night": "major",
    "unusual": "minor",
    "amulet-silent": "minor",
    "battery-low": "info",
    "not-worn": "minor",
}


class RuleBody(BaseModel):
    """One rule, and when nobody wants to hear of it."""

    model_config = ConfigDict(strict=True, extra="forbid", use_attribute_docstrings=True)

    rule: Rule
    quiet_from: Minute | None = None
    quiet_until: Minute | None = None
    """Minutes of the city's day, over midnight where the end is before the begin."""

    @model_validator(mode="after")
    def _both_or_none(self) -> RuleBody:
        if (self.quiet_from is None) != (self.quiet_until is None):
            raise ValueError("give both ends of the quiet hours, or none")
        if self.quiet_from is not None and isinstance(self.rule, AtNight):
            raise ValueError("who is out at night is told of at once: it has no quiet hours")
        return self


QUIET: Final = (22 * 60, 7 * 60)
PRESET: Final[tuple[RuleBody, ...]] = (
    RuleBody(rule=Unseen(hours=24), quiet_from=QUIET[0], quiet_until=QUIET[1]),
    RuleBody(rule=NotWorn(hours=24), quiet_from=QUIET[0], quiet_until=QUIET[1]),
    RuleBody(rule=BatteryLow(), quiet_from=QUIET[0], quiet_until=QUIET[1]),
)
"""What a person's people are told before a guardian has chosen: that the amulet is heard, worn and
fed. Where somebody may be, and each of their stays, is theirs to choose."""
