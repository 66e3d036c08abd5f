"""A whole noise camera: PCM over TCP and MJPEG over HTTP in, events and evidence out."""

from __future__ import annotations

import asyncio
import json
import threading
import zipfile
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest

import servers
from edge.noise.conftest import NotebookContext
from edge.noise.live_camera import (
    FULL_SCALE_DB,
    Away,
    cancelled,
    noise_camera,
    pcm,
    siren_passes,
    until,
)
from edge.noise.street import RATE, mjpeg_camera, pcm_server
from edge.noise.tones import silence, tone
from vigil_edge.device.seam import Outgoing
from vigil_edge.noise import live
from vigil_edge.noise.errors import AudioStreamLost
from vigil_edge.noise.evidence import Spool
from vigil_edge.noise.meter.levels import pascal_per_unit
from vigil_edge.noise.pipeline import build, describe
from vigil_edge.noise.plate.candidates import find_plate
from vigil_edge.noise.settings import NoiseSettings
from vigil_edge.noise.sound.wav import open_wav
from vigil_schemas.noise import NoiseExceedance, founds_a_case
from vigil_schemas.types import QartodFlag


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
        await until(lambda: context.exceedances and not cases.waiting(), context)
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


@pytest.mark.parametrize("a_day", [20, 0])
async def test_a_vetoed_passage_is_told_and_kept_so_that_a_wrong_veto_is_found(
    context: NotebookContext, a_day: int
) -> None:
    section = noise_camera({"source": "pcm", "address": "tcp://127.0.0.1:9"}).model_dump()
    section |= {"veto": True, "evidence_of": "exceedances", "vetoed_a_day": a_day}
    async with pcm_server(siren_passes(), pascal_per_unit=pascal_per_unit(FULL_SCALE_DB)) as port:
        section["audio"] |= pcm(port)
        task = asyncio.create_task(build(NoiseSettings.model_validate(section), context).run())
        await until(lambda: context.exceedances if a_day else context.measured, context)
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
        await until(lambda: context.exceedances, context)
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
