"""Jobs as every process sees them: when they are due, who holds them, how they ended."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Float, String
from sqlalchemy.orm import Mapped, mapped_column

from vigil_cloud.database.base import Base


class JobRow(Base):
    """One periodic job and its lease."""

    __tablename__ = "jobs"

    name: Mapped[str] = mapped_column(String(120), primary_key=True)
    """With ``@`` and the machine's name where each machine has its own."""
    period_s: Mapped[float] = mapped_column(Float)
    due: Mapped[datetime]
    token: Mapped[int] = mapped_column(BigInteger, default=0)
    """Counts the leases: only the holder of the latest may write."""
    holder: Mapped[str | None] = mapped_column(String(120))
    leased_until: Mapped[datetime | None]
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
