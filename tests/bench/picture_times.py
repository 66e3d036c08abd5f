"""Moments of a network camera's pictures against when they were taken, which they show: over
RTSP from GStreamer's server, by sender reports and by arrival."""

from __future__ import annotations

import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np

from edge.noise.picture_times import errors_ms
from edge.noise.rtsp import clock_camera
from vigil_edge.noise.pictures.camera import Camera
from vigil_edge.noise.pictures.settings import CameraSettings

WATCHED_S = 20.0
CAMERAS = (("jpeg", 0.0), ("h264", 0.0), ("h264", 0.15), ("h265", 0.0))


def now() -> datetime:
    return datetime.now(UTC)


def watch(folder: Path, codec: str, late_s: float, dated: str, delay_s: float | None) -> float:
    """Prints the errors; returns their median, ms."""
    reports = "capture" if dated == "sender" else "uptime"
    served = clock_camera(folder, codec, late_s, reports)
    settings = CameraSettings(source="rtsp", address=served.address, fps=25, delay_s=delay_s)
    watched, begun = Camera(settings, 120.0, now), now()
    watched.start()
    time.sleep(WATCHED_S)
    errors = np.array(errors_ms(watched.between(begun - timedelta(seconds=5), now()), dated))
    watched.stop()
    served.kill()
    name = f"picture_times {codec} late_{1000 * late_s:.0f}ms {dated}"
    print(f"{name} pictures: {len(errors)}")
    print(f"{name} error_ms median: {np.median(errors):.1f}")
    print(f"{name} error_ms p95: {np.quantile(np.abs(errors), 0.95):.1f}")
    print(f"{name} error_ms worst: {np.abs(errors).max():.1f}")
    return float(np.median(errors))


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        for codec, late_s in CAMERAS:
            watch(Path(folder), codec, late_s, "sender", None)
        delay_ms = watch(Path(folder), "h264", 0.15, "arrival", None)
        watch(Path(folder), "h264", 0.15, "aligned", delay_ms / 1000.0)
    return 0
