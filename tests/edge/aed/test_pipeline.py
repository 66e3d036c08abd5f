"""A cabinet on a real Modbus line, with a loudspeaker that a test hears."""

from __future__ import annotations

import asyncio
import threading
import wave
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import pytest
from pydantic import TypeAdapter, ValidationError

from edge.device.supervised import RecordedContext, running, supervised
from edge.memory_context import MemoryContext
from vigil_edge.aed.pipeline import CabinetPipeline, describe
from vigil_edge.aed.settings import AedSettings, BoardSettings, GpioSettings
from vigil_edge.configuration.mistakes import CHECKING
from vigil_edge.configuration.paths import FOLDER
from vigil_edge.delivery.outbox import OutboxFailed, OutboxFull
from vigil_edge.device.seam import CommandRefused, Outgoing
from vigil_edge.voice.errors import VoiceFailed
from vigil_edge.voice.recording import Recording, attention_tone, read_wav
from vigil_schemas.aed import AedCall, AedCondition, AedDoor, AedPrompt, AedRemoval
from vigil_schemas.commands import PlayVoice
from vigil_schemas.types import Lane
from vigil_sim.aed.board import CabinetBoard
from vigil_sim.aed.cabinet import Shown
from vigil_sim.faults import FaultKind

Settings = BoardSettings | GpioSettings
ADAPTER: TypeAdapter[Settings] = TypeAdapter(AedSettings)


class Heard:
    """A loudspeaker in memory."""

    def __init__(self) -> None:
        self.recordings: list[Recording] = []
        self.broken = False

    def check(self) -> None:
        """It is there."""

    def play(self, recording: Recording, stopping: threading.Event) -> None:
        if self.broken:
            raise VoiceFailed("test", "unplugged")
        self.recordings.append(recording)


@asynccontextmanager
async def board(
    transport: Literal["tcp", "rtu"] = "tcp", contacts: Callable[[float], Shown] = lambda _: Shown()
) -> AsyncIterator[CabinetBoard]:
    found = CabinetBoard(contacts, device="aed-1", transport=transport)
    await found.start()
    try:
        yield found
    finally:
        await found.stop()


def settings(found: CabinetBoard, folder: Path | None = None, **keys: Any) -> Settings:
    section = found.section(
        **{"interval_s": 0.01, "debounce_s": 0.02, "present_s": 0.05, "voice": {}} | keys
    )
    return ADAPTER.validate_python(section, context={FOLDER: folder or Path()})


def recording(path: Path, seconds: float = 0.1, width: int = 2, rate: int = 16_000) -> None:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(b"\1" * width * int(seconds * rate))


def looked(context: MemoryContext) -> bool:
    """Both contacts have been seen for long enough to count."""
    return {"door_open", "aed_present"} <= {one.parameter for one in context.readings()}


def of(context: MemoryContext, kind: type[Any], lane: Lane | None = None) -> list[Any]:
    return [event for event in context.events(lane) if isinstance(event, kind)]


@pytest.mark.parametrize("transport", ["tcp", "rtu"])
async def test_a_call_over_the_real_line(transport: Literal["tcp", "rtu"]) -> None:
    context, heard = MemoryContext(), Heard()
    async with board(transport) as found:
        pipe = CabinetPipeline(settings(found), context, loudspeaker=heard)
        async with running(pipe, context) as task:
            await context.until(lambda: looked(context), task)
            found.hold("door", True)
            await context.until(lambda: bool(of(context, AedDoor)), task)
            found.hold("button", True)
            await context.until(lambda: bool(of(context, AedCall)), task)
            found.hold("button", False)
            found.hold("present", False)
            await context.until(lambda: bool(of(context, AedRemoval)), task)
            await context.until(lambda: len(of(context, AedPrompt)) == 2, task)
    assert len(of(context, AedCall, Lane.ALARM)) == 1
    assert of(context, AedRemoval, Lane.EVENT)[0].opened is True
    prompts = of(context, AedPrompt)
    assert [(one.prompt, one.outcome) for one in prompts] == [
        ("door_opened", "tone-only"),
        ("call_sent", "tone-only"),
    ]
    assert heard.recordings == [attention_tone(), attention_tone()]


async def test_a_new_connection_tells_an_open_cabinet_once_more() -> None:
    context = MemoryContext()
    async with board() as found:
        pipe = CabinetPipeline(settings(found, voice={"enabled": False}), context)
        async with running(pipe, context) as task:
            await context.until(lambda: looked(context), task)
            found.hold("door", True)
            await context.until(lambda: bool(of(context, AedDoor)), task)
            found.hold("present", False)
            await context.until(lambda: bool(of(context, AedRemoval)), task)
            context.session = 1
            await context.until(lambda: len(of(context, AedRemoval)) == 2, task)
    for kind in (AedDoor, AedRemoval):
        first, again = [out for out in context.accepted if isinstance(out.data, kind)]
        assert (first.id, first.lane, first.data) == (again.id, again.lane, again.data)


async def test_theft_and_a_stuck_button_and_their_health() -> None:
    context = MemoryContext()
    async with board() as found:
        pipe = CabinetPipeline(
            settings(found, stuck_after_s=5.0, voice={"enabled": False}), context
        )
        async with running(pipe, context) as task:
            await context.until(lambda: looked(context), task)
            found.hold("present", False)
            await context.until(lambda: bool(of(context, AedRemoval)), task)
            found.break_in(FaultKind.CORRUPT_FRAME, style="button-stuck")
            await context.until(lambda: bool(of(context, AedCondition)), task)
            await context.until(
                lambda: ("degraded", "aed-contact-stuck") in {r[:2] for r in context.reports}, task
            )
    assert of(context, AedRemoval, Lane.ALARM)[0].opened is False
    assert of(context, AedCondition)[0].condition == "contact_stuck"


async def test_a_chattering_door_does_not_open_a_hundred_times() -> None:
    context = MemoryContext()
    async with board() as found:
        pipe = CabinetPipeline(settings(found, debounce_s=1.0, voice={"enabled": False}), context)
        async with running(pipe, context) as task:
            found.break_in(FaultKind.CORRUPT_FRAME, style="chatter")
            found.hold("present", False)
            await context.until(lambda: context.reports[-1][0] == "ok", task)
            await context.until(lambda: pipe._cabinet.present is False, task)
    assert of(context, AedDoor) == []


@pytest.mark.parametrize(
    ("kind", "keys", "codes"),
    [
        (FaultKind.DROP, {}, {"io-board-timeout"}),
        (FaultKind.REBOOT, {}, {"io-board-lost", "io-board-unreachable", "io-board-timeout"}),
        (FaultKind.CORRUPT_FRAME, {"style": "garbage"}, {"io-board-garbage"}),
        (FaultKind.CORRUPT_FRAME, {"style": "exception"}, {"io-board-refused"}),
        (FaultKind.CORRUPT_FRAME, {"style": "truncated"}, {"io-board-garbage"}),
    ],
)
async def test_a_lost_link_is_told_and_found_again(
    kind: FaultKind, keys: dict[str, Any], codes: set[str]
) -> None:
    context = RecordedContext()
    async with board() as found:
        wanted = settings(found, timeout_s=0.2, voice={"enabled": False})
        async with supervised(lambda: CabinetPipeline(wanted, context), context, "aed-1") as record:
            await context.until(lambda: record.state == "ok")
            found.break_in(kind, **keys)
            await context.until(lambda: record.state == "failed")
            assert record.code in codes
            found.faults.clear()
            await context.until(lambda: record.state == "ok")
            found.hold("button", True)
            await context.until(lambda: bool(of(context, AedCall)))


async def test_stolen_while_the_link_was_cut_is_an_alarm() -> None:
    context = RecordedContext()
    async with board() as found:
        wanted = settings(found, timeout_s=0.2, voice={"enabled": False})
        async with supervised(lambda: CabinetPipeline(wanted, context), context, "aed-1") as record:
            await context.until(lambda: looked(context))
            found.break_in(FaultKind.REBOOT)
            await context.until(lambda: record.state == "failed")
            found.hold("present", False)
            found.faults.clear()
            await context.until(lambda: bool(of(context, AedRemoval)))
    assert of(context, AedRemoval, Lane.ALARM)[0].opened is None


class FailsReadings(MemoryContext):
    """An outbox whose disk fails at readings."""

    failing = True

    async def accept(
        self, outgoing: Sequence[Outgoing], state: Mapping[str, bytes] | None = None
    ) -> None:
        if self.failing and any(each.lane is Lane.OBSERVATION for each in outgoing):
            raise OutboxFailed("disk full")
        await super().accept(outgoing, state)


async def test_a_press_waits_for_a_full_outbox() -> None:
    context = MemoryContext()
    async with board() as found:
        pipe = CabinetPipeline(settings(found, voice={"enabled": False}), context)
        async with running(pipe, context) as task:
            await context.until(lambda: looked(context), task)
            context.fail_next = OSError("no space left")
            found.hold("button", True)
            await context.until(lambda: bool(of(context, AedCall)), task)
    assert context.counters["aed-alarm-waits"] == 1


class FullOfEvents(MemoryContext):
    """An outbox in which only the reserve of alarms is left."""

    full = True

    async def accept(
        self, outgoing: Sequence[Outgoing], state: Mapping[str, bytes] | None = None
    ) -> None:
        if self.full and any(each.lane is Lane.EVENT for each in outgoing):
            raise OutboxFull("full of events")
        await super().accept(outgoing, state)


async def test_a_door_that_finds_no_room_makes_no_button_deaf() -> None:
    context = FullOfEvents()
    async with board() as found:
        pipe = CabinetPipeline(settings(found, voice={"enabled": False}), context)
        async with running(pipe, context) as task:
            await context.until(lambda: looked(context), task)
            found.hold("door", True)
            await context.until(lambda: context.reports[-1][1] == "outbox-full", task)
            found.hold("button", True)
            await context.until(lambda: bool(of(context, AedCall)), task)
            assert of(context, AedDoor) == []
            context.full = False
            await context.until(lambda: bool(of(context, AedDoor)), task)
            await context.until(lambda: context.reports[-1][0] == "ok", task)
    assert len(of(context, AedCall)) == len(of(context, AedDoor)) == 1


async def test_readings_that_cannot_be_kept_make_no_button_deaf() -> None:
    context = FailsReadings()
    async with board() as found:
        pipe = CabinetPipeline(settings(found, voice={"enabled": False}), context)
        async with running(pipe, context) as task:
            await context.until(lambda: context.counters["aed-reading-waits"] > 0, task)
            found.hold("button", True)
            await context.until(lambda: bool(of(context, AedCall)), task)
            context.failing = False
            await context.until(lambda: looked(context), task)


async def test_the_citys_own_recordings_in_their_order(tmp_path: Path) -> None:
    for name, seconds in (("door-zh.wav", 0.1), ("door-en.wav", 0.2), ("coming.wav", 0.3)):
        recording(tmp_path / name, seconds)
    voice = {
        "languages": ["nan-TW", "zh-TW", "en"],
        "prompts": {
            "en": {"door_opened": "door-en.wav"},
            "zh-TW": {"door_opened": "door-zh.wav", "help_coming": "coming.wav"},
        },
    }
    context, heard = MemoryContext(), Heard()
    async with board() as found:
        pipe = CabinetPipeline(settings(found, tmp_path, voice=voice), context, loudspeaker=heard)
        async with running(pipe, context) as task:
            await context.until(lambda: looked(context), task)
            found.hold("door", True)
            await context.until(lambda: bool(of(context, AedPrompt)), task)
            said = await pipe.command("aed-1", PlayVoice(prompt="help_coming"))
            await context.until(lambda: len(of(context, AedPrompt)) == 2, task)
            alone = await pipe.command("aed-1", PlayVoice(prompt="removed"))
            for wrong in (PlayVoice(text="hello"), PlayVoice(prompt="jingle")):
                with pytest.raises(CommandRefused):
                    await pipe.command("aed-1", wrong)
            await context.until(lambda: len(of(context, AedPrompt)) == 3, task)
    assert (said, "tone alone" in alone or "alone" in alone) == ("it is being said", True)
    first, second, third = of(context, AedPrompt)
    assert (first.languages, first.outcome) == (["zh-TW", "en"], "played")
    assert (second.languages, second.outcome) == (["zh-TW"], "played")
    assert third.outcome == "tone-only"
    assert [round(one.seconds, 1) for one in heard.recordings[1:3]] == [0.1, 0.2]


async def test_a_loudspeaker_that_fails_is_told_and_the_button_works() -> None:
    context, heard = MemoryContext(), Heard()
    heard.broken = True
    async with board() as found:
        pipe = CabinetPipeline(settings(found), context, loudspeaker=heard)
        async with running(pipe, context) as task:
            await context.until(lambda: looked(context), task)
            found.hold("door", True)
            await context.until(lambda: bool(of(context, AedCondition)), task)
            assert of(context, AedPrompt)[0].outcome == "failed"
            assert ("degraded", "aed-voice-failed") in {r[:2] for r in context.reports}
            found.hold("button", True)
            await context.until(lambda: bool(of(context, AedCall)), task)
            heard.broken = False
            await pipe.command("aed-1", PlayVoice(prompt="door_opened"))
            await context.until(lambda: len(of(context, AedCondition)) == 2, task)
    assert of(context, AedCondition)[1].active is False


async def test_a_missing_recording_is_told_at_the_start_and_by_check(tmp_path: Path) -> None:
    voice = {"prompts": {"en": {"door_opened": "nowhere.wav"}}}
    context = MemoryContext()
    async with board() as found:
        pipe = CabinetPipeline(settings(found, tmp_path, voice=voice), context, loudspeaker=Heard())
        task = asyncio.ensure_future(pipe.run())
        try:
            await context.until(lambda: bool(context.reports), task)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
        assert context.reports[0][:2] == ("degraded", "prompt-unreadable")
        with pytest.raises(ValidationError, match="no such file"):
            ADAPTER.validate_python(
                found.section(voice=voice), context={FOLDER: tmp_path, CHECKING: True}
            )


@pytest.mark.parametrize("write", ["8 bit", "empty", "text", "long"])
def test_what_cannot_be_played_is_refused_with_its_reason(tmp_path: Path, write: str) -> None:
    path = tmp_path / "prompt.wav"
    if write == "text":
        path.write_text("not a sound", "utf-8")
    else:
        recording(
            path,
            seconds={"empty": 0.0, "long": 61.0}.get(write, 0.1),
            width=1 if write == "8 bit" else 2,
            rate=8_000,
        )
    with pytest.raises(Exception, match=r"prompt\.wav"):
        read_wav(path)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"inputs": {"door": 0, "button": 0}}, "same line"),
        ({"inputs": {"door": 0, "button": 1, "inverted": ["present"]}}, "no line"),
        ({"inputs": {"door": 0}}, "button"),
        ({"driver": "gpio", "chip": "gpiochip0"}, "chip"),
    ],
)
def test_a_section_that_cannot_work_is_refused(keys: dict[str, Any], said: str) -> None:
    section: dict[str, Any] = {
        "device": "aed-1",
        "driver": "modbus-tcp",
        "address": "10.0.0.7:502",
        "inputs": {"door": 0, "button": 1},
    }
    with pytest.raises(ValidationError, match=said):
        ADAPTER.validate_python(section | keys)


def test_a_cabinet_on_the_gateways_own_pins_is_described() -> None:
    found = ADAPTER.validate_python(
        {
            "device": "aed-1",
            "driver": "gpio",
            "inputs": {"door": 17, "button": 27, "present": 22},
        }
    )
    assert isinstance(found, GpioSettings)
    (device,) = describe(found)
    assert (device.driver, device.parameters) == ("gpio", ["door_open", "aed_present"])


async def test_what_waits_for_room_outlives_a_reload_of_the_configuration() -> None:
    """A door event that found no room is told by the pipeline that takes this one's place."""
    context = FullOfEvents()
    async with board() as found:
        quiet = settings(found, voice={"enabled": False})
        async with running(CabinetPipeline(quiet, context), context) as task:
            await context.until(lambda: looked(context), task)
            found.hold("door", True)
            await context.until(lambda: context.counters["aed-event-waits"] > 0, task)
        context.full = False
        async with running(CabinetPipeline(quiet, context), context) as task:
            await context.until(lambda: bool(of(context, AedDoor)), task)
            await context.until(lambda: context.reports[-1][0] == "ok", task)
    assert len(of(context, AedDoor)) == 1
    assert context.held.outgoing == []


async def test_a_press_that_waits_for_the_outbox_outlives_a_reload() -> None:
    """Also where the button was let go before: it is one call, and the only one."""
    context = MemoryContext()
    async with board() as found:
        quiet = settings(found, voice={"enabled": False})
        async with running(CabinetPipeline(quiet, context), context) as task:
            await context.until(lambda: looked(context), task)
            context.fail_next = OSError("no space left")
            found.hold("button", True)
            await context.until(lambda: context.counters["aed-alarm-waits"] > 0, task)
            found.hold("button", False)
        async with running(CabinetPipeline(quiet, context), context) as task:
            await context.until(lambda: bool(of(context, AedCall)), task)
    (call,) = of(context, AedCall)
    assert call.presses == 1
