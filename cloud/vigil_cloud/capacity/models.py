"""What was dropped or put off because its sender had used up its share, and where readiness
writes."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, String
from sqlalchemy.orm import Mapped, mapped_column

from vigil_cloud.database.base import Base


class Dropped(Base):
    """One kind of loss of one gateway, counted for ever."""

    __tablename__ = "dropped"

    gateway: Mapped[str] = mapped_column(String(63), primary_key=True)
    kind: Mapped[str] = mapped_column(String(24), primary_key=True)
    """``dead-letters``, ``alarm-dead-letters``, ``evidence``, ``devices``, ``parameters``,
    ``alerts-joined`` or ``alarms-put-off``."""
    count: Mapped[int] = mapped_column(BigInteger, default=0)
    bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    last: Mapped[datetime] = mapped_column(index=True)


class WriteProbe(Base):
    """One row that ``/readyz`` writes: a database that can only be read is not ready."""

    __tablename__ = "write_probe"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(BigInteger, default=0)
