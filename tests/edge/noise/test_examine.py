"""What ``vigil-edge doctor`` finds of a noise camera's cameras."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

import servers
from edge.noise.live_camera import noise_camera
from vigil_edge.cli import main
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
    moments = {"mic, moments of the overview camera", "mic, moments of the plate camera"}
    assert set(found) == {"mic", "mic, overview camera", "mic, plate camera", *moments}
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


def _camera(port: int, **more: object) -> dict[str, object]:
    return {"source": "mjpeg", "address": f"http://127.0.0.1:{port}/s", "view": LOOKS} | more


def test_where_vehicles_are_told_apart_by_moments_nobody_measured_that_is_to_be_mended() -> None:
    measured = _camera(9, delay_s=0.21, delay_within_s=0.04)
    found = _found(camera=measured, plate_camera=_camera(8))
    known = found["mic, moments of the overview camera"]
    assert known.well
    assert "0.04 s" in known.said.en
    unknown = found["mic, moments of the plate camera"]
    assert not unknown.well
    assert "noise align --config gateway.toml --camera plate" in unknown.mend.en
    assert "noise align" in unknown.mend.zh
    # One camera whose pictures are compared with nothing needs none of it.
    assert "mic, moments of the camera" not in _found(camera=_camera(9))


def test_check_says_it_of_a_configuration_that_is_right(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "gateway.toml"
    section = """
[gateway]
id = "gw-1"
data_dir = "data"
[cloud]
broker = "mqtt://broker.example:1883"
[[noise]]
device = "mic-1"
audio = {{ source = "pcm", address = "tcp://127.0.0.1:9", format = "s16le:48000:1" }}
[noise.camera]
source = "mjpeg"
address = "http://127.0.0.1:9/s"
delay_s = 0.2
view = {looks}
[noise.plate_camera]
source = "mjpeg"
address = "http://127.0.0.1:8/s"
{delay}
view = {looks}
"""
    inline = ", ".join(f"{key} = {value}" for key, value in LOOKS.items())
    notes = []
    for delay in ("", "delay_s = 0.3"):
        file.write_text(section.format(looks=f"{{ {inline} }}", delay=delay))
        assert main(["check", "--config", str(file)]) == 0
        said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
        notes.append([line["note"] for line in said if line["kind"] == "note"])
    assert len(notes[0]) == 1
    assert notes[0][0].startswith("plate camera: nobody measured its delay")
    assert "--camera plate" in notes[0][0]
    assert notes[1] == []
