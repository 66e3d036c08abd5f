"""What was found at visits to a sonde, as a table, and a recording corrected by it.

Columns ``time``, ``signal`` and, where there is such, ``station``; of a cleaning ``before``,
``after``, ``meter_before``, ``meter_after``; of a calibration ``standard`` and ``reading``. Rows of
one time and signal are one visit: buffers 4, 7 and 10 are three of them.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Final

from vigil_edge.water.corrections import (
    CRITERIA,
    Cleaning,
    Criterion,
    Standard,
    Visit,
    corrected_at,
)
from vigil_schemas.recordings import expected
from vigil_schemas.recordings.errors import OptionWrong
from vigil_schemas.recordings.recording import Recording
from vigil_schemas.recordings.times import TimeReader, decide_order

_NUMBERS: Final = ("before", "after", "meter_before", "meter_after", "standard", "reading")
_PAIRS: Final = (("before", "after"), ("meter_before", "meter_after"), ("standard", "reading"))
_OF: Final = (
    (expected.TEMPERATURE, "temperature"),
    (expected.CONDUCTIVITY, "specific_conductance"),
    (expected.DISSOLVED_OXYGEN, "dissolved_oxygen"),
    (expected.PH, "pH"),
    (expected.TURBIDITY, "turbidity_FNU"),
)
_Key = tuple[str | None, str]
"""Station, if the table names one, and signal."""


@dataclass(slots=True)
class _Found:
    """Rows of one visit."""

    cleaning: Cleaning | None = None
    standards: list[Standard] = field(default_factory=list)


class Visits:
    """Of all signals of a recording. Raises ``OptionWrong`` and what ``Recording`` does."""

    def __init__(self, path: Path, signals: Sequence[str], offset: tzinfo | None = None) -> None:
        """``offset``: of times that state none; by default UTC."""
        self._file = path.name
        found: dict[_Key, dict[float, _Found]] = defaultdict(lambda: defaultdict(_Found))
        table = Recording(path, ["time", "signal"])
        try:
            for line, key, at, numbers in self._rows(table, signals, offset or UTC):
                self._add(line, found[key][at], numbers)
        finally:
            table.close()
        if not found:
            raise self._wrong(2, "it holds no visit")
        self._of = {
            key: [Visit(at, one.cleaning, tuple(one.standards)) for at, one in sorted(of.items())]
            for key, of in found.items()
        }
        self._stops = {key: [visit.time for visit in of] for key, of in self._of.items()}
        self._criteria = {signal: self._criterion(signal) for _, signal in self._of}
        self._began: dict[_Key, float] = {}

    def _criterion(self, signal: str) -> Criterion:
        limits = expected.limits_for(signal)
        name = next((name for one, name in _OF if one is limits), None)
        if name is None:
            raise OptionWrong(
                f"--visits {self._file}: {signal!r} has no criterion of TM1-D3: °C, µS/cm, mg/L, pH"
                " and FNU have one"
            )
        return CRITERIA[name]

    def _rows(
        self, table: Recording, signals: Sequence[str], offset: tzinfo
    ) -> Iterator[tuple[int, _Key, float, dict[str, float]]]:
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
                raise self._wrong(line, f"{row[time]!r} is no time")
            if name not in signals:
                raise self._wrong(line, f"{name!r} is not among --signals")
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
            raise self._wrong(line, f"{text!r} is no number")
        return value

    def _add(self, line: int, of: _Found, numbers: Mapping[str, float]) -> None:
        for pair in _PAIRS:
            if len([name for name in pair if name in numbers]) == 1:
                raise self._wrong(line, f"{pair[0]} and {pair[1]} belong together")
        if not numbers or ("meter_before" in numbers and "before" not in numbers):
            raise self._wrong(line, "it says nothing of a cleaning and nothing of a standard")
        if "before" in numbers:
            if of.cleaning is not None:
                raise self._wrong(line, "a second cleaning of the same signal at the same time")
            of.cleaning = Cleaning(
                numbers["before"],
                numbers["after"],
                numbers.get("meter_before"),
                numbers.get("meter_after"),
            )
        if "standard" in numbers:
            of.standards.append(Standard(numbers["standard"], numbers["reading"]))

    def _wrong(self, line: int, why: str) -> OptionWrong:
        return OptionWrong(f"--visits {self._file}, line {line}: {why}")

    def beside(self, text: str) -> str:
        """Lines of a replay, in order, each with ``corrected`` beside ``values``: a number wherever
        there is one. What is beyond the scale is left as it was stated."""
        return "".join(self._line(line) for line in text.split("\n") if line)

    def _line(self, text: str) -> str:
        line = json.loads(text)
        at = None if line["t"] is None else datetime.fromisoformat(line["t"]).timestamp()
        beyond = line.get("off_scale", {})
        shown = {}
        for name, value in line["values"].items():
            key = (line.get("station"), name)
            key = key if key in self._of else (None, name)
            if at is None or value is None or name in beyond or key not in self._of:
                shown[name] = value
                continue
            began = self._began.setdefault((line.get("station"), name), at)
            stops, visits = self._stops[key], self._of[key]
            found = corrected_at(at, value, began, stops, visits, self._criteria[name])
            shown[name] = float(f"{found:.9g}") if found != value else value
        head = {"t": line.pop("t"), "values": line.pop("values"), "corrected": shown}
        return json.dumps({**head, **line}, ensure_ascii=False) + "\n"
