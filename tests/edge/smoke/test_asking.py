"""A self test and silence, asked of an alarm over its bridge, as far as the bridge's list goes."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import servers
from edge.device import supervised
from edge.memory_context import MemoryContext
from edge.smoke.home import Bridge, Home
from vigil_edge.device.seam import CommandRefused
from vigil_edge.smoke import sources
from vigil_edge.smoke.asking import payload
from vigil_schemas.commands import CommandArguments, Mute, SampleNow, SelfTest

SETTABLE = 2
READABLE = 1


def exposed(*features: dict[str, Any]) -> dict[str, Any]:
    smoke = {"type": "binary", "name": "smoke", "property": "smoke", "access": READABLE}
    return {"exposes": [smoke, *features]}


def switch(name: str, access: int = READABLE | SETTABLE, on: Any = True) -> dict[str, Any]:
    return {
        "type": "binary",
        "name": name,
        "property": name,
        "access": access,
        "value_on": on,
        "value_off": False,
    }


async def ask(
    home: Home, arguments: CommandArguments, definition: dict[str, Any], *, online: bool = True
) -> str:
    """Of the kitchen's alarm, once the pipeline knows the bridge's list and state."""
    context = MemoryContext(gateway=home.base)
    home.say("bridge/state", {"state": "online" if online else "offline"}, retain=True)
    listed = [{"friendly_name": "kitchen", "definition": definition}]
    home.say("bridge/devices", json.dumps(listed).encode(), retain=True)
    pipe = sources.build(home.settings(), context)
    async with supervised.running(pipe, context) as task, asyncio.timeout(60):
        if not online:
            offline = "bridge-offline"
            await context.until(lambda: any(one[1] == offline for one in context.reports), task)
        while True:
            try:
                return await pipe.command("home-1", arguments)
            except CommandRefused as error:
                if error.code != "not-on-bridge":
                    raise
            await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("arguments", "name", "on"),
    [
        (SelfTest(), "self_test", True),
        (SelfTest(), "selftest", "ON"),
        (Mute(), "silence", True),
        (Mute(), "mute_buzzer", "mute"),
    ],
)
async def test_what_the_bridge_lists_is_asked_in_its_own_words(
    home: Home, bridge: Bridge, arguments: CommandArguments, name: str, on: Any
) -> None:
    told = await ask(home, arguments, exposed(switch(name, on=on)))

    assert "next message" in told
    asked = await asyncio.to_thread(bridge.asked.get, timeout=servers.DEADLINE_S)
    assert asked == ("kitchen/set", {name: on})


@pytest.mark.parametrize(
    ("arguments", "definition"),
    [
        (SelfTest(), exposed()),
        (SelfTest(), exposed(switch("self_test", access=READABLE))),
        (Mute(), exposed(switch("self_test"))),
        (SelfTest(), exposed(switch("silence"))),
    ],
)
async def test_what_it_does_not_list_is_refused_and_nothing_is_sent(
    home: Home, bridge: Bridge, arguments: CommandArguments, definition: dict[str, Any]
) -> None:
    with pytest.raises(CommandRefused) as refused:
        await ask(home, arguments, definition)

    assert refused.value.code == "unsupported-by-device"
    assert bridge.asked.empty()


async def test_nothing_is_asked_of_a_bridge_that_is_away(home: Home, bridge: Bridge) -> None:
    with pytest.raises(CommandRefused) as refused:
        await ask(home, SelfTest(), exposed(switch("self_test")), online=False)

    assert refused.value.code == "bridge-offline"
    assert bridge.asked.empty()


@given(settable=st.dictionaries(st.text(max_size=12) | st.just("silence"), st.booleans()))
def test_any_list_is_answered_with_json_or_refused(settable: dict[str, Any]) -> None:
    for arguments in (SelfTest(), Mute(), SampleNow()):
        sent = asked_of(arguments, settable)
        assert sent is None or settable.items() >= sent.items()


def asked_of(arguments: CommandArguments, settable: dict[str, Any]) -> dict[str, Any] | None:
    try:
        sent: dict[str, Any] = json.loads(payload(arguments, settable))
    except CommandRefused:
        return None
    assert len(sent) == 1
    return sent
