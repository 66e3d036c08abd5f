"""What a scenario writes of check-in: stations, people who carry tags, and where they walk."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from vigil_schemas.checkin import TagId
from vigil_sim.scenario_model import Device, Happening, Name, Part

Way = tuple[tuple[float, float] | tuple[float, float, float], ...]
"""East, north and, optionally, how many seconds to stay there."""


class Station(Device):
    """A check-in station: it hears BLE beacons, or reads UHF tags."""

    driver: Literal["ble", "llrp"] = "ble"
    range_m: Annotated[float, Field(gt=0, le=200)] = 30.0
    drive: Annotated[Way, Field(min_length=2)] | None = None
    """Of a reader on a car: its way, from the beginning on; a receiver behind gpsd says where it
    is. Where it stands otherwise says ``at``."""
    drive_m_s: Annotated[float, Field(gt=0, le=40)] = 8.0

    @model_validator(mode="after")
    def _readers_drive(self) -> Station:
        if self.drive is not None and self.driver != "llrp":
            raise ValueError("only a reader (llrp) drives")
        return self


class Person(Part):
    """Somebody who carries tags. The name goes to the cloud's seed only, never to a device."""

    key: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{1,40}$")]
    name: Name
    guardians: tuple[Name, ...] = ()
    tags: Annotated[tuple[TagId, ...], Field(min_length=1)]


class Missing(Happening):
    """Somebody is missed. In the demo their guardian reports it and an officer opens the case."""

    what: Literal["missing"]
    person: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{1,40}$")]
    clothes: str = ""
    place: str = ""
    """Where they were last seen, in the guardian's words."""
    reporter: Name = "family"
    officer: Name = "police"
    """Accounts of the demo."""
    reason: str = "Reported missing"


class Found(Happening):
    """Whoever was missing is found, and the search ends."""

    what: Literal["found"]
    person: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{1,40}$")]
    outcome: str = "found-well"
    text: Annotated[str, Field(min_length=3)]
    reporter: Name = "family"
    officer: Name = "police"


class Walk(Happening):
    """Somebody, or a bicycle, carries a tag along a path."""

    what: Literal["walk"]
    tag: TagId
    speed_m_s: Annotated[float, Field(gt=0, le=15)] = 1.0
    path: Annotated[Way, Field(min_length=2)]
