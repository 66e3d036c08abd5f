"""What a second camera costs a gateway: a case's pictures made, and both cameras read all the time;
and in how many pass-bys the plate is read in whose pictures."""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from edge.noise.pass_by import CAR, SCOOTER, Passing, case_folder, looked_at
from edge.noise.street import encoded, mjpeg_camera
from vigil_edge.noise.pictures.camera import RING_BYTES, Camera
from vigil_edge.noise.pictures.settings import CameraSettings
from vigil_sim.noise.film import Film
from vigil_sim.noise.sound import Vehicle
from vigil_sim.noise.view import View

PLATE_VIEW: Final = View.on_plates(960, 540, 20.0, 4.5)
READ_S: Final = 15.0
PASSES: Final = (
    (Vehicle("scooter", 11.4, (5400.0, 8400.0), 97.0, away=True, seed=5), "MKJ-8527"),
    (Vehicle("scooter", 14.0, (5400.0, 8400.0), 96.0, away=True, seed=8), "NPR-6183"),
    (Vehicle("car", 12.0, (2800.0, 4200.0), 95.0, away=True, seed=9), "BHX-3165"),
    (Vehicle("van", 9.0, (2200.0, 3100.0), 95.0, away=True, seed=10), "ABC-1234"),
)


def _worked(folder: Path) -> tuple[float, float, float]:
    """Seconds, seconds of a processor and most megabytes of the process that looks at a case."""
    began = time.monotonic()
    words = [sys.executable, "-m", "vigil_edge.noise.casework", str(folder)]
    _, status, used = os.wait4(os.posix_spawn(sys.executable, words, dict(os.environ)), 0)
    if status:
        raise RuntimeError(f"the case could not be looked at: {status}")
    return time.monotonic() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def cases() -> None:
    """The same pass-by, of one camera and of two."""
    vehicles = [Passing(SCOOTER, "MKJ-8527")]
    for name, view in (("one", None), ("two", PLATE_VIEW)):
        with tempfile.TemporaryDirectory() as scratch:
            folder = case_folder(Path(scratch), vehicles, plate_view=view)
            took, used, megabytes = _worked(folder)
            sealed = sum(each.stat().st_size for each in folder.glob("*.webm"))
        print(f"two_cameras case_of_{name}_s: {took:.1f}")
        print(f"two_cameras case_of_{name}_processor_s: {used:.1f}")
        print(f"two_cameras case_of_{name}_peak_mb: {megabytes:.0f}")
        print(f"two_cameras case_of_{name}_films_mb: {sealed / 1e6:.2f}", flush=True)


def _serve(told: Connection) -> None:
    """A camera in a process of its own: what serving costs is not the gateway's."""

    async def run() -> None:
        async with mjpeg_camera() as port:
            told.send(port)
            await asyncio.Event().wait()

    asyncio.run(run())


def reading() -> None:
    """MJPEG at 10 pictures a second, 640 × 360, as a thread of the gateway reads it."""
    for count in (1, 2):
        context = get_context("spawn")
        ends = [context.Pipe(duplex=False) for _ in range(count)]
        served = [context.Process(target=_serve, args=(end,), daemon=True) for _, end in ends]
        for process in served:
            process.start()
        read = [
            Camera(
                CameraSettings(source="mjpeg", address=f"http://127.0.0.1:{end.recv()}/stream"),
                60.0,
                lambda: datetime.now(UTC),
            )
            for end, _ in ends
        ]
        for each in read:
            each.start()
        spent = time.process_time()
        threading.Event().wait(READ_S)
        used = time.process_time() - spent
        for each in read:
            each.stop()
        frames = sum(each.counters.frames for each in read)
        for process in served:
            process.terminate()
            process.join()
        print(f"two_cameras reading_{count}_processor_percent: {100 * used / READ_S:.2f}")
        print(f"two_cameras reading_{count}_pictures_per_s: {frames / READ_S:.1f}", flush=True)
    picture = Film(View(1920, 1080), 7, "").picture(0.0)
    grain = np.random.default_rng(1).integers(0, 12, picture.shape, np.uint8)
    size = len(encoded(cv2.add(picture, grain).astype(np.uint8)))
    print(f"two_cameras picture_1080p_kb: {size / 1e3:.0f}")
    print(f"two_cameras ring_of_1080p_at_10_s: {RING_BYTES / size / 10:.0f}")
    print(f"two_cameras rings_most_mb: {2 * RING_BYTES / 1e6:.0f}")


def plates() -> None:
    """Each pass-by alone and with a quiet car behind it."""
    right: dict[str, int] = {}
    wrong = asked = 0
    for vehicle, plate in PASSES:
        for others in ((), (Passing(CAR, "KLM-9090", at_s=2.0),)):
            asked += 1
            with tempfile.TemporaryDirectory() as scratch:
                vehicles = [Passing(vehicle, plate), *others]
                found = looked_at(case_folder(Path(scratch), vehicles, plate_view=PLATE_VIEW))
            said = found.plate_reading
            camera = None if said is None else said.camera
            text = found.plates[0].text if found.plates else None
            wrong += text not in (None, plate.replace("-", ""))
            by: str = "none" if text is None or camera is None else camera
            right[by] = right.get(by, 0) + 1
    for name, count in sorted(right.items()):
        print(f"two_cameras plates_read_by_{name}: {count} of {asked}")
    print(f"two_cameras plates_wrong: {wrong} of {asked}")


def main() -> int:
    cases()
    reading()
    plates()
    return 0
