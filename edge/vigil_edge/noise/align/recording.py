"""A recording of claps or flashes: sound and pictures with the moments that the live pipeline gives
them. Kept in a folder, so that it can be looked at again.

``audio.wav``, ``frames/*.jpg``, ``frames.json`` (as in a case's folder) and ``align.json``:
``{"sound_started_s": …, "dated": "arrival", "offset_s": null}``, seconds since 1970; a delay that
the settings give is not taken off. ``offset_s``: from when a camera that dates its pictures says
that they were taken until the least delayed arrived.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any, ClassVar, Final, cast

import cv2
import numpy as np

from vigil_edge.noise.align.sight import Grey
from vigil_edge.noise.errors import AudioUnreadable
from vigil_edge.noise.pictures.camera import Camera
from vigil_edge.noise.pictures.frame import Dated, Frame
from vigil_edge.noise.pictures.reading import read_grey
from vigil_edge.noise.settings import NoiseSettings
from vigil_edge.noise.sound.audio import open_source
from vigil_edge.noise.sound.clock import SampleClock
from vigil_edge.noise.sound.pcm import Frames
from vigil_edge.noise.sound.wav import WavFile, open_wav, write_wav
from vigil_schemas.errors import VigilError
from vigil_schemas.evidence import CameraRole

WIDTH: Final = 480
"""Pixels across that are looked at: a flash or two hands are larger than one of these."""
MOST_PICTURES: Final = 4000
SPARE_S: Final = 3.0
"""Pictures that come later than their sound are waited for."""


class NotAligned(VigilError):
    """Camera and microphone could not be brought together by this recording."""

    code: ClassVar[str] = "noise-not-aligned"
    remedy: ClassVar[str] = (
        "Clap or flash again, at least a dozen times at uneven intervals, in full sight of the"
        " camera, and hold your hands still for a second after each clap."
    )


@dataclass(frozen=True, slots=True)
class Recording:
    """Sound and pictures of the same time."""

    sound: WavFile
    sound_started_s: float
    pictures: list[Grey]
    """``WIDTH`` across at most, in the order of their moments."""
    pictures_s: list[float]
    dated: Dated
    size: tuple[int, int]
    """Width and height of the pictures as they came."""
    offset_s: float | None = None
    """Of a camera that dates its pictures, until the least delayed of them arrived."""


def read(folder: Path) -> Recording:
    """Raises ``AudioUnreadable`` and what the sound raises, and ``NotAligned``."""
    try:
        told: dict[str, Any] = json.loads((folder / "align.json").read_text("utf-8"))
        listed = json.loads((folder / "frames.json").read_text("utf-8"))["frames"]
        started, dated = float(told["sound_started_s"]), cast("Dated", str(told["dated"]))
        offset_s = None if told.get("offset_s") is None else float(told["offset_s"])
        named = sorted(((str(name), float(at)) for name, at in listed), key=lambda one: one[1])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise AudioUnreadable(folder, f"is no recording of `noise align`: {error}") from error
    pictures: list[Grey] = []
    moments: list[float] = []
    size = (0, 0)
    for name, at in named[:MOST_PICTURES]:
        file = folder / "frames" / Path(name).name
        grey = read_grey(file) if file.is_file() else None
        if grey is None:
            continue
        size = (grey.shape[1], grey.shape[0])
        small = _small(grey)
        if pictures and small.shape != pictures[0].shape:
            continue  # of another stream of the camera
        pictures.append(small)
        moments.append(at)
    if len(pictures) < 3:
        raise NotAligned(f"{folder.name}: fewer than three pictures can be read")
    sound = open_wav(folder / "audio.wav")
    return Recording(sound, started, pictures, moments, dated, size, offset_s)


def _small(grey: Grey) -> Grey:
    if grey.shape[1] <= WIDTH:
        return grey
    height = max(1, round(grey.shape[0] * WIDTH / grey.shape[1]))
    return cast("Grey", cv2.resize(grey, (WIDTH, height), interpolation=cv2.INTER_AREA))


def write(
    folder: Path,
    sound: Frames,
    rate_hz: int,
    started_s: float,
    pictures: list[Frame],
    dated: Dated,
) -> None:
    """Raises ``OSError``."""
    (folder / "frames").mkdir(parents=True, exist_ok=True)
    write_wav(folder / "audio.wav", sound, rate_hz)
    index = []
    for number, picture in enumerate(pictures):
        name = f"{number:05d}.jpg"
        (folder / "frames" / name).write_bytes(picture.jpeg)
        index.append([name, picture.time_s])
    (folder / "frames.json").write_text(json.dumps({"frames": index}))
    offsets = [picture.offset_s for picture in pictures if picture.offset_s is not None]
    offset_s = median(offsets) if offsets else None
    told = {"sound_started_s": started_s, "dated": dated, "offset_s": offset_s}
    (folder / "align.json").write_text(json.dumps(told))


async def record(
    settings: NoiseSettings, seconds: float, folder: Path, role: CameraRole = "overview"
) -> None:
    """From the microphone and one camera of the settings, as the live pipeline dates both. Raises
    ``SourceError``, ``NotAligned``, ``OSError``."""
    own = settings.cameras.get(role)
    if own is None:
        raise NotAligned(f"{settings.device} has no {'' if role == 'overview' else 'plate '}camera")
    plain = own.model_copy(update={"delay_s": None})
    camera = Camera(plain, seconds + 2 * SPARE_S, _now)
    camera.start()
    try:
        sound, clock, rate_hz = await _sound(settings, seconds)
        await asyncio.sleep(SPARE_S)
        begin = clock.snapshot().at(0)
        frames = camera.between(begin, begin + timedelta(seconds=seconds + SPARE_S))
        trouble = camera.trouble
    finally:
        await asyncio.to_thread(camera.stop)
    if not frames:
        raise NotAligned(f"no picture came: {trouble or 'the camera sent none'}")
    # A camera's reports come only after a while: its first pictures are dated otherwise.
    dated = Counter(frame.dated for frame in frames).most_common(1)[0][0]
    kept = [frame for frame in frames if frame.dated == dated]
    await asyncio.to_thread(write, folder, sound, rate_hz, begin.timestamp(), kept, dated)


async def _sound(settings: NoiseSettings, seconds: float) -> tuple[Frames, SampleClock, int]:
    source = open_source(settings.device, settings.audio, lambda _name: None, time.monotonic, _now)
    rate_hz = source.format.rate_hz
    clock, heard = SampleClock(rate_hz), 0
    parts: list[Frames] = []
    async with aclosing(source.blocks()) as blocks:
        async for block in blocks:
            if block.lost or block.overflow:
                raise NotAligned("sound was lost meanwhile: record again")
            heard += len(block.frames)
            parts.append(block.frames)
            clock.arrived(heard, block.captured or _now(), may_step=False)
            if heard >= seconds * rate_hz:
                break
    return np.concatenate(parts), clock, rate_hz


def _now() -> datetime:
    return datetime.now(UTC)
