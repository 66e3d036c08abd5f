"""Water: what a sonde observes, and an excursion out of its bounds.

Observed parameters and units: ``temperature`` Cel, ``specific_conductance`` S/m,
``pH`` pH, ``dissolved_oxygen`` kg/m3, ``turbidity_FNU`` (no unit), ``orp`` mV, ``level`` m. Beside
them, of a sonde that moves, ``latitude`` lat, ``longitude`` lon and ``position_within`` m; of one
with an automatic sampler ``sample_bottle``.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field

from vigil_schemas.commands import CommandArguments, SampleNow
from vigil_schemas.contract import DomainContract
from vigil_schemas.types import Domain, Flag, Model, UtcDatetime

DOMAIN: Final[Domain] = "water"
LATITUDE: Final = "latitude"
LONGITUDE: Final = "longitude"
WITHIN: Final = "position_within"
"""Parameters of a sonde that moves: where it was at each measurement (WGS 84), and how far off that
may be, m."""
BOTTLE: Final = "sample_bottle"
"""Parameter of a sonde with an automatic sampler: the bottle that was filled at that moment."""
BESIDE_THE_WATER: Final = frozenset({LATITUDE, LONGITUDE, WITHIN, BOTTLE})
"""Parameters that say nothing of the water itself."""


class TakeSample(CommandArguments):
    """The automatic sampler at a probe fills a bottle."""

    ACTION: ClassVar[str] = "take_sample"

    new_bottles: bool = False
    """All of them were replaced: it begins with the first."""


class WaterExcursionV1(Model):
    """``city.vigil.water.excursion.v1``: as gateways of 0.1 send it; still accepted."""

    TYPE: ClassVar[str] = "city.vigil.water.excursion.v1"

    excursion_id: Annotated[str, Field(min_length=8, max_length=64)]
    phase: Literal["onset", "end"]
    parameter: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,47}$")]
    unit: str | None = None
    kind: Literal["above", "below", "rate"]
    """Which bound was crossed: a high or low limit, or the rate of change."""
    limit: float
    """The bound, in ``unit`` (per second for ``rate``)."""
    value: float
    """At the onset the reading that crossed; at the end the most extreme one."""
    flag: Flag
    started: UtcDatetime
    ended: UtcDatetime | None = None


class WaterExcursion(Model):
    """``city.vigil.water.excursion.v2``: one parameter left its bounds, or came back.

    The same ``excursion_id`` names the onset and the end, so that a repeat is known for one.
    """

    TYPE: ClassVar[str] = "city.vigil.water.excursion.v2"

    excursion_id: Annotated[str, Field(min_length=8, max_length=64)]
    phase: Literal["onset", "end"]
    parameter: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,47}$")]
    unit: str | None = None
    kind: Literal[
        "above",
        "below",
        "rate",
        "off_scale_high",
        "off_scale_low",
        "lost_while_rising",
        "lost_while_falling",
    ]
    """Which bound was crossed: a high or low limit, the rate of change, or the sensor's own
    range; or the signal was lost on its way to a high or to a low bound."""
    limit: float | None = None
    """The bound, in ``unit`` (per second for ``rate``); absent where there is none."""
    value: float | None = None
    """At the onset the reading that crossed; at the end the most extreme one; of a lost signal
    the last one before; absent where the sensor gave no number."""
    flag: Flag
    started: UtcDatetime
    ended: UtcDatetime | None = None
    latitude: Annotated[float, Field(ge=-90, le=90)] | None = None
    """Of a sonde that moves: where it was as this was measured; absent where that is not known."""
    longitude: Annotated[float, Field(ge=-180, le=180)] | None = None


CONTRACT: Final = DomainContract(
    name=DOMAIN,
    events=(WaterExcursion,),
    accepted=(WaterExcursionV1,),
    commands=(SampleNow, TakeSample),
)
