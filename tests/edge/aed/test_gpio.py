"""The gateway's own pins: what a chip that is not there says; lines of the kernel's simulator
where this machine has it."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import TypeAdapter

from vigil_edge.aed.settings import AedSettings, BoardSettings, GpioSettings
from vigil_edge.contacts.errors import GpioUnavailable
from vigil_edge.contacts.inputs import Inputs, open_inputs

SIMULATED = Path("/sys/kernel/config/gpio-sim")
ADAPTER: TypeAdapter[BoardSettings | GpioSettings] = TypeAdapter(AedSettings)


def settings(chip: str) -> BoardSettings | GpioSettings:
    inputs = {"door": 0, "button": 1}
    return ADAPTER.validate_python(
        {"device": "aed-1", "driver": "gpio", "chip": chip, "inputs": inputs}
    )


async def opened(chip: str) -> Inputs:
    made = settings(chip)
    return await open_inputs(made, made.inputs.lines, made.debounce_s)


@pytest.mark.parametrize("chip", ["/dev/gpiochip-none", "/dev/null"])
async def test_a_chip_that_is_none_is_told(chip: str) -> None:
    with pytest.raises(GpioUnavailable, match=chip):
        await opened(chip)


CHIPS = sorted(Path("/dev").glob("gpiochip*"))


@pytest.mark.skipif(
    not SIMULATED.is_dir() or not CHIPS,
    reason="no GPIO chip: modprobe gpio-sim (or gpio-mockup) on a machine of its own",
)
async def test_lines_of_a_real_chip_are_read() -> None:
    inputs = await opened(str(CHIPS[0]))
    try:
        assert (await inputs.read()).keys() == {"door", "button"}
    finally:
        inputs.close()
