"""``vigil-edge noise bearing``: the bearings of a recording."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from vigil_edge.noise.bearing.array import ArrayDescription, MicrophoneArray, load_description
from vigil_edge.noise.bearing.estimate import Bearing, bearings
from vigil_edge.noise.errors import ArrayUnusable, AudioNotFinite
from vigil_edge.noise.sound.pcm import channel_units
from vigil_edge.noise.sound.wav import WavFile, open_wav

_BLOCK: Final = 1 << 15
_DEAD: Final = 1e-4
"""Of the median channel's root mean square."""
_WORDS: Final = {
    "line": "the microphones stand in a line: each azimuth has a mirror image about the line that "
    "sounds alike, told as `mirror`; sources are taken to be as high as the array",
    "wall": "the microphones stand in an upright plane: each azimuth has a mirror image behind "
    "it that sounds alike, told as `mirror`",
}


@dataclass(frozen=True, slots=True)
class Listened:
    """What is said of the recording beforehand, and its bearings."""

    notices: list[str]
    bearings: Iterator[Bearing]


def listen(recording: Path, description: Path) -> Listened:
    """Raises ``ArrayUnusable`` and the errors of reading sound."""
    described = load_description(description)
    MicrophoneArray.of(described)
    file = open_wav(recording)
    microphones = len(described.positions)
    if file.format.channels != microphones:
        raise ArrayUnusable(
            f"{recording.name} has {file.format.channels} channels and {description.name} gives "
            f"{microphones} positions"
        )
    return listen_to(file, described, range(microphones))


def listen_to(file: WavFile, described: ArrayDescription, channels: Sequence[int]) -> Listened:
    """``channels``: of each microphone. Raises as ``listen``."""
    array = MicrophoneArray.of(described)
    notices = list(file.notices)
    if max(channels) >= file.format.channels:
        raise ArrayUnusable(f"{file.path.name} has no channel {max(channels)}")
    heard = _heard(file, channels)
    if not heard.all():
        dead = [channel for channel, alive in zip(channels, heard, strict=True) if not alive]
        silent = ", ".join(map(str, dead))
        notices.append(f"no sound on channel {silent}: left out")
        if heard.sum() < 2:
            raise ArrayUnusable(f"{file.path.name}: fewer than two channels have sound")
        array = MicrophoneArray.of(described, heard)
    if array.ambiguous is not None:
        notices.append(_WORDS[array.ambiguous])
    blocks = (block[:, heard] for block in _blocks(file, channels))
    return Listened(notices, bearings(array, file.format.rate_hz, blocks))


def _blocks(file: WavFile, channels: Sequence[int]) -> Iterator[npt.NDArray[np.float32]]:
    for frames in file.blocks(_BLOCK):
        units = [channel_units(frames, channel) for channel in channels]
        block = np.stack(units, axis=1)
        if not np.isfinite(block).all():
            raise AudioNotFinite(file.path, "a sample is NaN or infinite")
        yield block.astype(np.float32)


def _heard(file: WavFile, channels: Sequence[int]) -> npt.NDArray[np.bool_]:
    """Which channels have sound, beside a constant."""
    energy = np.zeros(len(channels))
    for block in _blocks(file, channels):
        energy += np.var(block, axis=0, dtype=np.float64) * len(block)
    size = np.sqrt(energy)
    alive = size > _DEAD * np.median(size[size > 0]) if size.any() else size > 0
    # In a recording of nothing all are alike: each frame then abstains.
    return np.asarray(alive if alive.any() else np.ones_like(alive))
