"""RTSP cameras, video devices and video files through OpenCV."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from typing import Final

import cv2

from vigil_edge.noise.pictures.frame import Frame
from vigil_edge.noise.pictures.settings import CameraSettings

JPEG_QUALITY: Final = 85
TIMEOUT_S: Final = 5.0
"""As long as for MJPEG. OpenCV's own 30 s would hide a camera that fell silent."""


class OpencvCapture:
    """One opened capture. Frames carry no time stamp of their own."""

    def __init__(self, settings: CameraSettings) -> None:
        self._settings = settings

    def frames(self, wanted: Callable[[], bool]) -> Iterator[Frame | None]:
        """Raises ``ConnectionError`` where it cannot be opened or stops."""
        address = self._settings.address
        capture = self._opened()
        try:
            if not capture.isOpened():
                raise ConnectionError(f"video source {address!r} cannot be opened")
            pace = 1.0 / (capture.get(cv2.CAP_PROP_FPS) or 25.0)
            while True:
                if not capture.grab():
                    if self._settings.source != "file":
                        raise ConnectionError(f"video source {address!r} stopped")
                    # A file stands in for a camera, and a camera does not end.
                    capture.set(cv2.CAP_PROP_POS_FRAMES, 0)
                    if not capture.grab():
                        raise ConnectionError(f"video file {address!r} holds no frame")
                if wanted():
                    yield _compressed(capture)
                if self._settings.source == "file":
                    time.sleep(pace)
        finally:
            capture.release()

    def _opened(self) -> cv2.VideoCapture:
        # One core of two is the microphone's.
        cv2.setNumThreads(1)
        # What goes wrong is told by exception; FFmpeg would tell it again, and with passwords.
        os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
        if self._settings.source == "device":
            return cv2.VideoCapture(int(self._settings.address))
        if self._settings.source == "file":
            return cv2.VideoCapture(str(self._settings.address))
        limit_ms = int(1000 * TIMEOUT_S)
        limits = [
            cv2.CAP_PROP_OPEN_TIMEOUT_MSEC,
            limit_ms,
            cv2.CAP_PROP_READ_TIMEOUT_MSEC,
            limit_ms,
        ]
        return cv2.VideoCapture(str(self._settings.address), cv2.CAP_FFMPEG, limits)


def _compressed(capture: cv2.VideoCapture) -> Frame | None:
    read, picture = capture.retrieve()
    if not read:
        return None
    done, jpeg = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return Frame(0.0, jpeg.tobytes()) if done else None
