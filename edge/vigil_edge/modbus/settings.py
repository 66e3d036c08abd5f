"""The keys of a device section that say where a Modbus slave is, and how its line is set."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from vigil_edge.configuration.addresses import host_and_port, host_port
from vigil_edge.configuration.device import DeviceSettings
from vigil_schemas.types import DeviceId

MODBUS_PORT: Final = 502


class ModbusPlace(BaseModel):
    """One slave on TCP, on a serial line (RTU), or on one behind a plain TCP converter (RTU frames
    over TCP)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    device: DeviceId
    driver: Literal["modbus-tcp", "modbus-rtu", "modbus-rtu-over-tcp"]
    address: Annotated[str, Field(min_length=1)]
    """``host:port`` (port 502 where none is given) or a serial port."""
    unit: Annotated[int, Field(ge=0, le=255)] = 1
    """The standard's are 1 to 247; devices on TCP often answer to 0 or 255 alone."""
    timeout_s: Annotated[float, Field(gt=0, le=60)] = 2.0
    pause_s: Annotated[float, Field(ge=0, le=10)] = 0.0
    """Between an answer and the next question: some devices lose what comes sooner."""
    baudrate: Annotated[int, Field(ge=300, le=921_600)] = 9600
    parity: Literal["N", "E", "O"] = "N"
    stopbits: Literal[1, 2] = 1
    bytesize: Literal[7, 8] = 8

    @field_validator("address")
    @classmethod
    def _suits_driver(cls, value: str, info: ValidationInfo) -> str:
        if info.data.get("driver") == "modbus-rtu":
            return value
        return host_port(value)

    @property
    def host(self) -> str:
        """Of ``address``."""
        return host_and_port(self.address, MODBUS_PORT)[0]

    @property
    def port(self) -> int:
        """Of ``address``; Modbus' own where it names none."""
        return host_and_port(self.address, MODBUS_PORT)[1]


class ModbusSettings(ModbusPlace, DeviceSettings):
    """A device that is a slave on Modbus."""
