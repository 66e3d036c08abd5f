"""``[….position]``: the satellite receiver that says where a device that moves is."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from vigil_edge.configuration.addresses import host_and_port, host_port

GPSD_PORT: Final = 2947
NMEA_PORT: Final = 10110
"""As it is registered for NMEA 0183 over TCP."""


class PositionSettings(BaseModel):
    """One receiver. Several devices of a gateway may name the same one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: Literal["gpsd", "nmea-tcp", "nmea-serial"] = "gpsd"
    address: Annotated[str, Field(min_length=1, max_length=200)] = f"127.0.0.1:{GPSD_PORT}"
    """``host[:port]``, or the serial port."""
    max_age_s: Annotated[float, Field(ge=1, le=3600)] = 10.0
    """An older fix is no position: who moves is elsewhere by now."""
    baudrate: Literal[4800, 9600, 19200, 38400, 57600, 115200] = 9600

    @field_validator("address")
    @classmethod
    def _suits_source(cls, value: str, info: ValidationInfo) -> str:
        return value if info.data.get("source") == "nmea-serial" else host_port(value)

    @property
    def endpoint(self) -> tuple[str, int]:
        """Host and port of ``address``."""
        return host_and_port(self.address, GPSD_PORT if self.source == "gpsd" else NMEA_PORT)
