"""The detector of one station: row after row, strictly causal. Pure.

A sensor fault belongs to one signal (or to all of a probe that is taken out of the water): a value
is missing, held, stuck, jumps and returns, jitters, or steps by no more than a calibration does. A
water event moves the water: it lasts, in the direction in which a discharge moves a signal, or in
several signals at once. Rain dilutes: a conductance that falls by itself is no discharge.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import pairwise
from math import ceil, inf, isfinite, isnan, log, log1p, nan
from typing import Any, Final

from vigil_cloud.water.detection.at_once import AtOnce
from vigil_cloud.water.detection.doubts import Doubts
from vigil_cloud.water.detection.judging import VISIT_S, Judge
from vigil_cloud.water.detection.kinds import FLOW, Kind, kinds_of
from vigil_cloud.water.detection.series import BINS, PROFILE_MOST, PROFILE_S, Series, Tuning
from vigil_cloud.water.detection.verdict import Finding, Setting, Verdict

_DAY_S: Final = 86400.0
_MEMORY_S: Final = 3 * _DAY_S
_LEVEL_S: Final = 2 * 3600.0
_PERSISTENT_S: Final = 240.0
"""Samples closer than this: what is away for less is no excursion."""
_GAP: Final = 8
"""After so many intervals without a value nothing is foretold."""
_GRANTED: Final = 5
"""Days of four weeks that may cross a threshold, per false alarm a week."""
_GRANTED_AWAY: Final = 2.5
_MOST_GRANTED: Final = 14
_BOUNDED: Final = 2.0
"""A sum of which no part goes beyond a bound has a lighter tail than the law of ``Tail`` takes it
for: so many times as many days keep the rate."""
_EVENTS: Final = 8
"""Days of four weeks on which signals may go together without the threshold following: somebody who
discharges does it again."""
_LEARNT_FROM: Final = 25
"""Rows that tell how often a station is sampled."""
_HELD_S: Final = 2 * 3600.0
"""Held beside a missing value for longer: a visit is shorter, and told by what is missing."""
_CORRECTED: Final = 1.5
"""Times what a signal usually does in the time: so far from where it pointed to comes back from a
visit what was cleaned or calibrated."""


class Detector(Judge):
    """Of one station. ``interval_s``: how often it is sampled, about."""

    def __init__(
        self,
        names: Sequence[str],
        interval_s: float | None = None,
        setting: Setting | None = None,
        kinds: Sequence[Kind] | None = None,
    ) -> None:
        super().__init__(names)
        self._setting = setting or Setting()
        self._kinds = list(kinds or kinds_of(names))
        self._first: list[tuple[float, list[float | None]]] = []
        self._day = nan
        self._doubts = Doubts(self.names)
        self._holding: set[int] = set()
        """Signals that the logger holds, or held until their next value."""
        self._gone: set[int] = set()
        """Signals that gave nothing when they were last due."""
        self.began_s = nan
        """Time of the first row that taught."""
        if interval_s is not None:
            self._begin(interval_s)

    def _begin(self, interval_s: float) -> None:
        self.interval_s = interval_s
        rate = self._setting.false_per_week
        chance = min(rate / 7 / max(len(self.names), 1) / 3, 0.5)
        self._tuning = Tuning(
            memory=max(_MEMORY_S / interval_s, 48),
            level=min(max(_LEVEL_S / interval_s, 8), 24),
            persistent=min(max(ceil(_PERSISTENT_S / interval_s), 1), 6),
            profile=min(interval_s / PROFILE_S, PROFILE_MOST),
            granted=min(round(_GRANTED * rate), _MOST_GRANTED),
            granted_away=min(round(_GRANTED_AWAY * rate), _MOST_GRANTED),
            y=-log(-log1p(-chance)),
        )
        self.series = [Series(one, self._tuning) for one in self._kinds]
        if self._tuning.persistent > 1:
            self._at_once = AtOnce(
                len(self.names),
                interval_s,
                self._tuning.persistent,
                -log(-log1p(-min(_BOUNDED * rate / 7, 0.5))),
                min(round(_GRANTED * rate) + _EVENTS, _MOST_GRANTED),
            )

    def step(
        self, at_s: float, values: Sequence[float | None], suspect: Collection[int] = ()
    ) -> Verdict:
        """The next row: seconds, and a value of each signal: nan where the sensor gave none,
        ``None`` where none was due; places of the signals whose reading quality control calls
        suspect. A row that is not later than the last teaches nothing and is judged by nothing but
        itself."""
        if not isfinite(at_s) or at_s <= self._last:
            return Verdict()
        if isnan(self.began_s):
            self.began_s = at_s
        if not self.series:
            return self._learn(at_s, values)
        doubted = self._doubts.take(at_s, values, suspect)
        verdict = self._taken(at_s, values, doubted)
        return self._doubts.weigh(at_s, verdict, values, doubted)

    def _taken(
        self, at_s: float, values: Sequence[float | None], doubted: Collection[int]
    ) -> Verdict:
        self._new_day(at_s)
        self._before, self._last = self._last, at_s
        self.lasting.clear()
        there: list[int] = []
        gone: list[int] = []
        found: list[Finding] = []
        hour = int(at_s % _DAY_S / _DAY_S * BINS)
        held = self._held(at_s, values)
        for number, x in enumerate(values):
            if x is None:
                continue
            if not -inf < x < inf:
                gone.append(number)
                continue
            if number in held:
                continue
            there.append(number)
            series = self.series[number]
            intervals = (at_s - series.since) / self.interval_s
            corrected = number in self._holding and self._is_corrected(at_s, series, x)
            gap = intervals if series.count else 1.0
            series.take(x, gap, hour, doubted=number in doubted)
            if corrected:
                found.append(
                    Finding(self.names[number], "step", "sensor", 1.0, at_s, series.change)
                )
            if intervals > _GAP and series.count > 1:
                series.jump = 0.0
                series.base = nan
                series.anew(x)
            series.since = at_s
        self._holding = set(held) | (self._holding - set(there))
        self._missing(at_s, held, gone, found)
        self._visited(at_s, there, gone)
        return self._verdict(at_s, there, found)

    def _new_day(self, at_s: float) -> None:
        if isnan(self._day):
            self._day = at_s
        elif at_s - self._day >= _DAY_S:
            for one in self.series:
                for tail in one.tails:
                    tail.end_day()
            if self._at_once is not None:
                self._at_once.end_day()
            self._day += _DAY_S * ((at_s - self._day) // _DAY_S)

    def _learn(self, at_s: float, values: Sequence[float | None]) -> Verdict:
        """The first rows, which tell how often there is one: only what is missing is known."""
        self._last = at_s
        self._first.append((at_s, list(values)))
        if len(self._first) == _LEARNT_FROM:
            times = [one[0] for one in self._first]
            gaps = sorted(b - a for a, b in pairwise(times))
            self._begin(gaps[len(gaps) // 2])
            self._last = nan
            rows, self._first = self._first, []
            for row in rows:
                self.step(*row)
        pairs = zip(self.names, values, strict=True)
        gone = [name for name, x in pairs if x is not None and not -inf < x < inf]
        found = [Finding(one, "missing", "sensor", 1.0, at_s, nan) for one in gone]
        return Verdict(bool(found), float(bool(found)), "sensor" if found else "none", found)

    def _is_corrected(self, at_s: float, series: Series, x: float) -> bool:
        """Whether a sensor shows after a visit what its values before did not point to."""
        intervals = round((at_s - series.since) / self.interval_s)
        times = (at_s - back * self.interval_s for back in range(min(intervals, 99), -1, -1))
        hours = [int(at % _DAY_S / _DAY_S * BINS) for at in times]
        return series.away_from_course(x, hours) > max(series.course.foretold, _CORRECTED)

    def _held(self, at_s: float, values: Sequence[float | None]) -> list[int]:
        """Signals whose value the logger repeats because it has none: all, or all but one, show
        again exactly what they showed, while another gives nothing. That is no reading: what comes
        after it has had as long to change as after a gap. What has been dead for a day says
        nothing."""
        given = [
            (number, x)
            for number, x in enumerate(values)
            if x is not None and (-inf < x < inf or at_s - self.series[number].since <= _DAY_S)
        ]
        there = [(number, x) for number, x in given if -inf < x < inf]
        if len(there) == len(given):
            return self._still_held(at_s, values)
        same = [number for number, x in there if x == self.series[number].value]
        return same if same and len(same) >= len(there) - 1 else []

    def _still_held(self, at_s: float, values: Sequence[float | None]) -> list[int]:
        """What was told as held and shows the same for ever goes on being held, whether or not
        another still gives nothing."""
        found = []
        for number in self._holding:
            one, x = self.series[number], values[number]
            rests = one.kind.still is not None and abs(one.value) <= one.kind.still
            if x == one.value and at_s - one.since >= _HELD_S and not rests and one.kind != FLOW:
                found.append(number)
        return found

    def _missing(self, at_s: float, held: list[int], gone: list[int], found: list[Finding]) -> None:
        """Values that are not there, and those that the logger holds meanwhile."""
        for number in gone:
            since = self.series[number].since
            found.append(Finding(self.names[number], "missing", "sensor", 1.0, since, nan))
        for number in held:
            one, name = self.series[number], self.names[number]
            if one.kind.empty is not None and one.value <= one.kind.empty:
                found.append(Finding(name, "empty", "sensor", 1.0, one.since, one.value))
            elif at_s - one.since >= _HELD_S or self._stuck(one):
                found.append(Finding(name, "held", "sensor", 1.0, one.since, 0.0))

    def _visited(self, at_s: float, there: list[int], gone: list[int]) -> None:
        """Values that are not there are a visit's, as long as a visit lasts, and again when they
        come back: a sensor that is dead for good hides nothing of the others."""
        longest = VISIT_S + self.interval_s
        if any(at_s - self.series[number].since <= longest for number in gone):
            self._served = self._out = at_s
        elif self._gone.intersection(there):
            self._served = max(self._served, self._before)
            self._out = max(self._out, self._before)
        self._gone = (self._gone | set(gone)) - set(there)

    def state(self) -> dict[str, Any]:
        """To be stored, as JSON; some kilobytes a signal."""
        own = [self._last, self._day, self._served, self._out, *self._weather.state()]
        return {
            "names": self.names,
            "interval_s": self.interval_s,
            "first": [
                [at, *(None if x is None else str(x) for x in values)] for at, values in self._first
            ],
            "own": [str(value) for value in own],
            "began_s": str(self.began_s),
            "holding": sorted(self.names[number] for number in self._holding),
            "gone": sorted(self.names[number] for number in self._gone),
            "emptied": {self.names[number]: since for number, since in self._emptied.items()},
            "doubts": self._doubts.state(),
            "series": [one.state() for one in self.series],
            "at_once": None if self._at_once is None else self._at_once.state(self.names),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """As it was stored. Signals that it did not have then begin anew; others are forgotten."""
        own = list(map(float, state["own"]))
        self._last, self._day, self._served, self._out = own[:4]
        self._weather.restore(own[4:])
        self.began_s = float(state.get("began_s", -inf))
        self._doubts.restore(state.get("doubts", {}))
        holding = state.get("holding", ())
        self._holding = {number for number, name in enumerate(self.names) if name in holding}
        gone, emptied = state.get("gone", ()), state.get("emptied", {})
        self._gone = {number for number, name in enumerate(self.names) if name in gone}
        self._emptied = {
            number: emptied[name] for number, name in enumerate(self.names) if name in emptied
        }
        places = {name: number for number, name in enumerate(state["names"])}
        self._first = [
            (row[0], [_kept(row, places.get(name)) for name in self.names])
            for row in state["first"]
        ]
        if not state["interval_s"]:
            return
        self._begin(state["interval_s"])
        for name, one in zip(self.names, self.series, strict=True):
            if name in places:
                one.restore(state["series"][places[name]])
        if self._at_once is not None and (at_once := state.get("at_once")):
            self._at_once.restore(at_once, self.names)


def _kept(row: Sequence[Any], place: int | None) -> float | None:
    value = None if place is None else row[1 + place]
    return None if value is None else float(value)
