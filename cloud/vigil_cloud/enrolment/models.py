"""Table of one-time codes."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Float, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from vigil_cloud.database.base import SINCE, Base


class EnrolmentCode(Base):
    """With this code one box becomes this gateway, once. Of the code only a keyed hash is kept."""

    __tablename__ = "enrolment_codes"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    code_hash: Mapped[str] = mapped_column(String(64), unique=True)
    gateway: Mapped[str] = mapped_column(String(63), index=True)
    name: Mapped[str] = mapped_column(String(120), default="")
    """For the starter configuration, as the position is."""
    latitude: Mapped[float | None] = mapped_column(Float)
    longitude: Mapped[float | None] = mapped_column(Float)
    replaces: Mapped[bool] = mapped_column(default=False)
    """Another box takes the gateway's place: whatever the former one has is void then."""
    account: Mapped[str] = mapped_column(String(96))
    created: Mapped[datetime]
    expires: Mapped[datetime] = mapped_column(info=SINCE)
    used: Mapped[datetime | None]
    serial: Mapped[str | None] = mapped_column(String(40))
    """Of the certificate that was given for it."""
    key_sha256: Mapped[str | None] = mapped_column(String(64))
    """Of the key that used it: the same box may ask again where the answer was lost."""
