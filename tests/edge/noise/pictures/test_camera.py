"""MJPEG parsing and the frame ring."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count, pairwise
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import servers
from edge.noise.rtsp import rtsp_camera
from edge.noise.street import mjpeg_camera, part, picture
from vigil_edge.noise.pictures.camera import Camera
from vigil_edge.noise.pictures.frame import MAX_FRAME_BYTES, Frame
from vigil_edge.noise.pictures.mjpeg import MAX_HEADER_BYTES, MjpegStream, MultipartParser
from vigil_edge.noise.pictures.moments import FARTHEST_S, LATEST_S, MOST_HELD_UP_S
from vigil_edge.noise.pictures.settings import CameraSettings

SMALL = b"\xff\xd8" + bytes(range(1, 200)) + b"\r\n\r\n--fram\n\n" + b"\xff\xd9"


def now() -> datetime:
    return datetime.now(UTC)


@given(cuts=st.lists(st.integers(0, 3000), max_size=30))
def test_frames_come_out_whole_however_the_stream_is_cut(cuts: list[int]) -> None:
    stream = b"preamble\r\n" + b"".join(part(SMALL, 1000.5 + n) for n in range(8))
    parser = MultipartParser("frame")
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    frames = [frame for a, b in pairwise(edges) for frame in parser.feed(stream[a:b])]
    assert frames == [Frame(1000.5 + n, SMALL) for n in range(8)]


def test_parts_without_length_or_stamp_are_read() -> None:
    stream = b"".join(b"--x\nContent-Type: image/jpeg\n\n" + SMALL + b"\r\n" for _ in range(3))
    frames = list(MultipartParser("--x").feed(stream + b"--x"))
    assert [frame and frame.jpeg.rstrip() for frame in frames] == [SMALL] * 3
    assert {frame.time_s for frame in frames if frame} == {0.0}


def test_garbage_is_counted_and_not_kept() -> None:
    stream = part(b"no picture", None) + part(SMALL, float("nan")) + b"--frame"
    first, second = MultipartParser("frame").feed(stream)
    assert first is None
    assert second is not None


@pytest.mark.parametrize("stamp", ["inf", "-inf", "nan", "1e400", "1e300", "-5", "", "now"])
def test_a_stamp_that_is_no_time_is_none(stamp: str) -> None:
    """Else ``-Infinity`` stands in the evidence."""
    stream = part(SMALL, 7.0).replace(b"7.000000", stamp.encode()) + b"--frame"
    (frame,) = MultipartParser("frame").feed(stream)
    assert frame == Frame(0.0, SMALL)


def test_a_stream_out_of_step_is_given_up() -> None:
    parser = MultipartParser("frame")
    with pytest.raises(ValueError, match="boundary"):
        list(parser.feed(bytes(MAX_FRAME_BYTES + MAX_HEADER_BYTES + 1)))
    huge = b"--frame\r\nContent-Length: 99999999\r\n\r\n"
    with pytest.raises(ValueError, match="limit"):
        list(MultipartParser("frame").feed(huge))


async def test_a_camera_that_hangs_up_is_called_again() -> None:
    async with mjpeg_camera(fps=50, hang_up_after=10) as port:
        address = f"http://127.0.0.1:{port}/"
        settings = CameraSettings(source="mjpeg", address=address, fps=50)
        watched = Camera(settings, 20.0, now)
        begun = now()
        watched.start()
        await eventually(lambda: watched.counters.reconnects >= 2)
        watched.stop()
    assert watched.counters.dropped >= 2
    frames = watched.between(begun, now())
    assert len(frames) == watched.counters.frames >= 8
    assert all(a.time_s < b.time_s for a, b in pairwise(frames))


async def test_the_rate_limit_and_the_ring_hold() -> None:
    looks, begun = count(), now()

    def clock() -> datetime:
        """Twenty milliseconds further at each look, whatever else this machine does."""
        return begun + timedelta(milliseconds=20 * next(looks))

    async with mjpeg_camera(fps=50, stamped=False) as port:
        address = f"http://127.0.0.1:{port}/"
        watched = Camera(CameraSettings(source="mjpeg", address=address, fps=10), 1.0, clock)
        watched.start()
        await eventually(lambda: watched.counters.frames >= 20)
        assert watched.trouble is None
        watched.stop()
    frames = watched.between(begun, clock())
    assert 8 <= len(frames) <= 12
    assert all(b.time_s - a.time_s >= 0.09 for a, b in pairwise(frames))


async def test_frames_of_a_passage_are_held_beyond_the_ring() -> None:
    async with mjpeg_camera(fps=50) as port:
        address = f"http://127.0.0.1:{port}/"
        watched = Camera(CameraSettings(source="mjpeg", address=address, fps=50), 0.2, now)
        begun = now()
        watched.hold(begun)
        watched.start()
        await eventually(lambda: watched.counters.frames >= 40)
        held = watched.between(begun, now())
        assert len(held) >= 40
        watched.hold(None)
        await eventually(lambda: len(watched.between(begun, now())) < 20)
        watched.stop()


async def test_a_camera_with_a_wrong_clock_is_dated_by_arrival() -> None:
    async with mjpeg_camera(fps=20) as port:
        address = f"http://127.0.0.1:{port}/"
        behind = Camera(
            CameraSettings(source="mjpeg", address=address, fps=20),
            5.0,
            lambda: datetime.fromtimestamp(now().timestamp() + 3600, UTC),
        )
        behind.start()
        await eventually(lambda: behind.counters.frames >= 3)
        behind.stop()
    assert behind.counters.clock_off >= 3


@pytest.mark.parametrize(("ahead_s", "by"), [(0.5, "arrival"), (-1.5, "arrival"), (-0.4, "camera")])
async def test_a_camera_whose_clock_cannot_be_right_is_dated_by_arrival(
    ahead_s: float, by: str
) -> None:
    """``ahead_s``: of the gateway's clock."""
    async with mjpeg_camera(fps=20) as port:
        settings = CameraSettings(source="mjpeg", address=f"http://127.0.0.1:{port}/", fps=20)
        watched = Camera(settings, 60.0, lambda: now() - timedelta(seconds=ahead_s))
        begun = now()
        watched.start()
        await eventually(lambda: watched.counters.frames >= 5)
        watched.stop()
    frames = watched.between(begun - timedelta(seconds=5), now() + timedelta(seconds=5))
    assert {frame.dated for frame in frames} == {by}
    assert (watched.counters.clock_off > 0) == (by == "arrival")
    assert all(
        frame.offset_s is not None and abs(frame.offset_s + ahead_s) < 0.3 for frame in frames
    )
    if by == "camera":
        # It need not be right: its pictures may be a second old, or have been taken just now.
        assert all(frame.known.earlier_s == pytest.approx(0.6, abs=0.3) for frame in frames)
        assert all(frame.known.later_s == pytest.approx(0.6, abs=0.3) for frame in frames)
    else:
        assert all(frame.known.earlier_s == pytest.approx(FARTHEST_S) for frame in frames[1:])


@pytest.mark.parametrize(
    ("clock_s", "dated", "earlier_s", "later_s"),
    [(0.0, "camera", 0.05, 0.05), (0.15, "camera", 0.2, 0.05), (0.6, "aligned", 0.05, 0.65)],
)
async def test_by_a_measured_delay_a_cameras_clock_is_watched(
    clock_s: float, dated: str, earlier_s: float, later_s: float
) -> None:
    """``clock_s``: so far ahead of the gateway's; one that is not believed may be right all the
    same, where pictures are on their way for less long than they were."""
    delay_s = 0.7
    async with mjpeg_camera(fps=20) as port:
        address = f"http://127.0.0.1:{port}/"
        settings = CameraSettings(
            source="mjpeg", address=address, fps=20, delay_s=delay_s, delay_within_s=0.05
        )
        behind_s = delay_s - clock_s  # as the gateway sees pictures that are on their way so long
        watched = Camera(settings, 60.0, lambda: now() + timedelta(seconds=behind_s))
        begun = now()
        watched.start()
        await eventually(lambda: watched.counters.frames >= 30)
        watched.stop()
    frames = watched.between(begun - timedelta(seconds=5), now() + timedelta(seconds=5))[15:]
    assert {frame.dated for frame in frames} == {dated}
    for frame in frames:
        # What this machine itself holds up is told as well.
        assert earlier_s - 0.1 <= frame.known.earlier_s <= earlier_s + 1.0
        assert later_s - 0.1 <= frame.known.later_s <= later_s + 0.1


async def test_a_clock_that_is_set_does_not_make_pictures_be_held_up_for_an_hour() -> None:
    """By the least delayed ones the camera is believed for some pictures more: every moment of an
    hour would be tried for each vehicle of a passage, and no event says more than 20 s."""
    set_by = [timedelta()]
    async with mjpeg_camera(fps=20) as port:
        settings = CameraSettings(source="mjpeg", address=f"http://127.0.0.1:{port}/", fps=20)
        watched = Camera(settings, 60.0, lambda: now() + set_by[0])
        begun = now()
        watched.start()
        await eventually(lambda: watched.counters.frames >= 20)
        set_by[0] = timedelta(hours=1)
        seen = watched.counters.frames
        await eventually(lambda: watched.counters.frames >= seen + 10)
        watched.stop()
    frames = watched.between(begun + timedelta(minutes=30), now() + timedelta(hours=2))
    assert any(frame.clock_off and frame.dated == "arrival" for frame in frames)
    for frame in frames:
        assert frame.known.within_s <= LATEST_S + MOST_HELD_UP_S


async def test_what_is_no_camera_is_named() -> None:
    watched = Camera(
        CameraSettings(source="mjpeg", address=f"http://127.0.0.1:{servers.free_port()}/"), 5.0, now
    )
    watched.start()
    await eventually(lambda: watched.counters.reconnects >= 1)
    watched.stop()
    assert watched.trouble is not None
    assert "ConnectError" in watched.trouble


@pytest.mark.parametrize("kind", ["mjpeg", "rtsp"])
async def test_a_cameras_password_is_not_told(kind: Literal["mjpeg", "rtsp"]) -> None:
    """What a camera answers goes to the cloud as a health fact."""

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        scheme = {"mjpeg": "http", "rtsp": "rtsp"}[kind]
        address = f"{scheme}://admin:s3cr:t@ss@127.0.0.1:{port}/live"
        watched = Camera(CameraSettings(source=kind, address=address), 5.0, now)
        watched.start()
        await eventually(lambda: watched.counters.reconnects >= 1)
        watched.stop()
    assert watched.trouble is not None
    assert f"{scheme}://127.0.0.1:{port}/live" in watched.trouble
    assert "s3cr" not in watched.trouble
    assert "ss@" not in watched.trouble


def test_a_network_camera_is_read_and_comes_back(tmp_path: Path) -> None:
    """RTSP from a real server that falls silent, goes on, dies and is started again."""
    camera = rtsp_camera(tmp_path)
    watched = Camera(CameraSettings(source="rtsp", address=camera.address, fps=20), 60.0, now)
    begun = now()
    watched.start()
    try:
        servers.eventually(lambda: watched.counters.frames >= 10, "frames over RTSP")
        assert [watched.trouble] == [None]
        shown = cv2.imdecode(
            np.frombuffer(watched.between(begun, now())[-1].jpeg, np.uint8), cv2.IMREAD_COLOR
        )
        assert shown is not None
        assert shown.shape == (240, 320, 3)
        os.kill(camera.pid, signal.SIGSTOP)
        servers.eventually(lambda: watched.trouble, "the silence is noticed")
        os.kill(camera.pid, signal.SIGCONT)
        servers.eventually(lambda: watched.trouble is None, "frames after the silence")
        camera.kill()
        servers.eventually(lambda: watched.trouble, "the death is noticed")
        assert watched.trouble is not None
        assert camera.address in watched.trouble
        camera.start()
        servers.eventually(lambda: watched.trouble is None, "frames after the restart")
    finally:
        watched.stop()
        camera.kill()


def test_a_video_file_stands_in_for_a_camera(tmp_path: Path) -> None:
    path = str(tmp_path / "street.avi")
    writer = cv2.VideoWriter(path, cv2.VideoWriter.fourcc(*"MJPG"), 25, (640, 360))
    for number in range(5):
        writer.write(picture(number))
    writer.release()
    set_by = [timedelta()]
    watched = Camera(
        CameraSettings(source="file", address=path, fps=25), 5.0, lambda: now() + set_by[0]
    )
    begun = now()
    watched.start()
    servers.eventually(lambda: watched.counters.frames >= 8, "frames of a file that begins anew")
    set_by[0] = -timedelta(hours=1)
    seen = watched.counters.frames
    servers.eventually(lambda: watched.counters.frames > seen + 2, "frames by a clock set back")
    watched.stop()
    shown = cv2.imdecode(
        np.frombuffer(watched.between(begun, now())[0].jpeg, np.uint8), cv2.IMREAD_COLOR
    )
    assert shown is not None
    assert shown.shape == (360, 640, 3)


async def eventually(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(servers.DEADLINE_S):
        while not condition():  # noqa: ASYNC110 - set by the camera's thread
            await asyncio.sleep(0.02)


_MULTIPART = b"Content-Type: multipart/x-mixed-replace; boundary=b\r\n"


@pytest.mark.parametrize(
    ("begin", "drip"),
    [
        (b"HTTP/1.1 200 OK\r\n" + _MULTIPART, b"X-More: 1\r\n"),
        (b"HTTP/1.1 200 OK\r\nX-Long: ", b"."),
        (b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n" + _MULTIPART + b"\r\n1;",
            b"x",
        ),
        (b"HTTP/1.1 200 OK\r\n" + _MULTIPART + b"\r\n--b\r\n\r\n\xff\xd8", b"."),
    ],
    ids=["headers", "a-header", "early-hints", "a-chunk's-length", "a-frame"],
)
def test_a_camera_that_never_ends_what_it_says_is_left(
    begin: bytes, drip: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("vigil_edge.noise.pictures.mjpeg.FRAME_S", 0.2)
    left = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with suppress(OSError):
                self.wfile.write(begin)
                # Many bytes for its whole patience, far fewer than end the reading by their number.
                for _ in range(1000):
                    if left.wait(0.02):
                        return
                    self.wfile.write(drip)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        stream = MjpegStream(f"http://127.0.0.1:{server.server_address[1]}/")
        with pytest.raises(ValueError, match="no whole frame"):
            list(stream.frames(lambda: True))
    finally:
        left.set()
        server.shutdown()
        thread.join()
        server.server_close()
