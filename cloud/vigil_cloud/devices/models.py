"""Tables of gateways and their devices as people see them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Float, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from vigil_cloud.database.base import Base


class Gateway(Base):
    """A gateway that was added, or that introduced itself where enrolment is open."""

    __tablename__ = "gateways"

    gateway: Mapped[str] = mapped_column(String(63), primary_key=True)
    added: Mapped[datetime]
    connected: Mapped[bool] = mapped_column(default=False)
    """Born and not dead since; silence is judged by ``last_seen``."""
    offline: Mapped[bool] = mapped_column(default=False)
    """What the last sweep found; so that going silent is noticed as a change."""
    session: Mapped[int | None] = mapped_column(BigInteger)
    born: Mapped[datetime | None]
    epoch: Mapped[str | None] = mapped_column(String(16))
    software: Mapped[str] = mapped_column(String(80), default="")
    public_key: Mapped[str | None] = mapped_column(String(64))
    """Ed25519, hexadecimal, from its birth: what its evidence is sealed with."""
    last_seen: Mapped[datetime | None]
    health: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    health_time: Mapped[datetime | None]
    lost: Mapped[int] = mapped_column(BigInteger, default=0)
    """Observations that its full outbox had to thin out."""
    conflicts: Mapped[list[str]] = mapped_column(JSON, default=list)
    """Devices of its latest birth that belong to another gateway."""
    updated: Mapped[datetime] = mapped_column(index=True)


class Device(Base):
    """One device, as its gateway last described it.

    It belongs to the first gateway whose birth described it, until an administrator
    releases it. One that is not ``claimed`` only was heard of through ``gateway``.
    """

    __tablename__ = "devices"
    __table_args__ = (Index("ix_devices_gateway_device", "gateway", "device"),)

    device: Mapped[str] = mapped_column(String(64), primary_key=True)
    gateway: Mapped[str] = mapped_column(String(63))
    domain: Mapped[str] = mapped_column(String(16), index=True)
    driver: Mapped[str] = mapped_column(String(40), default="")
    name: Mapped[str] = mapped_column(String(120), default="")
    name_zh: Mapped[str] = mapped_column(String(120), default="")
    latitude: Mapped[float | None] = mapped_column(Float)
    longitude: Mapped[float | None] = mapped_column(Float)
    parameters: Mapped[list[str]] = mapped_column(JSON, default=list)
    units: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)
    """Registered SenML units by parameter, as far as a reading carried one."""
    state: Mapped[str] = mapped_column(String(16), default="unknown")
    code: Mapped[str | None] = mapped_column(String(60))
    message: Mapped[str | None] = mapped_column(String(400))
    since: Mapped[datetime | None]
    last_seen: Mapped[datetime | None]
    described: Mapped[bool] = mapped_column(default=False)
    """Part of its gateway's latest birth."""
    claimed: Mapped[bool] = mapped_column(default=False)
    """A birth of ``gateway`` described it: nobody else may speak for it."""
    updated: Mapped[datetime] = mapped_column(index=True)
    """When anything but ``last_seen`` changed last."""


class Downlink(Base):
    """A command or configuration on its way down: written by whoever asks, sent by ingest."""

    __tablename__ = "downlinks"
    __table_args__ = (Index("ix_downlinks_sent_created", "sent", "created"),)

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    """The command's own id; ``config-{gateway}-{revision}`` for a configuration."""
    gateway: Mapped[str] = mapped_column(String(63), index=True)
    channel: Mapped[str] = mapped_column(String(16))
    """``command``, or ``config``, which is retained."""
    payload: Mapped[dict[str, Any]] = mapped_column(JSON)
    account: Mapped[str] = mapped_column(String(64))
    created: Mapped[datetime]
    sent: Mapped[datetime | None]
    answered: Mapped[datetime | None]
    accepted: Mapped[bool | None]
    code: Mapped[str | None] = mapped_column(String(60))
    message: Mapped[str | None] = mapped_column(String(400))
