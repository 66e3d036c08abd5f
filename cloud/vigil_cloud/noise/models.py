"""Exceedances as cases are built on them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Float, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from vigil_cloud.database.base import Base


class Exceedance(Base):
    """One passage louder than the threshold. Levels in dB re 20 µPa."""

    __tablename__ = "noise_exceedances"
    __table_args__ = (Index("ix_noise_exceedances_started", "started"),)

    id: Mapped[str] = mapped_column(String(130), primary_key=True)
    """``{gateway}:{exceedance_id}``: a gateway can only speak of its own."""
    gateway: Mapped[str] = mapped_column(String(63))
    device: Mapped[str] = mapped_column(String(64), index=True)
    started: Mapped[datetime]
    ended: Mapped[datetime]
    threshold_db: Mapped[float] = mapped_column(Float)
    LAFmax: Mapped[float] = mapped_column(Float)
    LAE: Mapped[float] = mapped_column(Float)
    background_db: Mapped[float | None] = mapped_column(Float)
    overload: Mapped[bool]
    calibrated: Mapped[bool]
    time_quality: Mapped[str | None] = mapped_column(String(8))
    """``ahead`` or ``behind`` where the device's clock could not be believed: the times are
    then those of receipt, and no fine may rest on them."""
    evidence_sha256: Mapped[str | None] = mapped_column(String(64))
    alert_id: Mapped[str] = mapped_column(String(36))
