"""Starts the network camera of ``rtsp_server.py``."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

import servers

PYTHON = "/usr/bin/python3"
PACKAGES = (
    "gir1.2-gst-rtsp-server-1.0 python3-gi gstreamer1.0-plugins-good gstreamer1.0-plugins-bad"
)


@dataclass
class RtspCamera(servers.Server):
    port: int = 0
    path: str = "street"

    @property
    def address(self) -> str:
        return f"rtsp://127.0.0.1:{self.port}/{self.path}"


def rtsp_camera(folder: Path) -> RtspCamera:
    """A started RTSP server; skips (or fails, see ``servers.required``) without GStreamer's."""
    return _started(folder, "rtsp_server.py", "street")


def clock_camera(folder: Path, codec: str, late_s: float, reports: str = "capture") -> RtspCamera:
    """As ``rtsp_camera``, of pictures that say when they were taken (``clock_camera.py``)."""
    return _started(folder, "clock_camera.py", "clock", codec, str(late_s), reports)


def _started(folder: Path, program: str, path: str, *words: str) -> RtspCamera:
    wanted = "import gi; gi.require_version('GstRtspServer', '1.0')"
    try:
        there = subprocess.run([PYTHON, "-c", wanted], capture_output=True, check=False)
        found = there.returncode == 0
    except FileNotFoundError:
        found = False
    if not found:
        servers.missing("GStreamer's RTSP server", f"apt-get install {PACKAGES}")
    port = servers.free_port()
    camera = RtspCamera(
        "rtsp camera",
        [PYTHON, str(Path(__file__).with_name(program)), str(port), *words],
        lambda: servers.listening(port),
        folder / "rtsp.log",
        port=port,
        path=path,
    )
    camera.start()
    return camera
