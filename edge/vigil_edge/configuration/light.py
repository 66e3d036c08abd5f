"""``[x.light]`` of a device section: a lamp on the box that shows whether the device works."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field


class _Light(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LedLight(_Light):
    """A LED that the kernel knows, such as a board's own."""

    driver: Literal["led"]
    path: Path
    """Its folder: ``/sys/class/leds/NAME``, writable for the agent's user."""


class GpioLight(_Light):
    """A LED or a lamp on a pin, through the Linux GPIO character device."""

    driver: Literal["gpio"]
    chip: Annotated[str, Field(pattern=r"^/dev/[A-Za-z0-9._/-]{1,60}$")] = "/dev/gpiochip0"
    line: Annotated[int, Field(ge=0, le=0xFFFF)]
    active_low: bool = False
    """The lamp is on while the pin is low."""


LightSettings = Annotated[LedLight | GpioLight, Field(discriminator="driver")]
