"""Where dry contacts are wired, as ``gateway.toml`` says it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from vigil_edge.configuration.device import DeviceSettings

Line = Annotated[int, Field(ge=0, le=0xFFFF)]
"""Counted from 0."""


class Pins(DeviceSettings):
    """The gateway's own pins, through the Linux GPIO character device."""

    driver: Literal["gpio"]
    chip: Annotated[str, Field(pattern=r"^/dev/[A-Za-z0-9._/-]{1,60}$")] = "/dev/gpiochip0"
    bias: Literal["pull-up", "pull-down", "disabled", "as-is"] = "pull-up"
    """With ``pull-up`` a contact to ground reads as 1: closed."""
