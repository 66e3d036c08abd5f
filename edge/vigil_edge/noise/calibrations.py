"""The field calibrations of a microphone: what was heard of a calibrator, until when that holds.

Levels go on being measured with the sensitivity of the settings: a tone that was taken for a
calibrator by mistake must not move them. What it says is logged, told with every event, and where
it is too old, or the sensitivity has drifted too far, no case rests on the level. It is of the
microphone: where the settings' sensitivity is changed, the tone reads otherwise by as much.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from vigil_edge.noise.meter.calibrator import Calibration
from vigil_schemas.noise import FieldCalibration
from vigil_schemas.types import UtcDatetime

EXPIRED: Final = "calibration-expired"
DRIFTED: Final = "calibration-drifted"
KEY: Final = "calibration"
"""Of the pipeline's own state."""
LOG: Final = "calibrations.jsonl"
_MOST_DRIFT_DB: Final = 20.0
"""That is told; beyond it is at least so much."""


class CalibrationSettings(BaseModel):
    """``[noise.calibration]``: how long a field calibration holds."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    expires_h: Annotated[float, Field(gt=0, le=24 * 366)] = 72.0
    """So long after a calibrator was heard, or after ``at``, a level founds a case."""
    most_drift_db: Annotated[float, Field(gt=0, le=5)] = 0.5
    """More between the tone and the settings' sensitivity, and none does."""
    at: UtcDatetime | None = None
    """When the sensitivity of the settings was taken from a calibrator by hand."""
    required: bool = False
    """No level founds a case before the first calibration is known."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What is known at present."""

    settings: CalibrationSettings = field(default_factory=CalibrationSettings)
    last: FieldCalibration | None = None
    pascal_per_unit: float | None = None
    """The sensitivity that the tone of ``last`` says."""

    def heard(self, found: Calibration, at: datetime, *, calibrated: bool = True) -> Standing:
        """With one more; ``at``: the end of its tone. Where the microphone is not ``calibrated``
        there is nothing that could have drifted. Raises ``ValueError`` for what cannot be told."""
        last = FieldCalibration(
            time=at,
            by="calibrator",
            frequency_hz=round(found.frequency_hz, 2),
            level_db=round(found.level_db, 3),
            nominal_db=found.nominal_db,
            drift_db=_told_drift(found.drift_db) if calibrated else None,
        )
        return Standing(self.settings, last, found.pascal_per_unit)

    @property
    def newest(self) -> FieldCalibration | None:
        """The calibrator's or, where it is newer, that of the settings."""
        by_hand = self.settings.at
        if by_hand is None or (self.last is not None and self.last.time >= by_hand):
            return self.last
        return FieldCalibration(time=by_hand, by="settings")

    def reasons(self, at: datetime) -> Sequence[str]:
        """Why no level that was measured then founds a case; empty where nothing speaks against
        it. One that lies ahead of ``at``, since the clock was set meanwhile, proves nothing."""
        newest = self.newest
        if newest is None:
            return [EXPIRED] if self.settings.required else []
        age = at - newest.time
        found = []
        if not -timedelta(hours=1) <= age <= timedelta(hours=self.settings.expires_h):
            found.append(EXPIRED)
        if abs(newest.drift_db or 0.0) > self.settings.most_drift_db:
            found.append(DRIFTED)
        return found

    def kept(self) -> bytes:
        """To be read by ``restored``."""
        if self.last is None or self.pascal_per_unit is None:
            return b""
        said = _Kept(calibration=self.last, pascal_per_unit=self.pascal_per_unit)
        return said.model_dump_json().encode()


class _Kept(BaseModel):
    """Over a restart."""

    calibration: FieldCalibration
    pascal_per_unit: Annotated[float, Field(gt=0, allow_inf_nan=False)]


def restored(settings: CalibrationSettings, kept: bytes | None, in_force: float | None) -> Standing:
    """As it stood before a restart, with what the tone reads by the sensitivity ``in_force`` now
    (pascal per unit; ``None``: not calibrated). What cannot be read is none."""
    if not kept:
        return Standing(settings)
    try:
        said = _Kept.model_validate_json(kept)
    except ValidationError:
        return Standing(settings)
    last, drift_db = said.calibration, None
    if in_force is not None and last.nominal_db is not None:
        off_db = 20.0 * math.log10(in_force / said.pascal_per_unit)
        drift_db = _told_drift(off_db)
        last = last.model_copy(update={"level_db": round(last.nominal_db + drift_db, 3)})
    last = last.model_copy(update={"drift_db": drift_db})
    return Standing(settings, last, said.pascal_per_unit)


def _told_drift(drift_db: float) -> float:
    return round(max(-_MOST_DRIFT_DB, min(_MOST_DRIFT_DB, drift_db)), 3)


def log(folder: Path, standing: Standing, found: Calibration) -> None:
    """Append to the device's log: sensitivity and drift over the years. Raises ``OSError``."""
    assert standing.last is not None  # noqa: S101 - it was just heard
    line = standing.last.model_dump(mode="json", exclude_none=True)
    line["pascal_per_unit"] = found.pascal_per_unit
    with (folder / LOG).open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
