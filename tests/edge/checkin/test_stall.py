"""A radio that stalls without an error: the stand-in for BlueZ, through bleak's own code."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

import servers
from edge.checkin.station import running, settings, visits
from edge.memory_context import MemoryContext
from vigil_sim.checkin.beacons import Advert, Beacon
from vigil_sim.checkin.bluez import BluezStandIn

AMULET = Beacon.ibeacon("AA:BB:CC:00:00:01", "e2c56db5-dffb-48d2-b060-d0f5a71096e0", 1, 2)
BEAT = Beacon.ibeacon("AA:BB:CC:00:00:0F", "e2c56db5-dffb-48d2-b060-d0f5a71096e0", 9, 9)


@pytest.fixture
async def bluez(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[BluezStandIn]:
    servers.need("dbus-daemon", "apt-get install dbus")
    made = BluezStandIn(("hci0", "hci1"))
    await made.start()
    for name, value in made.environment.items():
        monkeypatch.setenv(name, value)
    yield made
    await made.stop()


def advert(beacon: Beacon) -> Advert:
    return beacon.advert(-60)


def station(**keys: Any) -> Any:
    given = {"driver": "ble", "adapter": "hci0", "min_sightings": 1, "absence_s": 600}
    return settings(given, **{"silence_s": 0.6, "heartbeat": BEAT.tag} | keys)


@pytest.mark.parametrize(
    ("until", "counters"),
    [
        ("scan", ["ble-scan-restarted"]),
        ("adapter", ["ble-scan-restarted", "ble-adapter-cycled"]),
        ("service", ["ble-scan-restarted", "ble-adapter-cycled", "ble-service-restarted"]),
    ],
)
async def test_a_stall_is_ended_by_the_mildest_step_that_helps(
    bluez: BluezStandIn, until: Any, counters: list[str]
) -> None:
    context = MemoryContext()
    async with running(station(), context) as task:
        bluez.adapter().heard(advert(BEAT))
        bluez.stall(until)

        def heard_again() -> bool:
            bluez.adapter().heard(advert(BEAT))
            return context.counters[f"ble-recovered-by-{until}"] >= 1

        await context.until(heard_again, task)
        assert {code for _, code, _ in context.reports} >= {"ble-stalled"}
        await context.until(lambda: context.reports[-1][0] == "ok", task)
        # The station hears as before.
        bluez.adapter().heard(advert(AMULET))
        await context.until(lambda: bool(visits(context)), task)
    assert all(context.counters[name] >= 1 for name in counters)
    assert bluez.restarts == (1 if until == "service" else 0)
    assert {visit.tag for visit in visits(context)} == {AMULET.tag}, "the heartbeat visits nobody"


async def test_a_recovery_goes_no_further_than_it_may(bluez: BluezStandIn) -> None:
    context = MemoryContext()
    async with running(station(recover="scan"), context) as task:
        bluez.stall("service")
        await context.until(lambda: context.counters["ble-scan-restarted"] >= 3, task)
    assert not context.counters["ble-adapter-cycled"]
    assert bluez.restarts == 0


async def test_a_station_hears_with_several_radios_and_goes_on_with_one(
    bluez: BluezStandIn,
) -> None:
    context = MemoryContext()
    made = station(adapter=None, adapters=["hci0", "hci1", "hci7"], silence_s=60, heartbeat=None)
    other = Beacon.eddystone_uid("AA:BB:CC:00:00:02", "00" * 10, "11" * 6)
    async with running(made, context) as task:
        await context.until(lambda: context.reports[-1][1] == "ble-adapter-failed", task)
        bluez.adapter("hci0").heard(advert(AMULET))
        bluez.adapter("hci1").heard(advert(other))
        await context.until(lambda: len(visits(context)) == 2, task)
    assert {visit.tag for visit in visits(context)} == {AMULET.tag, other.tag}


async def test_a_heartbeat_that_falls_silent_alone_is_said(bluez: BluezStandIn) -> None:
    context = MemoryContext()
    async with running(station(silence_s=1.0), context) as task:

        def others_are_heard() -> bool:
            bluez.adapter().heard(advert(AMULET))
            return context.reports[-1][1] == "heartbeat-missing"

        await context.until(others_are_heard, task)
    assert not context.counters["ble-scan-restarted"]


def test_adapters_are_named_once() -> None:
    with pytest.raises(ValueError, match="either adapter or adapters"):
        station(adapters=["hci1"])
    with pytest.raises(ValueError, match="twice"):
        station(adapter=None, adapters=["hci1", "hci1"])
