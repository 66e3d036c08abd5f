"""Beacons that people and things carry: what they say, and how loud it is at a distance."""

from __future__ import annotations

import math
import random
import re
import struct
import uuid as uuids
from dataclasses import dataclass, field
from typing import ClassVar, Final, Protocol, Self

from vigil_schemas.errors import VigilError

APPLE_COMPANY: Final = 0x004C
EDDYSTONE_UUID: Final = "0000feaa-0000-1000-8000-00805f9b34fb"
_LOSS_FIRST_METRE_DB: Final = 41
"""Eddystone states its power at the antenna; over the first metre 41 dB are lost."""
_NO_COMPANY: Final = 0xFFFF
"""Set aside by the Bluetooth SIG for devices of no company."""
_FLAGS: Final = bytes((0x02, 0x01, 0x06))
"""AD structure: LE general discoverable, no BR/EDR."""


class BeaconError(VigilError):
    """A beacon's identity cannot be encoded."""

    code: ClassVar[str] = "beacon-identity"
    remedy: ClassVar[str] = "Write UUID, namespace and numbers as the beacon's standard has them."


@dataclass(frozen=True, slots=True)
class Advert:
    """One advertisement as one radio heard it."""

    address: str
    """Bluetooth device address, ``AA:BB:CC:DD:EE:FF``."""
    rssi: int
    """dBm."""
    manufacturer_data: dict[int, bytes] = field(default_factory=dict)
    """By company identifier."""
    service_data: dict[str, bytes] = field(default_factory=dict)
    """By 128-bit UUID in lower case."""
    service_uuids: tuple[str, ...] = ()
    local_name: str | None = None
    tx_power: int | None = None


class Receiver(Protocol):
    """A radio that can hear adverts: an adapter of ``BluezStandIn`` or of ``AdvertSocket``."""

    def heard(self, advert: Advert) -> None:
        """Pass one advert to whoever is scanning; nobody scanning loses it."""


def ibeacon(uuid: str, major: int, minor: int, measured_power_dbm: int) -> bytes:
    """Apple manufacturer data (after the company identifier), 23 bytes.

    ``measured_power_dbm`` is the RSSI at one metre.
    """
    if not (0 <= major <= 0xFFFF and 0 <= minor <= 0xFFFF):
        raise BeaconError(f"major {major} and minor {minor} must fit 16 bits")
    try:
        identity = uuids.UUID(uuid).bytes
    except ValueError:
        raise BeaconError(f"{uuid!r} is not a UUID") from None
    return b"\x02\x15" + identity + struct.pack(">HHb", major, minor, measured_power_dbm)


def eddystone_uid(namespace: str, instance: str, tx_power_dbm: int) -> bytes:
    """Eddystone-UID service data (after the UUID 0xFEAA), 20 bytes with its two reserved ones.

    ``namespace`` 20 hex digits, ``instance`` 12; ``tx_power_dbm`` at zero metres.
    """
    if not re.fullmatch(r"[0-9a-fA-F]{20}", namespace):
        raise BeaconError(f"namespace {namespace!r} is not 20 hex digits")
    if not re.fullmatch(r"[0-9a-fA-F]{12}", instance):
        raise BeaconError(f"instance {instance!r} is not 12 hex digits")
    identity = bytes.fromhex(namespace + instance)
    return struct.pack(">Bb", 0x00, tx_power_dbm) + identity + b"\x00\x00"


def ibeacon_payload(uuid: str, major: int, minor: int, measured_power_dbm: int) -> bytes:
    """The whole advertising payload (30 bytes of AD structures) as it is on the air."""
    data = struct.pack("<H", APPLE_COMPANY) + ibeacon(uuid, major, minor, measured_power_dbm)
    return _FLAGS + bytes((len(data) + 1, 0xFF)) + data


def eddystone_uid_payload(namespace: str, instance: str, tx_power_dbm: int) -> bytes:
    """The whole advertising payload (31 bytes of AD structures) as it is on the air."""
    data = b"\xaa\xfe" + eddystone_uid(namespace, instance, tx_power_dbm)
    return _FLAGS + b"\x03\x03\xaa\xfe" + bytes((len(data) + 1, 0x16)) + data


@dataclass(frozen=True, slots=True)
class Beacon:
    """A transmitter. Make one with ``ibeacon``, ``eddystone_uid`` or ``bystander``."""

    address: str
    tag: str
    """For the ledger: the contract's tag id, or ``bystander`` for what is no tag."""
    manufacturer_data: dict[int, bytes]
    service_data: dict[str, bytes]
    power_1m_dbm: float = -59.0
    """RSSI at one metre."""
    interval_s: float = 0.1
    """Advertising interval, real seconds; the radio adds up to 10 ms by chance."""

    @classmethod
    def ibeacon(
        cls,
        address: str,
        uuid: str,
        major: int,
        minor: int,
        *,
        power_1m_dbm: float = -59.0,
        interval_s: float = 0.1,
    ) -> Self:
        """An amulet that speaks iBeacon."""
        data = ibeacon(uuid, major, minor, round(power_1m_dbm))
        tag = f"ibeacon:{uuids.UUID(uuid).hex}:{major}:{minor}"
        return cls(address, tag, {APPLE_COMPANY: data}, {}, power_1m_dbm, interval_s)

    @classmethod
    def eddystone_uid(
        cls,
        address: str,
        namespace: str,
        instance: str,
        *,
        power_1m_dbm: float = -59.0,
        interval_s: float = 0.1,
    ) -> Self:
        """A tag that speaks Eddystone-UID; ``namespace`` 20 and ``instance`` 12 hex digits."""
        data = eddystone_uid(namespace, instance, round(power_1m_dbm) + _LOSS_FIRST_METRE_DB)
        tag = f"eddystone-uid:{namespace}:{instance}".lower()
        return cls(address, tag, {}, {EDDYSTONE_UUID: data}, power_1m_dbm, interval_s)

    @classmethod
    def bystander(cls, address: str, *, interval_s: float = 1.0) -> Self:
        """Some shop's own device: heard, and nobody's tag. A street is never quite silent."""
        return cls(address, "bystander", {_NO_COMPANY: b"\x00\x01"}, {}, interval_s=interval_s)

    def advert(self, rssi: int) -> Advert:
        """What a radio hears of this beacon."""
        return Advert(
            self.address,
            rssi,
            dict(self.manufacturer_data),
            dict(self.service_data),
            tuple(self.service_data),
        )


def rssi_at(
    distance_m: float,
    power_1m_dbm: float,
    *,
    exponent: float = 2.2,
    shadowing_db: float = 0.0,
    rng: random.Random | None = None,
) -> float:
    """Log-distance path loss with log-normal shadowing, dBm. Nearer than 10 cm counts as 10 cm."""
    loss = 10 * exponent * math.log10(max(distance_m, 0.1))
    shadow = rng.gauss(0.0, shadowing_db) if rng is not None else 0.0
    return power_1m_dbm - loss + shadow
