"""The rows of a recording one by one: when each was, of which series, and what it holds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Final, Generic

from vigil_schemas.recordings import layout
from vigil_schemas.recordings.cells import FAMILY, FILL
from vigil_schemas.recordings.recording import Piece, Recording
from vigil_schemas.recordings.row_times import RowTimes
from vigil_schemas.recordings.series import Group, Judge, Series
from vigil_schemas.recordings.tally import Side, Tally

UNTIL: Final = datetime(2101, 1, 1, tzinfo=UTC).timestamp()
"""No recording is from later; seconds since 1970."""


@dataclass(slots=True)
class Taken(Generic[Judge]):
    """One row. ``group`` is ``None`` where it is no reading that was asked for: units, a header
    once more, statistics, another station."""

    line: int
    text: str
    """Its time as it is written."""
    t: datetime | None = None
    """``None`` where it cannot be read."""
    seconds: float | None = None
    """The same since 1970."""
    group: Group[Judge] | None = None
    station: str | None = None
    values: list[float | None] | None = None
    sides: dict[str, Side] | None = None
    """Signals beyond what the sensor can measure; their value is the bound that was stated."""


class RowReader(Generic[Judge]):
    """Raises ``ColumnUnknown``, ``ColumnAmbiguous``, ``RecordingEmpty`` and ``TimesUnreadable``
    before the first row."""

    def __init__(
        self,
        recording: Recording,
        time_column: str,
        series: Series[Judge],
        sample: layout.Rows,
        tally: Tally,
    ) -> None:
        if not recording.encoding_certain:
            tally.guessed.append(
                "the file is not UTF-8 throughout; read as"
                f" {recording.encoding.removesuffix('-sig')} (--encoding NAME says otherwise)"
            )
        places = sorted(set(series.places.values()))
        wanted = series.wanted
        times = RowTimes(recording, time_column, sample, places, wanted.offset, tally)
        self._not_readings, units = layout.header_rows(sample, times.columns, places, times.reader)
        tally.no_readings["rows of units"] += len(self._not_readings)
        times.take_units(self._not_readings)
        series.find_columns(times.columns, units)
        layout.check_width(recording, sample, self._not_readings)
        times.check(self._not_readings)
        self.times, self.series = times, series
        self.doubtful = FAMILY | wanted.sentinels
        self._recording, self._tally = recording, tally
        self._columns = len(recording.header)
        self.under_another_header = False

    def read(self, piece: Piece) -> Iterator[Taken[Judge]]:
        """Each of its rows."""
        times, series, tally = self.times, self.series, self._tally
        station_at, date_at, read = series.station_at, times.columns.date, times.reader.read
        whole_date, only = times.has_whole_date, series.only()
        for line, cells in zip(piece.numbers, piece.rows, strict=True):
            if whole_date:
                text = cells[date_at] if date_at < len(cells) else ""
                t = read(text)
            else:
                text = times.text(cells)
                t = times.read(text, cells)
            if t is None and (line in self._not_readings or self._is_no_reading(cells)):
                yield Taken(line, text)
                continue
            if self.under_another_header:
                tally.no_readings["rows under another header"] += 1
                yield Taken(line, text)
                continue
            if len(cells) > self._columns and any(map(str.strip, cells[self._columns :])):
                tally.too_long += 1
                tally.first_too_long = tally.first_too_long or line
            group = only or series.of(cells)
            if group is None:
                yield Taken(line, text)
                continue
            group.rows += 1
            values, sides = self._values(group, cells)
            seconds = self._count_time(group, line, t, text)
            station = None if station_at is None else layout.cell(cells, station_at).strip()
            group.before = values
            yield Taken(line, text, t, seconds, group, station, values, sides)

    def _values(
        self, group: Group[Judge], cells: list[str]
    ) -> tuple[list[float | None], dict[str, Side] | None]:
        """Each signal's number; and of those off scale, on which side."""
        doubtful, values = self.doubtful, list[float | None]()
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
        self, group: Group[Judge], line: int, t: datetime | None, text: str
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

    def _is_no_reading(self, cells: list[str]) -> bool:
        """Of a row without a time: whether it is a header once more, or a summary."""
        if self._is_another_header(cells):
            self.under_another_header = True
            self._tally.no_readings["headers of other columns"] += 1
        elif layout.is_header(cells, self._recording.header):
            self.under_another_header = False
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
        time_at = self.times.columns.date
        return cell(cells, time_at).strip() == header[time_at] and any(
            (name := cell(cells, at).strip()) not in ("", header[at]) and not layout.is_number(name)
            for at in self.series.places.values()
        )


def sample_of(recording: Recording) -> layout.Rows:
    """The first rows, by which columns are known."""
    return list(islice(recording.rows(), layout.SAMPLE))
