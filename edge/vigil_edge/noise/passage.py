"""Finds passages: stretches in which the Fast level stood above a threshold."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from vigil_edge.noise.meter.levels import FLOOR_DB, RISEN_S, Slices, level_db, mean_square_pa2
from vigil_edge.noise.sound.pcm import SLICES_PER_SECOND

HYSTERESIS_DB: Final = 3.0
HOLD_S: Final = 1.0
"""How long the level must stay down before a passage counts as over. The sound exposure
reaches this far beyond the threshold on both sides, so that LAE holds the whole passage."""
LONGEST_S: Final = 30.0
"""A longer one is cut here; the next begins once the level has been down."""
BACKGROUND_S: Final = 30.0
_LEAST_BACKGROUND: Final = 2 * SLICES_PER_SECOND
"""A background of less is none: a fine rests on it."""


@dataclass(frozen=True, slots=True)
class Passage:
    """One passage; samples are counted from the start of the stream."""

    started_sample: int
    """LAF first rose above the threshold."""
    ended_sample: int
    """LAF last stood above the threshold less the hysteresis."""
    LAFmax: float
    LAFmax_sample: int
    LAE: float
    background_db: float | None
    """LAF exceeded 90 % of the time before (LAF90); None where too little was heard before."""
    overload: bool
    background_LA95_db: float | None = None
    """LAF exceeded 95 % of the time before."""
    background_scatter_db: float | None = None
    """Standard deviation of LAF then."""
    flags: frozenset[str] = frozenset()
    """What makes it doubtful: of every second that it touches (``meter.signs``)."""


@dataclass(frozen=True, slots=True)
class _Background:
    LA90_db: float | None = None
    LA95_db: float | None = None
    scatter_db: float | None = None


@dataclass(slots=True)
class _Open:
    started_sample: int
    last_above: int
    background: _Background
    exposure_pa2: float
    """Pa² · samples."""
    overload: bool
    peak_pa2: float = 0.0
    peak_sample: int = 0


@dataclass(slots=True)
class PassageDetector:
    """Feed it every slice in order."""

    rate_hz: int
    threshold_db: float
    hysteresis_db: float = HYSTERESIS_DB
    _before: deque[tuple[float, float, bool]] = field(init=False)
    """Of each slice before: A exposure, LAF at its end, overload."""
    _open: _Open | None = field(init=False, default=None)
    _blocked: bool = field(init=False, default=False)
    """After a passage that was cut."""

    def __post_init__(self) -> None:
        self._before = deque(maxlen=int((BACKGROUND_S + HOLD_S) * SLICES_PER_SECOND))

    @property
    def open_since(self) -> int | None:
        """Sample at which the passage in progress began, if there is one."""
        return self._open.started_sample if self._open else None

    def feed(self, slices: Slices) -> Iterator[Passage]:
        """The passages that are over by the end of these slices."""
        release = mean_square_pa2(self.threshold_db - self.hysteresis_db)
        threshold = mean_square_pa2(self.threshold_db)
        # As Python's own numbers: most slices are quiet, and then this is all there is to do.
        columns = zip(
            slices.LAF_max.tolist(),
            slices.squares_A.tolist(),
            slices.LAF_end.tolist(),
            slices.overload.tolist(),
            (slices.first_sample + slices.edges[:-1]).tolist(),
            strict=True,
        )
        for index, (loudest, exposure, end, overload, start) in enumerate(columns):
            if self._open is None and not self._blocked and loudest <= threshold:
                self._remember(exposure, end, overload, start)
                continue
            passage = self._slice(slices, index, release)
            if passage is not None:
                yield passage

    def flush(self) -> Passage | None:
        """The passage still in progress at the end of a recording."""
        current, self._open = self._open, None
        return self._closed(current) if current else None

    def _slice(self, slices: Slices, index: int, release: float) -> Passage | None:
        fast = slices.fast(index)
        start = slices.start(index)
        loudest = float(slices.LAF_max[index])
        exposure = float(slices.squares_A[index])
        overload = bool(slices.overload[index])
        passage = None
        if self._open is None and not self._blocked:
            self._maybe_begin(slices, index, start)
        if self._open is not None:
            self._extend(self._open, slices, index, start)
            if fast[-1] > release:
                self._open.last_above = start + len(fast) - 1
            elif loudest > release:
                self._open.last_above = start + int(np.flatnonzero(fast > release)[-1])
            passage = self._maybe_end(self._open, start + slices.samples(index))
        if self._blocked and fast[-1] <= release:
            self._blocked = False
        self._remember(exposure, float(fast[-1]), overload, start)
        return passage

    def _remember(self, exposure: float, end: float, overload: bool, start: int) -> None:
        """A slice, for what comes after it. At first the Fast level is still rising from rest."""
        self._before.append(
            (exposure, end if start >= RISEN_S * self.rate_hz else math.nan, overload)
        )

    def _maybe_begin(self, slices: Slices, index: int, start: int) -> None:
        threshold = mean_square_pa2(self.threshold_db)
        if slices.LAF_max[index] <= threshold:
            return
        crossing = start + int(np.argmax(slices.fast(index) > threshold))
        near = list(self._before)[-int(HOLD_S * SLICES_PER_SECOND) :]
        self._open = _Open(
            started_sample=crossing,
            last_above=crossing,
            background=self._background(),
            exposure_pa2=math.fsum(exposure for exposure, _, _ in near),
            overload=any(overload for _, _, overload in near),
        )

    def _background(self) -> _Background:
        """Of the time before, without the passage's own approach."""
        levels = [fast for _, fast, _ in self._before][: -int(HOLD_S * SLICES_PER_SECOND)]
        heard = np.array([fast for fast in levels if not math.isnan(fast)])
        if len(heard) < _LEAST_BACKGROUND:
            return _Background()
        low, lower = (level_db(float(value)) for value in np.quantile(heard, [0.1, 0.05]))
        least = mean_square_pa2(FLOOR_DB)
        return _Background(low, lower, float(np.std(10.0 * np.log10(np.maximum(heard, least)))))

    @staticmethod
    def _extend(current: _Open, slices: Slices, index: int, start: int) -> None:
        current.exposure_pa2 += float(slices.squares_A[index])
        current.overload |= bool(slices.overload[index])
        if slices.LAF_max[index] > current.peak_pa2:
            current.peak_pa2 = float(slices.LAF_max[index])
            current.peak_sample = start + int(np.argmax(slices.fast(index)))

    def _maybe_end(self, current: _Open, now_sample: int) -> Passage | None:
        quiet = now_sample - current.last_above >= HOLD_S * self.rate_hz
        too_long = now_sample - current.started_sample >= LONGEST_S * self.rate_hz
        if not (quiet or too_long):
            return None
        self._open = None
        self._blocked = not quiet
        return self._closed(current)

    def _closed(self, current: _Open) -> Passage:
        return Passage(
            started_sample=current.started_sample,
            ended_sample=max(current.last_above, current.peak_sample),
            LAFmax=level_db(current.peak_pa2),
            LAFmax_sample=current.peak_sample,
            # Sound exposure level refers to one second (3.12).
            LAE=level_db(current.exposure_pa2 / self.rate_hz),
            background_db=current.background.LA90_db,
            background_LA95_db=current.background.LA95_db,
            background_scatter_db=current.background.scatter_db,
            overload=current.overload,
        )
