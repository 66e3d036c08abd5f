"""A case on disk: ``case.json``, and what is found out of it."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel, Field

from vigil_edge.noise.bearing.array import ArraySettings
from vigil_edge.noise.pictures.settings import ViewSettings
from vigil_schemas.evidence import EvidenceClock
from vigil_schemas.noise import (
    NoiseExceedance,
    PlateCandidate,
    PlateReading,
    SoundBearing,
    VehicleFinding,
)
from vigil_schemas.types import UtcDatetime

FINDINGS: Final = "findings.json"
TRACE: Final = "bearing.json"
VOTES: Final = "votes.json"


class Case(BaseModel):
    """``case.json``: everything but the files."""

    device: str
    sound_started: UtcDatetime
    sound_ended: UtcDatetime
    calibration: dict[str, str | float]
    exceedance: NoiseExceedance
    clock: EvidenceClock | None = None
    """As the recording ended."""
    configuration_sha256: str | None = None
    array: ArraySettings | None = None
    """Where the microphones of ``audio.wav`` stood."""
    view: ViewSettings | None = None
    """How the camera looked."""
    plate_view: ViewSettings | None = None
    """How the plate camera looked, of a place with two."""


class Findings(BaseModel):
    """``findings.json``: what the event gains by looking at sound and pictures."""

    bearing: SoundBearing | None = None
    bearing_deg: float | None = None
    vehicle: VehicleFinding | None = None
    plate_reading: PlateReading | None = None
    plates: list[PlateCandidate] = Field(default_factory=list)

    @classmethod
    def failed(cls) -> Findings:
        """Nobody could look."""
        return cls(
            bearing=SoundBearing(abstained="failed"),
            vehicle=VehicleFinding(abstained="failed"),
            plate_reading=PlateReading(abstained="failed"),
        )

    def told(self, event: NoiseExceedance) -> NoiseExceedance:
        """The event with them."""
        found = {name: getattr(self, name) for name in type(self).model_fields}
        return event.model_copy(
            update={name: value for name, value in found.items() if value is not None}
        )
