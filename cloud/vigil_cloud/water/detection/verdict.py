"""What the detector says of a row, and what a city may set. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

Type = Literal["sensor", "water", "none"]


@dataclass(frozen=True, slots=True)
class Finding:
    """Of one signal."""

    signal: str
    reason: str
    """missing, empty, held, stuck, spike, step, collapsed, noise, excursion."""
    type: Type
    score: float
    """Times the threshold."""
    since_s: float
    by: float
    """How far from what was usual, in the signal's unit."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """On one row."""

    anomaly: bool = False
    score: float = 0.0
    type: Type = "none"
    findings: Sequence[Finding] = field(default=())


MOST_SCORE: Final = 999.0


def verdict_of(found: Sequence[Finding]) -> Verdict:
    """What several findings come to."""
    if not found:
        return Verdict()
    water = any(one.type == "water" for one in found)
    sensor = any(one.type == "sensor" for one in found)
    score = min(max(one.score for one in found), MOST_SCORE)
    return Verdict(True, score, "water" if water else "sensor" if sensor else "none", found)


@dataclass(slots=True)
class Setting:
    """What a city may set."""

    false_per_week: float = 0.4
    """False alarms per station and week."""
