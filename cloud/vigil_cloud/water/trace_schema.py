"""What was calculated of an incident's source, as it is kept and shown."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from vigil_schemas.types import UtcDatetime

Share = Annotated[float, Field(ge=0, le=1)]


class _Kept(BaseModel):
    model_config = ConfigDict(use_attribute_docstrings=True, extra="ignore")


class TraceSuspect(_Kept):
    """A possible source, with 90 % intervals if it was this one."""

    reach: str
    outfall: str | None
    probability: Share
    start_from: UtcDatetime
    start_until: UtcDatetime
    mass_from_kg: float | None
    """``null``: what was seen says nothing of an amount."""
    mass_until_kg: float | None
    duration_s: float
    before: int
    """Closed cases in which it was the source; it counts for more."""
    path: list[str]
    """Reaches, from the source down to the last station that saw it."""


class TraceStation(_Kept):
    """What a station said."""

    station: str
    parameter: str
    background: float
    """Taken off, in the parameter's unit."""
    seen: bool
    timing_only: bool
    """No concentration follows from it: a pH, a turbidity."""


class TraceArrival(_Kept):
    """When it comes past a gate or a station."""

    place: str
    arrives_from: UtcDatetime
    arrives_until: UtcDatetime
    """90 % interval of its first water."""
    over: UtcDatetime
    confidence: Share
    """That it comes past there at all."""
    peak_g_m3: float | None


class TraceSample(_Kept):
    """A sample, or the mobile probe, at the lower end of a reach."""

    reach: str
    suspected: Share
    """Probability that it shows something."""
    bits: float
    arrives: UtcDatetime
    over: UtcDatetime


class TraceFrames(_Kept):
    """How the likeliest plume moves: g/m³ in the middle of each reach."""

    times: list[UtcDatetime]
    reaches: dict[str, list[float]]


class TraceResult(_Kept):
    """Everything of one calculation."""

    suspects: list[TraceSuspect]
    unexplained: Share
    misfit: float
    stations: list[TraceStation]
    arrivals: list[TraceArrival]
    samples: list[TraceSample]
    frames: TraceFrames
    notes: list[str]
    notes_zh: list[str] = []


class TraceEntry(_Kept):
    """The last calculation of an incident's source."""

    at: UtcDatetime
    problem: str | None
    """Why nothing could be calculated."""
    problem_zh: str | None = None
    result: TraceResult | None
