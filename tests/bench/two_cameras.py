"""What a second camera costs a gateway: a case's pictures made, and both cameras read all the time;
and in how many pass-bys the plate is read in whose pictures."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge.noise.conftest import NotebookContext
from edge.noise.pass_by import CAR, SCOOTER, Kept, Passing, case_folder, looked_at, passed
from edge.noise.seen import followed, track, view_of
from edge.noise.street import encoded, mjpeg_camera
from vigil_cloud.evidence.verification import examine
from vigil_edge.evidence.queue import EvidenceQueue
from vigil_edge.noise import case_process
from vigil_edge.noise.evidence import Spool, send
from vigil_edge.noise.pairing import paired
from vigil_edge.noise.pictures.camera import RING_BYTES, Camera
from vigil_edge.noise.pictures.moments import Known, by_arrival, by_own_clock
from vigil_edge.noise.pictures.settings import CameraSettings
from vigil_schemas.evidence import EvidenceManifest, EvidenceReference
from vigil_sim.noise.film import Film
from vigil_sim.noise.sound import Vehicle
from vigil_sim.noise.view import View

PLATE_VIEW: Final = View.on_plates(960, 540, 20.0, 4.5)
READ_S: Final = 15.0
SCENES: Final = 200
PASSES: Final = (
    (Vehicle("scooter", 11.4, (5400.0, 8400.0), 97.0, away=True, seed=5), "MKJ-8527"),
    (Vehicle("scooter", 14.0, (5400.0, 8400.0), 96.0, away=True, seed=8), "NPR-6183"),
    (Vehicle("car", 12.0, (2800.0, 4200.0), 95.0, away=True, seed=9), "BHX-3165"),
    (Vehicle("van", 9.0, (2200.0, 3100.0), 95.0, away=True, seed=10), "ABC-1234"),
)


_MEASURED: Final = """
import json, resource, subprocess, sys, time
began = time.monotonic()
status = subprocess.run(sys.argv[1:]).returncode
used = resource.getrusage(resource.RUSAGE_CHILDREN)
took = time.monotonic() - began
print(json.dumps([status, took, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024]))
"""
"""Started by a small process: the most memory of one begins with what whoever starts it has."""


def _worked(folder: Path, *, one_by_one: bool = False) -> tuple[float, float, float]:
    """Seconds, seconds of a processor and most megabytes of the process that looks at a case."""
    words = case_process.words(folder, one_by_one=one_by_one)
    environment = {**os.environ, **case_process.ENVIRONMENT}
    said = subprocess.run(
        [sys.executable, "-S", "-c", _MEASURED, *words],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=True,
    ).stdout
    status, took, used, megabytes = json.loads(said.splitlines()[-1])
    if status:
        raise RuntimeError(f"the case could not be looked at: {status}")
    return took, used, megabytes


@dataclass
class _Sealing(NotebookContext):
    """Its packages are sealed and queued as an agent's are."""

    queue: EvidenceQueue = field(kw_only=True)

    async def deposit(
        self, manifest: EvidenceManifest, files: Mapping[str, Path]
    ) -> EvidenceReference:
        return await self.queue.deposit(manifest, files)


async def _sealed(kept: Kept, scratch: Path) -> tuple[float, float]:
    """Seconds from a recording in memory until its case is on disk, and until its package is sealed
    and queued and the event says so."""
    key = Ed25519PrivateKey.generate()
    queue = EvidenceQueue(scratch / "evidence", key, 10**9, lambda _: None)
    context = _Sealing(scratch, queue=queue)
    began = time.monotonic()
    folder = Spool(scratch / "cases").write(kept.case, kept.sound, kept.shots)
    written = time.monotonic() - began
    await send(context, folder)
    took = time.monotonic() - began
    ((event,), (package,)) = context.exceedances, queue.waiting()
    if (
        event.evidence is None
        or examine(package, public_key=key.public_key().public_bytes_raw()).faults
    ):
        raise RuntimeError("the package does not verify")
    return written, took


def cases() -> None:
    """The same pass-by, of one camera and of two: on two processors, one by one (what is found
    first, then the films), and the whole way to a queued package that verifies."""
    vehicles = [Passing(SCOOTER, "MKJ-8527")]
    for name, view in (("one", None), ("two", PLATE_VIEW)):
        kept = passed(vehicles, plate_view=view)
        for how, one_by_one in (("", False), ("_one_by_one", True)):
            with tempfile.TemporaryDirectory() as scratch:
                folder = Spool(Path(scratch)).write(kept.case, kept.sound, kept.shots)
                took, used, megabytes = _worked(folder, one_by_one=one_by_one)
                films = sum(each.stat().st_size for each in folder.glob("*.webm"))
            print(f"two_cameras case_of_{name}{how}_s: {took:.1f}")
            print(f"two_cameras case_of_{name}{how}_processor_s: {used:.1f}")
            print(f"two_cameras case_of_{name}{how}_peak_mb: {megabytes:.0f}")
        print(f"two_cameras case_of_{name}_films_mb: {films / 1e6:.2f}", flush=True)
        with tempfile.TemporaryDirectory() as scratch:
            written, took = asyncio.run(_sealed(kept, Path(scratch)))
        print(f"two_cameras case_of_{name}_on_disk_s: {written:.2f}")
        print(f"two_cameras case_of_{name}_sealed_and_queued_s: {took:.1f}", flush=True)


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


KINDS: Final = ("own_clock", "aligned", "arrival")


def _dated(kind: str, rng: np.random.Generator) -> tuple[float, Known]:
    """By how much later than they were taken a camera's pictures are dated, and what is known of
    it. Delays are those of network cameras; clocks are up to half a second off."""
    delay_s = float(rng.uniform(0.05, 0.6))
    if kind == "own_clock":
        off_s = float(rng.uniform(-0.5, min(0.5, delay_s)))
        return off_s, by_own_clock(delay_s - off_s, None, 0.1)
    if kind == "aligned":
        return float(rng.uniform(-0.04, 0.04)), Known(0.05, 0.05)
    return delay_s, by_arrival(None, 0.1, 0.0, None)


def dense() -> None:
    """Two cameras in dense traffic (a vehicle each 1.2 to 3 s on each lane, by their tracks alone):
    whose plate would be read, by how the moments are known, and were they believed as they are
    said."""
    wide, near = view_of(View(960, 540)), view_of(PLATE_VIEW)
    times = np.arange(-2.0, 5.0, 0.1)
    for kind in KINDS:
        rng = np.random.default_rng(5)
        counts: Counter[str] = Counter()
        for _ in range(SCENES):
            vehicles = [(10.0, 11.0, 2.3)]
            for lane_m in (2.3, 5.6):
                for way in (-1.0, 1.0):
                    start_m = 10.0 + way * 11.0 * float(rng.uniform(1.2, 3.0))
                    vehicles.append((start_m, float(rng.uniform(10.0, 12.0)), lane_m))
            seen = []
            dates = _dated(kind, rng), _dated(kind, rng)
            for view, (late_s, _) in zip((wide, near), dates, strict=True):
                moments = (times + late_s).tolist()
                seen.append(
                    [
                        track(view, [start + speed * float(t) for t in times], lane, moments)
                        for start, speed, lane in vehicles
                    ]
                )
            loud, same = seen[0][0], seen[1][0]
            there = [
                followed(view, *(one for one in tracks if len(one) >= 4))
                for view, tracks in zip((wide, near), seen, strict=True)
            ]
            for how, late in (
                ("known", dates[1][1].beside(dates[0][1])),
                ("believed", [0.0]),
            ):
                found = paired(there[0], loud, wide, there[1], near, late)
                answer = "none" if isinstance(found, str) else "right" if found is same else "wrong"
                counts[f"{how}_{answer}"] += 1
        for how in ("believed", "known"):
            said = ", ".join(
                f"{counts[f'{how}_{answer}']} {answer}" for answer in ("right", "wrong", "none")
            )
            print(f"two_cameras dense_{kind}_{how}: {said} of {SCENES}", flush=True)


def main() -> int:
    dense()
    cases()
    reading()
    plates()
    return 0
