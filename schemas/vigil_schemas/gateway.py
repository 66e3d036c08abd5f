"""What a gateway says of itself and of its devices: birth, death, health, loss."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from vigil_schemas.control import Action, RefusalReason, Setting, SettingKey
from vigil_schemas.types import (
    FORETOLD,
    ClockQuality,
    Count,
    DeviceId,
    Domain,
    Lane,
    Model,
    Ordinal,
    UtcDatetime,
)

SourceState = Literal["starting", "ok", "degraded", "failed", "stopped"]


class DeviceDescription(Model):
    """One device as its gateway's configuration describes it."""

    device: DeviceId
    domain: Domain
    driver: Annotated[str, Field(max_length=40)]
    """How it is read: ``sounddevice``, ``modbus-tcp``, ``ble``, ``llrp``, ``zigbee2mqtt`` …"""
    name: Annotated[str, Field(max_length=120)] = ""
    name_zh: Annotated[str, Field(max_length=120)] = ""
    latitude: Annotated[float, Field(ge=-90, le=90)] | None = None
    longitude: Annotated[float, Field(ge=-180, le=180)] | None = None
    parameters: list[str] = Field(default_factory=list)
    commands: list[Action] = Field(default_factory=list, max_length=40)
    """Actions of commands that its pipeline takes."""


class GatewayBirth(Model):
    """``city.vigil.gateway.birth.v1``, retained on ``status``: who is here, and what with."""

    TYPE: ClassVar[str] = "city.vigil.gateway.birth.v1"

    session: Ordinal
    """Counts the connections of this outbox; a death counts only for the same session."""
    started: UtcDatetime
    software: Annotated[str, Field(max_length=80)]
    epoch: Annotated[str, Field(pattern=r"^[0-9a-f]{8}([0-9a-f]{8})?$")]
    """The opening of the outbox that this connection sends from."""
    public_key: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    """Ed25519, raw, hexadecimal: what its evidence is sealed with."""
    devices: list[DeviceDescription]
    description: Count = 0
    """Counts the changes of ``devices`` since the agent started: within a session, a birth with
    a higher number is news."""
    accepts: list[Annotated[str, Field(max_length=80)]] = Field(default_factory=list)
    """Downlink event types beyond version 1 that this gateway understands."""


class GatewayDeath(Model):
    """``city.vigil.gateway.death.v1``: last will, or a clean goodbye."""

    TYPE: ClassVar[str] = "city.vigil.gateway.death.v1"

    session: Ordinal
    clean: bool


class SourceHealth(Model):
    """How one source of a gateway is doing."""

    device: DeviceId
    state: SourceState
    since: UtcDatetime
    code: Annotated[str, Field(max_length=60)] | None = None
    """Stable error code while not ``ok``."""
    message: Annotated[str, Field(max_length=400)] | None = None
    restarts: Count = 0
    counters: dict[str, Count] = Field(default_factory=dict)
    """Frames dropped, bad frames by error code, overflows …"""


class LaneDepth(Model):
    """What waits in one lane of the outbox."""

    lane: Lane
    rows: Count
    oldest: UtcDatetime | None = None
    lost: Count = 0
    """Rows thinned out since the outbox was made."""


class GatewayHealth(Model):
    """``city.vigil.gateway.health.v1``: once a minute."""

    TYPE: ClassVar[str] = "city.vigil.gateway.health.v1"

    uptime_s: Annotated[float, Field(ge=0)]
    resident_bytes: Count
    cpu_percent: Annotated[float, Field(ge=0)]
    """Of one core, since the last report."""
    disk_free_bytes: Count
    clock_quality: ClockQuality
    clock_vouched: bool | None = None
    """True: ``synchronised`` by the word of the gateway's settings alone, not of its kernel."""
    outbox: list[LaneDepth]
    evidence_waiting: Count = 0
    sources: list[SourceHealth]
    counters: dict[str, Count] = Field(default_factory=dict)
    clock_offset_s: Annotated[float, Field(allow_inf_nan=False)] | None = None
    """This gateway's clock minus the cloud's, told while it is more than 30 s off."""
    refusals: list[RefusalReason] | None = Field(None, max_length=32)
    """Why the cloud refused messages of this gateway lately, as its receipts said."""
    certificate_not_after: Annotated[UtcDatetime | None, FORETOLD] = None
    """When the certificate that it shows the broker ends; null where it has none."""


class DeviceHealth(SourceHealth):
    """``city.vigil.device.health.v1``: a source changed state (sent at once, on the event lane)."""

    TYPE: ClassVar[str] = "city.vigil.device.health.v1"


class ObservationLoss(Model):
    """``city.vigil.gateway.loss.v1``: the outbox was full and gave up rows that had no number.

    Observations are thinned for whatever comes; events are given up for alarms alone.
    """

    TYPE: ClassVar[str] = "city.vigil.gateway.loss.v1"

    first_sequence: Ordinal
    last_sequence: Ordinal
    rows: Ordinal
    oldest: UtcDatetime
    newest: UtcDatetime
    lane: Lane | None = None
    """Whose rows they were; none: observations."""


class CommandResult(Model):
    """``city.vigil.command.result.v1``: what became of a command or a configuration."""

    TYPE: ClassVar[str] = "city.vigil.command.result.v1"

    command_id: Annotated[str, Field(min_length=8, max_length=64)]
    accepted: bool
    code: Annotated[str, Field(max_length=60)] = "ok"
    message: Annotated[str, Field(max_length=400)] = ""


class SettingMistake(Model):
    """One thing to mend in a configuration, as ``vigil-edge check`` says it."""

    line: Count = 0
    """Of ``gateway.toml``; 0 where the mistake is in what the cloud asked for."""
    key: Annotated[str, Field(max_length=200)]
    message: Annotated[str, Field(max_length=400)]


class RefusedConfiguration(Model):
    """A configuration that the gateway does not use, and every reason."""

    revision: Count
    """Of the cloud's; 0: the gateway's own file."""
    mistakes: list[SettingMistake] = Field(max_length=50)


class ChangedSetting(Model):
    """A key that the file and the cloud set differently; the cloud's value is in force."""

    device: DeviceId
    key: SettingKey
    file: Setting | None = None
    """What ``gateway.toml`` says; none where it says nothing."""


class ConfigurationReport(Model):
    """``city.vigil.config.report.v1``: the configuration in force, after each change of it."""

    TYPE: ClassVar[str] = "city.vigil.config.report.v1"

    revision: Count
    """The cloud's newest revision that this gateway knows; 0: none."""
    in_force: bool
    """Whether that revision is used; false where it was refused or dropped."""
    dropped: bool = False
    """``vigil-edge config reset`` dropped it: only a newer one counts."""
    settings: dict[DeviceId, dict[SettingKey, Setting | None]]
    """Of each device, the keys that may be changed from afar with their values now."""
    cloud: list[ChangedSetting] = Field(default_factory=list, max_length=2000)
    """Where the cloud's values are in force instead of the file's."""
    edited: list[ChangedSetting] = Field(default_factory=list, max_length=2000)
    """Of those, the ones whose value in the file was changed while the cloud's was in force."""
    refused: RefusedConfiguration | None = None
    at_next_start: list[Annotated[str, Field(max_length=60)]] = Field(
        default_factory=list, max_length=20
    )
    """Sections of the file that were changed and are taken at the agent's next start."""
