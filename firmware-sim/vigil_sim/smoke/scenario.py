"""What a scenario writes of smoke: alarms in homes, and fires."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from vigil_schemas.types import DeviceId
from vigil_sim.scenario_model import Device, Happening, Name, Part
from vigil_sim.smoke.alarm import Dialect


class HomeAlarm(Device):
    """A smoke alarm in a home, behind the gateway's Zigbee2MQTT."""

    friendly_name: Name
    threshold: Annotated[float, Field(gt=0, le=20)] = 3.0
    """Obscuration at which it sounds, % per metre."""
    dialect: Dialect = "plain"
    """How its converter words what it says."""


class Home(Part):
    """A home with smoke alarms and who lives there, for the demo's cloud."""

    key: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{1,40}$")]
    name: Name
    address: str = ""
    alarms: Annotated[tuple[DeviceId, ...], Field(min_length=1)]
    residents: tuple[Name, ...] = ()
    """Accounts of the demo."""
    neighbours: tuple[Name, ...] = ()
    """The same: called once the home's time is over, or it is said that it burns."""


class Fire(Happening):
    """A kitchen fire: smoke grows until it is put out, and then clears."""

    what: Literal["fire"]
    device: DeviceId
    growth_s: Annotated[float, Field(gt=0)] = 60.0
    """Time in which the smoke grows by a factor e."""
    out_after_s: Annotated[float, Field(gt=0)] = 400.0
