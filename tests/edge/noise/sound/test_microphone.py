"""A real sound card as far as software goes: PortAudio through PulseAudio's null sink."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import servers
from edge.noise.tones import tone
from vigil_edge.noise.errors import MicrophoneLost
from vigil_edge.noise.meter.levels import Meter, Seconds, pascal_per_unit
from vigil_edge.noise.sound import microphone as microphone_module
from vigil_edge.noise.sound.microphone import Microphone
from vigil_edge.noise.sound.pcm import Frames, PcmFormat, channel_units

FULL_SCALE_DB = 120.0
FAR = timedelta(seconds=60)
LAYOUT = PcmFormat.parse("s32le:48000:1")


@pytest.fixture
def sound_card(
    pulseaudio: servers.PulseAudio, monkeypatch: pytest.MonkeyPatch
) -> servers.PulseAudio:
    monkeypatch.setenv("PULSE_SERVER", pulseaudio.address)
    try:
        import sounddevice  # noqa: F401 - only to see whether its system library is there
    except OSError:
        servers.missing("libportaudio2", "apt-get install libportaudio2 libasound2-plugins")
    return pulseaudio


@pytest.fixture
def playing(sound_card: servers.PulseAudio, tmp_path: Path) -> Iterator[None]:
    """A 1 kHz tone of 94 dB, played into the sink for as long as the test lasts."""
    units = tone(94, 120) / pascal_per_unit(FULL_SCALE_DB)
    raw = tmp_path / "tone.raw"
    raw.write_bytes((units * 2**31).astype("<i4").tobytes())
    player = servers.need("pacat", "apt-get install pulseaudio-utils")
    process = subprocess.Popen(
        [
            *(str(player), "--raw", "--format=s32le", "--rate=48000", "--channels=1"),
            *("--server", sound_card.address, "--device", "vigil", str(raw)),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    yield
    process.kill()
    process.wait()


@pytest.mark.usefixtures("playing")
async def test_a_tone_is_heard_at_its_level() -> None:
    meter, seconds = Meter(48000, pascal_per_unit(FULL_SCALE_DB)), Seconds(48000)
    microphone = Microphone("mic-1", "pulse", LAYOUT, lambda _: None)
    heard: list[float] = []
    async with asyncio.timeout(servers.DEADLINE_S), aclosing(microphone.blocks()) as blocks:
        async for block in blocks:
            slices = meter.feed(channel_units(block.frames, 0))
            if slices is not None:
                heard += [second.LAeq for second in seconds.feed(slices)]
            # The player may start later than the microphone.
            if heard and abs(heard[-1] - 94.0) < 0.05:
                break
    assert heard[-1] == pytest.approx(94.0, abs=0.05)


@pytest.mark.usefixtures("playing")
async def test_an_unplugged_microphone_is_an_error_and_can_come_back(
    sound_card: servers.PulseAudio,
) -> None:
    microphone = Microphone("mic-1", "pulse", LAYOUT, lambda _: None)
    heard = 0

    async def listen_until_it_is_lost() -> None:
        nonlocal heard
        async with asyncio.timeout(servers.DEADLINE_S), aclosing(microphone.blocks()) as blocks:
            async for block in blocks:
                heard += len(block.frames)
                if heard > 24000 and sound_card.process is not None:
                    sound_card.kill()

    with pytest.raises(MicrophoneLost) as lost:
        await listen_until_it_is_lost()
    assert heard > 24000
    assert lost.value.device == "mic-1"
    with pytest.raises(MicrophoneLost, match=r"cannot be opened|did not open|stopped delivering"):
        await first_block(microphone)
    sound_card.socket_path.unlink(missing_ok=True)
    sound_card.start()
    assert np.issubdtype((await first_block(microphone)).dtype, np.int32)


async def first_block(microphone: Microphone) -> Frames:
    async with asyncio.timeout(servers.DEADLINE_S), aclosing(microphone.blocks()) as blocks:
        async for block in blocks:
            assert block.captured is None or abs(block.captured - datetime.now(UTC)) < FAR
            return block.frames
    raise AssertionError("no block and no error")


@pytest.mark.usefixtures("playing")
async def test_a_gateway_that_stood_still_does_not_blame_the_microphone() -> None:
    """The loop is held up for longer than a microphone may be silent: nothing is lost."""
    loop = asyncio.get_running_loop()
    heard, stood_still_at = 0, None

    def stand_still() -> None:
        nonlocal stood_still_at
        stood_still_at = heard
        time.sleep(1.5 * microphone_module.LOST_AFTER_S)  # the fault itself

    microphone = Microphone("mic-1", "pulse", LAYOUT, lambda _: None)
    async with asyncio.timeout(servers.DEADLINE_S), aclosing(microphone.blocks()) as blocks:
        async for block in blocks:
            heard += len(block.frames)
            if stood_still_at is None:
                loop.call_soon(stand_still)
            elif heard > stood_still_at + 3 * 48000:
                break


@pytest.mark.usefixtures("playing")
async def test_blocks_that_nobody_takes_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(microphone_module, "QUEUE_BLOCKS", 3)
    counted: Counter[str] = Counter()
    microphone = Microphone("mic-1", "pulse", LAYOUT, lambda name: counted.update([name]))
    async with asyncio.timeout(servers.DEADLINE_S), aclosing(microphone.blocks()) as blocks:
        await anext(blocks)
        while counted["blocks-dropped"] < 2:  # noqa: ASYNC110 - counted by PortAudio's thread
            await asyncio.sleep(0.02)
        # What was kept comes first, and then what is heard now, with what is missing before it.
        kept = [await anext(blocks) for _ in range(5)]
    assert sum(block.lost for block in kept) >= 2 * 2400


@pytest.mark.usefixtures("playing")
async def test_an_overflow_is_counted_and_the_measurement_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """PulseAudio hides its overflows, so the flag of a real stream's blocks is set on the way."""
    sounddevice: Any = pytest.importorskip("sounddevice")

    stream: Any = sounddevice.RawInputStream

    class Overflowing(stream):  # type: ignore[misc]  # has no types
        def __init__(self, *, callback: Callable[..., None], **options: object) -> None:
            overflow = sounddevice.CallbackFlags(0x2)  # paInputOverflow
            super().__init__(callback=lambda *of: callback(*of[:3], overflow), **options)

    monkeypatch.setattr(sounddevice, "RawInputStream", Overflowing)
    counted: Counter[str] = Counter()
    microphone = Microphone("mic-1", "pulse", LAYOUT, lambda name: counted.update([name]))
    async with asyncio.timeout(servers.DEADLINE_S), aclosing(microphone.blocks()) as blocks:
        for _ in range(5):
            await anext(blocks)
    assert counted["input-overflow"] >= 5


@pytest.mark.usefixtures("playing")
async def test_a_microphone_that_opens_too_late_is_closed_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(microphone_module, "OPEN_WITHIN_S", 0.0)
    streams: list[Any] = []

    class Watched(Microphone):
        def _open(self, callback: Callable[..., None]) -> Any:
            streams.append(super()._open(callback))
            return streams[-1]

    with pytest.raises(MicrophoneLost, match="did not open"):
        await first_block(Watched("mic-1", "pulse", LAYOUT, lambda _: None))
    await asyncio.to_thread(
        servers.eventually, lambda: streams and streams[0].closed, "the late stream is closed"
    )


async def test_a_device_that_is_not_there_is_named(sound_card: servers.PulseAudio) -> None:
    microphone = Microphone("mic-1", "no such thing", LAYOUT, lambda _: None)
    with pytest.raises(MicrophoneLost, match="no such thing"):
        await first_block(microphone)


def test_sounddevice_is_loaded_only_when_a_microphone_is_opened() -> None:
    code = (
        "import sys, vigil_edge.noise.live, vigil_edge.noise.sound.microphone;"
        "sys.exit(any(name in sys.modules for name in ('sounddevice', 'cv2')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
