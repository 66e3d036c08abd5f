"""A noise camera whose microphone or camera fails, trickles, or is set wrongly."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from pathlib import Path

import numpy as np
import pytest

import servers
from edge import hostile
from edge.noise.conftest import NotebookContext
from edge.noise.live_camera import (
    FULL_SCALE_DB,
    cancelled,
    noise_camera,
    pcm,
    until,
)
from edge.noise.rtsp import rtsp_camera
from edge.noise.street import RATE, pcm_server
from edge.noise.tones import tone
from vigil_edge.noise.errors import AudioFileFailed, AudioStreamLost
from vigil_edge.noise.meter.levels import pascal_per_unit
from vigil_edge.noise.pictures import cameras
from vigil_edge.noise.pictures.settings import CameraSettings
from vigil_edge.noise.pipeline import build
from vigil_edge.noise.sound.audio import open_source
from vigil_edge.noise.sound.settings import AudioSettings
from vigil_edge.noise.sound.wav import write_wav


async def test_nobody_at_the_address_is_a_source_error(context: NotebookContext) -> None:
    port = servers.free_port()
    with pytest.raises(AudioStreamLost, match="cannot be reached"):
        await build(noise_camera(pcm(port)), context).run()


async def test_a_lost_camera_does_not_disturb_the_microphone(context: NotebookContext) -> None:
    nobody = servers.free_port()
    passage = np.concatenate([tone(60, 3), tone(97, 0.5), tone(60, 60)])
    scale = pascal_per_unit(FULL_SCALE_DB)
    async with pcm_server(passage, pascal_per_unit=scale) as sound:
        task = asyncio.create_task(build(noise_camera(pcm(sound), nobody), context).run())
        await until(lambda: context.exceedances, context)
        await cancelled(task)
    ((manifest, _),) = context.deposits
    roles = {file.role for file in manifest.files}
    assert roles == {"audio", "levels", "octaves", "spectrogram", "ledger"}
    assert context.counters["camera-reconnects"] >= 1


async def test_a_network_camera_that_dies_is_a_health_fact_and_comes_back(
    context: NotebookContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cameras, "CAMERA_GRACE_S", 1)
    camera = await asyncio.to_thread(rtsp_camera, tmp_path)
    scale = pascal_per_unit(FULL_SCALE_DB)
    async with pcm_server(tone(60, 120), pascal_per_unit=scale) as sound:
        settings = noise_camera(pcm(sound))
        rtsp = CameraSettings(source="rtsp", address=camera.address, fps=10)
        settings = settings.model_copy(update={"camera": rtsp})
        task = asyncio.create_task(build(settings, context).run())
        try:
            await until(lambda: ("ok", None) in context.reports)
            await asyncio.to_thread(camera.kill)
            await until(lambda: context.reports[-1] == ("degraded", "camera-lost"))
            await asyncio.to_thread(camera.start)
            await until(lambda: context.reports[-1] == ("ok", None))
        finally:
            await cancelled(task)
            await asyncio.to_thread(camera.kill)
    assert context.counters["camera-reconnects"] >= 1
    # The sound was measured all the while.
    levels = [reading.value for reading in context.readings if reading.parameter == "LAeq"]
    assert len(levels) >= 3
    assert all(level == pytest.approx(60, abs=0.05) for level in levels)


async def test_a_wav_file_stands_in_for_a_microphone(
    context: NotebookContext, tmp_path: Path
) -> None:
    path = tmp_path / "street.wav"
    write_wav(path, tone(70, 2.5).astype(np.float32)[:, None], RATE)
    audio = {"source": "wav", "address": str(path), "full_scale_peak_db": None}
    settings = noise_camera(audio | {"pascal_per_unit": 1.0})
    with pytest.raises(AudioFileFailed, match="played to its end"):
        await build(settings, context).run()
    assert [r.value for r in context.readings if r.parameter == "LAeq"] == [
        pytest.approx(70, abs=0.05)
    ]
    path.write_bytes(b"RIFF")
    with pytest.raises(AudioFileFailed, match="audio-"):
        await build(settings, context).run()


@pytest.mark.parametrize(
    "audio",
    [
        {"source": "pcm", "address": "127.0.0.1:4000"},
        {"source": "pcm", "address": "tcp://127.0.0.1:4000", "format": "s16le:48000"},
        {
            "source": "pcm",
            "address": "tcp://127.0.0.1:4000",
            "channel": 2,
            "format": "s16le:48000:2",
        },
        {"source": "wav"},
        {"source": "sounddevice", "pascal_per_unit": 1.0},
        {"source": "tape"},
    ],
)
def test_mistakes_in_the_section_are_refused(audio: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="audio"):
        noise_camera(audio)


@pytest.mark.parametrize(
    "camera",
    [
        {"source": "mjpeg", "address": "rtsp://camera.local/stream"},
        {"source": "rtsp", "address": "http://camera.local/stream"},
        {"source": "device", "address": "/dev/video0"},
        {"source": "mjpeg", "address": "http://camera.local/stream", "fps": 0},
    ],
)
def test_mistakes_about_the_camera_are_refused(camera: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="CameraSettings"):
        CameraSettings.model_validate(camera)


class PulledSound:
    """A PCM server that sends the next piece when it is asked to, and says what time that is."""

    def __init__(self, piece: bytes, step_s: float) -> None:
        self._piece, self._step_s = piece, step_s
        self.now_s = 0.0
        self.taken = asyncio.Event()
        self.taken.set()

    async def serve(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            await self.taken.wait()
            self.taken.clear()
            self.now_s += self._step_s
            writer.write(self._piece)
            await writer.drain()

    async def heard_s(self, most_s: float) -> float:
        """Time until the source gives the stream up; all of it where it does not."""
        async with hostile.peer(self.serve) as port:
            audio = AudioSettings.model_validate(pcm(port))
            source = open_source("mic", audio, lambda _: None, lambda: self.now_s)
            async with aclosing(source.blocks()) as blocks:
                async for _ in blocks:
                    if self.now_s >= most_s:
                        break
                    self.taken.set()
        return self.now_s


@pytest.mark.parametrize(
    ("samples", "step_s", "within_s"),
    [(1, 0.5, 7), (RATE // 40, 0.1, 20), (RATE // 20, 0.1, 20), (RATE * 3 // 40, 0.1, 60)],
)
async def test_sound_at_a_trickle_is_a_lost_stream(
    samples: int, step_s: float, within_s: float
) -> None:
    sound = PulledSound(bytes(4 * samples), step_s)
    with pytest.raises(AudioStreamLost, match="samples a second"):
        await sound.heard_s(within_s)


@pytest.mark.parametrize("samples", [RATE // 10, RATE // 10 - 48, RATE // 10 + 48])
async def test_a_sound_card_whose_clock_is_off_is_heard_on(samples: int) -> None:
    sound = PulledSound(bytes(4 * samples), 0.1)
    assert await sound.heard_s(120) >= 120
