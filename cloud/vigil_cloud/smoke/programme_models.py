"""Homes of the programme, what proves that alarms hang there, and the city's villages."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, Date, Float, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from vigil_cloud.database.base import SINCE, Base, Sealed


class ProgrammeHome(Base):
    """One home, from its first application on."""

    __tablename__ = "programme_homes"
    __table_args__ = (
        Index("ix_programme_homes_phase", "phase", "due"),
        Index("ix_programme_homes_village", "village"),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    household: Mapped[str | None] = mapped_column(String(48), unique=True)
    """The platform's home, from its acceptance on; or whose residents applied."""
    district: Mapped[str | None] = mapped_column(String(40))
    village: Mapped[str] = mapped_column(String(40), default="")
    source: Mapped[str] = mapped_column(String(12))
    """``online``, ``referral`` or ``file``."""
    risks: Mapped[list[str]] = mapped_column(JSON)
    applied: Mapped[datetime]
    changed: Mapped[datetime]
    applied_by: Mapped[str | None] = mapped_column(String(64))
    phase: Mapped[str] = mapped_column(String(12))
    """With ``due``: as ``state`` says it (``progress.State``)."""
    due: Mapped[date | None] = mapped_column(Date)
    state: Mapped[dict[str, Any]] = mapped_column(JSON)
    """Without its signatures, which name accounts."""
    particulars: Mapped[bytes] = mapped_column(Sealed("programme.home"))
    """Name, telephone, address and position, under the home's own key."""
    test_reminded: Mapped[datetime | None] = mapped_column(info=SINCE)
    """When its residents were last reminded of the monthly test."""


class ProgrammeSignature(Base):
    """One party's signature of one round."""

    __tablename__ = "programme_signatures"

    id: Mapped[int] = mapped_column(primary_key=True)
    home: Mapped[str] = mapped_column(
        ForeignKey("programme_homes.id", ondelete="CASCADE"), index=True
    )
    party: Mapped[str] = mapped_column(String(12))
    who: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime]
    round: Mapped[int | None]
    digest: Mapped[str | None] = mapped_column(String(64))
    """Of the alarms that were looked at; with ``round`` ``None`` in rows of earlier versions."""


class ProgrammePhoto(Base):
    """What proves that an alarm hangs where it is said to."""

    __tablename__ = "programme_photos"
    __table_args__ = (UniqueConstraint("account", "key"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    home: Mapped[str] = mapped_column(
        ForeignKey("programme_homes.id", ondelete="CASCADE"), index=True
    )
    at: Mapped[datetime]
    account: Mapped[str] = mapped_column(String(64))
    picture: Mapped[bytes] = mapped_column(Sealed("programme.photo"))
    """JPEG, under the home's own key."""
    away_m: Mapped[float | None] = mapped_column(Float)
    """From where it was taken to where the home is; ``None``: one of the two is not known."""
    key: Mapped[str | None] = mapped_column(String(64))
    """``Idempotency-Key`` of whoever sent it: sent again, it is the same photograph."""


class ProgrammeStep(Base):
    """What happened to one home, in order. Codes alone: nothing that somebody wrote."""

    __tablename__ = "programme_steps"

    id: Mapped[int] = mapped_column(primary_key=True)
    home: Mapped[str] = mapped_column(
        ForeignKey("programme_homes.id", ondelete="CASCADE"), index=True
    )
    at: Mapped[datetime]
    what: Mapped[str] = mapped_column(String(40))
    who: Mapped[str | None] = mapped_column(String(64))


class ProgrammeVillage(Base):
    """A village (里) of the city: how many households it has, and where it lies."""

    __tablename__ = "programme_villages"

    code: Mapped[str] = mapped_column(String(40), primary_key=True)
    name: Mapped[str] = mapped_column(String(80))
    name_zh: Mapped[str] = mapped_column(String(80))
    district: Mapped[str | None] = mapped_column(String(40))
    households: Mapped[int]
    latitude: Mapped[float | None] = mapped_column(Float)
    longitude: Mapped[float | None] = mapped_column(Float)
