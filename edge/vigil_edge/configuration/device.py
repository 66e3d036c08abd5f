"""The keys that every device section of ``gateway.toml`` has."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Protocol

from pydantic import BaseModel, ConfigDict, Field

from vigil_edge.configuration.light import LightSettings
from vigil_schemas.commands import CommandArguments
from vigil_schemas.gateway import DeviceDescription
from vigil_schemas.types import DeviceId, Domain


class SectionKind(Protocol):
    """What the gateway file must know of a domain; see ``vigil_edge.domain``."""

    @property
    def key(self) -> Domain:
        """``[[key]]``."""

    @property
    def settings(self) -> Callable[[], Any]:
        """What each such table is checked by."""

    @property
    def adjustable(self) -> tuple[str, ...]:
        """Keys that may be changed from the cloud, beside a device's names and position."""

    @property
    def commands(self) -> tuple[type[CommandArguments], ...]:
        """What its pipelines take."""

    @property
    def describe(self) -> Callable[[Any], list[DeviceDescription]]:
        """The devices behind one section."""


class DeviceSettings(BaseModel):
    """What every device section of ``gateway.toml`` has; each domain adds its own."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    device: DeviceId
    name: Annotated[str, Field(max_length=120)] = ""
    name_zh: Annotated[str, Field(max_length=120)] = ""
    latitude: Annotated[float, Field(ge=-90, le=90)] | None = None
    longitude: Annotated[float, Field(ge=-180, le=180)] | None = None
    light: LightSettings | None = None
    """A lamp on the box that shows whether this device works."""

    def notes(self) -> list[str]:
        """What ``vigil-edge check`` says of a section that is right and could be better."""
        return []

    def described(self, domain: Domain, driver: str, parameters: list[str]) -> DeviceDescription:
        """The birth message's entry for this device."""
        return DeviceDescription(
            device=self.device,
            domain=domain,
            driver=driver,
            name=self.name,
            name_zh=self.name_zh,
            latitude=self.latitude,
            longitude=self.longitude,
            parameters=parameters,
        )
