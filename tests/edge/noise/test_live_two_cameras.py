"""A noise camera with an overview and a plate camera: both films, and what becomes of it when one
of them fails."""

from __future__ import annotations

import asyncio
import json
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

import servers
from edge.noise.conftest import NotebookContext
from edge.noise.live_camera import (
    FULL_SCALE_DB,
    cancelled,
    loud_once,
    noise_camera,
    pcm,
    until,
)
from edge.noise.rtsp import rtsp_camera
from edge.noise.street import mjpeg_camera, pcm_server
from edge.noise.tones import tone
from vigil_edge.noise.evidence import Spool
from vigil_edge.noise.meter.levels import pascal_per_unit
from vigil_edge.noise.pictures import cameras
from vigil_edge.noise.pipeline import build
from vigil_edge.noise.settings import NoiseSettings
from vigil_sim.noise.street import view_section
from vigil_sim.noise.view import View

SCALE = pascal_per_unit(FULL_SCALE_DB)


def two_cameras(sound: int, overview: int, plate: dict[str, object]) -> NoiseSettings:
    section = noise_camera(pcm(sound), overview).model_dump()
    section["camera"]["view"] = view_section(View(640, 360))
    section["plate_camera"] = plate | {"view": view_section(View.on_plates(640, 360, 20.0, 4.5))}
    return NoiseSettings.model_validate(section)


def mjpeg(port: int, **more: object) -> dict[str, object]:
    return {"source": "mjpeg", "address": f"http://127.0.0.1:{port}/stream"} | more


async def test_both_films_are_sealed_each_with_its_own_moments(context: NotebookContext) -> None:
    cases = Spool(context.directory / "cases")
    async with (
        pcm_server(loud_once(), pascal_per_unit=SCALE) as sound,
        mjpeg_camera() as overview,
        mjpeg_camera(fps=20, stamped=False) as plate,
    ):
        settings = two_cameras(sound, overview, mjpeg(plate, fps=5, delay_s=0.25))
        task = asyncio.create_task(build(settings, context).run())
        await until(lambda: context.exceedances and not cases.waiting(), context)
        await cancelled(task)
    ((manifest, archive),) = context.deposits
    taken_by = {file.name: file.camera for file in manifest.files}
    assert {name: role for name, role in taken_by.items() if role} == {
        "video.webm": "overview",
        "overlay.webm": "overview",
        "blurred.webm": "overview",
        "frame.jpg": "overview",
        "thumbnail.jpg": "overview",
        "plate-video.webm": "plate",
        "plate-blurred.webm": "plate",
    }
    roles = {file.name: file.role for file in manifest.files}
    assert (roles["plate-video.webm"], roles["plate-blurred.webm"]) == ("video", "blurred")
    with zipfile.ZipFile(archive) as content:
        content.extractall(context.directory / "opened")
    opened = context.directory / "opened"
    levels = json.loads((opened / "levels.json").read_text())
    assert levels["pictures_dated_by"] == ["camera"]
    assert levels["plate_camera"]["pictures_dated_by"] == ["aligned"]
    assert levels["plate_camera"]["camera_offset_s"] is None
    apart = levels["plate_camera"]["video_started_s"] - levels["video_started_s"]
    assert abs(apart) < 1.0
    rates = {}
    for name in ("video.webm", "plate-video.webm", "plate-blurred.webm"):
        film = cv2.VideoCapture(str(opened / name))
        rates[name] = film.get(cv2.CAP_PROP_FPS)
        assert film.grab(), name
        film.release()
    assert rates == pytest.approx(
        {"video.webm": 10, "plate-video.webm": 5, "plate-blurred.webm": 5}
    )
    (event,) = context.exceedances
    assert event.vehicle is not None
    assert event.vehicle.abstained == "no-track", "nothing moves on the overview"
    assert ("ok", None) in context.reports


async def test_one_camera_is_told_as_before(context: NotebookContext) -> None:
    """A gateway with one camera writes what its cloud has always understood."""
    async with (
        pcm_server(loud_once(), pascal_per_unit=SCALE) as sound,
        mjpeg_camera() as overview,
    ):
        task = asyncio.create_task(build(noise_camera(pcm(sound), overview), context).run())
        await until(lambda: context.exceedances, context)
        await cancelled(task)
    ((manifest, archive),) = context.deposits
    assert "camera" not in json.dumps(manifest.model_dump(mode="json", exclude_none=True)["files"])
    with zipfile.ZipFile(archive) as content:
        assert "plate_camera" not in json.loads(content.read("levels.json"))
    said = context.exceedances[0].model_dump(mode="json", exclude_none=True)["plate_reading"]
    assert not {"camera", "fell_back"} & set(said)


async def test_a_lost_plate_camera_is_told_and_costs_neither_sound_nor_overview(
    context: NotebookContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cameras, "CAMERA_GRACE_S", 1)
    nobody = servers.free_port()
    async with (
        pcm_server(loud_once(), pascal_per_unit=SCALE) as sound,
        mjpeg_camera() as overview,
    ):
        settings = two_cameras(sound, overview, mjpeg(nobody))
        task = asyncio.create_task(build(settings, context).run())
        await until(lambda: ("degraded", "plate-camera-lost") in context.reports)
        await until(lambda: context.exceedances, context)
        await cancelled(task)
    ((manifest, _),) = context.deposits
    names = {file.name for file in manifest.files}
    assert {"video.webm", "blurred.webm", "overlay.webm", "frame.jpg"} <= names
    assert not {"plate-video.webm", "plate-blurred.webm"} & names
    assert context.counters["plate-camera-reconnects"] >= 1
    assert context.counters["camera-reconnects"] == 0
    # Half a second of 97 dB, Fast.
    rising = 10 * np.log10(1 - np.exp(-0.5 / 0.125))
    assert context.exceedances[0].LAFmax == pytest.approx(97 + rising, abs=0.05)


async def test_without_the_overview_the_plate_cameras_film_shows_who_was_there(
    context: NotebookContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is concluded from it alone: others may have passed beside its picture."""
    monkeypatch.setattr(cameras, "CAMERA_GRACE_S", 1)
    nobody = servers.free_port()
    async with (
        pcm_server(loud_once(), pascal_per_unit=SCALE) as sound,
        mjpeg_camera() as plate,
    ):
        task = asyncio.create_task(build(two_cameras(sound, nobody, mjpeg(plate)), context).run())
        await until(lambda: ("degraded", "camera-lost") in context.reports)
        await until(lambda: context.exceedances, context)
        await cancelled(task)
    ((manifest, _),) = context.deposits
    taken_by = {file.name: file.camera for file in manifest.files if file.camera}
    assert taken_by == dict.fromkeys(
        ("plate-video.webm", "plate-blurred.webm", "frame.jpg", "thumbnail.jpg"), "plate"
    )
    (event,) = context.exceedances
    assert event.vehicle is not None
    assert event.vehicle.abstained == "no-camera"
    assert event.plate_reading is not None
    assert event.plate_reading.abstained == "no-camera"
    assert event.plates == []


async def test_a_network_plate_camera_that_dies_comes_back_beside_the_overview(
    context: NotebookContext, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cameras, "CAMERA_GRACE_S", 1)
    rtsp = await asyncio.to_thread(rtsp_camera, tmp_path)
    async with (
        pcm_server(tone(60, 180), pascal_per_unit=SCALE) as sound,
        mjpeg_camera() as overview,
    ):
        settings = two_cameras(sound, overview, {"source": "rtsp", "address": rtsp.address})
        task = asyncio.create_task(build(settings, context).run())
        try:
            await until(lambda: ("ok", None) in context.reports)
            await asyncio.to_thread(rtsp.kill)
            await until(lambda: context.reports[-1] == ("degraded", "plate-camera-lost"))
            await asyncio.to_thread(rtsp.start)
            await until(lambda: context.reports[-1] == ("ok", None))
        finally:
            await cancelled(task)
            await asyncio.to_thread(rtsp.kill)
    assert context.counters["plate-camera-reconnects"] >= 1
    assert context.counters["camera-reconnects"] == 0
    levels = [reading.value for reading in context.readings if reading.parameter == "LAeq"]
    assert np.abs(np.array(levels) - 60).max() < 0.05


async def test_two_lost_cameras_are_both_named(
    context: NotebookContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cameras, "CAMERA_GRACE_S", 1)
    overview, plate = servers.free_port(), servers.free_port()
    async with pcm_server(tone(60, 60), pascal_per_unit=SCALE) as sound:
        settings = two_cameras(sound, overview, mjpeg(plate))
        task = asyncio.create_task(build(settings, context).run())
        await until(lambda: ("degraded", "cameras-lost") in context.reports)
        await cancelled(task)
    (said,) = {text or "" for code, text in context.messages if code == "cameras-lost"}
    assert "overview camera:" in said
    assert "plate camera:" in said


@pytest.mark.parametrize("measured", [False, True])
async def test_cameras_whose_pictures_moments_nobody_measured_are_told(
    context: NotebookContext, monkeypatch: pytest.MonkeyPatch, measured: bool
) -> None:
    monkeypatch.setattr(cameras, "UNSURE_GRACE_S", 1)
    async with (
        pcm_server(tone(60, 60), pascal_per_unit=SCALE) as sound,
        mjpeg_camera() as overview,
        mjpeg_camera() as plate,
    ):
        known = {"delay_s": 0.05} if measured else {}
        settings = two_cameras(sound, overview, mjpeg(plate, **known))
        task = asyncio.create_task(build(settings, context).run())
        await until(lambda: ("degraded", "camera-not-aligned") in context.reports)
        await cancelled(task)
    (said,) = {text or "" for code, text in context.messages if code == "camera-not-aligned"}
    assert "overview camera: its pictures may have been taken" in said
    assert "vigil-edge noise align" in said
    assert ("plate camera:" in said) == (not measured)
