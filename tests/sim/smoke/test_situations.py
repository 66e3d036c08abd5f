"""Situations of real homes that the simulated bridge can play, and what a gateway makes of them."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

import servers
from edge.device import supervised
from edge.memory_context import MemoryContext
from edge.smoke.home import alarms, fires
from sim.smoke.test_home import Subscriber, listening
from sim.waiting import until
from vigil_edge.smoke import sources
from vigil_edge.smoke.settings import ZigbeeSettings
from vigil_schemas.gateway import DeviceHealth
from vigil_sim.faults import Fault, FaultKind, Faults
from vigil_sim.smoke.device import Zigbee2MqttHome, ZigbeeAlarm


class Lane:
    """Two alarms and the smoke at them."""

    def __init__(self, broker: str, **keys: Any) -> None:
        self.smoke = {"kitchen": 0.0, "hall": 0.0}
        of_kitchen = keys.pop("kitchen", {})
        of_hall = keys.pop("hall", {})
        self.home = Zigbee2MqttHome(
            [
                ZigbeeAlarm("kitchen", "home-1", lambda _: self.smoke["kitchen"], **of_kitchen),
                ZigbeeAlarm("hall", "home-2", lambda _: self.smoke["hall"], **of_hall),
            ],
            broker=broker,
            base_topic=f"z2m-{uuid.uuid4().hex[:8]}",
            device="bridge",
            tick_s=0.02,
            report_s=keys.pop("report_s", 0.2),
            **keys,
        )


@asynccontextmanager
async def played(lane: Lane, context: MemoryContext) -> AsyncIterator[asyncio.Task[None]]:
    """The home, and a gateway that listens to it."""
    await lane.home.start()
    try:
        made = ZigbeeSettings.model_validate(lane.home.section())
        async with supervised.running(sources.build(made, context)) as task:
            await context.until(lambda: bool(context.reports), task)
            yield task
    finally:
        await lane.home.stop()


def health(context: MemoryContext, device: str) -> list[tuple[str, str | None]]:
    return [
        (out.data.state, out.data.code)
        for out in context.accepted
        if isinstance(out.data, DeviceHealth) and out.subject == device
    ]


@pytest.mark.parametrize("dialect", ["plain", "state", "two_alarms", "words"])
@pytest.mark.parametrize("output", ["json", "attribute"])
async def test_a_fire_in_every_dialect(
    mosquitto: servers.Mosquitto, dialect: str, output: str
) -> None:
    lane = Lane(mosquitto.url, kitchen={"dialect": dialect}, output=output)
    context = MemoryContext()
    async with played(lane, context) as task:
        lane.smoke["kitchen"] = 9.0
        await context.until(lambda: bool(fires(context, "home-1")), task)
        lane.smoke["kitchen"] = 0.0
        await context.until(lambda: not fires(context, "home-1")[-1].active, task)
    assert [event.active for event in fires(context, "home-1")] == [True, False]
    assert "unreadable" not in {condition for _, condition, _ in alarms(context)}


async def test_the_cache_of_a_bridge_that_starts_is_no_fire_of_today_and_no_life(
    mosquitto: servers.Mosquitto,
) -> None:
    dead = Faults([Fault(FaultKind.CORRUPT_FRAME, style="link-lost")])
    lane = Lane(mosquitto.url, hall={"faults": dead})
    context = MemoryContext()
    async with played(lane, context) as task:
        lane.home.remember("hall", 21 * 86_400.0, smoke=True)
        lane.home.publish_cache()
        await context.until(lambda: bool(fires(context, "home-2")), task)
        lost = ("failed", "link-lost")
        await context.until(lambda: health(context, "home-2")[-1:] == [lost], task)
        lane.home.remember("hall", 20 * 86_400.0, smoke=False)
        lane.home.publish_cache()
        lane.smoke["kitchen"] = 9.0
        await context.until(lambda: bool(fires(context, "home-1")), task)
    (event,) = fires(context, "home-2")
    assert event.unconfirmed_since is not None
    assert health(context, "home-2")[-1] == lost


async def test_a_test_that_sounds_is_told_as_a_test(mosquitto: servers.Mosquitto) -> None:
    lane = Lane(mosquitto.url)
    context = MemoryContext()
    async with played(lane, context) as task:
        lane.home.press_test("kitchen", sounds=True)
        await context.until(lambda: bool(fires(context, "home-1")), task)
        lane.home.press_test("kitchen", held=False)
        await context.until(lambda: not fires(context, "home-1")[-1].active, task)
    assert [(e.active, e.during_test) for e in fires(context, "home-1")] == [
        (True, True),
        (False, False),
    ]


async def test_heat_end_of_service_and_an_alarm_that_nobody_configured(
    mosquitto: servers.Mosquitto,
) -> None:
    lane = Lane(mosquitto.url, kitchen={"senses_heat": True}, hall={"configured": False})
    context = MemoryContext()
    async with played(lane, context) as task:
        lane.home.expire("kitchen")
        lane.home.heat_up("kitchen")
        lane.smoke["hall"] = 9.0
        await context.until(lambda: bool(fires(context, "bridge.hall")), task)
        wanted = {("home-1", "heat", True), ("home-1", "end_of_service", True)}
        await context.until(lambda: wanted <= set(alarms(context)), task)
    assert [described.device for described in context.described] == ["bridge.hall"]


async def test_output_attribute_and_retained_messages(mosquitto: servers.Mosquitto) -> None:
    lane = Lane(mosquitto.url, output="attribute", retain=True)
    await lane.home.start()
    try:
        async with listening(lane.home.broker) as first:
            await until(lambda: first.messages, "messages")
            base = lane.home.section()["base_topic"]
            await until(lambda: _of(first, f"{base}/kitchen/smoke"), "the attribute's topic")
        async with listening(lane.home.broker) as late:
            await until(lambda: _of(late, f"{base}/kitchen/smoke"), "what was retained")
            assert _of(late, f"{base}/kitchen/smoke")[0] == (b"false", True)
    finally:
        await lane.home.stop()


def _of(heard: Subscriber, topic: str) -> list[tuple[bytes, bool]]:
    return [(payload, retain) for at, payload, retain in heard.messages if at == topic]
