"""Rows of a recording that need nothing special, flagged column by column.

What is told of them, and the flags, are those of the same rows one by one (``replay``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from vigil_edge.water.qc_columns import ColumnSondeQc, Flags, Floats
from vigil_edge.water.rows import Row
from vigil_edge.water.times_at_once import Microseconds, TimesAtOnce, iso_texts
from vigil_schemas.recordings.cells import FILL, CellReader
from vigil_schemas.recordings.limits import Limits
from vigil_schemas.recordings.recording import Piece
from vigil_schemas.recordings.row_reader import UNTIL
from vigil_schemas.recordings.row_times import RowTimes
from vigil_schemas.recordings.series import Group, Series
from vigil_schemas.recordings.tally import Side, Tally
from vigil_schemas.types import QartodFlag

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_BLANK: Final = frozenset({"", "NULL", "NA", "NaN", "null", "nan"})
"""The usual words for "no reading"; ``CellReader`` knows more."""
_BEYOND: Final[dict[Side, float]] = {"high": np.inf, "low": -np.inf}


SondeGroup = Group[ColumnSondeQc]


class ColumnSeries(Series[ColumnSondeQc]):
    """``SondeSeries`` whose judges also take columns."""

    def judge(self, names: Sequence[str], limits: Sequence[Limits]) -> ColumnSondeQc:  # noqa: ARG002  # their limits say it
        """Fresh."""
        return ColumnSondeQc(limits)


@dataclass(slots=True)
class Block:
    """Rows of one series; NaN is a missing value. Shapes (rows,)."""

    times: list[str]
    names: list[str]
    values: list[Floats]
    flags: list[Flags]
    sides: dict[int, dict[str, Side]]
    """By row, signals off scale."""
    station: str | None = None


class ByColumns:
    """Takes pieces of a recording, where it can."""

    def __init__(
        self, columns: int, times: RowTimes, series: Series[ColumnSondeQc],
        doubtful: frozenset[float], tally: Tally,
    ) -> None:  # fmt: skip
        self._columns, self._times, self._series = columns, times, series
        self._doubtful, self._tally = doubtful, tally
        self._at_once = TimesAtOnce(times.reader)

    def take(self, piece: Piece, moment: datetime | None) -> tuple[Block, SondeGroup, Row] | None:
        """All rows but the last, and the last by itself; ``moment`` is that of the row before.

        ``None``, and nothing is changed, where a row has no time, the time or the series of
        the row before, or cells too many: these are looked at one by one.
        """
        if len(piece.rows) < 2 or set(map(len, piece.rows)) != {self._columns}:
            return None
        texts = self._times.texts(piece.rows)
        times = None if texts is None else self._at_once.read(texts)
        if texts is None or times is None or not np.diff(times).all():
            return None
        if moment is not None and (moment - _EPOCH) // timedelta(microseconds=1) == times[0]:
            return None
        group = self._series.of_all(piece.rows)
        if group is None:
            return None
        return self._judged(piece, texts, times, group)

    def _judged(
        self, piece: Piece, texts: Sequence[str], times: Microseconds, group: SondeGroup
    ) -> tuple[Block, SondeGroup, Row]:
        cells, count = list(zip(*piece.rows, strict=True)), len(piece.rows)
        sides: dict[int, dict[str, Side]] = {}
        values, judged = [], []
        for place, (_, at, reader) in enumerate(group.columns):
            numbers = _Numbers(reader, group.before[place], self._doubtful, sides)
            values.append(numbers.read(cells[at]))
            judged.append(numbers.judged(values[-1]))
        seconds = times / 1e6
        self._count_times(group, piece.numbers, texts, seconds)
        group.rows += count
        group.before = [None if one[-1] != one[-1] else float(one[-1]) for one in values]
        flags = group.judge.check_columns(seconds, judged)
        self._count_flags(group.names, flags, sides)
        station_at = self._series.station_at
        station = None if station_at is None else piece.rows[0][station_at].strip()
        block = Block(
            iso_texts(times[:-1]), group.names, [one[:-1] for one in values],
            [one[:-1] for one in flags], sides, station,
        )  # fmt: skip
        row = Row(
            piece.numbers[-1],
            _EPOCH + timedelta(microseconds=int(times[-1])),
            dict(zip(group.names, group.before, strict=True)),
            {n: QartodFlag(int(one[-1])) for n, one in zip(group.names, flags, strict=True)},
            sides.pop(count - 1, None),
            station,
        )
        return block, group, row

    def _count_times(
        self, group: SondeGroup, numbers: Sequence[int], texts: Sequence[str], seconds: Floats
    ) -> None:
        tally = self._tally
        steps = np.diff(seconds, prepend=-np.inf if group.seconds is None else group.seconds)
        group.seconds = float(seconds[-1])
        tally.moments += int(np.count_nonzero(steps))
        backward = np.flatnonzero(steps < 0)
        beyond = np.flatnonzero((seconds < 0) | (seconds >= UNTIL))
        tally.backward += len(backward)
        tally.beyond_years += len(beyond)
        if len(backward):
            at = int(backward[0])
            tally.first_backward = tally.first_backward or (numbers[at], texts[at])
        if len(beyond):
            at = int(beyond[0])
            tally.first_beyond = tally.first_beyond or (numbers[at], texts[at])

    def _count_flags(
        self, names: list[str], flags: list[Flags], sides: dict[int, dict[str, Side]]
    ) -> None:
        tally = self._tally
        for one in sides.values():
            tally.off_scale.update(one.items())
        for name, column in zip(names, flags, strict=True):
            for counter, flag in (
                (tally.failed, QartodFlag.FAIL),
                (tally.missing, QartodFlag.MISSING),
            ):
                count = int(np.count_nonzero(column == flag))
                if count:
                    counter[name] += count


class _Numbers:
    """The cells of one signal in one piece."""

    def __init__(
        self, reader: CellReader, before: float | None, doubtful: frozenset[float],
        sides: dict[int, dict[str, Side]],
    ) -> None:  # fmt: skip
        self._reader, self._before, self._doubtful = reader, before, doubtful
        self._sides = sides

    def read(self, texts: Sequence[str]) -> Floats:
        """NaN where there is none."""
        if not self._reader.careful and "_" not in "".join(texts):
            try:
                numbers = list(map(float, texts))
            except ValueError:
                return self._one_by_one(texts)
            found = np.array(numbers)
            if np.abs(found).max() < FILL and self._doubtful.isdisjoint(numbers):
                return found
        return self._one_by_one(texts)

    def judged(self, values: Floats) -> Floats:
        """Infinite where the sensor was off scale."""
        name = self._reader.name
        beyond = [(at, one[name]) for at, one in self._sides.items() if name in one]
        if not beyond:
            return values
        values = values.copy()
        for at, side in beyond:
            values[at] = _BEYOND[side]
        return values

    def _one_by_one(self, texts: Sequence[str]) -> Floats:
        reader, before, doubtful = self._reader, self._before, self._doubtful
        found: list[float | None] = []
        for at, text in enumerate(texts):
            if text in _BLANK:
                reader.seen(before)
                before = None
                found.append(None)
                continue
            try:
                value = float(text)
                plain = -FILL < value < FILL and value not in doubtful
                if plain and not reader.careful and "_" not in text:
                    before = value
                    found.append(value)
                    continue
            except ValueError:
                pass
            cell = reader.read(text, before)
            before = cell.value
            found.append(before)
            if cell.side is not None:
                self._sides.setdefault(at, {})[reader.name] = cell.side
        numbers: NDArray[np.float64] = np.array(found, np.float64)
        return numbers
