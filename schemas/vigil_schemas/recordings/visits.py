"""What was found at visits to probes, as a table of any encoding and delimiter.

Columns ``time``, ``signal`` and, where there is such, ``station``; of a cleaning ``before``,
``after``, ``meter_before``, ``meter_after``; of a calibration ``standard`` and ``reading``. Rows of
one time and signal are one visit: buffers 4, 7 and 10 are three of them.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Final

from vigil_schemas.recordings.corrections import Cleaning, Standard, Visit
from vigil_schemas.recordings.errors import OptionWrong
from vigil_schemas.recordings.recording import Recording
from vigil_schemas.recordings.times import TimeReader, decide_order

_NUMBERS: Final = ("before", "after", "meter_before", "meter_after", "standard", "reading")
_PAIRS: Final = (("before", "after"), ("meter_before", "meter_after"), ("standard", "reading"))
Key = tuple[str | None, str]
"""Station, if the table names one, and signal."""


@dataclass(slots=True)
class _Found:
    """Rows of one visit."""

    cleaning: Cleaning | None = None
    standards: list[Standard] = field(default_factory=list)


class VisitTable:
    """One file. ``what``: the option or argument that named it, for what is wrong with it."""

    def __init__(self, path: Path, what: str, signals: Collection[str], among: str) -> None:
        """``signals``: those that it may name; ``among``: where these are listed."""
        self._path, self._what, self._signals, self._among = path, what, signals, among

    def visits(self, offset: tzinfo | None = None) -> dict[Key, list[Visit]]:
        """In order of time. ``offset``: of times that state none; by default UTC. Raises
        ``OptionWrong`` and what ``Recording`` does."""
        found: dict[Key, dict[float, _Found]] = defaultdict(lambda: defaultdict(_Found))
        table = Recording(self._path, ["time", "signal"])
        try:
            for line, key, at, numbers in self._rows(table, offset or UTC):
                self._add(line, found[key][at], numbers)
        finally:
            table.close()
        if not found:
            raise self.wrong(2, "it holds no visit")
        return {
            key: [Visit(at, one.cleaning, tuple(one.standards)) for at, one in sorted(of.items())]
            for key, of in found.items()
        }

    def _rows(
        self, table: Recording, offset: tzinfo
    ) -> Iterator[tuple[int, Key, float, dict[str, float]]]:
        time, signal = table.column("time"), table.column("signal")
        station = table.column("station") if table.has("station") else None
        columns = {name: table.column(name) for name in _NUMBERS if table.has(name)}
        pieces = list(table.pieces())
        rows = [one for piece in pieces for one in zip(piece.numbers, piece.rows, strict=True)]
        width = 1 + max(time, signal, station or 0, *columns.values(), 0)
        rows = [(line, row + [""] * (width - len(row))) for line, row in rows if any(row)]
        reader = TimeReader(decide_order(row[time] for _, row in rows).order, offset)
        for line, row in rows:
            moment, name = reader.read(row[time]), row[signal].strip()
            if moment is None:
                raise self.wrong(line, f"{row[time]!r} is no time")
            if name not in self._signals:
                raise self.wrong(line, f"{name!r} is not among {self._among}")
            where = None if station is None else row[station].strip()
            given = {one: row[at].strip() for one, at in columns.items()}
            numbers = {one: self._number(line, text) for one, text in given.items() if text}
            yield line, (where, name), moment.timestamp(), numbers

    def _number(self, line: int, text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value):
            raise self.wrong(line, f"{text!r} is no number")
        return value

    def _add(self, line: int, of: _Found, numbers: Mapping[str, float]) -> None:
        for pair in _PAIRS:
            if len([name for name in pair if name in numbers]) == 1:
                raise self.wrong(line, f"{pair[0]} and {pair[1]} belong together")
        if not numbers or ("meter_before" in numbers and "before" not in numbers):
            raise self.wrong(line, "it says nothing of a cleaning and nothing of a standard")
        if "before" in numbers:
            if of.cleaning is not None:
                raise self.wrong(line, "a second cleaning of the same signal at the same time")
            of.cleaning = Cleaning(
                numbers["before"],
                numbers["after"],
                numbers.get("meter_before"),
                numbers.get("meter_after"),
            )
        if "standard" in numbers:
            of.standards.append(Standard(numbers["standard"], numbers["reading"]))

    def wrong(self, line: int, why: str) -> OptionWrong:
        """For a line of it."""
        return OptionWrong(f"{self._what} {self._path.name}, line {line}: {why}")
