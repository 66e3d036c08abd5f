"""The series in a recording: one of each station, and in a long table of each item.

Each has its own judge, so that what one shows is never held against another.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from typing import Final, Generic, TypeVar

from vigil_schemas.recordings import layout
from vigil_schemas.recordings.cells import SENTINELS, CellReader, Commas, decide_commas
from vigil_schemas.recordings.errors import OptionWrong, StationUnknown
from vigil_schemas.recordings.expected import ANYTHING, doubtful_unit, limits_for
from vigil_schemas.recordings.layout import Rows, TimeColumns, cell
from vigil_schemas.recordings.limits import Limits
from vigil_schemas.recordings.recording import Recording
from vigil_schemas.recordings.tally import Tally

MOST_GROUPS: Final = 10_000
"""What sets more series apart than this is no station: each of them takes memory."""
Judge = TypeVar("Judge")
"""Whatever judges one series: it has a state of its own."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked of a recording besides times and signals."""

    limits: Mapping[str, Limits] = field(default_factory=dict)
    """By signal; others go by their name."""
    offset: tzinfo | None = None
    """Of times that state no zone, where it was given."""
    sentinels: frozenset[float] = frozenset()
    """Numbers that mean "no reading", besides those that always do."""
    kept: frozenset[float] = frozenset()
    """Numbers that look like it, and are readings."""
    commas: Commas | None = None
    station: tuple[str, str] | None = None
    """Column and name."""
    item: str | None = None
    """Of a long table: the column that names what ``value`` is of; signals are its names."""
    value: str | None = None


@dataclass(slots=True)
class Group(Generic[Judge]):
    """What is remembered of one series."""

    judge: Judge
    columns: list[tuple[str, int, CellReader]]
    """Name, place in the row, and reader of each signal."""
    names: list[str]
    before: list[float | None]
    """The values of the row before."""
    seconds: float | None = None
    """Its time."""
    rows: int = 0


class Series(ABC, Generic[Judge]):
    """Finds the group of a row. Raises ``ColumnUnknown`` and ``ColumnAmbiguous``."""

    def __init__(
        self, recording: Recording, signals: Sequence[str], sample: Rows, wanted: Wanted,
        tally: Tally,
    ) -> None:  # fmt: skip
        self._recording, self._sample = recording, sample
        self.wanted, self._tally = wanted, tally
        self._signals = list(dict.fromkeys(signals))
        value_at = None if wanted.value is None else recording.column(wanted.value)
        self.places = {
            name: recording.column(name) if value_at is None else value_at for name in self._signals
        }
        self.station_at: int | None = None
        self._item_at = None if wanted.item is None else recording.column(wanted.item)
        self._long = self._item_at is not None
        self._unit_at = layout.unit_column(recording)
        self._units: dict[int, str] = {}
        self._commas: dict[str, tuple[Commas, bool]] | None = None
        self._groups: dict[tuple[str, str, str], Group[Judge]] = {}
        """By station, item and unit: what was noted in another unit is another series."""

    def find_columns(self, time: TimeColumns, units: dict[int, str]) -> None:
        """The columns of stations and items, once those of the time are known."""
        recording, tally, taken = self._recording, self._tally, set(self.places.values())
        taken |= set() if self._item_at is None else {self._item_at}
        self._units = units
        if self.wanted.station is not None:
            self.station_at = recording.column(self.wanted.station[0])
        else:
            if self._item_at is None:
                named = layout.item_column(recording, {*taken, time.date})
                taken |= set() if named is None else {named}
            taken |= set() if self._unit_at is None else {self._unit_at}
            self.station_at = layout.station_column(recording, self._sample, time, taken)
            if self.station_at is not None:
                tally.station_column = recording.header[self.station_at]
        if self._item_at is None:
            self._item_at = layout.item_column(recording, {*self.places.values(), time.date})
            if self._item_at is not None:
                tally.item_column = recording.header[self._item_at]

    def only(self) -> Group[Judge] | None:
        """The group of every row, where nothing sets rows apart."""
        return self.of([]) if self.station_at is None and self._item_at is None else None

    def of(self, cells: list[str]) -> Group[Judge] | None:
        """The group of this row; ``None`` where it is not asked for."""
        station = "" if self.station_at is None else cell(cells, self.station_at).strip()
        item = "" if self._item_at is None else cell(cells, self._item_at).strip()
        key, tally = (station, item), self._tally
        tally.groups.add(key)
        if self.wanted.station is not None and station != self.wanted.station[1]:
            tally.no_readings["rows of other stations"] += 1
            return None
        if self._long and item not in self.places:
            tally.no_readings["rows of other items"] += 1
            return None
        unit = "" if self._unit_at is None else cell(cells, self._unit_at).strip()
        group = self._groups.get((*key, unit))
        if group is None:
            if len(self._groups) >= MOST_GROUPS:
                raise self._too_many()
            group = self._new([item] if self._long else None, item, unit)
            self._groups[*key, unit] = group
        return group

    def _too_many(self) -> OptionWrong:
        header, places = self._recording.header, (self.station_at, self._item_at, self._unit_at)
        columns = ", ".join(repr(header[at]) for at in places if at is not None)
        return OptionWrong(
            f"{columns} set more than {MOST_GROUPS} series apart; --station COLUMN=NAME takes one"
            " of them"
        )

    def of_all(self, rows: Sequence[list[str]]) -> Group[Judge] | None:
        """The group of all these rows, which are whole; ``None`` where they are of several."""
        places = [at for at in (self.station_at, self._item_at, self._unit_at) if at is not None]
        if any(len({cells[at] for cells in rows}) > 1 for at in places):
            return None
        station = None if self.station_at is None else rows[0][self.station_at].strip()
        if self.wanted.station is not None and station != self.wanted.station[1]:
            return None  # each row that is left out is counted
        if self._long and rows[0][self._item_at or 0].strip() not in self.places:
            return None
        return self.of(rows[0])

    def finish(self) -> None:
        """Sum up. Raises ``StationUnknown`` where no row was of what was asked for."""
        tally = self._tally
        for group in self._groups.values():
            tally.rows += group.rows
            for name in group.names:
                tally.present[name] += group.rows
        tally.unreadable_values = sum(sum(words.values()) for words in tally.dropped.values())
        if self._commas is not None and self._recording.delimiter == ",":
            tally.guessed += [_comma_line(name, how) for name, (how, _) in self._commas.items()]
        if tally.rows:
            return
        path, wanted = self._recording.path, self.wanted.station
        stations, items = (sorted({key[at] for key in tally.groups}) for at in (0, 1))
        if wanted is not None and wanted[1] not in stations:
            raise StationUnknown(path, f"station {wanted[1]!r}", stations)
        if self._long:
            raise StationUnknown(path, ", ".join(self._signals), items)

    def _new(self, names: list[str] | None, item: str, unit: str) -> Group[Judge]:
        names, tally, wanted = names or self._signals, self._tally, self.wanted
        columns = []
        for name in names:
            at = self.places[name]
            reader = CellReader(
                name,
                self._limits(name, at, item, unit),
                SENTINELS | wanted.sentinels,
                wanted.kept,
                typical=layout.typical(self._sample, at) if not item else None,
                decide=self._comma_of,
                dropped=tally.dropped.setdefault(name, Counter()),
                assumed=tally.assumed.setdefault(name, Counter()),
            )
            columns.append((name, at, reader))
        judge = self.judge(names, [reader.limits for _, _, reader in columns])
        return Group(judge, columns, list(names), [None] * len(columns))

    @abstractmethod
    def judge(self, names: Sequence[str], limits: Sequence[Limits]) -> Judge:
        """One for a series of these signals."""

    def _limits(self, name: str, at: int, item: str, unit: str) -> Limits:
        if name in self.wanted.limits:
            return self.wanted.limits[name]
        said = name if self._long else self._recording.header[at]
        unit = unit or self._units.get(at, "")
        doubtful = doubtful_unit(said, unit)
        if doubtful is not None:
            line = f"{name}: no limits are known in the unit {doubtful}"
            if line not in self._tally.guessed:
                self._tally.guessed.append(line)
        found = limits_for(said, unit)
        # A column "value" is what its row's item says.
        return limits_for(item, unit) if item and found is ANYTHING else found

    def _comma_of(self, name: str) -> tuple[Commas, bool]:
        """Asked for when the first comma of a signal comes up: all its cells decide."""
        if self.wanted.commas is not None:
            return self.wanted.commas, self.wanted.commas == "decimal"
        if self._commas is None:
            self._commas = self._all_commas()
        return self._commas[name]

    def _all_commas(self) -> dict[str, tuple[Commas, bool]]:
        found: dict[str, tuple[Commas, bool]] = {}
        for name, at in self.places.items():
            texts = (cell(cells, at) for _, cells in self._recording.rows())
            limits = self._limits(name, at, "", "")
            found[name] = decide_commas(texts, limits, self._recording.delimiter)
        sure = {commas for commas, _ in found.values() if commas != "unclear"}
        if len(sure) == 1:  # one program wrote them all
            only = next(iter(sure))
            return {
                name: (only if how == "unclear" else how, points)
                for name, (how, points) in found.items()
            }
        return found


def _comma_line(name: str, commas: Commas) -> str:
    if commas == "unclear":
        return (
            f"{name}: whether the comma in its numbers is a decimal one cannot be told; they are"
            " left out (--decimal comma or --decimal point says it)"
        )
    what = "8,125 is 8.125" if commas == "decimal" else "8,125 is 8125"
    return f"{name}: commas in its numbers are read so that {what}, by all of its cells"
