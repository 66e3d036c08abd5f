"""One radio address that carries several identities: each advert counts, and nothing else does.

Played through bleak's own BlueZ code on a private D-Bus, where the state of a device
accumulates, and through the socket stand-in, where each advert comes alone.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

import servers
from edge.checkin.station import running, settings, visits
from edge.memory_context import MemoryContext
from vigil_edge.checkin.fresh import FreshAdverts
from vigil_sim.checkin.beacons import Advert, Beacon
from vigil_sim.checkin.bluez import BluezStandIn

ADDRESS = "AA:BB:CC:00:00:01"
IB = Beacon.ibeacon(ADDRESS, "e2c56db5-dffb-48d2-b060-d0f5a71096e0", 1, 2)
UID = Beacon.eddystone_uid(ADDRESS, "00112233445566778899", "aabbccddeeff")
OTHER = Beacon.ibeacon("AA:BB:CC:00:00:02", "e2c56db5-dffb-48d2-b060-d0f5a71096e0", 9, 9)
EDDYSTONE = "0000feaa-0000-1000-8000-00805f9b34fb"


def ib(rssi: int = -60) -> Advert:
    return Advert(ADDRESS, rssi, manufacturer_data=dict(IB.manufacturer_data))


def uid(rssi: int = -60) -> Advert:
    return Advert(ADDRESS, rssi, service_data=dict(UID.service_data))


def tlm(battery_mv: int = 2950, quarter_degrees: int = 86) -> Advert:
    body = b"\x20\x00" + battery_mv.to_bytes(2, "big") + (quarter_degrees * 64).to_bytes(2, "big")
    return Advert(ADDRESS, -60, service_data={EDDYSTONE: body + bytes(8)})


def strength(rssi: int) -> Advert:
    """Only the signal strength: no data of its own."""
    return Advert(ADDRESS, rssi)


async def heard(stand_in: Any, adverts: list[Advert], **keys: Any) -> Counter[str]:
    """Sightings by tag, once all of it, and another beacon after it, have departed."""
    context = MemoryContext()
    options = {"min_sightings": 1, "absence_s": 0.6} | keys
    made = settings({"driver": "ble", "backend": stand_in.backend, "adapter": "hci0"}, **options)
    last = Advert(OTHER.address, -50, manufacturer_data=dict(OTHER.manufacturer_data))
    async with running(made, context) as task:
        for advert in [*adverts, last]:
            stand_in.adapter().heard(advert)
        await context.until(
            lambda: (
                [v.tag for v in visits(context) if v.phase == "departed"].count(OTHER.tag) == 1
                and {v.tag for v in visits(context) if v.phase == "arrived"}
                == {v.tag for v in visits(context) if v.phase == "departed"}
            ),
            task,
        )
    heard.last = visits(context)  # type: ignore[attr-defined]
    return Counter(
        {
            v.tag: v.sightings
            for v in visits(context)
            if v.phase == "departed" and v.tag != OTHER.tag
        }
    )


async def test_two_slots_are_two_visits(stand_in: Any) -> None:
    assert await heard(stand_in, [ib(), uid()] * 6) == {IB.tag: 6, UID.tag: 6}


async def test_only_the_enrolled_slot(stand_in: Any) -> None:
    allow = ["eddystone-uid:", f"{OTHER.tag}"]
    assert await heard(stand_in, [ib(), uid()] * 6, tags_allow=allow) == {UID.tag: 6}


async def test_a_button_frame_between_others(stand_in: Any) -> None:
    adverts = [uid()] * 3 + [ib()] + [uid()] * 12
    allow = ["eddystone-uid:", f"{OTHER.tag}"]
    assert await heard(stand_in, adverts, tags_allow=allow) == {UID.tag: 15}


async def test_an_identity_that_was_sent_once_is_seen_once(stand_in: Any) -> None:
    assert await heard(stand_in, [ib()] + [tlm()] * 15) == {IB.tag: 1}


async def test_a_change_of_strength_is_no_sighting(stand_in: Any) -> None:
    adverts = [ib(-60), strength(-70), strength(-50), strength(-127)]
    assert await heard(stand_in, adverts) == {IB.tag: 1}


async def test_no_strength_is_no_number(stand_in: Any) -> None:
    context = MemoryContext()
    made = settings(
        {"driver": "ble", "backend": stand_in.backend, "adapter": "hci0"}, min_sightings=1
    )
    async with running(made, context) as task:
        for rssi in (127, 127, 0, -127):
            stand_in.adapter().heard(ib(rssi))
        await context.until(
            lambda: [v.phase for v in visits(context)] == ["arrived", "departed"], task
        )
    assert [(v.sightings, v.rssi_max_dbm) for v in visits(context)][1] == (4, None)


async def test_without_the_byte_of_power(stand_in: Any) -> None:
    short = {0x4C: next(iter(IB.manufacturer_data.values()))[:-1]}
    adverts = [Advert(ADDRESS, -60, manufacturer_data=short)] * 4
    assert await heard(stand_in, adverts) == {IB.tag: 4}


async def test_both_in_one_extended_advert(stand_in: Any) -> None:
    both = Advert(
        ADDRESS,
        -60,
        manufacturer_data=dict(IB.manufacturer_data),
        service_data=dict(UID.service_data),
    )
    assert await heard(stand_in, [both] * 3) == {IB.tag: 3, UID.tag: 3}


async def test_telemetry_is_the_tags_health(stand_in: Any) -> None:
    await heard(stand_in, [uid(), tlm(), uid()])
    told = [v for v in heard.last if v.tag == UID.tag]  # type: ignore[attr-defined]
    assert (told[-1].battery_mv, told[-1].temperature_c) == (2950, 21.5)


async def test_what_was_advertised_before_the_scan_is_no_sighting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """BlueZ remembers a device for minutes, with what it advertised last."""
    servers.need("dbus-daemon", "apt-get install dbus")
    made = BluezStandIn()
    await made.start()
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    try:
        made.adapter().heard(ib())
        assert await heard(made, [tlm()] * 3 + [strength(-50)]) == {}
    finally:
        await made.stop()


def test_a_device_that_comes_again_is_fresh() -> None:
    fresh = FreshAdverts()
    data = {0x4C: b"\x02\x15"}
    assert fresh.of("/a", {"ManufacturerData": data}).manufacturer == data
    assert not fresh.of("/a", {"ManufacturerData": data})
    assert fresh.of("/a", {"ManufacturerData": dict(data)}).manufacturer == data
    assert not fresh.of("/a", {})
    assert fresh.of("/a", {"ManufacturerData": dict(data)}).manufacturer == data


def test_what_accumulates_inside_a_property_counts_once() -> None:
    fresh = FreshAdverts()
    fresh.of("/a", {"ManufacturerData": {1: b"a"}})
    both = {1: b"a", 2: b"b"}
    assert fresh.of("/a", {"ManufacturerData": both}).manufacturer == {2: b"b"}
    assert fresh.of("/a", {"ManufacturerData": dict(both)}).manufacturer == both
