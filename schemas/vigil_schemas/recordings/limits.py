"""What is asked of one signal. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

Range = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Limits:
    """What is asked of one signal, in its own unit. ``None`` leaves a test out."""

    fail: Range | None = None
    """Outside is impossible for the sensor: fail."""
    suspect: Range | None = None
    """Outside is not expected here: suspect."""
    rate_suspect: float | None = None
    """Change per second beyond which a reading is suspect."""
    spike: bool = True
    """Hold jumps against the signal's own recent changes."""
    spike_floor: float = 0.0
    """A jump not larger than this is never one."""
    spike_floor_share: float = 0.0
    """The same as a share of the value itself, for signals that range over decades."""
    flat_s: float | None = 6 * 3600.0
    """Unchanged for this long and ``flat_readings`` is suspect; four times as long is fail."""
    flat_readings: int = 12
    flat_above: float = -math.inf
    """Readings not above this may stay the same for ever (no chlorine, no turbidity)."""
    still: Range | None = None
    """Readings in here may stay the same four times as long (water that freezes or thaws)."""


UNLIMITED: Final = Limits()
