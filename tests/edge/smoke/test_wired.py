"""Alarms on dry contacts, on a real Modbus line; the pins of the gateway share everything else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from edge.memory_context import MemoryContext
from edge.smoke.home import alarms, fires, listening
from vigil_edge.contacts.errors import GpioUnavailable
from vigil_edge.delivery.outbox import OutboxFailed, OutboxFull
from vigil_edge.device.seam import Outgoing, SourceError
from vigil_edge.smoke.descriptions import describe
from vigil_edge.smoke.settings import SmokeSettings
from vigil_edge.smoke.sources import build
from vigil_edge.smoke.wired_settings import WiredSettings
from vigil_schemas.gateway import DeviceHealth
from vigil_schemas.types import Lane
from vigil_sim.aed.board import LINES, CabinetBoard
from vigil_sim.aed.cabinet import Shown

ADAPTER: TypeAdapter[Any] = TypeAdapter(SmokeSettings)
HALL = {"device": "hall", "smoke": LINES["door"], "heat": LINES["button"], "fault": LINES["fault"]}
LOFT = {"device": "loft", "smoke": LINES["present"], "inverted": ["smoke"]}
"""Normally closed: a cut wire is an alarm too."""


@asynccontextmanager
async def board() -> AsyncIterator[CabinetBoard]:
    """Four contacts of a board, that a test closes by hand."""
    found = CabinetBoard(lambda _: Shown(), device="panel")
    await found.start()
    try:
        yield found
    finally:
        await found.stop()


def settings(found: CabinetBoard, **keys: Any) -> WiredSettings:
    made: WiredSettings = ADAPTER.validate_python(
        {
            "device": "panel",
            "driver": "modbus-tcp",
            "address": found.address,
            "interval_s": 0.01,
            "debounce_s": 0.02,
            "alarm": [HALL, LOFT],
        }
        | keys
    )
    return made


def health(context: MemoryContext, device: str) -> list[str | None]:
    return [
        out.data.code
        for out in context.accepted
        if isinstance(out.data, DeviceHealth) and out.subject == device
    ]


async def test_contacts_begin_and_end_a_fire_and_a_fault() -> None:
    context = MemoryContext()
    async with board() as panel, listening(settings(panel), context) as task, asyncio.timeout(30):
        await context.until(lambda: health(context, "loft") == [None], task)
        assert alarms(context) == []
        panel.hold("door", True)
        await context.until(lambda: ("hall", "smoke", True) in alarms(context), task)
        panel.hold("button", True)
        await context.until(lambda: ("hall", "heat", True) in alarms(context), task)
        assert fires(context, "hall")[-1].unconfirmed_since is None
        panel.hold("fault", True)
        await context.until(lambda: "hardware-fault" in health(context, "hall"), task)
        panel.hold("door", False)
        await context.until(lambda: ("hall", "smoke", False) in alarms(context), task)
        assert ("hall", "heat", False) not in alarms(context)


async def test_a_new_connection_tells_a_fire_that_stands_once_more() -> None:
    context = MemoryContext()
    async with board() as panel, listening(settings(panel), context) as task, asyncio.timeout(30):
        await context.until(lambda: health(context, "hall") == [None], task)
        panel.hold("door", True)
        await context.until(lambda: ("hall", "smoke", True) in alarms(context), task)
        context.session = 1
        await context.until(lambda: len(fires(context, "hall")) == 2, task)
    first, again = [out for out in context.accepted if out.data in fires(context, "hall")]
    assert (first.id, first.time, first.data) == (again.id, again.time, again.data)


async def test_a_normally_closed_loop_that_is_cut_is_an_alarm() -> None:
    context = MemoryContext()
    async with board() as panel, listening(settings(panel), context) as task, asyncio.timeout(30):
        await context.until(lambda: health(context, "loft") == [None], task)
        panel.hold("present", False)
        await context.until(lambda: ("loft", "smoke", True) in alarms(context), task)


async def test_a_fire_outlasts_an_outbox_that_fails_and_a_restart_tells_it_once() -> None:
    context = MemoryContext()
    async with board() as panel:
        made = settings(panel)
        async with listening(made, context) as task, asyncio.timeout(30):
            await context.until(lambda: health(context, "hall") == [None], task)
            context.fail_next = OutboxFailed("disk")
            panel.hold("door", True)
            await context.until(lambda: context.counters["smoke-events-wait"] > 0, task)
            panel.hold("door", False)
            await context.until(lambda: ("hall", "smoke", False) in alarms(context), task)
            panel.hold("door", True)
            begun = [("hall", "smoke", True)] * 2
            await context.until(lambda: [one for one in alarms(context) if one[2]] == begun, task)
        again = MemoryContext(states=context.states)
        async with listening(made, again) as task, asyncio.timeout(30):
            panel.hold("door", False)
            await again.until(lambda: ("hall", "smoke", False) in alarms(again), task)
            assert [one for one in alarms(again) if one[2]] == []


class FullOfEvents(MemoryContext):
    """An outbox in which only the reserve of alarms is left, from a moment on."""

    full = False

    async def accept(
        self, outgoing: Sequence[Outgoing], state: Mapping[str, bytes] | None = None
    ) -> None:
        if self.full and any(each.lane is not Lane.ALARM for each in outgoing):
            raise OutboxFull("full of events")
        await super().accept(outgoing, state)


async def test_health_that_a_full_outbox_did_not_take_is_told_after_a_restart() -> None:
    context = FullOfEvents()
    async with board() as panel:
        made = settings(panel)
        async with listening(made, context) as task, asyncio.timeout(30):
            await context.until(lambda: health(context, "hall") == [None], task)
            context.full = True
            panel.hold("fault", True)
            await context.until(lambda: context.counters["smoke-events-wait"] > 0, task)
            panel.hold("door", True)
            await context.until(lambda: ("hall", "smoke", True) in alarms(context), task)
        assert "hardware-fault" not in health(context, "hall")
        again = MemoryContext(states=context.states)
        async with listening(made, again) as task, asyncio.timeout(30):
            await again.until(lambda: "hardware-fault" in health(again, "hall"), task)


def test_lines_of_a_board_are_read_in_one_question() -> None:
    made = {"device": "panel", "driver": "modbus-tcp", "address": "192.0.2.1:502"}
    for last, fits in ((2000, True), (2001, False)):
        given = {**made, "alarm": [{"device": "a", "smoke": 1, "heat": last}]}
        if fits:
            ADAPTER.validate_python(given)
        else:
            with pytest.raises(ValidationError, match="fewer than 2000 apart"):
                ADAPTER.validate_python(given)


async def test_a_line_that_breaks_fails_every_alarm_on_it() -> None:
    context = MemoryContext()
    async with board() as panel, asyncio.timeout(30):
        running = asyncio.create_task(build(settings(panel), context).run())
        await context.until(lambda: health(context, "loft") == [None], running)
        await panel.stop()
        with pytest.raises(SourceError) as told:
            await running
        assert told.value.code in {"io-board-lost", "io-board-unreachable"}
        for device in ("hall", "loft"):
            assert health(context, device)[-1] == told.value.code


async def test_pins_that_are_not_there_are_told(tmp_path: Path) -> None:
    made = ADAPTER.validate_python(
        {"device": "panel", "driver": "gpio", "chip": "/dev/null", "alarm": [HALL]}
    )
    context = MemoryContext(tmp_path)
    with pytest.raises(GpioUnavailable, match="/dev/null"):
        await build(made, context).run()
    assert health(context, "hall") == ["gpio-unavailable"]
    assert [one.device for one in describe(made)] == ["panel", "hall"]


@pytest.mark.parametrize(
    ("alarm", "why"),
    [
        ([{"device": "a", "fault": 1}], "needs a line"),
        ([{"device": "a", "smoke": 1, "inverted": ["heat"]}], "no line for heat"),
        ([{"device": "a", "smoke": 1, "heat": 1}], "same line"),
        ([{"device": "a", "smoke": 1}, {"device": "b", "smoke": 1}], "same line"),
        ([{"device": "a", "smoke": 1}, {"device": "a", "smoke": 2}], "device"),
    ],
)
def test_settings_are_checked(alarm: list[dict[str, Any]], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        ADAPTER.validate_python({"device": "panel", "driver": "gpio", "alarm": alarm})
