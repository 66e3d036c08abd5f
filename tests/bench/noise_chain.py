"""The whole chain of four channels at 48 kHz: measured, judged, classified, bearings told; and how
long a case takes from the end of its event until it is sealed and queued."""

from __future__ import annotations

import asyncio
import multiprocessing
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from edge.noise.conftest import NotebookContext
from edge.noise.pass_by import SCOOTER, Passing, case_folder, recorded
from vigil_edge.evidence.queue import EvidenceQueue
from vigil_edge.noise import case_process
from vigil_edge.noise.bearing.array import ArraySettings, MicrophoneArray
from vigil_edge.noise.bearing.estimate import bearings
from vigil_edge.noise.classify.live import classification
from vigil_edge.noise.event import Place, exceedance
from vigil_edge.noise.evidence import send
from vigil_edge.noise.instrument import Extent, Instrument
from vigil_edge.noise.listening import Recorded
from vigil_edge.noise.passage import HOLD_S, PassageDetector
from vigil_edge.noise.sound.pcm import Frames, PcmFormat, channel_units
from vigil_edge.worker import Worker
from vigil_sim.noise.street import array_section
from vigil_sim.noise.vehicle import SAMPLE_RATE

AFTER_S = 3.0
"""Of sound and picture behind a passage that are part of its case."""
REPEATED = 4
VEHICLES = [Passing(SCOOTER, "MKJ-8527")]


def _measured(frames: Frames) -> float:
    """What the gateway's own process does of each second; gives the processor time."""
    layout = PcmFormat("s16le", SAMPLE_RATE, 4)
    spent = time.process_time()
    for channel in range(4):
        detector = PassageDetector(SAMPLE_RATE, 86.0) if channel == 0 else None
        one = Instrument(
            layout, 1.0, True, "switched-on", detector, Extent(peaks=channel == 0), compiled=False
        )
        units = channel_units(frames, channel)
        for at in range(0, len(units), SAMPLE_RATE // 10):
            one.feed(units[at : at + SAMPLE_RATE // 10])
        one.flush()
    return time.process_time() - spent


def _judged(kept: Recorded, frames: Frames) -> tuple[int, float]:
    """What its worker does: how many bearings were answered, and the processor time."""
    array = MicrophoneArray.of(ArraySettings.model_validate(array_section()))
    spent = time.process_time()
    units = np.stack([channel_units(frames, each) for each in range(4)], axis=1)
    blocks = np.array_split(units.astype(np.float32), max(1, len(units) // SAMPLE_RATE))
    answered = sum(each.azimuth is not None for each in bearings(array, SAMPLE_RATE, blocks))
    for _ in range(REPEATED):
        exceedance(Place("gw-1", "mic-1", 86.0, calibrated=True), kept)
        classification(kept.frames, SAMPLE_RATE)
    return answered, time.process_time() - spent


def chain() -> None:
    """As fast as it goes, in two processes, as the live pipeline and its worker do it."""
    kept = recorded(VEHICLES)
    frames = np.tile(kept.frames, (REPEATED, 1))
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as worker:
        worker.submit(_judged, kept, kept.frames).result()  # it has begun, and knows its code
        began = time.monotonic()
        judged = worker.submit(_judged, kept, frames)
        own_s = _measured(frames)
        answered, worker_s = judged.result()
        took = time.monotonic() - began
    sound_s = len(frames) / SAMPLE_RATE
    print(f"noise_chain sound_s: {sound_s:.1f}")
    print(f"noise_chain bearings_answered: {answered}")
    print(f"noise_chain times_real_time: {sound_s / took:.1f}")
    print(f"noise_chain times_real_time_of_one_core: {sound_s / (own_s + worker_s):.1f}")


async def _sealed(folder: Path) -> tuple[float, int]:
    case = case_folder(folder / "cases", VEHICLES)
    context = NotebookContext(folder)
    key = Ed25519PrivateKey.generate()
    queue = EvidenceQueue(folder / "queue", key, 1 << 30, context.count)
    context.deposit = queue.deposit  # type: ignore[method-assign] # the real one
    worker = Worker(context.count)
    context.work = worker.run  # type: ignore[method-assign, assignment] # the real one
    # As the live pipeline does when the passage is over and what comes after it is still heard.
    await worker.prepare(case_process.PROGRAM, environment=case_process.ENVIRONMENT)
    await asyncio.sleep(AFTER_S - HOLD_S)
    began = time.monotonic()
    await send(context, case)
    return time.monotonic() - began, len(queue.waiting())


def main() -> int:
    chain()
    with tempfile.TemporaryDirectory() as folder:
        took, queued = asyncio.run(_sealed(Path(folder)))
    print(f"noise_chain packages_queued: {queued}")
    print(f"noise_chain recorded_to_sealed_s: {took:.1f}")
    print(f"noise_chain event_end_to_sealed_s: {AFTER_S + took:.1f}")
    return 0
