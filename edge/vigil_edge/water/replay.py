"""The gateway's quality control over a recording: one result for each row, in the file's order.

Two different values of one signal for one moment are suspect both: which is right cannot
be known. That looks ahead to the rows of the same moment, and no further.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Final

from vigil_edge.water.replay_columns import Block, ByColumns, SondeGroup, SondeSeries
from vigil_edge.water.rows import UNTIL, Row
from vigil_schemas.recordings import layout
from vigil_schemas.recordings.cells import FAMILY, FILL
from vigil_schemas.recordings.recording import Piece, Recording
from vigil_schemas.recordings.row_times import RowTimes
from vigil_schemas.recordings.series import Wanted
from vigil_schemas.recordings.tally import Side, Tally
from vigil_schemas.types import QartodFlag

_ONE_BY_ONE: Final = 48
"""So many rows are not worth a look at their columns."""
_AT_ONE_MOMENT: Final = 10_000
"""Rows of one moment that are held back at most, to see whether they contradict each other."""
_BEYOND: Final[dict[Side, float]] = {"high": math.inf, "low": -math.inf}
_MISSING, _FAIL, _SUSPECT = QartodFlag.MISSING, QartodFlag.FAIL, QartodFlag.SUSPECT


def replay(
    recording: Recording,
    time_column: str,
    signals: Sequence[str],
    wanted: Wanted | None = None,
    tally: Tally | None = None,
) -> Iterator[Row | Block]:
    """Flag every row; many that need nothing special come together.

    Raises ``ColumnUnknown``, ``ColumnAmbiguous``, ``RecordingEmpty`` and ``TimesUnreadable``
    before the first row, ``StationUnknown`` where there was none.
    """
    wanted, tally = wanted or Wanted(), tally or Tally()
    if not recording.encoding_certain:
        tally.guessed.append(
            f"the file is not UTF-8 throughout; read as {recording.encoding.removesuffix('-sig')}"
            " (--encoding NAME says otherwise)"
        )
    sample = list(islice(recording.rows(), layout.SAMPLE))
    series = SondeSeries(recording, signals, sample, wanted, tally)
    places = sorted(set(series.places.values()))
    times = RowTimes(recording, time_column, sample, places, wanted.offset, tally)
    not_readings, units = layout.header_rows(sample, times.columns, places, times.reader)
    tally.no_readings["rows of units"] += len(not_readings)
    series.find_columns(times.columns, units)
    layout.check_width(recording, sample, not_readings)
    times.check(not_readings)
    return _Replay(recording, times, series, not_readings, FAMILY | wanted.sentinels, tally).rows()


class _Replay:
    def __init__(
        self,
        recording: Recording,
        times: RowTimes,
        series: SondeSeries,
        not_readings: set[int],
        doubtful: frozenset[float],
        tally: Tally,
    ) -> None:
        self._recording, self._times, self._series = recording, times, series
        self._not_readings, self._doubtful, self._tally = not_readings, doubtful, tally
        self._columns = len(recording.header)
        self._under_another_header = False
        self._by_columns = ByColumns(self._columns, times, series, doubtful, tally)

    def rows(self) -> Iterator[Row | Block]:
        """In the file's order."""
        held = _Held()
        for piece in self._recording.pieces():
            waiting = deque([piece])
            while waiting:
                part = waiting.popleft()
                if len(part.rows) <= _ONE_BY_ONE or self._under_another_header:
                    for group, row in self._judged(part):
                        yield from held.put(group, row)
                elif (found := self._by_columns.take(part, held.moment)) is None:
                    waiting.extendleft(reversed(part.halves()))
                else:
                    block, group, row = found
                    yield from held.release()
                    yield block
                    yield from held.put(group, row)
        yield from held.release()
        self._series.finish()

    def _judged(self, piece: Piece) -> Iterator[tuple[SondeGroup, Row]]:
        times, series, station_at = self._times, self._series, self._series.station_at
        date_at, read = times.columns.date, times.reader.read
        whole_date = times.has_whole_date
        only, not_readings = series.only(), self._not_readings
        for line, cells in zip(piece.numbers, piece.rows, strict=True):
            if whole_date:
                text = cells[date_at] if date_at < len(cells) else ""
                t = read(text)
            else:
                text = times.text(cells)
                t = times.read(text, cells)
            if t is None and (line in not_readings or self._is_no_reading(cells)):
                continue
            if self._under_another_header:
                self._tally.no_readings["rows under another header"] += 1
                continue
            if len(cells) > self._columns and any(map(str.strip, cells[self._columns :])):
                self._tally.too_long += 1
                self._tally.first_too_long = self._tally.first_too_long or line
            group = only or series.of(cells)
            if group is None:
                continue
            group.rows += 1
            values, sides = self._values(group, cells)
            seconds = self._count_time(group, line, t, text)
            flags = self._flags(group, seconds, values, sides)
            group.before = values
            names = group.names
            row = Row(
                line,
                t,
                dict(zip(names, values, strict=True)),
                dict(zip(names, flags, strict=True)),
                sides,
            )
            if station_at is not None:
                row.station = layout.cell(cells, station_at).strip()
            yield group, row

    def _values(
        self, group: SondeGroup, cells: list[str]
    ) -> tuple[list[float | None], dict[str, Side] | None]:
        """Each signal's number; and of those off scale, on which side."""
        doubtful, values = self._doubtful, list[float | None]()
        sides: dict[str, Side] | None = None
        for name, at, reader in group.columns:
            text = cells[at] if at < len(cells) else ""
            try:
                value = float(text)
                if (
                    -FILL < value < FILL
                    and value not in doubtful
                    and not reader.careful
                    and "_" not in text
                ):
                    values.append(value)
                    continue
            except ValueError:
                pass
            found = reader.read(text, group.before[len(values)])
            values.append(found.value)
            if found.side is not None:
                sides = sides or {}
                sides[name] = found.side
        return values, sides

    def _count_time(
        self, group: SondeGroup, line: int, t: datetime | None, text: str
    ) -> float | None:
        tally = self._tally
        if t is None:
            tally.unreadable_times += 1
            tally.first_unreadable = tally.first_unreadable or (line, text)
            return None
        seconds = t.timestamp()
        if group.seconds is not None and seconds < group.seconds:
            tally.backward += 1
            tally.first_backward = tally.first_backward or (line, text)
        if seconds != group.seconds:
            tally.moments += 1
            group.seconds = seconds
        if not 0.0 <= seconds < UNTIL:
            tally.beyond_years += 1
            tally.first_beyond = tally.first_beyond or (line, text)
        return seconds

    def _flags(
        self,
        group: SondeGroup,
        seconds: float | None,
        values: list[float | None],
        sides: dict[str, Side] | None,
    ) -> list[QartodFlag]:
        tally, judged = self._tally, values
        if sides is not None:
            tally.off_scale.update(sides.items())
            judged = [
                _BEYOND[sides[name]] if name in sides else value
                for name, value in zip(group.names, values, strict=True)
            ]
        flags = group.judge.check(seconds, judged)
        if _FAIL in flags:
            pairs = zip(group.names, flags, strict=True)
            tally.failed.update(name for name, flag in pairs if flag is _FAIL)
        if _MISSING in flags:
            pairs = zip(group.names, flags, strict=True)
            tally.missing.update(name for name, flag in pairs if flag is _MISSING)
        return flags

    def _is_no_reading(self, cells: list[str]) -> bool:
        """Of a row without a time: whether it is a header once more, or a summary."""
        if self._is_another_header(cells):
            self._under_another_header = True
            self._tally.no_readings["headers of other columns"] += 1
        elif layout.is_header(cells, self._recording.header):
            self._under_another_header = False
            self._tally.no_readings["headers once more"] += 1
        elif layout.is_statistic(cells):
            self._tally.no_readings["rows of statistics"] += 1
        else:
            return False
        return True

    def _is_another_header(self, cells: list[str]) -> bool:
        """Whether it names the time where the header does, and other signals than it.

        A header that is torn behind the time names none: rows under it are of the columns before.
        """
        header, cell = self._recording.header, layout.cell
        time_at = self._times.columns.date
        return cell(cells, time_at).strip() == header[time_at] and any(
            (name := cell(cells, at).strip()) not in ("", header[at]) and not layout.is_number(name)
            for at in self._series.places.values()
        )


class _Held:
    """Rows of one moment, held back to see whether they contradict each other."""

    def __init__(self) -> None:
        self.moment: datetime | None = None
        self._rows: list[tuple[SondeGroup, Row]] = []

    def put(self, group: SondeGroup, row: Row) -> Iterator[Row]:
        """One row in; those of another moment out."""
        if row.t is None or row.t != self.moment or len(self._rows) >= _AT_ONE_MOMENT:
            yield from self.release()
            self.moment = row.t
        else:
            _contradict(row, (other for one, other in self._rows if one is group))
        self._rows.append((group, row))

    def release(self) -> Iterator[Row]:
        """All of them out."""
        for _, row in self._rows:
            yield row
        self._rows.clear()


def _contradict(row: Row, others: Iterator[Row]) -> None:
    """Values that differ from another row's of the same moment are suspect in both."""
    for other in others:
        for name, value in row.values.items():
            twin = other.values.get(name)
            if value is None or twin is None or value == twin:
                continue
            for one in (row, other):
                if one.flags[name] is not _FAIL:
                    one.flags[name] = _SUSPECT
