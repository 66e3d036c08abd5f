"""The microphone's and the camera's streams over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import pairwise

import cv2
import numpy as np
import pytest

from sim.waiting import until
from vigil_sim.faults import Fault, FaultKind, Faults
from vigil_sim.noise.clock import StreetClock
from vigil_sim.noise.film import Film, Shot
from vigil_sim.noise.microphone import BEHIND_BYTES, BLOCK, Microphone
from vigil_sim.noise.mjpeg import Camera
from vigil_sim.noise.sound import LOOP_S, StreetSound
from vigil_sim.noise.vehicle import SAMPLE_RATE, Motion
from vigil_sim.noise.view import View


class Hand(StreetClock):
    """A clock that a test moves."""

    def __init__(self) -> None:
        super().__init__()
        self.t = 0.0

    def now(self) -> float:
        return self.t


@pytest.fixture(scope="module")
def sound() -> StreetSound:
    return StreetSound(channels=4, full_scale_peak_db=130.0, background_db=54.0, seed=1)


@pytest.fixture(scope="module")
def film() -> Film:
    return Film(View(320, 180), 1, "CAMERA")


@asynccontextmanager
async def running(device: Microphone | Camera) -> AsyncIterator[None]:
    await device.start()
    try:
        yield
    finally:
        await device.stop()


Dial = Callable[..., Awaitable[tuple[asyncio.StreamReader, asyncio.StreamWriter]]]


@pytest.fixture
async def dial() -> AsyncIterator[Dial]:
    """Connects to a device's address, asking for a path if one is given; hangs up at the end."""
    opened: list[asyncio.StreamWriter] = []

    async def connect(
        address: str, path: str | None = None
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host, port = address.split("//")[1].split("/")[0].split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        opened.append(writer)
        if path is not None:
            writer.write(f"GET {path} HTTP/1.1\r\nHost: camera\r\n\r\n".encode())
        return reader, writer

    yield connect
    for writer in opened:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def part(reader: asyncio.StreamReader) -> tuple[float, bytes]:
    """The next part of the stream: its time stamp and its picture."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    fields = dict(line.split(": ") for line in head.strip().split("\r\n")[1:])
    picture = await reader.readexactly(int(fields["Content-Length"]))
    assert await reader.readexactly(2) == b"\r\n"
    return float(fields["X-Timestamp"]), picture


def decoded(picture: bytes) -> np.ndarray | None:
    return cv2.imdecode(np.frombuffer(picture, np.uint8), cv2.IMREAD_COLOR)


async def test_every_listener_gets_the_same_live_samples(dial: Dial, sound: StreetSound) -> None:
    clock = StreetClock()
    microphone = Microphone(sound, clock)
    async with running(microphone), asyncio.timeout(60):
        one, first_writer = await dial(microphone.address)
        two, second_writer = await dial(microphone.address)
        await until(lambda: microphone.clients == 2, "both are listening")
        size = BLOCK * 8
        a = await one.readexactly(4 * size)
        b = await two.readexactly(3 * size)
        # One may have connected a block or two earlier.
        assert b[: 2 * size] in a + await one.readexactly(4 * size)
        first_writer.close()
        second_writer.close()
        await until(lambda: microphone.clients == 0, "both have gone")


async def test_samples_come_no_faster_than_they_happen(dial: Dial, sound: StreetSound) -> None:
    clock = Hand()
    microphone = Microphone(sound, clock)
    async with running(microphone), asyncio.timeout(60):
        reader, _writer = await dial(microphone.address)
        await until(lambda: microphone.clients == 1, "the listener")
        clock.t = 0.5
        data = await reader.readexactly(8 * SAMPLE_RATE // 2)
        assert data == sound.block(0, SAMPLE_RATE // 2)
        assert not reader._buffer  # type: ignore[attr-defined]  # nothing beyond the clock has been sent


async def test_a_listener_that_sleeps_loses_whole_blocks_and_they_are_counted(
    dial: Dial,
    sound: StreetSound,
) -> None:
    clock = Hand()
    microphone = Microphone(sound, clock)
    async with running(microphone), asyncio.timeout(60):
        reader, writer = await dial(microphone.address)
        await until(lambda: microphone.clients == 1, "the listener")
        writer.transport.pause_reading()  # type: ignore[attr-defined]  # a read transport
        while microphone.dropped_blocks < 20:
            clock.t += 1.0
            await asyncio.sleep(0)
        writer.transport.resume_reading()  # type: ignore[attr-defined]
        kept = await reader.readexactly(BEHIND_BYTES // (BLOCK * 8) * BLOCK * 8)
    known = {sound.block(k * BLOCK, BLOCK) for k in range(round(LOOP_S * SAMPLE_RATE / BLOCK))}
    for start in range(0, len(kept), BLOCK * 8):
        assert kept[start : start + BLOCK * 8] in known


@pytest.mark.parametrize("device", ["microphone", "camera"])
async def test_a_reboot_hangs_up_and_refuses_until_it_is_over(
    dial: Dial, device: str, sound: StreetSound, film: Film
) -> None:
    world = Hand()
    faults = Faults([Fault(FaultKind.REBOOT, 10.0, 20.0)])
    clock = StreetClock()
    running_device: Microphone | Camera = (
        Microphone(sound, clock, world_time=world.now, faults=faults)
        if device == "microphone"
        else Camera(film, clock, world_time=world.now, faults=faults)
    )
    async with running(running_device), asyncio.timeout(60):
        reader, _ = await dial(running_device.address, "/stream.mjpeg")
        await reader.readexactly(100)
        world.t = 15.0
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(1 << 30)
        reader, _ = await dial(running_device.address, "/stream.mjpeg")
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
        world.t = 25.0
        reader, _writer = await dial(running_device.address, "/stream.mjpeg")
        await reader.readexactly(100)


async def test_a_corrupted_block_differs_and_drift_is_heard(dial: Dial, sound: StreetSound) -> None:
    world = Hand()
    faults = Faults(
        [
            Fault(FaultKind.CORRUPT_FRAME, 0.0, 1.0),
            Fault(FaultKind.DRIFT, 2.0, magnitude=1.0, parameter="gain"),
        ]
    )
    clock = Hand()
    microphone = Microphone(sound, clock, world_time=world.now, faults=faults)
    async with running(microphone), asyncio.timeout(60):
        reader, _writer = await dial(microphone.address)
        await until(lambda: microphone.clients == 1, "the listener")
        clock.t = BLOCK / SAMPLE_RATE
        broken = await reader.readexactly(BLOCK * 8)
        right = sound.block(0, BLOCK)
        assert 0 < sum(a != b for a, b in zip(broken, right, strict=True)) <= 64
        world.t = 8.0
        clock.t = 2 * BLOCK / SAMPLE_RATE
        louder = np.frombuffer(await reader.readexactly(BLOCK * 8), "<i2").astype(float)
        plain = np.frombuffer(sound.block(BLOCK, BLOCK), "<i2").astype(float)
        assert 20 * np.log10(louder.std() / plain.std()) == pytest.approx(6.0, abs=0.05)


async def test_dropped_blocks_and_pictures_are_missing(
    dial: Dial, sound: StreetSound, film: Film
) -> None:
    world, clock = Hand(), StreetClock()
    lost = Faults([Fault(FaultKind.DROP, 10.0, 20.0)])
    microphone = Microphone(sound, clock, world_time=world.now, faults=lost)
    camera = Camera(film, clock, fps=20, world_time=world.now, faults=lost)
    async with running(microphone), running(camera), asyncio.timeout(60):
        heard, _listening = await dial(microphone.address)
        seen, _watching = await dial(camera.address, "/")
        await seen.readuntil(b"\r\n\r\n")
        blocks = [await heard.readexactly(BLOCK * 8)]
        stamps = [(await part(seen))[0]]
        world.t, since = 15.0, clock.now()
        await until(lambda: clock.now() > since + 1.0, "a second without samples and pictures")
        world.t = 25.0
        # What was sent before may still lie in the sockets.
        blocks += [await heard.readexactly(BLOCK * 8) for _ in range(30)]
        stamps += [(await part(seen))[0] for _ in range(30)]
    everything = sound.block(0, round(LOOP_S * SAMPLE_RATE)) * 2
    samples = [everything.find(block) // 8 for block in blocks]
    assert min(samples) >= 0
    steps = [(b - a) % round(LOOP_S * SAMPLE_RATE) for a, b in pairwise(samples)]
    assert max(steps) > 0.9 * SAMPLE_RATE
    assert sorted(steps)[-2] < 0.9 * SAMPLE_RATE
    assert max(b - a for a, b in pairwise(stamps)) > 0.9


async def test_the_camera_streams_stamped_pictures(dial: Dial, film: Film) -> None:
    clock = StreetClock()
    camera = Camera(film, clock, fps=20)
    async with running(camera), asyncio.timeout(60):
        reader, _writer = await dial(camera.address, "/stream.mjpeg")
        head = await reader.readuntil(b"\r\n\r\n")
        assert b"200 OK" in head
        assert b"multipart/x-mixed-replace; boundary=" in head
        parts = [await part(reader) for _ in range(3)]
        stamps = [stamp for stamp, _ in parts]
        assert stamps == sorted(set(stamps))
        for stamp in stamps:  # exposed at whole frame times of the street's clock
            frame = (stamp - clock.unix(0.0)) * 20
            assert frame == pytest.approx(round(frame), abs=1e-3)
        image = decoded(parts[0][1])
        assert image is not None
        assert image.shape == (180, 320, 3)


async def test_a_skewed_clock_and_a_cut_picture_reach_the_gateway(dial: Dial, film: Film) -> None:
    world = Hand()
    world.t = 1.0
    faults = Faults(
        [
            Fault(FaultKind.CLOCK_SKEW, 0.0, magnitude=90.0),
            Fault(FaultKind.CORRUPT_FRAME, 5.0),
        ]
    )
    clock = StreetClock()
    camera = Camera(film, clock, fps=20, world_time=world.now, faults=faults)
    whole = film.jpeg(0.0, clock.unix(0.0))
    async with running(camera), asyncio.timeout(60):
        reader, _writer = await dial(camera.address, "/")
        await reader.readuntil(b"\r\n\r\n")
        stamp, picture = await part(reader)
        assert stamp - clock.unix(clock.now()) == pytest.approx(90.0, abs=10)
        assert picture.endswith(b"\xff\xd9")
        world.t = 6.0
        shorter = [await part(reader) for _ in range(4)][-1][1]
        assert len(shorter) < len(whole) + 2000
        assert not shorter.endswith(b"\xff\xd9")


async def test_a_snapshot_and_what_is_not_there(dial: Dial, film: Film) -> None:
    camera = Camera(film, StreetClock())
    async with running(camera), asyncio.timeout(60):
        reader, _ = await dial(camera.address, "/snapshot.jpg")
        answer = await reader.read(-1)
        assert answer.startswith(b"HTTP/1.1 200 OK")
        assert decoded(answer.split(b"\r\n\r\n", 1)[1]) is not None
        reader, _ = await dial(camera.address, "/admin")
        assert (await reader.read(-1)).startswith(b"HTTP/1.1 404")
        reader, writer = await dial(camera.address)
        writer.write(b"\x16\x03\x01 not http\r\n\r\n")
        assert (await reader.read(-1)).startswith(b"HTTP/1.1 404")


async def test_a_second_camera_on_the_same_port_says_so(dial: Dial, film: Film) -> None:
    camera = Camera(film, StreetClock())
    async with running(camera):
        port = int(camera.address.split(":")[2].split("/")[0])
        with pytest.raises(OSError, match="in use"):
            await Camera(film, StreetClock(), port=port).start()


def test_sound_and_pictures_agree_on_where_a_vehicle_is(film: Film) -> None:
    motion = Motion.along_road("scooter", 10.0, away=True)
    shot = Shot("scooter", motion, "ABC-123", nearest_at=20.0)
    assert shot.x(20.0) == motion.nearest[0]
    assert shot.x(21.0) - shot.x(20.0) == pytest.approx(10.0)
    assert not film.moving(20.0)
