"""``[[smoke]]`` on contacts: relay outputs of wired detectors and fire panels."""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from vigil_edge.configuration.device import DeviceSettings
from vigil_edge.configuration.mistakes import misplaced, repeated
from vigil_edge.contacts.settings import Line, Pins
from vigil_edge.modbus.settings import ModbusSettings
from vigil_edge.smoke.spoken import Voice
from vigil_schemas.types import DeviceId

Kind = Literal["smoke", "heat", "co", "gas", "fault"]
KINDS: Final[tuple[Kind, ...]] = ("smoke", "heat", "co", "gas", "fault")
MOST_AT_ONCE: Final = 2_000
"""Discrete inputs in one question of Modbus."""


class WiredAlarm(BaseModel):
    """``[[smoke.alarm]]`` on contacts: one zone, with a line for each thing that it tells."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    device: DeviceId
    name: Annotated[str, Field(max_length=120)] = ""
    name_zh: Annotated[str, Field(max_length=120)] = ""
    latitude: Annotated[float, Field(ge=-90, le=90)] | None = None
    longitude: Annotated[float, Field(ge=-180, le=180)] | None = None
    smoke: Line | None = None
    """1, a closed circuit: it sees smoke."""
    heat: Line | None = None
    co: Line | None = None
    gas: Line | None = None
    fault: Line | None = None
    """1: the detector or its loop is at fault."""
    inverted: Annotated[list[Kind], Field(max_length=5)] = Field(default_factory=list)
    """Wired the other way round: normally closed, so that a cut wire is an alarm too."""

    @property
    def lines(self) -> dict[Kind, int]:
        """By what they tell."""
        said: dict[Kind, int | None] = {
            "smoke": self.smoke,
            "heat": self.heat,
            "co": self.co,
            "gas": self.gas,
            "fault": self.fault,
        }
        return {kind: line for kind, line in said.items() if line is not None}

    @model_validator(mode="after")
    def _tells_of_fire(self) -> Self:
        if not set(self.lines) - {"fault"}:
            raise ValueError("an alarm needs a line for smoke, heat, co or gas")
        unwired = [kind for kind in self.inverted if kind not in self.lines]
        if unwired:
            raise ValueError(f"there is no line for {unwired[0]}")
        return self


class _Wired(DeviceSettings):
    alarm: Annotated[list[WiredAlarm], Field(min_length=1, max_length=64)]
    voice: Voice | None = None
    """A loudspeaker at this gateway, that speaks while an alarm sounds."""
    interval_s: Annotated[float, Field(ge=0.01, le=1)] = 0.1
    """How often the contacts are read."""
    debounce_s: Annotated[float, Field(ge=0, le=2)] = 0.2
    """So long a contact must keep its state for it to count."""

    @field_validator("alarm")
    @classmethod
    def _each_once(cls, value: list[WiredAlarm]) -> list[WiredAlarm]:
        if twice := repeated(value, "device"):
            raise misplaced(*twice)
        lines = [line for alarm in value for line in alarm.lines.values()]
        if len(set(lines)) < len(lines):
            raise ValueError("two contacts are on the same line")
        return value

    @property
    def lines(self) -> dict[str, int]:
        """By device and what they tell."""
        return {
            f"{alarm.device}/{kind}": line
            for alarm in self.alarm
            for kind, line in alarm.lines.items()
        }


class WiredBoard(_Wired, ModbusSettings):
    """Contacts on an I/O board that speaks Modbus (discrete inputs, function 2)."""

    timeout_s: Annotated[float, Field(gt=0, le=60)] = 0.5

    @field_validator("alarm")
    @classmethod
    def _in_one_question(cls, value: list[WiredAlarm]) -> list[WiredAlarm]:
        lines = [line for alarm in value for line in alarm.lines.values()]
        if max(lines) - min(lines) >= MOST_AT_ONCE:
            raise ValueError(f"lines lie fewer than {MOST_AT_ONCE} apart: they are read at once")
        return value


class WiredPins(_Wired, Pins):
    """Contacts on the gateway's own pins."""


WiredSettings = WiredBoard | WiredPins
