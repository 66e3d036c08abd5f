"""A street with an overview and a plate camera: both see the same vehicle, the second near by."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import cv2
import httpx
import numpy as np
import pytest

from vigil_edge.noise.settings import NoiseSettings
from vigil_sim.clock import CityClock
from vigil_sim.faults import Faults
from vigil_sim.ledger import Ledger
from vigil_sim.noise.scenario import NoiseCamera
from vigil_sim.noise.scooter import PLATE_Z
from vigil_sim.noise.street import Street
from vigil_sim.noise.vehicle import SCOOTER_Y
from vigil_sim.noise.view import View
from vigil_sim.scenario import load
from vigil_sim.world import World

PLATE_HALF_M = 0.13


def test_a_plate_is_larger_in_the_plate_cameras_picture() -> None:
    z = sum(PLATE_Z) / 2
    ends = np.array([[20.0, SCOOTER_Y + side, z] for side in (-PLATE_HALF_M, PLATE_HALF_M)])
    wide, near = View(960, 540).project(ends), View.on_plates(960, 540, 20.0, 4.5).project(ends)
    assert np.ptp(near, axis=0)[0] > 2.5 * np.ptp(wide, axis=0)[0]
    assert np.ptp(near, axis=0)[0] > 45
    # It stands well inside both.
    for seen in (wide, near):
        assert ((seen > (0, 0)) & (seen < (960, 540))).all()


@pytest.fixture
async def street(tmp_path: Path) -> AsyncIterator[Street]:
    scenario = load("quiet-street")
    (camera,) = scenario.tables("noise", NoiseCamera)
    assert camera.plate_camera is not None
    ledger = Ledger(tmp_path / "ledger.sqlite")
    street = Street(camera, World(scenario, 7), CityClock(1.0), Faults(), ledger)
    await asyncio.to_thread(street.render)
    await street.start()
    yield street
    await street.stop()
    ledger.close()


async def test_both_cameras_serve_and_the_gateway_is_told_of_both(street: Street) -> None:
    section = {"device": "noise-street"} | street.section()
    settings = NoiseSettings.model_validate(section)
    assert list(settings.cameras) == ["overview", "plate"]
    sizes = {}
    async with httpx.AsyncClient(trust_env=False, timeout=60) as http:
        for role, camera in settings.cameras.items():
            address = str(camera.address).replace("stream.mjpeg", "snapshot.jpg")
            answer = (await http.get(address)).raise_for_status()
            picture = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR)
            assert picture is not None
            sizes[role] = picture.shape[:2]
    assert sizes == {"overview": (360, 640), "plate": (540, 960)}
    assert set(street.addresses) == {"audio", "camera", "plate_camera"}
