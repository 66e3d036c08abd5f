"""What the search for an incident's source is given. Light: whoever only asks for it loads this."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple


class Note(NamedTuple):
    """What whoever reads the outcome should know, in both languages."""

    english: str
    chinese: str


class Before(NamedTuple):
    """Closed cases in which an outfall was the source."""

    cases: int
    weight: float
    """As many, each halved with every two years since: works are rebuilt, and owners change."""


@dataclass(frozen=True, slots=True)
class Signal:
    """One parameter of one station. Times in seconds since 1970, ascending."""

    station: str
    parameter: str
    times_s: Sequence[float]
    values: Sequence[float]
    factor: float | None
    """g/m³ for each S/m; ``None``: as table salt."""
    out: bool
    """Whether it left its bounds in this incident."""


@dataclass(frozen=True, slots=True)
class Case:
    """Everything that is calculated with; it can be pickled."""

    features: Sequence[Mapping[str, Any]]
    signals: Sequence[Signal]
    velocities: Mapping[str, Sequence[tuple[float, float]]]
    """By reach: moments and m/s."""
    before: Mapping[str, Before]
    """By outfall."""
    notes: Sequence[Note]
    onset_s: float
    now_s: float
