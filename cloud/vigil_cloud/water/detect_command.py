"""``vigil-cloud water detect``: a recording through the detector, one row out for each row in."""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import sys
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from math import isfinite, nan
from pathlib import Path
from typing import ClassVar, Final

from vigil_cloud.water.recording_times import Decision, decide, is_short, moment
from vigil_schemas.errors import VigilError

_MISSING: Final = frozenset({-9999.0, -999.0, -7999.0, -6999.0, -99999.0})
_COLUMNS: Final = ("time", "anomaly", "score", "type", "signals")
_SHOWN: Final = 3
_LOOKED_AT: Final = 100
"""Rows in which times whose order of day and month is open are looked for."""
_AHEAD_S: Final = 86400.0


class BadRecording(VigilError):
    """A recording that cannot be read, or whose columns are not those that are asked for."""

    code: ClassVar[str] = "bad-recording"
    remedy: ClassVar[str] = (
        "Give a CSV (or CSV.gz) with a row of names; --time and --signals name its columns."
    )


def add_options(parser: argparse.ArgumentParser) -> None:
    """The recording, its columns, and where the flags go."""
    parser.add_argument("recording", type=Path, metavar="FILE.csv[.gz]")
    parser.add_argument("--time", required=True, metavar="COL", help="the column of the time")
    parser.add_argument("--signals", required=True, metavar="A,B,C", help="columns, with commas")
    text = "rows up to this time only teach; they are written with anomaly 0"
    parser.add_argument("--train", metavar="UNTIL", help=text)
    text = "false alarms per station and week that are granted (0.4)"
    parser.add_argument("--false-per-week", type=float, default=0.4, metavar="N", help=text)
    parser.add_argument("--out", required=True, type=Path, metavar="FLAGS.csv")


def detect(options: argparse.Namespace) -> int:
    """Write the flags. Raises ``BadRecording``, ``OSError``."""
    from vigil_cloud.water.detection.station import Detector
    from vigil_cloud.water.detection.verdict import Setting, Verdict

    if not 0 < options.false_per_week <= 100:
        raise BadRecording("--false-per-week lies above 0 and at most at 100")
    signals = [one.strip() for one in options.signals.split(",") if one.strip()]
    recording = _Recording(options.recording, options.time, signals)
    order = recording.order()
    until = None if options.train is None else moment(options.train, order.order)
    if until is not None and not isfinite(until):
        raise BadRecording(f"--train {options.train!r} is no time")
    detector = Detector(signals, setting=Setting(options.false_per_week))
    told = _Told()
    with options.out.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_COLUMNS)
        for written, values in recording.rows():
            at = moment(written, order.order)
            told.time(at, written)
            # One wrong stamp of next year must not make all that follows late.
            verdict = Verdict() if at > told.latest else detector.step(at, values)
            if until is not None and at <= until:
                writer.writerow((written, 0, 0, "none", ""))
                continue
            named = ";".join(dict.fromkeys(one.signal for one in verdict.findings))
            flag, score = int(verdict.anomaly), f"{verdict.score:.4g}"
            writer.writerow((written, flag, score, verdict.type, named))
    for line in filter(None, (order.told, recording.told(), *told.lines(until))):
        sys.stderr.write(f"vigil-cloud: {line}\n")
    return 0


class _Told:
    """What is odd about the times, each in one line."""

    def __init__(self) -> None:
        self._last = nan
        self._unread: list[str] = []
        self._rows = self._unreadable = self._twice = self._back = self._future = 0
        self.latest = datetime.now(UTC).timestamp() + _AHEAD_S

    def time(self, at: float, written: str) -> None:
        """One more row."""
        self._rows += 1
        if not isfinite(at):
            self._unreadable += 1
            if len(self._unread) < _SHOWN:
                self._unread.append(repr(written[:40]))
            return
        self._twice += at == self._last
        self._back += at < self._last
        if at > self.latest:
            self._future += 1
        elif not self._last >= at:
            self._last = at

    def lines(self, until: float | None) -> Iterator[str]:
        """In words."""
        if not self._rows:
            yield "there is no row in it"
        if self._unreadable:
            shown = ", ".join(self._unread)
            yield f"{self._unreadable} rows have no time that can be read ({shown}): not judged"
        if self._twice:
            yield f"{self._twice} rows repeat the time before them: the first counts"
        if self._back:
            yield f"{self._back} rows are earlier than a row before them: not judged"
        if self._future:
            yield f"{self._future} rows lie in the future: not judged"
        if until is not None and self._last <= until:
            yield "every row is to train with: nothing was judged"


def _text(path: Path) -> str:
    content = path.read_bytes()
    try:
        if content[:2] == b"\x1f\x8b":
            content = gzip.decompress(content)
        return content.decode("utf-8-sig")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise BadRecording(f"{path.name} is no UTF-8 text: {error}") from error


class _Recording:
    """The table, its columns found. Raises ``BadRecording``, ``OSError``."""

    def __init__(self, path: Path, time: str, signals: list[str]) -> None:
        self._name, self._text = path.name, _text(path)
        self._empty = 0
        header = [one.strip() for one in next(self._lines(), [])]
        wanted = [time, *signals]
        if not signals or len(set(wanted)) < len(wanted):
            raise BadRecording("--signals names no column, one twice, or that of the time")
        if missing := [one for one in wanted if one not in header]:
            raise BadRecording(
                f"{path.name} has no column {', '.join(missing)}; it has {', '.join(header[:20])}"
            )
        if doubled := [one for one in wanted if header.count(one) > 1]:
            raise BadRecording(f"{path.name} has more than one column {', '.join(doubled)}")
        self._width = len(header)
        self._at, *self._columns = [header.index(one) for one in wanted]

    def order(self) -> Decision:
        """Whether the day or the month comes first, where the times leave it open."""
        if not any(map(is_short, islice(self._times(), _LOOKED_AT))):
            return Decision("day")
        return decide(self._times())

    def rows(self) -> Iterator[tuple[str, list[float]]]:
        """Of each row its time as written, and its values. An empty line is none, as for
        whatever else reads CSV: a row of flags for it would shift all that follow."""
        self._empty = 0
        lines = self._lines()
        next(lines)
        for row in lines:
            if not row:
                self._empty += 1
                continue
            cells = row + [""] * (self._width - len(row))
            yield cells[self._at], [value(cells[column]) for column in self._columns]

    def told(self) -> str:
        """What was left out of ``rows``."""
        if not self._empty:
            return ""
        return f"{self._empty} empty lines are no rows: none is written for them"

    def _times(self) -> Iterator[str]:
        lines = self._lines()
        next(lines)
        return (row[self._at] for row in lines if len(row) > self._at)

    def _lines(self) -> Iterator[list[str]]:
        try:
            yield from csv.reader(io.StringIO(self._text, newline=None))
        except csv.Error as error:
            raise BadRecording(f"{self._name}: {error}") from error


def value(cell: str) -> float:
    """Nan for whatever is no number, and for the numbers that mean none."""
    try:
        number = float(cell)
    except ValueError:
        return nan
    return nan if number in _MISSING else number
