"""What a scenario is made of, whatever stands in the city: the base of every domain's tables.

A domain's room subclasses ``Device`` and ``Happening`` here; ``vigil_sim.scenario`` joins the
tables of all domains into one model. Positions are metres east and north of the scenario's
origin, times are world seconds from the beginning of the play.
"""

from __future__ import annotations

from math import inf
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, model_validator

from vigil_schemas.errors import VigilError
from vigil_schemas.types import DeviceId, GatewayId
from vigil_sim.faults import Fault, FaultKind

Metres = tuple[float, float]
"""East, north."""
Name = Annotated[str, Field(min_length=1, max_length=80)]
_H = TypeVar("_H", bound="Happening")
_P = TypeVar("_P", bound="Part")


class ScenarioError(VigilError):
    """The scenario cannot be played as written."""

    code: ClassVar[str] = "scenario-invalid"
    remedy: ClassVar[str] = "Correct each line that is named; `vigil-sim check` names them all."


class Part(BaseModel):
    """A table of a scenario: frozen, and without keys that nobody knows."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Gateway(Part):
    """A gateway of the city; its vigil-edge configuration is written from this."""

    id: GatewayId
    name: Name
    name_zh: Name
    at: Metres


class Device(Part):
    """What every simulated device has; a domain adds its own keys."""

    device: DeviceId
    gateway: GatewayId
    name: Name
    name_zh: Name
    at: Metres


class Happening(Part):
    """One entry of the timetable; a domain adds ``what: Literal[...]`` and its own keys.

    One that has a ``device`` names a device of its own domain.
    """

    what: str
    at_s: Annotated[float, Field(ge=0)]
    label: str | None = None
    """What the play calls it; by default its kind."""

    @property
    def title(self) -> str:
        """The word printed when it happens."""
        return self.label or self.what


class Unplugged(Happening):
    """A gateway loses its power. In the demo its box is ended as a pulled plug ends it, and stays
    so until somebody who was told of it plugs it in again."""

    what: Literal["unplugged"]
    gateway: GatewayId


class FaultOf(Part):
    """Something goes wrong with one device (``vigil_sim.faults`` says what each kind does)."""

    device: DeviceId
    kind: FaultKind
    start_s: Annotated[float, Field(ge=0)] = 0.0
    stop_s: float | None = None
    probability: Annotated[float, Field(ge=0, le=1)] = 1.0
    magnitude: Annotated[float, Field(ge=-1e9, le=1e9)] = 0.0
    """Drift: units per second of the timetable (dB for a microphone). Clock skew: seconds."""
    parameter: str | None = None
    style: str | None = None

    @property
    def fault(self) -> Fault:
        """As the device asks it. Raises ``ScenarioFaultError``."""
        keys = self.model_dump(exclude={"device"}, exclude_none=True)
        return Fault(**keys)


class LineFault(Part):
    """The emergency line fails for a while: it refuses each call, or lets it hang."""

    style: Literal["refuse", "hang"]
    start_s: Annotated[float, Field(ge=0)] = 0.0
    stop_s: Annotated[float, Field(gt=0)] | None = None
    status: Annotated[int, Field(ge=400, le=599)] = 503
    """What ``refuse`` answers (HTTP)."""

    @model_validator(mode="after")
    def _lasts(self) -> LineFault:
        if self.stop_s is not None and not self.start_s < self.stop_s:
            raise ValueError("stop_s must come after start_s")
        return self


class EmergencyLine(Part):
    """``[emergency]``: the stand-in for 119 that the cloud calls."""

    fault: tuple[LineFault, ...] = ()

    def fault_at(self, t: float) -> LineFault | None:
        """In force at the timetable's second ``t``."""
        return next((one for one in self.fault if one.start_s <= t < (one.stop_s or inf)), None)


class Scenario(Part):
    """Everything a play needs to know. The domains' tables are asked for with the methods."""

    device_tables: ClassVar[tuple[str, ...]] = ()
    """Keys of the domains, in the order in which they are registered."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{1,60}$")]
    title: Name
    title_zh: Name
    seed: int = 0
    speed: Annotated[float, Field(gt=0, le=1000)] = 1.0
    """World seconds per second of the wall clock, unless the command line says otherwise."""
    duration_s: Annotated[float, Field(gt=0)]
    latitude: Annotated[float, Field(ge=-90, le=90)]
    longitude: Annotated[float, Field(ge=-180, le=180)]
    gateway: tuple[Gateway, ...] = Field(min_length=1)
    schedule: tuple[Happening, ...] = ()
    fault: tuple[FaultOf, ...] = ()
    emergency: EmergencyLine = EmergencyLine()

    @property
    def devices(self) -> tuple[Device, ...]:
        """All devices, domain by domain."""
        return tuple(device for table in self.device_tables for device in self.devices_of(table))

    def devices_of(self, domain: str) -> tuple[Device, ...]:
        """The devices of one domain, as written."""
        found: tuple[Device, ...] = getattr(self, domain)
        return found

    def tables(self, key: str, kind: type[_P]) -> tuple[_P, ...]:
        """The tables ``[[key]]``, typed by the domain whose they are."""
        found: tuple[Any, ...] = getattr(self, key)
        return tuple(each for each in found if isinstance(each, kind))

    def table(self, key: str, kind: type[_P]) -> _P:
        """The one table ``[key]``. Raises ``TypeError`` where it is of another kind."""
        found = getattr(self, key)
        if not isinstance(found, kind):
            raise TypeError(f"[{key}] is no {kind.__name__}")
        return found

    def happenings(self, kind: type[_H]) -> list[_H]:
        """The timetable's entries of one kind, as written."""
        return [each for each in self.schedule if isinstance(each, kind)]
