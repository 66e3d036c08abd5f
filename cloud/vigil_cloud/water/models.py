"""Excursions and the incidents that they are part of; how probes do; the waterways."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Float, ForeignKey, Index, Integer, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from vigil_cloud.database.base import Base, Sealed


class Incident(Base):
    """Excursions that belong together: of all parameters of one probe, and of its neighbours along
    the water. It has one alert, and calls once."""

    __tablename__ = "water_incidents"
    __table_args__ = (Index("ix_water_incidents_started", "started"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    alert_id: Mapped[str] = mapped_column(String(36), index=True)
    founder: Mapped[str] = mapped_column(String(130))
    """The excursion whose alert it is."""
    started: Mapped[datetime]
    """The first onset."""
    ended: Mapped[datetime | None]
    """The last end; ``None`` while any of them lasts."""


class Excursion(Base):
    """One parameter out of its bounds, from its onset to its end."""

    __tablename__ = "water_excursions"
    __table_args__ = (Index("ix_water_excursions_started", "started"),)

    id: Mapped[str] = mapped_column(String(130), primary_key=True)
    """``{gateway}:{excursion_id}``: a gateway can only speak of its own."""
    gateway: Mapped[str] = mapped_column(String(63))
    device: Mapped[str] = mapped_column(String(64), index=True)
    parameter: Mapped[str] = mapped_column(String(48))
    unit: Mapped[str | None] = mapped_column(String(8))
    kind: Mapped[str] = mapped_column(String(24))
    limit: Mapped[float | None] = mapped_column(Float)
    """Null where the sensor itself says that it is off scale, or was lost."""
    onset_value: Mapped[float | None] = mapped_column(Float)
    """Null while only the end has arrived, and where the sensor gave no number."""
    extreme_value: Mapped[float | None] = mapped_column(Float)
    """Known at the end, where the sensor gave a number."""
    started: Mapped[datetime]
    ended: Mapped[datetime | None]
    alert_id: Mapped[str] = mapped_column(String(36))
    incident: Mapped[str | None] = mapped_column(String(36), index=True)
    """``None``: of before there were incidents, or joined to a flood of its gateway's alarms."""


class ProbeHour(Base):
    """How a probe did in one hour; its readings themselves are in the time series."""

    __tablename__ = "water_probe_hours"

    device: Mapped[str] = mapped_column(String(64), primary_key=True)
    hour: Mapped[datetime] = mapped_column(primary_key=True)
    """Its start."""
    readings: Mapped[int] = mapped_column(Integer)
    """Windows of ten seconds with a reading, of all parameters."""
    good: Mapped[int] = mapped_column(Integer)
    """Those with the flag good."""
    longest_gap_s: Mapped[float] = mapped_column(Float)
    """Between two readings, and towards the hour's ends."""
    flat: Mapped[list[str]] = mapped_column(JSON)
    """Parameters that held one value all the time."""


class DetectorState(Base):
    """What the detector of a probe has learnt: only the work that began from a version replaces
    it."""

    __tablename__ = "water_detectors"

    device: Mapped[str] = mapped_column(String(64), primary_key=True)
    version: Mapped[int] = mapped_column(Integer)
    state: Mapped[bytes | None] = mapped_column(LargeBinary)
    """Packed JSON, a megabyte at most."""
    until_us: Mapped[int] = mapped_column(BigInteger)
    """Everything before this is judged; microseconds since 1970, of the probe's own times."""
    asked_us: Mapped[int] = mapped_column(BigInteger)
    """When work was asked for last."""
    armed_us: Mapped[int] = mapped_column(BigInteger)
    """What was measured up to here only taught, and called nobody."""
    interval_s: Mapped[float] = mapped_column(Float)
    """Between two readings, about; 0 while that is not known."""
    rows: Mapped[int] = mapped_column(Integer)
    """Minutes with a reading that were judged."""
    score: Mapped[float] = mapped_column(Float)
    """Of the last one: times its threshold."""
    flags: Mapped[list[dict[str, Any]]] = mapped_column(JSON)
    """Of the last one, signal by signal."""
    error: Mapped[str | None] = mapped_column(String(200))
    """Why what was learnt could not be gone on with, until it is learnt again."""
    error_at: Mapped[datetime | None]
    anew_us: Mapped[int] = mapped_column(BigInteger, default=0)
    """Judged anew up to here from what is stored: what was found there before calls nobody
    again."""
    late_from_us: Mapped[int] = mapped_column(BigInteger, default=0)
    """Earliest reading that came after its minute was judged and waits for being judged; 0: none
    does."""
    late_until_us: Mapped[int] = mapped_column(BigInteger, default=0)
    rejudged_from_us: Mapped[int] = mapped_column(BigInteger, default=0)
    """Of the late readings that were judged last: what is found among them calls."""
    rejudged_until_us: Mapped[int] = mapped_column(BigInteger, default=0)
    rejudged_at: Mapped[datetime | None]
    unjudged_us: Mapped[int] = mapped_column(BigInteger, default=0)
    """Newest reading that came too late to be judged at all; 0: none did."""


class AnomalyRow(Base):
    """What the detector found: of one signal, from its first row to its last."""

    __tablename__ = "water_anomalies"
    __table_args__ = (Index("ix_water_anomalies_found", "found"),)

    id: Mapped[str] = mapped_column(String(190), primary_key=True)
    """Follows from its probe, its signal and when it was found: told twice, it is one."""
    device: Mapped[str] = mapped_column(String(64), index=True)
    parameter: Mapped[str] = mapped_column(String(48))
    type: Mapped[str] = mapped_column(String(8))
    """``sensor`` or ``water``."""
    reason: Mapped[str] = mapped_column(String(24))
    started: Mapped[datetime]
    found: Mapped[datetime]
    """Time of the row in which it was found."""
    last: Mapped[datetime]
    ended: Mapped[datetime | None]
    onset_value: Mapped[float | None] = mapped_column(Float)
    extreme_value: Mapped[float | None] = mapped_column(Float)
    by: Mapped[float | None] = mapped_column(Float)
    """So far from what was usual, in the signal's unit."""
    score: Mapped[float] = mapped_column(Float)
    late: Mapped[bool] = mapped_column(default=False)
    """Found in what was caught up with."""
    learning: Mapped[bool] = mapped_column(default=False)
    """Of before the probe was followed: it called nobody."""
    excursion: Mapped[str | None] = mapped_column(String(130))
    """What it called with."""


class ProbeVisit(Base):
    """What somebody found of one parameter at a visit to a probe."""

    __tablename__ = "water_visits"

    device: Mapped[str] = mapped_column(String(64), primary_key=True)
    parameter: Mapped[str] = mapped_column(String(48), primary_key=True)
    at: Mapped[datetime] = mapped_column(primary_key=True)
    found: Mapped[dict[str, Any]] = mapped_column(JSON)
    """``cleaning`` (before, after, and of a second meter before, after) or null, and ``standards``
    (value, reading), in °C, µS/cm, mg/L, pH and FNU, as they were written down."""
    entered: Mapped[datetime]


class IncidentRules(Base):
    """What belongs together, as the city has decided: one row, or none for the defaults."""

    __tablename__ = "water_incident_rules"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    join_minutes: Mapped[float] = mapped_column(Float)
    reopen_minutes: Mapped[float] = mapped_column(Float)
    neighbour_m: Mapped[float] = mapped_column(Float)
    longest_hours: Mapped[float] = mapped_column(Float)
    false_per_week: Mapped[float] = mapped_column(Float)
    """False alarms of the detector per probe and week; 0: it calls nobody."""


class Reach(Base):
    """A stretch of canal, drain or river, from one node to the next in the water's direction."""

    __tablename__ = "water_reaches"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    name_zh: Mapped[str] = mapped_column(String(120))
    from_node: Mapped[str] = mapped_column(String(40))
    to_node: Mapped[str] = mapped_column(String(40))
    line: Mapped[list[list[float]]] = mapped_column(JSON)
    """Longitude and latitude, in the water's direction."""
    length_m: Mapped[float] = mapped_column(Float)
    slope: Mapped[float | None] = mapped_column(Float)
    """Fall per length."""
    area_m2: Mapped[float | None] = mapped_column(Float)
    flow_m3_s: Mapped[float | None] = mapped_column(Float)
    velocity_m_s: Mapped[float | None] = mapped_column(Float)
    dispersion_m2_s: Mapped[float | None] = mapped_column(Float)
    travel_s: Mapped[float | None] = mapped_column(Float)
    """From node to node."""
    storage_area_m2: Mapped[float | None] = mapped_column(Float)
    """Cross-section of water that stands beside the stream and is exchanged with it."""
    exchange_1_s: Mapped[float | None] = mapped_column(Float)
    decay_1_s: Mapped[float | None] = mapped_column(Float)
    reversible: Mapped[bool] = mapped_column(default=False)
    """A gate or the tide turns it around at times."""
    updated: Mapped[datetime]


class WaterPoint(Base):
    """A station, a registered outfall or a gate, on a reach."""

    __tablename__ = "water_points"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    """``station``, ``outfall`` or ``gate``."""
    reach: Mapped[str] = mapped_column(
        ForeignKey("water_reaches.id", ondelete="CASCADE"), index=True
    )
    offset_m: Mapped[float] = mapped_column(Float)
    """Along the reach, from its beginning."""
    latitude: Mapped[float] = mapped_column(Float)
    longitude: Mapped[float] = mapped_column(Float)
    name: Mapped[str] = mapped_column(String(120))
    name_zh: Mapped[str] = mapped_column(String(120))
    device: Mapped[str | None] = mapped_column(String(64), unique=True)
    """The probe of a station."""
    permit: Mapped[str] = mapped_column(String(60))
    """Of an outfall: the number of its discharge permit."""
    owner: Mapped[bytes | None] = mapped_column(Sealed("water.owner"))
    owner_is_person: Mapped[bool] = mapped_column(default=False)
    """Then the name is shown to those alone who inspect."""
    area: Mapped[str | None] = mapped_column(String(40))
    """Of a gate: the irrigation area that it waters."""
    g_m3_per_s_m: Mapped[float | None] = mapped_column(Float)
    """Of a station: g/m³ of what is discharged here for each S/m of conductance above the
    background; ``None``: as table salt."""
    updated: Mapped[datetime]


class VelocityReading(Base):
    """How fast the water of a reach ran at a moment: measured, or calculated from its level."""

    __tablename__ = "water_velocities"

    reach: Mapped[str] = mapped_column(
        ForeignKey("water_reaches.id", ondelete="CASCADE"), primary_key=True
    )
    at: Mapped[datetime] = mapped_column(primary_key=True)
    velocity_m_s: Mapped[float] = mapped_column(Float)
    """Below 0: against the direction in which the reach is drawn."""


class SourceTrace(Base):
    """Where the discharge of an incident came from and where it goes, as last calculated."""

    __tablename__ = "water_traces"

    incident: Mapped[str] = mapped_column(
        ForeignKey("water_incidents.id", ondelete="CASCADE"), primary_key=True
    )
    at: Mapped[datetime]
    """When it was calculated."""
    problem: Mapped[str | None] = mapped_column(String(400))
    """Why nothing could be calculated."""
    problem_zh: Mapped[str | None] = mapped_column(String(400))
    """None: of before there was one."""
    result: Mapped[dict[str, Any]] = mapped_column(JSON)
    """A ``trace_schema.TraceEntry``."""


class IrrigationArea(Base):
    """Fields that are watered from a canal."""

    __tablename__ = "water_areas"

    id: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(120))
    name_zh: Mapped[str] = mapped_column(String(120))
    corners: Mapped[list[list[float]]] = mapped_column(JSON)
    """Longitude and latitude."""
    updated: Mapped[datetime]
