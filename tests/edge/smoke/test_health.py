"""What health says of each alarm: true from the start, and over a bridge or broker that is away."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import servers
from edge.device.supervised import RecordedContext, supervised
from edge.memory_context import MemoryContext
from edge.smoke.home import Home, ago, alarms, listening, section
from edge.smoke.night import Night
from vigil_edge.smoke import pipeline, sources
from vigil_edge.smoke.condition import Active, Known
from vigil_edge.smoke.health import OK, Finding, ToldHealth, beside, judge
from vigil_schemas.gateway import DeviceHealth
from vigil_schemas.smoke import SmokeCondition
from vigil_schemas.types import Lane

START = datetime(2026, 1, 1, tzinfo=UTC)


def told(context: MemoryContext, device: str) -> list[tuple[str, str | None]]:
    """State and code of every health event of one alarm."""
    return [
        (out.data.state, out.data.code)
        for out in context.accepted
        if isinstance(out.data, DeviceHealth) and out.subject == device
    ]


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipeline, "_SWEEP_S", 0.2)


def known(*conditions: SmokeCondition, **fields: Any) -> Known:
    return Known(
        {name: Active(0, 0.0) for name in conditions}, **{"heard": True, "fire_said": True} | fields
    )


def test_the_worst_is_told_first() -> None:
    everything = known("smoke", "battery_alert", "hardware_fault", "link_lost", "unreadable")
    assert judge(everything, 0, bridge_online=False).code == "bridge-offline"
    assert judge(everything, 0, bridge_online=True).code == "link-lost"
    assert judge(known("battery_alert", "tamper"), 0, bridge_online=True).code == "tampered"
    assert judge(known("battery_alert", "unreadable"), 0, bridge_online=True).code == (
        "fire-unreadable"
    )
    assert judge(known("end_of_service"), 0, bridge_online=True).code == "end-of-service"
    assert judge(known("smoke", "test"), 0, bridge_online=None) == OK
    assert judge(known("test"), 700, bridge_online=None).code == "test-stuck"
    assert judge(None, 0, bridge_online=True).state == "starting"
    assert judge(known(heard=False), 0, bridge_online=True).state == "starting"


def test_an_alarm_that_has_never_said_its_fire_key_is_degraded() -> None:
    finding = judge(known(fire_said=False, spoke=True), 0, bridge_online=True)
    assert (finding.state, finding.code) == ("degraded", "fire-unsaid")
    # Zigbee2MQTT alone vouches for it.
    assert judge(known(fire_said=False), 0, bridge_online=True).code == "not-heard-yet"


def test_an_alarm_that_was_renamed_or_cannot_be_read_is_shown() -> None:
    gone = judge(known(), 0, bridge_online=True, on_bridge=False)
    assert (gone.state, gone.code) == ("failed", "not-on-bridge")
    garbled = judge(known(garbled=True), 0, bridge_online=True)
    assert (garbled.state, garbled.code) == ("degraded", "payload-malformed")


def test_a_misread_frame_hides_nothing_that_the_alarm_says_of_itself() -> None:
    misread = ("a GS524N sends 6 bytes, not 8", 0.0)
    hidden: tuple[tuple[SmokeCondition, str], ...] = (
        ("tamper", "tampered"),
        ("hardware_fault", "hardware-fault"),
        ("end_of_service", "end-of-service"),
        ("battery_alert", "battery-low"),
    )
    for condition, code in hidden:
        found = judge(known(condition, misread=misread), 1, bridge_online=True)
        assert found.code == code
    assert judge(known("test", misread=misread), 700, bridge_online=None).code == "test-stuck"
    alone = judge(known(misread=misread), 1, bridge_online=True)
    assert alone.code == "smoke-frame-malformed"
    assert beside(alone, "fire-stuck", only_sounds=False).code == "fire-stuck"
    unsaid = known(misread=misread, fire_said=False, spoke=True)
    assert judge(unsaid, 1, bridge_online=True).code == "smoke-frame-malformed"
    assert judge(known(misread=misread), 86_400, bridge_online=True) == OK


def test_an_alarm_that_nobody_configured_is_degraded() -> None:
    for state in (None, known()):
        finding = judge(state, 0, bridge_online=True, configured=False)
        assert (finding.state, finding.code) == ("degraded", "unconfigured")


@given(st.lists(st.sampled_from([OK, Finding("failed", "a"), Finding("failed", "b")])))
def test_only_changes_are_told_and_a_state_keeps_its_beginning(found: list[Finding]) -> None:
    health = ToldHealth()
    before: DeviceHealth | None = None
    for second, finding in enumerate(found):
        change = health.change("a", finding, START + timedelta(seconds=second))
        health = ToldHealth(health.state())
        if change is None:
            assert before is not None
            assert (before.state, before.code) == finding[:2]
            continue
        assert (change.state, change.code) == finding[:2]
        if before is not None and before.state == change.state:
            assert change.since == before.since
        before = change


def test_what_has_not_changed_is_told_again_after_a_day() -> None:
    health = ToldHealth()
    times = [START + timedelta(hours=hours) for hours in (0, 1, 23, 24, 25, 48)]
    told = [health.change("a", OK, time) for time in times]
    assert [change is not None for change in told] == [True, False, False, True, False, True]
    assert {change.since for change in told if change is not None} == {START}


def test_a_clearing_after_the_clock_was_set_back_is_not_of_the_future() -> None:
    night = Night(ahead_s=7200)
    night.say(smoke=True)
    night.ahead_s = 0
    (clear,) = night.say(smoke=False)
    sent = pipeline._outgoing("a", clear, night.now)
    assert sent.time == night.now
    assert sent.lane is Lane.ALARM


async def test_unknown_until_heard_and_retained_availability_is_heard(home: Home) -> None:
    home.say("bridge/state", b'{"state":"online"}', retain=True)
    home.say("kitchen/availability", b'{"state":"online"}', retain=True)
    home.say("kitchen", {"smoke": False, "last_seen": ago(7200)}, retain=True)
    states: dict[str, bytes] = {}
    context = MemoryContext(gateway=home.base, states=states)
    async with listening(home.settings(), context) as task:
        await context.until(lambda: told(context, "home-1")[-1:] == [("ok", None)], task)
        await context.until(lambda: bool(told(context, "home-2")), task)
        assert told(context, "home-2") == [("starting", "not-heard-yet")]
        home.say("floor 2/hall", {"smoke": False, "battery_low": True})
        await context.until(lambda: len(told(context, "home-2")) == 2, task)
        assert told(context, "home-2")[1] == ("degraded", "battery-low")
        home.say("kitchen/availability", b'{"state":"offline"}', retain=True)
        await context.until(lambda: told(context, "home-1")[-1] == ("failed", "link-lost"), task)
    # It was told: a restart of the agent says nothing again.
    again = MemoryContext(gateway=home.base, states=states)
    async with listening(home.settings(), again) as task:
        home.say("floor 2/hall", {"smoke": False, "battery_low": False})
        await again.until(lambda: bool(told(again, "home-2")), task)
    assert told(again, "home-2") == [("ok", None)]
    assert told(again, "home-1") == []


async def test_while_the_bridge_is_offline_no_alarm_is_well(home: Home) -> None:
    context = MemoryContext(gateway=home.base)
    async with listening(home.settings(), context) as task:
        home.say("kitchen", {"smoke": False})
        await context.until(lambda: told(context, "home-1") == [("ok", None)], task)
        home.say("bridge/state", b'{"state":"offline"}')
        for device in ("home-1", "home-2"):

            def failed(device: str = device) -> bool:
                return told(context, device)[-1:] == [("failed", "bridge-offline")]

            await context.until(failed, task)
        home.say("bridge/state", b'{"state":"online"}')
        await context.until(lambda: told(context, "home-1")[-1] == ("ok", None), task)
        await context.until(lambda: told(context, "home-2")[-1][0] == "starting", task)


async def test_a_bridge_that_nobody_ever_heard_is_said_to_be_unseen(home: Home) -> None:
    context = MemoryContext(gateway=home.base)
    async with listening(home.settings(), context) as task:
        await context.until(lambda: context.reports[-1][1] == "bridge-unseen", task)
        home.say("kitchen", {"smoke": False})
        await context.until(lambda: context.reports[-1][0] == "ok", task)


async def test_a_silent_alarm_is_missed_however_much_the_others_talk(home: Home) -> None:
    now, said = [datetime.now(UTC)], [0]
    context = MemoryContext(
        gateway=home.base, clock=lambda: now[0], ticks=lambda: now[0].timestamp()
    )
    lost = ("home-2", "link_lost", True)

    def while_the_kitchen_talks() -> bool:
        if len(context.readings()) >= said[0]:  # it was heard: half a minute goes by
            now[0] += timedelta(seconds=30)
            said[0] += 1
            home.say("kitchen", {"smoke": False, "battery": 50 + said[0] % 40})
        return lost in alarms(context)

    async with listening(home.settings(silent_after_s=70), context) as task:
        await context.until(while_the_kitchen_talks, task)
    assert ("home-1", "link_lost", True) not in alarms(context)


async def test_a_broker_away_at_the_start_killed_and_back(tmp_path: Path) -> None:
    port = servers.free_port()
    broker: servers.Mosquitto | None = None
    base = "z2m-recovery"
    made = section(f"mqtt://127.0.0.1:{port}", base)
    context = RecordedContext(gateway=base)
    async with supervised(lambda: sources.build(made, context), context, made.device) as record:
        try:
            unreachable = ("failed", "broker-unreachable")
            await context.until(lambda: record.restarts >= 2)
            assert (record.state, record.code) == unreachable
            assert told(context, "home-1") == [unreachable], "told once, not at each attempt"
            broker = servers.mosquitto(tmp_path / "own", port=port)
            there = Home(broker, base)
            there.say("bridge/state", b'{"state":"online"}', retain=True)
            there.say("kitchen", {"smoke": True}, retain=True)
            await context.until(lambda: ("home-1", "smoke", True) in alarms(context))
            await context.until(lambda: (record.state, record.code) == ("ok", None))
            await context.until(
                lambda: told(context, "home-2")[-1] == ("starting", "not-heard-yet")
            )
            there.close()
            broker.kill()
            await context.until(lambda: told(context, "home-1")[-1] == unreachable)
            broker.start()
            await context.until(lambda: record.state != "failed")
            there = Home(broker, base)
            there.say("kitchen", {"smoke": False})
            await context.until(lambda: ("home-1", "smoke", False) in alarms(context))
            await context.until(lambda: told(context, "home-1")[-1] == ("ok", None))
            there.close()
        finally:
            if broker is not None:
                broker.stop()
    assert len([a for a in alarms(context) if a[1] == "smoke"]) == 2


async def test_a_renamed_alarm_and_one_that_talks_nonsense(home: Home) -> None:
    listed = json.dumps([{"friendly_name": name} for name in ("kitchen", "hall")]).encode()
    home.say("bridge/devices", listed, retain=True)
    context = MemoryContext(gateway=home.base)
    async with listening(home.settings(), context) as task:
        home.say("kitchen", {"smoke": False})
        await context.until(lambda: told(context, "home-1")[-1:] == [("ok", None)], task)
        await context.until(lambda: told(context, "home-2") == [("failed", "not-on-bridge")], task)
        home.say("kitchen", b"\xff\x00{")
        malformed = ("degraded", "payload-malformed")
        await context.until(lambda: told(context, "home-1")[-1] == malformed, task)
        home.say("kitchen", {"smoke": False})
        await context.until(lambda: told(context, "home-1")[-1] == ("ok", None), task)
