"""The table of street maps: the newest is drawn, the one before it is kept for open pages."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Float, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from vigil_cloud.database.base import Base


class StreetMapRow(Base):
    """One imported file, by its digest."""

    __tablename__ = "street_maps"

    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    object_name: Mapped[str] = mapped_column(String(128))
    size: Mapped[int] = mapped_column(BigInteger)
    """Bytes."""
    west: Mapped[float] = mapped_column(Float)
    south: Mapped[float] = mapped_column(Float)
    east: Mapped[float] = mapped_column(Float)
    north: Mapped[float] = mapped_column(Float)
    """Degrees, WGS 84."""
    min_zoom: Mapped[int] = mapped_column(Integer)
    max_zoom: Mapped[int] = mapped_column(Integer)
    attribution: Mapped[str] = mapped_column(String(300))
    """Whom the map names, as plain text."""
    source: Mapped[str] = mapped_column(String(200))
    """The file's name as it was imported."""
    imported: Mapped[datetime]
