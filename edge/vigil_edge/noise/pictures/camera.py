"""Frames of a camera, kept compressed in a bounded ring until a passage asks for them."""

from __future__ import annotations

import math
import re
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from vigil_edge.noise.pictures.dating import believed
from vigil_edge.noise.pictures.frame import Dated, Frame, FrameSource
from vigil_edge.noise.pictures.moments import (
    FARTHEST_S,
    MOST_HELD_UP_S,
    Arrivals,
    Known,
    by_arrival,
    by_own_clock,
)
from vigil_edge.noise.pictures.settings import CameraSettings

RING_BYTES: Final = 48 * 1024 * 1024
FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 10.0
_LEAST_OF: Final = 20
"""Pictures that tell what a camera's clock is off by: some of them were not held up."""
_LOGIN: Final = re.compile(r"(?<=://)[^/\s]*@")


@dataclass(slots=True)
class Counters:
    """What the camera's thread has seen; read from elsewhere, written only there."""

    frames: int = 0
    dropped: int = 0
    """Unreadable, or thrown out of the ring before their time for want of memory."""
    reconnects: int = 0
    clock_off: int = 0


class Camera:
    """Reads one camera in a thread of its own and never disturbs anybody else.

    ``seconds`` is how far back the ring reaches while nothing is ``held``; ``now`` is
    the gateway's UTC clock.
    """

    def __init__(
        self, settings: CameraSettings, seconds: float, now: Callable[[], datetime]
    ) -> None:
        self._settings = settings
        self._seconds = seconds
        self._now = now
        self._offsets: deque[float] = deque(maxlen=_LEAST_OF)
        self._arrivals = Arrivals()
        self._ring: deque[Frame] = deque()
        self._bytes = 0
        self._held_s = math.inf
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True, name="camera")
        self.counters = Counters()
        self.trouble: str | None = "no frame yet"
        """Why no frames come at present; None while they do."""
        self.known: Known | None = None
        """How well the newest picture's moment is known."""

    def start(self) -> None:
        """Begin reading."""
        self._thread.start()

    def ask_to_stop(self) -> None:
        """Let the thread end when it can, and wait for nothing."""
        self._stop.set()

    def stop(self, within_s: float = 3.0) -> None:
        """Ask the thread to end and wait a little; it is a daemon and holds nothing."""
        self.ask_to_stop()
        self._thread.join(within_s)

    def hold(self, since: datetime | None) -> None:
        """Keep every frame since then, however long a passage lasts; None: no longer."""
        self._held_s = math.inf if since is None else since.timestamp()

    def between(self, start: datetime, end: datetime) -> list[Frame]:
        """The frames of a stretch of time, in order: a camera whose reports come only later dates
        its first pictures otherwise than the next."""
        first, last = start.timestamp(), end.timestamp()
        with self._lock:
            found = [frame for frame in self._ring if first <= frame.time_s <= last]
        return sorted(found, key=lambda frame: frame.time_s)

    def _run(self) -> None:
        pause = FIRST_PAUSE_S
        while not self._stop.is_set():
            seen = self.counters.frames
            # Whatever a camera or its codec does wrong, the thread goes on.
            try:
                self._read_once()
                self.trouble = "the camera ended its stream"
            except Exception as error:  # noqa: BLE001 - a camera disturbs nobody; its trouble is shown
                # It goes to the cloud; the camera's password stays here.
                self.trouble = _LOGIN.sub("", f"{type(error).__name__}: {error}")[:300]
            self.counters.reconnects += 1
            pause = FIRST_PAUSE_S if self.counters.frames > seen else pause
            self._stop.wait(pause)
            pause = min(2 * pause, LONGEST_PAUSE_S)

    def _read_once(self) -> None:
        self._offsets.clear()
        self._arrivals = Arrivals()
        last_s = 0.0
        least_s = 0.9 / self._settings.fps

        def wanted() -> bool:
            # The clock may have been set back meanwhile, by an hour.
            return abs(self._now().timestamp() - last_s) >= least_s

        for frame in frame_source(self._settings, self._now).frames(wanted):
            if self._stop.is_set():
                return
            if frame is None:
                self.counters.dropped += 1
                continue
            stamped = self._stamped(frame)
            if abs(stamped.time_s - last_s) < least_s:
                continue
            last_s = stamped.time_s
            self._keep(stamped)
            self.trouble, self.known = None, stamped.known

    def _stamped(self, frame: Frame) -> Frame:
        now_s = self._now().timestamp()
        delay_s, within_s = self._settings.delay_s, self._settings.delay_within_s
        held_up_s = self._arrivals.held_up(now_s)
        if frame.time_s and frame.dated == "arrival":
            held_up_s = 0.0  # by the stream's own count: a stall moves no picture
        if frame.time_s and frame.dated == "camera":
            frame = self._told_by_camera(frame, now_s)
        self.counters.clock_off += frame.clock_off
        if frame.time_s and not frame.clock_off and abs(frame.time_s - now_s) > FARTHEST_S:
            self.counters.clock_off += 1
            # Farther off than a picture can be held up, a clock was set.
            held_up_s = max(held_up_s, min(MOST_HELD_UP_S, abs(frame.time_s - now_s)))
            frame = replace(frame, time_s=now_s, dated="arrival", clock_off=True)
        if frame.time_s and frame.dated != "arrival":
            return replace(frame, known=by_own_clock(frame.offset_s, delay_s, within_s))
        dated: Dated = "arrival" if delay_s is None else "aligned"
        disbelieved_s = frame.offset_s if frame.clock_off else None
        known = by_arrival(delay_s, within_s, held_up_s, disbelieved_s)
        time_s = (frame.time_s or now_s) - (delay_s or 0.0)
        return replace(frame, time_s=time_s, dated=dated, known=known)

    def _told_by_camera(self, frame: Frame, now_s: float) -> Frame:
        """By the camera's own stamp, unless its clock is wrong: the least delayed say so."""
        self._offsets.append(now_s - frame.time_s)
        offset_s = min(self._offsets)
        if believed(offset_s, self._settings.delay_s):
            return replace(frame, offset_s=offset_s)
        return replace(frame, time_s=now_s, dated="arrival", clock_off=True, offset_s=offset_s)

    def _keep(self, frame: Frame) -> None:
        with self._lock:
            self.counters.frames += 1
            self._ring.append(frame)
            self._bytes += len(frame.jpeg)
            oldest_s = min(frame.time_s - self._seconds, self._held_s)
            while self._ring and self._ring[0].time_s < oldest_s:
                self._bytes -= len(self._ring.popleft().jpeg)
            while self._bytes > RING_BYTES:
                self._bytes -= len(self._ring.popleft().jpeg)
                self.counters.dropped += 1


def frame_source(settings: CameraSettings, now: Callable[[], datetime]) -> FrameSource:
    """A new connection to the camera that the settings name. ``now``: the gateway's UTC clock."""
    if settings.source == "mjpeg":
        from vigil_edge.noise.pictures.mjpeg import MjpegStream

        return MjpegStream(str(settings.address))
    # OpenCV is large; a gateway whose camera speaks MJPEG never loads it.
    from vigil_edge.noise.pictures.capture import OpencvCapture

    return OpencvCapture(settings, now)
