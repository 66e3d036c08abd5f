"""The tags that persons carry, and their visits to stations."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Float, ForeignKey, Index, Integer, String, false
from sqlalchemy.orm import Mapped, mapped_column

from vigil_cloud.database.base import Base


class Tag(Base):
    """A beacon or sticker and whose it is."""

    __tablename__ = "tags"

    tag: Mapped[str] = mapped_column(String(140), primary_key=True)
    person_key: Mapped[str] = mapped_column(
        ForeignKey("persons.key", ondelete="CASCADE"), index=True
    )


class Visit(Base):
    """One stay of one tag at one station. ``person_key`` is who carried it then."""

    __tablename__ = "visits"
    __table_args__ = (
        Index("ix_visits_footprint", "person_key", "arrived"),
        Index("ix_visits_open", "departed", "gateway"),
    )

    id: Mapped[str] = mapped_column(String(130), primary_key=True)
    """``{gateway}:{visit_id}``: a gateway can only speak of its own."""
    tag: Mapped[str] = mapped_column(String(140), index=True)
    person_key: Mapped[str | None] = mapped_column(String(64))
    gateway: Mapped[str] = mapped_column(String(63))
    device: Mapped[str] = mapped_column(String(64))
    carrier: Mapped[str] = mapped_column(String(8))
    arrived: Mapped[datetime]
    last_seen: Mapped[datetime]
    departed: Mapped[datetime | None]
    sightings: Mapped[int]
    rssi_max_dbm: Mapped[float | None]
    battery_mv: Mapped[int | None]
    """Of the tag, where it told it."""
    silent_since: Mapped[datetime | None]
    """The last sign of the station itself, where that fell silent during the visit."""
    clock_offset_s: Mapped[float | None] = mapped_column(Float)
    """How far the station's clock was ahead of ours; the times have been corrected by it."""


class Watch(Base):
    """Somebody is looked for: their tags are on every station's watch list until then."""

    __tablename__ = "watches"

    case_id: Mapped[str] = mapped_column(String(36), primary_key=True)
    person_key: Mapped[str] = mapped_column(String(64), index=True)
    until: Mapped[datetime]


class WatchListHead(Base):
    """The watch list as it now is, by number and digest; one row."""

    __tablename__ = "watch_list_head"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    revision: Mapped[int] = mapped_column(BigInteger)
    digest: Mapped[str] = mapped_column(String(64))


class WatchStation(Base):
    """Which list one station was told last through one gateway, and by which command. A station
    that was moved has a row for each gateway until the one that it left was told to forget."""

    __tablename__ = "watch_stations"

    device: Mapped[str] = mapped_column(String(64), primary_key=True)
    gateway: Mapped[str] = mapped_column(String(63), primary_key=True)
    epoch: Mapped[str | None] = mapped_column(String(16))
    """Of the gateway as it was told: one that has started anew is told anew."""
    revision: Mapped[int] = mapped_column(BigInteger)
    downlink: Mapped[str] = mapped_column(String(64))
    asked: Mapped[datetime]
    tries: Mapped[int] = mapped_column(Integer, default=0)
    """Refused in a row."""
    withdrawn: Mapped[bool] = mapped_column(default=False, server_default=false())
    """What it was told is that nobody is looked for."""
