"""Tables of gateways and their devices as people see them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Float, Index, Integer, String, false, inspect
from sqlalchemy.orm import Mapped, mapped_column

from vigil_cloud.database.base import SCHEDULED, SINCE, Base
from vigil_cloud.database.changes import Kind


class Gateway(Base):
    """A gateway that was added, or that introduced itself where enrolment is open."""

    __tablename__ = "gateways"

    gateway: Mapped[str] = mapped_column(String(63), primary_key=True)
    added: Mapped[datetime]
    connected: Mapped[bool] = mapped_column(default=False)
    """Born and not dead since; silence is judged by ``last_seen``."""
    offline: Mapped[bool] = mapped_column(default=False)
    """What the last sweep found; so that going silent is noticed as a change."""
    died: Mapped[datetime | None] = mapped_column(info=SINCE)
    """When its death was received; whatever it sends long after that tells that it lives."""
    session: Mapped[int | None] = mapped_column(BigInteger)
    epoch: Mapped[str | None] = mapped_column(String(16))
    """The newest opening of its outbox that a birth told of."""
    software: Mapped[str] = mapped_column(String(80), default="")
    public_key: Mapped[str | None] = mapped_column(String(64))
    """Ed25519, hexadecimal, from its birth: what its evidence is sealed with now."""
    accepts: Mapped[list[str]] = mapped_column(JSON, default=list)
    """Downlink event types beyond version 1 that its birth says it understands."""
    second_box_seen: Mapped[datetime | None]
    """When an outbox that another had superseded connected anew: two boxes share the name."""
    second_box_returns: Mapped[int] = mapped_column(BigInteger, default=0)
    last_seen: Mapped[datetime | None] = mapped_column(info=SINCE)
    health: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    health_time: Mapped[datetime | None]
    """When ``health`` was measured, as far as the gateway's clock can be believed."""
    clock_offset_s: Mapped[float | None] = mapped_column(Float)
    """Its clock against ours at its last report, positive where it is ahead; null while it
    cannot be told from a delay."""
    least_delay_s: Mapped[float | None] = mapped_column(Float)
    """Of its birth and reports since it connected, by its clock against ours; see ``clocks``."""
    health_epoch: Mapped[str | None] = mapped_column(String(64))
    health_sequence: Mapped[int | None] = mapped_column(BigInteger)
    """Where ``health`` stands in its lane: what orders reports, whatever their time says."""
    clock_mark: Mapped[str | None] = mapped_column(String(8))
    """``time_quality`` of its last report: ``ahead`` or ``behind``."""
    out_of_service_until: Mapped[datetime | None]
    """Planned work: it raises no platform alert until then."""
    lost: Mapped[int] = mapped_column(BigInteger, default=0)
    """Observations that its full outbox had to thin out."""
    lost_events: Mapped[int] = mapped_column(BigInteger, default=0)
    """Events that its full outbox gave up for alarms."""
    conflicts: Mapped[list[str]] = mapped_column(JSON, default=list)
    """Devices of its latest birth that belong to another gateway."""
    description: Mapped[int] = mapped_column(BigInteger, default=0)
    """Of its newest birth: counts the changes of its devices within a session."""
    configuration: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """Its last ``ConfigurationReport``: what is in force there."""
    configuration_time: Mapped[datetime | None]
    configuration_epoch: Mapped[str | None] = mapped_column(String(64))
    configuration_sequence: Mapped[int | None] = mapped_column(BigInteger)
    """Where it stands in the event lane: what orders reports."""
    updated: Mapped[datetime] = mapped_column(index=True)

    def announces(self) -> tuple[Kind, str] | None:
        """All its devices are shown otherwise when it comes or goes."""
        changed = inspect(self).attrs.offline.history.has_changes()
        return ("gateway", self.gateway) if changed else None


class GatewayRevocation(Base):
    """A gateway that was thrown out: nothing it sends is taken, however enrolment stands."""

    __tablename__ = "gateway_revocations"

    gateway: Mapped[str] = mapped_column(String(63), primary_key=True)
    at: Mapped[datetime]
    account: Mapped[str] = mapped_column(String(64))
    """Who did it."""
    public_key: Mapped[str | None] = mapped_column(String(64))
    """What its evidence was sealed with: old packages are still verified with it."""


class GatewayEpoch(Base):
    """One opening of a gateway's outbox, numbered in the order in which the cloud met them.

    No clock of a gateway takes part: an epoch with a lower ordinal is superseded for good.
    """

    __tablename__ = "gateway_epochs"

    gateway: Mapped[str] = mapped_column(String(63), primary_key=True)
    epoch: Mapped[str] = mapped_column(String(64), primary_key=True)
    ordinal: Mapped[int] = mapped_column(BigInteger)
    session: Mapped[int | None] = mapped_column(BigInteger)
    """The highest session that a birth of this epoch told of."""
    first_met: Mapped[datetime]


class GatewayKey(Base):
    """A key that a gateway has sealed evidence with: what it sealed is valid after the next."""

    __tablename__ = "gateway_keys"

    gateway: Mapped[str] = mapped_column(String(63), primary_key=True)
    public_key: Mapped[str] = mapped_column(String(64), primary_key=True)
    """Ed25519, hexadecimal."""
    first_met: Mapped[datetime]


class Device(Base):
    """One device, as its gateway last described it.

    It belongs to the first gateway whose birth described it, until an administrator
    releases it. One that is not ``claimed`` only was heard of through ``gateway``.
    """

    __tablename__ = "devices"
    __table_args__ = (
        Index("ix_devices_gateway_device", "gateway", "device"),
        # Asked every few seconds of a city's tens of thousands.
        Index("ix_devices_kinds", "gateway", "domain", "described"),
        Index("ix_devices_state", "state"),
    )

    device: Mapped[str] = mapped_column(String(64), primary_key=True)
    gateway: Mapped[str] = mapped_column(String(63))
    domain: Mapped[str] = mapped_column(String(32), index=True)
    driver: Mapped[str] = mapped_column(String(40), default="")
    name: Mapped[str] = mapped_column(String(120), default="")
    name_zh: Mapped[str] = mapped_column(String(120), default="")
    latitude: Mapped[float | None] = mapped_column(Float)
    longitude: Mapped[float | None] = mapped_column(Float)
    parameters: Mapped[list[str]] = mapped_column(JSON, default=list)
    commands: Mapped[list[str]] = mapped_column(JSON, default=list)
    """Actions of commands that its pipeline takes."""
    units: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)
    """Registered SenML units by parameter, as far as a reading carried one."""
    state: Mapped[str] = mapped_column(String(16), default="unknown")
    code: Mapped[str | None] = mapped_column(String(60))
    message: Mapped[str | None] = mapped_column(String(400))
    since: Mapped[datetime | None]
    state_epoch: Mapped[str | None] = mapped_column(String(64))
    state_sequence: Mapped[int | None] = mapped_column(BigInteger)
    """Which change of state this is in its gateway's event lane."""
    last_seen: Mapped[datetime | None]
    described: Mapped[bool] = mapped_column(default=False)
    """Part of its gateway's latest birth."""
    out_of_service_until: Mapped[datetime | None]
    """Planned work: it raises no platform alert until then. Follows ``shelves``."""
    shelves: Mapped[list[dict[str, Any]]] = mapped_column(JSON, default=list, server_default="[]")
    """What is put aside of it right now, as it is shown (``ShelfEntry``). Follows
    ``device_shelves``, so that a list of devices costs no further query."""
    claimed: Mapped[bool] = mapped_column(default=False)
    """A birth of ``gateway`` described it: nobody else may speak for it."""
    updated: Mapped[datetime] = mapped_column(index=True)
    """When anything but ``last_seen`` changed last. For people; what follows a change goes by
    its announced number."""

    def announces(self) -> tuple[Kind, str] | None:
        """Itself, in whatever it changed."""
        return "device", self.device


class DeviceShelf(Base):
    """A device, or one parameter of it, put aside for a while by somebody; see
    ``devices.shelves``. It says who silenced what, and is removed years after it ended
    (``[retention] shelves_days``)."""

    __tablename__ = "device_shelves"
    __table_args__ = (Index("ix_device_shelves_open", "settled", "until"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    device: Mapped[str] = mapped_column(String(64), index=True)
    parameter: Mapped[str] = mapped_column(String(48), default="")
    """Empty: the whole device."""
    kind: Mapped[str] = mapped_column(String(16))
    """``shelved`` or ``out-of-service``."""
    reason: Mapped[str] = mapped_column(String(1000))
    account: Mapped[str] = mapped_column(String(64))
    """Who put it aside."""
    begun: Mapped[datetime]
    until: Mapped[datetime | None]
    """``None``: until somebody ends it; of what is out of service alone."""
    ended: Mapped[datetime | None]
    ended_by: Mapped[str | None] = mapped_column(String(64))
    """``None``: its time was over."""
    reminded: Mapped[datetime | None]
    """When people were last told that it has no end."""
    settled: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Its end has been told, and its alerts call again."""


class NewestReadings(Base):
    """The newest stored reading of each parameter of a device, whoever sent it.

    What the time series would answer, kept where ingest writes and screens look anyway: a
    change of a thousand devices is one query. Merged by the readings' own times under the row's
    lock, so that repetitions and late replays change nothing.
    """

    __tablename__ = "newest_readings"

    device: Mapped[str] = mapped_column(String(64), primary_key=True)
    domain: Mapped[str] = mapped_column(String(32), index=True)
    newest_us: Mapped[int] = mapped_column(BigInteger)
    """Time of the newest of all, in microseconds since 1970."""
    readings: Mapped[dict[str, list[Any]]] = mapped_column(JSON)
    """By parameter: time in microseconds since 1970, value (null for a missing one), flag."""


class Downlink(Base):
    """A command or configuration on its way down: written by whoever asks, sent by ingest."""

    __tablename__ = "downlinks"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    """The command's own id; ``config-{revision}-{hash of the gateway}`` for a configuration."""
    gateway: Mapped[str] = mapped_column(String(63), index=True)
    channel: Mapped[str] = mapped_column(String(16))
    """``command``, or ``config``, which is retained."""
    payload: Mapped[dict[str, Any]] = mapped_column(JSON)
    account: Mapped[str] = mapped_column(String(64))
    created: Mapped[datetime]
    expires: Mapped[datetime | None]
    """Of a command; none of those of before they could."""
    again: Mapped[datetime | None] = mapped_column(index=True, info=SCHEDULED)
    """When it is to be sent (next); none: not any more. A command waits while its gateway is
    away, and is sent again until it is answered or expires: its id makes that harmless."""
    tries: Mapped[int] = mapped_column(Integer, default=0)
    sent: Mapped[datetime | None]
    """First."""
    answered: Mapped[datetime | None]
    accepted: Mapped[bool | None]
    code: Mapped[str | None] = mapped_column(String(60))
    message: Mapped[str | None] = mapped_column(String(400))
    report: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True), deferred=True)
    """What a search or a look found (``DiscoveryReport``, ``LookReport``): up to 160 KiB, so it
    is fetched by itself."""


class ReadingState(Base):
    """What one reading handler keeps of one device. Written onto the version it was read at."""

    __tablename__ = "reading_states"

    handler: Mapped[str] = mapped_column(String(40), primary_key=True)
    device: Mapped[str] = mapped_column(String(64), primary_key=True)
    version: Mapped[int] = mapped_column(BigInteger, default=0)
    state: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    failures: Mapped[int] = mapped_column(BigInteger, default=0)
    """In a row, up to now."""
    missed_us: Mapped[int | None] = mapped_column(BigInteger)
    """Time of the earliest reading that the handler did not see because it failed."""
    error: Mapped[str | None] = mapped_column(String(400))
    updated: Mapped[datetime]
