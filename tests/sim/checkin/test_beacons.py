"""What beacons say, byte by byte, and how loud they are."""

from __future__ import annotations

import random
import statistics
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vigil_schemas.checkin import CheckinVisit
from vigil_sim.checkin.beacons import (
    Beacon,
    BeaconError,
    eddystone_uid,
    eddystone_uid_payload,
    ibeacon_payload,
    rssi_at,
)


def structures(payload: bytes) -> dict[int, bytes]:
    """AD structures by type (Core Specification, volume 3, part C, section 11)."""
    found: dict[int, bytes] = {}
    at = 0
    while at < len(payload):
        length = payload[at]
        found[payload[at + 1]] = payload[at + 2 : at + 1 + length]
        at += 1 + length
    assert at == len(payload)
    return found


def test_an_ibeacon_on_the_air() -> None:
    payload = ibeacon_payload("F7826DA6-4FA2-4E98-8024-BC5B71E0893E", 1, 2, -59)
    assert payload.hex() == ("0201061aff4c000215f7826da64fa24e988024bc5b71e0893e00010002c5")


def test_an_eddystone_uid_on_the_air() -> None:
    payload = eddystone_uid_payload("00112233445566778899", "aabbccddeeff", -18)
    assert payload.hex() == ("0201060303aafe1716aafe00ee00112233445566778899aabbccddeeff0000")


@given(st.uuids(), st.integers(0, 0xFFFF), st.integers(0, 0xFFFF), st.integers(-128, 20))
def test_any_ibeacon_fits_one_advertisement(
    identity: uuid.UUID, major: int, minor: int, power: int
) -> None:
    payload = ibeacon_payload(str(identity), major, minor, power)
    assert len(payload) <= 31
    data = structures(payload)[0xFF]
    assert data[:4] == b"\x4c\x00\x02\x15"
    assert uuid.UUID(bytes=data[4:20]) == identity
    assert (int.from_bytes(data[20:22], "big"), int.from_bytes(data[22:24], "big")) == (
        major,
        minor,
    )
    assert int.from_bytes(data[24:], "big", signed=True) == power


@given(
    st.binary(min_size=10, max_size=10), st.binary(min_size=6, max_size=6), st.integers(-128, 20)
)
def test_any_eddystone_fits_one_advertisement(
    namespace: bytes, instance: bytes, power: int
) -> None:
    payload = eddystone_uid_payload(namespace.hex(), instance.hex(), power)
    assert len(payload) <= 31
    found = structures(payload)
    assert found[0x03] == b"\xaa\xfe"
    assert found[0x16][4:14] == namespace
    assert found[0x16][14:20] == instance


@pytest.mark.parametrize(
    "make",
    [
        lambda: ibeacon_payload("not-a-uuid", 1, 1, -59),
        lambda: ibeacon_payload(str(uuid.uuid4()), 65536, 1, -59),
        lambda: eddystone_uid("0011", "aabbccddeeff", -18),
        lambda: eddystone_uid("00112233445566778899", "xx", -18),
    ],
)
def test_what_is_no_identity(make: object) -> None:
    with pytest.raises(BeaconError):
        make()  # type: ignore[operator]  # a lambda


def test_tags_are_the_contracts() -> None:
    tags = [
        Beacon.ibeacon("C0:00:00:00:00:01", str(uuid.uuid4()).upper(), 7, 8).tag,
        Beacon.eddystone_uid("C0:00:00:00:00:02", "AA" * 10, "BB" * 6).tag,
    ]
    for tag in tags:
        visit = {
            "visit_id": "12345678",
            "phase": "arrived",
            "tag": tag,
            "carrier": "ble",
            "arrived": "2026-01-01T00:00:00Z",
            "last_seen": "2026-01-01T00:00:00Z",
            "sightings": 1,
        }
        assert CheckinVisit.model_validate(visit).tag == tag


def test_loudness_falls_with_distance() -> None:
    assert rssi_at(1.0, -59.0) == -59.0
    assert rssi_at(10.0, -59.0, exponent=2.0) == pytest.approx(-79.0)
    assert rssi_at(0.0, -59.0) == rssi_at(0.1, -59.0)
    rng = random.Random(1)
    heard = [rssi_at(5.0, -59.0, shadowing_db=4.0, rng=rng) for _ in range(4000)]
    assert statistics.mean(heard) == pytest.approx(rssi_at(5.0, -59.0), abs=0.3)
    assert statistics.stdev(heard) == pytest.approx(4.0, abs=0.3)
