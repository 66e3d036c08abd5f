"""Which sirens sound while something burns, and how the bridge is told: pure, then on a broker."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

import servers
from edge.device import supervised
from edge.memory_context import MemoryContext
from edge.smoke.home import Bridge, Home, alarms, fires, listening
from vigil_edge.device.seam import CommandRefused
from vigil_edge.smoke import interlink, sirens, sources
from vigil_edge.smoke.interlink import Burning, HushRefused, Interlink, Order
from vigil_edge.smoke.settings import ZigbeeSettings
from vigil_schemas.commands import Mute, SelfTest
from vigil_schemas.gateway import DeviceHealth

HOMES = {"a": ["flat 1", "house"], "b": ["flat 1", "house"], "c": ["flat 2", "house"]}


def smoke(since: float = 0.0, *, growing: bool = False, kinds: str = "smoke") -> Burning:
    return Burning(frozenset(kinds.split()), growing, since)


def house() -> Interlink:
    return Interlink(HOMES, confirmed=["house"])


def sounding(orders: list[Order]) -> dict[str, str | None]:
    return dict(orders)


def test_one_alarm_sounds_its_dwelling_and_a_second_the_building() -> None:
    links = house()
    links.burns("a", smoke(), 0)
    assert sounding(links.orders(0)) == {"a": "fire", "b": "fire"}
    assert links.orders(1) == []
    links.burns("c", smoke(2), 2)  # another dwelling of the same building
    assert sounding(links.orders(2)) == {"c": "fire"}
    links.burns("a", None, 3)
    assert sounding(links.orders(3)) == {"a": None, "b": None}
    links.burns("c", None, 4)
    assert sounding(links.orders(4)) == {"c": None}


def test_heat_beside_smoke_confirms_by_itself() -> None:
    links = house()
    links.burns("a", smoke(), 0)
    links.orders(0)
    links.burns("a", smoke(growing=True), 1)
    assert sounding(links.orders(1)) == {"c": "fire"}


def test_carbon_monoxide_has_its_own_sound_and_no_hush() -> None:
    links = house()
    links.burns("a", smoke(kinds="co"), 0)
    assert sounding(links.orders(0)) == {"a": "co", "b": "co"}
    with pytest.raises(HushRefused, match="carbon-monoxide"):
        links.hush("a", 1)
    links.burns("a", smoke(kinds="co smoke"), 2)
    assert sounding(links.orders(2)) == {"a": "fire", "b": "fire"}
    with pytest.raises(HushRefused, match="carbon-monoxide"):
        links.hush("b", 3)


def test_a_hush_lasts_ten_minutes_and_ends_when_it_grows() -> None:
    links = house()
    with pytest.raises(HushRefused, match="nothing-sounds"):
        links.hush("a", 0)
    links.burns("a", smoke(), 0)
    links.orders(0)
    links.hush("b", 1)
    assert sounding(links.orders(1)) == {"a": None, "b": None}
    assert sounding(links.orders(1 + interlink.HUSH_S)) == {"a": "fire", "b": "fire"}
    links.hush("b", 700)
    links.orders(700)
    links.burns("a", smoke(growing=True), 701)
    assert sounding(links.orders(701)) == {"a": "fire", "b": "fire", "c": "fire"}
    with pytest.raises(HushRefused, match="growing"):
        links.hush("b", 702)


def test_a_second_alarm_ends_a_hush_and_refuses_another() -> None:
    links = house()
    links.burns("a", smoke(), 0)
    links.orders(0)
    links.hush("a", 1)
    links.orders(1)
    links.burns("b", smoke(2), 2)
    assert sounding(links.orders(2)) == {"a": "fire", "b": "fire", "c": "fire"}
    with pytest.raises(HushRefused, match="growing"):
        links.hush("a", 3)


def test_what_nobody_confirms_is_told_again_and_shown_within_ten_seconds() -> None:
    links = house()
    links.burns("a", smoke(), 0)
    links.orders(0)
    links.heard("a", True)
    due = links.due()
    assert due == interlink.AGAIN_S
    assert links.orders(3) == [Order("b", "fire")]
    assert not links.unconfirmed("b", 3)
    links.orders(6)
    assert links.unconfirmed("b", 6.0)
    assert not links.unconfirmed("a", 6.0)
    links.heard("b", True)
    assert not links.unconfirmed("b", 7)
    assert links.orders(9) == []
    links.heard("b", False)  # somebody pulled its plug
    assert links.unconfirmed("b", 10)


def test_a_siren_that_ends_by_itself_is_told_again_before_it_does() -> None:
    """Koenkk/zigbee2mqtt.io, SIRZB-110: a warning of 1,800 s lasts for the device's own
    ``max_duration``; by ZCL 8.4.2.2.1 that is 240 s, and a warning device does not say that it
    ended."""
    links = house()
    links.burns("a", smoke(), 0)
    links.orders(0)
    links.believe("a")
    links.believe("b")
    last = dict.fromkeys(("a", "b"), 0.0)
    for second in range(1, 1900):
        for order in links.orders(second):
            assert order.sound == "fire"
            assert second - last[order.device] < 180
            last[order.device] = second
    assert all(1900 - at < 180 for at in last.values())
    links.burns("a", None, 1900)
    assert sounding(links.orders(1900)) == {"a": None, "b": None}


def test_a_siren_that_says_that_it_stopped_is_told_again_at_once() -> None:
    """Somebody else stopped it, or a ``duration`` of its own was over; the fire goes on."""
    links = house()
    links.burns("a", smoke(), 0)
    links.orders(0)
    links.heard("a", True)
    links.heard("b", True)
    assert links.orders(3) == []
    links.heard("b", False)
    due = links.due()
    assert due is not None
    assert due <= 60
    assert links.orders(60) == [Order("b", "fire")]
    assert links.orders(63) == [Order("b", "fire")]
    links.heard("b", True)
    assert links.orders(66) == []


def test_an_order_that_the_bridge_could_not_give_is_shown_at_once() -> None:
    links = house()
    links.burns("a", smoke(), 0)
    links.orders(0)
    links.failed("b")
    assert links.unconfirmed("b", 0.1)


def test_a_stuck_alarm_sounds_no_more_and_confirms_nothing() -> None:
    links = house()
    links.burns("a", smoke(), 0)
    links.orders(0)
    late = interlink.STUCK_S
    assert sounding(links.orders(late)) == {"a": None, "b": None}
    assert links.stuck("a", late)
    links.burns("c", smoke(late), late)
    assert sounding(links.orders(late)) == {"c": "fire"}  # its own dwelling alone
    links.burns("b", smoke(late + 1), late + 1)
    assert sounding(links.orders(late + 1)) == {"a": "fire", "b": "fire"}


def test_an_alarm_that_grows_for_a_day_is_stuck_as_well() -> None:
    links = house()
    links.burns("a", smoke(growing=True), 0)
    links.orders(0)
    links.orders(interlink.STUCK_S)
    assert not links.stuck("a", interlink.STUCK_S), "a fire that grows is not hushed by hours"
    late = interlink.GROWING_STUCK_S
    assert set(sounding(links.orders(late)).values()) == {None}
    assert links.stuck("a", late)


def test_after_a_restart_what_was_told_is_told_anew_or_to_stop() -> None:
    links = house()
    links.burns("a", smoke(), 0)
    links.orders(0)
    again = Interlink(HOMES, ["house"], links.state())
    assert sounding(again.orders(0)) == {"a": None, "b": None}
    again = Interlink(HOMES, ["house"], links.state())
    again.burns("a", smoke(), 0)
    assert sounding(again.orders(0)) == {"a": "fire", "b": "fire"}


def test_a_stop_that_nobody_heard_outlives_a_restart_and_one_of_the_bridge() -> None:
    links = house()
    links.burns("a", smoke(), 0)
    links.orders(0)
    links.burns("a", None, 1)
    links.orders(1)
    links.heard("a", False)
    again = Interlink(HOMES, ["house"], links.state())
    assert again.orders(0) == [Order("b", None)]

    given = sum(len(links.orders(now)) for now in range(2, 3600))
    assert given == interlink.STOPS - 1
    assert interlink.STOPS * interlink.LATER_S >= 600
    assert not links.is_told("b")


@given(
    st.lists(
        st.tuples(
            st.sampled_from("abc"),
            st.sampled_from(["", "smoke", "heat", "co", "smoke heat", "hush", "heard"]),
            st.booleans(),
        ),
        max_size=30,
    )
)
def test_whatever_happens_who_burns_is_heard_and_silence_follows(
    steps: list[tuple[str, str, bool]],
) -> None:
    links, now = house(), 0.0
    told: dict[str, Any] = {}
    burning: dict[str, Any] = {}
    for device, what, flag in steps:
        now += 1
        if what == "hush":
            try:
                links.hush(device, now)
            except HushRefused:
                pass
            else:
                assert not any(one.growing for one in burning.values() if one)
        elif what == "heard":
            links.heard(device, flag)
        else:
            burning[device] = smoke(now, growing=flag, kinds=what) if what else None
            links.burns(device, burning[device], now)
        told |= sounding(links.orders(now))
        for one, fire in burning.items():
            if fire is not None and (fire.growing or "co" in fire.kinds):
                assert told[one] is not None
    for device in HOMES:
        links.burns(device, None, now)
    told |= sounding(links.orders(now))
    assert set(told.values()) <= {None}


# -- the bridge's words


def feature(name: str, kind: str, access: int = 3, **keys: Any) -> dict[str, Any]:
    return {"type": kind, "name": name, "property": name, "access": access, **keys}


WARNING = {
    "type": "composite",
    "name": "warning",
    "property": "warning",
    "features": [
        feature("mode", "enum", 2, values=["stop", "burglar", "fire", "emergency"]),
        feature("level", "enum", 2, values=["low", "medium", "high", "very_high"]),
        feature("strobe", "binary", 2, value_on=True, value_off=False),
        feature("duration", "numeric", 2),
    ],
}


def test_a_warning_device_sounds_fire_and_carbon_monoxide_differently() -> None:
    siren = sirens.of([feature("smoke", "binary", 1), WARNING])
    assert siren is not None
    assert siren.payload("fire") == {
        "warning": {"mode": "fire", "level": "very_high", "strobe": True, "duration": 1800}
    }
    assert siren.payload("co")["warning"]["mode"] == "emergency"
    assert siren.payload(None)["warning"]["mode"] == "stop"


@pytest.mark.parametrize(
    ("exposes", "fire", "stop"),
    [
        ([feature("alarm", "binary", value_on="ON", value_off="OFF")],
         {"alarm": "ON"}, {"alarm": "OFF"}),
        ([feature("siren_state", "enum", values=["stop", "fire", "burglar"])],
         {"siren_state": "fire"}, {"siren_state": "stop"}),
        ([feature("alarm_smoke", "binary", value_on="ON", value_off="OFF"),
          feature("alarm_burglar", "binary", value_on="ON", value_off="OFF")],
         {"alarm_smoke": "ON"}, {"alarm_smoke": "OFF", "alarm_burglar": "OFF"}),
    ],
)  # fmt: skip
def test_sirens_with_words_of_their_own(
    exposes: list[dict[str, Any]], fire: dict[str, Any], stop: dict[str, Any]
) -> None:
    siren = sirens.of(exposes)
    assert siren is not None
    assert siren.payload("fire") == fire
    assert siren.payload(None) == stop


@pytest.mark.parametrize(
    "exposes",
    [[], [feature("smoke", "binary", 1)], [feature("alarm", "binary", 1, value_on=1, value_off=0)],
     [feature("alarm_mode", "enum", values=["alarm_sound", "off"])], None, "x"],
)  # fmt: skip
def test_who_cannot_be_told_is_no_siren(exposes: Any) -> None:
    assert sirens.of(exposes) is None


def test_groups_are_checked() -> None:
    alarm = {"friendly_name": "kitchen", "device": "home-1", "group": "flat"}
    base = {"driver": "zigbee2mqtt", "alarm": [alarm]}
    made = ZigbeeSettings.model_validate(base | {"group": [{"name": "flat"}]})
    assert made.alarm[0].groups == ("flat",)
    for wrong in (
        [{"name": "Flat"}],
        [{"name": "flat"}, {"name": "flat"}],
        [{"name": "flat", "sound": "later"}],
        [{"name": "flat", "sond": "at-once"}],
    ):
        with pytest.raises(ValidationError):
            ZigbeeSettings.model_validate(base | {"group": wrong})


# -- on a broker


def grouped(home: Home, **keys: Any) -> Any:
    given = {
        "alarm": [
            {"friendly_name": "kitchen", "device": "home-1", "group": ["flat", "house"]},
            {"friendly_name": "hall", "device": "home-2", "group": "flat"},
            {"friendly_name": "stairs", "device": "home-3", "group": "house"},
        ],
        "group": [{"name": "house", "sound": "confirmed"}],
    }
    return home.settings(**given | keys)


async def asked(there: Bridge) -> tuple[str, Any]:
    found: tuple[str, Any] = await asyncio.to_thread(there.asked.get, timeout=servers.DEADLINE_S)
    return found


async def until_asked(there: Bridge, wanted: tuple[str, Any]) -> None:
    """Orders that are given again on a slow machine come before it."""
    while await asked(there) != wanted:
        pass


def mode(payload: dict[str, Any]) -> str:
    found: str = payload["warning"]["mode"]
    return found


async def test_a_fire_sounds_its_group_and_its_end_stops_it(
    home: Home,
    bridge: Bridge,
    tmp_path: Path,
) -> None:
    context = MemoryContext(tmp_path, gateway=home.base)
    home.say("bridge/state", {"state": "online"}, retain=True)
    async with listening(grouped(home), context) as task, asyncio.timeout(60):
        home.say("kitchen", {"smoke": True})
        told = dict([await asked(bridge), await asked(bridge)])
        assert {name: mode(one) for name, one in told.items()} == {
            "kitchen/set": "fire",
            "hall/set": "fire",
        }
        home.say("stairs", {"smoke": True})  # a second one: the building, once
        name, payload = await asked(bridge)
        assert (name, mode(payload)) == ("stairs/set", "fire")
        home.say("kitchen", {"smoke": False})
        home.say("stairs", {"smoke": False})
        stopped = {
            name for name, one in [await asked(bridge) for _ in range(3)] if mode(one) == "stop"
        }
        assert stopped == {"kitchen/set", "hall/set", "stairs/set"}
        await context.until(lambda: len(alarms(context)) >= 4, task)


async def test_what_a_siren_says_at_our_word_is_no_fire_and_is_told_to_stop_anew(
    home: Home,
    bridge: Bridge,
    tmp_path: Path,
) -> None:
    """``alarm: ON`` of its own accord is one: such a siren may be an alarm as well."""
    context = MemoryContext(tmp_path, gateway=home.base)
    switch = feature("alarm", "binary", value_on="ON", value_off="OFF")
    exposed = {"kitchen": [feature("smoke", "binary", 1)], "hall": [switch], "stairs": [WARNING]}
    listed = [
        {"friendly_name": name, "definition": {"exposes": exposes}}
        for name, exposes in exposed.items()
    ]
    home.say("bridge/state", {"state": "online"}, retain=True)
    home.say("bridge/devices", json.dumps(listed).encode(), retain=True)
    async with listening(grouped(home), context) as task, asyncio.timeout(60):
        home.say("kitchen", {"smoke": True})
        await until_asked(bridge, ("hall/set", {"alarm": "ON"}))
        home.say("hall", {"alarm": "ON"})
        home.say("hall/alarm", b"ON")
        home.say("bridge/state", {"state": "offline"}, retain=True)
        home.say("kitchen", {"smoke": False})
        await until_asked(bridge, ("hall/set", {"alarm": "OFF"}))
        home.say("bridge/state", {"state": "online"}, retain=True)
        await until_asked(bridge, ("hall/set", {"alarm": "OFF"}))  # it has not heard the first
        assert fires(context, "home-2") == []
        home.say("hall", {"alarm": "OFF"})
        home.say("hall", {"alarm": "ON"})
        await context.until(lambda: bool(fires(context, "home-2")), task)


async def test_a_test_sounds_nobody_else_and_a_full_disk_silences_nobody(
    home: Home,
    bridge: Bridge,
    tmp_path: Path,
) -> None:
    context = MemoryContext(tmp_path, gateway=home.base)
    async with listening(grouped(home), context) as task, asyncio.timeout(60):
        home.say("hall", {"smoke": True, "test": True})
        await context.until(lambda: bool(fires(context, "home-2")), task)
        assert fires(context, "home-2")[0].during_test
        assert bridge.asked.empty()
        context.fail_next = OSError("no space left")
        home.say("kitchen", {"heat": True}, qos=0)
        told = {name for name, _ in [await asked(bridge) for _ in range(2)]}
        assert {"kitchen/set", "hall/set"} <= told


async def test_a_siren_that_stays_silent_is_shown(
    home: Home,
    bridge: Bridge,
    tmp_path: Path,
) -> None:
    context = MemoryContext(tmp_path, gateway=home.base)
    home.say("bridge/state", {"state": "online"}, retain=True)
    async with listening(grouped(home), context) as task, asyncio.timeout(60):
        home.say("kitchen", {"smoke": True})
        await asked(bridge)
        said = {"level": "error", "message": "z2m: Publish 'set' 'warning' to 'hall' failed: 'x'"}
        home.say("bridge/logging", said)

        def shown() -> list[str | None]:
            return [
                out.data.code
                for out in context.accepted
                if isinstance(out.data, DeviceHealth) and out.subject == "home-2"
            ]

        await context.until(lambda: "siren-unconfirmed" in shown(), task)
        home.say("hall", {"smoke": False, "warning": {"mode": "fire"}})
        await context.until(lambda: shown()[-1] in (None, "ok"), task)


async def test_hush_is_refused_of_a_growing_fire_and_a_test_that_we_asked_for_is_one(
    home: Home,
    bridge: Bridge,
    tmp_path: Path,
) -> None:
    context = MemoryContext(tmp_path, gateway=home.base)
    switch = feature("self_test", "binary", value_on=True, value_off=False)
    definition = {"exposes": [feature("smoke", "binary", 1), switch, WARNING]}
    listed = [
        {"friendly_name": name, "definition": definition} for name in ("kitchen", "hall", "stairs")
    ]
    home.say("bridge/state", {"state": "online"}, retain=True)
    home.say("bridge/devices", json.dumps(listed).encode(), retain=True)
    pipe = sources.build(grouped(home), context)
    async with supervised.running(pipe, context) as task, asyncio.timeout(60):
        while True:
            try:
                await pipe.command("home-3", SelfTest())
                break
            except CommandRefused:
                await asyncio.sleep(0.01)
        assert await asked(bridge) == ("stairs/set", {"self_test": True})
        home.say("stairs", {"smoke": True})  # it calls its test no test
        await context.until(lambda: bool(fires(context, "home-3")), task)
        assert fires(context, "home-3")[0].during_test
        home.say("stairs", {"smoke": False})
        home.say("kitchen", {"smoke": True})
        await asked(bridge)
        await asked(bridge)
        assert "ten minutes" in await pipe.command("home-1", Mute())
        assert {mode((await asked(bridge))[1]) for _ in range(2)} == {"stop"}
        home.say("kitchen", {"smoke": True, "heat": True})
        await context.until(lambda: ("home-1", "heat", True) in alarms(context), task)
        with pytest.raises(CommandRefused, match="grows") as refused:
            await pipe.command("home-1", Mute())
        assert refused.value.code == "hush-growing"
