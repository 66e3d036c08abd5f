"""``[[checkin]]``: one station, listening with a Bluetooth radio or a UHF reader."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, field_validator

from vigil_edge.configuration.addresses import HostPort, host_and_port
from vigil_edge.configuration.device import DeviceSettings

LLRP_PORT = 5084


_KINDS = ("ibeacon:", "eddystone-uid:", "epc:")


def _tag_prefix(text: str) -> str:
    """As tags are written: a UUID may be given with its dashes, hexadecimal in capitals."""
    prefix = text.strip().lower()
    if prefix.startswith("ibeacon:"):
        prefix = prefix.replace("-", "")
    if not prefix.startswith(_KINDS):
        raise ValueError("write ibeacon:, eddystone-uid: or epc:, and the beginning of the id")
    return prefix


TagPrefix = Annotated[str, AfterValidator(_tag_prefix)]


class _Station(DeviceSettings):
    absence_s: Annotated[float, Field(gt=0, le=86_400)] = 60.0
    """Not seen for this long: departed."""
    min_sightings: Annotated[int, Field(ge=1, le=1000)] = 2
    """Before that, a tag is not said to have arrived."""
    tags_allow: list[TagPrefix] | None = None
    """Prefixes of tag ids (``ibeacon:``, ``epc:3014``) that are taken; others are only counted."""
    observation_s: Annotated[float, Field(gt=0, le=86_400)] = 60.0
    """How often the numbers of tags and adverts are sent."""

    def allows(self, tag: str) -> bool:
        """Whether sightings of this tag become visits."""
        return self.tags_allow is None or tag.startswith(tuple(self.tags_allow))


class BleSettings(_Station):
    """A Bluetooth radio, through BlueZ."""

    driver: Literal["ble"]
    backend: str = "bluez"
    """``bluez``, or ``module:Class`` of a bleak scanner backend."""
    adapter: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:-]{1,40}$")] | None = None
    """Such as ``hci0``; the first one where none is named."""
    silence_s: Annotated[float, Field(gt=0, le=86_400)] = 90.0
    """No advert at all for this long: the scan is begun anew."""

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
