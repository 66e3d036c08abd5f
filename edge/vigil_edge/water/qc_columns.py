"""The quality control of ``qc`` and ``sonde`` over columns of readings, as a recording has them.

The same flags as reading by reading, and the same state afterwards, so that both may take
turns. What most readings need is done for many at once; every reading that is missing, out
of range, behind its time, after a gap or after an unusual jump goes the usual way.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vigil_edge.water.qc import (
    CHANGE_FALLS,
    CHANGE_RISES,
    FLAT_FAIL,
    GAP_FACTOR,
    SPIKE_FACTOR,
    SPIKE_WARM_UP,
    STILL_FACTOR,
    SignalQc,
)
from vigil_edge.water.sonde import ENOUGH_SIGNALS, SondeQc
from vigil_schemas.types import QartodFlag

Floats = NDArray[np.float64]
Flags = NDArray[np.int8]
_AT_ONCE: Final = 2048
_FEW: Final = 8
"""Fewer readings than this are not worth the setting up."""


class ColumnQc(SignalQc):
    """``SignalQc`` that also takes a column."""

    __slots__ = ()

    def check_column(self, times: Floats, values: Floats) -> Flags:
        """A flag for each reading; ``times`` in seconds, all known; NaN is missing.

        Both arrays have the shape (readings,).
        """
        flags = np.empty(len(values), np.int8)
        low, high = self._in_fail
        plain = (values >= low) & (values <= high) & np.isfinite(values)
        with np.errstate(invalid="ignore", over="ignore"):  # from infinite to infinite, or nearly
            steps, jumps = np.diff(times, prepend=np.nan), np.abs(np.diff(values, prepend=np.nan))
        if len(values) and self._settled():
            steps[0] = times[0] - self._last_t
            jumps[0] = abs(values[0] - self._reference)
        plain &= steps > 0
        if self._limits.rate_suspect is not None:
            with np.errstate(invalid="ignore"):
                plain &= ~(jumps > self._limits.rate_suspect * steps)
        specials = [*np.flatnonzero(~plain).tolist(), len(values)]
        clocks, numbers = times.tolist(), values.tolist()
        floors = self._floors(values)
        at = 0
        for special in specials:
            while at <= special and at < len(values):
                follows = at == 0 or (
                    self._last_t == clocks[at - 1] and self._reference == numbers[at - 1]
                )
                if special - at >= _FEW and follows and self._settled():
                    some = slice(at, min(special, at + _AT_ONCE))
                    done = self._take(
                        times[some], values[some], steps[some], jumps[some],
                        floors if isinstance(floors, float) else floors[some], flags[some],
                    )  # fmt: skip
                    at += done
                    if done:
                        continue
                value = numbers[at]
                flags[at] = self.check(clocks[at], value if value == value else None)
                at += 1
        return flags

    def _settled(self) -> bool:
        """Whether nothing but the last reading is held against the next one."""
        return (
            self._seen >= SPIKE_WARM_UP
            and self._held == 0
            and self._behind == 0
            and self._last_t is not None
            and self._reference == self._flat_value
        )

    def _floors(self, values: Floats) -> float | Floats:
        """Of each reading, by the one before it."""
        limits = self._limits
        if not limits.spike:
            return np.inf
        if not limits.spike_floor_share:
            return limits.spike_floor
        first = np.nan if self._reference is None else self._reference
        before = np.concatenate(([first], values[:-1]))
        return np.maximum(limits.spike_floor, limits.spike_floor_share * np.abs(before))

    def _take(
        self, times: Floats, values: Floats, steps: Floats, jumps: Floats,
        floors: float | Floats, flags: Flags,
    ) -> int:  # fmt: skip
        """Flag readings up to the first that needs more; how many those are."""
        count = self._usual(steps, jumps, floors)
        if count == 0:
            return 0
        times, values, limits = times[:count], values[:count], self._limits
        low, high = self._in_suspect
        evaluated = (
            limits.spike
            or limits.rate_suspect is not None
            or limits.fail is not None
            or limits.suspect is not None
        )
        flags[:count] = QartodFlag.GOOD if evaluated else QartodFlag.NOT_EVALUATED
        flags[:count][~((values >= low) & (values <= high))] = QartodFlag.SUSPECT
        self._flat_column(times, values, flags[:count])
        self._last_t, self._reference = float(times[-1]), float(values[-1])
        self._seen += count
        return count

    def _usual(self, steps: Floats, jumps: Floats, floors: float | Floats) -> int:
        """Learn from the changes, up to the first that is a gap or a jump; its place."""
        change, usual = self._change, self._period
        every = steps.tolist()
        regular = every.count(usual) == len(every)
        count = len(every)
        for at, jump in enumerate(jumps.tolist()):
            if not regular:
                step = every[at]
                if step > GAP_FACTOR * usual:
                    count = at
                    break
            if jump > change:
                if jump > SPIKE_FACTOR * change and jump > (
                    floors if isinstance(floors, float) else floors[at]
                ):
                    count = at
                    break
                change = change * CHANGE_RISES if change else jump
            else:
                change *= CHANGE_FALLS
            if not regular:
                usual += 0.1 * (min(step, 3 * usual) - usual)
        self._change, self._period = change, usual
        return count

    def _flat_column(self, times: Floats, values: Floats, flags: Flags) -> None:
        """Worse flags where nothing has changed for too long; and what is remembered of it."""
        limits, count = self._limits, len(values)
        same = np.empty(count, bool)
        same[0] = values[0] == self._flat_value
        np.equal(values[1:], values[:-1], out=same[1:])
        places = np.arange(count)
        starts = np.maximum.accumulate(np.where(same, -1, places))
        known = starts >= 0
        readings = np.where(known, places - starts + 1, self._flat_count + places + 1)
        since = np.where(known, times[starts], self._flat_since)
        self._flat_value = float(values[-1])
        self._flat_count, self._flat_since = int(readings[-1]), float(since[-1])
        if limits.flat_s is None or readings.max() < limits.flat_readings:
            return
        allowed = np.full(count, limits.flat_s)
        if limits.still is not None:
            allowed[(values >= limits.still[0]) & (values <= limits.still[1])] *= STILL_FACTOR
        still = times - since
        flat = same & ~(values <= limits.flat_above)
        flat &= (still >= allowed) & (readings >= limits.flat_readings)
        flags[flat] = QartodFlag.SUSPECT
        flat &= (still >= FLAT_FAIL * allowed) & (readings >= FLAT_FAIL * limits.flat_readings)
        flags[flat] = QartodFlag.FAIL


class ColumnSondeQc(SondeQc):
    """``SondeQc`` that also takes columns."""

    signal_type = ColumnQc

    def check_columns(self, times: Floats, columns: Sequence[Floats]) -> list[Flags]:
        """A column of flags for each of values; as ``ColumnQc.check_column``."""
        flags = [
            one.check_column(times, values)
            for one, values in zip(self.signals, columns, strict=True)
            if isinstance(one, ColumnQc)
        ]
        still = self._stands_still(columns)
        if still is not None:
            for one in flags:
                good = (one == QartodFlag.GOOD) | (one == QartodFlag.NOT_EVALUATED)
                one[still & good] = QartodFlag.SUSPECT
        return flags

    def _stands_still(self, columns: Sequence[Floats]) -> NDArray[np.bool_] | None:
        """Where the sonde only repeats itself; ``None`` where it does nowhere."""
        if len(columns) < ENOUGH_SIGNALS or not len(columns[0]):
            return None
        matrix = np.stack(columns)
        missing = np.isnan(matrix)
        last = [np.nan if value is None else value for value in self.standstill.last]
        before = np.full_like(matrix, np.nan)
        before[:, 1:] = matrix[:, :-1]
        same = (matrix == before) | (missing & np.isnan(before))
        same[:, 0] = [
            a == b or (a != a and b != b) for a, b in zip(matrix[:, 0].tolist(), last, strict=True)
        ] if last else False  # fmt: skip
        repeats = same.all(axis=0) & ((~missing).sum(axis=0) >= ENOUGH_SIGNALS)
        rows = tuple(None if value != value else value for value in matrix[:, -1].tolist())
        found = self.standstill.take_many(repeats.tolist(), rows)
        return np.array(found) if any(found) else None
