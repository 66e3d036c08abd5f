"""Conditions of smoke alarms, one row from activation to clearing."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Float, Index, String, false
from sqlalchemy.orm import Mapped, mapped_column

from vigil_cloud.database.base import Base


class AlarmCondition(Base):
    """One condition of one alarm: smoke, a test, a weak battery, a fault and more."""

    __tablename__ = "smoke_conditions"
    __table_args__ = (
        Index("ix_smoke_conditions_activated", "activated"),
        Index("ix_smoke_conditions_in_test", "in_test"),
    )

    id: Mapped[str] = mapped_column(String(130), primary_key=True)
    """``{gateway}:{alarm_id}``: a gateway can only speak of its own."""
    gateway: Mapped[str] = mapped_column(String(63))
    device: Mapped[str] = mapped_column(String(64), index=True)
    condition: Mapped[str] = mapped_column(String(20))
    activated: Mapped[datetime | None]
    """Null while only the clearing has arrived."""
    cleared: Mapped[datetime | None]
    battery_percent: Mapped[float | None] = mapped_column(Float)
    in_test: Mapped[bool] = mapped_column(default=False, server_default=false())
    """It came with a self test: only the home was told, and it may become a fire yet."""
    heard: Mapped[datetime | None]
    """When its activation was received: by our clock, which alone judges how long it lasts."""
    over_heard: Mapped[datetime | None]
    """When its clearing was received."""
    alert_id: Mapped[str] = mapped_column(String(36))
