"""A whole noise camera: PCM over TCP and MJPEG over HTTP in, events and evidence out."""

from __future__ import annotations

import asyncio
import json
import threading
import zipfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from datetime import timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest
from scipy.signal import resample_poly

import servers
from edge import hostile
from edge.noise.conftest import NotebookContext
from edge.noise.rtsp import rtsp_camera
from edge.noise.street import RATE, mjpeg_camera, pcm_server
from edge.noise.tones import Signal, silence, tone
from vigil_edge.device.seam import Outgoing, PipelineContext
from vigil_edge.noise import evidence, live
from vigil_edge.noise.errors import AudioFileFailed, AudioStreamLost
from vigil_edge.noise.evidence import Spool
from vigil_edge.noise.meter.levels import pascal_per_unit
from vigil_edge.noise.pictures.settings import CameraSettings
from vigil_edge.noise.pipeline import build, describe
from vigil_edge.noise.plate.candidates import find_plate
from vigil_edge.noise.settings import NoiseSettings
from vigil_edge.noise.sound.audio import open_source
from vigil_edge.noise.sound.settings import AudioSettings
from vigil_edge.noise.sound.wav import open_wav, write_wav
from vigil_schemas.errors import VigilError
from vigil_schemas.evidence import EvidenceManifest, EvidenceReference
from vigil_schemas.noise import NoiseExceedance, founds_a_case
from vigil_schemas.types import QartodFlag
from vigil_sim.noise.clips.scene import clip

FULL_SCALE_DB = 120.0


def noise_camera(
    audio: dict[str, object], camera_port: int | None = None, after_s: float = 1.0
) -> NoiseSettings:
    section: dict[str, object] = {
        "device": "noise-1",
        "before_s": 1.0,
        "after_s": after_s,
        # Of tones and single claps a case is made, too.
        "veto": False,
        "evidence_of": "all",
        "audio": {"full_scale_peak_db": FULL_SCALE_DB} | audio,
    }
    if camera_port is not None:
        address = f"http://127.0.0.1:{camera_port}/stream"
        section["camera"] = {"source": "mjpeg", "address": address, "fps": 10}
    return NoiseSettings.model_validate(section)


def pcm(port: int, **more: object) -> dict[str, object]:
    address = f"tcp://127.0.0.1:{port}"
    return {"source": "pcm", "address": address, "format": f"s16le:{RATE}:2"} | more


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(servers.DEADLINE_S):
        while not condition():  # noqa: ASYNC110 - set by sockets and files, not by us
            await asyncio.sleep(0.02)


async def cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_loud_vehicle_becomes_an_event_with_sealed_evidence(
    context: NotebookContext,
) -> None:
    cases = Spool(context.directory / "cases")
    context.clock_vouched = True
    passage = np.concatenate([tone(60, 5), tone(97, 1), tone(60, 60)])
    scale = pascal_per_unit(FULL_SCALE_DB)
    async with (
        pcm_server(passage, pascal_per_unit=scale) as sound,
        mjpeg_camera() as camera,
    ):
        task = asyncio.create_task(build(noise_camera(pcm(sound), camera), context).run())
        await until(lambda: context.exceedances and not cases.waiting())
        await cancelled(task)
    (event,) = context.exceedances
    # It was told at once, and again when it had been sealed: the same measurement both times.
    (first,) = context.measured
    found = dict.fromkeys(("evidence", "bearing", "vehicle", "plate_reading"))
    assert first == event.model_copy(update={"phase": "measured", **found})
    assert event.vehicle is not None
    assert event.vehicle.abstained == "no-track", "nothing moves"
    assert len({item.id for item in context.accepted if item.type == NoiseExceedance.TYPE}) == 2
    assert event.LAFmax == pytest.approx(97, abs=0.05)
    assert event.background_db == pytest.approx(60, abs=0.2)
    assert event.calibrated
    assert event.clock_vouched, "no fine rests on it as on a kernel's word"
    assert not event.overload
    assert event.level_curve is not None
    assert max(event.level_curve.LAF) == event.LAFmax
    assert event.level_curve.interval_s <= 0.05
    assert event.evidence is not None
    ((manifest, archive),) = context.deposits
    assert manifest.evidence_id == event.exceedance_id
    assert manifest.calibration["pascal_per_unit"] == pytest.approx(scale)
    roles = {file.role for file in manifest.files}
    assert roles == {
        *("audio", "video", "overlay", "blurred", "frame", "thumbnail"),
        *("levels", "octaves", "spectrogram", "ledger"),
    }
    assert manifest.clock is not None
    assert manifest.clock.quality == "synchronised"
    check_evidence(archive, event.LAFmax, context.directory)
    assert ("ok", None) in context.reports


def check_evidence(archive: Path, LAFmax: float, folder: Path) -> None:
    with zipfile.ZipFile(archive) as content:
        content.extractall(folder / "opened")
    opened = folder / "opened"
    recording = open_wav(opened / "audio.wav")
    assert recording.format.channels == 2
    # One second before and after, the passage, and the level's fall of 14 dB.
    assert recording.frames / RATE == pytest.approx(1 + 1 + 14 / 34.7 + 1, abs=0.05)
    levels = json.loads((opened / "levels.json").read_text())
    assert levels["exceedance"]["LAFmax"] == LAFmax
    assert levels["pictures_dated_by"] == ["camera"]
    least_s, most_s = levels["camera_offset_s"]
    assert 0.0 <= least_s <= most_s < 1.0
    video = cv2.VideoCapture(str(opened / "video.webm"))
    shown = 0
    while video.grab():
        shown += 1
    video.release()
    # Ten a second; a busy machine shows some of them late, and the camera drops those.
    assert 10 <= shown <= 40
    frame = cv2.imread(str(opened / "frame.jpg"))
    assert frame is not None
    assert frame.shape == (360, 640, 3)
    # A plate can be made out in it, but nothing moves: it may be a parked vehicle's.
    assert find_plate(frame.astype(np.uint8))
    assert not (opened / "plate.jpg").exists()


async def test_a_passage_is_told_though_the_agent_stops_while_it_is_classified(
    context: NotebookContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, answer = threading.Event(), threading.Event()

    def slow(*_: object) -> None:
        asked.set()
        answer.wait(servers.DEADLINE_S)

    monkeypatch.setattr(live, "classification", slow)
    sound = np.concatenate([tone(60, 5), tone(97, 1), tone(60, 60)])
    async with pcm_server(sound, pascal_per_unit=pascal_per_unit(FULL_SCALE_DB)) as port:
        settings = noise_camera(pcm(port)).model_copy(update={"veto": True})
        task = asyncio.create_task(build(settings, context).run())
        await until(asked.is_set)
        task.cancel()
        for _ in range(10):  # until the cancellation has reached whoever waits for the answer
            await asyncio.sleep(0)
        answer.set()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert [event.phase for event in context.measured] == ["measured"]
    assert Spool(context.directory / "cases").waiting()


async def test_seconds_become_flagged_observations(context: NotebookContext) -> None:
    signal = np.concatenate([tone(70, 4), 40 * tone(94, 2), silence(3)])
    async with pcm_server(signal, pascal_per_unit=pascal_per_unit(FULL_SCALE_DB), odd=True) as port:
        settings = noise_camera(pcm(port), after_s=5.0)
        with pytest.raises(AudioStreamLost, match="closed by its server"):
            await build(settings, context).run()
    first = [reading for reading in context.readings if reading.parameter == "LAeq"]
    assert {reading.parameter for reading in context.readings} == {"LAeq", "LAFmax", "LCeq", "LZeq"}
    assert first[0].value == pytest.approx(70, abs=0.05)
    assert first[0].flag is QartodFlag.GOOD
    assert first[0].unit == "dB"
    assert first[3].flag is QartodFlag.FAIL  # clipped
    assert first[7].flag is QartodFlag.FAIL  # every sample the same
    assert first[1].time - first[0].time == pytest.approx(
        timedelta(seconds=1), abs=timedelta(0.001)
    )
    assert ("degraded", "overload") in context.reports
    assert ("degraded", "microphone-silent") in context.reports
    # The clipped passage was kept when the stream broke off, and is sent at the next start.
    assert not context.exceedances
    async with pcm_server(silence(60), pascal_per_unit=1.0) as port:
        task = asyncio.create_task(build(noise_camera(pcm(port)), context).run())
        await until(lambda: context.exceedances)
        await cancelled(task)
    assert context.exceedances[0].overload


async def test_an_uncalibrated_microphone_says_so(context: NotebookContext) -> None:
    signal = np.concatenate([tone(70, 3), tone(90, 1)])
    async with pcm_server(signal, pascal_per_unit=1.0) as port:
        audio = pcm(port, full_scale_peak_db=None)
        with pytest.raises(AudioStreamLost):
            await build(noise_camera(audio), context).run()
    assert {reading.flag for reading in context.readings} == {QartodFlag.NOT_EVALUATED}
    assert ("degraded", "uncalibrated") in context.reports


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
        await until(lambda: context.exceedances)
        await cancelled(task)
    ((manifest, _),) = context.deposits
    roles = {file.role for file in manifest.files}
    assert roles == {"audio", "levels", "octaves", "spectrogram", "ledger"}
    assert context.counters["camera-reconnects"] >= 1


async def test_a_network_camera_that_dies_is_a_health_fact_and_comes_back(
    context: NotebookContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "CAMERA_GRACE_S", 1)
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


async def test_a_case_interrupted_before_its_event_is_sent_once(context: NotebookContext) -> None:
    """The context fails after the deposit; the next start deposits and sends the same again."""
    passage = np.concatenate([tone(60, 3), tone(97, 0.5), tone(60, 60)])
    accept: Callable[..., Awaitable[None]] = context.accept

    async def refuse(outgoing: object, state: object = None) -> None:
        raise OSError("disk is gone")

    scale = pascal_per_unit(FULL_SCALE_DB)
    async with pcm_server(passage, pascal_per_unit=scale) as sound:
        context.accept = refuse  # type: ignore[method-assign] # a failing disk
        task = asyncio.create_task(build(noise_camera(pcm(sound)), context).run())
        await until(lambda: context.deposits)
        # What is being written now is written even where nobody waits for it any more.
        await until(lambda: list((context.directory / "cases").glob("*/deposited.json")))
        await cancelled(task)
        context.accept = accept  # type: ignore[method-assign, assignment] # is back
        # As if power had failed before the deposit was noted down.
        for note in (context.directory / "cases").glob("*/deposited.json"):
            note.unlink()
        task = asyncio.create_task(build(noise_camera(pcm(sound)), context).run())
        await until(lambda: context.exceedances)
        await cancelled(task)
    first, second = (manifest for manifest, _ in context.deposits)
    assert first == second
    assert context.exceedances[0].exceedance_id == first.evidence_id


async def test_a_damaged_case_is_set_aside(context: NotebookContext) -> None:
    damaged = context.directory / "cases" / "20260301T200000000000-deadbeef"
    damaged.mkdir(parents=True)
    (damaged / "case.json").write_text('{"device": "noise-1"')
    async with pcm_server(silence(60), pascal_per_unit=1.0) as port:
        task = asyncio.create_task(build(noise_camera(pcm(port)), context).run())
        await until(lambda: context.counters["case-damaged"] and not damaged.exists())
        await cancelled(task)
    assert damaged.with_suffix(".damaged").is_dir()
    assert Spool(context.directory / "cases").waiting() == []


class Away(VigilError):
    """What a context raises while something of theirs is full or failing."""

    code = "away"


def loud_once(seconds_after: float = 60) -> Signal:
    return np.concatenate([tone(60, 3), tone(97, 0.5), tone(60, seconds_after)])


async def test_a_case_that_finds_no_room_is_encoded_once(
    context: NotebookContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The evidence queue is full while the cloud is away: trying again must cost nothing."""
    monkeypatch.setattr(live, "RETRY_S", 0.0)
    deposit, encode = context.deposit, evidence._encoded
    refusals, encodings = 0, 0

    async def full(manifest: EvidenceManifest, files: Mapping[str, Path]) -> EvidenceReference:
        nonlocal refusals
        refusals += 1
        if refusals <= 3:
            raise Away("no room")
        return await deposit(manifest, files)

    async def counted(where: PipelineContext, folder: Path) -> bool:
        nonlocal encodings
        encodings += 1
        return await encode(where, folder)

    monkeypatch.setattr(context, "deposit", full)
    monkeypatch.setattr(evidence, "_encoded", counted)
    scale = pascal_per_unit(FULL_SCALE_DB)
    async with pcm_server(loud_once(), pascal_per_unit=scale) as sound, mjpeg_camera() as camera:
        task = asyncio.create_task(build(noise_camera(pcm(sound), camera), context).run())
        await until(lambda: context.exceedances)
        await cancelled(task)
    assert encodings == 1
    assert context.counters["case-delayed"] == 3
    assert "video.webm" in {file.name for file in context.deposits[0][0].files}


async def test_a_full_spool_costs_the_evidence_and_not_the_event(
    context: NotebookContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence, "MOST_BYTES", -1)
    scale = pascal_per_unit(FULL_SCALE_DB)
    async with pcm_server(loud_once(), pascal_per_unit=scale) as sound:
        task = asyncio.create_task(build(noise_camera(pcm(sound)), context).run())
        await until(lambda: context.exceedances)
        await cancelled(task)
    (event,) = context.exceedances
    assert event.level_curve is not None
    assert event.evidence is None
    assert not context.deposits
    assert context.counters["case-not-kept"] == 1
    assert ("degraded", "case-not-kept") in context.reports


async def test_a_case_that_nobody_foresaw_does_not_stop_the_microphone(
    context: NotebookContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(manifest: EvidenceManifest, files: Mapping[str, Path]) -> EvidenceReference:
        raise LookupError("a mistake in the program")

    monkeypatch.setattr(context, "deposit", broken)
    scale = pascal_per_unit(FULL_SCALE_DB)
    async with pcm_server(loud_once(), pascal_per_unit=scale) as sound:
        task = asyncio.create_task(build(noise_camera(pcm(sound)), context).run())
        await until(lambda: context.counters["case-damaged"])
        before = len(context.accepted)
        await until(lambda: len(context.accepted) > before)
        await cancelled(task)
    assert [path.suffix for path in (context.directory / "cases").iterdir()] == [".damaged"]


async def test_readings_wait_for_an_outbox_that_fails(
    context: NotebookContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "BATCH_S", 1)
    accept, refusals = context.accept, 0

    async def failing(outgoing: Sequence[Outgoing], state: object = None) -> None:
        nonlocal refusals
        refusals += 1
        if refusals <= 3:
            raise Away("the disk is full")
        await accept(outgoing)

    monkeypatch.setattr(context, "accept", failing)
    async with pcm_server(tone(60, 7), pascal_per_unit=pascal_per_unit(FULL_SCALE_DB)) as sound:
        with pytest.raises(AudioStreamLost):
            await build(noise_camera(pcm(sound)), context).run()
    assert context.counters["readings-delayed"] == 3
    times = [reading.time for reading in context.readings if reading.parameter == "LAeq"]
    assert len(times) == 6
    assert times == sorted(times)


def test_the_section_is_described() -> None:
    (entry,) = describe(noise_camera(pcm(4000)))
    assert (entry.device, entry.driver) == ("noise-1", "pcm")
    assert entry.parameters == ["LAeq", "LAFmax", "LCeq", "LZeq"]


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


def siren_passes() -> Signal:
    """A street of 60 dB, and a made siren in it."""
    made = resample_poly(clip("siren", 7, seconds=4.0), 320, 147)
    loud = 20e-6 * 10 ** (95 / 20) * made / np.sqrt(np.mean(made**2))
    return np.concatenate([tone(60, 6), loud + tone(60, len(loud) / RATE), tone(60, 60)])


@pytest.mark.parametrize("a_day", [20, 0])
async def test_a_vetoed_passage_is_told_and_kept_so_that_a_wrong_veto_is_found(
    context: NotebookContext, a_day: int
) -> None:
    section = noise_camera({"source": "pcm", "address": "tcp://127.0.0.1:9"}).model_dump()
    section |= {"veto": True, "evidence_of": "exceedances", "vetoed_a_day": a_day}
    async with pcm_server(siren_passes(), pascal_per_unit=pascal_per_unit(FULL_SCALE_DB)) as port:
        section["audio"] |= pcm(port)
        task = asyncio.create_task(build(NoiseSettings.model_validate(section), context).run())
        await until(lambda: context.exceedances if a_day else context.measured)
        await cancelled(task)
    (told,) = context.measured
    assert told.classification is not None
    assert told.classification.vetoed
    assert told.judgement is not None
    assert told.judgement.decision == "exceedance"
    assert not founds_a_case(told)
    assert context.counters["passage-vetoed"] == 1
    assert context.counters["vetoed-not-kept"] == (0 if a_day else 1)
    assert [event.evidence is not None for event in context.exceedances] == [True][: a_day // 20]
