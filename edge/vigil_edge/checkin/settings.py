"""``[[checkin]]``: one station, listening with a Bluetooth radio or a UHF reader."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from vigil_edge.configuration.addresses import HostPort, host_and_port
from vigil_edge.configuration.device import DeviceSettings
from vigil_edge.position.settings import GPSD_PORT
from vigil_edge.position.settings import PositionSettings as ReceiverSettings

LLRP_PORT = 5084


_KINDS = ("ibeacon:", "eddystone-uid:", "eddystone-eid:", "altbeacon:", "epc:")
MOST_ADAPTERS = 8
Adapter = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:-]{1,40}$")]


def _tag_prefix(text: str) -> str:
    """As tags are written: a UUID may be given with its dashes, hexadecimal in capitals."""
    prefix = text.strip().lower()
    if prefix.startswith("ibeacon:"):
        prefix = prefix.replace("-", "")
    if not prefix.startswith(_KINDS):
        kinds = f"{', '.join(_KINDS[:-1])} or {_KINDS[-1]}"
        raise ValueError(f"write {kinds}, and the beginning of the id")
    return prefix


TagPrefix = Annotated[str, AfterValidator(_tag_prefix)]


class PositionSettings(BaseModel):
    """``[checkin.position]``: the station moves, and gpsd says where it is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    gpsd: HostPort = f"127.0.0.1:{GPSD_PORT}"
    """``host:port``; port 2947 where none is given."""
    max_age_s: Annotated[float, Field(gt=0, le=60)] = 5.0
    """A fix counts for sightings this near to it in time; else their place is not known."""

    @property
    def receiver(self) -> ReceiverSettings:
        """gpsd, as it is followed."""
        return ReceiverSettings(source="gpsd", address=self.gpsd)


class _Station(DeviceSettings):
    absence_s: Annotated[float, Field(gt=0, le=86_400)] = 300.0
    """Not seen for this long: departed. Bodies and walls hide a beacon for minutes."""
    min_sightings: Annotated[int, Field(ge=1, le=1000)] = 2
    """So many, and a tag is told of at once; with fewer a few seconds later, as passing by."""
    tags_allow: list[TagPrefix] | None = None
    """Prefixes of tag ids (``ibeacon:``, ``epc:3014``) that are taken; others are only counted."""
    observation_s: Annotated[float, Field(gt=0, le=86_400)] = 60.0
    """How often the numbers of tags and adverts are sent."""
    position: PositionSettings | None = None
    """Of a station that moves, such as a reader on a car; absent: it stands."""

    @model_validator(mode="after")
    def _moves_or_stands(self) -> Self:
        if self.position is not None and (self.latitude, self.longitude) != (None, None):
            raise ValueError("a station with a position moves: leave out latitude and longitude")
        return self

    def allows(self, tag: str) -> bool:
        """Whether sightings of this tag become visits."""
        return self.tags_allow is None or tag.startswith(tuple(self.tags_allow))


class BleSettings(_Station):
    """A Bluetooth radio, through BlueZ."""

    driver: Literal["ble"]
    backend: str = "bluez"
    """``bluez``, or ``module:Class`` of a bleak scanner backend."""
    adapter: Adapter | None = None
    """Such as ``hci0``; the first one where none is named."""
    adapters: Annotated[list[Adapter], Field(min_length=1, max_length=MOST_ADAPTERS)] | None = None
    """Several radios of one station, in place of ``adapter``."""
    silence_s: Annotated[float, Field(gt=0, le=86_400)] = 90.0
    """No advert at all for this long: the scan is begun anew, and more where that is no chance."""
    heartbeat: TagPrefix | None = None
    """A beacon at the gateway itself: while it is silent the radio has stalled."""
    recover: Literal["scan", "adapter", "service"] = "service"
    """How far a recovery may go: begin the scan anew, switch the adapter, restart the service."""

    @model_validator(mode="after")
    def _adapters_are_named_once(self) -> BleSettings:
        if self.adapters is not None:
            if self.adapter is not None:
                raise ValueError("give either adapter or adapters")
            if len(set(self.adapters)) != len(self.adapters):
                raise ValueError("adapters names one twice")
        return self

    @property
    def radios(self) -> list[str | None]:
        """The adapters to scan with; ``None`` is the first that there is."""
        return [self.adapter] if self.adapters is None else list(self.adapters)

    @field_validator("backend")
    @classmethod
    def _named(cls, value: str) -> str:
        if value != "bluez":
            module, colon, name = value.partition(":")
            if not colon or not name.isidentifier() or not module:
                raise ValueError("write bluez, or module:Class of a bleak scanner backend")
        return value


class LlrpSettings(_Station):
    """A UHF reader on the network."""

    driver: Literal["llrp"]
    address: HostPort
    """``host:port``; port 5084 where none is given."""
    absence_s: Annotated[float, Field(gt=0, le=86_400)] = 60.0
    hold_off_s: Annotated[float, Field(gt=0, le=3600)] = 2.0
    """Reads of a tag that lie this far apart are two passages of one visit."""
    ro_spec: Literal["own", "adopt"] = "own"
    """``own`` sets up an inventory over all antennas; ``adopt`` listens to the reader's own."""
    keep_alive_s: Annotated[float, Field(ge=0.1, le=3600)] = 10.0
    """The reader is asked to show itself this often; three times as long is silence."""
    timeout_s: Annotated[float, Field(gt=0, le=60)] = 5.0

    @property
    def host(self) -> str:
        """Of ``address``."""
        return host_and_port(self.address, LLRP_PORT)[0]

    @property
    def port(self) -> int:
        """Of ``address``; LLRP's own where it names none."""
        return host_and_port(self.address, LLRP_PORT)[1]


CheckinSettings = Annotated[BleSettings | LlrpSettings, Field(discriminator="driver")]
