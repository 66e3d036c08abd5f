"""A sonde that moves: each measurement says where it was taken, or that this is not known."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from edge.device.supervised import running
from edge.memory_context import MemoryContext
from edge.water.test_pipeline import PH, good, settings, tcp
from vigil_edge.position.receiver import Position
from vigil_edge.water import pipeline
from vigil_edge.water.judge import Judge
from vigil_schemas.types import QartodFlag
from vigil_schemas.water import WaterExcursion
from vigil_sim.satellites import Gpsd, tpv

HERE = (23.48231, 120.44107)


async def test_each_measurement_says_where_it_was_taken() -> None:
    gpsd, context = Gpsd(), MemoryContext()
    async with gpsd.listening() as where, tcp(good) as port:
        made = settings(port, [PH], position={"address": f"127.0.0.1:{where}"})
        async with running(pipeline.build(made, context)) as task:
            async with asyncio.timeout(30):
                await gpsd.watching.wait()
            first = len(context.readings())
            await context.until(lambda: len(context.readings()) > first + 4, task)
            gpsd.say(tpv(*HERE, eph=3.5))
            await context.until(
                lambda: any(one.parameter == "position_within" for one in context.readings()), task
            )
    found = context.readings()
    before = next(one for one in found if one.parameter == "latitude")
    assert (before.value, before.unit, before.flag) == (None, "lat", QartodFlag.MISSING)
    last = max(one.time for one in found if one.parameter == "position_within")
    of_then = {one.parameter: (one.value, one.unit, one.flag) for one in found if one.time == last}
    assert of_then["latitude"] == (HERE[0], "lat", QartodFlag.GOOD)
    assert of_then["longitude"] == (HERE[1], "lon", QartodFlag.GOOD)
    assert of_then["position_within"] == (3.5, "m", QartodFlag.GOOD)
    assert of_then["pH"][0] == 7.5


def test_who_is_called_knows_where_to_go() -> None:
    at = datetime(2026, 3, 1, tzinfo=UTC)
    judge = Judge(settings(1, [PH | {"high": 9.0, "consecutive": 1}]), None)
    here = Position("fixed", *HERE, 3.0, at)
    onset = judge.outgoing([(at, [9.5])], (), here)[0].data
    lost = judge.outgoing([(at + timedelta(minutes=1), [7.0])], (), Position("too-old", at=at))[0]
    assert isinstance(onset, WaterExcursion)
    assert (onset.phase, onset.latitude, onset.longitude) == ("onset", *HERE)
    assert isinstance(lost.data, WaterExcursion)
    assert (lost.data.phase, lost.data.latitude) == ("end", None)


async def test_a_position_that_is_not_known_is_told_and_costs_no_reading() -> None:
    context = MemoryContext()
    async with tcp(good) as port:
        made = settings(port, [PH], position={"address": "127.0.0.1:1"})
        async with running(pipeline.build(made, context)) as task:
            await context.until(
                lambda: any(code == "position-unknown" for _, code, _ in context.reports), task
            )
    assert {one.value for one in context.readings() if one.parameter == "pH"} == {7.5}
    assert ("degraded", "position-unknown") in {one[:2] for one in context.reports}
    assert pipeline.describe(made)[0].parameters == ["pH", "latitude", "longitude"]
