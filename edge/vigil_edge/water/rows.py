"""One row of a recording with its flags."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from vigil_schemas.recordings.tally import Side
from vigil_schemas.types import QartodFlag


@dataclass(slots=True)
class Row:
    """``t`` is ``None`` where the time cannot be read; a value is ``None`` where it is missing."""

    line: int
    t: datetime | None
    values: dict[str, float | None]
    flags: dict[str, QartodFlag]
    off_scale: dict[str, Side] | None = None
    """Signals beyond what the sensor can measure; their value is the bound that was stated."""
    station: str | None = None
