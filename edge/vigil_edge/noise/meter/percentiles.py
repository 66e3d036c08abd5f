"""Percentile levels LN: what LAF exceeded N percent of the time."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from vigil_edge.noise.meter.levels import FLOOR_DB, REFERENCE_PA, RISEN_S, Slices, mean_square_pa2

_PER_SECOND: Final = 200
_BIN_DB: Final = 0.01
_MOST_DB: Final = 240.0


class Percentiles:
    """Of one channel, from LAF every 5 ms, to 0.01 dB, in bounded memory; feed it every slice."""

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._counts: npt.NDArray[np.int64] = np.zeros(
            int((_MOST_DB - FLOOR_DB) / _BIN_DB) + 1, dtype=np.int64
        )

    def feed(self, slices: Slices) -> None:
        """The next slices."""
        begin = slices.first_sample
        first = max(begin, int(RISEN_S * self._rate_hz))
        # Sample numbers n · rate / 200 from the start of the stream, whatever the blocks.
        numbers = np.arange(
            -(-first * _PER_SECOND // self._rate_hz),
            -(-(begin + len(slices.LAF)) * _PER_SECOND // self._rate_hz),
        )
        at = -(-numbers * self._rate_hz // _PER_SECOND) - begin
        at = at[(at >= 0) & (at < len(slices.LAF))]
        if not len(at):
            return
        floor = mean_square_pa2(FLOOR_DB)
        level = 10.0 * np.log10(np.maximum(slices.LAF[at], floor) / REFERENCE_PA**2)
        bins = np.round((level - FLOOR_DB) / _BIN_DB).astype(np.int64)
        np.add.at(self._counts, np.clip(bins, 0, len(self._counts) - 1), 1)

    def exceeded(self, percent: float) -> float | None:
        """LN, dB; ``None`` before there was a level that had risen from rest."""
        total = int(self._counts.sum())
        if not total:
            return None
        # So many of the lowest values may stand below it.
        rank = int((1.0 - percent / 100.0) * (total - 1))
        found = int(np.searchsorted(np.cumsum(self._counts), rank, side="right"))
        return FLOOR_DB + found * _BIN_DB
