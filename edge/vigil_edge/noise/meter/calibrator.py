"""A sound calibrator on the microphone (IEC 60942), recognised by itself: 94 or 114 dB at 1 kHz.

Its tone is nearly all that is heard, at one frequency and one level for seconds, which nothing in a
street is. From it follows the sensitivity, and how far that has drifted. Pure.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from vigil_edge.noise.meter.levels import Levels, level_db
from vigil_edge.noise.meter.weighting import Samples

NOMINAL_DB: Final = (94.0, 114.0)
CALIBRATOR: Final = "calibrator"
"""The flag of a passage that is a calibrator's tone."""
LEAST_S: Final = 5
"""So many seconds in a row; the first and the last, in which it is put on and off, do not count."""
LONGEST_S: Final = 30
"""A tone that goes on is told after so long."""
_HZ: Final = (980.0, 1020.0)
_NEAR_DB: Final = 5.0
"""A sensitivity that drifted further is none: somebody must look."""
_PURE: Final = 0.98
"""Share of the power that is the tone: a calibrator's own distortion may be 3 % (0.001)."""
_STEADY_DB: Final = 0.1
_STEADY_HZ: Final = 2.0
_WEIGHTED_ALIKE_DB: Final = 0.3
"""At 1 kHz A, C and Z are the same: what differs by more needs no closer look."""
_LOBE: Final = 4
"""Bins beside the peak that Hann's window spreads a tone over."""
_LOWEST_HZ: Final = 20.0
_KEPT: Final = 64


@dataclass(frozen=True, slots=True)
class Calibration:
    """One tone of a calibrator. Samples are counted as the meter's."""

    first_sample: int
    samples: int
    frequency_hz: float
    level_db: float
    """As measured with the sensitivity in force, dB re 20 µPa."""
    nominal_db: float
    """What the calibrator gives: 94 or 114 dB."""
    pascal_per_unit: float
    """The sensitivity that this says."""

    @property
    def drift_db(self) -> float:
        """Too high a reading is positive."""
        return self.level_db - self.nominal_db


@dataclass(frozen=True, slots=True)
class _Tone:
    """One second that is nothing but a tone."""

    first_sample: int
    samples: int
    frequency_hz: float
    mean_square_pa2: float

    @property
    def level_db(self) -> float:
        return level_db(self.mean_square_pa2)


@dataclass(slots=True)
class CalibratorWatch:
    """Feed it every second of one channel in order."""

    rate_hz: int
    pascal_per_unit: float
    calibrated: bool = True
    """The sensitivity in force is known: the tone's level then says which of the two it is."""
    nominal_db: float = NOMINAL_DB[0]
    """Of the calibrator, where it is not."""
    _run: list[_Tone] = field(init=False, default_factory=list)
    _told: bool = field(init=False, default=False)
    """Of the tone that goes on."""
    _spans: deque[tuple[int, int]] = field(init=False)

    def __post_init__(self) -> None:
        self._spans = deque(maxlen=_KEPT)

    def second(self, levels: Levels, units: Samples) -> Calibration | None:
        """The next second: a calibration where one is over, or has lasted for ``LONGEST_S``.
        ``units``: its samples, shape (n,)."""
        tone = self._tone(levels, units)
        found = None
        if tone is None or not self._goes_on(tone):
            found = self.flush()
        if tone is not None:
            self._run.append(tone)
            if len(self._run) >= LONGEST_S and not self._told:
                self._told = True
                found = self._calibration(self._run[1:])
            del self._run[: -LONGEST_S - 1]
        return found

    def flush(self) -> Calibration | None:
        """The tone is over, or nothing more will come."""
        run, told = self._run, self._told
        self._run, self._told = [], False
        if len(run) >= LEAST_S:
            last = run[-1]
            self._spans.append((run[0].first_sample, last.first_sample + last.samples))
        return None if told or len(run) < LEAST_S else self._calibration(run[1:-1])

    def within(self, first_sample: int, last_sample: int) -> bool:
        """Whether a calibrator was heard then; known ``LEAST_S`` after its beginning."""
        spans = list(self._spans)
        if len(self._run) >= LEAST_S:
            last = self._run[-1]
            spans.append((self._run[0].first_sample, last.first_sample + last.samples))
        # Put on and taken off it is loud as well, in the seconds beside.
        return any(
            since - self.rate_hz <= last_sample and first_sample <= until + self.rate_hz
            for since, until in spans
        )

    def _goes_on(self, tone: _Tone) -> bool:
        if not self._run:
            return True
        before = self._run[len(self._run) // 2]
        return (
            abs(tone.level_db - before.level_db) <= _STEADY_DB
            and abs(tone.frequency_hz - before.frequency_hz) <= _STEADY_HZ
        )

    def _calibration(self, run: list[_Tone]) -> Calibration:
        mean_square = math.fsum(one.mean_square_pa2 for one in run) / len(run)
        level = level_db(mean_square)
        nominal = self._nominal(level)
        assert nominal is not None  # noqa: S101 - every tone of the run was asked
        return Calibration(
            run[0].first_sample,
            sum(one.samples for one in run),
            math.fsum(one.frequency_hz for one in run) / len(run),
            level,
            nominal,
            self.pascal_per_unit * 10.0 ** ((nominal - level) / 20.0),
        )

    def _nominal(self, level: float) -> float | None:
        if not self.calibrated:
            return self.nominal_db
        nearest = min(NOMINAL_DB, key=lambda nominal: abs(level - nominal))
        return nearest if abs(level - nearest) <= _NEAR_DB else None

    def _tone(self, levels: Levels, units: Samples) -> _Tone | None:
        weighted = (levels.LAeq, levels.LCeq, levels.LZeq)
        alike = max(weighted) - min(weighted) <= _WEIGHTED_ALIKE_DB
        if not alike or levels.overload or self._nominal(levels.LZeq) is None:
            return None
        quarters = np.square(units[: len(units) // 4 * 4].reshape(4, -1)).mean(axis=1)
        if quarters.min() <= 0.0 or 10.0 * np.log10(quarters.max() / quarters.min()) > _STEADY_DB:
            return None
        window = np.hanning(len(units))
        power = np.abs(np.fft.rfft(units * window)) ** 2
        step_hz = self.rate_hz / len(units)
        low, high = (round(hz / step_hz) for hz in _HZ)
        peak = low + int(power[low : high + 1].argmax())
        tone = float(power[peak - _LOBE : peak + _LOBE + 1].sum())
        whole = float(power[max(1, round(_LOWEST_HZ / step_hz)) :].sum())
        if not low < peak < high or tone < _PURE * whole:
            return None
        before, at, after = np.log(power[peak - 1 : peak + 2])
        shift = 0.5 * (before - after) / (before - 2.0 * at + after)
        mean_square = 2.0 * tone / (len(units) * float(np.square(window).sum()))
        return _Tone(
            levels.first_sample,
            levels.samples,
            (peak + float(shift)) * step_hz,
            mean_square * self.pascal_per_unit**2,
        )
