"""Gateways, devices, series and dead letters as the API shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from vigil_schemas.types import DeviceId, Domain, GatewayId, UtcDatetime

DeviceState = Literal["ok", "degraded", "failed", "offline", "unknown"]


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
