"""What the API says of excursions, incidents and waterways, and what it takes."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from vigil_cloud.water.trace_schema import TraceFrames, TraceStation, TraceSuspect
from vigil_schemas.types import UtcDatetime


class _Answer(BaseModel):
    model_config = ConfigDict(from_attributes=True, use_attribute_docstrings=True)


class ExcursionEntry(_Answer):
    """One excursion; ``ended`` is null while it lasts."""

    gateway: str
    device: str
    parameter: str
    unit: str | None
    kind: str
    limit: float | None
    onset_value: float | None
    extreme_value: float | None
    started: UtcDatetime
    ended: UtcDatetime | None
    alert_id: str


class ExcursionList(_Answer):
    """Newest first."""

    excursions: list[ExcursionEntry]


class ProbeHourEntry(_Answer):
    """One hour of a probe. Readings are counted in windows of ten seconds and parameter."""

    hour: UtcDatetime
    readings: int
    good: int
    longest_gap_s: float
    flat: list[str]
    """Parameters that held one value for the whole hour: a sensor that is stuck or dry."""


class ProbeHours(_Answer):
    """Newest first, complete hours alone."""

    hours: list[ProbeHourEntry]


class AnomalyFlag(_Answer):
    """What the detector says of one signal."""

    signal: str
    reason: str
    type: Literal["sensor", "water", "none"]
    score: float
    """Times the threshold."""


class AnomalyEntry(_Answer):
    """One anomaly of one signal; ``ended`` is null while it lasts."""

    parameter: str
    type: Literal["sensor", "water"]
    reason: str
    started: UtcDatetime
    found: UtcDatetime
    last: UtcDatetime
    ended: UtcDatetime | None
    onset_value: float | None
    extreme_value: float | None
    by: float | None
    score: float
    late: bool
    """Found in what a gateway had kept through an outage."""
    learning: bool
    """Of before the probe was followed: it called nobody."""


class DetectionEntry(_Answer):
    """How the detector of a probe stands, and what it found, newest first."""

    followed: bool
    """Whether any reading of it was judged."""
    until: UtcDatetime | None
    """Everything before this is judged."""
    interval_s: float
    """Between two readings, about; 0 while that is not known."""
    rows: int
    score: float
    flags: list[AnomalyFlag]
    """Of the newest row."""
    false_per_week: float
    error: str | None
    """Why what was learnt could not be gone on with, until it is learnt again."""
    learns_until: UtcDatetime | None
    """What is found before this calls nobody; none once that is over."""
    late_waits: bool
    """Readings that came late wait for being judged: once an hour at most."""
    rejudged: UtcDatetime | None
    """When late readings were judged last."""
    unjudged: UtcDatetime | None
    """Time of the newest reading that came too late to be judged at all."""
    anomalies: list[AnomalyEntry]


class ReachEntry(_Answer):
    """A stretch of canal or river, in the water's direction."""

    id: str
    name: str
    name_zh: str
    from_node: str
    to_node: str
    line: list[list[float]]
    """Longitude and latitude."""
    length_m: float
    slope: float | None
    flow_m3_s: float | None
    velocity_m_s: float | None
    travel_s: float | None
    reversible: bool


class PointEntry(_Answer):
    """A station, a registered outfall or a gate."""

    id: str
    kind: str
    reach: str
    offset_m: float
    latitude: float
    longitude: float
    name: str
    name_zh: str
    device: str | None
    permit: str
    owner: str | None
    """``null``: a person, whose name is for those who inspect."""
    area: str | None


class AreaEntry(_Answer):
    """Fields that are watered."""

    id: str
    name: str
    name_zh: str
    corners: list[list[float]]


class WaterNetwork(_Answer):
    """The register of waterways."""

    reaches: list[ReachEntry]
    points: list[PointEntry]
    areas: list[AreaEntry]


class NetworkImported(_Answer):
    """What a file brought."""

    reaches: int
    points: int
    areas: int
    notes: list[str]
    """Taken, and worth a look: parts that hang together with nothing else."""


class IncidentRulesEntry(_Answer):
    """What belongs to one incident (docs/water.md says what each does)."""

    join_minutes: float
    reopen_minutes: float
    neighbour_m: float
    longest_hours: float
    false_per_week: float
    """False alarms of the detector per probe and week; 0: it calls nobody."""
    version: str
    """Of these rules as they stand: whoever changes them sends it along."""


class Suspect(PointEntry):
    """A registered outfall upstream."""

    distance_m: float
    """Along the water."""
    travel_s: float
    """Of the water from there."""


class GateEntry(_Answer):
    """A gate downstream, and what was asked of its association."""

    id: str
    name: str
    name_zh: str
    latitude: float
    longitude: float
    area: str
    area_zh: str
    distance_m: float
    arrival: UtcDatetime
    """Of the first water: the earliest of what was calculated, else counted from the first onset by
    the usual velocities."""
    arrival_until: UtcDatetime | None = None
    """The latest; with ``arrival`` a 90 % interval. ``null``: not calculated."""
    confidence: float | None = None
    """That the discharge comes past it at all."""
    asked: UtcDatetime | None
    closed: UtcDatetime | None
    closed_by: str | None
    may_open: UtcDatetime | None


class IncidentProbe(_Answer):
    """A probe that was hit."""

    device: str
    name: str
    name_zh: str
    latitude: float | None
    longitude: float | None
    station: str | None
    parameters: list[str]
    """What left its bounds first, then everything else that it measures."""


class SourceSuspect(TraceSuspect):
    """A possible source with its place."""

    name: str
    name_zh: str
    permit: str
    latitude: float
    longitude: float


class SourcePlace(_Answer):
    """Where it arrives, or where a sample is to be taken."""

    id: str
    kind: str
    """``station``, ``gate``, or ``reach`` (its lower end)."""
    name: str
    name_zh: str
    latitude: float
    longitude: float
    arrives_from: UtcDatetime
    arrives_until: UtcDatetime | None
    over: UtcDatetime
    confidence: float
    """That it comes past there; of a sample, that it shows something."""
    bits: float | None
    """Of a sample: what it is expected to tell, 1 at most."""


class SourceEntry(_Answer):
    """Where the discharge came from and where it goes, as last calculated."""

    at: UtcDatetime
    problem: str | None
    """Why nothing could be calculated."""
    problem_zh: str | None
    suspects: list[SourceSuspect]
    unexplained: float
    """Probability that it was none of them."""
    misfit: float
    """About 1 or less where the likeliest explains what was seen."""
    stations: list[TraceStation]
    arrivals: list[SourcePlace]
    """Soonest first."""
    samples: list[SourcePlace]
    """Best first."""
    frames: TraceFrames
    notes: list[str]
    notes_zh: list[str]


class IncidentEntry(_Answer):
    """Excursions that belong together, with what lies around them."""

    id: str
    alert_id: str
    case_id: str | None
    title: str
    title_zh: str
    started: UtcDatetime
    ended: UtcDatetime | None
    excursions: list[ExcursionEntry]
    withheld: int
    """Excursions of probes that are not the reader's to see."""
    probes: list[IncidentProbe]
    suspects: list[Suspect]
    """Registered outfalls upstream, nearest first."""
    gates: list[GateEntry]
    reaches: list[ReachEntry]
    source: SourceEntry | None
    """What was calculated of its source; ``null``: nothing yet."""


class DryRunRate(_Answer):
    """How often a week a bound of a column, or the detector, would have called."""

    column: str
    kind: str
    """``above``, ``below``; ``anomaly``: the detector."""
    per_week: float


class DryRunAlarm(_Answer):
    """One call that a recording would have led to; ``ended`` is null where it lasts at its end."""

    station: str
    column: str
    kind: str
    started: UtcDatetime
    ended: UtcDatetime | None
    extreme: float | None
    """Of a bound; of the detector how far from what was usual."""


class DryRunEntry(_Answer):
    """What bounds would have called for in a recording."""

    columns: list[str]
    """Where no bound was given: those of the recording."""
    rows: int
    weeks: float
    """In which it was watched, of all stations together: pauses of more than an hour are none."""
    rates: list[DryRunRate]
    """Empty of less than a day."""
    alarms: list[DryRunAlarm]
    """In order, the last 500."""
    notes: list[str]
    """What was guessed or left out of the recording."""


class StationSpan(_Answer):
    """Something that lasted at a station, to be shown with its curves."""

    kind: Literal["excursion", "water", "sensor", "maintenance", "out-of-service", "sample"]
    parameter: str
    """Empty: of all."""
    what: str
    """Of an excursion its kind, of the detector's its reason, of a sample the bottle."""
    begin: UtcDatetime
    end: UtcDatetime | None
    """Null while it lasts."""


class StationSpans(_Answer):
    """Oldest first, at most 500."""

    spans: list[StationSpan]


class _Body(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", use_attribute_docstrings=True)


class IncidentRulesBody(_Body):
    """All of them, as they are to be from now on."""

    join_minutes: Annotated[float, Field(ge=0, le=1440, allow_inf_nan=False)]
    reopen_minutes: Annotated[float, Field(ge=0, le=2880, allow_inf_nan=False)]
    neighbour_m: Annotated[float, Field(ge=0, le=50_000, allow_inf_nan=False)]
    longest_hours: Annotated[float, Field(ge=0, le=168, allow_inf_nan=False)]
    false_per_week: Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)] | None = None
    """False alarms of the detector per probe and week; 0: it calls nobody. Left out: as it is."""
    version: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{16}$")] | None = None
    """Of the rules that were looked at: where others stand by now nothing is changed (409). Left
    out: whatever stands is replaced."""


class GateOrderBody(_Body):
    """Which gate is to be closed."""

    gate: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$")]


class GateReleaseBody(GateOrderBody):
    """From when on it may open; left out: from now on."""

    at: UtcDatetime | None = None


class SiteEntryBody(_Body):
    """Something from the site."""

    kind: Literal["visit", "sample", "result", "suspect"]
    at: UtcDatetime
    text: Annotated[str, StringConstraints(max_length=4000, pattern=r"^[^\x00]*$")] = ""
    number: Annotated[str, StringConstraints(pattern=r"^$|^[A-Za-z0-9][A-Za-z0-9._/-]{0,39}$")] = ""
    outfall: (
        Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$")] | None
    ) = None
    latitude: Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)] | None = None
    longitude: Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)] | None = None
