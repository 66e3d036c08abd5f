"""The lamp on the box: another pattern for what works than for what does not."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from random import Random

import pytest
from pydantic import TypeAdapter, ValidationError

from edge.memory_context import MemoryContext
from vigil_edge.backoff import Backoff
from vigil_edge.configuration.device import DeviceSettings
from vigil_edge.configuration.gateway_file import DeviceSection
from vigil_edge.configuration.light import GpioLight, LedLight, LightSettings
from vigil_edge.device import light
from vigil_edge.device.fleet import Fleet
from vigil_edge.device.health import SourceRecord
from vigil_edge.device.supervisor import Supervisor
from vigil_edge.registry import DOMAINS
from vigil_schemas.types import DeviceId

ADAPTER: TypeAdapter[LedLight | GpioLight] = TypeAdapter(LightSettings)
# Simulated ones alone: a line of a real machine may switch something.
CHIPS = sorted(Path("/sys/devices/platform").glob("gpio-sim.*/gpiochip*"))


@pytest.fixture
def led(tmp_path: Path) -> Path:
    """A LED's folder as the kernel shows it."""
    folder = tmp_path / "ACT"
    folder.mkdir()
    (folder / "max_brightness").write_text("255\n")
    (folder / "brightness").write_text("0\n")
    (folder / "trigger").write_text("[mmc0] none timer\n")
    return folder


class Sleeps:
    """Notes whether the lamp is lit and for how long; ends after so many."""

    def __init__(self, folder: Path, most: int) -> None:
        self.seen: list[tuple[bool, float]] = []
        self._folder = folder
        self._most = most

    async def __call__(self, seconds: float) -> None:
        lit = (self._folder / "brightness").read_text() == "255"
        self.seen.append((lit, seconds))
        if len(self.seen) == self._most:
            raise asyncio.CancelledError


async def test_it_flashes_while_all_works_and_blinks_while_it_does_not(led: Path) -> None:
    said = iter([True, True, False, True, False])
    sleeps, counted = Sleeps(led, 8), Counter[str]()

    with pytest.raises(asyncio.CancelledError):
        await light.shine(
            LedLight(driver="led", path=led), lambda: next(said), counted.update, sleeps
        )

    works, broken = [(True, 0.1), (False, 1.9)], [(True, 0.5), (False, 0.5)]
    assert sleeps.seen == [*works, *works, *broken, *works]
    assert (led / "brightness").read_text() == "0", "dark at its end"
    assert (led / "trigger").read_text() == "none", "the kernel does not blink by itself"
    assert not counted


async def test_a_lamp_that_is_not_there_is_counted_and_tried_again(tmp_path: Path) -> None:
    counted: list[str] = []
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            raise asyncio.CancelledError

    for settings in (
        LedLight(driver="led", path=tmp_path / "none"),
        GpioLight(driver="gpio", chip="/dev/gpiochip-none", line=4),
    ):
        counted.clear()
        pauses.clear()
        with pytest.raises(asyncio.CancelledError):
            await light.shine(settings, lambda: True, counted.append, sleep)
        assert counted == ["light-failed"] * 3
        assert pauses == [light.AGAIN_S] * 3


async def test_it_ends_though_the_lamp_is_gone(led: Path) -> None:
    """Unplugged while it was lit: whoever cancels it waits for its end."""
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)
        assert len(pauses) == 1, "it goes on though it was cancelled"
        (led / "brightness").unlink()
        led.joinpath("brightness").mkdir()
        raise asyncio.CancelledError

    settings = LedLight(driver="led", path=led)
    with pytest.raises(asyncio.CancelledError):
        await light.shine(settings, lambda: True, lambda _: None, sleep)


@pytest.mark.skipif(not CHIPS, reason="no simulated GPIO chip: modprobe gpio-sim, configfs")
def test_a_pin_is_set() -> None:
    lamp = light.open_lamp(GpioLight(driver="gpio", chip=f"/dev/{CHIPS[0].name}", line=0))
    lamp.set(True)
    lamp.close()


@pytest.mark.parametrize(
    "wrong",
    [{"driver": "led"}, {"driver": "gpio", "line": -1}, {"driver": "gpio", "chip": "x", "line": 1}],
)
def test_a_light_that_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ADAPTER.validate_python(wrong)


class Fails:
    """A pipeline whose radio is gone as soon as it has begun, until it is told to hold."""

    def __init__(self, context: MemoryContext, record: SourceRecord, holds: asyncio.Event) -> None:
        self._record, self._holds = record, holds

    async def run(self) -> None:
        if not self._holds.is_set():
            raise OSError("no radio")
        self._record.report("ok")
        await asyncio.Event().wait()


async def test_it_goes_on_while_the_radio_is_gone_and_follows_the_connection(
    led: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the fleet: the light outlives each attempt of the pipeline, and goes with the section."""
    context, holds, connected = MemoryContext(), asyncio.Event(), [True]
    seen: list[bool] = []

    async def shine(
        settings: LedLight | GpioLight, works: Callable[[], bool], count: Callable[[str], None]
    ) -> None:
        del settings, count
        while True:
            seen.append(works())
            await asyncio.sleep(0)

    monkeypatch.setattr("vigil_edge.device.fleet.shine", shine)

    async def keep(_name: str, part: Callable[[], Awaitable[None]]) -> None:
        await part()

    (domain,) = (one for one in DOMAINS if one.key == "checkin")
    device: DeviceId = "station-1"

    def section(lamp: LedLight | None) -> DeviceSection:
        return DeviceSection(domain, 0, DeviceSettings(device=device, light=lamp))

    monkeypatch.setattr(DeviceSection, "describe", lambda _self: [])
    fleet = Fleet(
        lambda _section, record: Fails(context, record, holds),
        lambda name: SourceRecord(name, context.now, lambda _: None),
        lambda _section, build, record: Supervisor(
            build, record, Backoff(Random(1), first_s=0.001, last_s=0.002), context.monotonic
        ),
        keep,
        lambda: connected[0],
    )
    fleet.apply([section(LedLight(driver="led", path=led))])
    running = asyncio.create_task(fleet.run())

    async def until(fulfilled: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not fulfilled():  # noqa: ASYNC110 - of code that has no event for it
                await asyncio.sleep(0.001)

    async def shows(wanted: bool) -> None:
        seen.clear()
        await until(lambda: bool(seen) and seen[-1] is wanted)

    await until(lambda: fleet.records[0].restarts >= 3)
    await shows(False)
    holds.set()
    await shows(True)
    connected[0] = False
    await shows(False)
    fleet.apply([section(None)])
    await asyncio.sleep(0)
    seen.clear()
    await asyncio.sleep(0)
    assert not seen, "the section has no lamp any more"
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
