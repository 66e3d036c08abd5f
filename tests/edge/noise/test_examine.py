"""What ``vigil-edge doctor`` finds of a noise camera's cameras."""

from __future__ import annotations

import socket
from pathlib import Path

import servers
from edge.noise.live_camera import noise_camera
from vigil_edge.examination import Finding, Text
from vigil_edge.noise.examine import look
from vigil_edge.noise.settings import NoiseSettings
from vigil_sim.noise.street import view_section
from vigil_sim.noise.view import View

WAV: dict[str, object] = {"source": "wav", "address": "/nowhere/street.wav"}
LOOKS = view_section(View(640, 360))


def _found(**sections: object) -> dict[str, Finding]:
    section = noise_camera(WAV).model_dump() | sections
    settings = NoiseSettings.model_validate(section)
    return {one.subject.en: one for one in look(settings, Text("mic", "麥克風"))}


def test_both_cameras_are_named_and_the_one_that_is_gone_is_to_be_mended() -> None:
    nobody = servers.free_port()
    plate = {"source": "rtsp", "address": f"rtsp://u:secret@127.0.0.1:{nobody}/plate"}
    here = Path(__file__)
    found = _found(
        camera={"source": "file", "address": str(here), "view": LOOKS},
        plate_camera=plate | {"view": LOOKS},
    )
    assert set(found) == {"mic", "mic, overview camera", "mic, plate camera"}
    assert found["mic, overview camera"].well
    lost = found["mic, plate camera"]
    assert not lost.well
    assert f"127.0.0.1:{nobody}" in lost.said.en
    assert "secret" not in str(lost)
    assert lost.subject.zh == "麥克風，車牌攝影機"


def test_a_single_camera_is_the_camera() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        answering = {"source": "mjpeg", "address": f"http://127.0.0.1:{port}/stream"}
        assert _found(camera=answering)["mic, camera"].well
    wrong = {"source": "mjpeg", "address": "http://127.0.0.1:99999/stream"}
    assert not _found(camera=wrong)["mic, camera"].well
    device = _found(camera={"source": "device", "address": 97})["mic, camera"]
    assert not device.well
    assert "/dev/video97" in device.said.en
    assert set(_found()) == {"mic"}, "where there is none, nothing is looked for"
