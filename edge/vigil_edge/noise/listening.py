"""From frames to seconds and passages with their sound: the live core, without a clock or socket.

It keeps the recent past of all channels, so that a passage comes with what was
heard before it.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

import numpy as np

from vigil_edge.noise.instrument import Extent, Instrument, Measured
from vigil_edge.noise.meter.calibrator import Calibration, CalibratorWatch
from vigil_edge.noise.meter.channel import MOST_PA, SETTLE_S, Silence
from vigil_edge.noise.meter.levels import Levels, level_db, pascal_per_unit
from vigil_edge.noise.meter.signs import CLOCK_UNSETTLED
from vigil_edge.noise.meter.weighting import Samples
from vigil_edge.noise.passage import HOLD_S, LONGEST_S, Passage, PassageDetector
from vigil_edge.noise.sound.clock import SampleClock, StreamTime
from vigil_edge.noise.sound.ledger import MOST_FILLED_S, Block, Entry, Ledger
from vigil_edge.noise.sound.pcm import (
    SLICES_PER_SECOND,
    Frames,
    PcmFormat,
    channel_units,
    slice_edge,
    slices_within,
)
from vigil_edge.noise.sound.settings import AudioSettings

_SECONDS_MOST: Final = 60
_FLAGS_FINAL_S: Final = 2.0 + 2.0 / SLICES_PER_SECOND
"""So long after a passage all that its last second is flagged with is known."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """A passage with its surroundings."""

    passage: Passage
    time: StreamTime
    """The clock as it stood when the passage began."""
    frames: Frames
    """Sound of all channels around the passage."""
    first_sample: int
    """Of ``frames``."""
    curve: list[float]
    """Highest LAF of each slice over the same stretch, dB."""
    curve_first_sample: int
    ledger: tuple[Entry, ...] = ()
    """Of the blocks that ``frames`` came in."""
    drift: float | None = None
    """Of UTC against the audio clock, seconds a second, where it is known."""
    residual_s: float | None = None
    """By how much the clock's last window disagreed with it."""

    @property
    def started(self) -> datetime:
        """Beginning of the kept sound."""
        return self.time.at(self.first_sample)

    @property
    def ended(self) -> datetime:
        """End of the kept sound."""
        return self.time.at(self.first_sample + len(self.frames))


@dataclass(frozen=True, slots=True)
class Heard:
    """What one block brought."""

    seconds: list[tuple[datetime, Levels]]
    recorded: list[Recorded]
    """Passages after which enough was heard, and all that they are flagged with is known."""
    others: list[dict[int, Levels]] = field(default_factory=list)
    """Of each of ``seconds``, what the array's other channels heard, by channel."""
    calibrations: list[tuple[datetime, Calibration]] = field(default_factory=list)
    """Tones of a calibrator, each with the moment of its end."""


@dataclass(slots=True)
class Listener:
    """One microphone's stream; feed every block in order."""

    format: PcmFormat
    audio: AudioSettings
    threshold_db: float
    hysteresis_db: float
    before_s: float
    after_s: float
    others: tuple[int, ...] = ()
    """Further channels that are measured: the other microphones of an array."""
    clock: SampleClock = field(init=False)
    ledger: Ledger = field(init=False, default_factory=Ledger)
    _instrument: Instrument = field(init=False)
    _others: dict[int, Instrument] = field(init=False)
    _heard_there: dict[int, deque[Levels]] = field(init=False)
    """Seconds of the other channels that the measured one has not told yet."""
    _detector: PassageDetector = field(init=False)
    _ring: deque[tuple[int, Frames]] = field(init=False, default_factory=deque)
    _curve: deque[float] = field(init=False)
    _curve_end: int = field(init=False, default=0)
    """Slices measured so far."""
    _heard: int = field(init=False, default=0)
    """Samples received since the stream had settled."""
    _unsettled: int = field(init=False)
    _silence: Silence = field(init=False)
    _begun: StreamTime | None = field(init=False, default=None)
    _waiting: deque[tuple[Passage, StreamTime]] = field(init=False, default_factory=deque)

    def __post_init__(self) -> None:
        rate_hz = self.format.rate_hz
        self.clock = SampleClock(rate_hz)
        self._detector = PassageDetector(rate_hz, self.threshold_db, self.hysteresis_db)
        self._instrument = Instrument(
            self.format,
            scale(self.audio),
            self.audio.full_scale_known,
            "switched-on",
            self._detector,
            Extent(peaks=True),
            self.audio.lowest_db,
            # A stream comes at the speed of sound: SciPy keeps up with it a hundred times over,
            # and the compiler would be 100 MB of a gateway's memory.
            compiled=False,
            calibrator=CalibratorWatch(
                rate_hz, scale(self.audio), self.audio.calibrated, self.audio.calibrator_db
            ),
        )
        self._others = {
            channel: Instrument(
                self.format,
                scale(self.audio),
                self.audio.full_scale_known,
                "switched-on",
                compiled=False,
            )
            for channel in self.others
        }
        self._heard_there = {channel: deque(maxlen=_SECONDS_MOST) for channel in self.others}
        span_s = self.before_s + LONGEST_S + HOLD_S + self.after_s + 2.0
        self._curve = deque(maxlen=int(span_s * SLICES_PER_SECOND))
        self._unsettled = int(SETTLE_S * rate_hz)
        self._silence = Silence(self.format.channels)

    def hear(self, block: Block, now: datetime) -> Heard:
        """A block that arrived at ``now`` (UTC)."""
        at = now if block.captured is None else block.captured
        filled = block.lost if block.lost <= MOST_FILLED_S * self.format.rate_hz else 0
        if block.lost or block.overflow:
            for instrument in (self._instrument, *self._others.values()):
                instrument.note_loss(filled)
        frames = block.frames
        if filled:
            zeros = np.zeros((filled, frames.shape[1]), frames.dtype)
            frames = np.concatenate([zeros, frames])
        entry = Entry(self._heard, len(frames), block.lost, filled, block.overflow, at)
        return self._fed(frames, entry)

    def feed(self, frames: Frames, now: datetime) -> Heard:
        """Frames of which nothing is missing, that arrived at ``now`` (UTC)."""
        return self.hear(Block(frames), now)

    def _fed(self, frames: Frames, entry: Entry) -> Heard:
        units = self._units(frames, self.audio.channel)
        for channel, instrument in self._others.items():
            found = instrument.feed(self._units(frames, channel))
            self._heard_there[channel].extend(found.seconds)
        settling, frames = frames[: self._unsettled], frames[self._unsettled :]
        self._unsettled -= len(settling)
        if len(frames):
            self._silence.feed(frames)
            self._ring.append((self._heard, frames))
            self._heard += len(frames)
            kept = replace(entry, samples=len(frames), filled=min(entry.filled, len(frames)))
            self.ledger.add(kept)
            if entry.lost > entry.filled or (entry.overflow and not entry.lost):
                self.clock.restart()
            idle = self._detector.open_since is None and not self._waiting
            self.clock.arrived(self._heard, entry.at, may_step=idle)
        heard = self._told(self._instrument.feed(units), self._heard)
        self._forget()
        return heard

    def flush(self) -> Heard:
        """At the end of the stream: the last second, and the passages in progress, as far as
        they were heard."""
        return self._told(self._instrument.flush(), None)

    @property
    def kept_since(self) -> datetime | None:
        """Beginning of the earliest passage, with what precedes it, that is not yet recorded."""
        begun = [(passage.started_sample, time) for passage, time in self._waiting]
        if self._detector.open_since is not None and self._begun is not None:
            begun.append((self._detector.open_since, self._begun))
        if not begun:
            return None
        sample, time = begun[0]
        return time.at(sample - int(self.before_s * self.format.rate_hz))

    @property
    def ending(self) -> bool:
        """Whether a passage is over and what comes after it is still heard."""
        return bool(self._waiting)

    @property
    def silence(self) -> str | None:
        """Words for a measured channel that never said anything, naming those that did."""
        return self._silence.notice(self.audio.channel)

    def _units(self, frames: Frames, channel: int) -> Samples:
        """One channel; a broken float must not poison the filters for good."""
        units = channel_units(frames, channel)
        most = MOST_PA / scale(self.audio)
        np.nan_to_num(units, copy=False, nan=0.0)  # infinite becomes the largest float
        return np.clip(units, -most, most, out=units)

    def _told(self, found: Measured, heard: int | None) -> Heard:
        if not self._heard:
            return Heard([], [])
        time = self.clock.snapshot()
        seconds = [(time.at(second.first_sample), second) for second in found.seconds]
        for slices in found.slices:
            self._curve.extend(level_db(float(value)) for value in slices.LAF_max)
            self._curve_end += len(slices)
        for passage in found.passages:
            self._waiting.append((passage, self._begun or time))
            self._begun = None
        if self._detector.open_since is None:
            self._begun = None
        elif self._begun is None:
            self._begun = time
        others = [self._beside(second) for second in found.seconds]
        calibrations = [
            (time.at(found.first_sample + found.samples), found)
            for found in self._instrument.calibrations
        ]
        self._instrument.calibrations.clear()
        return Heard(seconds, self._due(heard), others, calibrations)

    def _beside(self, second: Levels) -> dict[int, Levels]:
        """The same second of the other channels; what the measured one did not tell is dropped."""
        found: dict[int, Levels] = {}
        for channel, there in self._heard_there.items():
            while there and there[0].first_sample < second.first_sample:
                there.popleft()
            if there and there[0].first_sample == second.first_sample:
                found[channel] = there.popleft()
        return found

    def _due(self, heard: int | None) -> list[Recorded]:
        """Passages after which enough was heard; all of them where ``heard`` is None."""
        after = int(max(self.after_s, _FLAGS_FINAL_S) * self.format.rate_hz)
        due = []
        while self._waiting:
            passage, time = self._waiting[0]
            if heard is not None and heard < passage.ended_sample + after:
                break
            self._waiting.popleft()
            passage = self._instrument.with_flags(passage)
            if time.unsettled:
                passage = replace(passage, flags=passage.flags | {CLOCK_UNSETTLED})
            due.append(self._recorded(passage, time))
        return due

    def _recorded(self, passage: Passage, time: StreamTime) -> Recorded:
        rate_hz = self.format.rate_hz
        first = passage.started_sample - int(self.before_s * rate_hz)
        last = passage.ended_sample + int(self.after_s * rate_hz)
        blocks = [(at, block) for at, block in self._ring if at < last and at + len(block) > first]
        first = max(first, blocks[0][0])
        joined = np.concatenate([block for _, block in blocks])
        frames = joined[first - blocks[0][0] : last - blocks[0][0]]
        oldest = self._curve_end - len(self._curve)
        begin = max(slices_within(first, rate_hz), oldest)
        end = min(slices_within(last - 1, rate_hz) + 1, self._curve_end)
        curve = [self._curve[index - oldest] for index in range(begin, end)]
        return Recorded(
            passage,
            time,
            frames,
            first,
            curve,
            slice_edge(begin, rate_hz),
            self.ledger.between(first, last),
            self.clock.drift,
            self.clock.residual_s,
        )

    def _forget(self) -> None:
        """Drop the sound that nobody can ask for any more."""
        rate_hz = self.format.rate_hz
        needed = [self._heard - int(HOLD_S * rate_hz)]
        needed += [passage.started_sample for passage, _ in self._waiting]
        if self._detector.open_since is not None:
            needed.append(self._detector.open_since)
        keep_from = min(needed) - int(self.before_s * rate_hz)
        while self._ring and self._ring[0][0] + len(self._ring[0][1]) <= keep_from:
            self._ring.popleft()
        self.ledger.forget(keep_from)


def scale(audio: AudioSettings) -> float:
    """Pascal per unit; 1 where the microphone has not been calibrated."""
    if audio.full_scale_peak_db is not None:
        return pascal_per_unit(audio.full_scale_peak_db)
    return audio.pascal_per_unit or 1.0
