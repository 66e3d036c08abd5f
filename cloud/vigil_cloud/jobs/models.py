"""Jobs as every process sees them: when they are due, who holds them, how they ended."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Float, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from vigil_cloud.database.base import SCHEDULED, Base


class JobRow(Base):
    """One periodic job and its lease."""

    __tablename__ = "jobs"

    name: Mapped[str] = mapped_column(String(120), primary_key=True)
    """With ``@`` and the machine's name where each machine has its own."""
    period_s: Mapped[float] = mapped_column(Float)
    due: Mapped[datetime] = mapped_column(info=SCHEDULED)
    token: Mapped[int] = mapped_column(BigInteger, default=0)
    """Counts the leases: only the holder of the latest may write."""
    holder: Mapped[str | None] = mapped_column(String(120))
    leased_until: Mapped[datetime | None] = mapped_column(info=SCHEDULED)
    started: Mapped[datetime | None]
    """When the latest turn began; while it is leased, the present one."""
    finished: Mapped[datetime | None]
    succeeded: Mapped[datetime | None]
    """End of the latest turn that did not fail."""
    runs: Mapped[int] = mapped_column(BigInteger, default=0)
    failures: Mapped[int] = mapped_column(BigInteger, default=0)
    """In a row, up to now."""
    error: Mapped[str | None] = mapped_column(String(400))
    """Of the latest turn, where it failed."""


class WorkRow(Base):
    """One piece of heavy work that waits, is under way or was given up."""

    __tablename__ = "work"
    __table_args__ = (
        Index("ix_work_kind_key", "kind", "key"),
        Index("ix_work_due", "priority", "queued"),
    )

    id: Mapped[int] = mapped_column(
        BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True
    )
    kind: Mapped[str] = mapped_column(String(40))
    key: Mapped[str] = mapped_column(String(120))
    """What it is about: waits once of each kind."""
    payload: Mapped[dict[str, Any]] = mapped_column(JSON)
    priority: Mapped[int] = mapped_column(Integer)
    """0 goes first."""
    queued: Mapped[datetime]
    due: Mapped[datetime] = mapped_column(info=SCHEDULED)
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    token: Mapped[int] = mapped_column(BigInteger, default=0)
    holder: Mapped[str | None] = mapped_column(String(120))
    leased_until: Mapped[datetime | None] = mapped_column(info=SCHEDULED)
    error: Mapped[str | None] = mapped_column(String(400))


class WorkDropped(Base):
    """How much work of a kind found no room in its queue."""

    __tablename__ = "work_dropped"

    kind: Mapped[str] = mapped_column(String(40), primary_key=True)
    count: Mapped[int] = mapped_column(BigInteger, default=0)
    last: Mapped[datetime]
