"""Numbered changes: what screens and other readers follow, whatever any clock says.

And what is known of the clock itself.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Float, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from vigil_cloud.database.base import Base


class ChangeHead(Base):
    """The last number given out; one row."""

    __tablename__ = "change_head"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(BigInteger)


class Change(Base):
    """When one thing changed last, as a number. One row per thing, so that it needs no pruning
    and can be followed from however far back."""

    __tablename__ = "changes"

    kind: Mapped[str] = mapped_column(String(16), primary_key=True)
    key: Mapped[str] = mapped_column(String(64), primary_key=True)
    number: Mapped[int] = mapped_column(BigInteger, index=True)


class ClockMark(Base):
    """The latest moment that any process has seen on its clock; one row. Earlier is a clock that
    was set back while nobody looked."""

    __tablename__ = "clock_mark"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    latest: Mapped[datetime]
    stepped: Mapped[datetime | None]
    """When a step was noticed last, by the new time."""
    step_s: Mapped[float] = mapped_column(Float, default=0.0, server_default="0")
    """By how much; negative: back."""
