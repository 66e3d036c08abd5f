"""A network camera: ``/usr/bin/python3 rtsp_server.py PORT`` serves rtsp://127.0.0.1:PORT/street.

Run by the system's Python, which has GStreamer's bindings; see ``rtsp.py`` beside it.
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402 - versions come first

PICTURES = (
    "( videotestsrc is-live=true pattern=ball"
    " ! video/x-raw,format=I420,width=320,height=240,framerate=20/1"
    " ! jpegenc ! rtpjpegpay name=pay0 pt=26 )"
)

Gst.init(None)
factory = GstRtspServer.RTSPMediaFactory()
factory.set_launch(PICTURES)
factory.set_shared(True)
server = GstRtspServer.RTSPServer()
server.set_address("127.0.0.1")
server.set_service(sys.argv[1])
server.get_mount_points().add_factory("/street", factory)
if not server.attach(None):
    sys.exit(f"port {sys.argv[1]} is taken")
GLib.MainLoop().run()
