"""Tables of alerts, of what happened to each, and of the feed that screens follow."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    JSON,
    ColumnElement,
    Computed,
    Float,
    ForeignKey,
    Index,
    Integer,
    SmallInteger,
    String,
    false,
    or_,
    text,
)
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapped, mapped_column

from vigil_cloud.alerts.work import PRIORITY_SQL
from vigil_cloud.database.base import SCHEDULED, SINCE, Base, Sealed


class AlertRow(Base):
    """One alert. ``version`` rises with each change: a writer that read an older one is refused."""

    __tablename__ = "alerts"
    __table_args__ = (
        Index("ix_alerts_order", "raised", "id"),
        Index("ix_alerts_standing", "active", "acknowledged", "severity"),
        Index("ix_alerts_called_on", "called_on", "acknowledged", "severity"),
        Index("ix_alerts_gateway_raised", "gateway", "raised"),
        # One for each way of listing (``listing``): by whom or what, in which order.
        Index("ix_alerts_domain_order", "domain", "raised", "id"),
        Index("ix_alerts_domain_priority", "domain", "priority", "raised", "id"),
        Index("ix_alerts_person_order", "person_key", "raised", "id"),
        Index("ix_alerts_person_priority", "person_key", "priority", "raised", "id"),
        Index("ix_alerts_case_order", "case_id", "raised", "id"),
        Index("ix_alerts_case_priority", "case_id", "priority", "raised", "id"),
        Index("ix_alerts_household_order", "household", "raised", "id"),
        Index("ix_alerts_household_priority", "household", "priority", "raised", "id"),
        Index("ix_alerts_district_order", "domain", "district", "raised", "id"),
        Index("ix_alerts_district_priority", "domain", "district", "priority", "raised", "id"),
        Index("ix_alerts_device_order", "device", "raised", "id"),
        Index("ix_alerts_device_priority", "device", "priority", "raised", "id"),
        Index("ix_alerts_taken_order", "acknowledged_by", "raised", "id"),
        Index("ix_alerts_taken_priority", "acknowledged_by", "priority", "raised", "id"),
        Index(
            "ix_alerts_untyped",
            "id",
            sqlite_where=text("NOT typed"),
            postgresql_where=text("NOT typed"),
        ),
        Index(
            "ix_alerts_out_of_service",
            "out_of_service_until",
            sqlite_where=text("out_of_service"),
            postgresql_where=text("out_of_service"),
        ),
    )

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    key: Mapped[str] = mapped_column(String(160), unique=True)
    """``{domain}:{gateway}:{exceedance_id | excursion_id | visit_id | alarm_id}``: one alert for
    each. A platform alert that is over gives its key up to the next of its kind."""
    version: Mapped[int] = mapped_column(default=0)
    domain: Mapped[str] = mapped_column(String(32))
    kind: Mapped[str] = mapped_column(String(40))
    gateway: Mapped[str] = mapped_column(String(63))
    device: Mapped[str] = mapped_column(String(64))
    title: Mapped[str] = mapped_column(String(300))
    """May hold ``{person}``, filled in for readers who may know."""
    title_zh: Mapped[str] = mapped_column(String(300))
    severity: Mapped[str] = mapped_column(String(16))
    momentary: Mapped[bool] = mapped_column(default=False)
    """An occurrence without an end of its own: it stays active until it is confirmed."""
    audience: Mapped[str] = mapped_column(String(24), default="all", server_default="all")
    """Who is told; see ``Occurrence.audience``."""
    reminded: Mapped[datetime | None] = mapped_column(info=SINCE)
    """When people were last reminded that it stands and nobody has acknowledged it."""

    active: Mapped[bool]
    called_on: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Its domain goes on calling people for it whatever its device says: a fire that nobody has
    ended. Set by that domain (``audiences.call_on``)."""
    acknowledged: Mapped[bool] = mapped_column(default=False)
    confirmed: Mapped[bool] = mapped_column(default=False)
    shelved_until: Mapped[datetime | None]
    out_of_service: Mapped[bool] = mapped_column(default=False)
    out_of_service_until: Mapped[datetime | None]
    """``None``: until somebody puts it back, where ``coverage.needs_end`` allows that."""
    aside_since: Mapped[datetime | None]
    aside_until: Mapped[datetime | None]
    """Since when and until when it was shelved or out of service in a row; see ``aside``."""
    parameter: Mapped[str | None] = mapped_column(String(48))
    """Of the device's readings: which one it is about."""
    device_shelf: Mapped[str | None] = mapped_column(String(16))
    device_shelf_until: Mapped[datetime | None]
    device_shelf_id: Mapped[int | None]
    """The shelf of its device that it was raised under, or that was put over it; see
    ``coverage``. Stays when the shelf has ended: it says why nobody was called."""
    priority: Mapped[int | None] = mapped_column(
        SmallInteger, Computed(PRIORITY_SQL, persisted=True)
    )
    """Computed by the database from the states above; see ``work``."""

    raised: Mapped[datetime]
    event_time: Mapped[datetime]
    cleared: Mapped[datetime | None]
    acknowledged_by: Mapped[str | None] = mapped_column(String(96))
    """A user name, or ``channel NAME`` of whoever stands behind a channel without an account."""
    acknowledged_at: Mapped[datetime | None]
    confirmed_by: Mapped[str | None] = mapped_column(String(64))
    confirmed_at: Mapped[datetime | None]

    detail: Mapped[dict[str, Any]] = mapped_column(JSON)
    """What is open of the detail; see ``details``. Changed through ``sealing.write_detail``."""
    private: Mapped[bytes | None] = mapped_column(Sealed("alert.detail"))
    """What is personal of it; under the person's own key where the alert is about one."""
    typed: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Written by a version that tells open and personal apart; see ``sealing_old``."""
    evidence_sha256: Mapped[str | None] = mapped_column(String(64), index=True)
    person_key: Mapped[str | None] = mapped_column(String(64))
    person_name: Mapped[bytes | None] = mapped_column(Sealed("person.name"))
    """Sealed under the person's own key; see ``identity.person_keys``."""
    case_id: Mapped[str | None] = mapped_column(String(36))
    """Of what is told about the person: the case that it belongs to, and that opens it."""
    household: Mapped[str | None] = mapped_column(String(48))
    """Whose home it happened in: that of the device as it was raised."""
    district: Mapped[str | None] = mapped_column(String(40))
    """Where it happened; an open one goes with its device."""
    only_roles: Mapped[str | None] = mapped_column(String(200))
    """Of the roles that see the domain's alerts those that see this one, each between commas;
    ``None``: all of them, and whom a consent or a household opens it to."""
    latitude: Mapped[float | None] = mapped_column(Float)
    longitude: Mapped[float | None] = mapped_column(Float)

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy's own form

    @hybrid_property
    def pressing(self) -> bool:
        """It goes before others wherever people are told: lives hang on it, or its domain calls on
        for it, whatever its severity was made meanwhile."""
        return self.severity == "critical" or self.called_on

    @pressing.inplace.expression
    @classmethod
    def _pressing(cls) -> ColumnElement[bool]:
        return or_(cls.severity == "critical", cls.called_on)


class AlertHistory(Base):
    """What was done to an alert, by whom, in order."""

    __tablename__ = "alert_history"

    id: Mapped[int] = mapped_column(primary_key=True)
    alert_id: Mapped[str] = mapped_column(ForeignKey("alerts.id", ondelete="CASCADE"), index=True)
    at: Mapped[datetime]
    account: Mapped[str | None] = mapped_column(String(96))
    """As ``AlertRow.acknowledged_by``."""
    action: Mapped[str] = mapped_column(String(24))
    comment: Mapped[str] = mapped_column(String(1000), default="")
    """What the platform says; what people wrote is in ``text``."""
    text: Mapped[bytes | None] = mapped_column(Sealed("alert.text"))


class OutboxEntry(Base):
    """Something that people are to be told of an alert; see ``alerts.outbox``."""

    __tablename__ = "alert_outbox"
    __table_args__ = (Index("ix_alert_outbox_order", "urgent", "gateway", "id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    alert_id: Mapped[str] = mapped_column(ForeignKey("alerts.id", ondelete="CASCADE"), index=True)
    gateway: Mapped[str] = mapped_column(String(63))
    """Many of one gateway must not keep another's waiting."""
    urgent: Mapped[bool]
    at: Mapped[datetime] = mapped_column(info=SINCE)
    purpose: Mapped[str] = mapped_column(String(16))
    step: Mapped[str] = mapped_column(String(60), default="")
    severity: Mapped[str] = mapped_column(String(16))
    """With ``audience``: as it was then, whatever the alert has become meanwhile."""
    audience: Mapped[str] = mapped_column(String(24))
    home_of: Mapped[str] = mapped_column(String(64), default="")
    reached: Mapped[int] = mapped_column(default=0)
    """How far it has been worked through: the reader's cursor."""
    not_before: Mapped[datetime | None] = mapped_column(info=SCHEDULED)
    """Its reading failed and is tried again then."""


class FeedEntry(Base):
    """Something changed. Holds no content: each reader is shown it as far as their rights reach."""

    __tablename__ = "feed"

    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(index=True)
    kind: Mapped[str] = mapped_column(String(32))
    """``alert``, ``case``, or what a domain tells pages of."""
    key: Mapped[str] = mapped_column(String(130))


class FeedHead(Base):
    """The feed's end, one row. It is updated first and stays locked until the commit, so that
    numbers become visible in their order: a reader past n has missed nothing below n."""

    __tablename__ = "feed_head"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[int]
