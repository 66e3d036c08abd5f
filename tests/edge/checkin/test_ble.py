"""BLE stations end to end: bleak's own BlueZ code on a private D-Bus, and the socket stand-in."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from edge.checkin.station import phases, running, settings, visits
from edge.device.supervised import RecordedContext, supervised
from edge.memory_context import MemoryContext
from vigil_edge.checkin import pipeline
from vigil_edge.device.seam import SourceError
from vigil_sim.checkin.advert_socket import AdvertSocket
from vigil_sim.checkin.beacons import Advert, Beacon, ibeacon
from vigil_sim.checkin.bluez import BluezStandIn

AMULET = Beacon.ibeacon("AA:BB:CC:00:00:01", "e2c56db5-dffb-48d2-b060-d0f5a71096e0", 1, 2)


def advert(beacon: Beacon, rssi: int) -> Advert:
    return Advert(
        address=beacon.address,
        rssi=rssi,
        manufacturer_data=dict(beacon.manufacturer_data),
        service_data=dict(beacon.service_data),
    )


def ble(stand_in: Any, **keys: Any) -> Any:
    return settings({"driver": "ble", "backend": stand_in.backend, "adapter": "hci0"}, **keys)


async def test_an_amulet_that_passes_is_a_visit(stand_in: Any) -> None:
    context = MemoryContext()
    made = ble(stand_in, observation_s=0.2, absence_s=3)
    async with running(made, context) as task:
        for rssi in (-80, -62, -71):
            stand_in.adapter().heard(advert(AMULET, rssi))
        await context.until(lambda: "departed" in phases(context), task)
    arrived, departed = visits(context)
    assert arrived.tag == AMULET.tag
    assert arrived.carrier == "ble"
    assert arrived.visit_id == departed.visit_id
    assert departed.sightings == 3
    assert departed.rssi_max_dbm == -62
    counted = {r.parameter: r.value for r in context.readings() if r.value}
    assert counted["tags_seen"] == 1


async def test_only_allowed_tags_become_visits(stand_in: Any) -> None:
    stranger = Beacon.eddystone_uid("AA:BB:CC:00:00:02", "00" * 10, "11" * 6)
    context = MemoryContext()
    made = ble(stand_in, tags_allow=["ibeacon:e2c56db5"], min_sightings=1)
    async with running(made, context) as task:
        stand_in.adapter().heard(advert(stranger, -40))
        stand_in.adapter().heard(Advert("AA:BB:CC:00:00:03", -40, {0x4C: b"\x02\x15short"}))
        stand_in.adapter().heard(advert(AMULET, -60))
        await context.until(lambda: bool(visits(context)), task)
    assert {visit.tag for visit in visits(context)} == {AMULET.tag}


async def test_a_silent_radio_is_scanned_anew_until_it_is_heard_again(stand_in: Any) -> None:
    context = MemoryContext()
    made = ble(stand_in, silence_s=0.3)
    async with running(made, context) as task:
        await context.until(lambda: context.counters["ble-scan-restarted"] >= 1, task)
        await context.until(lambda: context.reports[-1][1] == "ble-silent", task)
        stand_in.adapter().heard(advert(AMULET, -60))
        await context.until(lambda: context.reports[-1][0] == "ok", task)


async def test_a_bluetooth_service_that_ends_is_a_source_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stand_in = AdvertSocket()
    await stand_in.start()
    for name, value in stand_in.environment.items():
        monkeypatch.setenv(name, value)
    context = MemoryContext()
    async with running(ble(stand_in, silence_s=0.3), context) as task:
        await stand_in.stop()
        with pytest.raises(SourceError) as caught:
            async with asyncio.timeout(60):
                await task
    assert caught.value.code == "ble-failed"


async def test_a_visit_goes_on_over_a_restart(stand_in: Any) -> None:
    states: dict[str, bytes] = {}
    before = MemoryContext(states=states)
    made = ble(stand_in, absence_s=30, min_sightings=1)
    async with running(made, before) as task:
        stand_in.adapter().heard(advert(AMULET, -60))
        await before.until(lambda: bool(visits(before)), task)
    after = MemoryContext(states=states)
    soon = ble(stand_in, absence_s=0.5, min_sightings=1)
    async with running(soon, after) as task:
        stand_in.adapter().heard(advert(AMULET, -50))
        await after.until(lambda: bool(visits(after)), task)
    assert phases(after) == ["departed"]
    assert visits(after)[0].visit_id == visits(before)[0].visit_id


async def test_a_radio_away_at_the_start_and_in_the_middle_comes_back(
    stand_in: Any,
) -> None:
    """No adapter at first; then bluetoothd is restarted under the scan."""
    there = stand_in.adapter().heard
    context = RecordedContext()
    name = ["hci7"]

    def build() -> Any:
        made = ble(stand_in, silence_s=0.5, absence_s=60, min_sightings=1)
        return pipeline.build(made.model_copy(update={"adapter": name[0]}), context)

    async with supervised(build, context, "gate") as record:
        if isinstance(stand_in, BluezStandIn):
            await context.until(lambda: record.counters["ble-failed"] >= 2)
            assert record.state == "failed"
        name[0] = "hci0"
        await context.until(lambda: record.state == "ok")
        there(advert(AMULET, -60))
        await context.until(lambda: phases(context) == ["arrived"])
        await stand_in.restart()

        def heard_again() -> bool:
            if stand_in.scanning():
                stand_in.adapter().heard(advert(AMULET, -55))
            return record.state == "ok" and "ble-silent" in {code for _, code, _ in context.reports}

        await context.until(heard_again)
    assert phases(context) == ["arrived"]


async def test_no_bluetooth(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path=/nowhere/bus")
    with pytest.raises(SourceError) as caught:
        await pipeline.build(settings({"driver": "ble"}), MemoryContext()).run()
    assert caught.value.code == "ble-failed"


@pytest.mark.parametrize("backend", ["no_such_module:Scanner", "os:no_such_class", "os:sep"])
async def test_a_backend_that_is_none(backend: str) -> None:
    with pytest.raises(SourceError) as caught:
        await pipeline.build(settings({"driver": "ble", "backend": backend}), MemoryContext()).run()
    assert caught.value.code == "ble-backend"


def test_ibeacon_data_as_the_stack_hands_it_over() -> None:
    from vigil_edge.checkin.advertisement import from_advertisement

    data = ibeacon("e2c56db5-dffb-48d2-b060-d0f5a71096e0", 1, 2, -59)
    found = from_advertisement({0x4C: data}, {})
    assert [getattr(beacon, "tag", None) for beacon in found] == [AMULET.tag]
    assert from_advertisement({}, {}) == []
