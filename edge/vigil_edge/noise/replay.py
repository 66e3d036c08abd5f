"""A recording through the very meter and detector that run live."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from vigil_edge.noise.errors import AudioNotFinite, AudioOutOfRange, NoiseOptionError
from vigil_edge.noise.levels import CLIPPING_AT, Levels, Meter, Seconds, Slices
from vigil_edge.noise.passage import Passage, PassageDetector
from vigil_edge.noise.pcm import channel_units
from vigil_edge.noise.wav import WavFile
from vigil_edge.noise.weighting import PRIME_S, Samples

BLOCK_S: Final = 1.0
_MOST_PA: Final = 1e30
"""Nothing is this loud; squares of it still fit a float."""

Record = dict[str, Any]
"""One line of output."""


def replay(
    recording: WavFile,
    channel: int,
    pascal: float,
    threshold_db: float,
    notices: list[str] | None = None,
) -> Iterator[Record]:
    """Records of kind ``second``, ``trigger`` and, last, ``total``; ``t`` in s from the start.

    ``pascal`` is the pressure of one unit (integers: of full scale). An overload is told
    of in ``notices``. Raises ``NoiseOptionError`` for a channel that is not there,
    ``AudioNotFinite`` for NaN, ``AudioOutOfRange`` for what no pressure can be.
    """
    if not 0 <= channel < recording.format.channels:
        raise NoiseOptionError(
            f"channel {channel} is not there; {recording.path.name} has channels 0 to "
            f"{recording.format.channels - 1}"
        )
    rate_hz = recording.format.rate_hz
    # Floats may hold pascal directly; 1.0 is nothing special to them.
    clipping = None if recording.format.is_float else CLIPPING_AT
    meter = Meter(rate_hz, pascal, clipping)
    blocks = _units(recording, channel, pascal)
    first = next(blocks)
    if notices is not None and recording.format.channels == 1 and _interleaved(first):
        notices.append("every second sample is zero: these may be two channels read as one")
    meter.prime(first[: int(PRIME_S * rate_hz)])
    seconds = Seconds(rate_hz)
    detector = PassageDetector(rate_hz, threshold_db)

    def measured(slices: Slices | None) -> Iterator[Record]:
        if slices is not None:
            yield from (_second(levels, rate_hz) for levels in seconds.feed(slices))
            yield from (_trigger(passage, rate_hz) for passage in detector.feed(slices))

    for units in itertools.chain([first], blocks):
        yield from measured(meter.feed(units))
    yield from measured(meter.flush())
    passage = detector.flush()
    if passage is not None:
        yield _trigger(passage, rate_hz)
    total = seconds.total.levels
    if total.overload and notices is not None:
        notices.append("the input reached full scale: levels are too low where it clipped")
    yield _total(total, rate_hz)


def _units(recording: WavFile, channel: int, pascal: float) -> Iterator[Samples]:
    at = 0
    for frames in recording.blocks(int(BLOCK_S * recording.format.rate_hz)):
        units = channel_units(frames, channel)
        if not np.isfinite(units).all():
            bad = at + int(np.argmin(np.isfinite(units)))
            raise AudioNotFinite(
                f"{recording.path.name}: sample {bad} is NaN or infinite; repair the recording"
            )
        loudest = int(np.argmax(np.abs(units)))
        if abs(units[loudest]) * pascal > _MOST_PA:
            raise AudioOutOfRange(
                f"{recording.path.name}: sample {at + loudest} is {units[loudest]:.3g}, which is no"
                " sound; give the encoding that it was recorded with"
            )
        at += len(units)
        yield units


def _interleaved(units: Samples) -> bool:
    """Whether every second sample is zero and the others are not: a silent second channel."""
    even, odd = bool(units[::2].any()), bool(units[1::2].any())
    return len(units) > 1 and even != odd


def _second(levels: Levels, rate_hz: int) -> Record:
    return {
        "kind": "second",
        "t": round(levels.first_sample / rate_hz, 6),
        "LAeq": round(levels.LAeq, 3),
        "LAFmax": round(levels.LAFmax, 3),
    }


def _trigger(passage: Passage, rate_hz: int) -> Record:
    return {
        "kind": "trigger",
        "t": round(passage.started_sample / rate_hz, 6),
        "LAFmax": round(passage.LAFmax, 3),
        "LAE": round(passage.LAE, 3),
    }


def _total(levels: Levels, rate_hz: int) -> Record:
    return {
        "kind": "total",
        "duration": round(levels.samples / rate_hz, 6),
        "LAeq": round(levels.LAeq, 3),
        "LAFmax": round(levels.LAFmax, 3),
        "LCeq": round(levels.LCeq, 3),
        "LZeq": round(levels.LZeq, 3),
    }
