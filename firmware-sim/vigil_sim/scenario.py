"""A scenario: what stands in the simulated city, what happens in it, and what goes wrong.

Written in TOML, read once into frozen models. Positions are metres east and
north of the scenario's origin, times are world seconds from the beginning of
the play. A mistake is named by its key and, where it can be found, its line.
"""

from __future__ import annotations

import tomllib
from importlib import resources
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from vigil_schemas.checkin import TagId
from vigil_schemas.errors import VigilError
from vigil_schemas.toml_lines import line_at, lines_of
from vigil_schemas.types import DeviceId, GatewayId
from vigil_sim.faults import Fault, FaultKind, ScenarioFaultError

Metres = tuple[float, float]
"""East, north."""
Name = Annotated[str, Field(min_length=1, max_length=80)]
_PLATES = (
    "[A-HJ-NP-Z]{3}-[0-9]{4}",  # cars and scooters since 2012: without I and O
    "[A-Z0-9]{2}-[0-9]{4}|[0-9]{4}-[A-Z0-9]{2}",  # older cars
    "[A-Z0-9]{3}-[0-9]{3}|[0-9]{3}-[A-Z0-9]{3}",  # older scooters and taxis
)
Plate = Annotated[str, Field(pattern=f"^({'|'.join(_PLATES)})$")]
"""A Taiwanese licence plate."""


class ScenarioError(VigilError):
    """The scenario cannot be played as written."""

    code: ClassVar[str] = "scenario-invalid"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class Gateway(_Part):
    """A gateway of the city; its vigil-edge configuration is written from this."""

    id: GatewayId
    name: Name
    name_zh: Name
    at: Metres


class _Device(_Part):
    device: DeviceId
    gateway: GatewayId
    name: Name
    name_zh: Name
    at: Metres


class NoiseCamera(_Device):
    """A microphone array and a camera beside a road."""

    channels: Annotated[int, Field(ge=1, le=4)] = 4
    full_scale_peak_db: Annotated[float, Field(ge=90, le=150)] = 130.0
    """Peak sound level of digital full scale, dB re 20 µPa."""
    background_db: Annotated[float, Field(ge=25, le=80)] = 54.0
    """A-weighted level of the street without vehicles."""
    threshold_db: Annotated[float, Field(ge=40, le=120)] = 86.0
    width: Annotated[int, Field(ge=320, le=1920)] = 640
    height: Annotated[int, Field(ge=180, le=1080)] = 360
    fps: Annotated[int, Field(ge=1, le=30)] = 10
    stamp: bool = False
    """Whether the camera writes its name and the time into the picture."""


class Sonde(_Device):
    """A multi-parameter probe in the canal."""

    canal_m: float
    """Distance along the canal, downstream of its beginning."""
    mode: Literal["poll", "logger"] = "poll"
    interval_s: Annotated[float, Field(gt=0)] = 20.0
    """World seconds between two readings."""


class Station(_Device):
    """A check-in station: it hears BLE beacons, or reads UHF tags."""

    driver: Literal["ble", "llrp"] = "ble"
    range_m: Annotated[float, Field(gt=0, le=200)] = 30.0


class HomeAlarm(_Device):
    """A smoke alarm in a home, behind the gateway's Zigbee2MQTT."""

    friendly_name: Name
    threshold: Annotated[float, Field(gt=0, le=20)] = 3.0
    """Obscuration at which it sounds, % per metre."""
    dialect: Literal["plain", "state", "two_alarms", "words"] = "plain"
    """How its converter words what it says."""


class Canal(_Part):
    """A straight reach of steady flow."""

    velocity_m_s: Annotated[float, Field(gt=0, le=5)] = 0.6
    dispersion_m2_s: Annotated[float, Field(gt=0, le=500)] = 3.0
    area_m2: Annotated[float, Field(gt=0, le=1000)] = 2.5
    temperature_c: float = 26.0
    specific_conductance_s_m: Annotated[float, Field(gt=0)] = 0.045
    pH: Annotated[float, Field(ge=0, le=14)] = 7.4
    dissolved_oxygen_mg_l: Annotated[float, Field(ge=0)] = 6.2
    turbidity_fnu: Annotated[float, Field(ge=0)] = 12.0
    level_m: float = 0.85


class Person(_Part):
    """Somebody who carries tags. The name goes to the cloud's seed only, never to a device."""

    key: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{1,40}$")]
    name: Name
    guardians: tuple[Name, ...] = ()
    tags: Annotated[tuple[TagId, ...], Field(min_length=1)]


class _Happening(_Part):
    at_s: Annotated[float, Field(ge=0)]
    label: str | None = None
    """What the play calls it; by default its kind."""

    @property
    def title(self) -> str:
        """The word printed when it happens."""
        return self.label or str(getattr(self, "what", ""))


class Passage(_Happening):
    """A vehicle passes the noise camera; ``at_s`` is when it is nearest to the microphone."""

    what: Literal["passage"]
    device: DeviceId
    vehicle: Literal["scooter", "car", "taxi", "van"] = "scooter"
    plate: Plate
    LAFmax_db: Annotated[float, Field(ge=50, le=117)]
    speed_km_h: Annotated[float, Field(ge=10, le=140)] = 45.0
    rpm: tuple[float, float] = (5200.0, 8200.0)
    """Engine speed when it comes into hearing, and when it has passed."""
    direction: Literal["away", "towards"] = "away"
    """As the camera sees it: the near lane leads away, the far lane comes towards it."""
    colour: tuple[int, int, int] | None = None
    """Red, green, blue."""


class Discharge(_Happening):
    """Waste water enters the canal for a while."""

    what: Literal["discharge"]
    canal_m: float
    duration_s: Annotated[float, Field(gt=0)]
    flow_m3_s: Annotated[float, Field(gt=0)]
    salt_kg_m3: Annotated[float, Field(ge=0)] = 0.0
    acid_mol_m3: Annotated[float, Field(ge=0)] = 0.0
    temperature_c: float | None = None
    oxygen_demand_mg_l: Annotated[float, Field(ge=0)] = 0.0
    turbidity_fnu: Annotated[float, Field(ge=0)] = 0.0


class Walk(_Happening):
    """Somebody, or a bicycle, carries a tag along a path."""

    what: Literal["walk"]
    tag: TagId
    speed_m_s: Annotated[float, Field(gt=0, le=15)] = 1.0
    path: Annotated[
        tuple[tuple[float, float] | tuple[float, float, float], ...], Field(min_length=2)
    ]
    """East, north and, optionally, how many seconds to stay there."""


class Fire(_Happening):
    """A kitchen fire: smoke grows until it is put out, and then clears."""

    what: Literal["fire"]
    device: DeviceId
    growth_s: Annotated[float, Field(gt=0)] = 60.0
    """Time in which the smoke grows by a factor e."""
    out_after_s: Annotated[float, Field(gt=0)] = 400.0


Happening = Annotated[Passage | Discharge | Walk | Fire, Field(discriminator="what")]


class FaultOf(_Part):
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


class Scenario(_Part):
    """Everything a play needs to know."""

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
    canal: Canal = Canal()
    noise: tuple[NoiseCamera, ...] = ()
    water: tuple[Sonde, ...] = ()
    checkin: tuple[Station, ...] = ()
    smoke: tuple[HomeAlarm, ...] = ()
    person: tuple[Person, ...] = ()
    schedule: tuple[Happening, ...] = ()
    fault: tuple[FaultOf, ...] = ()

    @property
    def devices(self) -> tuple[NoiseCamera | Sonde | Station | HomeAlarm, ...]:
        """All devices, in the order noise, water, check-in, smoke."""
        return (*self.noise, *self.water, *self.checkin, *self.smoke)

    @model_validator(mode="after")
    def _references(self) -> Scenario:
        gateways = [gateway.id for gateway in self.gateway]
        devices = [device.device for device in self.devices]
        for what, names in (("gateway", gateways), ("device", devices)):
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError(f"{what} {twice[0]!r} is defined twice")
        for device in self.devices:
            if device.gateway not in gateways:
                raise ValueError(
                    f"device {device.device!r} names unknown gateway {device.gateway!r}"
                )
        cameras = {camera.device for camera in self.noise}
        alarms = {alarm.device for alarm in self.smoke}
        for index, happening in enumerate(self.schedule):
            wanted = {"passage": cameras, "fire": alarms}.get(happening.what)
            named = getattr(happening, "device", None)
            if wanted is not None and named not in wanted:
                raise ValueError(
                    f"schedule[{index}] ({happening.what}) names {named!r}; known: {sorted(wanted)}"
                )
            if happening.at_s > self.duration_s:
                raise ValueError(
                    f"schedule[{index}] ({happening.what}) is at {happening.at_s} s,"
                    f" after the end of the play at {self.duration_s} s"
                )
        self._faults_fit()
        return self

    def _faults_fit(self) -> None:
        from vigil_sim.fault_rules import objection  # it knows the devices, which know this module

        devices = {device.device: device for device in self.devices}
        for index, entry in enumerate(self.fault):
            if entry.device not in devices:
                raise ValueError(f"fault[{index}] names unknown device {entry.device!r}")
            try:
                wrong = objection(entry.fault, devices[entry.device])
            except ScenarioFaultError as error:
                wrong = str(error)
            if wrong:
                raise ValueError(f"fault[{index}] ({entry.device}): {wrong}")


def find(name: str) -> Path:
    """The file of a scenario given as a path, or as the name of one that is shipped."""
    path = Path(name)
    if path.is_file():
        return path
    shipped = resources.files("vigil_sim") / "scenarios"
    for candidate in (name, f"{name}.toml", path.name):
        inside = Path(str(shipped / candidate))
        if inside.is_file():
            return inside
    known = ", ".join(sorted(entry.name for entry in Path(str(shipped)).glob("*.toml")))
    raise ScenarioError(f"no scenario {name!r}: neither a file nor one of those shipped: {known}")


def parse(text: str, origin: str = "scenario") -> Scenario:
    """Raises ``ScenarioError`` with one line per mistake."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ScenarioError(f"{origin}: not TOML: {error}") from error
    try:
        return Scenario.model_validate(raw)
    except ValidationError as error:
        lines = []
        stands = lines_of(text)
        for mistake in error.errors(include_url=False):
            path = tuple(part for part in mistake["loc"] if part not in _UNION_TAGS)
            where = f"{origin}:{line_at(stands, path)}" if path else origin
            key = ".".join(str(part) for part in path)
            message = mistake["msg"].removeprefix("Value error, ")
            lines.append(f"{where}: {key}: {message}" if key else f"{where}: {message}")
        raise ScenarioError("\n".join(lines)) from error


_UNION_TAGS = frozenset({"passage", "discharge", "walk", "fire"})


def load(name: str) -> Scenario:
    """A scenario by path or shipped name. Raises ``ScenarioError``."""
    path = find(name)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ScenarioError(f"{path}: cannot be read: {error}") from error
    return parse(text, str(path))
