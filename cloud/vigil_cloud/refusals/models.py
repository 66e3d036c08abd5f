"""Messages that ingest refused, and kept."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Index, LargeBinary, String, Text, UniqueConstraint, false
from sqlalchemy.orm import Mapped, mapped_column

from vigil_cloud.database.base import Base

DEAD_LETTER_BYTES = 64 * 1024
"""So much of a refused payload is kept; of an alarm's, everything that the contract allows."""


class DeadLetter(Base):
    """A refused message. The same payload sent again only raises ``count``."""

    __tablename__ = "dead_letters"
    __table_args__ = (
        UniqueConstraint("topic", "digest"),
        Index("ix_dead_letters_gateway_last_received", "gateway", "last_received"),
        Index("ix_dead_letters_alarm_gateway", "alarm", "gateway"),
        Index("ix_dead_letters_share", "gateway", "alarm", "last_received", "kept"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    gateway: Mapped[str] = mapped_column(String(63))
    """Whose branch it came on; empty where the topic names none."""
    topic: Mapped[str] = mapped_column(String(512))
    reason: Mapped[str] = mapped_column(String(40))
    detail: Mapped[str] = mapped_column(Text)
    payload: Mapped[bytes] = mapped_column(LargeBinary)
    """The beginning of it, or all: see ``letters``."""
    size: Mapped[int] = mapped_column(BigInteger)
    kept: Mapped[int] = mapped_column(BigInteger, default=0)
    """Bytes that the row counts for in its gateway's share."""
    digest: Mapped[str] = mapped_column(String(64))
    """SHA-256 of the whole payload."""
    first_received: Mapped[datetime]
    last_received: Mapped[datetime] = mapped_column(index=True)
    count: Mapped[int] = mapped_column(BigInteger, default=1)
    alarm: Mapped[bool] = mapped_column(default=False, server_default=false())
    """A fire may hang on it: these have a share of their own."""
    settlement: Mapped[str | None] = mapped_column(String(12))
    """``replayed`` or ``dismissed``; null while it waits, also where it came once more."""
    settled: Mapped[datetime | None]
    settled_by: Mapped[str | None] = mapped_column(String(64))
