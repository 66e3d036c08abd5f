"""A sonde that is away, dumb, or another one: told under its code, asked again, and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edge.device.supervised import RecordedContext, supervised
from servers import free_port
from vigil_edge.water import pipeline
from vigil_edge.water.settings import WaterSettings
from vigil_sim.faults import Fault, FaultKind
from vigil_sim.water.device import ModbusSonde, SignalRegister


def sonde(**keys: Any) -> ModbusSonde:
    return ModbusSonde(
        lambda t: {"pH": 7.25},
        [SignalRegister("pH", 100, "pH")],
        device="sonde",
        interval_s=0.02,
        **keys,
    )


@pytest.mark.parametrize("mode", ["poll", "logger"])
async def test_away_at_the_start_gone_in_the_middle_and_back(mode: Any) -> None:
    port = free_port()
    device = sonde(port=port, mode=mode)
    made = WaterSettings.model_validate(device.section(timeout_s=0.3))
    context = RecordedContext()
    async with supervised(lambda: pipeline.build(made, context), context, "sonde") as record:
        await context.until(lambda: record.counters["probe-unreachable"] >= 2)
        assert (record.state, record.code) == ("failed", "probe-unreachable")
        for _ in range(2):
            before = len(context.readings())
            device = sonde(port=port, mode=mode)
            await device.start()

            def recovered(before: int = before) -> bool:
                return record.state == "ok" and len(context.readings()) >= before + 5

            try:
                await context.until(recovered)
            finally:
                await device.stop()
            await context.until(lambda: record.state == "failed")
    assert {reading.value for reading in context.readings()} == {7.25}


@pytest.mark.parametrize("transport", ["tcp", "rtu"])
async def test_nobody_answers_to_another_units_number(transport: Any) -> None:
    device = sonde(transport=transport, unit=7)
    await device.start()
    unit = [8]
    context = RecordedContext()

    def build() -> Any:
        made = WaterSettings.model_validate(device.section(timeout_s=0.2, unit=unit[0]))
        return pipeline.build(made, context)

    try:
        async with supervised(build, context, "sonde") as record:
            await context.until(lambda: record.state == "failed")
            assert record.code in {"probe-timeout", "probe-refused"}
            assert context.readings() == []
            unit[0] = 7
            await context.until(lambda: record.state == "ok" and len(context.readings()) >= 3)
    finally:
        await device.stop()


@pytest.mark.parametrize("transport", ["tcp", "rtu"])
async def test_garbage_for_a_while(transport: Any) -> None:
    device = sonde(transport=transport)
    await device.start()
    made = WaterSettings.model_validate(device.section(timeout_s=0.2))
    context = RecordedContext()
    try:
        async with supervised(lambda: pipeline.build(made, context), context, "sonde") as record:
            await context.until(lambda: len(context.readings()) >= 3)
            device.faults.add(Fault(FaultKind.CORRUPT_FRAME, style="garbage"))
            await context.until(lambda: record.state == "failed")
            assert record.code in {"probe-garbage", "probe-timeout"}
            device.faults.clear()
            before = len(context.readings())
            await context.until(lambda: record.state == "ok" and len(context.readings()) > before)
    finally:
        await device.stop()
    assert {reading.value for reading in context.readings()} == {7.25}


async def test_a_serial_port_that_is_unplugged_and_plugged_in(tmp_path: Path) -> None:
    """Another pseudo-terminal takes its place under the same name."""
    port = tmp_path / "ttyUSB0"
    first, second = sonde(transport="rtu"), sonde(transport="rtu")
    await first.start()
    port.symlink_to(first.address)
    made = WaterSettings.model_validate(first.section(timeout_s=0.2) | {"address": str(port)})
    context = RecordedContext()
    async with supervised(lambda: pipeline.build(made, context), context, "sonde") as record:
        await context.until(lambda: len(context.readings()) >= 3)
        port.unlink()
        await first.stop()
        await context.until(lambda: record.counters["probe-unreachable"] >= 1)
        await second.start()
        try:
            port.symlink_to(second.address)
            before = len(context.readings())
            await context.until(lambda: record.state == "ok" and len(context.readings()) > before)
        finally:
            await second.stop()
