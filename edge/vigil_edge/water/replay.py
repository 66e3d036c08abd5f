"""The gateway's quality control over a recording: one result for each row, in the file's order."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timezone
from typing import Final

from vigil_edge.water.errors import RecordingEmpty, TimesUnreadable
from vigil_edge.water.expected import limits_for
from vigil_edge.water.qc import Limits
from vigil_edge.water.recording import Recording
from vigil_edge.water.sonde import SondeQc
from vigil_edge.water.times import TimeReader, day_first, order_matters
from vigil_schemas.types import QartodFlag

SENTINELS: Final = frozenset({-9999.0, -99999.0, -999999.0})
"""Numbers that loggers write where there was no reading."""
_GROUPED_BY_COMMAS: Final = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d*)?")
_GROUPED_BY_POINTS: Final = re.compile(r"[+-]?\d{1,3}(\.\d{3})+,\d*")


@dataclass(frozen=True, slots=True)
class Row:
    """``t`` is ``None`` where the time cannot be read; a value is ``None`` where it is missing."""

    line: int
    t: datetime | None
    values: dict[str, float | None]
    flags: dict[str, QartodFlag]


@dataclass(slots=True)
class Tally:
    """What could not be read, for the end of a replay."""

    rows: int = 0
    unreadable_times: int = 0
    first_unreadable: tuple[int, str] | None = None
    unreadable_values: int = 0
    flags: dict[QartodFlag, int] = field(default_factory=dict)


def replay(
    recording: Recording,
    time_column: str,
    signals: Sequence[str],
    *,
    limits: Mapping[str, Limits] | None = None,
    offset: timezone = UTC,
    sentinels: frozenset[float] = SENTINELS,
    tally: Tally | None = None,
) -> Iterator[Row]:
    """Flag every row. ``limits`` by signal; others go by their name.

    Raises ``ColumnUnknown``, ``RecordingEmpty`` and ``TimesUnreadable`` before the first row.
    """
    time_at = recording.column(time_column)
    columns = [(name, recording.column(name)) for name in dict.fromkeys(signals)]
    given = limits or {}
    qc = SondeQc(given[name] if name in given else limits_for(name) for name, _ in columns)
    reader = TimeReader(_day_first(recording, time_at), offset)
    _check_times(recording, time_column, time_at, reader)
    return _rows(recording, time_at, columns, qc, reader, sentinels, tally or Tally())


def _rows(
    recording: Recording,
    time_at: int,
    columns: list[tuple[str, int]],
    qc: SondeQc,
    reader: TimeReader,
    sentinels: frozenset[float],
    tally: Tally,
) -> Iterator[Row]:
    comma = recording.decimal_comma
    for line, cells in recording.rows():
        text = cells[time_at] if time_at < len(cells) else ""
        t = reader.read(text)
        seconds = None if t is None else t.timestamp()
        values = {
            name: _number(cells[at], sentinels, comma) if at < len(cells) else None
            for name, at in columns
        }
        flags = dict(zip(values, qc.check(seconds, list(values.values())), strict=True))
        tally.rows += 1
        if t is None:
            tally.unreadable_times += 1
            tally.first_unreadable = tally.first_unreadable or (line, text)
        yield Row(line, t, values, flags)


def _check_times(recording: Recording, name: str, at: int, reader: TimeReader) -> None:
    """That there are rows, and that one of them has a time: mostly the first."""
    first: tuple[int, str] | None = None
    for line, cells in recording.rows():
        text = cells[at] if at < len(cells) else ""
        if reader.read(text) is not None:
            return
        first = first or (line, text)
    if first is None:
        raise RecordingEmpty(f"{recording.path}: a header and no rows")
    raise TimesUnreadable(
        f"{recording.path}: no row has a time in column {name!r}"
        f" (line {first[0]}: {first[1][:60]!r}); name another column"
    )


def _day_first(recording: Recording, time_at: int) -> bool:
    """Read the whole time column, but only where day and month can be taken for each other."""
    texts = (cells[time_at] for _, cells in recording.rows() if time_at < len(cells))
    for tried, text in enumerate(texts):
        if order_matters(text):
            return day_first(
                cells[time_at] for _, cells in recording.rows() if time_at < len(cells)
            )
        if tried >= 100:
            break
    return True


def _number(text: str, sentinels: frozenset[float], comma: bool) -> float | None:
    """``None`` for what is empty, a word (``NULL``, ``NA``, ``NaN``), a sentinel or infinite."""
    try:
        value = float(text)
    except ValueError:
        number = _written_with_commas(text.strip(), comma)
        if number is None:
            return None
        value = number
    if value in sentinels or not math.isfinite(value) or "_" in text:
        return None  # Python's float takes 1_000
    return value


def _written_with_commas(text: str, decimal: bool) -> float | None:
    """``7,35`` and ``1.234,5`` where a comma is ``decimal``; else ``1,234.5``."""
    if "," not in text:
        return None
    if decimal and not ("." in text and _GROUPED_BY_COMMAS.fullmatch(text)):
        if _GROUPED_BY_POINTS.fullmatch(text):
            text = text.replace(".", "")
        text = text.replace(",", ".", 1)
    elif _GROUPED_BY_COMMAS.fullmatch(text):
        text = text.replace(",", "")
    try:
        return float(text)
    except ValueError:
        return None
