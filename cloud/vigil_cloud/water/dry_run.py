"""What bounds would have called for in a recording, before a station calls anybody.

The recording is read as ``water detect`` reads it. A bound is judged as the gateway judges it: it
begins with the first of so many readings in a row beyond it and ends with the first of as many
inside it by its hysteresis; what is missing or impossible neither begins nor ends one. Suspect
readings, which the gateway believes only together with others, count like any here: a gateway
calls at most as often. Beside the bounds stands what the detector would have found.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from math import isfinite, nan
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final, Literal

from vigil_cloud.api_errors import ApiError
from vigil_schemas.errors import VigilError
from vigil_schemas.recordings import options as reading
from vigil_schemas.recordings.errors import OptionWrong
from vigil_schemas.recordings.limits import Limits
from vigil_schemas.recordings.recording import Recording
from vigil_schemas.recordings.row_reader import RowReader, sample_of
from vigil_schemas.recordings.series import Series, Wanted
from vigil_schemas.recordings.tally import Tally
from vigil_schemas.recordings.telling import lines

if TYPE_CHECKING:
    from vigil_cloud.water.detection.station import Detector

WEEK_S: Final = 7 * 86400.0
MOST_SHOWN: Final = 500
_SAME_EVENT_S: Final = 3600.0
"""Of the detector: so far apart two rows are of one event, as in service."""
_LONGEST_GAP_S: Final = 3600.0
"""Longer without a row, the recording is of two stretches: the pause is no time watched."""


class BadRecording(ApiError):
    """A recording that cannot be tried. ``reason``: the code of what is wrong with it."""

    code: ClassVar[str] = "bad-recording"
    remedy: ClassVar[str] = (
        "Correct what the message names; docs/water.md lists what is understood."
    )
    status: ClassVar[int] = 422

    def __init__(self, found: VigilError, columns: Sequence[str] = ()) -> None:
        super().__init__(reading.one_line(str(found))[:400])
        self.reason = found.code
        self.columns = list(columns)[:100]


@dataclass(frozen=True, slots=True)
class Bound:
    """Of one column, in its own unit."""

    column: str
    high: float | None = None
    low: float | None = None
    hysteresis: float = 0.0
    consecutive: int = 2


@dataclass(frozen=True, slots=True)
class Asked:
    """How the recording is read."""

    time: str
    bounds: Sequence[Bound]
    station: str | None = None
    """``COLUMN=NAME``."""
    encoding: str | None = None
    utc_offset: str | None = None


@dataclass(slots=True)
class Alarm:
    """One call. Times in seconds since 1970."""

    station: str
    column: str
    kind: Literal["above", "below", "anomaly"]
    started_s: float
    ended_s: float | None = None
    """``None``: it lasts at the end of the recording."""
    extreme: float = nan


@dataclass(slots=True)
class Outcome:
    """Of a whole recording."""

    rows: int = 0
    weeks: float = 0.0
    """In which it was watched, of all stations together: pauses are none."""
    alarms: list[Alarm] = field(default_factory=list)
    """In order."""
    notes: list[str] = field(default_factory=list)
    """What was guessed or left out, in words."""


class Watch:
    """One side of one bound."""

    def __init__(self, bound: Bound, kind: Literal["above", "below"], limit: float) -> None:
        self._bound, self._kind, self._limit = bound, kind, limit
        self._count = 0
        self._since_s = self._extreme = nan
        self._open: Alarm | None = None

    def take(self, station: str, at_s: float, x: float) -> Alarm | None:
        """The next believed reading; an alarm that begins with it."""
        beyond = x > self._limit if self._kind == "above" else x < self._limit
        if self._open is None:
            if beyond:
                return self._begin(station, at_s, x)
            self._count = 0
            return None
        if beyond:
            self._open.extreme = self._farther(self._open.extreme, x)
            self._count = 0
        elif not self._inside(x):
            self._count = 0
        else:
            self._since_s = at_s if self._count == 0 else self._since_s
            self._count += 1
            if self._count >= self._bound.consecutive:
                self._open.ended_s, self._open = self._since_s, None
                self._count = 0
        return None

    def _begin(self, station: str, at_s: float, x: float) -> Alarm | None:
        if self._count == 0:
            self._since_s, self._extreme = at_s, x
        self._count += 1
        self._extreme = self._farther(self._extreme, x)
        if self._count < self._bound.consecutive:
            return None
        self._count = 0
        column, since = self._bound.column, self._since_s
        self._open = Alarm(station, column, self._kind, since, extreme=self._extreme)
        return self._open

    def _inside(self, x: float) -> bool:
        hysteresis = self._bound.hysteresis
        if self._kind == "above":
            return x <= self._limit - hysteresis
        return x >= self._limit + hysteresis

    def _farther(self, a: float, b: float) -> float:
        return max(a, b) if self._kind == "above" else min(a, b)


def _watches(bound: Bound | None) -> list[Watch]:
    found = []
    if bound is not None and bound.high is not None:
        found.append(Watch(bound, "above", bound.high))
    if bound is not None and bound.low is not None:
        found.append(Watch(bound, "below", bound.low))
    return found


class _Station:
    """One station: its bounds, its detector, and for how long it was watched."""

    def __init__(self, names: Sequence[str], limits: Sequence[Limits], asked: Asked) -> None:
        from vigil_cloud.water.detection.station import Detector

        by_name = {one.column: one for one in asked.bounds}
        self._fail = [one.fail for one in limits]
        self._watches = [_watches(by_name.get(name)) for name in names]
        self._detector: Detector = Detector(names)
        self._events: dict[str, Alarm] = {}
        self.times: list[float] = []

    def take(self, station: str, at_s: float, values: Sequence[float | None]) -> Iterator[Alarm]:
        """The next row; what begins with it."""
        if self.times and at_s <= self.times[-1]:
            return
        self.times.append(at_s)
        believed = [self._believed(place, x) for place, x in enumerate(values)]
        for watches, x in zip(self._watches, believed, strict=True):
            if x is not None:
                for watch in watches:
                    if (begun := watch.take(station, at_s, x)) is not None:
                        yield begun
        yield from self._detected(station, at_s, [nan if x is None else x for x in values])

    def _believed(self, place: int, x: float | None) -> float | None:
        fail = self._fail[place]
        if x is None or not isfinite(x):
            return None
        return x if fail is None or fail[0] <= x <= fail[1] else None

    def _detected(self, station: str, at_s: float, values: list[float]) -> Iterator[Alarm]:
        found = self._detector.step(at_s, values).findings
        for one in found:
            if one.type != "water":
                continue
            known = self._events.get(one.signal)
            if known is not None and at_s - (known.ended_s or known.started_s) <= _SAME_EVENT_S:
                known.ended_s = at_s
                continue
            begun = Alarm(station, one.signal, "anomaly", at_s, at_s, one.by)
            self._events[one.signal] = begun
            yield begun

    @property
    def watched_s(self) -> float:
        return sum(b - a for a, b in pairwise(self.times) if b - a <= _LONGEST_GAP_S)


class _Stations(Series[_Station]):
    asked: Asked

    def judge(self, names: Sequence[str], limits: Sequence[Limits]) -> _Station:
        """A station that has seen nothing."""
        return _Station(names, limits, self.asked)


def columns(path: Path, encoding: str | None) -> list[str]:
    """Of the header. Raises ``BadRecording``."""
    try:
        recording = Recording(path, (), encoding)
    except VigilError as error:
        raise BadRecording(error) from error
    try:
        return [name for name in recording.header if name.strip()]
    finally:
        recording.close()


def try_bounds(path: Path, asked: Asked) -> Outcome:
    """Raises ``BadRecording``."""
    try:
        return _tried(path, asked)
    except BadRecording:
        raise
    except VigilError as error:
        raise BadRecording(error, _columns_of(path, asked.encoding)) from error


def _columns_of(path: Path, encoding: str | None) -> Sequence[str]:
    try:
        return columns(path, encoding)
    except BadRecording:
        return ()  # what is wrong with the file itself is told already


def _tried(path: Path, asked: Asked) -> Outcome:
    options = argparse.Namespace(
        time=asked.time,
        item=None,
        value=None,
        station=asked.station,
        utc_offset=asked.utc_offset,
        sentinel=[],
        keep=[],
        decimal=None,
        encoding=asked.encoding,
    )
    signals = [one.column for one in asked.bounds]
    if not signals:
        raise OptionWrong("no column was named")
    wanted: Wanted = reading.wanted_of(options, {})
    tally, outcome = Tally(), Outcome()
    recording = reading.opened(path, options, signals, wanted)
    try:
        sample = sample_of(recording)
        series = _Stations(recording, signals, sample, wanted, tally)
        series.asked = asked
        rows: RowReader[_Station] = RowReader(recording, asked.time, series, sample, tally)
        stations: dict[int, _Station] = {}
        for piece in recording.pieces():
            for one in rows.read(piece):
                group = one.group
                if group is None or one.values is None or one.seconds is None:
                    continue
                outcome.rows += 1
                stations[id(group)] = group.judge
                found = group.judge.take(one.station or "", one.seconds, one.values)
                outcome.alarms.extend(found)
        series.finish()
    finally:
        recording.close()
    outcome.weeks = sum(one.watched_s for one in stations.values()) / WEEK_S
    outcome.alarms.sort(key=lambda one: (one.started_s, one.station, one.column, one.kind))
    outcome.notes = [reading.one_line(line.text) for line in lines(tally, untimed="left out")]
    return outcome


def per_week(outcome: Outcome) -> dict[tuple[str, str], float]:
    """How often a week, by column and kind. Of less than a day nothing is said."""
    if outcome.weeks < 1 / 7:
        return {}
    found: dict[tuple[str, str], float] = defaultdict(float)
    for one in outcome.alarms:
        found[one.column, one.kind] += 1 / outcome.weeks
    return dict(found)


def moment(seconds: float) -> datetime:
    """Aware."""
    return datetime.fromtimestamp(seconds, UTC)
