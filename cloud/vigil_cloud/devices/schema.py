"""Gateways, devices, series and dead letters as the API shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from vigil_cloud.alerts.schema import Severity
from vigil_schemas.types import DeviceId, Domain, GatewayId, UtcDatetime

DeviceState = Literal["ok", "degraded", "failed", "offline", "unknown"]
GatewayState = Literal["online", "offline", "unknown"]


class DeviceEntry(BaseModel):
    """One device, with the state that people act on."""

    device: str
    gateway: str
    domain: Domain
    driver: str
    name: str
    name_zh: str
    latitude: float | None
    longitude: float | None
    state: DeviceState
    code: str | None
    message: str | None
    since: UtcDatetime | None
    last_seen: UtcDatetime | None
    out_of_service_until: UtcDatetime | None
    parameters: list[str]


class DeviceList(BaseModel):
    devices: list[DeviceEntry]


class LatestReading(BaseModel):
    """``t`` in seconds since 1970 UTC; ``flag`` is QARTOD's."""

    t: float
    v: float | None
    flag: int


class SeriesEntry(BaseModel):
    parameter: str
    unit: str | None
    latest: LatestReading | None


class SeriesList(BaseModel):
    series: list[SeriesEntry]


class SeriesPoints(BaseModel):
    """Columns of equal length; ``v`` is null where a reading is missing."""

    parameter: str
    unit: str | None
    window_s: float | None
    """Each point is the mean of so many seconds; null where the readings themselves are shown."""
    t: list[float]
    v: list[float | None]
    flag: list[int]


class GatewayEntry(BaseModel):
    gateway: str
    state: GatewayState
    session: int | None
    software: str
    last_seen: UtcDatetime | None
    health: dict[str, Any] | None
    """The last ``GatewayHealth`` as it was sent."""
    health_time: UtcDatetime | None
    clock_offset_s: float | None
    """Its clock against ours, positive where it is ahead; null where it cannot be told."""
    lost: int
    lost_events: int
    """Events that its full outbox gave up for alarms."""
    second_box_seen: UtcDatetime | None
    """When a second box last spoke under this name (a clone of its disk); null after a day."""
    dead_letters: int
    out_of_service_until: UtcDatetime | None
    alerts: list[StandingAlert]
    """What the platform has to say of it now, the most severe first."""
    dropped: dict[str, int]
    """What it sent beyond its share, by kind: ``dead-letters``, ``alarm-dead-letters``,
    ``evidence``, ``devices``, ``parameters``; ``alerts-joined`` are alarms told in a counted
    alert, ``alarms-put-off`` are those that it has to send again."""
    conflicts: list[str]
    """Devices that it describes although they belong to another gateway."""
    revoked: UtcDatetime | None
    """When it was thrown out: nothing that it sends is taken."""


class GatewayList(BaseModel):
    gateways: list[GatewayEntry]


class NewGateway(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")

    gateway: GatewayId


class TokenEntry(BaseModel):
    """Shown once: only its digest is kept."""

    gateway: str
    token: str


class RevokedEntry(BaseModel):
    """What became free."""

    gateway: str
    devices: list[str]


class CommandRequest(BaseModel):
    model_config = ConfigDict(strict=True)

    action: Literal["report_health", "restart_source", "resend_birth"]
    device: DeviceId | None = None


class MaintenanceRequest(BaseModel):
    """Planned work until a moment, at most thirty days ahead; null: back in service now."""

    model_config = ConfigDict(strict=True)

    until: UtcDatetime | None


class StandingAlert(BaseModel):
    """A platform alert of this gateway that is not over."""

    id: str
    kind: str
    severity: Severity
    title: str
    title_zh: str


class ConfigurationRequest(BaseModel):
    model_config = ConfigDict(strict=True)

    health_interval_s: Annotated[float, Field(ge=1, le=3600)] = 60.0
    paused_devices: Annotated[list[DeviceId], Field(max_length=500)] = Field(default_factory=list)


class DownlinkEntry(BaseModel):
    """Something sent down and what became of it."""

    id: str
    channel: str
    payload: dict[str, Any]
    account: str
    created: UtcDatetime
    sent: UtcDatetime | None
    answered: UtcDatetime | None
    accepted: bool | None
    code: str | None
    message: str | None


class DownlinkList(BaseModel):
    downlinks: list[DownlinkEntry]


class TimeRange(BaseModel):
    """A validated ``[start, stop)``."""

    start: datetime
    stop: datetime
