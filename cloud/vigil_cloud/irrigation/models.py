"""What irrigation associations were asked for."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Float, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from vigil_cloud.database.base import Base


class GateOrder(Base):
    """One gate that is to be closed until it may open. Asked for again it is another row."""

    __tablename__ = "irrigation_orders"
    __table_args__ = (Index("ix_irrigation_orders_cause", "cause", "gate"),)

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    cause: Mapped[str] = mapped_column(String(36))
    """Of what asks for it: an incident."""
    gate: Mapped[str] = mapped_column(String(40))
    name: Mapped[str] = mapped_column(String(120))
    name_zh: Mapped[str] = mapped_column(String(120))
    area: Mapped[str] = mapped_column(String(120))
    """What it waters."""
    area_zh: Mapped[str] = mapped_column(String(120))
    latitude: Mapped[float] = mapped_column(Float)
    longitude: Mapped[float] = mapped_column(Float)
    district: Mapped[str | None] = mapped_column(String(40))
    arrival: Mapped[datetime | None]
    """When the water is expected there."""
    asked: Mapped[datetime] = mapped_column(index=True)
    asked_by: Mapped[str] = mapped_column(String(64))
    closed: Mapped[datetime | None]
    """When somebody of the association said that it is closed."""
    closed_by: Mapped[str | None] = mapped_column(String(64))
    released: Mapped[datetime | None]
    """When it was said that it may open, and from when it may."""
    released_by: Mapped[str | None] = mapped_column(String(64))
    may_open: Mapped[datetime | None]
    alert_id: Mapped[str] = mapped_column(String(36))
