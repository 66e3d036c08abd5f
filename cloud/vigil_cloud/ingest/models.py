"""Tables of ingest: how far each source is stored, and which events were taken."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    String,
)
from sqlalchemy.orm import Mapped, mapped_column

from vigil_cloud.database.base import Base


class Watermark(Base):
    """One source: everything up to ``stored`` and inside ``beyond`` is in the stores."""

    __tablename__ = "watermarks"

    source: Mapped[str] = mapped_column(String(160), primary_key=True)
    gateway: Mapped[str] = mapped_column(String(63), index=True)
    stored: Mapped[int] = mapped_column(BigInteger, default=0)
    beyond: Mapped[list[list[int]]] = mapped_column(JSON, default=list)
    refused: Mapped[int] = mapped_column(BigInteger, default=0)
    updated: Mapped[datetime]


class TakenEvent(Base):
    """An event's id, kept so that the same fact derived twice is taken once."""

    __tablename__ = "taken_events"

    gateway: Mapped[str] = mapped_column(String(63), primary_key=True)
    event_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    taken: Mapped[datetime] = mapped_column(index=True)
    said: Mapped[str | None] = mapped_column(String(32))
    """Of an alarm: the digest of what it said, since some firmware uses an id again."""
