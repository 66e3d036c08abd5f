"""A recording through the very meter and detector that run live."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, Final

import numpy as np

from vigil_edge.noise.errors import (
    AudioEmpty,
    AudioNotFinite,
    AudioOutOfRange,
    NoiseOptionError,
)
from vigil_edge.noise.meter.channel import (
    STARTUP_LOOK_S,
    Oddities,
    Silence,
    meter_of,
    startup_samples,
)
from vigil_edge.noise.meter.levels import Levels, Seconds, Slices
from vigil_edge.noise.meter.weighting import PRIME_S, Samples
from vigil_edge.noise.passage import Passage, PassageDetector
from vigil_edge.noise.sound.pcm import channel_units
from vigil_edge.noise.sound.wav import WavFile

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
    *,
    full_scale_known: bool = True,
) -> Iterator[Record]:
    """Records of kind ``second``, ``trigger`` and, last, ``total``; ``t`` in s from the start.

    ``pascal`` is the pressure of one unit (integers: of full scale); ``full_scale_known``
    says that 1.0 is full scale also for floats. What a person should know of the recording
    (overload, a silent channel, a start-up that was left out) is told in ``notices``.
    Raises ``NoiseOptionError`` for a channel that is not there, ``AudioNotFinite`` for NaN,
    ``AudioOutOfRange`` for what no pressure can be.
    """
    if not 0 <= channel < recording.format.channels:
        raise NoiseOptionError(
            f"channel {channel} is not there; {recording.path.name} has channels 0 to "
            f"{recording.format.channels - 1}"
        )
    told = notices if notices is not None else []
    rate_hz = recording.format.rate_hz
    silence = Silence(recording.format.channels)
    oddities = Oddities(rate_hz, channel, recording.format.is_float)
    units = _units(recording, channel, pascal, silence, oddities)
    blocks, skipped = _settled(units, rate_hz, told)
    first = next(blocks)
    if recording.format.channels == 1 and _interleaved(first):
        told.append("every second sample is zero: these may be two channels read as one")
    meter = meter_of(recording.format, pascal, full_scale_known=full_scale_known)
    meter.prime(first[: int(PRIME_S * rate_hz)])
    seconds = Seconds(rate_hz)
    detector = PassageDetector(rate_hz, threshold_db)

    def measured(slices: Slices | None) -> Iterator[Record]:
        if slices is not None:
            yield from (_second(levels, skipped, rate_hz) for levels in seconds.feed(slices))
            yield from (_trigger(found, skipped, rate_hz) for found in detector.feed(slices))

    for block in itertools.chain([first], blocks):
        yield from measured(meter.feed(block))
    yield from measured(meter.flush())
    passage = detector.flush()
    if passage is not None:
        yield _trigger(passage, skipped, rate_hz)
    total = seconds.total.levels
    if total.overload:
        told.append("the input clipped, at full scale or below it: levels are too low there")
    if (silent := silence.notice(channel)) is not None:
        told.append(silent)
    told += oddities.notices(full_scale_known=full_scale_known)
    yield _total(total, skipped, rate_hz)


def _settled(
    blocks: Iterator[Samples], rate_hz: int, notices: list[str]
) -> tuple[Iterator[Samples], int]:
    """The blocks without the microphone's switching on, and how many samples that took."""
    head: list[Samples] = []
    while sum(map(len, head)) < STARTUP_LOOK_S * rate_hz:
        block = next(blocks, None)
        if block is None:
            break
        head.append(block)
    if not head:
        raise AudioEmpty(None, "the recording holds no samples")
    beginning = np.concatenate(head)
    skipped = startup_samples(beginning[: int(STARTUP_LOOK_S * rate_hz)], rate_hz)
    if not skipped:
        return itertools.chain(head, blocks), 0
    notices.append(
        f"the microphone was being switched on: the first {skipped / rate_hz:g} s are not measured"
    )
    return itertools.chain([beginning[skipped:]], blocks), skipped


def _units(
    recording: WavFile, channel: int, pascal: float, silence: Silence, oddities: Oddities
) -> Iterator[Samples]:
    at = 0
    for frames in recording.blocks(int(BLOCK_S * recording.format.rate_hz)):
        silence.feed(frames)
        units = channel_units(frames, channel)
        if not np.isfinite(units).all():
            bad = at + int(np.argmin(np.isfinite(units)))
            raise AudioNotFinite(
                recording.path, f"sample {bad} is NaN or infinite; repair the recording"
            )
        loudest = int(np.argmax(np.abs(units)))
        if abs(units[loudest]) * pascal > _MOST_PA:
            raise AudioOutOfRange(
                recording.path,
                f"sample {at + loudest} is {units[loudest]:.3g}, which is no sound; give the"
                " encoding that it was recorded with",
            )
        oddities.feed(frames, units)
        at += len(units)
        yield units


def _interleaved(units: Samples) -> bool:
    """Whether every second sample is zero and the others are not: a silent second channel."""
    even, odd = bool(units[::2].any()), bool(units[1::2].any())
    return len(units) > 1 and even != odd


def _second(levels: Levels, skipped: int, rate_hz: int) -> Record:
    return {
        "kind": "second",
        "t": round((skipped + levels.first_sample) / rate_hz, 6),
        "LAeq": round(levels.LAeq, 3),
        "LAFmax": round(levels.LAFmax, 3),
        **_overload(levels.overload),
    }


def _trigger(passage: Passage, skipped: int, rate_hz: int) -> Record:
    return {
        "kind": "trigger",
        "t": round((skipped + passage.started_sample) / rate_hz, 6),
        "LAFmax": round(passage.LAFmax, 3),
        "LAE": round(passage.LAE, 3),
        **_overload(passage.overload),
    }


def _total(levels: Levels, skipped: int, rate_hz: int) -> Record:
    return {
        "kind": "total",
        "duration": round((skipped + levels.samples) / rate_hz, 6),
        **({"not_measured": round(skipped / rate_hz, 6)} if skipped else {}),
        "LAeq": round(levels.LAeq, 3),
        "LAFmax": round(levels.LAFmax, 3),
        "LCeq": round(levels.LCeq, 3),
        "LZeq": round(levels.LZeq, 3),
        **_overload(levels.overload),
    }


def _overload(overload: bool) -> Record:
    """Only where it is so: a level that is too low must not look like any other."""
    return {"overload": True} if overload else {}
