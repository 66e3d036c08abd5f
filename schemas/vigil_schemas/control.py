"""What the cloud sends down: receipts, commands, configuration."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from vigil_schemas.types import Count, DeviceId, Model, Ordinal, UtcDatetime


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


class Command(Model):
    """``city.vigil.command.v1``: something to do once."""

    TYPE: ClassVar[str] = "city.vigil.command.v1"

    command_id: Annotated[str, Field(min_length=8, max_length=64)]
    action: Literal["report_health", "restart_source", "resend_birth"]
    device: DeviceId | None = None

    @model_validator(mode="after")
    def _device_named(self) -> Command:
        if self.action == "restart_source" and self.device is None:
            raise ValueError("restart_source needs a device")
        return self


class Configuration(Model):
    """``city.vigil.config.v1``, retained: settings that the cloud may change from afar."""

    TYPE: ClassVar[str] = "city.vigil.config.v1"

    revision: Ordinal
    health_interval_s: Annotated[float, Field(ge=1, le=3600)] = 60.0
    paused_devices: list[DeviceId] = Field(default_factory=list)
