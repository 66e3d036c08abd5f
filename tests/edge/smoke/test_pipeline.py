"""The smoke pipeline on a real broker: nothing lost over restarts of either side, nothing twice."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

import servers
from edge.room import MemoryRoom
from edge.smoke.home import Home, alarms, listening, section
from vigil_edge.smoke import pipeline
from vigil_edge.smoke.settings import Settings
from vigil_edge.source import SourceError
from vigil_schemas.smoke import SmokeAlarm
from vigil_schemas.types import Lane


async def test_smoke_goes_into_the_alarm_lane_once_and_clears(home: Home) -> None:
    room = MemoryRoom(gateway=home.base)
    async with listening(home.settings(), room) as task:
        for smoke in (False, True, True, False):
            home.say("kitchen", {"smoke": smoke, "battery": 97, "linkquality": 60})
        home.say("floor 2/hall", {"smoke": False, "battery_low": True})
        await room.until(lambda: len(alarms(room)) >= 3, task)
    assert alarms(room) == [
        ("home-1", "smoke", True),
        ("home-1", "smoke", False),
        ("home-2", "battery_alert", True),
    ]
    assert [out.lane for out in room.accepted if isinstance(out.data, SmokeAlarm)] == [
        *(Lane.ALARM, Lane.ALARM, Lane.EVENT)
    ]
    assert [(r.parameter, r.unit, r.value) for r in room.readings()] == [("battery", "%", 97.0)]


async def test_an_alarm_raised_while_the_agent_was_down_is_not_lost(home: Home) -> None:
    states: dict[str, bytes] = {}
    before = MemoryRoom(gateway=home.base, states=states)
    async with listening(home.settings(), before):
        pass
    home.say("kitchen", {"smoke": True})
    home.say("kitchen", {"smoke": False})
    room = MemoryRoom(gateway=home.base, states=states)
    async with listening(home.settings(), room) as task:
        await room.until(lambda: len(alarms(room)) >= 2, task)
    assert alarms(room) == [("home-1", "smoke", True), ("home-1", "smoke", False)]


async def test_an_alarm_that_could_not_be_kept_is_delivered_again(home: Home) -> None:
    states: dict[str, bytes] = {}
    room = MemoryRoom(gateway=home.base, states=states)
    pipe = pipeline.build(home.settings(), room)
    task = asyncio.create_task(pipe.run())
    await room.until(lambda: bool(room.reports), task)
    room.fail_next = OSError("disk full")
    home.say("kitchen", {"smoke": True})
    with pytest.raises(OSError, match="disk full"):
        await task
    assert alarms(room) == []
    again = MemoryRoom(gateway=home.base, states=states)
    async with listening(home.settings(), again) as task:
        await again.until(lambda: bool(alarms(again)), task)
    assert alarms(again) == [("home-1", "smoke", True)]


async def test_a_retained_fire_is_told_once_over_restarts(home: Home) -> None:
    home.say("kitchen", {"smoke": True}, retain=True)
    states: dict[str, bytes] = {}
    first = MemoryRoom(gateway=home.base, states=states)
    async with listening(home.settings(), first) as task:
        await first.until(lambda: bool(alarms(first)), task)
    second = MemoryRoom(gateway=home.base, states=states)
    async with listening(home.settings(), second) as task:
        home.say("floor 2/hall", {"test": True})
        await second.until(lambda: bool(alarms(second)), task)
    assert alarms(first) == [("home-1", "smoke", True)]
    assert alarms(second) == [("home-2", "test", True)]


async def test_broken_payloads_are_counted_and_hide_nothing(home: Home) -> None:
    room = MemoryRoom(gateway=home.base)
    async with listening(home.settings(), room) as task:
        home.say("kitchen", b"\xff\xfe{")
        home.say("kitchen", b"[]")
        home.say("kitchen", b"")
        home.say("kitchen/availability", b"maybe")
        home.say("kitchen", {"battery": "full", "smoke": True})
        await room.until(lambda: bool(alarms(room)), task)
    assert alarms(room) == [("home-1", "smoke", True)]
    assert room.counters["smoke-payload-malformed"] == 2
    assert room.counters["smoke-payload-wrong-type"] == 1
    assert room.counters["smoke-availability-unreadable"] == 1


async def test_bridge_and_availability(home: Home) -> None:
    room = MemoryRoom(gateway=home.base)
    async with listening(home.settings(), room) as task:
        home.say("bridge/state", b'{"state":"offline"}')
        await room.until(lambda: room.reports[-1][:2] == ("degraded", "bridge-offline"), task)
        home.say("bridge/state", b"online")
        await room.until(lambda: room.reports[-1][0] == "ok", task)
        home.say("kitchen/availability", b'{"state":"offline"}')
        home.say("kitchen/availability", b'{"state":"online"}')
        await room.until(lambda: len(alarms(room)) >= 2, task)
    assert alarms(room) == [("home-1", "link_lost", True), ("home-1", "link_lost", False)]


async def test_a_broker_that_dies_is_a_source_error(tmp_path: Path) -> None:
    broker = servers.mosquitto(tmp_path / "own")
    home = Home(broker)
    room = MemoryRoom(gateway=home.base)
    try:
        task = asyncio.create_task(pipeline.build(home.settings(), room).run())
        await room.until(lambda: bool(room.reports), task)
        broker.kill()
        with pytest.raises(SourceError) as caught:
            async with asyncio.timeout(20):
                await task
        assert caught.value.code == "broker-lost"
        with pytest.raises(SourceError) as caught:
            await pipeline.build(home.settings(), room).run()
        assert caught.value.code == "broker-unreachable"
    finally:
        home.close()
        broker.stop()


async def test_a_broker_that_wants_a_password(tmp_path: Path) -> None:
    broker = servers.mosquitto(tmp_path / "closed", extra="allow_anonymous false")
    made = Settings.model_validate(
        {
            "driver": "zigbee2mqtt",
            "broker": broker.url,
            "alarm": [{"friendly_name": "a", "device": "a"}],
        }
    )
    try:
        with pytest.raises(SourceError) as caught:
            await pipeline.build(made, MemoryRoom()).run()
    finally:
        broker.stop()
    assert caught.value.code == "broker-refused"


async def test_a_certificate_file_that_is_none(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("no certificate")
    made = section("mqtts://127.0.0.1:1", "z2m", ca_file=file)
    with pytest.raises(SourceError) as caught:
        await pipeline.build(made, MemoryRoom()).run()
    assert caught.value.code == "broker-unreachable"


def test_every_alarm_is_a_device_of_its_own(tmp_path: Path) -> None:
    made = Settings.model_validate(
        {
            "driver": "zigbee2mqtt",
            "alarm": [
                {"friendly_name": "a", "device": "home-1", "name_zh": "廚房", "latitude": 23.5}
            ],
        }
    )
    bridge, alarm = pipeline.describe(made)
    assert bridge.device == "home-1.bridge"
    assert (alarm.device, alarm.name_zh, alarm.latitude) == ("home-1", "廚房", 23.5)
