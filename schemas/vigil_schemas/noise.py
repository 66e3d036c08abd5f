"""Noise: levels observed at an intersection, and a vehicle's exceedance of the limit.

Observed parameters (unit dB re 20 µPa): ``LAeq``, ``LAFmax``, ``LCeq``, ``LZeq`` per second.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field, model_validator

from vigil_schemas.contract import DomainContract
from vigil_schemas.evidence import EvidenceReference
from vigil_schemas.types import Decibel, Domain, Model, UtcDatetime

DOMAIN: Final[Domain] = "noise"


class LevelCurve(Model):
    """A level sampled at a steady interval, for the picture people look at."""

    start: UtcDatetime
    interval_s: Annotated[float, Field(gt=0, le=1)]
    LAF: Annotated[list[Decibel], Field(min_length=1, max_length=4000)]
    """A-weighted, Fast, dB re 20 µPa, one value per interval."""


class Conditions(Model):
    """What a weather station beside the microphone measured during the passage."""

    wind_m_s: Annotated[float, Field(ge=0, le=120, allow_inf_nan=False)] | None = None
    """The highest gust."""
    rain: bool | None = None


class PlateCandidate(Model):
    """What a recogniser made of the plate in the pictures."""

    text: Annotated[str, Field(min_length=2, max_length=16)]
    confidence: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]


class NoiseExceedance(Model):
    """``city.vigil.noise.exceedance.v1``: a passage was louder than the threshold.

    Told twice under the same ``exceedance_id``: ``measured`` as soon as the passage is
    over, and ``sealed`` with the level curve and the evidence once that has been made.
    """

    TYPE: ClassVar[str] = "city.vigil.noise.exceedance.v1"

    exceedance_id: Annotated[str, Field(min_length=8, max_length=64)]
    phase: Literal["measured", "sealed"] = "sealed"
    started: UtcDatetime
    """When LAF first rose above the threshold."""
    ended: UtcDatetime
    threshold_db: Decibel
    LAFmax: Decibel
    LAFmax_time: UtcDatetime
    LAE: Decibel
    """Sound exposure level of the passage (IEC 61672-1 3.12)."""
    background_db: Decibel | None = None
    """LAF exceeded 90 % of the time before the passage."""
    overload: bool = False
    """The input clipped (a lower bound) or its sound is doubtful: no fine may rest on it."""
    calibrated: bool = False
    """A sensitivity has been set for this microphone; without it levels are not evidence."""
    clock_vouched: bool | None = None
    """True: the clock was called synchronised by the word of the gateway's settings alone."""
    conditions: Conditions | None = None
    bearing_deg: Annotated[float, Field(ge=0, lt=360, allow_inf_nan=False)] | None = None
    """Where the sound came from, clockwise from north."""
    plates: Annotated[list[PlateCandidate], Field(max_length=8)] = Field(default_factory=list)
    """The likeliest first; for people to compare with what they read, never a finding."""
    level_curve: LevelCurve | None = None
    evidence: EvidenceReference | None = None

    @model_validator(mode="after")
    def _in_order(self) -> NoiseExceedance:
        if self.ended < self.started:
            raise ValueError("ended lies before started")
        return self


CONTRACT: Final = DomainContract(name=DOMAIN, events=(NoiseExceedance,))
