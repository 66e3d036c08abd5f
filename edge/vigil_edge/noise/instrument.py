"""One channel from its first sample to its levels: the one way for live sound and recordings.

Samples are scaled, the switching on is left out, slices measured, passages found, and each
second told with its flags once the next one is over, since some are known only then.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field, replace
from typing import Final, Literal

import numpy as np

from vigil_edge.noise.meter.calibrator import CALIBRATOR, Calibration, CalibratorWatch
from vigil_edge.noise.meter.channel import SETTLE_S, STARTUP_LOOK_S, meter_of, startup_samples
from vigil_edge.noise.meter.levels import Levels, Meter, Seconds, Slices, flagged, mean_square_pa2
from vigil_edge.noise.meter.percentiles import Percentiles
from vigil_edge.noise.meter.signs import CLIPPING, DROP_OUT, OVERLOAD, START_UP, Signs
from vigil_edge.noise.meter.weighting import Samples
from vigil_edge.noise.passage import HOLD_S, LONGEST_S, Passage, PassageDetector
from vigil_edge.noise.sound.pcm import PcmFormat

_REMEMBERED_S: Final = int(LONGEST_S + 2 * HOLD_S) + 3


@dataclass(frozen=True, slots=True)
class Extent:
    """How much is measured: what costs time is done where somebody reads it."""

    peaks: bool = False
    bands: bool = False
    percentiles: bool = False


@dataclass(frozen=True, slots=True)
class Measured:
    """What some samples brought."""

    slices: list[Slices]
    seconds: list[Levels]
    """Those that became final."""
    passages: list[Passage]
    """Those that are over, with the flags of the seconds that they touch. Of a recording: once
    those are final; live: at once, see ``Instrument.with_flags``."""


@dataclass(slots=True)
class Instrument:
    """One calibrated channel; feed its samples in order."""

    format: PcmFormat
    pascal_per_unit: float
    full_scale_known: bool
    begins: Literal["switched-on", "anyhow"]
    """``switched-on``: the first second of a live stream is not measured. ``anyhow``: a recording,
    whose beginning is looked at for the signs of a microphone that is switched on."""
    detector: PassageDetector | None = None
    extent: Extent = field(default_factory=Extent)
    lowest_db: float | None = None
    compiled: bool = True
    skipped: int = field(init=False, default=0)
    """Samples at the beginning that were left out; sample numbers are counted after them."""
    flags: frozenset[str] = field(init=False, default=frozenset())
    """Of any second so far."""
    calibrator: CalibratorWatch | None = None
    """Recognises a calibrator's tone, where it is asked to."""
    calibrations: list[Calibration] = field(init=False, default_factory=list)
    """That were heard; whoever takes them clears the list."""
    percentiles: Percentiles | None = field(init=False)
    _meter: Meter = field(init=False)
    _seconds: Seconds = field(init=False)
    _signs: Signs = field(init=False)
    _head: list[Samples] = field(init=False, default_factory=list)
    _settled: bool = field(init=False, default=False)
    _current: list[Slices] = field(init=False, default_factory=list)
    """Of the second that is not over."""
    _pending: Levels | None = field(init=False, default=None)
    """The second before, which may still be flagged."""
    _waiting: list[Passage] = field(init=False, default_factory=list)
    """Passages of a recording that touch a second which is not final."""
    _flagged: deque[Levels] = field(init=False)
    """The latest final seconds."""
    _fed: int = field(init=False, default=0)
    """Samples, with those at the beginning that are left out."""
    _losses: deque[tuple[int, int]] = field(init=False, default_factory=deque)
    """First and last sample of each loss, counted as ``_fed``."""

    def __post_init__(self) -> None:
        self._meter = self._new_meter()
        rate_hz = self.format.rate_hz
        self._seconds = Seconds(rate_hz)
        self.percentiles = Percentiles(rate_hz) if self.extent.percentiles else None
        known = self.full_scale_known or not self.format.is_float
        lowest = 0.0 if self.lowest_db is None else mean_square_pa2(self.lowest_db)
        self._signs = Signs(
            rate_hz,
            1.0 if known else math.inf,
            self.format.is_float,
            lowest,
            1 << self.format.unused_bits,
        )
        self._flagged = deque(maxlen=_REMEMBERED_S)

    def _new_meter(self) -> Meter:
        meter = meter_of(
            self.format,
            self.pascal_per_unit,
            full_scale_known=self.full_scale_known,
            compiled=self.compiled,
        )
        return replace(meter, peaks=self.extent.peaks, bands=self.extent.bands)

    def note_loss(self, filled: int) -> None:
        """Samples are missing before the next ones; the first ``filled`` of those stand in for
        them. The seconds that this touches are flagged as a drop-out."""
        self._losses.append((self._fed - 1, self._fed + filled))

    def feed(self, units: Samples) -> Measured:
        """The next samples, shape (n,), full scale of integers being 1."""
        self._fed += len(units)
        if self._settled:
            return self._measured(self._meter.feed(units))
        self._head.append(units)
        heard = sum(map(len, self._head))
        rate_hz = self.format.rate_hz
        look_s = SETTLE_S if self.begins == "switched-on" else STARTUP_LOOK_S
        if heard < int(look_s * rate_hz):
            return Measured([], [], [])
        return self._begin()

    def flush(self) -> Measured:
        """The end: what is left becomes a shorter slice and, where one was begun, the last
        second final; a passage in progress ends here."""
        begun = Measured([], [], []) if self._settled else self._begin()
        rest = self._measured(self._meter.flush())
        seconds, passages = [*begun.seconds, *rest.seconds], [*begun.passages, *rest.passages]
        short = self._seconds.flush()
        if short is not None:
            seconds += self._final(short)
        if self.calibrator is not None:
            self._calibrated_by(self.calibrator.flush())
        if self._pending is not None:
            self._flagged.append(self._pending)
            # What is shorter than a second is part of the total alone.
            seconds += [self._pending] if self._pending.samples >= self.format.rate_hz else []
        self._pending = None
        left = self.detector.flush() if self.detector is not None else None
        passages += map(self.with_flags, [*self._waiting, *([left] if left else [])])
        self._waiting = []
        return Measured([*begun.slices, *rest.slices], seconds, passages)

    @property
    def total(self) -> Levels:
        """Of everything so far. Raises ``ZeroDivisionError`` before anything was measured."""
        return self._seconds.total.levels

    @property
    def exposure_db(self) -> float:
        """LAE of everything so far."""
        return self._seconds.total.exposure_db

    @property
    def band_mean_squares(self) -> dict[str, float | None]:
        """Of each nominal third-octave frequency; empty where bands were not asked for."""
        bands = self._meter.third_octaves
        return {} if bands is None else bands.mean_squares()

    def _begin(self) -> Measured:
        """Now that the beginning is there: leave out the switching on, measure the rest."""
        beginning = np.concatenate([*self._head, np.zeros(0)])
        self._head, self._settled = [], True
        rate_hz = self.format.rate_hz
        if self.begins == "switched-on":
            self.skipped = min(len(beginning), int(SETTLE_S * rate_hz))
            self._meter.settle(beginning[: self.skipped])
            return self._measured(self._meter.feed(beginning[self.skipped :]))
        look = beginning[: int(STARTUP_LOOK_S * rate_hz)]
        self.skipped = startup_samples(look, rate_hz)
        measured = beginning[self.skipped :]
        self._meter.prime(measured[: len(look)])
        found = self._measured(self._meter.feed(measured))
        return replace(found, seconds=[*self._switching_on(beginning), *found.seconds])

    def _switching_on(self, beginning: Samples) -> list[Levels]:
        """What was left out, as a second of its own: measured by itself, and part of no total."""
        if not self.skipped:
            return []
        self.flags |= {START_UP}
        meter, apart = self._new_meter(), Seconds(self.format.rate_hz)
        found = [meter.feed(beginning[: self.skipped]), meter.flush()]
        seconds = [second for part in found if part for second in apart.feed(part)]
        return [
            replace(flagged(second, frozenset({START_UP})), first_sample=-self.skipped)
            for second in seconds[:1]
        ]

    def _measured(self, slices: Slices | None) -> Measured:
        if slices is None:
            return Measured([], [], [])
        seconds, passages, at = list[Levels](), list[Passage](), 0
        if self.percentiles is not None:
            self.percentiles.feed(slices)
        for levels in self._seconds.feed(slices):
            ends = levels.first_sample + levels.samples - slices.first_sample
            end = int(np.searchsorted(slices.edges, ends))
            part = slices.part(at, end)
            self._current.append(part)
            seconds += self._final(levels)
            passages += self._passages(part)
            at = end
        if at < len(slices):
            part = slices.part(at, len(slices))
            self._current.append(part)
            passages += self._passages(part)
        return Measured([slices], seconds, passages)

    def _passages(self, part: Slices) -> list[Passage]:
        """Those that are told now. Second by second: flags are remembered for so long only."""
        found = list(self.detector.feed(part)) if self.detector is not None else []
        if self.begins == "anyhow":
            final = 0 if self._pending is None else self._pending.first_sample
            known = [*self._waiting, *found]
            found = [passage for passage in known if passage.ended_sample < final]
            self._waiting = known[len(found) :]
        return [self.with_flags(passage) for passage in found]

    def _final(self, levels: Levels) -> list[Levels]:
        """A second is over: what it says of itself, and of the one before, which is final now."""
        parts, self._current = self._current, []
        own, of_last = self._signs.second(parts)
        if self.calibrator is not None:
            units = np.concatenate([part.units for part in parts])
            self._calibrated_by(self.calibrator.second(levels, units))
        own |= self._lost_in(levels.first_sample, levels.first_sample + levels.samples)
        final = []
        if self._pending is not None:
            final.append(flagged(self._pending, of_last))
            self._flagged.append(final[0])
        clipped = bool(own & {OVERLOAD, CLIPPING})
        self._seconds.total.overload |= clipped
        self._pending = replace(flagged(levels, own), overload=levels.overload or clipped)
        self.flags |= own | of_last
        return final

    def _calibrated_by(self, found: Calibration | None) -> None:
        if found is not None:
            self.calibrations.append(found)

    def _lost_in(self, first: int, end: int) -> frozenset[str]:
        """Whether the second of these samples, counted after those left out, touches a loss."""
        first, end = first + self.skipped, end + self.skipped
        while self._losses and self._losses[0][1] < first:
            self._losses.popleft()
        return frozenset({DROP_OUT} if any(since < end for since, _ in self._losses) else ())

    def with_flags(self, passage: Passage) -> Passage:
        """With those that it had already, and what is known of its seconds by now: whether the
        gain changed in the last of them is known two seconds after."""
        touched = [*self._flagged, *([] if self._pending is None else [self._pending])]
        flags = passage.flags.union(
            *(
                second.flags
                for second in touched
                if second.first_sample <= passage.ended_sample
                and second.first_sample + second.samples > passage.started_sample
            )
        )
        watch = self.calibrator
        if watch is not None and watch.within(passage.started_sample, passage.ended_sample):
            flags |= {CALIBRATOR}
        clipped = passage.overload or bool(flags & {OVERLOAD, CLIPPING})
        return replace(passage, flags=flags, overload=clipped)
