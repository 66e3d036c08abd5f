"""When a network camera's pictures were taken: by its sender's reports, from a real server."""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

import servers
from edge.noise.picture_times import errors_ms
from edge.noise.rtsp import clock_camera
from vigil_edge.noise.pictures.camera import Camera
from vigil_edge.noise.pictures.dating import LEAST_PICTURES, Dating
from vigil_edge.noise.pictures.frame import Frame
from vigil_edge.noise.pictures.relay import InterleavedReader, RtspRelay
from vigil_edge.noise.pictures.rtcp import (
    SenderClock,
    SenderReport,
    rtp_time,
    sender_reports,
)
from vigil_edge.noise.pictures.settings import CameraSettings

NTP_1970 = 2_208_988_800


def now() -> datetime:
    return datetime.now(UTC)


def seen(folder: Path, codec: str, late_s: float, dated: str, **more: object) -> list[Frame]:
    """Pictures of a camera until enough of them are dated so."""
    reports, least = ("capture", 30) if dated == "sender" else ("uptime", 150)
    served = clock_camera(folder, codec, late_s, reports)
    settings = CameraSettings.model_validate(
        {"source": "rtsp", "address": served.address, "fps": 25, **more}
    )
    watched = Camera(settings, 60.0, now)
    begun = now()
    watched.start()

    def enough() -> list[Frame]:
        found = watched.between(begun - timedelta(seconds=5), now())
        return found if sum(frame.dated == dated for frame in found) >= least else []

    try:
        found: list[Frame] = servers.eventually(enough, f"pictures dated by {dated}")
    finally:
        watched.stop()
        served.kill()
    assert (watched.counters.clock_off > 0) == (dated != "sender")
    return found


@pytest.mark.parametrize(
    ("codec", "late_s"),
    [("jpeg", 0.0), ("h264", 0.0), ("h264", 0.15), ("h265", 0.0)],
)
def test_reports_date_each_picture_as_it_was_taken(
    tmp_path: Path, codec: str, late_s: float
) -> None:
    """However late it comes, and in whatever order it was sent: half a picture is 20 ms."""
    errors = errors_ms(seen(tmp_path, codec, late_s, "sender"), "sender")
    assert len(errors) >= 30
    assert abs(median(errors)) < 10


def test_of_a_camera_with_sound_only_the_pictures_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With two streams FFmpeg dates both anew at the first report."""
    relays = list[RtspRelay]()

    def kept(address: str) -> RtspRelay:
        relays.append(RtspRelay(address))
        return relays[-1]

    monkeypatch.setattr("vigil_edge.noise.pictures.capture.RtspRelay", kept)
    served = clock_camera(tmp_path, "h264+sound", 0.0)
    settings = CameraSettings.model_validate({"source": "rtsp", "address": served.address})
    watched = Camera(settings, 60.0, now)
    watched.start()
    try:
        servers.eventually(lambda: watched.counters.frames >= 10, "pictures of a camera with sound")
    finally:
        watched.stop()
        served.kill()
    assert len(relays[-1]._reader.senders) == 1


def test_where_the_camera_knows_no_time_the_measured_delay_is_taken_off(tmp_path: Path) -> None:
    plain = errors_ms(seen(tmp_path, "h264", 0.15, "arrival"), "arrival")
    assert median(plain) > 100
    delay_s = median(plain) / 1000.0
    aligned = seen(tmp_path, "h264", 0.15, "aligned", delay_s=delay_s)
    assert abs(median(errors_ms(aligned, "aligned"))) < 20


def report(ssrc: int, wall_s: float, rtp: int, blocks: int = 0) -> bytes:
    seconds = int(wall_s)
    fraction = int((wall_s - seconds) * (1 << 32))
    body = struct.pack("!6I", ssrc, seconds + NTP_1970, fraction, rtp, 1, 1) + bytes(24 * blocks)
    return struct.pack("!BBH", 0x80 | blocks, 200, len(body) // 4) + body


def rtp(ssrc: int, timestamp: int, size: int = 100) -> bytes:
    return struct.pack("!BBHII", 0x80, 96, 1, timestamp & 0xFFFFFFFF, ssrc) + bytes(size)


def packed(channel: int, packet: bytes) -> bytes:
    return b"$" + bytes([channel]) + len(packet).to_bytes(2, "big") + packet


@given(
    st.integers(0, 2**32 - 1),
    st.floats(1.5e9, 2e9),
    st.integers(1, 400),
    st.integers(0, 399),
)
def test_a_report_ties_the_streams_clock_to_the_wall(
    first: int, wall_s: float, pictures: int, asked: int
) -> None:
    """Also where the 32-bit clock turns over in between."""
    clock = SenderClock()
    for number in range(pictures):
        clock.packet((first + number * 3600) % 2**32)
    assert clock.wall_s(0.0) is None
    clock.told(SenderReport(7, wall_s, (first + 18_000) % 2**32))
    number = min(asked, pictures - 1)
    # asked for to half a picture, told to the tick
    found = clock.wall_s(number * 0.04 + 0.015)
    assert found == pytest.approx(wall_s + number * 0.04 - 0.2, abs=1e-5)
    assert clock.wall_s(pictures * 0.04 + 60.0) is None


@given(st.lists(st.integers(1, 900), min_size=1, max_size=40), st.booleans())
def test_however_the_bytes_are_cut_the_same_is_read(cuts: list[int], sound: bool) -> None:
    stream = b"RTSP/1.0 200 OK\r\nCSeq: 2\r\nContent-Length: 30\r\n\r\n" + b"$" * 30
    for number in range(20):
        stream += packed(0, rtp(5, 1000 + 3600 * number, 500))
        if sound:
            stream += packed(2, rtp(9, 77 + 160 * number, 50))
    stream += packed(1, report(5, 1.6e9 + 0.5, 1000, blocks=1))
    stream += b"RTSP/1.0 200 OK\r\nCSeq: 3\r\n\r\n" + packed(0, rtp(5, 1000 + 3600 * 20, 500))
    reader, at = InterleavedReader(), 0
    for cut in [*cuts, len(stream)]:
        reader.feed(stream[at : at + cut])
        at += cut
    video = reader.video
    assert video is not None
    assert video.first == 1000
    assert video.wall_s(0.8) == pytest.approx(1.6e9 + 0.5 + 0.8, abs=1e-6)
    assert not reader.broken


@given(st.binary(max_size=3000))
def test_no_bytes_of_a_camera_break_the_reader(data: bytes) -> None:
    reader = InterleavedReader()
    reader.feed(data)
    assert sender_reports(data) is not None
    assert rtp_time(data) is None or len(data) >= 12


def test_a_camera_that_never_ends_its_answer_is_read_no_more() -> None:
    reader = InterleavedReader()
    for _ in range(400):
        reader.feed(b"x" * 1000)
    assert reader.broken


PERIOD_S = 0.0411
BEGIN_S = datetime(2026, 3, 1, tzinfo=UTC).timestamp()


class Told:
    """A sender whose first packet is of ``BEGIN_S``."""

    def wall_s(self, since_first_s: float) -> float | None:
        return BEGIN_S + round(since_first_s / PERIOD_S) * PERIOD_S


def test_the_beginning_that_the_player_leaves_out_is_found() -> None:
    """H.265 with B-frames: OpenCV counts from the fifth picture on."""
    dating, begin = Dating(Told()), datetime(2026, 3, 1, tzinfo=UTC)
    for number in range(100):
        true_s = number * PERIOD_S
        rough_s = round(true_s / 0.04) * 0.04
        dating.grabbed(max(0.0, true_s - 0.1644), rough_s, begin + timedelta(seconds=true_s))
        if number >= 3 * LEAST_PICTURES:
            at = dating.moment()
            assert at.dated == "sender"
            assert at.time_s == pytest.approx(BEGIN_S + true_s, abs=1e-6)


def test_a_stall_moves_no_picture() -> None:
    dating, begin = Dating(None), datetime(2026, 3, 1, tzinfo=UTC)
    for number in range(600):
        true_s = number * 0.04
        late_s = 0.1 + (1.5 if 300 <= number < 330 else 0.0)
        dating.grabbed(true_s, true_s, begin + timedelta(seconds=true_s + late_s))
        at = dating.moment()
        assert at.dated == "arrival"
        assert at.time_s - begin.timestamp() == pytest.approx(true_s + 0.1, abs=0.002)


@pytest.mark.parametrize(
    ("offset_s", "delay_s", "by"),
    [
        (0.3, None, "sender"),
        (-0.04, None, "sender"),
        (-0.06, None, "arrival"),
        (-1.9, None, "arrival"),
        (1.1, None, "arrival"),
        (0.3, 0.15, "sender"),
        (0.3, 0.05, "arrival"),
    ],
)
def test_a_camera_whose_clock_cannot_be_right_is_dated_by_arrival(
    offset_s: float, delay_s: float | None, by: str
) -> None:
    """``offset_s``: pictures come so long after it says that they were taken."""
    dating, begin = Dating(Told(), delay_s), datetime(2026, 3, 1, tzinfo=UTC)
    for number in range(2 * LEAST_PICTURES):
        true_s = number * PERIOD_S
        dating.grabbed(true_s, true_s, begin + timedelta(seconds=true_s + offset_s))
    at = dating.moment()
    assert (at.dated, at.clock_off) == (by, by == "arrival")
    assert at.offset_s == pytest.approx(offset_s, abs=1e-3)
    shift_s = offset_s if by == "arrival" else 0.0
    assert at.time_s == pytest.approx(BEGIN_S + true_s + shift_s, abs=1e-3)


@pytest.mark.parametrize("hours", [0.05, 13.2560])
def test_a_report_of_long_ago_tells_no_time(hours: float) -> None:
    """Also when the 32-bit clock shows again what it showed then (13.26 hours)."""
    clock = SenderClock()
    clock.packet(1000)
    clock.told(SenderReport(7, BEGIN_S, 1000))
    assert clock.wall_s(0.0) == BEGIN_S
    for second in range(10, round(hours * 3600), 10):
        clock.packet((1000 + second * 90_000) % 2**32)
    assert clock.wall_s(float(second)) is None
    clock.told(SenderReport(7, BEGIN_S + second, (1000 + second * 90_000) % 2**32))
    assert clock.wall_s(float(second)) == BEGIN_S + second


def test_an_answer_of_absurd_length_does_not_end_the_connection() -> None:
    reader = InterleavedReader()
    reader.feed(b"RTSP/1.0 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n")
    reader.feed(b"RTSP/1.0 200 OK\r\nContent-Length: " + b"0" * 5000 + b"\r\n\r\n")
    assert not reader.broken
