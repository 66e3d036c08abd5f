"""RTSP cameras, video devices and video files through OpenCV."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import cv2

from vigil_edge.noise.camera import Frame
from vigil_edge.noise.settings import CameraSettings

JPEG_QUALITY = 85


class OpencvCapture:
    """One opened capture. Frames carry no time stamp of their own."""

    def __init__(self, settings: CameraSettings) -> None:
        self._settings = settings

    def frames(self, wanted: Callable[[], bool]) -> Iterator[Frame | None]:
        """Raises ``ConnectionError`` where it cannot be opened or stops."""
        address: str | int = self._settings.address
        if self._settings.source == "device":
            address = int(address)
        # One core of two is the microphone's.
        cv2.setNumThreads(1)
        capture = cv2.VideoCapture(address)
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


def _compressed(capture: cv2.VideoCapture) -> Frame | None:
    read, picture = capture.retrieve()
    if not read:
        return None
    done, jpeg = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return Frame(0.0, jpeg.tobytes()) if done else None
