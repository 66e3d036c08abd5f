"""Excursions as cases are built on them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import JSON, Float, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from vigil_cloud.database.base import Base


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
