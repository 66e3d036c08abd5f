"""The smoke pipeline on a real broker: nothing lost over restarts of either side, nothing twice."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

import servers
from edge.device import supervised
from edge.memory_context import MemoryContext
from edge.smoke.home import Home, ago, alarms, fires, listening, section
from vigil_edge.delivery.outbox import OutboxFailed, OutboxFull
from vigil_edge.device.seam import Outgoing, SourceError
from vigil_edge.smoke import descriptions, pipeline, sources
from vigil_edge.smoke.alarms import Alarms, Receipt
from vigil_edge.smoke.changes import Told
from vigil_edge.smoke.report import AlarmReport
from vigil_edge.smoke.settings import ZigbeeSettings
from vigil_schemas.gateway import DeviceHealth
from vigil_schemas.smoke import SmokeAlarm
from vigil_schemas.types import Lane


async def test_smoke_goes_into_the_alarm_lane_once_and_clears(home: Home) -> None:
    context = MemoryContext(gateway=home.base)
    async with listening(home.settings(), context) as task:
        for smoke in (False, True, True, False):
            home.say("kitchen", {"smoke": smoke, "battery": 97, "linkquality": 60})
        home.say("floor 2/hall", {"smoke": False, "battery_low": True})
        await context.until(lambda: len(alarms(context)) >= 3, task)
    assert alarms(context) == [
        ("home-1", "smoke", True),
        ("home-1", "smoke", False),
        ("home-2", "battery_alert", True),
    ]
    assert [out.lane for out in context.accepted if isinstance(out.data, SmokeAlarm)] == [
        *(Lane.ALARM, Lane.ALARM, Lane.EVENT)
    ]
    assert [(r.parameter, r.unit, r.value) for r in context.readings()] == [("battery", "%", 97.0)]


async def test_an_alarm_raised_while_the_agent_was_down_is_not_lost(home: Home) -> None:
    states: dict[str, bytes] = {}
    before = MemoryContext(gateway=home.base, states=states)
    async with listening(home.settings(), before):
        pass
    home.say("kitchen", {"smoke": True})
    home.say("kitchen", {"smoke": False})
    context = MemoryContext(gateway=home.base, states=states)
    async with listening(home.settings(), context) as task:
        await context.until(lambda: len(alarms(context)) >= 2, task)
    assert alarms(context) == [("home-1", "smoke", True), ("home-1", "smoke", False)]


async def test_an_alarm_that_could_not_be_kept_is_delivered_again(home: Home) -> None:
    states: dict[str, bytes] = {}
    context = MemoryContext(gateway=home.base, states=states)
    pipe = sources.build(home.settings(), context)
    task = asyncio.create_task(pipe.run())
    await context.until(lambda: bool(context.reports), task)
    context.fail_next = OSError("disk full")
    home.say("kitchen", {"smoke": True})
    with pytest.raises(OSError, match="disk full"):
        await task
    assert alarms(context) == []
    again = MemoryContext(gateway=home.base, states=states)
    async with listening(home.settings(), again) as task:
        await again.until(lambda: bool(alarms(again)), task)
    assert alarms(again) == [("home-1", "smoke", True)]


async def test_a_fire_that_the_broker_delivers_once_waits_for_the_outbox(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """QoS 0 is Zigbee2MQTT's default: a disk that refuses for a while must not lose it."""
    monkeypatch.setattr(pipeline, "_AGAIN_S", 0.01)
    context = MemoryContext(gateway=home.base)
    async with listening(home.settings(), context) as task:
        context.fail_next = OutboxFailed("disk full")
        home.say("kitchen", {"smoke": True, "last_seen": ago(1)}, qos=0)
        await context.until(lambda: bool(alarms(context)), task)
        await context.until(lambda: context.reports[-1][0] == "ok", task)
    assert alarms(context) == [("home-1", "smoke", True)]
    assert context.counters["smoke-message-waits"] == 1
    assert ("failed", "outbox-failed", "disk full") in context.reports


class FullOfEvents(MemoryContext):
    """An outbox in which only the reserve of alarms is left."""

    full = True

    async def accept(
        self, outgoing: Sequence[Outgoing], state: Mapping[str, bytes] | None = None
    ) -> None:
        if self.full and outgoing and all(each.lane is not Lane.ALARM for each in outgoing):
            raise OutboxFull("full of events")
        await super().accept(outgoing, state)


@pytest.mark.parametrize("fire", [True, False])
async def test_an_outbox_full_of_events_ends_no_listening(
    home: Home, monkeypatch: pytest.MonkeyPatch, fire: bool
) -> None:
    """Given a battery that is told first, the fire behind it is heard, and nothing is lost."""
    monkeypatch.setattr(pipeline, "_SWEEP_S", 0.05)
    context = FullOfEvents(gateway=home.base)
    async with listening(home.settings(), context) as task:
        home.say("floor 2/hall", {"smoke": False, "battery_low": True})
        await context.until(lambda: context.reports[-1][1] == "outbox-full", task)
        if fire:
            home.say("kitchen", {"smoke": True})
        else:
            context.full = False
        await context.until(lambda: bool(alarms(context)), task)
        await context.until(lambda: context.reports[-1][0] == "ok", task)
    told = [("home-2", "battery_alert", True)] + [("home-1", "smoke", True)] * fire
    assert alarms(context) == told


async def test_a_retained_fire_is_told_once_over_restarts(home: Home) -> None:
    home.say("kitchen", {"smoke": True}, retain=True)
    states: dict[str, bytes] = {}
    first = MemoryContext(gateway=home.base, states=states)
    async with listening(home.settings(), first) as task:
        await first.until(lambda: bool(alarms(first)), task)
    second = MemoryContext(gateway=home.base, states=states)
    async with listening(home.settings(), second) as task:
        home.say("floor 2/hall", {"test": True})
        await second.until(lambda: bool(alarms(second)), task)
    assert alarms(first) == [("home-1", "smoke", True)]
    assert alarms(second) == [("home-2", "test", True)]


async def test_broken_payloads_are_counted_and_hide_nothing(home: Home) -> None:
    context = MemoryContext(gateway=home.base)
    async with listening(home.settings(), context) as task:
        home.say("kitchen", b"\xff\xfe{")
        home.say("kitchen", b"[]")
        home.say("kitchen", b"")
        home.say("kitchen/availability", b"maybe")
        home.say("kitchen", {"battery": "full", "smoke": True})
        await context.until(lambda: bool(alarms(context)), task)
    assert alarms(context) == [("home-1", "smoke", True)]
    assert context.counters["smoke-payload-malformed"] == 2
    assert context.counters["smoke-payload-wrong-type"] == 1
    assert context.counters["smoke-availability-unreadable"] == 1


async def test_bridge_and_availability(home: Home) -> None:
    context = MemoryContext(gateway=home.base)
    async with listening(home.settings(), context) as task:
        home.say("bridge/state", b'{"state":"offline"}')
        await context.until(lambda: context.reports[-1][:2] == ("degraded", "bridge-offline"), task)
        home.say("bridge/state", b"online")
        await context.until(lambda: context.reports[-1][0] == "ok", task)
        home.say("kitchen/availability", b'{"state":"offline"}')
        home.say("kitchen/availability", b'{"state":"online"}')
        await context.until(lambda: len(alarms(context)) >= 2, task)
    assert alarms(context) == [("home-1", "link_lost", True), ("home-1", "link_lost", False)]


async def test_a_broker_that_dies_is_a_source_error(tmp_path: Path) -> None:
    broker = servers.mosquitto(tmp_path / "own")
    home = Home(broker)
    context = MemoryContext(gateway=home.base)
    try:
        task = asyncio.create_task(sources.build(home.settings(), context).run())
        await context.until(lambda: bool(context.reports), task)
        broker.kill()
        with pytest.raises(SourceError) as caught:
            async with asyncio.timeout(60):
                await task
        assert caught.value.code == "broker-lost"
        with pytest.raises(SourceError) as caught:
            await sources.build(home.settings(), context).run()
        assert caught.value.code == "broker-unreachable"
    finally:
        home.close()
        broker.stop()


async def test_a_broker_that_wants_a_password(tmp_path: Path) -> None:
    broker = servers.mosquitto(tmp_path / "closed", extra="allow_anonymous false")
    made = ZigbeeSettings.model_validate(
        {
            "driver": "zigbee2mqtt",
            "broker": broker.url,
            "alarm": [{"friendly_name": "a", "device": "a"}],
        }
    )
    try:
        with pytest.raises(SourceError) as caught:
            await sources.build(made, MemoryContext()).run()
    finally:
        broker.stop()
    assert caught.value.code == "broker-refused"


async def test_a_certificate_file_that_is_none(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("no certificate")
    made = section("mqtts://127.0.0.1:1", "z2m", ca_file=file)
    with pytest.raises(SourceError) as caught:
        await sources.build(made, MemoryContext()).run()
    assert caught.value.code == "broker-unreachable"


def test_every_alarm_is_a_device_of_its_own(tmp_path: Path) -> None:
    made = ZigbeeSettings.model_validate(
        {
            "driver": "zigbee2mqtt",
            "alarm": [
                {"friendly_name": "a", "device": "home-1", "name_zh": "廚房", "latitude": 23.5}
            ],
        }
    )
    bridge, alarm = descriptions.describe(made)
    assert bridge.device == "home-1.bridge"
    assert (alarm.device, alarm.name_zh, alarm.latitude) == ("home-1", "廚房", 23.5)


async def test_a_cached_fire_is_told_once_with_its_mark_over_restarts(home: Home) -> None:
    old = {"smoke": True, "last_seen": ago(21 * 86_400)}
    states: dict[str, bytes] = {}
    for restart in range(3):
        context = MemoryContext(gateway=home.base, states=states)
        async with listening(home.settings(), context) as task:
            home.say("kitchen", old)
            home.say("floor 2/hall", {"battery_low": restart % 2 == 0})

            def heard(context: MemoryContext = context) -> bool:
                return bool(alarms(context))

            await context.until(heard, task)
        told = fires(context, "home-1")
        assert len(told) == (1 if restart == 0 else 0)
        assert all(event.unconfirmed_since is not None for event in told)
    context = MemoryContext(gateway=home.base, states=states)
    async with listening(home.settings(), context) as task:
        home.say("kitchen", {"smoke": True, "last_seen": ago(1)})
        await context.until(lambda: bool(fires(context, "home-1")), task)
    (event,) = fires(context, "home-1")
    assert event.active
    assert event.unconfirmed_since is None


async def test_an_old_retained_clear_ends_no_fire_at_a_restart(home: Home) -> None:
    home.say("kitchen", {"smoke": False, "last_seen": ago(8 * 7 * 86_400)}, retain=True)
    states: dict[str, bytes] = {}
    first = MemoryContext(gateway=home.base, states=states)
    async with listening(home.settings(), first) as task:
        home.say("kitchen", {"smoke": True, "last_seen": ago(0)})
        await first.until(lambda: bool(alarms(first)), task)
    second = MemoryContext(gateway=home.base, states=states)
    async with listening(home.settings(), second) as task:
        home.say("floor 2/hall", {"smoke": True})
        await second.until(lambda: bool(fires(second, "home-2")), task)
    assert fires(second, "home-1")[-1].active, "told again for the second alarm, not ended"


async def test_output_attribute(home: Home) -> None:
    context = MemoryContext(gateway=home.base)
    async with listening(home.settings(), context) as task:
        home.say("kitchen/battery", b"97")
        home.say("kitchen/smoke", b"true")
        home.say("floor 2/hall/smoke_state", b"alarm")
        home.say("floor 2/hall/set", b'{"alarm": true}')
        await context.until(lambda: bool(fires(context, "home-2")), task)
        home.say("kitchen/smoke", b"false")
        await context.until(lambda: len(fires(context, "home-1")) >= 2, task)
    assert [event.active for event in fires(context, "home-1")][::2] == [True] * len(
        fires(context, "home-1")[::2]
    )
    assert [r.value for r in context.readings()] == [97.0]


async def test_an_alarm_that_nobody_configured_is_shown_and_its_fire_is_told(home: Home) -> None:
    exposed = {"exposes": [{"type": "binary", "name": "smoke", "property": "smoke"}]}
    lamp = {"exposes": [{"type": "light", "features": [{"type": "binary", "name": "state"}]}]}
    home.say(
        "bridge/devices",
        json.dumps(
            [
                {"friendly_name": "Coordinator", "definition": None},
                {"friendly_name": "kitchen", "definition": exposed},
                {"friendly_name": "Käserei 3", "definition": exposed},
                {"friendly_name": "lamp", "definition": lamp},
            ]
        ).encode(),
        retain=True,
    )
    states: dict[str, bytes] = {}
    context = MemoryContext(gateway=home.base, states=states)
    async with listening(home.settings(), context) as task:
        shown = ("degraded", "alarms-unconfigured")
        await context.until(lambda: context.reports[-1][:2] == shown, task)
        assert "Käserei 3" in str(context.reports[-1][2])
        (described,) = context.described
        assert "Käserei 3" in described.name
        device = described.device
        home.say("lamp", {"state": "ON", "alarm": True})
        home.say("Käserei 3", {"smoke": True, "battery_low": True})
        await context.until(lambda: bool(fires(context, device)), task)
        home.say("spare", {"smoke_state": "alarm"})  # of a bridge that lists nothing of it
        await context.until(
            lambda: len({a[0] for a in alarms(context) if a[1] == "smoke"}) == 2, task
        )
    assert [a for a in alarms(context) if a[1] != "smoke"] == []
    told = {
        out.subject: out.data.code
        for out in context.accepted
        if isinstance(out.data, DeviceHealth) and out.subject not in ("home-1", "home-2")
    }
    assert set(told.values()) == {"unconfigured"}
    assert len(told) == 2
    # Once it is configured its fire ends under both ids.
    alarm = {"friendly_name": "Käserei 3", "device": "home-3"}
    own = [a.model_dump() for a in home.settings().alarm]
    again = MemoryContext(gateway=home.base, states=states)
    made = home.settings(alarm=[*own, alarm])
    async with supervised.running(sources.build(made, again)) as task:
        await again.until(lambda: bool(again.reports), task)
        home.say("Käserei 3", {"smoke": False})
        await again.until(lambda: bool(fires(again, device)), task)
    assert not fires(again, device)[0].active


async def test_half_a_character_in_a_name_or_a_value_stops_nothing(home: Home) -> None:
    exposed = {"exposes": [{"type": "binary", "name": "smoke", "property": "smoke"}]}
    devices = [{"friendly_name": "attic \ud83d", "definition": exposed}]
    home.say("bridge/devices", json.dumps(devices).encode(), retain=True)
    context = MemoryContext(gateway=home.base)
    async with listening(home.settings(), context) as task:
        home.say("kitchen", b'{"smoke": "\\ud83d?"}')
        home.say("floor 2/hall", {"smoke": True})
        await context.until(lambda: bool(fires(context, "home-2")), task)
    assert [each.name for each in context.described[-1:]] == ["attic ? (not configured)"]
    unreadable = [
        out.data.raw
        for out in context.accepted
        if isinstance(out.data, SmokeAlarm) and out.data.condition == "unreadable"
    ]
    assert unreadable == ['smoke: "??"']


async def test_what_a_cache_still_shows_is_no_reading(home: Home) -> None:
    home.say("kitchen", {"battery": 80, "smoke": False}, retain=True)
    context = MemoryContext(gateway=home.base)
    async with listening(home.settings(), context) as task:
        home.say("kitchen", {"battery": 70, "last_seen": ago(86_400)})
        home.say("kitchen", {"battery": 60, "last_seen": ago(1)})
        await context.until(lambda: bool(context.readings()), task)
    assert [reading.value for reading in context.readings()] == [60.0]


async def test_a_broker_that_lets_us_see_our_own_alarms_only(tmp_path: Path) -> None:
    acl = tmp_path / "acl"
    acl.write_text("topic read z2m/bridge/#\ntopic read z2m/kitchen/#\ntopic write z2m/#\n")
    broker = servers.mosquitto(tmp_path / "own", extra=f"acl_file {acl}")
    home = Home(broker, "z2m")
    context = MemoryContext(gateway="z2m")
    try:
        async with listening(home.settings(), context) as task:
            home.say("kitchen", {"smoke": True})
            await context.until(lambda: bool(alarms(context)), task)
    finally:
        home.close()
        broker.stop()
    assert alarms(context) == [("home-1", "smoke", True)]


async def test_a_new_connection_tells_a_fire_that_stands_once_more(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cloud may have been restored from a backup of before it began."""
    monkeypatch.setattr(pipeline, "_SWEEP_S", 0.05)
    context = MemoryContext(gateway=home.base)
    context.session = 3
    async with listening(home.settings(), context) as task:
        home.say("kitchen", {"smoke": True})
        home.say("floor 2/hall", {"smoke": False, "battery_low": True})
        await context.until(lambda: len(alarms(context)) >= 2, task)
        context.session = 4
        await context.until(lambda: len(fires(context, "home-1")) >= 2, task)
        home.say("kitchen", {"smoke": False})
        await context.until(lambda: ("home-1", "smoke", False) in alarms(context), task)
        context.session = 6
        home.say("floor 2/hall", {"smoke": True})
        await context.until(lambda: bool(fires(context, "home-2")), task)
    told = [
        (out.id, out.time, out.data)
        for out in context.accepted
        if out.subject == "home-1" and isinstance(out.data, SmokeAlarm)
    ]
    assert told[0] == told[1], "the same message: known to whoever has it"
    assert [event.active for _, _, event in told][-1] is False
    batteries = [
        (out.id, out.time, out.data)
        for out in context.accepted
        if isinstance(out.data, SmokeAlarm) and out.data.condition == "battery_alert"
    ]
    assert len(batteries) > 1, "what weakens an alarm stands as well"
    assert all(one == batteries[0] for one in batteries)


async def test_a_test_and_what_outlasts_it(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "_SWEEP_S", 0.05)
    ticks = [1000.0]
    now = datetime(2026, 1, 1, tzinfo=UTC)
    context = MemoryContext(gateway=home.base, ticks=lambda: ticks[0], clock=lambda: now)
    async with listening(home.settings(), context) as task:
        home.say("kitchen", {"smoke": True, "test": True})
        await context.until(lambda: bool(fires(context, "home-1")), task)
        ticks[0] += 181
        await context.until(lambda: len(fires(context, "home-1")) == 2, task)
    assert [event.during_test for event in fires(context, "home-1")] == [True, False]
    lanes = {out.lane for out in context.accepted if isinstance(out.data, SmokeAlarm)}
    assert lanes == {Lane.ALARM}


async def test_a_mistake_of_ours_over_one_message_stops_nothing(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Alarms.take

    def mistaken(self: Alarms, device: str, report: AlarmReport, receipt: Receipt) -> list[Told]:
        if report.battery_percent == 13:
            raise ZeroDivisionError
        return whole(self, device, report, receipt)

    monkeypatch.setattr(Alarms, "take", mistaken)
    context = MemoryContext(gateway=home.base)
    async with listening(home.settings(), context) as task:
        home.say("kitchen", {"smoke": False, "battery": 13})
        home.say("kitchen", {"smoke": True, "battery": 13})
        home.say("floor 2/hall", {"smoke": True})
        await context.until(lambda: bool(fires(context, "home-2")), task)
    assert ("home-1", "unreadable", True) in alarms(context), "possibly a fire"
    assert context.counters["smoke-message-crashed"] == 2
