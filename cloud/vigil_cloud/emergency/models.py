"""Calls to the emergency line, and what became of each."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from vigil_cloud.database.base import SCHEDULED, Base, Sealed


class EmergencyCall(Base):
    """Something of an alert that the emergency line is told of."""

    __tablename__ = "emergency_calls"
    __table_args__ = (Index("ix_emergency_calls_due", "again"),)

    id: Mapped[str] = mapped_column(String(160), primary_key=True)
    """``{domain}:{its own name for it}``: a counted alert stands for several."""
    alert_id: Mapped[str] = mapped_column(ForeignKey("alerts.id", ondelete="CASCADE"), index=True)
    asked: Mapped[datetime]
    message: Mapped[bytes] = mapped_column(Sealed("emergency.message"))
    """CAP 1.2: it may name people and their homes."""
    tries: Mapped[int] = mapped_column(default=0)
    again: Mapped[datetime | None] = mapped_column(info=SCHEDULED)
    """When it is sent (again); ``None``: never, it was answered, or its alert was confirmed."""
    answered: Mapped[datetime | None]
    error: Mapped[str] = mapped_column(String(300), default="")
    """Of the last try."""
    takes_back: Mapped[str | None] = mapped_column(String(160))
    """The call that this one cancels."""
    withdrawn: Mapped[datetime | None]
    """When it was cancelled: it is not sent any more."""
