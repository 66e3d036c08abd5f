"""BLE advertisement payloads: iBeacon, Eddystone, AltBeacon. Pure; never raises on any bytes.

Sources: Bluetooth Core Supplement, part A (AD structures: length, type, data);
Apple "Proximity Beacon Specification" (company 0x004C, type 0x02, length 0x15);
Google "Eddystone" (service 0xFEAA, frame types 0x00 UID, 0x20 TLM, 0x30 EID);
Radius Networks "AltBeacon" 1.0 (any company, code 0xBEAC).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

AD_SERVICE_DATA_16: Final = 0x16
AD_MANUFACTURER: Final = 0xFF
APPLE: Final = 0x004C
EDDYSTONE: Final = 0xFEAA
EDDYSTONE_UUID: Final = "0000feaa-0000-1000-8000-00805f9b34fb"
_IBEACON_BYTES: Final = 22
"""Without the byte for the power at 1 m, which some beacons leave out."""
_IBEACON_HEAD: Final = b"\x02\x15"
_BARE_BYTES: Final = (2 + _IBEACON_BYTES, 3 + _IBEACON_BYTES)
_ALTBEACON_HEAD: Final = b"\xbe\xac"
_ALTBEACON_BYTES: Final = 23
"""Without the byte that is the manufacturer's own."""
_UID_FRAME: Final = 0x00
_UID_BYTES: Final = 18  # many leave out the two reserved bytes, others add their battery
_TLM_FRAME: Final = 0x20
_TLM_BYTES: Final = 14
_TLM_NO_TEMPERATURE: Final = 0x8000
_EID_FRAME: Final = 0x30
_EID_BYTES: Final = 10


@dataclass(frozen=True, slots=True)
class IBeacon:
    """``tx_power`` is the level in dBm that a receiver sees at 1 m, where the beacon says it."""

    uuid: UUID
    major: int
    minor: int
    tx_power: int | None

    @property
    def tag(self) -> str:
        """The contract's tag id."""
        return f"ibeacon:{self.uuid.hex}:{self.major}:{self.minor}"

    def as_json(self) -> dict[str, Any]:
        """What ``vigil-edge checkin decode`` prints."""
        return {
            "kind": "ibeacon",
            "uuid": str(self.uuid),
            "major": self.major,
            "minor": self.minor,
            "tx_power": self.tx_power,
        }


@dataclass(frozen=True, slots=True)
class EddystoneUid:
    """``namespace`` 10 bytes, ``instance`` 6 bytes; ``tx_power`` in dBm at 0 m."""

    namespace: bytes
    instance: bytes
    tx_power: int

    @property
    def tag(self) -> str:
        """The contract's tag id."""
        return f"eddystone-uid:{self.namespace.hex()}:{self.instance.hex()}"

    def as_json(self) -> dict[str, Any]:
        """What ``vigil-edge checkin decode`` prints."""
        return {
            "kind": "eddystone-uid",
            "namespace": self.namespace.hex(),
            "instance": self.instance.hex(),
            "tx_power": self.tx_power,
        }


@dataclass(frozen=True, slots=True)
class EddystoneEid:
    """``eid``: 8 bytes that change every few minutes; only who has the key knows whose they are."""

    eid: bytes
    tx_power: int

    @property
    def tag(self) -> str:
        """The contract's tag id, for as long as it is sent."""
        return f"eddystone-eid:{self.eid.hex()}"

    def as_json(self) -> dict[str, Any]:
        """What ``vigil-edge checkin decode`` prints."""
        return {"kind": "eddystone-eid", "eid": self.eid.hex(), "tx_power": self.tx_power}


@dataclass(frozen=True, slots=True)
class AltBeacon:
    """``id`` 20 bytes, of which the first 16 mostly name an organisation; ``tx_power`` at 1 m."""

    company: int
    id: bytes
    tx_power: int

    @property
    def tag(self) -> str:
        """The contract's tag id."""
        return f"altbeacon:{self.id.hex()}"

    def as_json(self) -> dict[str, Any]:
        """What ``vigil-edge checkin decode`` prints."""
        return {
            "kind": "altbeacon",
            "company": self.company,
            "id": self.id.hex(),
            "tx_power": self.tx_power,
        }


@dataclass(frozen=True, slots=True)
class EddystoneTlm:
    """How a beacon is doing: no identity of its own, it is that of the address that sent it."""

    battery_mv: int | None
    """``None`` where the beacon is not on a battery (it states 0)."""
    temperature_c: float | None
    adverts: int
    uptime_s: float

    def as_json(self) -> dict[str, Any]:
        """What ``vigil-edge checkin decode`` prints."""
        return {
            "kind": "eddystone-tlm",
            "battery_mv": self.battery_mv,
            "temperature_c": self.temperature_c,
            "adverts": self.adverts,
            "uptime_s": self.uptime_s,
        }


Identity = IBeacon | EddystoneUid | EddystoneEid | AltBeacon
"""Frames that name a tag of the contract."""
Beacon = Identity | EddystoneTlm


def from_manufacturer(company: int, data: bytes) -> IBeacon | AltBeacon | None:
    """``data`` is what follows the company identifier."""
    if company == APPLE and len(data) >= _IBEACON_BYTES and data[:2] == _IBEACON_HEAD:
        power = data[22:23]
        return IBeacon(
            uuid=UUID(bytes=bytes(data[2:18])),
            major=int.from_bytes(data[18:20], "big"),
            minor=int.from_bytes(data[20:22], "big"),
            tx_power=int.from_bytes(power, "big", signed=True) if power else None,
        )
    if len(data) >= _ALTBEACON_BYTES and data[:2] == _ALTBEACON_HEAD:
        return AltBeacon(company, bytes(data[2:22]), int.from_bytes(data[22:23], signed=True))
    return None


def from_service(service: int, data: bytes) -> EddystoneUid | EddystoneEid | EddystoneTlm | None:
    """``data`` is what follows the 16-bit service identifier."""
    if service != EDDYSTONE or not data:
        return None
    if data[0] == _UID_FRAME and len(data) >= _UID_BYTES:
        return EddystoneUid(
            namespace=bytes(data[2:12]),
            instance=bytes(data[12:18]),
            tx_power=int.from_bytes(data[1:2], "big", signed=True),
        )
    if data[0] == _EID_FRAME and len(data) >= _EID_BYTES:
        return EddystoneEid(bytes(data[2:10]), int.from_bytes(data[1:2], "big", signed=True))
    if data[:2] == bytes((_TLM_FRAME, 0)) and len(data) >= _TLM_BYTES:
        raw = int.from_bytes(data[4:6], "big")
        return EddystoneTlm(
            battery_mv=int.from_bytes(data[2:4], "big") or None,
            temperature_c=None
            if raw == _TLM_NO_TEMPERATURE
            else int.from_bytes(data[4:6], "big", signed=True) / 256,
            adverts=int.from_bytes(data[6:10], "big"),
            uptime_s=int.from_bytes(data[10:14], "big") / 10,
        )
    return None


def from_advertisement(
    manufacturer: Mapping[int, bytes], services: Mapping[str, bytes]
) -> list[Beacon]:
    """Every beacon in data that a BLE stack has taken apart; service keys are 128-bit UUIDs."""
    found: list[Beacon | None] = [
        from_manufacturer(company, data) for company, data in manufacturer.items()
    ]
    frame = services.get(EDDYSTONE_UUID)
    found.append(None if frame is None else from_service(EDDYSTONE, frame))
    return [beacon for beacon in found if beacon is not None]


def structures(payload: bytes) -> Iterator[tuple[int, bytes]]:
    """AD type and data of each structure. Raises ``ValueError`` where one runs past the end."""
    at = 0
    while at < len(payload):
        length = payload[at]
        if length == 0:  # early termination: the rest is padding
            return
        if at + 1 + length > len(payload):
            raise ValueError(f"AD length {length} at byte {at} runs past the end")
        yield payload[at + 1], payload[at + 2 : at + 1 + length]
        at += 1 + length


def decode(payload: bytes) -> list[Beacon]:
    """Every beacon in an advertisement payload, in order.

    A structure that runs past the end costs itself, not what stands before it, as in
    the stacks of receivers. Bare manufacturer data (``4c00 0215 …``) or service data
    (``aafe 00 …``) is taken too, but only where the bytes cannot be read as AD structures.
    """
    found: list[Beacon] = []
    try:
        for kind, data in structures(payload):
            beacon = _in_structure(kind, data)
            if beacon is not None:
                found.append(beacon)
    except ValueError:
        return found or _bare(payload)
    return found


def _in_structure(kind: int, data: bytes) -> Beacon | None:
    if len(data) < 2:
        return None
    identifier = int.from_bytes(data[:2], "little")
    if kind == AD_MANUFACTURER:
        return from_manufacturer(identifier, data[2:])
    if kind == AD_SERVICE_DATA_16:
        return from_service(identifier, data[2:])
    return None


def _bare(payload: bytes) -> list[Beacon]:
    head = int.from_bytes(payload[:2], "little")
    beacon: Beacon | None = from_service(head, payload[2:])
    if len(payload) in _BARE_BYTES and head == APPLE:
        beacon = from_manufacturer(APPLE, payload[2:])
    return [] if beacon is None else [beacon]
