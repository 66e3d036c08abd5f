"""What is known of each sealed zip in the object store."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Index, LargeBinary, String, text
from sqlalchemy.orm import Mapped, mapped_column

from vigil_cloud.database.base import Base


class EvidenceRow(Base):
    """One verified upload. It belongs to the alerts that name its digest."""

    __tablename__ = "evidence"
    __table_args__ = (
        Index("ix_evidence_gateway_stored", "gateway", "stored", "size"),
        Index(
            "ix_evidence_not_coarse",
            "stored",
            sqlite_where=text("coarse IS NULL"),
            postgresql_where=text("coarse IS NULL"),
        ),
    )

    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    gateway: Mapped[str] = mapped_column(String(63), index=True)
    device: Mapped[str] = mapped_column(String(64))
    evidence_id: Mapped[str] = mapped_column(String(64), index=True)
    size: Mapped[int] = mapped_column(BigInteger)
    started: Mapped[datetime]
    ended: Mapped[datetime]
    sealed: Mapped[datetime]
    stored: Mapped[datetime]
    object_name: Mapped[str] = mapped_column(String(200))
    manifest: Mapped[dict[str, Any]] = mapped_column(JSON)
    coarse: Mapped[bytes | None] = mapped_column(LargeBinary, deferred=True)
    """See ``coarse``: a picture in which nobody can be made out; empty where there is none,
    ``None`` until that is known."""
