"""A network camera whose pictures say when they were taken, in milliseconds since 1970 as 32 black
and white fields: ``/usr/bin/python3 clock_camera.py PORT CODEC LATE_S REPORTS`` serves
rtsp://127.0.0.1:PORT/clock. ``CODEC``: ``h264``, ``h265``, ``jpeg``; ``h264+sound`` sends a
microphone's stream beside it, uncompressed and so with more bytes than the pictures'.
``LATE_S``: so long it keeps each picture before it is encoded.
``REPORTS``: ``capture`` (RTCP sender reports as a camera sends them) or ``uptime`` (of a camera
that knows no time of day).

Run by the system's Python, which has GStreamer's bindings; see ``rtsp.py`` beside it.
"""

import sys
import time
from typing import Any

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402 - versions come first

WIDTH, HEIGHT, FPS = 320, 240, 25
FIELD = 20
CODECS = {
    "h264": "openh264enc gop-size=25 ! h264parse ! rtph264pay config-interval=1",
    # With B-frames, which are sent in another order than they are shown in.
    "h265": "x265enc speed-preset=ultrafast key-int-max=25 option-string=bframes=3 ! h265parse"
    " ! rtph265pay config-interval=1",
    "jpeg": "jpegenc ! rtpjpegpay",
}
SOUND = (
    " audiotestsrc is-live=true wave=ticks ! audio/x-raw,rate=48000,channels=2"
    " ! audioconvert ! rtpL16pay name=pay1 pt=97"
)
PORT, LATE_S, REPORTS = int(sys.argv[1]), float(sys.argv[3]), sys.argv[4]
CODEC, _, BESIDE = sys.argv[2].partition("+")
PICTURES = (
    "( appsrc name=eye is-live=true format=time"
    f" caps=video/x-raw,format=I420,width={WIDTH},height={HEIGHT},framerate={FPS}/1"
    f" ! queue ! {CODECS[CODEC]} name=pay0 pt=96{SOUND if BESIDE else ''} )"
)


def picture(stamp_ms: int) -> bytes:
    rows = bytearray()
    for row in range(2):
        line = bytearray()
        for column in range(16):
            bit = stamp_ms >> (16 * row + column) & 1
            line += (b"\xeb" if bit else b"\x10") * FIELD
        rows += bytes(line) * (HEIGHT // 2)
    return bytes(rows) + b"\x80" * (WIDTH * HEIGHT // 2)


class Eye:
    """Takes a picture every 40 ms, dated as it is taken, and hands it on ``LATE_S`` later."""

    def __init__(self, source: Any) -> None:
        self.source = source
        self.waiting: list[tuple[float, int, bytes]] = []
        GLib.timeout_add(1000 // FPS, self.take)

    def take(self) -> bool:
        clock, base = self.source.get_clock(), self.source.get_base_time()
        if clock is not None:
            running, stamp_ms = clock.get_time() - base, int(time.time() * 1000)
            self.waiting.append((time.monotonic(), running, picture(stamp_ms)))
        while self.waiting and time.monotonic() - self.waiting[0][0] >= LATE_S:
            _, at, content = self.waiting.pop(0)
            buffer = Gst.Buffer.new_wrapped(content)
            buffer.pts = buffer.dts = at
            buffer.duration = Gst.SECOND // FPS
            self.source.emit("push-buffer", buffer)
        return True


def report(media: Any) -> None:
    """Reports of when a picture was taken, as cameras send them, not of when it was sent."""
    found = media.get_element().get_parent().iterate_elements()
    while True:
        result, element = found.next()
        if result != Gst.IteratorResult.OK:
            return
        factory = element.get_factory()
        if factory is not None and factory.get_name() == "rtpbin":
            element.set_property("rtcp-sync-send-time", False)
            if REPORTS == "uptime":
                element.set_property("ntp-time-source", 3)


eyes: list[Eye] = []


def configure(_: Any, media: Any) -> None:
    eyes.append(Eye(media.get_element().get_child_by_name("eye")))
    media.connect("prepared", report)


Gst.init(None)
made = GstRtspServer.RTSPMediaFactory()
made.set_launch(PICTURES)
made.set_shared(True)
made.connect("media-configure", configure)
server = GstRtspServer.RTSPServer()
server.set_address("127.0.0.1")
server.set_service(str(PORT))
server.get_mount_points().add_factory("/clock", made)
if not server.attach(None):
    sys.exit(f"port {PORT} is taken")
GLib.MainLoop().run()
