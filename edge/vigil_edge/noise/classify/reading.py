"""A recording's loudest five seconds, in bounded memory.

WAV goes through the reader of all noise commands; Ogg and FLAC through ``soundfile``, which
only they need.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from vigil_edge.noise.classify.features import RATE_HZ
from vigil_edge.noise.errors import (
    AudioDecoderMissing,
    AudioEmpty,
    AudioNotFinite,
    AudioTruncated,
    AudioUnreadable,
    AudioUnsupported,
)
from vigil_edge.noise.sound.pcm import PcmFormat, channel_units
from vigil_edge.noise.sound.wav import on_disk, open_wav

Array = NDArray[np.float64]

WINDOW_S: Final = 5.0
STEP_S: Final = 0.125
_OGG_PAGE_AT_MOST: Final = 65_307
_OGG_LAST: Final = 4
_PASS_HZ: Final = 300.0
"""Loudness is judged above this, as A-weighting would: wind and rumble do not choose."""


@dataclass(frozen=True, slots=True)
class Loudest:
    """Where a recording is loudest."""

    sample: int
    channel: int


def loudest_stretch(path: Path) -> Array:
    """The five seconds about the loudest eighth of a second, (n,) at 22,050 Hz.

    Of several channels the one that is loudest there. Raises the errors of
    ``vigil_edge.noise.errors``.
    """
    with on_disk(path) as file:
        with _sound(file) as (rate_hz, blocks):
            loudest = _loudest(file, rate_hz, blocks)
        with _sound(file) as (rate_hz, blocks):
            stretch = _cut(blocks, loudest, rate_hz)
    return _resampled(stretch, rate_hz)


def loudest_in(units: Array, rate_hz: int, within: tuple[int, int] | None = None) -> Array:
    """As ``loudest_stretch``, of finite sound in memory, (n, channels). ``within``: samples from
    first to last, about the loudest moment of which it is."""
    size = round(STEP_S * rate_hz)

    def blocks() -> Iterator[Array]:
        return (units[at : at + size] for at in range(0, len(units), size))

    loudest = _loudest(None, rate_hz, blocks(), within)
    return _resampled(_cut(blocks(), loudest, rate_hz), rate_hz)


def _resampled(stretch: Array, rate_hz: int) -> Array:
    common = math.gcd(RATE_HZ, rate_hz)
    return np.asarray(signal.resample_poly(stretch, RATE_HZ // common, rate_hz // common))


def _loudest(
    path: Path | None,
    rate_hz: int,
    blocks: Iterator[Array],
    within: tuple[int, int] | None = None,
) -> Loudest:
    b, a = signal.butter(1, _PASS_HZ, "highpass", fs=rate_hz)
    state: Array | None = None
    best, found, at = -1.0, Loudest(0, 0), 0
    for block in blocks:
        if not np.isfinite(block).all():
            raise AudioNotFinite(path, "a sample is not a finite number")
        if state is None:
            state = np.zeros((1, block.shape[1]))
        passed, state = signal.lfilter(b, a, block, axis=0, zi=state)
        power = np.mean(passed**2, axis=0)
        channel = int(power.argmax())
        wanted = within is None or (at <= within[1] and at + len(block) > within[0])
        if wanted and power[channel] > best:
            best, found = float(power[channel]), Loudest(at + len(block) // 2, channel)
        at += len(block)
    if at == 0:
        raise AudioEmpty(path, "it holds no samples")
    # Near an end of the recording the window is moved, not shortened.
    half = round(WINDOW_S / 2 * rate_hz)
    middle = max(min(found.sample, at - half), half)
    return Loudest(middle, found.channel)


def _cut(blocks: Iterator[Array], loudest: Loudest, rate_hz: int) -> Array:
    half = round(WINDOW_S / 2 * rate_hz)
    first, last = loudest.sample - half, loudest.sample + half
    parts, at = [], 0
    for block in blocks:
        if at >= last:
            break
        parts.append(block[max(0, first - at) : max(0, last - at), loudest.channel])
        at += len(block)
    return np.concatenate(parts)


@contextlib.contextmanager
def _sound(path: Path) -> Iterator[tuple[int, Iterator[Array]]]:
    """The rate and the frames, (≤ an eighth of a second, channels), full scale being 1."""
    with path.open("rb") as stream:
        head = stream.read(4)
    if head in (b"OggS", b"fLaC"):
        library = _soundfile()
        if head == b"OggS":
            _refuse_torn(path)
        try:
            with library.SoundFile(path) as sound:
                layout = _layout(path, sound.samplerate, sound.channels)
                yield layout.rate_hz, _decoded(sound, round(STEP_S * layout.rate_hz))
        except library.LibsndfileError as error:
            raise AudioUnreadable(path, f"it cannot be decoded: {error.error_string}") from error
        return
    recording = open_wav(path)
    size = round(STEP_S * recording.format.rate_hz)
    yield recording.format.rate_hz, _frames(recording.blocks(size))


def _refuse_torn(path: Path) -> None:
    """An Ogg file ends with a whole page that says so (RFC 3533): the decoder reads a torn one to
    where it is torn, and the loudest event may lie behind."""
    with path.open("rb") as stream:
        stream.seek(max(0, path.stat().st_size - _OGG_PAGE_AT_MOST))
        end = stream.read()
    page = end[end.rfind(b"OggS") :]
    table = page[27 : 27 + page[26]] if len(page) > 26 else b""
    if len(page) < 27 + len(table) + sum(table) or not page[5:6] or not page[5] & _OGG_LAST:
        raise AudioTruncated(path, "the file ends before its sound does")


def _layout(path: Path, rate_hz: int, channels: int) -> PcmFormat:
    """The same bounds as for WAV."""
    try:
        return PcmFormat("f64le", rate_hz, channels)
    except AudioUnsupported as error:
        raise AudioUnsupported(path, error.reason) from error


def _decoded(sound: Any, size: int) -> Iterator[Array]:
    while len(block := sound.read(size, dtype="float64", always_2d=True)):
        yield block


def _frames(blocks: Iterator[NDArray[Any]]) -> Iterator[Array]:
    for block in blocks:
        yield np.stack([channel_units(block, each) for each in range(block.shape[1])], axis=1)


def _soundfile() -> Any:
    try:
        import soundfile
    except (ImportError, OSError) as error:  # without libsndfile it raises OSError
        raise AudioDecoderMissing(f"soundfile cannot be loaded: {error}") from error
    return soundfile
