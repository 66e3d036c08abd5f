"""An automatic sampler: by command, by itself, and over a crash."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from edge.device.supervised import running
from edge.memory_context import MemoryContext
from edge.water.test_pipeline import PH, good, settings, tcp
from vigil_edge.device.seam import CommandRefused
from vigil_edge.water import pipeline
from vigil_edge.water.sampler import SAMPLER, Sampler
from vigil_schemas.commands import SampleNow
from vigil_schemas.types import QartodFlag
from vigil_schemas.water import TakeSample, WaterExcursion

WRITE_COIL, WRITE_REGISTERS = 5, 16
NOON = datetime(2026, 3, 1, 4, tzinfo=UTC)


class Heard(list[tuple[int, ...]]):
    """What was written, and a word when there is anything."""

    def __init__(self) -> None:
        super().__init__()
        self.any = asyncio.Event()

    def append(self, one: tuple[int, ...], /) -> None:
        super().append(one)
        self.any.set()


def relay(
    heard: list[tuple[int, ...]], value: Callable[[], float] = lambda: 7.5
) -> Callable[[bytes], bytes]:
    """A probe with a relay module at the same address: confirms what is written, and keeps it."""

    def answer(request: bytes) -> bytes:
        function = request[7]
        if function not in (WRITE_COIL, WRITE_REGISTERS):
            return good(request, value())
        heard.append((request[6], function, *request[8:12], *request[13:]))
        return request[:4] + b"\x00\x06" + request[6:12]

    return answer


def sampler(**keys: object) -> dict[str, object]:
    return {"unit": 9, "register": 3, "pulse_s": 0.01, "bottles": 2} | keys


def onset() -> WaterExcursion:
    return WaterExcursion(
        excursion_id="excursion-1",
        phase="onset",
        parameter="pH",
        kind="above",
        flag=QartodFlag.GOOD,
        started=NOON,
    )


def trouble(made: Sampler) -> str | None:
    return None if made.trouble is None else made.trouble[0]


def bottles(context: MemoryContext) -> list[tuple[float | None, QartodFlag]]:
    return [(r.value, r.flag) for r in context.readings() if r.parameter == "sample_bottle"]


CLOSED, OPEN = (9, WRITE_COIL, 0, 3, 0xFF, 0), (9, WRITE_COIL, 0, 3, 0, 0)


async def test_a_command_closes_the_contact_and_opens_it_again() -> None:
    heard: list[tuple[int, ...]] = []
    context = MemoryContext(clock=lambda: NOON)
    async with tcp(relay(heard)) as port:
        made = Sampler(settings(port, [PH], sampler=sampler()), context)
        assert await made.asked(TakeSample()) == "bottle 1 of 2 is being filled"
        assert heard == [CLOSED, OPEN]
        await made.asked(TakeSample())
        with pytest.raises(CommandRefused) as full:
            await made.asked(TakeSample())
        assert full.value.code == "sampler-full"
        assert trouble(made) == "sampler-full"
        assert "bottle 1" in await made.asked(TakeSample(new_bottles=True))
        assert trouble(made) is None
    good_ones = [(number, QartodFlag.GOOD) for number in (1.0, 2.0, 1.0)]
    assert bottles(context) == good_ones


async def test_a_register_starts_it_where_it_has_no_contact() -> None:
    heard: list[tuple[int, ...]] = []
    async with tcp(relay(heard)) as port:
        own = sampler(table="holding", value=77, unit=4)
        made = Sampler(settings(port, [PH], sampler=own), MemoryContext(clock=lambda: NOON))
        await made.asked(TakeSample())
    assert heard == [
        (4, WRITE_REGISTERS, 0, 3, 0, 1, 0, 77),
        (4, WRITE_REGISTERS, 0, 3, 0, 1, 0, 0),
    ]


async def test_a_bound_that_is_crossed_starts_it_once() -> None:
    heard: list[tuple[int, ...]] = []
    shown = [7.0]
    context = MemoryContext()
    signal = PH | {"high": 9.0, "consecutive": 1}
    async with tcp(relay(heard, lambda: shown[0])) as port:
        made = settings(port, [signal], sampler=sampler(rest_s=3600))
        async with running(pipeline.build(made, context)) as task:
            await context.until(lambda: len(context.readings()) > 2, task)
            assert heard == []
            shown[0] = 9.5
            await context.until(lambda: bool(bottles(context)), task)
            shown[0] = 7.0
            await context.until(lambda: len(context.events()) == 2, task)
            shown[0] = 9.5
            await context.until(lambda: context.counters["sampler-rested"] == 1, task)
    assert heard == [CLOSED, OPEN]
    assert bottles(context) == [(1.0, QartodFlag.GOOD)]


async def test_a_sampler_that_cannot_be_reached_is_told_and_costs_no_reading() -> None:
    context = MemoryContext()
    signal = PH | {"high": 7.0, "consecutive": 1}
    async with tcp(good) as port:
        own = sampler(address="127.0.0.1:1", driver="modbus-tcp")
        made = settings(port, [signal], sampler=own)
        async with running(pipeline.build(made, context)) as task:
            await context.until(
                lambda: any(code == "sampler-failed" for _, code, _ in context.reports), task
            )
            before = len(context.readings())
            await context.until(lambda: len(context.readings()) > before, task)
    assert bottles(context) == []


async def test_what_nobody_foresaw_is_told_as_well() -> None:
    heard: list[tuple[int, ...]] = []
    context = MemoryContext(clock=lambda: NOON)
    async with tcp(relay(heard)) as port:
        made = Sampler(settings(port, [PH], sampler=sampler()), context)
        context.fail_next = OSError("disk full")
        made.heed([onset()])
        await context.until(lambda: context.counters["sampler-failed"] == 1)
    assert made.trouble == ("sampler-failed", "OSError: disk full")
    assert heard == [], "what could not be kept was not begun"


async def test_a_refusal_midway_is_told_as_suspect() -> None:
    def refuse(request: bytes) -> bytes:
        return request[:4] + bytes((0, 3, request[6], request[7] | 0x80, 4))

    context = MemoryContext(clock=lambda: NOON)
    async with tcp(refuse) as port:
        made = Sampler(settings(port, [PH], sampler=sampler()), context)
        with pytest.raises(CommandRefused) as caught:
            await made.asked(TakeSample())
    assert caught.value.code == "sampler-failed"
    assert bottles(context) == [(1.0, QartodFlag.SUSPECT)]


async def test_a_crash_while_a_bottle_is_filled_fills_none_twice() -> None:
    heard = Heard()
    states: dict[str, bytes] = {}
    async with tcp(relay(heard)) as port:
        made = settings(port, [PH], sampler=sampler(pulse_s=30))
        first = Sampler(made, MemoryContext(states=states, clock=lambda: NOON))
        filling = asyncio.create_task(first.asked(TakeSample()))
        async with asyncio.timeout(30):
            await heard.any.wait()
        filling.cancel()
        await asyncio.gather(filling, return_exceptions=True)
        assert heard == [CLOSED, OPEN], "the contact does not stay closed"
        context = MemoryContext(states=states, clock=lambda: NOON)
        second = Sampler(made, context)
        await second.begun()
        assert bottles(context) == [(1.0, QartodFlag.SUSPECT)]
        third = Sampler(made, MemoryContext(states=states))
        await third.begun()
        assert b'"open_us": null' in states[SAMPLER], "it is told once"


async def test_without_a_sampler_it_is_refused() -> None:
    pipe = pipeline.build(settings(1, [PH]), MemoryContext())
    with pytest.raises(CommandRefused) as caught:
        await pipe.command("sonde", TakeSample())
    assert caught.value.code == "no-sampler"
    assert pipeline.describe(settings(1, [PH]))[0].commands == [SampleNow.ACTION]
    both = [SampleNow.ACTION, TakeSample.ACTION]
    assert pipeline.describe(settings(1, [PH], sampler=sampler()))[0].commands == both
