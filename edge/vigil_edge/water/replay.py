"""The gateway's quality control over a recording: one result for each row, in the file's order.

Two different values of one signal for one moment are suspect both: which is right cannot
be known. That looks ahead to the rows of the same moment, and no further.

Where numpy is installed, rows that need nothing special are read by columns (``replay_columns``);
a gateway of water probes has none (its extra is ``edge-water``) and reads each row by itself.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final, Generic, TypeAlias, TypeVar

from vigil_edge.water.rows import Row
from vigil_edge.water.series import SondeSeries
from vigil_edge.water.sonde import SondeQc
from vigil_schemas.recordings.recording import Piece, Recording
from vigil_schemas.recordings.row_reader import RowReader, sample_of
from vigil_schemas.recordings.series import Group, Wanted
from vigil_schemas.recordings.tally import Side, Tally
from vigil_schemas.types import QartodFlag

if TYPE_CHECKING:
    from vigil_edge.water.replay_columns import Block

_Judge = TypeVar("_Judge", bound=SondeQc)
_Many: TypeAlias = "tuple[Block, Group[_Judge], Row]"
"""All rows of a piece but the last, their series, and the last by itself."""

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
    sample = sample_of(recording)
    if not by_columns_here():
        series = SondeSeries(recording, signals, sample, wanted, tally)
        each = RowReader(recording, time_column, series, sample, tally)
        return _Replay(recording, each, tally, _none_at_once).rows()
    from vigil_edge.water.replay_columns import ByColumns, ColumnSeries

    many = ColumnSeries(recording, signals, sample, wanted, tally)
    reader = RowReader(recording, time_column, many, sample, tally)
    by_columns = ByColumns(len(recording.header), reader.times, many, reader.doubtful, tally)
    return _Replay(recording, reader, tally, by_columns.take).rows()


def by_columns_here() -> bool:
    """Whether numpy is installed, and rows can be read many at once."""
    return find_spec("numpy") is not None


def _none_at_once(piece: Piece, moment: datetime | None) -> None:  # noqa: ARG001  # as ``ByColumns.take``
    return None


class _Replay(Generic[_Judge]):
    def __init__(
        self,
        recording: Recording,
        reader: RowReader[_Judge],
        tally: Tally,
        take_many: Callable[[Piece, datetime | None], _Many[_Judge] | None],
    ) -> None:
        self._recording, self._reader, self._tally = recording, reader, tally
        self._take_many = take_many

    def rows(self) -> Iterator[Row | Block]:
        """In the file's order."""
        held = _Held[_Judge]()
        for piece in self._recording.pieces():
            waiting = deque([piece])
            while waiting:
                part = waiting.popleft()
                if len(part.rows) <= _ONE_BY_ONE or self._reader.under_another_header:
                    for group, row in self._judged(part):
                        yield from held.put(group, row)
                elif (found := self._take_many(part, held.moment)) is None:
                    waiting.extendleft(reversed(part.halves()))
                else:
                    block, group, row = found
                    yield from held.release()
                    yield block
                    yield from held.put(group, row)
        yield from held.release()
        self._reader.series.finish()

    def _judged(self, piece: Piece) -> Iterator[tuple[Group[_Judge], Row]]:
        for one in self._reader.read(piece):
            group, values = one.group, one.values
            if group is None or values is None:
                continue
            flags = self._flags(group, one.seconds, values, one.sides)
            names = group.names
            row = Row(
                one.line,
                one.t,
                dict(zip(names, values, strict=True)),
                dict(zip(names, flags, strict=True)),
                one.sides,
                one.station,
            )
            yield group, row

    def _flags(
        self,
        group: Group[_Judge],
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


class _Held(Generic[_Judge]):
    """Rows of one moment, held back to see whether they contradict each other."""

    def __init__(self) -> None:
        self.moment: datetime | None = None
        self._rows: list[tuple[Group[_Judge], Row]] = []

    def put(self, group: Group[_Judge], row: Row) -> Iterator[Row]:
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
