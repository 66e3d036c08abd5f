"""What a gateway of today says of an exceedance beside its levels: kept with the row as it was
told, and read back as the contract's own models. Nothing of it is personal."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, Field

from vigil_schemas.noise import (
    AnyExceedance,
    AudioLedger,
    Classification,
    FieldCalibration,
    Judgement,
    NoiseExceedance,
    PlateReading,
    SoundBearing,
    VehicleFinding,
)


class Findings(BaseModel):
    """Absent parts were not looked at."""

    flags: list[str] = Field(default_factory=list)
    judgement: Judgement | None = None
    classification: Classification | None = None
    bearing: SoundBearing | None = None
    vehicle: VehicleFinding | None = None
    plate_reading: PlateReading | None = None
    audio: AudioLedger | None = None
    sync_age_s: float | None = None
    calibration: FieldCalibration | None = None


def told(event: AnyExceedance) -> dict[str, Any] | None:
    """As a row keeps it; ``None`` of a gateway that says nothing of the kind."""
    if not isinstance(event, NoiseExceedance):
        return None
    said = event.model_dump(mode="json", exclude_none=True, include=set(Findings.model_fields))
    said = {name: value for name, value in said.items() if value != []}
    return said or None


def merged(before: dict[str, Any] | None, said: dict[str, Any] | None) -> dict[str, Any] | None:
    """What a later message leaves out stays; a flag is never taken back."""
    if not said or not before:
        return said or before
    flags = sorted({*before.get("flags", []), *said.get("flags", [])})
    return {**before, **said, **({"flags": flags} if flags else {})}


def read(kept: dict[str, Any] | None) -> Findings:
    """Of a row."""
    return Findings.model_validate(kept or {})
