"""BLE advertisement payloads: iBeacon and Eddystone-UID. Pure; never raises on any bytes.

Sources: Bluetooth Core Supplement, part A (AD structures: length, type, data);
Apple "Proximity Beacon Specification" (company 0x004C, type 0x02, length 0x15);
Google "Eddystone-UID" (service 0xFEAA, frame type 0x00).
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
_IBEACON_BYTES: Final = 23
_IBEACON_HEAD: Final = b"\x02\x15"
_UID_FRAME: Final = 0x00
_UID_BYTES: Final = range(18, 21)  # the two reserved bytes at the end are left out by many beacons


@dataclass(frozen=True, slots=True)
class IBeacon:
    """``tx_power`` is the level in dBm that a receiver sees at 1 m."""

    uuid: UUID
    major: int
    minor: int
    tx_power: int

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


Beacon = IBeacon | EddystoneUid


def from_manufacturer(company: int, data: bytes) -> IBeacon | None:
    """``data`` is what follows the company identifier."""
    if company != APPLE or len(data) < _IBEACON_BYTES or data[:2] != _IBEACON_HEAD:
        return None
    return IBeacon(
        uuid=UUID(bytes=bytes(data[2:18])),
        major=int.from_bytes(data[18:20], "big"),
        minor=int.from_bytes(data[20:22], "big"),
        tx_power=int.from_bytes(data[22:23], "big", signed=True),
    )


def from_service(service: int, data: bytes) -> EddystoneUid | None:
    """``data`` is what follows the 16-bit service identifier."""
    if service != EDDYSTONE or len(data) not in _UID_BYTES or data[0] != _UID_FRAME:
        return None
    return EddystoneUid(
        namespace=bytes(data[2:12]),
        instance=bytes(data[12:18]),
        tx_power=int.from_bytes(data[1:2], "big", signed=True),
    )


def from_advertisement(
    manufacturer: Mapping[int, bytes], services: Mapping[str, bytes]
) -> Beacon | None:
    """From data that a BLE stack has already taken apart; service keys are 128-bit UUIDs."""
    apple = manufacturer.get(APPLE)
    if apple is not None and (beacon := from_manufacturer(APPLE, apple)):
        return beacon
    uid = services.get(EDDYSTONE_UUID)
    return None if uid is None else from_service(EDDYSTONE, uid)


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


def decode(payload: bytes) -> Beacon | None:
    """The beacon in an advertisement payload, or ``None``.

    A structure that runs past the end costs itself, not what stands before it, as in
    the stacks of receivers. Bare manufacturer data (``4c00 0215 …``) or service data
    (``aafe 00 …``) is taken too, but only where the bytes cannot be read as AD structures.
    """
    try:
        for kind, data in structures(payload):
            beacon = _in_structure(kind, data)
            if beacon is not None:
                return beacon
    except ValueError:
        return _bare(payload)
    return None


def _in_structure(kind: int, data: bytes) -> Beacon | None:
    if len(data) < 2:
        return None
    identifier = int.from_bytes(data[:2], "little")
    if kind == AD_MANUFACTURER:
        return from_manufacturer(identifier, data[2:])
    if kind == AD_SERVICE_DATA_16:
        return from_service(identifier, data[2:])
    return None


def _bare(payload: bytes) -> Beacon | None:
    head = int.from_bytes(payload[:2], "little")
    if len(payload) == 2 + _IBEACON_BYTES and head == APPLE:
        return from_manufacturer(APPLE, payload[2:])
    return from_service(head, payload[2:])
