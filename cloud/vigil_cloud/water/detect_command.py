"""``vigil-cloud water detect``: a recording through the detector, one row out for each row in.

The table is read as ``vigil-edge water replay`` reads it: encodings, separators, times, words for
numbers beyond the scale; what is guessed or left out is told.
"""

from __future__ import annotations

import argparse
import csv
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from copy import deepcopy
from datetime import UTC, datetime
from math import isfinite, nan
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from vigil_cloud.commands.numbers import finite
from vigil_cloud.commands.output import written
from vigil_schemas.recordings import options as reading
from vigil_schemas.recordings.errors import OptionWrong
from vigil_schemas.recordings.limits import Limits
from vigil_schemas.recordings.progress import Progress
from vigil_schemas.recordings.recording import Recording
from vigil_schemas.recordings.row_reader import RowReader, Taken, sample_of
from vigil_schemas.recordings.series import Group, Series
from vigil_schemas.recordings.tally import Side, Tally
from vigil_schemas.recordings.telling import lines

if TYPE_CHECKING:
    from vigil_cloud.water.detection.station import Detector
    from vigil_cloud.water.detection.verdict import Verdict

_COLUMNS: Final = ("time", "anomaly", "score", "type", "signals")
_RAREST: Final = 1e-6
_AHEAD_S: Final = 86400.0
"""One wrong stamp of next year must not make all that follows late."""
_LEAP_S: Final = 2 * 86400.0
"""From one row to the next: a gap, or a wrong stamp, as what follows will show."""
_STRAYS: Final = 10
"""So many rows in a row may have wrong times; more are another time."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The recording, its columns, and where the flags go."""
    parser.add_argument("recording", type=Path, metavar="FILE.csv[.gz]")
    reading.add_options(parser)
    text = "rows up to this time only teach; they are written with anomaly 0"
    parser.add_argument("--train", metavar="UNTIL", help=text)
    text = "false alarms per station and week that are granted (0.4)"
    parser.add_argument("--false-per-week", type=finite, default=0.4, metavar="N", help=text)
    parser.add_argument("--out", required=True, type=Path, metavar="FLAGS.csv")


def detect(options: argparse.Namespace) -> int:
    """Write the flags. Raises the errors of a recording, ``OptionWrong``, ``OSError``."""
    if not _RAREST <= options.false_per_week <= 100:
        raise OptionWrong(f"--false-per-week lies above 0 ({_RAREST:g} at least), at most at 100")
    _refuse_same(options.recording, options.out)
    signals, tally = reading.signals_of(options), Tally()
    wanted = reading.wanted_of(options, {})
    recording = reading.opened(options.recording, options, signals, wanted)
    try:
        sample = sample_of(recording)
        series = _Stations(recording, signals, sample, wanted, tally)
        series.false_per_week = options.false_per_week
        rows = RowReader(recording, options.time, series, sample, tally)
        judged = _Judged(rows, tally, _until(options.train, rows))
        with written(options.out) as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(_COLUMNS)
            progress = Progress("vigil-cloud", recording.path.name, "rows")
            try:
                writer.writerows(judged.rows(recording, progress))
            finally:
                progress.end()
            series.finish()
    finally:
        recording.close()
    return _tell(tally, judged, strict=options.strict)


def _tell(tally: Tally, judged: _Judged, *, strict: bool) -> int:
    doubtful = False
    for line in lines(tally, untimed="not judged"):
        doubtful = doubtful or line.doubtful
        _say(line.text)
    for text in judged.told():
        doubtful = True
        _say(text)
    return reading.NOT_STRICT if strict and doubtful else 0


def _say(text: str) -> None:
    sys.stderr.write(f"vigil-cloud: {reading.one_line(text)}\n")


def _until(text: str | None, rows: RowReader[Detector]) -> float | None:
    if text is None:
        return None
    until = rows.times.reader.read(text)
    if until is None:
        raise OptionWrong(f"--train {text!r} is no time")
    return until.timestamp()


def _refuse_same(recording: Path, out: Path) -> None:
    """What is read must not be written over."""
    same = os.path.realpath(recording) == os.path.realpath(out)
    with suppress(FileNotFoundError):
        same = same or recording.samefile(out)
    if same:
        raise OptionWrong(f"--out {out} is the recording itself: name another file")


class _Stations(Series["Detector"]):
    """Each has a detector of its own, and so has each item of a long table."""

    false_per_week: float

    def judge(self, names: Sequence[str], limits: Sequence[Limits]) -> Detector:  # noqa: ARG002  # the detector learns what is usual
        """A detector that has seen nothing."""
        from vigil_cloud.water.detection.station import Detector
        from vigil_cloud.water.detection.verdict import Setting

        return Detector(names, setting=Setting(self.false_per_week))


class _Leap(NamedTuple):
    """A series as it was before a row that is days later than the one before it."""

    last: float
    judge: Detector
    """A copy of before that row."""


class _Judged:
    """The rows of flags, and what is odd about the times."""

    def __init__(self, rows: RowReader[Detector], tally: Tally, until: float | None) -> None:
        self._rows, self._tally, self._until = rows, tally, until
        self._latest = datetime.now(UTC).timestamp() + _AHEAD_S
        self._twice = self._future = self._after = self._late = self._stray = 0
        self._last: dict[int, float] = {}
        self._leaps: dict[int, tuple[_Leap, int]] = {}
        """By series, with the rows since; the wrong stamp of one row must not end it for good."""

    def rows(
        self, recording: Recording, progress: Progress
    ) -> Iterator[tuple[str, int, str, str, str]]:
        """One for each row of the table; an empty line is none."""
        done = 0
        for piece in recording.pieces():
            progress.show(recording.progress, done)
            done += len(piece.rows)
            for one in self._rows.read(piece):
                group, values = one.group, one.values
                verdict = None if group is None or values is None else self._of(one, group, values)
                train = self._until is not None and not (one.seconds or 0.0) > self._until
                self._after += not train and verdict is not None
                if verdict is None or train or not verdict.anomaly:
                    score = "0" if verdict is None or train else f"{verdict.score:.4g}"
                    yield one.text, 0, score, "none", ""
                    continue
                named = ";".join(dict.fromkeys(found.signal for found in verdict.findings))
                yield one.text, 1, f"{verdict.score:.4g}", verdict.type, named

    def _of(
        self, one: Taken[Detector], group: Group[Detector], values: Sequence[float | None]
    ) -> Verdict | None:
        self._count(group, values)
        if one.sides is not None:
            self._tally.off_scale.update(one.sides.items())
        at = one.seconds
        if at is None:
            return None
        if at > self._latest:
            self._future += 1
            return None
        last = self._came_back(group, at, self._last.get(id(group), nan))
        self._twice += at == last
        self._late += at < last
        if not at <= last:
            self._leapt(group, at, last)
            self._last[id(group)] = at
        return group.judge.step(at, [_number(group, n, x, one.sides) for n, x in enumerate(values)])

    def _leapt(self, group: Group[Detector], at: float, last: float) -> None:
        """Remember how it was, until some rows have followed in the new time."""
        if (known := self._leaps.pop(id(group), None)) is not None and known[1] < _STRAYS:
            self._leaps[id(group)] = known[0], known[1] + 1
        elif at - last > _LEAP_S:
            self._leaps[id(group)] = _Leap(last, deepcopy(group.judge)), 1

    def _came_back(self, group: Group[Detector], at: float, last: float) -> float:
        """The time of the row before it: of the one before the leap, where this row goes on from
        there: it is nearer to that than to what leapt, or is a late one of behind a gap."""
        leap, rows = self._leaps.get(id(group), (None, 0))
        if leap is None or not 0 < at - leap.last < last - at:
            return last
        del self._leaps[id(group)]
        group.judge = leap.judge
        self._stray += rows
        return leap.last

    def _count(self, group: Group[Detector], values: Sequence[float | None]) -> None:
        for (name, _, reader), value in zip(group.columns, values, strict=True):
            fail = reader.limits.fail
            if value is None:
                self._tally.missing[name] += 1
            elif fail is not None and not fail[0] <= value <= fail[1]:
                self._tally.failed[name] += 1

    def told(self) -> Iterator[str]:
        """In words."""
        if self._twice:
            yield f"{self._twice} rows repeat the time before them: the first counts"
        if self._late:
            yield f"{self._late} rows are earlier than one that was judged: not judged"
        if self._stray:
            yield f"{self._stray} rows are days ahead of what follows: wrong times, nothing learnt"
        if self._future:
            yield f"{self._future} rows lie in the future: not judged"
        if self._until is not None and not self._after:
            yield "every row is to train with: nothing was judged"


def _number(
    group: Group[Detector], place: int, value: float | None, sides: dict[str, Side] | None
) -> float:
    """Beyond the scale without a number: the end of what such a sensor can report."""
    if value is not None:
        return value
    name, _, reader = group.columns[place]
    side, fail = (sides or {}).get(name), reader.limits.fail
    if side is None or fail is None or not all(map(isfinite, fail)):
        return nan
    return fail[1] if side == "high" else fail[0]
