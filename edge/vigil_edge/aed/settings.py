"""``[[aed]]``: one cabinet, its contacts, and what is said at it."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from vigil_edge.configuration.device import DeviceSettings
from vigil_edge.contacts.settings import Line, Pins
from vigil_edge.modbus.settings import ModbusSettings
from vigil_edge.voice.settings import VoiceSettings
from vigil_schemas.aed import PROMPTS

Contact = Literal["door", "button", "present", "fault"]


class Inputs(BaseModel):
    """``[aed.inputs]``: which line each contact is on, counted from 0."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    door: Line
    """Closed circuit (1): the door is open."""
    button: Line
    """1: pressed."""
    present: Line | None = None
    """1: the defibrillator is in its place."""
    fault: Line | None = None
    """1: the defibrillator's own self test has failed."""
    inverted: list[Contact] = Field(default_factory=list)
    """Contacts that are wired the other way round: normally closed."""

    @field_validator("inverted")
    @classmethod
    def _each_its_own(cls, value: list[Contact], info: ValidationInfo) -> list[Contact]:
        lines = [info.data[name] for name in cls.contacts(info.data)]
        if len(set(lines)) < len(lines):
            raise ValueError("two contacts are on the same line")
        unknown = [name for name in value if info.data.get(name) is None]
        if unknown:
            raise ValueError(f"there is no line for {unknown[0]}")
        return value

    @staticmethod
    def contacts(data: dict[str, Any]) -> list[str]:
        """Names of those that are wired, in a fixed order."""
        return [
            name for name in ("door", "button", "present", "fault") if data.get(name) is not None
        ]

    @property
    def lines(self) -> dict[str, int]:
        """By contact."""
        return {name: getattr(self, name) for name in self.contacts(dict(self))}


class Voice(VoiceSettings):
    """``[aed.voice]``."""

    PROMPTS: ClassVar[tuple[str, ...]] = PROMPTS


class _Cabinet(DeviceSettings):
    inputs: Inputs
    voice: Voice = Voice()
    interval_s: Annotated[float, Field(ge=0.01, le=1)] = 0.05
    """How often the contacts are read."""
    debounce_s: Annotated[float, Field(ge=0, le=1)] = 0.05
    """So long a contact must keep its state for it to count."""
    present_s: Annotated[float, Field(ge=0, le=60)] = 1.0
    """The same for ``present`` and ``fault``."""
    door_open_after_s: Annotated[float, Field(ge=10, le=86_400)] = 600.0
    """A door that stands open for so long is told to the maintainer."""
    stuck_after_s: Annotated[float, Field(ge=5, le=3600)] = 30.0
    """Nobody presses a button for so long: the contact is stuck."""
    same_call_s: Annotated[float, Field(ge=1, le=3600)] = 120.0
    """Pressed again within this time, it is the same call."""
    observation_s: Annotated[float, Field(ge=1, le=86_400)] = 600.0
    """How often door and presence are sent as readings, beside their changes."""


class BoardSettings(_Cabinet, ModbusSettings):
    """Contacts on an I/O board that speaks Modbus (discrete inputs, function 2)."""

    timeout_s: Annotated[float, Field(gt=0, le=60)] = 0.5


class GpioSettings(_Cabinet, Pins):
    """Contacts on the gateway's own pins."""


AedSettings = Annotated[BoardSettings | GpioSettings, Field(discriminator="driver")]
