"""What a reader came across, in lines for the person who keeps the recording."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final, NamedTuple

from vigil_schemas.recordings.tally import Tally
from vigil_schemas.recordings.times import ROC, SPREADSHEET, UNKNOWN_CST

_FEW_ROWS: Final = 4
_NAMED: Final = 5


class Line(NamedTuple):
    """``doubtful``: something was guessed or left out, which ``--strict`` does not take."""

    text: str
    doubtful: bool = True


def lines(tally: Tally, *, untimed: str = "they are there with t null") -> Iterator[Line]:
    """Each one line, the times first. ``untimed``: what becomes of rows without a time."""
    yield from (Line(text, doubtful=False) for text in tally.stated)
    yield from (Line(text) for text in tally.guessed)
    yield from _times(tally, untimed)
    yield from _rows(tally)
    for name in tally.present:
        yield from _signal(tally, name)


def _times(tally: Tally, untimed: str) -> Iterator[Line]:
    if tally.first_unreadable is not None:
        line, text = tally.first_unreadable
        yield Line(
            f"{tally.unreadable_times} of {tally.rows} rows have a time that cannot be read;"
            f" {untimed} (first: line {line}: {text[:60]!r})"
        )
    seen = Counter[str]() if tally.reader is None else tally.reader.seen
    if seen[ROC]:
        yield Line("years are of the Republic of China: 1911 is added")
    if seen[SPREADSHEET]:
        yield Line("times are read as a spreadsheet's days since 1899-12-30")
    if seen[UNKNOWN_CST]:
        yield Line("CST is the time of Chicago and of Taipei: say --utc-offset -06:00 or +08:00")
    if tally.blank_zones:
        yield Line(f"{tally.blank_zones} rows have no zone in the column that gives it")
    if tally.first_beyond is not None:
        line, text = tally.first_beyond
        yield Line(
            f"{tally.beyond_years} rows are of years outside 1970 to 2100 (first: line {line}:"
            f" {text[:60]!r})"
        )
    if tally.first_backward is not None:
        line, text = tally.first_backward
        yield Line(
            f"{tally.backward} rows are of an earlier time than the row before (first: line"
            f" {line}: {text[:60]!r}): the end of summer time, or several recordings in one file?"
        )
    timed = tally.rows - tally.unreadable_times
    if timed >= _FEW_ROWS and 2 * tally.moments < timed:
        yield Line(
            f"{timed} rows have only {tally.moments} different times; a clock in another column"
            ' is joined by --time "Date,Time", and --station or --item keeps series apart'
        )


def _rows(tally: Tally) -> Iterator[Line]:
    if tally.too_long:
        yield Line(
            f"{tally.too_long} rows have more cells than the header has names (first: line"
            f" {tally.first_too_long}): a comma that is not quoted?"
        )
    chosen = ("rows of units", "rows of other stations", "rows of other items")
    for kind, count in tally.no_readings.items():
        if count:
            yield Line(f"{count} {kind} left out", doubtful=kind not in chosen)
    if tally.station_column is not None and len(stations := _named(tally, 0)) > 1:
        yield Line(
            f"{len(stations)} stations in column {tally.station_column!r} ({_some(stations)}), each"
            f" judged by itself; --station '{tally.station_column}={stations[0]}' shows one"
        )
    if tally.item_column is not None and len(items := _named(tally, 1)) > 1:
        yield Line(
            f"{len(items)} items in column {tally.item_column!r} ({_some(items)}), each judged by"
            f" itself; --item {tally.item_column!r} --value COLUMN --signals A,B names some"
        )


def _signal(tally: Tally, name: str) -> Iterator[Line]:
    assumed = tally.assumed.get(name, Counter[float]())
    for number, count in assumed.most_common(_NAMED):
        yield Line(
            f"{name}: {count} cells hold {number:g}, taken for no reading (--keep {number:g} says"
            " otherwise)"
        )
    dropped = tally.dropped.get(name, Counter[str]())
    if dropped:
        words = ", ".join(f"{text!r} {count}" for text, count in dropped.most_common(_NAMED))
        yield Line(f"{name}: {sum(dropped.values())} cells cannot be read: {words}")
    above, below = tally.off_scale[name, "high"], tally.off_scale[name, "low"]
    if above or below:
        yield Line(
            f"{name}: off scale in {above + below} cells, {above} above and {below} below what the"
            " sensor can measure",
            doubtful=False,
        )
    there = tally.present[name] - tally.missing[name]
    if tally.present[name] >= _FEW_ROWS and there == 0:
        yield Line(f"{name}: there is no reading in any of {tally.present[name]} rows")
    if there >= _FEW_ROWS and 2 * tally.failed[name] > there:
        yield Line(
            f"{name}: {tally.failed[name]} of {there} readings fail: is it another unit, or another"
            f" --range {name}=LOW,HIGH?"
        )


def _named(tally: Tally, which: int) -> list[str]:
    return sorted({key[which] for key in tally.groups if key[which]})


def _some(names: list[str]) -> str:
    return ", ".join(names[:_NAMED]) + (", …" if len(names) > _NAMED else "")
