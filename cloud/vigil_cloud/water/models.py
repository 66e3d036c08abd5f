"""Excursions as cases are built on them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Float, Index, String
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
