"""What the cloud sends down: receipts, commands, configuration."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, JsonValue, model_validator

from vigil_schemas.types import (
    LARGEST_INTEGER,
    ChoiceKey,
    ChoiceValue,
    Count,
    DeviceId,
    FoundId,
    Model,
    Ordinal,
    UtcDatetime,
)

CommandId = Annotated[str, Field(min_length=8, max_length=64)]
Action = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,39}$")]
"""What a command asks for: ``sample_now``."""


class RefusalReason(Model):
    """Why messages of one source were refused, and how often."""

    reason: Annotated[str, Field(max_length=40)]
    """As in the dead-letter table: ``wrong-schema``, ``unknown-gateway``, ``future-dated`` …"""
    count: Ordinal
    """Since this ingest process started."""
    detail: Annotated[str, Field(max_length=200)] = ""
    """Of the newest one."""


class Receipt(Model):
    """``city.vigil.receipt.v2``: what of one source is stored for good.

    As version 1, and it tells the gateway what it cannot know by itself: the cloud's time
    and why messages were refused. Sent to gateways whose birth ``accepts`` it.
    """

    TYPE: ClassVar[str] = "city.vigil.receipt.v2"

    source: str
    """The ``source`` attribute of the events that this receipt is for."""
    stored: Count
    beyond: list[tuple[Ordinal, Ordinal]] = Field(default_factory=list, max_length=256)
    """Inclusive ranges above ``stored``, ascending, that are stored as well."""
    refused: Count = 0
    """How many messages of this source lie in the dead-letter table, in all."""
    time: UtcDatetime
    """The cloud's clock when it was sent."""
    reasons: list[RefusalReason] = Field(default_factory=list, max_length=8)


class ReceiptV1(Model):
    """``city.vigil.receipt.v1``: what of one source is stored for good.

    Cumulative: everything up to ``stored`` is safe, and so is every sequence
    inside ``beyond``. A sequence that is neither was not stored and is to be
    sent again. A message refused by validation counts as stored: it lies in the
    dead-letter table and sending it again would change nothing.
    """

    TYPE: ClassVar[str] = "city.vigil.receipt.v1"

    source: str
    """The ``source`` attribute of the events that this receipt is for."""
    stored: Count
    beyond: list[tuple[Ordinal, Ordinal]] = Field(default_factory=list, max_length=256)
    """Inclusive ranges above ``stored``, ascending, that are stored as well."""
    refused: Count = 0
    """How many messages of this source lie in the dead-letter table, in all."""


AnyReceipt = Receipt | ReceiptV1


class CommandV1(Model):
    """``city.vigil.command.v1``: something to do once; for gateways that know no version 2."""

    TYPE: ClassVar[str] = "city.vigil.command.v1"

    command_id: CommandId
    action: Literal["report_health", "restart_source", "resend_birth"]
    device: DeviceId | None = None

    @model_validator(mode="after")
    def _device_named(self) -> CommandV1:
        if self.action == "restart_source" and self.device is None:
            raise ValueError("restart_source needs a device")
        return self


class Command(Model):
    """``city.vigil.command.v2``: something to do once, before ``expires``, and to be answered.

    The action is any word: a gateway answers ``unsupported`` to one that nothing there takes.
    ``vigil_schemas.commands`` holds the arguments of each that is known.
    """

    TYPE: ClassVar[str] = "city.vigil.command.v2"

    command_id: CommandId
    action: Action
    device: DeviceId | None = None
    """None: for the gateway itself."""
    arguments: dict[Annotated[str, Field(max_length=60)], JsonValue] = Field(
        default_factory=dict, max_length=20
    )
    expires: UtcDatetime
    """By the cloud's clock; not begun after this."""


class ConfigurationV1(Model):
    """``city.vigil.config.v1``, retained; for gateways that know no version 2."""

    TYPE: ClassVar[str] = "city.vigil.config.v1"

    revision: Ordinal
    health_interval_s: Annotated[float, Field(ge=1, le=3600)] = 60.0
    paused_devices: list[DeviceId] = Field(default_factory=list)


_Finite = Annotated[float, Field(allow_inf_nan=False)]
Setting = (
    bool
    | Annotated[int, Field(ge=-LARGEST_INTEGER, le=LARGEST_INTEGER)]
    | _Finite
    | Annotated[str, Field(max_length=400)]
    | Annotated[list[_Finite], Field(max_length=16)]
)
"""The value of one key, as ``gateway.toml`` would write it."""
SettingKey = Annotated[
    str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,47}(\.[A-Za-z0-9_]{1,48}){0,3}$")
]
"""``threshold_db``; ``signal.pH.high`` is the key ``high`` of the ``[[signal]]`` named ``pH``."""


class ConfigurationV2(Model):
    """``city.vigil.config.v2``, retained; for gateways that take no devices from the cloud."""

    TYPE: ClassVar[str] = "city.vigil.config.v2"

    revision: Ordinal
    health_interval_s: Annotated[float, Field(ge=1, le=3600)] | None = None
    """None: as the file says."""
    paused_devices: list[DeviceId] = Field(default_factory=list, max_length=500)
    settings: dict[DeviceId, dict[SettingKey, Setting]] = Field(
        default_factory=dict, max_length=500
    )
    """By device; only keys that the device's domain lets be changed from afar."""


class AddedDevice(Model):
    """A device that the gateway found and somebody gave a name. Where it is and how it is spoken to
    stays with the gateway, which found it: no address and no credential comes from the cloud."""

    found: FoundId
    choices: Annotated[dict[ChoiceKey, ChoiceValue], Field(max_length=8)] = Field(
        default_factory=dict
    )


class Configuration(ConfigurationV2):
    """``city.vigil.config.v3``, retained: everything that the cloud wants otherwise than the file.

    The whole of it each time: what a revision does not name is as the gateway's file says.
    """

    TYPE: ClassVar[str] = "city.vigil.config.v3"

    devices: dict[DeviceId, AddedDevice] = Field(default_factory=dict, max_length=500)
    """Beside those of the file. Their names and positions are among ``settings``."""


AnyCommand = Command | CommandV1
AnyConfiguration = Configuration | ConfigurationV2 | ConfigurationV1
