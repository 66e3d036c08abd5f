"""RTSP cameras, video devices and video files through OpenCV."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, Final

import cv2
import structlog

from vigil_edge.noise.pictures.dating import Dating
from vigil_edge.noise.pictures.frame import Frame
from vigil_edge.noise.pictures.relay import RtspRelay
from vigil_edge.noise.pictures.settings import CameraSettings

JPEG_QUALITY: Final = 85
TIMEOUT_S: Final = 5.0
"""As long as for MJPEG. OpenCV's own 30 s would hide a camera that fell silent."""
RTSP_OPTIONS: Final = "rtsp_flags;prefer_tcp|allowed_media_types;video"
"""The first is OpenCV's own. With more than one stream FFmpeg dates all of them anew when the first
report comes, and the pictures no longer count from the stream's first packet."""

_log = structlog.get_logger("camera")


class OpencvCapture:
    """One opened capture. Frames of RTSP cameras are dated by their sender's reports."""

    def __init__(self, settings: CameraSettings, now: Callable[[], datetime]) -> None:
        self._settings = settings
        self._now = now

    def frames(self, wanted: Callable[[], bool]) -> Iterator[Frame | None]:
        """Raises ``ConnectionError`` where it cannot be opened or stops."""
        with contextlib.ExitStack() as opened:
            relay = self._relay()
            if relay is not None:
                opened.callback(relay.close)
            capture = self._opened(relay)
            opened.callback(capture.release)
            dating = Dating(relay, self._settings.delay_s)
            yield from self._read(capture, dating, wanted)

    def _read(
        self, capture: cv2.VideoCapture, dating: Dating, wanted: Callable[[], bool]
    ) -> Iterator[Frame | None]:
        address = self._settings.address
        if not capture.isOpened():
            raise ConnectionError(f"video source {address!r} cannot be opened")
        pace = 1.0 / (capture.get(cv2.CAP_PROP_FPS) or 25.0)
        live = self._settings.source == "rtsp"
        while True:
            if not capture.grab():
                if self._settings.source != "file":
                    raise ConnectionError(f"video source {address!r} stopped")
                # A file stands in for a camera, and a camera does not end.
                capture.set(cv2.CAP_PROP_POS_FRAMES, 0)
                if not capture.grab():
                    raise ConnectionError(f"video file {address!r} holds no frame")
            if live:
                dating.grabbed(*_counted(capture), self._now())
            if wanted():
                yield _compressed(capture, dating)
            if self._settings.source == "file":
                time.sleep(pace)

    def _relay(self) -> RtspRelay | None:
        """Where the camera speaks plain RTSP; over TLS nobody can read on the way."""
        address = str(self._settings.address)
        if self._settings.source != "rtsp" or not address.lower().startswith("rtsp://"):
            return None
        try:
            return RtspRelay(address)
        except OSError as error:
            # Without a password: the address is told by whoever asked.
            raise ConnectionError(f"video source {address!r} cannot be opened: {error}") from error

    def _opened(self, relay: RtspRelay | None) -> cv2.VideoCapture:
        # One core of two is the microphone's.
        cv2.setNumThreads(1)
        # What goes wrong is told by exception; FFmpeg would tell it again, and with passwords.
        os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
        if self._settings.source == "device":
            return cv2.VideoCapture(int(self._settings.address))
        if self._settings.source == "file":
            return cv2.VideoCapture(str(self._settings.address))
        os.environ.setdefault("OPENCV_FFMPEG_CAPTURE_OPTIONS", RTSP_OPTIONS)
        limit_ms = int(1000 * TIMEOUT_S)
        limits = [
            cv2.CAP_PROP_OPEN_TIMEOUT_MSEC,
            limit_ms,
            cv2.CAP_PROP_READ_TIMEOUT_MSEC,
            limit_ms,
        ]
        address = str(self._settings.address) if relay is None else relay.local
        return cv2.VideoCapture(address, cv2.CAP_FFMPEG, limits)


def _counted(capture: Any) -> tuple[float, float]:
    """What OpenCV says of the grabbed picture's time in its stream, s: exactly, from a beginning
    that differs by codec, and from the stream's first packet, to half a picture."""
    fps = capture.get(cv2.CAP_PROP_FPS)
    ticks = capture.get(cv2.CAP_PROP_PTS)
    return capture.get(cv2.CAP_PROP_POS_MSEC) / 1000.0, ticks / fps if fps > 0 else 0.0


def _compressed(capture: cv2.VideoCapture, dating: Dating) -> Frame | None:
    read, picture = capture.retrieve()
    if not read:
        return None
    done, jpeg = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    at = dating.moment()
    if not done:
        return None
    return Frame(at.time_s, jpeg.tobytes(), at.dated, at.clock_off, at.offset_s)
