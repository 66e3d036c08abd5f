"""What tests of a live noise camera share: its section, and waiting for what it does."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import numpy as np
import pytest
from scipy.signal import resample_poly

import servers
from edge.noise.conftest import NotebookContext
from edge.noise.street import RATE
from edge.noise.tones import Signal, tone
from vigil_edge.noise.settings import NoiseSettings
from vigil_schemas.errors import VigilError
from vigil_sim.noise.clips.scene import clip

FULL_SCALE_DB = 120.0


def noise_camera(
    audio: dict[str, object], camera_port: int | None = None, after_s: float = 1.0
) -> NoiseSettings:
    section: dict[str, object] = {
        "device": "noise-1",
        "before_s": 1.0,
        "after_s": after_s,
        # Of tones and single claps a case is made, too.
        "veto": False,
        "evidence_of": "all",
        "audio": {"full_scale_peak_db": FULL_SCALE_DB} | audio,
    }
    if camera_port is not None:
        address = f"http://127.0.0.1:{camera_port}/stream"
        section["camera"] = {"source": "mjpeg", "address": address, "fps": 10}
    return NoiseSettings.model_validate(section)


def pcm(port: int, **more: object) -> dict[str, object]:
    address = f"tcp://127.0.0.1:{port}"
    return {"source": "pcm", "address": address, "format": f"s16le:{RATE}:2"} | more


async def until(condition: Callable[[], object], context: NotebookContext | None = None) -> None:
    """Fails where nothing comes of it for a minute. What a process of the ``context`` takes to make
    its pictures does not count: on a busy machine that alone may be a minute, and it is ended by
    its own limit."""
    deadline = asyncio.timeout(servers.DEADLINE_S)
    async with deadline:
        while not condition():
            if context is not None and context.at_work:
                deadline.reschedule(asyncio.get_running_loop().time() + servers.DEADLINE_S)
            await asyncio.sleep(0.02)


async def cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


class Away(VigilError):
    """What a context raises while something of theirs is full or failing."""

    code = "away"


def loud_once(seconds_after: float = 60) -> Signal:
    return np.concatenate([tone(60, 3), tone(97, 0.5), tone(60, seconds_after)])


def siren_passes() -> Signal:
    """A street of 60 dB, and a made siren in it."""
    made = resample_poly(clip("siren", 7, seconds=4.0), 320, 147)
    loud = 20e-6 * 10 ** (95 / 20) * made / np.sqrt(np.mean(made**2))
    return np.concatenate([tone(60, 6), loud + tone(60, len(loud) / RATE), tone(60, 60)])
