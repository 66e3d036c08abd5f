"""Recordings through the very instrument that runs live: ``noise replay`` and ``noise measure``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from vigil_edge.noise.decision import Judged, judged
from vigil_edge.noise.errors import (
    AudioEmpty,
    AudioNotFinite,
    AudioOutOfRange,
    NoiseOptionError,
)
from vigil_edge.noise.instrument import Extent, Instrument, Measured
from vigil_edge.noise.meter.calibrator import NOMINAL_DB, CalibratorWatch
from vigil_edge.noise.meter.channel import Oddities, Silence
from vigil_edge.noise.meter.levels import Levels, level_db
from vigil_edge.noise.meter.signs import START_UP
from vigil_edge.noise.meter.weighting import Samples
from vigil_edge.noise.passage import Passage, PassageDetector
from vigil_edge.noise.sound.pcm import Frames, channel_units
from vigil_edge.noise.sound.wav import WavFile

_BLOCK_S: Final = 1.0
"""What one block needs stays in the processor's cache."""
_MOST_BLOCK_BYTES: Final = 1 << 20
_MOST_PA: Final = 1e30
"""Nothing is this loud; squares of it still fit a float."""
_EVERYTHING: Final = Extent(peaks=True, bands=True, percentiles=True)

Record = dict[str, Any]
"""One line of output."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a recording is measured."""

    pascal: float
    """Of one unit (integers: of full scale)."""
    threshold_db: float
    full_scale_known: bool = True
    """1.0 is full scale also for floats."""
    lowest_db: float | None = None
    """Where the instrument's range begins, dB(A)."""
    calibrator_db: float | None = None
    """What a calibrator's tone is, whatever it reads: of a recording whose scale is not known."""
    limit_db: float | None = None
    """What the decision is made against; the threshold where it is not given."""
    notices: list[str] = field(default_factory=list)
    """Receives what a person should know of the recording."""


def replay(recording: WavFile, channel: int, options: Options) -> Iterator[Record]:
    """Records of kind ``second``, ``trigger`` and, last, ``total``; ``t`` in s from the start.

    Raises ``NoiseOptionError`` for a channel that is not there, ``AudioNotFinite`` for NaN,
    ``AudioOutOfRange`` for what no pressure can be.
    """
    run = _Run(recording, [channel], options, Extent(), triggers=True)
    for _, found in run:
        for levels in found.seconds:
            if START_UP not in levels.flags:
                yield run.second(levels, channel, everything=False)
        yield from (run.trigger(passage, channel, everything=False) for passage in found.passages)
    yield run.total(channel, everything=False)


def measure(
    recording: WavFile, channels: Sequence[int], options: Options, *, events: bool, named: bool
) -> Iterator[Record]:
    """As ``replay``, with everything that the meter knows, for any channels.

    ``events``: with the crossings of the threshold. ``named``: each record says its channel.
    """
    run = _Run(recording, channels, options, _EVERYTHING, triggers=events)

    def told(record: Record, channel: int) -> Record:
        return {**record, "channel": channel} if named else record

    for channel, found in run:
        for levels in found.seconds:
            yield told(run.second(levels, channel, everything=True), channel)
        yield from (told(record, channel) for record in run.calibrations(channel))
        for passage in found.passages:
            yield told(run.trigger(passage, channel, everything=True), channel)
    for channel in channels:
        yield told(run.total(channel, everything=True), channel)


class _Run:
    """One recording; yields what each channel of it brought, then knows the totals."""

    def __init__(
        self,
        recording: WavFile,
        channels: Sequence[int],
        options: Options,
        extent: Extent,
        *,
        triggers: bool,
    ) -> None:
        layout = recording.format
        for channel in channels:
            if not 0 <= channel < layout.channels:
                raise NoiseOptionError(
                    f"channel {channel} is not there; {recording.path.name} has channels 0 to "
                    f"{layout.channels - 1}"
                )
        self._recording, self._options, self._rate_hz = recording, options, layout.rate_hz
        self._silence = Silence(layout.channels)
        self._oddities = {
            channel: Oddities(layout.rate_hz, channel, layout.is_float) for channel in channels
        }
        self._instruments = {
            channel: Instrument(
                layout,
                options.pascal,
                options.full_scale_known,
                "anyhow",
                PassageDetector(layout.rate_hz, options.threshold_db) if triggers else None,
                extent,
                options.lowest_db,
                calibrator=_watch(layout.rate_hz, options) if extent.percentiles else None,
            )
            for channel in channels
        }

    def __iter__(self) -> Iterator[tuple[int, Measured]]:
        at = 0
        for frames in self._blocks():
            self._silence.feed(frames)
            for channel, instrument in self._instruments.items():
                units = self._units(frames, channel, at)
                if at == 0 and frames.shape[1] == 1 and _interleaved(units[: self._rate_hz]):
                    self._tell("every second sample is zero: these may be two channels read as one")
                yield channel, instrument.feed(units)
            at += len(frames)
        if not at:
            raise AudioEmpty(None, "the recording holds no samples")
        for channel, instrument in self._instruments.items():
            yield channel, instrument.flush()
        self._tell_all()

    def second(self, levels: Levels, channel: int, *, everything: bool) -> Record:
        """A line of kind ``second``."""
        t = (self._instruments[channel].skipped + levels.first_sample) / self._rate_hz
        record: Record = {"kind": "second", "t": round(t, 6), **_of(levels, "LAeq", "LAFmax")}
        if everything:
            record |= _of(levels, "LASmax", "LCeq", "LCpeak", "LZeq")
            record["flags"] = sorted(levels.flags)
        return record | _overload(levels.overload)

    def calibrations(self, channel: int) -> Iterator[Record]:
        """Lines of kind ``calibration``: tones of a calibrator that are over."""
        instrument = self._instruments[channel]
        for found in instrument.calibrations:
            first = instrument.skipped + found.first_sample
            yield {
                "kind": "calibration",
                "t": round(first / self._rate_hz, 6),
                "end": round((first + found.samples) / self._rate_hz, 6),
                "frequency": round(found.frequency_hz, 2),
                "level": round(found.level_db, 3),
                "nominal": found.nominal_db,
                "drift": round(found.drift_db, 3),
                "pascal_per_unit": found.pascal_per_unit,
            }
        instrument.calibrations.clear()

    def trigger(self, passage: Passage, channel: int, *, everything: bool) -> Record:
        """A line of kind ``trigger``."""

        def seconds(sample: int) -> float:
            return round((self._instruments[channel].skipped + sample) / self._rate_hz, 6)

        record: Record = {"kind": "trigger", "t": seconds(passage.started_sample)}
        if not everything:
            record |= {"LAFmax": round(passage.LAFmax, 3), "LAE": round(passage.LAE, 3)}
            return record | _overload(passage.overload)
        found = self._judged(passage)
        return record | {
            "end": seconds(passage.ended_sample),
            "LAFmax": round(passage.LAFmax, 3),
            "t_LAFmax": seconds(passage.LAFmax_sample),
            "LAE": round(passage.LAE, 3),
            "background": _rounded(passage.background_LA95_db),
            "LAFmax_corrected": _rounded(found.LAFmax_corrected),
            "uncertainty": round(found.uncertainty_db, 3),
            "flags": sorted(passage.flags),
            "decision": found.decision,
            **({"reasons": list(found.reasons)} if found.reasons else {}),
            **_overload(passage.overload),
        }

    def _judged(self, passage: Passage) -> Judged:
        limit_db = self._options.limit_db
        return judged(
            passage.LAFmax,
            passage.background_LA95_db,
            passage.background_scatter_db,
            self._options.threshold_db if limit_db is None else limit_db,
            flags=passage.flags,
        )

    def total(self, channel: int, *, everything: bool) -> Record:
        """The line of kind ``total``; to be asked for after the last block."""
        instrument = self._instruments[channel]
        levels, skipped = instrument.total, instrument.skipped
        record: Record = {
            "kind": "total",
            "duration": round((skipped + levels.samples) / self._rate_hz, 6),
            **({"not_measured": round(skipped / self._rate_hz, 6)} if skipped else {}),
            **_of(levels, "LAeq", "LAFmax"),
        }
        if everything:
            record |= _of(levels, "LAFmin", "LASmax") | {"LAE": round(instrument.exposure_db, 3)}
        record |= _of(levels, "LCeq", *(["LCpeak"] if everything else []), "LZeq")
        if everything and instrument.percentiles is not None:
            for percent in (10, 50, 90, 95):
                record[f"LA{percent}"] = _rounded(instrument.percentiles.exceeded(percent))
            record["third_octaves"] = {
                name: None if square is None else round(level_db(square), 3)
                for name, square in instrument.band_mean_squares.items()
            }
            record["flags"] = sorted(instrument.flags)
        return record | _overload(levels.overload)

    def _blocks(self) -> Iterable[Frames]:
        layout = self._recording.format
        most = _MOST_BLOCK_BYTES // layout.frame_bytes
        return self._recording.blocks(max(1, min(int(_BLOCK_S * layout.rate_hz), most)))

    def _units(self, frames: Frames, channel: int, at: int) -> Samples:
        units = channel_units(frames, channel)
        path = self._recording.path
        least, most = float(units.min()), float(units.max())
        if not np.isfinite(least) or not np.isfinite(most):
            bad = at + int(np.argmin(np.isfinite(units)))
            raise AudioNotFinite(path, f"sample {bad} is NaN or infinite; repair the recording")
        if max(most, -least) * self._options.pascal > _MOST_PA:
            loudest = int(np.argmax(np.abs(units)))
            raise AudioOutOfRange(
                path,
                f"sample {at + loudest} is {units[loudest]:.3g}, which is no sound; give the"
                " encoding that it was recorded with",
            )
        self._oddities[channel].feed(frames, units, max(most, -least))
        return units

    def _tell(self, notice: str) -> None:
        if notice not in self._options.notices:
            self._options.notices.append(notice)

    def _tell_all(self) -> None:
        for channel, instrument in self._instruments.items():
            where = f"channel {channel}: " if len(self._instruments) > 1 else ""
            if instrument.skipped:
                skipped_s = instrument.skipped / self._rate_hz
                self._tell(
                    f"{where}the microphone was being switched on: the first {skipped_s:g} s are"
                    " not measured"
                )
            if instrument.total.overload:
                self._tell(
                    f"{where}the input clipped, at full scale or below it: levels are too low there"
                )
            if (silent := self._silence.notice(channel)) is not None:
                self._tell(silent)
            known = self._options.full_scale_known
            for notice in self._oddities[channel].notices(full_scale_known=known):
                self._tell(where + notice)


def _watch(rate_hz: int, options: Options) -> CalibratorWatch:
    calibrator_db = options.calibrator_db
    known = calibrator_db is None
    return CalibratorWatch(rate_hz, options.pascal, known, calibrator_db or NOMINAL_DB[0])


def _interleaved(units: Samples) -> bool:
    """Whether every second sample is zero and the others are not: a silent second channel."""
    even, odd = bool(units[::2].any()), bool(units[1::2].any())
    return len(units) > 1 and even != odd


def _of(levels: Levels, *names: str) -> Record:
    return {name: _rounded(getattr(levels, name)) for name in names}


def _rounded(level: float | None) -> float | None:
    return None if level is None else round(level, 3)


def _overload(overload: bool) -> Record:
    """Only where it is so: a level that is too low must not look like any other."""
    return {"overload": True} if overload else {}
