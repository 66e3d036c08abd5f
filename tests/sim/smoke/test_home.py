"""What a gateway sees of a home, over a real broker."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from servers import Mosquitto
from sim.waiting import until
from vigil_sim.faults import Fault, FaultKind, Faults
from vigil_sim.ledger import Ledger, LedgerReader
from vigil_sim.smoke.device import Zigbee2MqttError, Zigbee2MqttHome, ZigbeeAlarm


class Subscriber:
    """Everything that came, by topic, newest last; and which of it was retained."""

    def __init__(self, address: str) -> None:
        self.messages: list[tuple[str, bytes, bool]] = []
        host, port = address.removeprefix("mqtt://").rsplit(":", 1)
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5)
        self._client.on_message = self._on_message
        self._client.on_connect = lambda client, *_: client.subscribe("#")
        self._client.connect(host, int(port))
        self._client.loop_start()

    def _on_message(self, client: mqtt.Client, data: Any, message: mqtt.MQTTMessage) -> None:
        self.messages.append((message.topic, bytes(message.payload), message.retain))

    def of(self, topic: str) -> list[Any]:
        return [json.loads(payload) for at, payload, _ in self.messages if at == topic]

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


@asynccontextmanager
async def listening(address: str) -> AsyncIterator[Subscriber]:
    subscriber = await asyncio.to_thread(Subscriber, address)
    try:
        yield subscriber
    finally:
        await asyncio.to_thread(subscriber.close)


@pytest.fixture(params=["mosquitto", "embedded"])
def broker(request: pytest.FixtureRequest) -> str | None:
    """Address of a broker of the test's, or None for one of the home's own."""
    if request.param == "embedded":
        return None
    server: Mosquitto = request.getfixturevalue("mosquitto")
    return f"mqtt://127.0.0.1:{server.port}"


class Night:
    """A timetable that the test moves by hand, and the smoke of it."""

    def __init__(self) -> None:
        self.t = 0.0
        self.smoke = 0.0

    def home(
        self, topic: str, broker: str | None, faults: Faults | None = None, **keys: Any
    ) -> Zigbee2MqttHome:
        alarm = ZigbeeAlarm(
            "kitchen", "alarm-1", lambda t: self.smoke, faults=faults or Faults(), name="Kitchen"
        )
        return Zigbee2MqttHome(
            [alarm],
            broker=broker,
            base_topic=topic,
            gateway="gw-1",
            tick_s=0.02,
            world_time=lambda: self.t,
            **keys,
        )


@pytest.fixture
def topic() -> str:
    """A base topic of the test's own: the broker is shared."""
    return f"z2m-{uuid.uuid4().hex}"


async def test_a_kitchen_fire_is_told_and_cleared(
    broker: str | None, topic: str, tmp_path: Path
) -> None:
    night = Night()
    with Ledger(tmp_path / "ledger.db") as ledger:
        home = night.home(topic, broker, ledger=ledger)
        await home.start()
        try:
            async with listening(home.broker) as heard:
                await until(lambda: heard.of(f"{topic}/bridge/devices"), "the device list")
                night.smoke = 9.0
                await until(
                    lambda: any(m["smoke"] for m in heard.of(f"{topic}/kitchen")), "smoke is told"
                )
                night.smoke = 2.0  # below the threshold, above half of it
                home.press_test("kitchen")
                await until(
                    lambda: any(m["test"] for m in heard.of(f"{topic}/kitchen")), "the test"
                )
                assert heard.of(f"{topic}/kitchen")[-1]["smoke"] is True
                night.smoke = 0.5
                await until(
                    lambda: heard.of(f"{topic}/kitchen")[-1]["smoke"] is False, "it is cleared"
                )
                (kitchen,) = [
                    device
                    for device in heard.of(f"{topic}/bridge/devices")[-1]
                    if device["friendly_name"] == "kitchen"
                ]
                assert kitchen["type"] == "EndDevice"
                assert heard.of(f"{topic}/kitchen")[-1]["battery"] == 97
            async with listening(home.broker) as late:
                kept = ("bridge/state", "bridge/info", "bridge/devices", "kitchen/availability")
                for name in kept:
                    await until(partial(late.of, f"{topic}/{name}"), f"{name} is retained")
                assert all(retain for at, _, retain in late.messages if at != f"{topic}/kitchen")
        finally:
            await home.stop()
    with LedgerReader(tmp_path / "ledger.db") as truth:
        changes = [(e.parameter, e.value) for e in truth.entries("smoke", device="alarm-1")]
    assert changes == [("smoke", 1.0), ("test", 1.0), ("smoke", 0.0)]


async def test_the_bridge_says_farewell(mosquitto: Mosquitto, topic: str) -> None:
    home = Night().home(topic, f"mqtt://127.0.0.1:{mosquitto.port}")
    await home.start()
    async with listening(home.broker) as heard:
        await until(lambda: heard.of(f"{topic}/bridge/state") == [{"state": "online"}], "online")
        await home.stop()
        await until(
            lambda: heard.of(f"{topic}/bridge/state")[-1] == {"state": "offline"}, "offline"
        )


Heard = Callable[[Subscriber, str], bool]


def _says(word: str, value: object) -> Heard:
    return lambda heard, topic: any(m[word] == value for m in heard.of(f"{topic}/kitchen"))


def _not_json(heard: Subscriber, topic: str) -> bool:
    for at, payload, _ in heard.messages:
        if at == f"{topic}/kitchen":
            try:
                json.loads(payload)
            except ValueError:
                return True
    return False


def _unavailable(heard: Subscriber, topic: str) -> bool:
    return {"state": "offline"} in heard.of(f"{topic}/kitchen/availability")


@pytest.mark.parametrize(
    ("fault", "heard_of_it"),
    [
        (Fault(FaultKind.CORRUPT_FRAME, start_s=10, style="stuck"), _says("smoke", True)),
        (Fault(FaultKind.CORRUPT_FRAME, start_s=10, style="json"), _not_json),
        (Fault(FaultKind.CORRUPT_FRAME, start_s=10, style="binary"), _not_json),
        (Fault(FaultKind.CORRUPT_FRAME, start_s=10, style="link-lost"), _unavailable),
        (Fault(FaultKind.REBOOT, start_s=10), _unavailable),
        (
            Fault(FaultKind.DRIFT, start_s=10, magnitude=-30.0, parameter="battery"),
            _says("battery_low", True),
        ),
        (
            Fault(FaultKind.DRIFT, start_s=10, magnitude=2.0, parameter="obscuration"),
            _says("smoke", True),
        ),
    ],
    ids=lambda value: value.style or value.kind if isinstance(value, Fault) else "",
)
async def test_faults(fault: Fault, heard_of_it: Heard, mosquitto: Mosquitto, topic: str) -> None:
    night = Night()
    home = night.home(topic, f"mqtt://127.0.0.1:{mosquitto.port}", Faults([fault]), report_s=0.05)
    await home.start()
    try:
        async with listening(home.broker) as heard:
            await until(lambda: heard.of(f"{topic}/kitchen"), "the first report")
            assert not heard_of_it(heard, topic)
            night.t = 13.0
            await until(lambda: heard_of_it(heard, topic), "the fault shows")
    finally:
        await home.stop()


async def test_a_message_lost_on_the_air_is_said_again_and_noted_when_it_is_sent(
    mosquitto: Mosquitto, topic: str, tmp_path: Path
) -> None:
    night = Night()
    faults = Faults([Fault(FaultKind.DROP, start_s=10, stop_s=20)])
    with Ledger(tmp_path / "ledger.db") as ledger:
        home = night.home(
            topic, f"mqtt://127.0.0.1:{mosquitto.port}", faults, report_s=0.05, ledger=ledger
        )
        home_alarm = home._installed("kitchen")
        await home.start()
        try:
            async with listening(home.broker) as heard:
                await until(lambda: heard.of(f"{topic}/kitchen"), "the first report")
                night.t, night.smoke = 12.0, 9.0
                await until(
                    lambda: home_alarm.condition is not None and home_alarm.condition.smoke,
                    "the alarm has said it in vain",
                )
                assert not _says("smoke", True)(heard, topic)
                night.t, night.smoke = 30.0, 9.1
                # An alarm that sounds says so again after five seconds.
                await until(lambda: _says("smoke", True)(heard, topic), "it is said again")
        finally:
            await home.stop()
    with LedgerReader(tmp_path / "ledger.db") as truth:
        assert [(e.parameter, e.value) for e in truth.entries("smoke")] == [("smoke", 1.0)]


async def test_a_wrong_clock_shows_in_last_seen(mosquitto: Mosquitto, topic: str) -> None:
    faults = Faults([Fault(FaultKind.CLOCK_SKEW, magnitude=-86400.0 * 365)])
    broker = f"mqtt://127.0.0.1:{mosquitto.port}"
    home = Night().home(topic, broker, faults, report_s=0.05, clock=lambda: 1_800_000_000.0)
    await home.start()
    try:
        async with listening(home.broker) as heard:
            await until(lambda: heard.of(f"{topic}/kitchen"), "a report")
    finally:
        await home.stop()
    assert heard.of(f"{topic}/kitchen")[0]["last_seen"] == "2026-01-15T08:00:00.000Z"


async def test_no_broker_is_an_error_that_says_so(topic: str) -> None:
    home = Night().home(topic, "mqtt://127.0.0.1:1")
    with pytest.raises(Zigbee2MqttError, match=r"no broker at mqtt://127.0.0.1:1"):
        await home.start()


def test_the_gateways_table() -> None:
    home = Night().home("z2m", "mqtt://127.0.0.1:1883")
    assert home.section() == {
        "device": "zigbee2mqtt-gw-1",
        "driver": "zigbee2mqtt",
        "broker": "mqtt://127.0.0.1:1883",
        "base_topic": "z2m",
        "alarm": [{"friendly_name": "kitchen", "device": "alarm-1", "name": "Kitchen"}],
    }
