"""Alarms behind ChirpStack and a Matter controller, on a real broker."""

from __future__ import annotations

import asyncio
import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from edge.memory_context import MemoryContext
from edge.smoke.home import Home, alarms, fires, listening
from edge.smoke.test_codecs import gs524n
from vigil_edge.smoke.settings import BrokerSettings, ChirpStackSettings, SmokeSettings
from vigil_schemas.gateway import DeviceHealth

EUI = "24e124535b316056"
STRANGER = "24e1245300000001"


def settings(home: Home, **keys: Any) -> BrokerSettings:
    found = TypeAdapter(SmokeSettings).validate_python({"broker": home.url} | keys)
    assert isinstance(found, BrokerSettings)
    return found


def lorawan(home: Home) -> BrokerSettings:
    # The application's id keeps tests on one broker apart.
    return settings(
        home,
        driver="chirpstack",
        application=home.base,
        alarm=[{"dev_eui": EUI.upper(), "device": "home-1"}],
    )


def uplink(frame: bytes, counter: int, *, eui: str = EUI, ago_s: float = 0) -> dict[str, Any]:
    return {
        "deduplicationId": f"{counter}-{ago_s}-{frame.hex()}",
        "time": (datetime.now(UTC) - timedelta(seconds=ago_s)).isoformat(),
        "deviceInfo": {"devEui": eui, "deviceProfileName": "Milesight GS524N"},
        "devAddr": "00189440",
        "fCnt": counter,
        "fPort": 85,
        "data": base64.b64encode(frame).decode(),
    }


class LoRa:
    """ChirpStack's side: it publishes below ``application/``, not below the home's branch."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._base = f"application/{home.base}/device"

    def say(self, event: dict[str, Any] | bytes, eui: str = EUI) -> None:
        data = event if isinstance(event, bytes) else json.dumps(event).encode()
        self._home.publish(f"{self._base}/{eui}/event/up", data)


def health(context: MemoryContext, device: str) -> list[str | None]:
    return [
        out.data.code
        for out in context.accepted
        if isinstance(out.data, DeviceHealth) and out.subject == device
    ]


async def test_a_lorawan_alarm_begins_and_ends(home: Home, tmp_path: Path) -> None:
    context = MemoryContext(tmp_path, gateway=home.base)
    lora = LoRa(home)
    async with listening(lorawan(home), context) as task, asyncio.timeout(60):
        await context.until(lambda: bool(context.reports), task)
        lora.say(uplink(gs524n(1, 80, 40), 5))
        await context.until(lambda: ("home-1", "smoke", True) in alarms(context), task)
        lora.say(uplink(gs524n(7), 6))
        await context.until(lambda: ("home-1", "smoke", False) in alarms(context), task)
        assert health(context, "home-1")[-1] is None


async def test_a_replayed_frame_ends_nothing_and_a_fire_in_it_is_unconfirmed(
    home: Home, tmp_path: Path
) -> None:
    context = MemoryContext(tmp_path, gateway=home.base)
    lora = LoRa(home)
    async with listening(lorawan(home), context) as task, asyncio.timeout(60):
        await context.until(lambda: bool(context.reports), task)
        lora.say(uplink(gs524n(7), 9))
        lora.say(uplink(gs524n(1, 80, 40), 8))
        await context.until(lambda: bool(fires(context, "home-1")), task)
        assert fires(context, "home-1")[0].unconfirmed_since is not None
        lora.say(uplink(gs524n(1, 80, 40), 10))
        await context.until(lambda: len(fires(context, "home-1")) == 2, task)
        assert fires(context, "home-1")[1].unconfirmed_since is None
        lora.say(uplink(gs524n(7), 9, ago_s=1))
        await context.until(lambda: context.counters["smoke-frame-replayed"] == 2, task)
        assert len(fires(context, "home-1")) == 2


async def test_an_alarm_that_counts_from_0_again_under_its_address_is_heard(
    home: Home, tmp_path: Path
) -> None:
    """Activated by personalisation, it keeps its address after a restart."""
    context = MemoryContext(tmp_path, gateway=home.base)
    lora = LoRa(home)
    async with listening(lorawan(home), context) as task, asyncio.timeout(60):
        await context.until(lambda: bool(context.reports), task)
        lora.say(uplink(gs524n(7), 5000))
        lora.say(uplink(gs524n(1, 80, 40), 0))
        await context.until(lambda: bool(fires(context, "home-1")), task)
        assert fires(context, "home-1")[0].unconfirmed_since is None
        lora.say(uplink(gs524n(7), 1))
        await context.until(lambda: ("home-1", "smoke", False) in alarms(context), task)
        assert context.counters["smoke-frame-replayed"] == 0
        assert context.counters["smoke-counter-restarted"] == 1
        lora.say(uplink(gs524n(7), 0, ago_s=1))  # a repetition of the first
        await context.until(lambda: context.counters["smoke-frame-replayed"] == 1, task)


async def test_two_old_frames_that_rise_are_no_restart(home: Home, tmp_path: Path) -> None:
    """A pair that somebody recorded: told as unconfirmed, whatever its time says."""
    context = MemoryContext(tmp_path, gateway=home.base)
    lora = LoRa(home)
    async with listening(lorawan(home), context) as task, asyncio.timeout(60):
        await context.until(lambda: bool(context.reports), task)
        lora.say(uplink(gs524n(7), 5000))
        lora.say(uplink(gs524n(7), 3))
        lora.say(uplink(gs524n(1, 80, 40), 4))
        await context.until(lambda: bool(fires(context, "home-1")), task)
        assert fires(context, "home-1")[0].unconfirmed_since is not None
        assert context.counters["smoke-frame-replayed"] == 2
        lora.say(uplink(gs524n(1, 80, 40), 5001))
        await context.until(lambda: len(fires(context, "home-1")) == 2, task)
        assert fires(context, "home-1")[1].unconfirmed_since is None


async def test_a_pair_is_known_again_after_a_restart_of_the_gateway(
    home: Home, tmp_path: Path
) -> None:
    context = MemoryContext(tmp_path, gateway=home.base)
    lora = LoRa(home)
    async with listening(lorawan(home), context) as task, asyncio.timeout(60):
        await context.until(lambda: bool(context.reports), task)
        for counter in (40, 41, 42):
            lora.say(uplink(gs524n(1, 80, 40) if counter == 41 else gs524n(7), counter))
        await context.until(lambda: ("home-1", "smoke", False) in alarms(context), task)
        before = len(fires(context, "home-1"))
    async with listening(lorawan(home), context) as task, asyncio.timeout(60):
        lora.say(uplink(gs524n(7), 40, ago_s=1))
        lora.say(uplink(gs524n(1, 80, 40), 41, ago_s=1))
        await context.until(lambda: len(fires(context, "home-1")) > before, task)
        assert fires(context, "home-1")[-1].unconfirmed_since is not None


async def test_a_broken_fire_is_told_as_one_that_cannot_be_read_and_a_stranger_is_shown(
    home: Home, tmp_path: Path
) -> None:
    context = MemoryContext(tmp_path, gateway=home.base)
    lora = LoRa(home)
    async with listening(lorawan(home), context) as task, asyncio.timeout(60):
        await context.until(lambda: bool(context.reports), task)
        lora.say(uplink(gs524n(1)[:-1] + b"\0", 1))
        await context.until(lambda: ("home-1", "unreadable", True) in alarms(context), task)
        assert context.counters["smoke-frame-malformed"] == 1
        lora.say(uplink(gs524n(7), 2))
        await context.until(lambda: ("home-1", "unreadable", False) in alarms(context), task)
        lora.say(b"{", EUI)
        await context.until(lambda: "payload-malformed" in health(context, "home-1"), task)
        lora.say(uplink(gs524n(1, 80, 40), 1, eui=STRANGER), STRANGER)
        await context.until(
            lambda: (
                len(fires(context, "home-1"))
                < len([one for one in alarms(context) if one[1] == "smoke"])
            ),
            task,
        )
        assert context.counters["smoke-unknown-device"] == 1
        assert context.reports[-1][1] == "alarms-unconfigured"


async def test_a_strangers_broken_fire_is_told_and_a_quiet_broker_is_no_missing_bridge(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vigil_edge.smoke.pipeline._SWEEP_S", 0.05)
    context = MemoryContext(tmp_path, gateway=home.base)
    lora = LoRa(home)
    async with listening(lorawan(home), context) as task, asyncio.timeout(60):
        await context.until(lambda: len(context.reports) >= 6, task)  # sweeps later
        assert {code for _, code, *_ in context.reports} <= {None, ""}
        lora.say(uplink(gs524n(1)[:-1] + b"\0", 1, eui=STRANGER), STRANGER)
        await context.until(lambda: "unreadable" in {one[1] for one in alarms(context)}, task)
        assert context.counters["smoke-unknown-device"] == 1


async def test_a_list_of_matter_nodes_is_as_many_alarms(home: Home, tmp_path: Path) -> None:
    context = MemoryContext(tmp_path, gateway=home.base)
    made = settings(
        home,
        driver="matter",
        base_topic=home.base,
        alarm=[{"node_id": 7, "device": "home-1"}, {"node_id": 8, "device": "home-2"}],
    )
    async with listening(made, context) as task, asyncio.timeout(60):
        await context.until(lambda: bool(context.reports), task)
        burns, quiet = {"node_id": 8, "attributes": {"1/92/1": 2}}, {"1/92/1": 0}
        home.say("all", {"result": [{"node_id": "7", "attributes": quiet}, burns]})
        await context.until(lambda: ("home-2", "smoke", True) in alarms(context), task)
        assert fires(context, "home-1") == []
        home.say("all", {"attributes": {"1/92/1": 2}})
        await context.until(lambda: context.counters["smoke-unknown-device"] == 1, task)


async def test_a_matter_node_is_followed_by_its_attributes(home: Home, tmp_path: Path) -> None:
    context = MemoryContext(tmp_path, gateway=home.base)
    made = settings(
        home,
        driver="matter",
        base_topic=home.base,
        alarm=[{"node_id": 7, "device": "home-1"}],
    )
    async with listening(made, context) as task, asyncio.timeout(60):
        await context.until(lambda: bool(context.reports), task)
        home.say("nodes", {"node_id": 7, "attributes": {"1/92/1": 0, "1/92/2": 0}})
        home.say("events", {"event": "attribute_updated", "data": [7, "1/92/2", 2]})
        await context.until(lambda: ("home-1", "co", True) in alarms(context), task)
        home.say("nodes/7", {"1/92/2": 0})
        await context.until(lambda: ("home-1", "co", False) in alarms(context), task)


def test_settings_are_checked(home: Home) -> None:
    made = lorawan(home)
    assert isinstance(made, ChirpStackSettings)
    assert made.alarm[0].friendly_name == EUI
    for wrong in ({"dev_eui": "zz", "device": "a"}, {"node_id": 7, "device": "a"}):
        with pytest.raises(ValidationError):
            settings(home, driver="chirpstack", alarm=[wrong])
    for driver, name in (("chirpstack", {"dev_eui": EUI}), ("matter", {"node_id": 7})):
        with pytest.raises(ValidationError, match="sound no group"):
            settings(home, driver=driver, alarm=[{**name, "device": "a", "group": "flat"}])


async def test_frames_of_another_length_are_shown_once_and_end_nothing(
    home: Home, tmp_path: Path
) -> None:
    """A firmware that adds bytes: its fires are told, and whoever maintains it learns why."""
    context = MemoryContext(tmp_path, gateway=home.base)
    lora = LoRa(home)
    idle, burning = gs524n(7), gs524n(1, 80, 40)
    async with listening(lorawan(home), context) as task, asyncio.timeout(60):
        await context.until(lambda: bool(context.reports), task)
        lora.say(uplink(idle, 1))
        for counter in (2, 4, 6):
            lora.say(uplink(idle + b"\1\2", counter))
            lora.say(uplink(idle, counter + 1))
        lora.say(uplink(burning + b"\1\2", 8))
        await context.until(lambda: ("home-1", "smoke", True) in alarms(context), task)
        shown = [code for code in health(context, "home-1") if code is not None]
        assert shown.count("smoke-frame-malformed") == 1
        assert context.counters["smoke-frame-malformed"] == 4
        lora.say(uplink(idle + b"\1\2", 9))
        await context.until(lambda: context.counters["smoke-frame-malformed"] == 5, task)
        assert ("home-1", "smoke", False) not in alarms(context)
        lora.say(uplink(idle, 10))
        await context.until(lambda: ("home-1", "smoke", False) in alarms(context), task)
        said = [
            out.data.message
            for out in context.accepted
            if isinstance(out.data, DeviceHealth) and out.data.code == "smoke-frame-malformed"
        ]
        assert said == [f"a GS524N sends 6 bytes, not 8 ({(idle + bytes([1, 2])).hex()})"]


async def test_a_replayed_fire_in_a_frame_of_another_length_is_unconfirmed(
    home: Home, tmp_path: Path
) -> None:
    context = MemoryContext(tmp_path, gateway=home.base)
    lora = LoRa(home)
    burning = gs524n(1, 80, 40) + b"\1\2"
    async with listening(lorawan(home), context) as task, asyncio.timeout(60):
        await context.until(lambda: bool(context.reports), task)
        lora.say(uplink(gs524n(7), 9))
        lora.say(uplink(burning, 8))
        await context.until(lambda: bool(fires(context, "home-1")), task)
        assert fires(context, "home-1")[0].unconfirmed_since is not None
        assert context.counters["smoke-frame-replayed"] == 1
        lora.say(uplink(burning, 10))
        await context.until(lambda: len(fires(context, "home-1")) == 2, task)
        assert fires(context, "home-1")[1].unconfirmed_since is None
        lora.say(uplink(burning, 1, eui=STRANGER), STRANGER)
        await context.until(lambda: context.reports[-1][1] == "alarms-unconfigured", task)


async def test_a_frame_beside_an_object_is_shown_and_so_is_a_stranger(
    home: Home, tmp_path: Path
) -> None:
    context = MemoryContext(tmp_path, gateway=home.base)
    lora = LoRa(home)
    async with listening(lorawan(home), context) as task, asyncio.timeout(60):
        await context.until(lambda: bool(context.reports), task)
        lora.say(uplink(gs524n(7)[:4], 1) | {"object": {"event": "normal", "battery": 90}})
        await context.until(lambda: "smoke-frame-malformed" in health(context, "home-1"), task)
        lora.say(uplink(b"\1\2\3", 1, eui=STRANGER), STRANGER)
        await context.until(lambda: context.reports[-1][1] == "alarms-unconfigured", task)
