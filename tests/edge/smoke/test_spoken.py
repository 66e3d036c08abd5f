"""A voice in the home while its alarm sounds, without the cloud; and what it says of itself."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import Any

import pytest

from edge.device import supervised
from edge.memory_context import MemoryContext
from edge.smoke.home import Home, alarms
from vigil_edge.device.seam import CommandRefused
from vigil_edge.smoke.descriptions import describe
from vigil_edge.smoke.spoken import AGAIN_S, MOST, Spoken, Voice
from vigil_edge.smoke.zigbee_pipeline import Zigbee2MqttPipeline
from vigil_edge.voice.errors import VoiceFailed
from vigil_edge.voice.recording import Recording
from vigil_schemas.commands import PlayVoice
from vigil_schemas.smoke import SmokeAlarm


class Ear:
    """A loudspeaker in memory."""

    def __init__(self, there: bool = True) -> None:
        self.there = there
        self.heard: list[Recording] = []

    def check(self) -> None:
        if not self.there:
            raise VoiceFailed("", "there is no sound device")

    def play(self, recording: Recording, stopping: threading.Event) -> None:
        self.check()
        self.heard.append(recording)


def told(active: bool = True, **fields: Any) -> tuple[str, SmokeAlarm]:
    event = {
        "alarm_id": "alarm-0001",
        "condition": "smoke",
        "active": active,
        "since": datetime(2026, 3, 1, tzinfo=UTC),
        **fields,
    }
    return "home-1", SmokeAlarm.model_validate(event)


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def said(spoken: Spoken) -> int:
    """How often since it was asked last."""
    waiting = spoken._speaker._waiting
    count = waiting.qsize()
    for _ in range(count):
        waiting.get_nowait()
    return count


async def test_it_is_said_at_once_and_again_while_it_sounds() -> None:
    clock = Clock()
    spoken = Spoken(Voice(), MemoryContext(ticks=clock), Ear())
    spoken.follow([told()])
    assert said(spoken) == 1
    spoken.look()
    spoken.follow([told(signs=["density"])])
    assert said(spoken) == 0, "not each time that somebody looks"
    for _ in range(MOST + 3):
        clock.now += AGAIN_S
        spoken.look()
    assert said(spoken) == min(MOST - 1, 4), "bounded, and the queue as well"
    spoken.follow([told(alarm_id="alarm-0002", condition="heat")])
    assert said(spoken) == 1, "more burns than before"
    spoken.follow([told(False), told(False, alarm_id="alarm-0002", condition="heat")])
    clock.now += AGAIN_S
    spoken.look()
    assert said(spoken) == 0, "silent is silent"


@pytest.mark.parametrize(
    "fields",
    [
        {"during_test": True},
        {"condition": "battery_alert"},
        {"unconfirmed_since": datetime(2026, 2, 1, tzinfo=UTC)},
    ],
)
async def test_what_is_no_fire_of_now_is_not_said(fields: dict[str, Any]) -> None:
    spoken = Spoken(Voice(), MemoryContext(), Ear())
    spoken.follow([told(**fields)])
    assert said(spoken) == 0


async def test_a_home_without_the_cloud_hears_its_alarm_and_the_cloud_may_have_it_said(
    home: Home,
) -> None:
    ear, context = Ear(), MemoryContext(gateway=home.base)
    made = home.settings(voice={"output": "hall"})
    assert describe(made)[0].commands == ["play_voice"]
    assert describe(made)[1].commands == ["self_test", "mute"]
    pipe = Zigbee2MqttPipeline(made, context, ear)
    async with supervised.running(pipe, context) as task:
        home.say("kitchen", {"smoke": True})
        await context.until(lambda: bool(ear.heard), task)
        assert "already" in await pipe.command("home.bridge", PlayVoice(prompt="fire_alarm"))
        with pytest.raises(CommandRefused, match="not over here"):
            await pipe.command("home.bridge", PlayVoice(prompt="all_clear"))
        home.say("kitchen", {"smoke": False})
        await context.until(lambda: ("home-1", "smoke", False) in alarms(context), task)
        assert "attention tone" in await pipe.command("home.bridge", PlayVoice(prompt="all_clear"))
        await context.until(lambda: len(ear.heard) >= 2, task)
        with pytest.raises(CommandRefused, match="no prompt"):
            await pipe.command("home.bridge", PlayVoice(prompt="door_opened"))


async def test_a_gateway_without_a_sound_device_knows_it_before_anything_burns() -> None:
    spoken = Spoken(Voice(), MemoryContext(), Ear(there=False))
    await spoken.check()
    with pytest.raises(CommandRefused, match="no sound device"):
        spoken.command(PlayVoice(prompt="fire_alarm"))


async def test_a_loudspeaker_that_is_gone_stands_in_the_health_of_the_bridge(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vigil_edge.smoke.pipeline._SWEEP_S", 0.05)
    ear, context = Ear(), MemoryContext(gateway=home.base)
    pipe = Zigbee2MqttPipeline(home.settings(voice={}), context, ear)
    async with supervised.running(pipe, context) as task:
        ear.there = False
        home.say("kitchen", {"smoke": True})
        await context.until(
            lambda: any(code == "voice-failed" for _, code, _ in context.reports), task
        )


async def test_without_a_voice_the_bridge_takes_none(home: Home) -> None:
    made = home.settings()
    assert "play_voice" not in describe(made)[0].commands
    pipe = Zigbee2MqttPipeline(made, MemoryContext(gateway=home.base))
    with pytest.raises(CommandRefused, match="no loudspeaker"):
        await pipe.command("home.bridge", PlayVoice(prompt="fire_alarm"))


async def test_a_full_disk_silences_no_alarm(home: Home) -> None:
    ear, context = Ear(), MemoryContext(gateway=home.base)
    pipe = Zigbee2MqttPipeline(home.settings(voice={"output": "hall"}), context, ear)
    async with supervised.running(pipe, context) as task:
        context.fail_next = OSError("disk full")
        home.say("kitchen", {"smoke": True})
        with pytest.raises(OSError, match="disk full"):
            await task
    assert ear.heard, "whoever sleeps there wakes"
