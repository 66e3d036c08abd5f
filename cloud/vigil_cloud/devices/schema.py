"""Gateways, devices, series and dead letters as the API shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue

from vigil_schemas.commands import COMMANDS
from vigil_schemas.control import AddedDevice, Setting, SettingKey
from vigil_schemas.gateway import ConfigurationReport, SettingMistake
from vigil_schemas.types import LARGEST_INTEGER, DeviceId, Domain, GatewayId, UtcDatetime

DeviceState = Literal["ok", "degraded", "failed", "offline", "unknown"]


class ShelfEntry(BaseModel):
    """A device, or one parameter of it, put aside."""

    id: int
    device: str
    parameter: str
    """Empty: the whole device."""
    kind: Literal["shelved", "out-of-service"]
    reason: str
    by: str
    begun: UtcDatetime
    until: UtcDatetime | None
    """Null: until somebody ends it."""
    ended: UtcDatetime | None
    ended_by: str | None
    """Null where its time was over."""


class ShelfList(BaseModel):
    """What is or was put aside."""

    shelves: list[ShelfEntry]


class DeviceShelves(ShelfList):
    """Of one device, the newest first."""

    may_shelve: bool
    """Whether the reader may put it aside."""
    longest_shelf_hours: int
    longest_work_hours: int
    """Out of service."""
    needs_end: bool
    """Also out of service: lives hang on hearing it."""


class ShelfRequest(BaseModel):
    """Put a device aside: ``shelved`` calls nobody but for what is critical, ``out-of-service``
    (work, a test) calls nobody at all."""

    model_config = ConfigDict(strict=True, extra="forbid", use_attribute_docstrings=True)

    kind: Literal["shelved", "out-of-service"]
    parameter: Annotated[str, Field(pattern=r"^([A-Za-z][A-Za-z0-9_.]{0,47})?$")] = ""
    """One parameter of it alone."""
    reason: Annotated[str, Field(min_length=3, max_length=1000, pattern=r"^[^\x00]*$")]
    until: UtcDatetime | None
    """Shelved: within 30 days. Out of service: within a year, or null for until somebody ends it.
    Where lives hang on hearing the device: within 24 hours, and 8 hours."""


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
    shelves: list[ShelfEntry]
    """What is put aside of it right now."""
    parameters: list[str]
    commands: list[str]
    """Actions of commands that its gateway takes for it."""


class DeviceList(BaseModel):
    """Devices that the reader may see."""

    devices: list[DeviceEntry]


class LatestReading(BaseModel):
    """``t`` in seconds since 1970 UTC; ``flag`` is QARTOD's."""

    t: float
    v: float | None
    flag: int


class SeriesEntry(BaseModel):
    """One parameter of a device."""

    parameter: str
    unit: str | None
    latest: LatestReading | None


class SeriesList(BaseModel):
    """What a device measures."""

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
    """A gateway to be enrolled."""

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


def _known_action(action: str) -> str:
    open_to_people = [name for name, model in COMMANDS.items() if not model.PRIVATE]
    if action not in open_to_people:
        raise ValueError(f"choose one of {', '.join(open_to_people)}")
    return action


class CommandRequest(BaseModel):
    """Something that a gateway or device is to do."""

    model_config = ConfigDict(strict=True, extra="forbid")

    action: Annotated[str, AfterValidator(_known_action)]
    device: DeviceId | None = None
    arguments: Annotated[dict[str, JsonValue], Field(max_length=20)] = Field(default_factory=dict)
    expires_in_s: Annotated[float, Field(ge=10, le=7 * 86_400)] = 3600.0
    """A gateway that is away gets it when it is back, until then."""


class MaintenanceRequest(BaseModel):
    """Planned work until a moment, at most thirty days ahead; null: back in service now."""

    model_config = ConfigDict(strict=True, extra="forbid")

    until: UtcDatetime | None


class ConfigurationRequest(BaseModel):
    """What is wanted of a gateway as a whole."""

    model_config = ConfigDict(strict=True, extra="forbid")

    revision: Annotated[int, Field(ge=0, le=LARGEST_INTEGER)] | None = None
    """The one that was looked at, whose rest goes along; null: whichever is the newest."""
    health_interval_s: Annotated[float, Field(ge=1, le=3600)] | None = None
    """Null: as the gateway's file says."""
    paused_devices: Annotated[list[DeviceId], Field(max_length=500)] = Field(default_factory=list)
    settings: Annotated[dict[DeviceId, dict[SettingKey, Setting]], Field(max_length=500)] = Field(
        default_factory=dict
    )
    """All that is wanted otherwise than the file: what is not named is as the file says."""
    devices: Annotated[dict[DeviceId, AddedDevice], Field(max_length=500)] | None = None
    """Added from here, all of them; null: those that are now."""


class SettingsRequest(BaseModel):
    """Keys of one device; null: as the gateway's file says."""

    model_config = ConfigDict(strict=True, extra="forbid")

    revision: Annotated[int, Field(ge=0, le=LARGEST_INTEGER)]
    """The one that was looked at."""
    settings: Annotated[dict[SettingKey, Setting | None], Field(min_length=1, max_length=200)]


class SettingEntry(BaseModel):
    """One key of a device."""

    key: str
    value: Setting | None
    """In force at the gateway."""
    wanted: Setting | None
    """Of the cloud; null: as the file says."""
    file: Setting | None
    """What the gateway's file says, where the cloud's value is in force."""
    by_cloud: bool
    """Whether the cloud's value is in force."""
    edited: bool
    """The file's value was changed while the cloud's was in force."""


class DeviceSettings(BaseModel):
    """What may be changed of a device from here, and how far that has come."""

    revision: int
    """The newest that is wanted of its gateway; 0: none."""
    reported_revision: int | None
    """The newest that the gateway knows; null: it has not reported."""
    in_force: bool
    dropped: bool
    """Somebody dropped it at the gateway (``vigil-edge config reset``)."""
    sent: UtcDatetime | None
    answered: UtcDatetime | None
    accepted: bool | None
    message: str | None
    mistakes: list[SettingMistake]
    """Why the gateway does not use the newest revision, or its own file."""
    settings: list[SettingEntry]


class DownlinkEntry(BaseModel):
    """Something sent down and what became of it."""

    id: str
    channel: str
    payload: dict[str, Any]
    account: str
    created: UtcDatetime
    expires: UtcDatetime | None
    sent: UtcDatetime | None
    answered: UtcDatetime | None
    accepted: bool | None
    code: str | None
    message: str | None


class DownlinkList(BaseModel):
    """What was sent to a gateway, newest first."""

    downlinks: list[DownlinkEntry]


class ConfigurationEntry(BaseModel):
    """What is wanted of a gateway, and what it says is in force."""

    wanted: DownlinkEntry | None
    reported: ConfigurationReport | None
    reported_at: UtcDatetime | None


class TimeRange(BaseModel):
    """A validated ``[start, stop)``."""

    start: datetime
    stop: datetime
